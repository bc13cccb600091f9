//! HTTP/2 with clients: the same exchanges, many at a time on one connection.

use portcullis_harness::{Authority, Origin, Proxy, Setup, run};
use std::process::Command;

const CONFIG: &str = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[listener.tls]
bind = "127.0.0.1:@tls@"
tls = { certificates = [{ cert = "site.pem", key = "site.key" }] }
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#;

fn proxy(origin: &Origin) -> Proxy {
    let authority = Authority::new("test");
    Setup::new()
        .identity("site", &authority.issue(&["localhost"]))
        .set("app", origin.address())
        .start(CONFIG)
}

fn curl(arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args(["-sSk", "--max-time", "15", "-w", " %{http_version}"]);
    run(command.args(arguments)).expect(0).out
}

#[test]
fn curl_speaks_it_by_alpn_and_by_prior_knowledge() {
    let origin = Origin::answering(|request| portcullis_harness::ok(&request.target));
    let proxy = proxy(&origin);
    let tls = format!("https://localhost:{}/tls", proxy.port("tls"));
    assert_eq!(curl(&["--http2", &tls]), "/tls 2");
    assert_eq!(curl(&["--http1.1", &tls]), "/tls 1.1");
    let plain = format!("http://localhost:{}/plain", proxy.port("web"));
    assert_eq!(curl(&["--http2-prior-knowledge", &plain]), "/plain 2");
    assert_eq!(curl(&[&plain]), "/plain 1.1");
    let request = origin.requests().remove(0);
    assert_eq!(
        request.fields.one("host"),
        Some(format!("localhost:{}", proxy.port("tls")).as_str())
    );
}

#[test]
fn bodies_of_any_size_pass_both_ways() {
    let origin = Origin::echo();
    let proxy = proxy(&origin);
    let url = format!("https://localhost:{}/", proxy.port("tls"));
    let body: String = (0..60_000).map(|n| format!("{n:09}\n")).collect();
    proxy.folder().write("body", &body);
    let path = proxy.folder().join("body");
    let with_length = format!("@{}", path.display());
    let answer = curl(&["--http2", "--data-binary", &with_length, &url]);
    assert!(answer.contains(&body), "a body of known length came back");
    let answer = curl(&[
        "--http2",
        "-H",
        "content-length:",
        "-T",
        &path.display().to_string(),
        &url,
    ]);
    assert!(answer.contains(&body), "a body of unknown length came back");
    let request = origin.requests().pop().unwrap();
    assert_eq!(request.fields.one("transfer-encoding"), Some("chunked"));
}
