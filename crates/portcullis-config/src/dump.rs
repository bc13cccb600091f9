//! The effective configuration as TOML that reads back to the same, each value followed by where it comes from.

use crate::config::Config;
use crate::schema::{Line, Listener, Origin, Out, Service, TimeoutLevel, Val, Value, key_literal};
use crate::source::{SourceMap, Span};

/// The configuration after defaults and inheritance, as valid TOML.
///
/// Each value is followed by `# portcullis.toml:12`, `# default` or `# inherited from portcullis.toml:5`. Secrets are shown as the place
/// they come from.
#[must_use]
pub fn dump(config: &Config, sources: &SourceMap) -> String {
    let mut printer = Printer {
        sources,
        text: String::new(),
    };
    for (name, out) in [
        ("global", config.global.value.write()),
        ("admin", config.admin.value.write()),
        ("log", config.log.value.write()),
    ] {
        printer.table(name, None, out);
    }
    if !config.errors.is_empty() {
        printer.table("errors", None, config.errors.write());
    }
    printer.table("defaults.timeouts", None, config.timeouts.write());
    for listener in &config.listeners {
        let lines = with_inherited(listener.value.write(), listener_inherits(config, listener));
        printer.table(
            &format!("listener.{}", key_literal(&listener.name)),
            listener.span,
            lines,
        );
    }
    for route in &config.routes {
        printer.item("route", route.span, lines_of(route.value.write()));
    }
    for (name, condition) in &config.conditions {
        printer.table(
            &format!("condition.{}", key_literal(name)),
            name.span,
            condition.value.write(),
        );
    }
    for service in &config.services {
        let lines = with_inherited(service.value.write(), service_inherits(config, service));
        printer.table(
            &format!("service.{}", key_literal(&service.name)),
            service.span,
            lines,
        );
    }
    printer.text
}

/// The timeouts a listener has, its own and inherited ones.
fn listener_inherits(config: &Config, listener: &Val<Listener>) -> Vec<Line> {
    config
        .listener_timeouts(listener)
        .only(TimeoutLevel::Listener)
}

/// The timeouts of a service that no listener or route could decide: `request` and `tunnel_idle` are left out unless it writes
/// them, because the listener's hold then.
fn service_inherits(config: &Config, service: &Val<Service>) -> Vec<Line> {
    let all = config.service_timeouts(service).only(TimeoutLevel::Service);
    let shared = |line: &Line| {
        matches!(line.key.as_str(), "request" | "tunnel_idle") && line.origin != Origin::Written
    };
    all.into_iter().filter(|line| !shared(line)).collect()
}

fn with_inherited(out: Out, timeouts: Vec<Line>) -> Out {
    let mut lines = lines_of(out);
    lines.retain(|line| line.key != "timeouts");
    lines.push(Line {
        key: "timeouts".to_owned(),
        out: Out::Table(timeouts),
        origin: Origin::Written,
        span: None,
    });
    Out::Table(lines)
}

fn lines_of(out: Out) -> Vec<Line> {
    match out {
        Out::Table(lines) => lines,
        Out::Inline(_) | Out::Tables(_) | Out::Nothing => Vec::new(),
    }
}

struct Printer<'a> {
    sources: &'a SourceMap,
    text: String,
}

