//! The command line: every verb, its output, its exit code.

use portcullis_harness::{
    Authority, Client, Origin, Setup, binary, eventually, ok, repository, run,
};
use std::process::{Command, Stdio};

const GOOD: &str = "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nname = \"api\"\nhosts = [\"api.example.com\"]\npath = \"/v1\"\nmethods = [\"GET\"]\nservice = \"app\"\n[[route]]\nname = \"rest\"\nservice = \"app\"\n[service.app]\nservers = [\"127.0.0.1:1\"]\n";

#[test]
fn check_says_yes_in_one_line_and_0() {
    let said = Setup::new().run(GOOD, &["check"]).expect(0);
    assert!(
        said.err.is_empty() || !said.err.contains("error"),
        "{}",
        said.err
    );
}

#[test]
fn check_finds_every_problem_at_once() {
    let bad = "[listener.web]\nbind = \"127.0.0.1:99999\"\nbacklogg = 1\n[[route]]\nservice = \"ap\"\n[service.app]\nservers = [\"127.0.0.1:1\"]\ntimeouts = { connect = 3 }\n";
    let said = Setup::new().run(bad, &["check"]).expect(1);
    let text = format!("{}{}", said.out, said.err);
    for wanted in [
        "99999",
        "backlogg",
        "backlog",
        "`ap`",
        "connect",
        "portcullis.toml:2:",
        "portcullis.toml:3:",
        "portcullis.toml:5:",
        "portcullis.toml:8:",
        "^",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is missing in\n{text}");
    }
}

#[test]
fn check_speaks_json() {
    let said = Setup::new()
        .run("[listener.web]\nbimd = 1\n", &["check", "--json"])
        .expect(1);
    let value: serde_json::Value =
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.out));
    assert!(value.to_string().contains("bimd"), "{value:#}");
}

#[test]
fn check_survives_every_kind_of_broken_file() {
    let setup = Setup::new();
    let deep = "a = ".to_owned() + &"[".repeat(100_000);
    let tables: String = (0..1000)
        .map(|depth| format!("[{}]\n", vec!["t"; depth % 200 + 1].join(".")))
        .collect();
    let rows: [(&str, Vec<u8>); 6] = [
        ("empty", Vec::new()),
        ("not-utf8", vec![0xff, 0xfe, 0, 1]),
        ("deep", deep.into_bytes()),
        ("tables", tables.into_bytes()),
        ("nul", vec![0; 1000]),
        ("huge", vec![b'#'; 100 * 1024 * 1024]),
    ];
    for (name, content) in rows {
        let path = setup.folder().write(name, content);
        let said = run(setup.command(&["check", "-c"]).arg(&path)).expect(1);
        let text = format!("{}{}", said.out, said.err);
        assert!(
            text.contains("error") && !text.contains("panicked"),
            "{name}: {text}"
        );
        assert!(
            text.len() < 100_000,
            "{name}: {} bytes of diagnostics",
            text.len()
        );
    }
    let said = run(setup.command(&["check", "-c"]).arg(setup.folder().path())).expect(1);
    assert!(
        said.err.contains("directory") || said.out.contains("directory"),
        "{}{}",
        said.out,
        said.err
    );
}

#[test]
fn check_compares_keys_with_certificates_and_warns_of_expired_ones() {
    let authority = Authority::new("test");
    let config = "[listener.tls]\nbind = \"127.0.0.1:@tls@\"\n[listener.tls.tls]\ncertificates = [{ cert = \"a.pem\", key = \"a.key\" }]\n[[route]]\nrespond = { status = 200 }\n";
    let mut setup = Setup::new().identity("a", &authority.issue_expired(&["a.test"]));
    let said = setup.run(config, &["check"]).expect(0);
    assert!(
        format!("{}{}", said.out, said.err).contains("expired"),
        "{}{}",
        said.out,
        said.err
    );
    setup.run(config, &["check", "--strict"]).expect(1);
    setup
        .folder()
        .write("a.key", &authority.issue(&["b.test"]).key);
    let said = setup.run(config, &["check"]).expect(1);
    assert!(
        format!("{}{}", said.out, said.err).contains("a.key"),
        "{}{}",
        said.out,
        said.err
    );
    std::fs::remove_file(setup.folder().join("a.key")).unwrap();
    setup.run(config, &["check"]).expect(1);
}

