//! `show info`: the process in HAProxy's keys and order, our own keys after them.
//!
//! Pure: everything it tells comes in as [`InfoFacts`]. Keys for notions Portcullis lacks (pipes, memory pools,
//! compression) are zero rather than absent, because monitors stop at the first key they miss.

mod table;

use std::fmt::Write as _;

use super::command::Form;
use table::{Field, fields};

/// What haproxyadmin insists on before it talks to a socket; who we really are stands at the end.
const NAME: &str = "HAProxy";

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
    /// Milliseconds of processor time that the process has used.
    pub(crate) cpu_millis: u64,
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
    /// Tasks and steps that panicked.
    pub(crate) panics: u64,
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
            "Name: HAProxy\nVersion: {VERSION}\nRelease_date: {RELEASE_DATE}\nNbthread: 0\nNbproc: 1\n"
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
    fn idle_time_is_what_was_not_used() {
        let idle = |threads, cpu_millis| {
            let facts = InfoFacts {
                threads,
                cpu_millis,
                uptime_millis: 1_000,
                ..InfoFacts::default()
            };
            render(&facts, Form::default())
                .lines()
                .find_map(|line| line.strip_prefix("Idle_pct: ").map(str::to_owned))
        };
        assert_eq!(idle(2, 500).as_deref(), Some("75"));
        assert_eq!(idle(1, 5_000).as_deref(), Some("0"));
        assert_eq!(idle(0, 0).as_deref(), Some("100"), "nothing to divide by");
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
             \"scope\":\"Service\"},\"value\":{\"type\":\"str\",\"value\":\"HAProxy\"}},"
        ), "{text}");
    }
}
