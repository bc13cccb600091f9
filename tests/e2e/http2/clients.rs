//! HTTP/2 as the clients of others speak it.

use super::proxy;
use portcullis_harness::{Origin, ok, run};
use std::process::Command;

fn curl(arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args(["-sSk", "--max-time", "15", "-w", " %{http_version}"]);
    run(command.args(arguments)).expect(0).out
}

#[test]
fn curl_speaks_it_by_alpn_and_by_prior_knowledge() {
    let origin = Origin::answering(|request| ok(&request.target));
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

#[test]
fn nodes_client_is_served_many_streams_at_once() {
    let origin = Origin::echo();
    let proxy = proxy(&origin);
    let script = "
import http2 from 'node:http2';
const client = http2.connect(process.argv[1], { rejectUnauthorized: false });
const ask = (turn) => new Promise((done, fail) => {
  const stream = client.request({ ':path': `/node/${turn}`, ':method': 'POST' });
  let status, length = 0;
  stream.on('response', (head) => { status = head[':status']; });
  stream.on('data', (piece) => { length += piece.length; });
  stream.on('end', () => done(`${status} ${length > turn * 1000}`));
  stream.on('error', fail);
  stream.end('x'.repeat(turn * 1000));
});
console.log((await Promise.all(Array.from({ length: 80 }, (_, turn) => ask(turn)))).join('\\n'));
client.close();
";
    let url = format!("https://localhost:{}", proxy.port("tls"));
    let mut command = Command::new("node");
    command.args(["--input-type=module", "-e", script, &url]);
    let said = run(&mut command).expect(0);
    let served = said.out.lines().filter(|line| *line == "200 true");
    assert_eq!(served.count(), 80, "{}{}", said.out, said.err);
}

#[test]
fn h2load_loses_no_request() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = proxy(&origin);
    for (url, more) in [
        (format!("https://localhost:{}/", proxy.port("tls")), "-m10"),
        (format!("http://localhost:{}/", proxy.port("web")), "-m100"),
    ] {
        let mut command = Command::new("h2load");
        command.args(["-n1000", "-c4", more, &url]);
        let said = run(&mut command).expect(0);
        assert!(
            said.out.contains("1000 succeeded, 0 failed"),
            "{}",
            said.out
        );
    }
}
