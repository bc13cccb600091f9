//! `show info`: the process in HAProxy's keys and order, our own keys after them.
//!
//! Pure: everything it tells comes in as [`InfoFacts`]. Keys for notions Portcullis lacks (pipes, memory pools,
//! compression) are zero rather than absent, because monitors stop at the first key they miss.

use std::fmt::Write as _;

use super::command::Form;
use super::stat::Value;
use super::text::{ascii, uptime};

/// HAProxy's version we are compatible with, then ours: tools compare the beginning as a number.
pub(crate) const VERSION: &str = concat!("2.6.0-portcullis", env!("CARGO_PKG_VERSION"));

/// Day of the newest source, as HAProxy writes it.
const RELEASE_DATE: &str = "2026/11/21";

/// What is told of the process.
#[derive(Clone, Debug, Default)]
pub(crate) struct InfoFacts {
    /// Worker threads.
    pub(crate) threads: usize,
    /// Process id.
    pub(crate) pid: u32,
    /// Milliseconds since the start.
    pub(crate) uptime_millis: u64,
    /// Microseconds since 1970 at the start.
    pub(crate) started_micros: u64,
    /// Descriptors the process may open.
    pub(crate) descriptors: u64,
    /// Client connections allowed.
    pub(crate) max_connections: u32,
    /// Client connections open.
    pub(crate) connections: u64,
    /// Client connections since the start.
    pub(crate) connections_total: u64,
    /// Requests since the start.
    pub(crate) requests_total: u64,
    /// TLS connections open.
    pub(crate) tls_connections: u64,
    /// TLS connections since the start.
    pub(crate) tls_connections_total: u64,
    /// Connections accepted in the last second.
    pub(crate) connection_rate: u64,
    /// Most of them in any second.
    pub(crate) connection_rate_max: u64,
    /// Host name.
    pub(crate) node: String,
    /// Whether a graceful stop is under way.
    pub(crate) is_draining: bool,
    /// Requests being answered.
    pub(crate) in_flight: u64,
    /// Listeners.
    pub(crate) listeners: usize,
    /// Access log lines dropped.
    pub(crate) dropped_log_lines: u64,
    /// Host name lookups that failed.
    pub(crate) failed_lookups: u64,
    /// Bytes of answers since the start.
    pub(crate) bytes_out: u64,
    /// Hash of the configuration that is in force.
    pub(crate) fingerprint: u64,
    /// Successful and rejected reloads.
    pub(crate) reloads: (u64, u64),
    /// Worker tasks that panicked.
    pub(crate) panics: u64,
}

struct Field {
    position: usize,
    name: &'static str,
    tags: &'static str,
    value: Value,
    desc: &'static str,
}

/// The answer to `show info` in the form asked for.
pub(crate) fn render(facts: &InfoFacts, form: Form) -> String {
    let fields = fields(facts, form.float);
    if form.json {
        return json(&fields);
    }
    let mut out = String::new();
    for Field {
        position,
        name,
        tags,
        value,
        desc,
    } in &fields
    {
        // Writing to a String cannot fail.
        let _ = if form.typed {
            write!(
                out,
                "{position}.{name}.1:{tags}:{}:{}",
                value.type_name(),
                value.plain()
            )
        } else {
            write!(out, "{name}: {}", value.plain())
        };
        if form.desc {
            let _ = write!(out, ":\"{desc}\"");
        }
        out.push('\n');
    }
    out
}

fn json(fields: &[Field]) -> String {
    let mut out = String::from("[");
    for (i, field) in fields.iter().enumerate() {
        out.push_str(if i == 0 { "{" } else { ",{" });
        super::stat::push_json_field(
            &mut out,
            field.position,
            field.name,
            field.tags,
            &field.value,
        );
    }
    out.push_str("]\n");
    out
}

