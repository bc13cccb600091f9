//! Clients and servers that others wrote, from PyPI: gRPC on both sides, httpx, WebSockets over HTTP/1.1 and HTTP/2.
//! The scripts in `real/` check what they get and print what a test here has to know.

use portcullis_harness::{
    Authority, Folder, Http2Peer, Origin, PATIENCE, Ports, Proxy, Setup, ok, python, repository,
    run_bounded,
};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;

fn script(name: &str) -> Command {
    let mut command = Command::new(python());
    command.arg(repository().join("tests/e2e/real").join(name));
    command
}

/// Runs a client to its end and gives what it printed.
#[track_caller]
fn client(name: &str, arguments: &[&str]) -> String {
    let limit = 3 * PATIENCE;
    let finished = run_bounded(script(name).args(arguments), b"", limit);
    finished.expect(0).out
}

/// A server that runs for as long as this lives.
struct Server {
    child: Child,
    port: String,
}

impl Server {
    /// Starts a script that prints its port when it listens.
    #[track_caller]
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut command = script(name);
        command.args(arguments).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut port)
            .unwrap();
        let port = port.trim().to_owned();
        assert!(!port.is_empty(), "{name} has ended instead of listening");
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const CONFIG: &str = r#"
[listener.plain]
bind = "127.0.0.1:@plain@"
[listener.tls]
bind = "127.0.0.1:@tls@"
tls = { certificates = [{ cert = "site.pem", key = "site.key" }] }
[[route]]
service = "app"
[service.app]
servers = ["127.0.0.1:@app@"]
"#;

const HTTP2: &str = "protocols = [\"h2\"]\n";
const HTTP2_OVER_TLS: &str = "protocols = [\"h2\"]\ntls = { ca = \"ca.pem\" }\n";

/// A proxy before the server at this port, reached as `service` says, and its authority's certificate.
fn before(port: &str, service: &str) -> (Proxy, String) {
    let authority = Authority::new("test");
    before_with(&authority, port, service)
}

fn before_with(authority: &Authority, port: &str, service: &str) -> (Proxy, String) {
    let proxy = Setup::new()
        .identity("site", &authority.issue(&["localhost"]))
        .file("ca.pem", authority.pem())
        .set("app", port)
        .start(&format!("{CONFIG}{service}"));
    let ca = proxy.folder().join("ca.pem").display().to_string();
    (proxy, ca)
}

/// Every kind of gRPC call, from a client in clear text and from one over TLS.
fn grpc_calls_pass(proxy: &Proxy, ca: &str) {
    let [plain, tls] = ["plain", "tls"].map(|listener| proxy.port(listener).to_string());
    let parts = "four_kinds\nmetadata\nstatuses\ndeadline\ncancellation\n";
    assert_eq!(client("grpc_client.py", &["everything", &plain]), parts);
    assert_eq!(client("grpc_client.py", &["everything", &tls, ca]), parts);
}

#[test]
fn grpc_calls_pass_to_a_server_in_clear_text() {
    let server = Server::start("grpc_server.py", &[]);
    let (proxy, ca) = before(&server.port, HTTP2);
    grpc_calls_pass(&proxy, &ca);
}

#[test]
fn grpc_calls_pass_to_a_server_over_tls() {
    let authority = Authority::new("test");
    let folder = Folder::new();
    let identity = authority.issue(&["127.0.0.1"]);
    let [cert, key] = [("cert", &identity.cert), ("key", &identity.key)]
        .map(|(name, pem)| folder.write(name, pem).display().to_string());
    let server = Server::start("grpc_server.py", &[&cert, &key]);
    let (proxy, ca) = before_with(&authority, &server.port, HTTP2_OVER_TLS);
    grpc_calls_pass(&proxy, &ca);
}

