//! HTTP/2 towards servers: shared connections, and requests of either protocol that pass as they are.

mod connections;
mod protocols;

use portcullis_harness::http2::kind;
use portcullis_harness::{Http2Peer, Origin, Peer, Proxy};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

const CONFIG: &str = r#"
[global]
threads = 1
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
protocols = ["h2"]
"#;

fn proxy(origin: &Origin) -> Proxy {
    Proxy::start(CONFIG, &[("app", origin.address())])
}

/// An origin whose connections speak HTTP/2 by prior knowledge, each played by a script.
fn origin(script: impl Fn(&mut Http2Peer<'_>) + Send + Sync + 'static) -> Origin {
    Origin::tcp(move |peer| with_http2(peer, &[], &script))
}

fn with_http2(peer: &mut Peer, settings: &[(u16, u32)], script: &dyn Fn(&mut Http2Peer<'_>)) {
    if let Some(mut http2) = peer.http2(settings) {
        script(&mut http2);
    }
}

/// Answers everything with the path and the body that came.
fn echo(http2: &mut Http2Peer<'_>) {
    http2.answer_all(|call| {
        let mut body = format!("{} ", call.path()).into_bytes();
        body.extend_from_slice(&call.body);
        (200, body)
    });
}

/// Something that is waited for by several threads.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let open = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(open, |open| !*open).unwrap());
    }
}

