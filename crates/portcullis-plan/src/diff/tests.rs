//! Changes as operators read them.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::compile::{Machine, compile};
use crate::fixture;

const OLD: &str = r#"
[global]
threads = 2
[listener.a]
bind = "127.0.0.1:8080"
[listener.b]
bind = "127.0.0.1:8081"
[[route]]
name = "one"
path = "/one"
service = "app"
[[route]]
name = "two"
hosts = ["two.example"]
service = "app"
[service.app]
servers = ["127.0.0.1:3000", "127.0.0.1:3001"]
"#;

fn plan(text: &str) -> Plan {
    let loaded = fixture::load(text);
    let config = loaded
        .config
        .unwrap_or_else(|| panic!("must load: {:#?}", loaded.diagnostics));
    compile(&config, &loaded.sources, Machine { threads: 1 })
        .0
        .unwrap()
}

/// What is told when `from` is replaced by `to` in the old text.
fn told(from: &str, to: &str) -> Vec<String> {
    assert!(OLD.contains(from), "`{from}` is in the text");
    diff(&plan(OLD), &plan(&OLD.replace(from, to)))
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn moved_lines_are_no_change() {
    assert_eq!(told("[global]", "# a comment\n\n[global]"), [""; 0]);
}

#[test]
fn objects_are_added_removed_and_changed_by_name() {
    assert_eq!(
        told("name = \"two\"", "name = \"deux\""),
        ["route `two` removed", "route `deux` added"]
    );
    assert_eq!(
        told("[listener.b]", "[listener.c]"),
        [
            "listener `b` removed",
            "listener `c` added",
            "route `one` changed: listeners",
            "route `two` changed: listeners",
        ]
    );
    assert_eq!(
        told("127.0.0.1:8081", "127.0.0.1:8082"),
        ["listener `b` changed: bind"]
    );
    assert_eq!(
        told("path = \"/one\"", "path = \"/uno\"\nupgrade = []"),
        ["route `one` changed: path, upgrade"]
    );
    let rewrite = "hosts = [\"two.example\", \"zwei.example\"]\nrewrite = { host = \"h\" }";
    assert_eq!(
        told("hosts = [\"two.example\"]", rewrite),
        ["route `two` changed: hosts, rewrite"]
    );
}

#[test]
fn threads_need_a_restart() {
    let expected =
        "process changed: global.threads (needs a restart; until then the old value holds)";
    assert_eq!(told("threads = 2", "threads = 4"), [expected]);
    assert_eq!(
        told("threads = 2", "threads = 2\nmax_connections = 7"),
        ["process changed: global.max_connections"]
    );
}

#[test]
fn a_server_with_another_address_starts_anew() {
    assert_eq!(
        told("127.0.0.1:3001", "127.0.0.1:3002"),
        ["server `app/s2` changed: address (its state starts anew)"]
    );
    assert_eq!(
        told(", \"127.0.0.1:3001\"", ""),
        ["server `app/s2` (127.0.0.1:3001) removed"]
    );
    let weighted = "{ address = \"127.0.0.1:3000\", weight = 3 }";
    assert_eq!(
        told("\"127.0.0.1:3000\"", weighted),
        ["server `app/s1` changed: weight"]
    );
}

#[test]
fn rate_limits_that_change_start_anew() {
    let limited = "path = \"/one\"\nrate_limit = { rate = \"5/s\" }";
    assert_eq!(
        told("path = \"/one\"", limited),
        ["route `one` changed: rate_limit (its rate limit starts anew)"]
    );
}

#[test]
fn inherited_deadlines_are_told_where_they_are_written() {
    let defaults = "[defaults.timeouts]\nclient_write = \"9s\"\n[global]";
    assert_eq!(
        told("[global]", defaults),
        [
            "listener `a` changed: timeouts",
            "listener `b` changed: timeouts"
        ]
    );
    let own = "path = \"/one\"\ntimeouts = { client_write = \"9s\" }";
    assert_eq!(
        told("path = \"/one\"", own),
        ["route `one` changed: timeouts"]
    );
}

#[test]
fn order_of_routes_is_told_once() {
    let (one, two) = (
        "[[route]]\nname = \"one\"\npath = \"/one\"\nservice = \"app\"\n",
        "[service.app]",
    );
    let swapped = OLD.replace(one, "").replace(two, &format!("{one}{two}"));
    let changes: Vec<_> = diff(&plan(OLD), &plan(&swapped))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(changes, ["routes changed: their order"]);
}

/// What starts anew when `from` is replaced by `to` in the old text.
fn reset(old: &str, from: &str, to: &str) -> Vec<String> {
    assert!(old.contains(from), "`{from}` is in the text");
    resets(&plan(old), &plan(&old.replace(from, to)))
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn state_that_starts_anew_is_told_with_its_reason() {
    let limited = OLD.replace(
        "path = \"/one\"",
        "path = \"/one\"\nrate_limit = { rate = \"5/s\" }",
    );
    assert_eq!(
        reset(
            &limited,
            "rate = \"5/s\"",
            "rate = \"6/s\", key = { header = \"x-key\" }"
        ),
        ["limiter \"route one\": key, rate, burst changed"]
    );
    assert_eq!(
        reset(&limited, "name = \"one\"", "name = \"uno\""),
        ["limiter \"route uno\": renamed from \"route one\""]
    );
    assert_eq!(
        reset(OLD, "127.0.0.1:3001", "127.0.0.1:3002"),
        ["server \"app/s2\": address changed"]
    );
    assert_eq!(
        reset(
            OLD,
            "\"127.0.0.1:3001\"",
            "{ name = \"b\", address = \"127.0.0.1:3001\" }"
        ),
        ["server \"app/b\": renamed from \"s2\""]
    );
    let renamed = OLD.replace("[service.app]", "[service.shop]");
    let renamed = renamed.replace("service = \"app\"", "service = \"shop\"");
    let told: Vec<_> = resets(&plan(OLD), &plan(&renamed))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(told, ["service \"shop\": renamed from \"app\""]);
    assert_eq!(reset(OLD, "[global]", "# moved\n[global]"), [""; 0]);
}