/// A table; positions are HAProxy's, which leave gaps where an optional key is absent.
fn fields(facts: &InfoFacts, float: bool) -> Vec<Field> {
    let mut fields = Vec::with_capacity(80);
    let mut add = |position, name, tags, value, desc| {
        fields.push(Field {
            position,
            name,
            tags,
            value,
            desc,
        });
    };
    let text = |text: &str| Value::Text(ascii(text));
    let u32 = |number: u64| Value::U32(u32::try_from(number).unwrap_or(u32::MAX));
    let rate = |number: u64| {
        if float {
            Value::Float(number.to_string())
        } else {
            u32(number)
        }
    };
    let count = |number: usize| Value::U32(u32::try_from(number).unwrap_or(u32::MAX));
    let zero = Value::U32(0);
    let seconds = facts.uptime_millis / 1_000;
    let fraction =
        |micros: u64| Value::Float(format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000));
    let max = u64::from(facts.max_connections);

    add(0, "Name", "POS", text("Portcullis"), "name of the product");
    add(
        1,
        "Version",
        "POS",
        text(VERSION),
        "version, beginning with the runtime API's it speaks",
    );
    add(
        2,
        "Release_date",
        "POS",
        text(RELEASE_DATE),
        "date of the source",
    );
    add(3, "Nbthread", "CGS", count(facts.threads), "worker threads");
    add(
        4,
        "Nbproc",
        "CGS",
        Value::U32(1),
        "worker processes, always 1",
    );
    add(
        5,
        "Process_num",
        "KGP",
        Value::U32(1),
        "number of this process, always 1",
    );
    add(6, "Pid", "SGP", Value::U32(facts.pid), "process id");
    add(
        7,
        "Uptime",
        "MDP",
        text(&uptime(seconds)),
        "time since the start",
    );
    let uptime_value = if float {
        fraction(facts.uptime_millis * 1_000)
    } else {
        u32(seconds)
    };
    add(
        8,
        "Uptime_sec",
        "MDP",
        uptime_value,
        "seconds since the start",
    );
    add(
        9,
        "Memmax_MB",
        "CLP",
        zero.clone(),
        "memory limit in MB, 0 for none",
    );
    add(
        10,
        "PoolAlloc_MB",
        "MGP",
        zero.clone(),
        "memory in pools in MB; there are no pools",
    );
    add(
        11,
        "PoolUsed_MB",
        "MGP",
        zero.clone(),
        "pool memory in use in MB; there are no pools",
    );
    add(
        12,
        "PoolFailed",
        "MCP",
        zero.clone(),
        "failed pool allocations; there are no pools",
    );
    add(
        13,
        "Ulimit-n",
        "CLP",
        u32(facts.descriptors),
        "descriptors the process may open",
    );
    add(
        14,
        "Maxsock",
        "CLP",
        u32(facts.descriptors),
        "sockets the process may open",
    );
    add(15, "Maxconn", "CLP", u32(max), "client connections allowed");
    add(
        16,
        "Hard_maxconn",
        "CLP",
        u32(max),
        "client connections allowed at most",
    );
    add(
        17,
        "CurrConns",
        "MGP",
        u32(facts.connections),
        "client connections open",
    );
    add(
        18,
        "CumConns",
        "MCP",
        u32(facts.connections_total),
        "client connections since the start",
    );
    add(
        19,
        "CumReq",
        "MCP",
        u32(facts.requests_total),
        "requests since the start",
    );
    add(
        20,
        "MaxSslConns",
        "MMP",
        zero.clone(),
        "limit of TLS connections, 0 for none of its own",
    );
    add(
        21,
        "CurrSslConns",
        "MGP",
        u32(facts.tls_connections),
        "TLS connections open",
    );
    add(
        22,
        "CumSslConns",
        "MCP",
        u32(facts.tls_connections_total),
        "TLS connections since the start",
    );
    add(
        23,
        "Maxpipes",
        "CLP",
        zero.clone(),
        "limit of splicing pipes; there are none",
    );
    add(
        24,
        "PipesUsed",
        "MGP",
        zero.clone(),
        "splicing pipes in use; there are none",
    );
    add(
        25,
        "PipesFree",
        "MGP",
        zero.clone(),
        "splicing pipes free; there are none",
    );
    add(
        26,
        "ConnRate",
        "MRP",
        rate(facts.connection_rate),
        "connections accepted in the last second",
    );
    add(
        27,
        "ConnRateLimit",
        "CLP",
        zero.clone(),
        "limit of connections a second, 0 for none",
    );
    add(
        28,
        "MaxConnRate",
        "MMP",
        u32(facts.connection_rate_max),
        "most connections accepted in a second",
    );
    add(
        29,
        "SessRate",
        "MRP",
        rate(facts.connection_rate),
        "sessions begun in the last second",
    );
    add(
        30,
        "SessRateLimit",
        "CLP",
        zero.clone(),
        "limit of sessions a second, 0 for none",
    );
    add(
        31,
        "MaxSessRate",
        "MRP",
        u32(facts.connection_rate_max),
        "most sessions begun in a second",
    );
    add(
        32,
        "SslRate",
        "MRP",
        rate(0),
        "TLS connections in the last second; not kept",
    );
    add(
        33,
        "SslRateLimit",
        "CLP",
        zero.clone(),
        "limit of TLS connections a second, 0 for none",
    );
    add(
        34,
        "MaxSslRate",
        "MMP",
        zero.clone(),
        "most TLS connections in a second; not kept",
    );
    add(
        35,
        "SslFrontendKeyRate",
        "MGP",
        rate(0),
        "full handshakes in the last second; not kept",
    );
    add(
        36,
        "SslFrontendMaxKeyRate",
        "MMP",
        zero.clone(),
        "most full handshakes in a second; not kept",
    );
    add(
        37,
        "SslFrontendSessionReuse_pct",
        "MGP",
        rate(0),
        "percent of resumed handshakes; not kept",
    );
    add(
        38,
        "SslBackendKeyRate",
        "MRP",
        rate(0),
        "handshakes with servers in the last second",
    );
    add(
        39,
        "SslBackendMaxKeyRate",
        "MMP",
        zero.clone(),
        "most handshakes with servers in a second",
    );
    add(
        40,
        "SslCacheLookups",
        "MCP",
        zero.clone(),
        "session cache lookups; not kept",
    );
    add(
        41,
        "SslCacheMisses",
        "MCP",
        zero.clone(),
        "session cache misses; not kept",
    );
    add(
        42,
        "CompressBpsIn",
        "MRP",
        rate(0),
        "bytes a second given to compression",
    );
    add(
        43,
        "CompressBpsOut",
        "MRP",
        rate(0),
        "bytes a second compression gave",
    );
    add(
        44,
        "CompressBpsRateLim",
        "CLP",
        zero.clone(),
        "limit of compression, 0 for none",
    );
    add(
        47,
        "Tasks",
        "MGP",
        u32(facts.connections),
        "tasks: one for each client connection",
    );
    add(
        48,
        "Run_queue",
        "MGP",
        u32(facts.in_flight),
        "requests being answered",
    );
    add(
        49,
        "Idle_pct",
        "MaP",
        Value::U32(100),
        "percent of time idle; not kept",
    );
    add(50, "node", "COS", text(&facts.node), "host name");
    add(
        52,
        "Stopping",
        "MGP",
        Value::U32(facts.is_draining.into()),
        "1 while a graceful stop is under way",
    );
    let jobs = facts
        .connections
        .saturating_add(u64::try_from(facts.listeners).unwrap_or(u64::MAX));
    add(
        53,
        "Jobs",
        "MGP",
        u32(jobs),
        "client connections and listeners",
    );
    add(
        54,
        "Unstoppable Jobs",
        "MGP",
        zero.clone(),
        "jobs a stop does not wait for",
    );
    add(55, "Listeners", "MGP", count(facts.listeners), "listeners");
    add(
        56,
        "ActivePeers",
        "MGP",
        zero.clone(),
        "peers; there are none",
    );
    add(
        57,
        "ConnectedPeers",
        "MGP",
        zero.clone(),
        "connected peers; there are none",
    );
    add(
        58,
        "DroppedLogs",
        "MGP",
        u32(facts.dropped_log_lines),
        "access log lines dropped",
    );
    add(
        59,
        "BusyPolling",
        "MGP",
        zero.clone(),
        "1 for busy polling; never",
    );
    add(
        60,
        "FailedResolutions",
        "MGP",
        u32(facts.failed_lookups),
        "host name lookups that failed",
    );
    add(
        61,
        "TotalBytesOut",
        "MGP",
        Value::U64(facts.bytes_out),
        "bytes of answers since the start",
    );
    add(
        62,
        "TotalSplicdedBytesOut",
        "MGP",
        Value::U64(0),
        "bytes spliced; none",
    );
    add(
        63,
        "BytesOutRate",
        "MRP",
        Value::U64(0),
        "bytes of answers in the last second; not kept",
    );
    add(
        64,
        "DebugCommandsIssued",
        "MGP",
        zero.clone(),
        "debug commands; there are none",
    );
    add(
        65,
        "CumRecvLogs",
        "MCP",
        zero.clone(),
        "log messages received; none",
    );
    add(66, "Build info", "POS", text(VERSION), "version");
    add(
        67,
        "Memmax_bytes",
        "CLP",
        zero,
        "memory limit in bytes, 0 for none",
    );
    add(
        68,
        "PoolAlloc_bytes",
        "MGP",
        Value::U64(0),
        "memory in pools; there are no pools",
    );
    add(
        69,
        "PoolUsed_bytes",
        "MGP",
        Value::U64(0),
        "pool memory in use; there are no pools",
    );
    let started = if float {
        fraction(facts.started_micros)
    } else {
        u32(facts.started_micros / 1_000_000)
    };
    add(
        70,
        "Start_time_sec",
        "MDP",
        started,
        "seconds since 1970 at the start",
    );
    add(
        71,
        "Tainted",
        "SGP",
        text("0"),
        "experimental features in use; none",
    );
    add(
        72,
        "Portcullis_version",
        "POS",
        text(env!("CARGO_PKG_VERSION")),
        "version of Portcullis",
    );
    let fingerprint = text(&format!("{:016x}", facts.fingerprint));
    add(
        73,
        "Portcullis_config",
        "COS",
        fingerprint,
        "hash of the configuration in force",
    );
    add(
        74,
        "Portcullis_reloads",
        "MCP",
        u32(facts.reloads.0),
        "configurations taken over since the start",
    );
    add(
        75,
        "Portcullis_reloads_rejected",
        "MCP",
        u32(facts.reloads.1),
        "configurations rejected since the start",
    );
    add(
        76,
        "Portcullis_requests_in_flight",
        "MGP",
        u32(facts.in_flight),
        "requests being answered",
    );
    add(
        77,
        "Portcullis_worker_panics",
        "MCP",
        u32(facts.panics),
        "connections lost to a fault of ours",
    );
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> InfoFacts {
        InfoFacts {
            pid: 42,
            uptime_millis: 23_500,
            node: "vm".to_owned(),
            started_micros: 1_795_197_918_114_390,
            ..InfoFacts::default()
        }
    }

    #[test]
    fn every_line_has_exactly_one_colon() {
        for line in render(&facts(), Form::default()).lines() {
            assert_eq!(line.matches(':').count(), 1, "{line}");
        }
    }

    #[test]
    fn keys_that_hatop_needs_are_there() {
        let text = render(&facts(), Form::default());
        for key in [
            "Name",
            "Version",
            "Release_date",
            "Nbproc",
            "Process_num",
            "Pid",
            "Uptime",
            "Maxconn",
            "CurrConns",
            "Maxpipes",
            "PipesUsed",
            "Tasks",
            "Run_queue",
            "node",
        ] {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("{key}: ")));
            assert!(
                line.is_some_and(|line| line.len() > key.len() + 2),
                "{key}: {line:?}"
            );
        }
    }

    #[test]
    fn begins_as_tools_expect() {
        let text = render(&facts(), Form::default());
        let expected = format!(
            "Name: Portcullis\nVersion: {VERSION}\nRelease_date: {RELEASE_DATE}\nNbthread: 0\nNbproc: 1\n"
        );
        assert!(text.starts_with(&expected), "{text}");
        assert!(
            text.contains("\nUptime: 0d 0h00m23s\nUptime_sec: 23\nMemmax_MB: 0\n"),
            "{text}"
        );
    }

    #[test]
    fn typed_lines_have_positions_and_tags() {
        let text = render(
            &facts(),
            Form {
                typed: true,
                ..Form::default()
            },
        );
        assert!(
            text.contains("\n2.Release_date.1:POS:str:2026/11/21\n"),
            "{text}"
        );
        assert!(text.contains("\n6.Pid.1:SGP:u32:42\n"), "{text}");
        assert!(text.contains("\n61.TotalBytesOut.1:MGP:u64:0\n"), "{text}");
    }

    #[test]
    fn float_gives_fractions_and_desc_explains() {
        let text = render(
            &facts(),
            Form {
                float: true,
                desc: true,
                ..Form::default()
            },
        );
        assert!(
            text.contains("\nUptime_sec: 23.500000:\"seconds since the start\"\n"),
            "{text}"
        );
        assert!(
            text.contains("\nStart_time_sec: 1795197918.114390:\""),
            "{text}"
        );
    }

    #[test]
    fn json_is_an_array_of_fields() {
        let text = render(
            &facts(),
            Form {
                json: true,
                typed: true,
                ..Form::default()
            },
        );
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(value[6]["field"]["name"], "Pid");
        assert_eq!(value[6]["value"]["value"], 42);
        assert!(text.starts_with(
            "[{\"field\":{\"pos\":0,\"name\":\"Name\"},\"processNum\":1,\"tags\":{\"origin\":\"Product\",\"nature\":\"Output\",\
             \"scope\":\"Service\"},\"value\":{\"type\":\"str\",\"value\":\"Portcullis\"}},"
        ), "{text}");
    }
}
