//! The table of `show info`. Positions are HAProxy's, with the gaps that its absent optional keys leave.

use super::{InfoFacts, NAME, RELEASE_DATE, VERSION};
use crate::admin::stat::Value;
use crate::admin::text::{ascii, uptime};

/// One key of `show info` with its value.
pub(super) struct Field {
    pub(super) position: usize,
    pub(super) name: &'static str,
    /// Origin, nature and scope, one letter each.
    pub(super) tags: &'static str,
    pub(super) value: Value,
    pub(super) desc: &'static str,
}

macro_rules! table {
    (|$facts:ident, $float:ident| $($position:literal $name:literal $tags:literal $value:expr, $desc:literal;)*) => {
        /// Every key in order; `float` gives times and rates their fractions.
        pub(super) fn fields($facts: &InfoFacts, $float: bool) -> Vec<Field> {
            vec![$(Field { position: $position, name: $name, tags: $tags, value: $value, desc: $desc },)*]
        }
    };
}

table! { |facts, float|
    0 "Name" "POS" text(NAME), "name of the product whose runtime API this is";
    1 "Version" "POS" text(VERSION), "version, beginning with the runtime API's it speaks";
    2 "Release_date" "POS" text(RELEASE_DATE), "date of the source";
    3 "Nbthread" "CGS" size(facts.threads), "worker threads";
    4 "Nbproc" "CGS" number(1), "worker processes, always 1";
    5 "Process_num" "KGP" number(1), "number of this process, always 1";
    6 "Pid" "SGP" Value::U32(facts.pid), "process id";
    7 "Uptime" "MDP" text(&uptime(facts.uptime_millis / 1_000)), "time since the start";
    8 "Uptime_sec" "MDP" uptime_seconds(facts, float), "seconds since the start";
    9 "Memmax_MB" "CLP" number(0), "memory limit in MB, 0 for none";
    10 "PoolAlloc_MB" "MGP" number(0), "memory in pools in MB; there are no pools";
    11 "PoolUsed_MB" "MGP" number(0), "pool memory in use in MB; there are no pools";
    12 "PoolFailed" "MCP" number(0), "failed pool allocations; there are no pools";
    13 "Ulimit-n" "CLP" number(facts.descriptors), "descriptors the process may open";
    14 "Maxsock" "CLP" number(facts.descriptors), "sockets the process may open";
    15 "Maxconn" "CLP" number(facts.max_connections.into()), "client connections allowed";
    16 "Hard_maxconn" "CLP" number(facts.max_connections.into()), "client connections allowed at most";
    17 "CurrConns" "MGP" number(facts.connections), "client connections open";
    18 "CumConns" "MCP" number(facts.connections_total), "client connections since the start";
    19 "CumReq" "MCP" number(facts.requests_total), "requests since the start";
    20 "MaxSslConns" "MMP" number(0), "limit of TLS connections, 0 for none of its own";
    21 "CurrSslConns" "MGP" number(facts.tls_connections), "TLS connections open";
    22 "CumSslConns" "MCP" number(facts.tls_connections_total), "TLS connections since the start";
    23 "Maxpipes" "CLP" number(0), "limit of splicing pipes; there are none";
    24 "PipesUsed" "MGP" number(0), "splicing pipes in use; there are none";
    25 "PipesFree" "MGP" number(0), "splicing pipes free; there are none";
    26 "ConnRate" "MRP" rate(facts.connection_rate, float), "connections accepted in the last second";
    27 "ConnRateLimit" "CLP" number(0), "limit of connections a second, 0 for none";
    28 "MaxConnRate" "MMP" number(facts.connection_rate_max), "most connections accepted in a second";
    29 "SessRate" "MRP" rate(facts.connection_rate, float), "sessions begun in the last second";
    30 "SessRateLimit" "CLP" number(0), "limit of sessions a second, 0 for none";
    31 "MaxSessRate" "MRP" number(facts.connection_rate_max), "most sessions begun in a second";
    32 "SslRate" "MRP" rate(0, float), "TLS connections in the last second; not kept";
    33 "SslRateLimit" "CLP" number(0), "limit of TLS connections a second, 0 for none";
    34 "MaxSslRate" "MMP" number(0), "most TLS connections in a second; not kept";
    35 "SslFrontendKeyRate" "MGP" rate(0, float), "full handshakes in the last second; not kept";
    36 "SslFrontendMaxKeyRate" "MMP" number(0), "most full handshakes in a second; not kept";
    37 "SslFrontendSessionReuse_pct" "MGP" rate(0, float), "percent of resumed handshakes; not kept";
    38 "SslBackendKeyRate" "MRP" rate(0, float), "handshakes with servers in the last second";
    39 "SslBackendMaxKeyRate" "MMP" number(0), "most handshakes with servers in a second";
    40 "SslCacheLookups" "MCP" number(0), "session cache lookups; not kept";
    41 "SslCacheMisses" "MCP" number(0), "session cache misses; not kept";
    42 "CompressBpsIn" "MRP" rate(0, float), "bytes a second given to compression";
    43 "CompressBpsOut" "MRP" rate(0, float), "bytes a second compression gave";
    44 "CompressBpsRateLim" "CLP" number(0), "limit of compression, 0 for none";
    47 "Tasks" "MGP" number(facts.connections), "tasks: one for each client connection";
    48 "Run_queue" "MGP" number(facts.in_flight), "requests being answered";
    49 "Idle_pct" "MaP" number(idle_percent(facts)), "percent of the workers' time not used since the start";
    50 "node" "COS" text(&facts.node), "host name";
    52 "Stopping" "MGP" number(facts.is_draining.into()), "1 while a graceful stop is under way";
    53 "Jobs" "MGP" number(jobs(facts)), "client connections and listeners";
    54 "Unstoppable Jobs" "MGP" number(0), "jobs a stop does not wait for";
    55 "Listeners" "MGP" size(facts.listeners), "listeners";
    56 "ActivePeers" "MGP" number(0), "peers; there are none";
    57 "ConnectedPeers" "MGP" number(0), "connected peers; there are none";
    58 "DroppedLogs" "MGP" number(facts.dropped_log_lines), "access log lines dropped";
    59 "BusyPolling" "MGP" number(0), "1 for busy polling; never";
    60 "FailedResolutions" "MGP" number(facts.failed_lookups), "host name lookups that failed";
    61 "TotalBytesOut" "MGP" Value::U64(facts.bytes_out), "bytes of answers since the start";
    62 "TotalSplicdedBytesOut" "MGP" Value::U64(0), "bytes spliced; none";
    63 "BytesOutRate" "MRP" Value::U64(0), "bytes of answers in the last second; not kept";
    64 "DebugCommandsIssued" "MGP" number(0), "debug commands; there are none";
    65 "CumRecvLogs" "MCP" number(0), "log messages received; none";
    66 "Build info" "POS" text(VERSION), "version";
    67 "Memmax_bytes" "CLP" number(0), "memory limit in bytes, 0 for none";
    68 "PoolAlloc_bytes" "MGP" Value::U64(0), "memory in pools; there are no pools";
    69 "PoolUsed_bytes" "MGP" Value::U64(0), "pool memory in use; there are no pools";
    70 "Start_time_sec" "MDP" start_seconds(facts, float), "seconds since 1970 at the start";
    71 "Tainted" "SGP" text("0"), "experimental features in use; none";
    72 "Portcullis_version" "POS" text(env!("CARGO_PKG_VERSION")), "version of Portcullis";
    73 "Portcullis_config" "COS" text(&format!("{:016x}", facts.fingerprint)), "hash of the configuration in force";
    74 "Portcullis_reloads" "MCP" number(facts.reloads.0), "configurations taken over since the start";
    75 "Portcullis_reloads_rejected" "MCP" number(facts.reloads.1), "configurations rejected since the start";
    76 "Portcullis_requests_in_flight" "MGP" number(facts.in_flight), "requests being answered";
    77 "Portcullis_panics" "MCP" number(facts.panics), "faults of ours, each of which ended the task it happened in";
}

