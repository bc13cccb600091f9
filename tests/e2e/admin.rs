//! The admin socket as the tools of HAProxy's world use it, letter by letter.

use portcullis_harness::{Origin, PATIENCE, Proxy, ok, python, run_bounded};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;

fn proxy() -> (Proxy, Origin) {
    let origin = Origin::answering(|_| ok("x"));
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = [{ name = "a", address = "@app@", weight = 10 }, { name = "b", address = "@app@", weight = 10 }]
"#;
    let proxy = Proxy::start(config, &[("app", origin.address())]);
    (proxy, origin)
}

fn column(proxy: &Proxy, row: &str, name: &str) -> String {
    let text = proxy.admin("show stat");
    let header = text
        .lines()
        .next()
        .unwrap()
        .trim_start_matches("# ")
        .to_owned();
    let at = header.split(',').position(|column| column == name).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with(row))
        .unwrap_or_else(|| panic!("no row {row} in {text}"));
    line.split(',').nth(at).unwrap().to_owned()
}

#[test]
fn show_info_has_what_hatop_demands() {
    let (proxy, _origin) = proxy();
    let text = proxy.admin("show info");
    let keys: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once(": ").map(|(key, _)| key))
        .collect();
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
        assert!(keys.contains(&key), "`{key}` is missing in\n{text}");
    }
    assert!(
        text.ends_with("\n\n") && !text.trim_end().contains("\n\n"),
        "one empty line ends it"
    );
    assert!(text.contains(&format!("\nPid: {}\n", proxy.pid())));
    assert!(text.contains("Version: 2.6.0-portcullis"), "{text}");
}

#[test]
fn show_stat_has_the_columns_of_haproxy() {
    let (proxy, _origin) = proxy();
    for _ in 0..4 {
        assert_eq!(proxy.connect("web").get("a", "/").status, 200);
    }
    // A request is counted once its answer has left, which a fast client may see first.
    portcullis_harness::eventually("four requests are counted", || {
        (column(&proxy, "web,FRONTEND", "req_tot") == "4").then_some(())
    });
    let text = proxy.admin("show stat");
    let header = text.lines().next().unwrap();
    assert!(
        header.starts_with("# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,"),
        "{header}"
    );
    let count = header.split(',').count();
    let rows: Vec<&str> = text
        .lines()
        .skip(1)
        .filter(|line| !line.is_empty())
        .collect();
    for row in &rows {
        assert!(
            row.ends_with(',') && row.split(',').count() == count,
            "{row}"
        );
    }
    let names: Vec<String> = rows
        .iter()
        .map(|row| row.split(',').take(2).collect::<Vec<_>>().join(","))
        .collect();
    assert_eq!(names, ["web,FRONTEND", "app,a", "app,b", "app,BACKEND"]);
    assert_eq!(column(&proxy, "app,BACKEND", "hrsp_2xx"), "4");
    let picks = ["app,a", "app,b"].map(|row| column(&proxy, row, "lbtot").parse::<u32>().unwrap());
    assert_eq!(picks.iter().sum::<u32>(), 4);
}

#[test]
fn state_and_weight_answer_as_haproxy_does() {
    let (proxy, _origin) = proxy();
    let transcript = [
        ("set server app/a state maint", "\n"),
        ("get weight app/a", "10 (initial 10)\n\n"),
        ("set weight app/a 50%", "\n"),
        ("get weight app/a", "5 (initial 10)\n\n"),
        (
            "set weight app/a 300",
            "Absolute weight can only be between 0 and 256 inclusive.\n\n",
        ),
        (
            "set server app/a state sleepy",
            "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n\n",
        ),
        ("set server gone/a state ready", "No such backend.\n\n"),
        ("set server app/gone state ready", "No such server.\n\n"),
        (
            "set server app state ready",
            "Require 'backend/server'.\n\n",
        ),
        ("enable server app/a", "\n"),
        ("show cli level", "admin\n\n"),
        ("show version", "2.6.0-portcullis0.1.0\n\n"),
        ("show backend", "# name\napp\n\n"),
    ];
    for (command, answer) in transcript {
        assert_eq!(proxy.admin(command), answer, "{command}");
    }
    assert!(proxy.admin("sh inf").starts_with("Unknown command"));
}

