//! Nothing in a configuration, however broken, may panic or hang; what loads survives dumping and formatting.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test"
)]

use std::io;
use std::path::{Path, PathBuf};

use portcullis_config::{Config, Loaded, Loader, dump, format, load, load_text, render, to_json};
use proptest::prelude::*;

/// One file of any bytes, under any name.
struct Bytes(Vec<u8>);

impl Loader for Bytes {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.clone())
    }

    fn glob(&self, dir: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
        Ok(vec![dir.join(pattern.replace('*', "x"))])
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }
}

const VALID: &str = r#"# A bit of everything.
include = []

[global]
threads = 2  # two
max_connections = 100

[admin]
socket = "/run/portcullis/admin.sock"
http = { bind = "127.0.0.1:8404" }

[log]
access = { to = "stdout", format = "template", template = "{client_ip} {status}" }

[defaults.timeouts]
connect = "1s"
request = "off"

[listener.http]
bind = ["0.0.0.0:80", "[::]:80"]
redirect_https = true

[listener.https]
bind = "0.0.0.0:443"
hsts = { max_age = "365d", include_subdomains = true }
trusted_proxies = ["10.0.0.0/8"]
rate_limit = { rate = "100/s" }

[listener.https.limits]
head = "16KiB"

[listener.https.tls]
certificates = [
  # the main one
  { cert = "/a.pem", key = "/a.key" },  # first
]

[[route]]
name = "api"
hosts = ["api.example.com", "*.example.com"]
path = "/v1"
methods = ["GET"]
headers = { "x-a" = "b", "x-c" = true }
service = "app"
rewrite = { strip_prefix = true, request_headers = { set = { "x-ip" = "{client_ip}" }, remove = ["x-z"] } }
timeouts = { request = "5s" }

[[route]]
path = { exact = "/old" }
redirect = { to = "https://{host}/new", status = 301 }

[[route]]
respond = { status = 404, body = "no" }

[service.app]
balance = "least-requests"
servers = ["127.0.0.1:3000", { name = "b", address = "unix:/run/b.sock", weight = 3 }]
health = { http = "/health", expect = [200, "3xx"] }
"#;

/// Everything that can be done with what was loaded.
fn exercise(loaded: &Loaded) {
    let shown = render(&loaded.diagnostics, &loaded.sources, true);
    assert!(loaded.diagnostics.is_empty() || !shown.is_empty());
    let _ = to_json(&loaded.diagnostics, &loaded.sources);
    assert_eq!(
        loaded.config.is_none(),
        loaded.has_errors(),
        "no configuration exactly when there is an error"
    );
    if let Some(config) = &loaded.config {
        same_after_dump(config, &dump(config, &loaded.sources));
    }
}

fn same_after_dump(config: &Config, text: &str) {
    let again = load_text("dump.toml", text, &Bytes(Vec::new()));
    let Some(again_config) = &again.config else {
        panic!(
            "a dump does not load:\n{text}\n{}",
            render(&again.diagnostics, &again.sources, false)
        );
    };
    for (listener, other) in config.listeners.iter().zip(&again_config.listeners) {
        for (route, twin) in config.routes.iter().zip(&again_config.routes) {
            assert_eq!(
                config.request_timeouts(listener, route),
                again_config.request_timeouts(other, twin)
            );
            assert_eq!(route, twin);
        }
    }
    assert_eq!(config.services.len(), again_config.services.len());
}

/// A text without what formatting may change: space, commas at the end of arrays, and a byte order mark, which means nothing.
fn bare(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let ignored = |c: &char| c.is_whitespace() || *c == ',';
    text.chars().filter(|c| !ignored(c)).collect()
}

/// Formatting twice is formatting once; comments and meaning stay.
fn check_format(text: &str) {
    let Ok(once) = format(text) else { return };
    assert_eq!(
        format(&once).expect("formatted text is TOML"),
        once,
        "of {text:?}"
    );
    assert_eq!(bare(&once), bare(text), "of {text:?}");
    let (before, after) = (
        load_text("a", text, &Bytes(Vec::new())),
        load_text("a", &once, &Bytes(Vec::new())),
    );
    assert_eq!(before.config, after.config);
    let codes = |loaded: &Loaded| {
        loaded
            .diagnostics
            .iter()
            .map(|d| d.code)
            .collect::<Vec<_>>()
    };
    assert_eq!(codes(&before), codes(&after), "of {text:?}");
}