#[test]
fn dump_says_where_every_value_comes_from() {
    let said = Setup::new()
        .run(
            &format!("{GOOD}[defaults.timeouts]\nconnect = \"7s\"\n"),
            &["check", "--dump"],
        )
        .expect(0);
    assert!(
        said.out.contains("# default") && said.out.contains("portcullis.toml:2"),
        "{}",
        said.out
    );
    assert!(
        said.out.lines().any(|line| line.contains("\"7s\"")),
        "{}",
        said.out
    );
    let again = Setup::new();
    let path = again.folder().write("dumped.toml", &said.out);
    run(again.command(&["check", "-c"]).arg(path)).expect(0);
}

#[test]
fn explain_tells_who_wins_and_why_others_lose() {
    let mut setup = Setup::new();
    let said = setup
        .run(GOOD, &["explain", "POST", "http://api.example.com/v1/x"])
        .expect(0);
    for wanted in ["rest", "api", "method", "portcullis.toml:3"] {
        assert!(
            said.out.contains(wanted),
            "{wanted:?} is missing in\n{}",
            said.out
        );
    }
    let said = setup
        .run(
            GOOD,
            &[
                "explain",
                "GET",
                "http://api.example.com/v1/../v1/x",
                "--json",
            ],
        )
        .expect(0);
    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert!(value.to_string().contains("\"/v1/x\""), "{value:#}");
}

#[test]
fn explain_and_the_proxy_agree() {
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
name = "one"
hosts = ["*.example.com"]
path = "/a"
respond = { status = 200, body = "one" }
[[route]]
name = "two"
hosts = ["x.example.com"]
headers = { "x-b" = true }
respond = { status = 200, body = "two" }
[[route]]
name = "three"
respond = { status = 200, body = "three" }
"#;
    let proxy = Setup::new().start(config);
    for (host, path, field) in [
        ("x.example.com", "/a", ""),
        ("x.example.com", "/a", "x-b: 1"),
        ("y.example.com", "/a/b", ""),
        ("y.example.com", "/ab", ""),
        ("z", "/a", ""),
    ] {
        let mut client = proxy.connect("web");
        client.send(format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\n{}{field}\r\n\r\n",
            if field.is_empty() { "X-None: 1" } else { "" }
        ));
        let served = client.response().text();
        let url = format!("http://{host}{path}");
        let mut arguments = vec!["explain", "GET", url.as_str(), "--json"];
        if !field.is_empty() {
            arguments.extend(["-H", field]);
        }
        let said = proxy.command(&arguments).expect(0);
        let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let text = value.to_string();
        assert!(
            text.contains(&format!("\"{served}\"")),
            "the proxy chose {served}; explain: {value:#}"
        );
    }
}

#[test]
fn fmt_keeps_comments_and_is_idempotent() {
    let setup = Setup::new();
    let path = setup.folder().write("x.toml", "# top\n[listener.web]   # beside\nbind=\"127.0.0.1:1\"\n\n\n\n[[route]]\nrespond={status=200}\n");
    let mut check = setup.command(&["fmt", "--check"]);
    assert_eq!(run(check.arg(&path)).code, 1);
    run(setup.command(&["fmt"]).arg(&path)).expect(0);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("# top")
            && text.contains("# beside")
            && text.contains("bind = \"127.0.0.1:1\""),
        "{text}"
    );
    run(setup.command(&["fmt", "--check"]).arg(&path)).expect(0);
}