#[test]
fn show_servers_state_is_the_file_operators_keep() {
    let (proxy, _origin) = proxy();
    let text = proxy.admin("show servers state app");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.first(), Some(&"1"));
    assert!(
        lines.get(1).is_some_and(|line| line
            .starts_with("# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state ")),
        "{text}"
    );
    assert_eq!(
        lines.get(2).unwrap().split(' ').count(),
        lines.get(1).unwrap().split(' ').count() - 1
    );
}

/// The session that hatop holds: prompt, a time-out, then info and stat again and again on one connection.
#[test]
fn a_hatop_session_works() {
    let (proxy, _origin) = proxy();
    let mut stream = UnixStream::connect(proxy.folder().join("admin.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut ask = |line: &str| {
        stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"> ") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            said.extend(byte);
        }
        String::from_utf8(said).unwrap()
    };
    assert_eq!(ask("prompt"), "\n> ");
    assert_eq!(ask("set timeout cli 60"), "\n> ");
    for _ in 0..3 {
        assert!(ask("show info").starts_with("Name: "));
        let stat = ask("show stat");
        assert!(
            stat.starts_with("# pxname,") && stat.ends_with("\n\n> "),
            "{stat}"
        );
    }
    assert_eq!(ask("disable server app/b"), "\n> ");
    assert!(ask("show stat -1 4 -1").contains("MAINT"));
    assert_eq!(ask("set weight app/a 100%"), "\n> ");
    assert!(ask("nonsense").starts_with("Unknown command"));
}

#[test]
fn several_commands_on_a_line_are_answered_in_order() {
    let (proxy, _origin) = proxy();
    assert_eq!(
        proxy.admin("get weight app/a; show version ;set weight app/a 3; get weight app/a"),
        "10 (initial 10)\n\n2.6.0-portcullis0.1.0\n\n\n3 (initial 10)\n\n"
    );
}

#[test]
fn socat_gets_its_answer() {
    let (proxy, _origin) = proxy();
    let mut command = Command::new("socat");
    command
        .arg("-t5")
        .arg("stdio")
        .arg(proxy.folder().join("admin.sock"));
    let said = run_bounded(&mut command, b"show info;show stat\n", PATIENCE).expect(0);
    assert!(
        said.out.starts_with("Name: ") && said.out.contains("\n\n# pxname,"),
        "{}",
        said.out
    );
}

#[test]
fn haproxyadmin_lists_drains_and_readies() {
    let (proxy, _origin) = proxy();
    let script = r#"
import sys
from haproxyadmin import haproxy
proxy = haproxy.HAProxy(socket_file=sys.argv[1])
print("version", proxy.version)
print("frontends", [frontend.name for frontend in proxy.frontends()])
print("backends", [backend.name for backend in proxy.backends()])
server = proxy.server("a", backend="app")[0]
server.setstate("drain")
print("status", server.status)
server.setstate("ready")
server.setweight(7)
print("weight", server.weight)
"#;
    let mut command = Command::new(python());
    command
        .arg("-c")
        .arg(script)
        .arg(proxy.folder().join("admin.sock"));
    let said = portcullis_harness::run(&mut command).expect(0);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(
        lines[1..],
        [
            "frontends ['web']",
            "backends ['app']",
            "status DRAIN",
            "weight 7"
        ],
        "{}{}",
        said.out,
        said.err
    );
}

#[test]
fn an_over_long_line_is_refused_and_disturbs_nobody() {
    let (proxy, _origin) = proxy();
    let mut stream = UnixStream::connect(proxy.folder().join("admin.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(&[b'x'; 200_000]);
    let mut said = Vec::new();
    let _ = BufReader::new(stream).read_until(b'\n', &mut said);
    assert!(proxy.admin("show info").starts_with("Name: "));
}

#[test]
fn a_user_socket_changes_nothing() {
    let config = "[admin]\nsocket = { path = \"@dir@/admin.sock\", mode = \"0600\", level = \"user\" }\n[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nservice = \"app\"\n[service.app]\nservers = [{ name = \"a\", address = \"127.0.0.1:@app@\" }]\n";
    let proxy = Proxy::start(config, &[]);
    assert_eq!(
        proxy.admin("set server app/a state maint"),
        "Permission denied\n\n"
    );
    assert_eq!(column(&proxy, "app,a", "status").as_str(), "no check");
}