#[test]
fn requests_of_http1_pass_and_share_a_connection() {
    let origin = origin(echo);
    let proxy = proxy(&origin);
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a.test", "/one?x=1").text(), "/one?x=1 ");
    client.send("POST /two HTTP/1.1\r\nHost: a.test\r\nX-Own: 1\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(client.response().text(), "/two body");
    client.send("POST /three HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 7\r\n\r\n");
    assert_eq!(client.response().text(), "/three body");
    assert_eq!(proxy.connect("web").get("a.test", "/four").text(), "/four ");
    assert_eq!(origin.connections(), 1);
    let requests = origin.requests();
    let first = &requests[0].fields;
    assert_eq!(first.one(":scheme"), Some("http"));
    assert_eq!(first.one(":authority"), Some("a.test"));
    assert_eq!(first.one("host"), None);
    assert_eq!(first.one("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(requests[1].fields.one("x-own"), Some("1"));
    assert_eq!(requests[1].fields.one("content-length"), Some("4"));
    let chunked = &requests[2];
    assert_eq!(chunked.fields.one("transfer-encoding"), None);
    assert_eq!(chunked.trailers.one("x-sum"), Some("7"));
}

#[test]
fn requests_of_http2_pass_with_trailers_both_ways() {
    let origin = origin(|http2| {
        while let Some(stream) = http2.whole() {
            http2.head(stream, 200, &[("x-kind", "stream")], false);
            http2.data(stream, b"data", false);
            http2.trailers(stream, &[("grpc-status", "0")]);
        }
    });
    let proxy = proxy(&origin);
    let mut client = proxy.connect("web").http2();
    let stream = client.post("a.test", "/");
    client.data(stream, b"body", false);
    let block = client.fields(&[("x-sum", "7")]);
    client.frame(kind::HEADERS, 5, stream, block);
    let answer = client.answer(stream);
    assert_eq!((answer.status(), answer.text().as_str()), (200, "data"));
    assert_eq!(answer.trailers.one("grpc-status"), Some("0"));
    let request = origin.request();
    assert_eq!(request.body, b"body");
    assert_eq!(request.trailers.one("x-sum"), Some("7"));
}

#[test]
fn trailers_reach_a_client_of_http1() {
    let origin = origin(|http2| {
        while let Some(stream) = http2.whole() {
            http2.head(stream, 200, &[("trailer", "x-sum")], false);
            http2.data(stream, b"data", false);
            http2.trailers(stream, &[("x-sum", "7")]);
        }
    });
    let proxy = proxy(&origin);
    let answer = proxy.connect("web").get("a", "/");
    assert_eq!(answer.text(), "data");
    assert_eq!(answer.trailers.one("x-sum"), Some("7"));
}

#[test]
fn bodies_go_both_ways_whole() {
    let origin = origin(echo);
    let proxy = proxy(&origin);
    let body: Vec<u8> = (0..700_000_u32).map(|at| (at % 251) as u8).collect();
    let mut client = proxy.connect("web");
    for _ in 0..2 {
        client.send(format!(
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ));
        client.send(&body);
        assert!(client.response().body[2..] == body, "every byte comes back");
    }
    let mut client = proxy.connect("web").http2();
    let stream = client.post("a", "/");
    for chunk in body[..60_000].chunks(10_000) {
        client.data(stream, chunk, false);
    }
    client.data(stream, b"", true);
    assert!(client.answer(stream).body[2..] == body[..60_000]);
}

#[test]
fn answers_without_a_body_are_without_a_body() {
    let origin = origin(|http2| {
        while let Some(stream) = http2.whole() {
            match http2.calls[&stream].path() {
                "/none" => http2.head(stream, 200, &[], true),
                "/204" => http2.head(stream, 204, &[], true),
                "/304" => http2.head(stream, 304, &[("etag", "\"x\"")], true),
                _ => http2.head(stream, 200, &[("content-length", "5")], true),
            }
        }
    });
    let proxy = proxy(&origin);
    let mut client = proxy.connect("web");
    let none = client.get("a", "/none");
    assert_eq!(
        (none.status, none.fields.one("content-length")),
        (200, Some("0"))
    );
    assert_eq!(client.get("a", "/204").status, 204);
    assert_eq!(client.get("a", "/304").status, 304);
    client.send("HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.response_to("HEAD");
    assert_eq!(head.fields.one("content-length"), Some("5"));
    assert_eq!(
        client.get("a", "/none").status,
        200,
        "the connection goes on"
    );
}

#[test]
fn interim_responses_are_passed_on() {
    let origin = origin(|http2| {
        while let Some(stream) = http2.whole() {
            http2.head(stream, 103, &[("link", "</x>; rel=preload")], false);
            http2.answer(stream, 200, b"done");
        }
    });
    let proxy = proxy(&origin);
    let answer = proxy.connect("web").get("a", "/");
    assert_eq!(answer.interim[0].0, 103);
    assert_eq!(answer.text(), "done");
}

#[test]
fn an_answer_before_the_end_of_an_upload_is_no_failure() {
    let origin = origin(|http2| {
        while let Some(stream) = http2.begun() {
            http2.answer(stream, 413, b"too much");
            http2.reset(stream, 0);
        }
    });
    let proxy = proxy(&origin);
    let mut client = proxy.connect("web");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegin");
    let answer = client.response();
    assert_eq!((answer.status, answer.text().as_str()), (413, "too much"));
    let mut client = proxy.connect("web").http2();
    let stream = client.post("a", "/");
    client.data(stream, b"begin", false);
    let answer = client.answer(stream);
    assert_eq!((answer.status(), answer.text().as_str()), (413, "too much"));
}

#[test]
fn a_slow_client_holds_no_more_than_the_window_and_nobody_else() {
    let sent = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&sent);
    let origin = origin(move |http2| {
        let Some(slow) = http2.whole() else { return };
        http2.head(slow, 200, &[], false);
        // What the window of the stream allows, without waiting for more.
        loop {
            let room = usize::try_from(http2.room_for(slow)).unwrap_or(0);
            if room == 0 {
                let before = http2.calls.len();
                http2.until(|http2| http2.calls.len() > before || http2.room_for(slow) > 0);
                if http2.calls.len() > before || http2.closed {
                    break;
                }
                continue;
            }
            seen.fetch_add(http2.data(slow, &vec![b'x'; room], false), Ordering::SeqCst);
        }
        http2.answer_all(|_| (200, b"quick".to_vec()));
    });
    let proxy = proxy(&origin);
    let mut slow = proxy.connect("web").http2();
    slow.credits = false;
    let stream = slow.get("a", "/slow");
    slow.until(|http2| http2.so_far(stream).body.len() >= 65_535);
    let quick = proxy.connect("web").get("a", "/quick");
    assert_eq!(quick.text(), "quick");
    assert_eq!(origin.connections(), 1);
    let most = sent.load(Ordering::SeqCst);
    assert!(
        most < 400_000,
        "no more than a few windows are held: {most}"
    );
}

const WEBSOCKET: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn a_websocket_goes_through_a_server_that_takes_tunnels() {
    let origin = Origin::tcp(|peer| {
        with_http2(peer, &[(8, 1)], &|http2| {
            let Some(stream) = http2.begun() else { return };
            http2.record(stream);
            http2.head(stream, 200, &[], false);
            http2.until(|http2| http2.calls[&stream].body == b"ping");
            http2.data(stream, b"pong", false);
            http2.until(|http2| http2.calls[&stream].ended);
            http2.data(stream, b"bye", true);
            http2.until(|_| false);
        });
    });
    let proxy = proxy(&origin);
    let mut client = proxy.connect("web");
    client.send(WEBSOCKET);
    let answer = client.response();
    assert_eq!(answer.status, 101);
    assert_eq!(
        answer.fields.one("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    client.send("ping");
    assert_eq!(client.exactly(4), b"pong");
    client.finish();
    assert_eq!(client.rest(), b"bye");
    let fields = origin.request().fields;
    assert_eq!(fields.one(":method"), Some("CONNECT"));
    assert_eq!(fields.one(":protocol"), Some("websocket"));
    assert_eq!(fields.one("sec-websocket-key"), None);
}

#[test]
fn a_websocket_to_a_server_that_takes_no_tunnels_is_refused() {
    let origin = origin(echo);
    let proxy = proxy(&origin);
    let mut client = proxy.connect("web");
    client.send(WEBSOCKET);
    assert_eq!(client.response().status, 502);
    assert_eq!(proxy.record("/chat")["reason"], "server-without-tunnels");
}