fn text(text: &str) -> Value {
    Value::Text(ascii(text))
}

fn number(number: u64) -> Value {
    Value::U32(u32::try_from(number).unwrap_or(u32::MAX))
}

fn size(size: usize) -> Value {
    Value::U32(u32::try_from(size).unwrap_or(u32::MAX))
}

/// Rates are whole numbers here, but have the type of a fraction where fractions are asked for.
fn rate(rate: u64, float: bool) -> Value {
    if float {
        Value::Float(rate.to_string())
    } else {
        number(rate)
    }
}

fn uptime_seconds(facts: &InfoFacts, float: bool) -> Value {
    seconds(facts.uptime_millis.saturating_mul(1_000), float)
}

fn start_seconds(facts: &InfoFacts, float: bool) -> Value {
    seconds(facts.started_micros, float)
}

fn seconds(micros: u64, float: bool) -> Value {
    let (whole, rest) = (micros / 1_000_000, micros % 1_000_000);
    if float {
        Value::Float(format!("{whole}.{rest:06}"))
    } else {
        number(whole)
    }
}

/// What the process has not used of the processor time that its workers could have had.
fn idle_percent(facts: &InfoFacts) -> u64 {
    let threads = u64::try_from(facts.threads).unwrap_or(u64::MAX);
    let available = facts.uptime_millis.saturating_mul(threads);
    let busy = facts.cpu_millis.saturating_mul(100).checked_div(available);
    100 - busy.unwrap_or(0).min(100)
}

/// What a stop has to end: client connections and listeners.
fn jobs(facts: &InfoFacts) -> u64 {
    facts
        .connections
        .saturating_add(u64::try_from(facts.listeners).unwrap_or(u64::MAX))
}