impl Printer<'_> {
    fn table(&mut self, path: &str, span: Option<Span>, out: Out) {
        self.header(&format!("[{path}]"), span);
        self.lines(path, lines_of(out));
    }

    fn item(&mut self, path: &str, span: Option<Span>, lines: Vec<Line>) {
        self.header(&format!("[[{path}]]"), span);
        self.lines(path, lines);
    }

    fn header(&mut self, header: &str, span: Option<Span>) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(header);
        if let Some(span) = span {
            self.text.push_str(&format!("  # {}", self.place(span)));
        }
        self.text.push('\n');
    }

    /// Values first, because after a table's header keys belong to that table.
    fn lines(&mut self, path: &str, lines: Vec<Line>) {
        let (inline, tables): (Vec<Line>, Vec<Line>) = lines
            .into_iter()
            .partition(|line| matches!(line.out, Out::Inline(_)));
        for line in inline {
            self.line(line);
        }
        for line in tables {
            let path = format!("{path}.{}", key_literal(&line.key));
            match line.out {
                Out::Table(lines) if lines.is_empty() => {}
                Out::Table(lines) => self.table(&path, line.span, Out::Table(lines)),
                Out::Tables(items) => items
                    .into_iter()
                    .for_each(|(span, lines)| self.item(&path, span, lines)),
                Out::Inline(_) | Out::Nothing => {}
            }
        }
    }

    fn line(&mut self, line: Line) {
        let comment = match (line.origin, line.span) {
            (Origin::Written, Some(span)) => self.place(span),
            (Origin::Inherited, Some(span)) => format!("inherited from {}", self.place(span)),
            _ => "default".to_owned(),
        };
        let Some(value) = line.out.inline() else {
            return;
        };
        self.text.push_str(&format!(
            "{} = {value}  # {comment}\n",
            key_literal(&line.key)
        ));
    }

    fn place(&self, span: Span) -> String {
        let place = self.sources.place(span);
        // A line break in a file's name must not end the comment.
        let file: String = place
            .file
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect();
        format!("{file}:{}", place.line)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::load::NoLoader;
    use crate::load_text;

    const TEXT: &str = r#"
[defaults.timeouts]
connect = "1s"
[listener.web]
bind = [":8080", "unix:/run/x.sock"]
hsts = { max_age = "1d" }
[listener.web.tls]
certificates = { cert = "/a.pem", key = "/a.key", names = ["*.example.com"] }
[[route]]
hosts = "Example.com"
path = { exact = "/x" }
headers = { "x-a" = true, "x-b" = "v" }
service = "app"
rate_limit = { key = { header = "x-api-key" }, rate = "5/10s" }
rewrite = { host = "h.example", path = { regex = "/x(.*)", to = "/y$1" }, query = { set = { a = "1" } }, map_back = true, request_headers = { set = { a = "{client_ip}\"{{" }, remove = "b" } }
[[route]]
redirect = "https://{host}{uri}"
[[route]]
path = "/fixed"
respond = { status = 404, body = "line\nbreak" }
[service.app]
servers = ["127.0.0.1:1", { name = "b", address = "h:2", weight = 0 }]
health = { http = "/", expect = [200, "3xx"] }
timeouts = { request = "3s" }
"#;

    #[test]
    fn a_dump_reads_back_to_the_same_effective_configuration() {
        let first = load_text("t.toml", TEXT, &NoLoader);
        let config = first.config.unwrap();
        let text = dump(&config, &first.sources);
        let second = load_text("dump.toml", &text, &NoLoader);
        let again = second.config.unwrap_or_else(|| {
            panic!(
                "{}\n{text}",
                crate::render(&second.diagnostics, &second.sources, false)
            )
        });
        for (listener, other) in config.listeners.iter().zip(&again.listeners) {
            for (route, twin) in config.routes.iter().zip(&again.routes) {
                assert_eq!(
                    config.request_timeouts(listener, route),
                    again.request_timeouts(other, twin)
                );
            }
        }
        let without_timeouts = |mut config: Config| {
            config
                .listeners
                .iter_mut()
                .for_each(|l| l.value.timeouts.value = Default::default());
            config
                .services
                .iter_mut()
                .for_each(|s| s.value.timeouts.value = Default::default());
            config
        };
        assert_eq!(without_timeouts(config), without_timeouts(again));
    }

    #[test]
    fn every_value_says_where_it_comes_from() {
        let loaded = load_text("t.toml", TEXT, &NoLoader);
        let text = dump(&loaded.config.unwrap(), &loaded.sources);
        assert!(text.contains("connect = \"1s\"  # t.toml:3\n"), "{text}");
        assert!(
            text.contains("connect = \"1s\"  # inherited from t.toml:3\n"),
            "{text}"
        );
        assert!(text.contains("backlog = 4096  # default\n"));
        let values = text.lines().filter(|line| line.contains(" = "));
        assert_eq!(values.filter(|line| !line.contains("  # ")).count(), 0);
    }
}