#[test]
fn a_grpc_server_that_is_not_there_is_unavailable() {
    let mut held = Ports::default();
    let nobody = held.reserve().to_string();
    let (proxy, ca) = before(&nobody, HTTP2);
    let [plain, tls] = ["plain", "tls"].map(|listener| proxy.port(listener).to_string());
    for arguments in [&["unavailable", &plain][..], &["unavailable", &tls, &ca]] {
        let details = client("grpc_client.py", arguments);
        assert_eq!(details, "Service Unavailable\nService Unavailable\n");
    }
}

#[test]
fn a_grpc_server_that_dies_in_a_call_is_unavailable() {
    let server = Server::start("grpc_server.py", &[]);
    let (proxy, ca) = before(&server.port, HTTP2);
    let port = proxy.port("tls").to_string();
    let said = client("grpc_client.py", &["death", &port, &ca]);
    assert_eq!(said, "UNAVAILABLE Bad Gateway\n");
    let record = proxy.record("/test.Test/Talk");
    assert_eq!(record["reason"], "response-truncated", "{record}");
    assert_eq!(record["ended_by"], "server");
}

/// What the client says of a call whose server answers its first message and then, when the second has come, does `more`.
fn said_of_a_cut(more: fn(&mut Http2Peer<'_>, u32), service: &str) -> String {
    let origin = Origin::tcp(move |peer| {
        let Some(mut http2) = peer.http2(&[]) else {
            return;
        };
        while let Some(stream) = http2.begun() {
            http2.head(stream, 200, &[("content-type", "application/grpc")], false);
            http2.data(stream, b"\0\0\0\0\x0bheard hello", false);
            http2.until(|http2| http2.calls[&stream].body.ends_with(b"die"));
            more(&mut http2, stream);
        }
    });
    let (_, port) = origin.address().rsplit_once(':').unwrap();
    let (proxy, _ca) = before(port, &format!("{HTTP2}{service}"));
    let port = proxy.port("plain").to_string();
    let said = client("grpc_client.py", &["death", &port]);
    said.trim().to_owned()
}

#[test]
fn a_grpc_answer_that_is_cut_between_messages_is_unavailable() {
    let said = said_of_a_cut(|http2, stream| http2.reset(stream, 2), "");
    assert_eq!(said, "UNAVAILABLE Bad Gateway");
}

#[test]
fn a_grpc_answer_that_is_cut_in_a_message_is_an_error_and_never_a_message() {
    let cut = |http2: &mut Http2Peer<'_>, stream| {
        http2.data(stream, b"\0\0\0\0\x05he", false);
        http2.reset(stream, 2);
    };
    let said = said_of_a_cut(cut, "");
    assert_eq!(said, "UNAVAILABLE Bad Gateway");
}

#[test]
fn a_grpc_answer_that_takes_too_long_exceeds_its_deadline() {
    let timeouts = "[service.app.timeouts]\nrequest = \"2s\"\n";
    let said = said_of_a_cut(|_, _| {}, timeouts);
    assert!(said.starts_with("DEADLINE_EXCEEDED"), "{said}");
}

#[test]
fn httpx_is_served_over_http2() {
    let together = Barrier::new(50);
    let origin = Origin::answering(move |request| {
        if request.target.starts_with("/together/") {
            together.wait();
            return ok(&request.target);
        }
        let length = request.body.len();
        let mut answer =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
        answer.extend_from_slice(&request.body);
        answer
    });
    let (_, port) = origin.address().rsplit_once(':').unwrap();
    let (proxy, ca) = before(port, "");
    client("httpx_client.py", &[&proxy.port("tls").to_string(), &ca]);
}

#[test]
fn websockets_pass_over_http1() {
    let server = Server::start("websocket_server.py", &[]);
    let (proxy, ca) = before(&server.port, "");
    client("websocket_client.py", &[&proxy.port("plain").to_string()]);
    client(
        "websocket_client.py",
        &[&proxy.port("tls").to_string(), &ca],
    );
}

#[test]
fn websockets_pass_from_http2_to_a_server_of_http1() {
    let server = Server::start("websocket_server.py", &[]);
    let (proxy, ca) = before(&server.port, "");
    client("connect_client.py", &[&proxy.port("tls").to_string(), &ca]);
}