#[test]
fn schema_is_json_schema() {
    let said = run(&mut Setup::new().command(&["schema"])).expect(0);
    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        value["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert!(value["properties"]["listener"].is_object(), "{value:#}");
}

#[test]
fn version_completions_and_man_pages_come_from_the_binary() {
    let setup = Setup::new();
    assert!(
        run(&mut setup.command(&["version"]))
            .expect(0)
            .out
            .contains(env!("CARGO_PKG_VERSION"))
    );
    assert!(
        run(&mut setup.command(&["--version"]))
            .expect(0)
            .out
            .contains(env!("CARGO_PKG_VERSION"))
    );
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            run(&mut setup.command(&["completions", shell]))
                .expect(0)
                .out
                .contains("portcullis"),
            "{shell}"
        );
    }
    run(setup.command(&["man"]).arg(setup.folder().join("man"))).expect(0);
    assert!(
        std::fs::read_dir(setup.folder().join("man"))
            .unwrap()
            .count()
            > 5
    );
}

#[test]
fn wrong_usage_is_2() {
    let setup = Setup::new();
    assert_eq!(run(&mut setup.command(&["frobnicate"])).code, 2);
    assert_eq!(
        run(&mut setup.command(&["check", "--no-such-flag"])).code,
        2
    );
}

#[test]
fn the_config_is_found_in_the_documented_order() {
    let mut setup = Setup::new();
    setup.write(GOOD);
    run(&mut setup.command(&["check"])).expect(0);
    let said = run(setup
        .command(&["check"])
        .env("PORTCULLIS_CONFIG", "/nonexistent.toml"))
    .expect(1);
    assert!(format!("{}{}", said.out, said.err).contains("/nonexistent.toml"));
}

#[test]
fn includes_are_merged_and_duplicates_show_both_places() {
    let mut setup = Setup::new().file(
        "conf.d/a.toml",
        "[service.app]\nservers = [\"127.0.0.1:1\"]\n",
    );
    let config = "include = [\"conf.d/*.toml\"]\n[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nservice = \"app\"\n";
    setup.run(config, &["check"]).expect(0);
    setup.folder().write(
        "conf.d/b.toml",
        "[service.app]\nservers = [\"127.0.0.1:2\"]\n",
    );
    let said = setup.run(config, &["check"]).expect(1);
    let text = format!("{}{}", said.out, said.err);
    assert!(text.contains("a.toml") && text.contains("b.toml"), "{text}");
}

#[test]
fn proxy_works_without_a_file() {
    let origin = Origin::answering(|_| ok("one line is enough"));
    let mut ports = portcullis_harness::Ports::default();
    let port = ports.reserve();
    let mut child = Command::new(binary())
        .args([
            "proxy",
            "--from",
            &format!("127.0.0.1:{port}"),
            "--to",
            origin.address(),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = eventually("it serves", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
        Some(Client::tcp(("127.0.0.1", port)).get("a", "/").text())
    });
    assert_eq!(said, "one line is enough");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_shipped_default_is_sound() {
    let path = repository().join("config/portcullis.toml");
    let said = run(Setup::new().command(&["check", "-c"]).arg(path));
    let text = format!("{}{}", said.out, said.err);
    assert_eq!(said.code, 0, "{text}");
}

#[test]
fn reload_without_a_running_proxy_says_so() {
    let said = Setup::new().run(GOOD, &["reload"]).expect(1);
    assert!(said.err.contains("admin.sock"), "{}", said.err);
}

#[test]
fn the_examples_and_the_default_are_formatted() {
    let mut files: Vec<_> = std::fs::read_dir(repository().join("config/examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    files.push(repository().join("config/portcullis.toml"));
    portcullis_harness::run_bounded(
        Setup::new().command(&["fmt", "--check"]).args(files),
        b"",
        portcullis_harness::PATIENCE,
    )
    .expect(0);
}