/// A valid file with some pieces cut out, doubled or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (
        any::<prop::sample::Index>(),
        0..40_usize,
        prop_oneof![
            Just(String::new()),
            "[\\[\\]{}=\"'.,#\\n \\\\]{1,4}",
            "[a-z0-9]{1,6}",
            "\\PC{1,3}",
            Just("\"off\"".to_owned()),
            Just("true".to_owned()),
            Just("-1".to_owned()),
            Just("[[route]]\n".to_owned()),
            Just("\u{feff}".to_owned()),
            Just("\r\n".to_owned()),
        ],
    );
    prop::collection::vec(edit, 1..4).prop_map(|edits| {
        let mut text: Vec<char> = VALID.chars().collect();
        for (at, length, replacement) in edits {
            let at = at.index(text.len().max(1)).min(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, replacement.chars());
        }
        text.into_iter().collect()
    })
}

#[test]
fn the_valid_file_is_valid() {
    let loaded = load_text("valid.toml", VALID, &Bytes(Vec::new()));
    assert!(
        loaded.config.is_some(),
        "{}",
        render(&loaded.diagnostics, &loaded.sources, false)
    );
    exercise(&loaded);
    check_format(VALID);
    assert_eq!(
        format(VALID).unwrap(),
        VALID,
        "it is written as `fmt` would"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        exercise(&load(Path::new("any.toml"), &Bytes(bytes)));
    }

    #[test]
    fn any_text_in_toml_characters_is_survived(text in "[\\[\\]{}=\"'.,#\\n ab1\\\\\r\t:-]{0,200}") {
        exercise(&load(Path::new("any.toml"), &Bytes(text.clone().into_bytes())));
        check_format(&text);
    }

    #[test]
    fn broken_versions_of_a_valid_file_are_survived(text in mutated()) {
        exercise(&load_text("mutated.toml", &text, &Bytes(Vec::new())));
        check_format(&text);
    }

    #[test]
    fn any_text_as_any_value_is_survived(key in "[a-z_]{1,12}", value in "\\PC{0,40}") {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        for place in ["bind", "hosts", "path", "service", "to", "rate"] {
            let text = VALID.replacen(&format!("{place} = "), &format!("{key}x = 1\n{place} = \"{escaped}\" # "), 1);
            exercise(&load_text("value.toml", &text, &Bytes(Vec::new())));
        }
    }
}

#[test]
fn large_nonsense_neither_hangs_nor_overflows() {
    let size = 1 << 20;
    for piece in [
        "[",
        "]",
        "{",
        "a=",
        "a.",
        "=\n",
        "[[route]]\n",
        "\"",
        "'''",
        "\\",
        "a=1\n",
        "[a]\n",
        "x",
        "\n",
        "[[[[\n",
        "#",
        "\u{0}",
        "é",
    ] {
        let text = piece.repeat(size / piece.len());
        let loaded = load_text("big.toml", &text, &Bytes(Vec::new()));
        assert!(loaded.config.is_none());
        let shown = render(&loaded.diagnostics, &loaded.sources, false);
        assert!(
            shown.len() < 200_000,
            "{} bytes of diagnostics for {piece:?}",
            shown.len()
        );
    }
}

#[test]
fn ten_thousand_routes_load() {
    let mut text =
        String::from("[listener.web]\nbind = ':80'\n[service.app]\nservers = '[::1]:1'\n");
    for n in 0..10_000 {
        text.push_str(&format!(
            "[[route]]\nhosts = 'h{n}.example.com'\nservice = 'app'\n"
        ));
    }
    assert_eq!(
        load_text("many.toml", &text, &Bytes(Vec::new()))
            .config
            .unwrap()
            .routes
            .len(),
        10_000
    );
}
