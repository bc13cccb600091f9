//! HTTP/2 towards servers: shared connections, and requests of either protocol that pass as they are.

use portcullis_harness::http2::{kind, request};
use portcullis_harness::{
    Authority, Http2Peer, Origin, OriginTls, Peer, Proxy, Setup, eventually, ok,
};
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
fn a_connection_carries_no_more_than_is_allowed_and_the_rest_waits() {
    let gate = Gate::default();
    let most = Arc::new(AtomicUsize::new(0));
    let (held, seen) = (gate.clone(), Arc::clone(&most));
    let origin = origin(move |http2| {
        let first: Vec<u32> = (0..2).filter_map(|_| http2.whole()).collect();
        seen.fetch_max(http2.calls.len(), Ordering::SeqCst);
        held.pass();
        for stream in first {
            http2.answer(stream, 200, b"early");
        }
        http2.answer_all(|_| (200, b"late".to_vec()));
    });
    let config = format!("{CONFIG}http2 = {{ max_streams = 2, max_connections = 2 }}\n");
    let proxy = Proxy::start(&config, &[("app", origin.address())]);
    let mut client = proxy.connect("web").http2();
    let streams: Vec<u32> = (0..6).map(|_| client.get("a", "/")).collect();
    origin.wait_count(4);
    assert_eq!(origin.connections(), 2);
    gate.open();
    for stream in streams {
        assert_eq!(client.answer(stream).status(), 200);
    }
    assert_eq!(origin.connections(), 2);
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[test]
fn a_server_may_allow_fewer_requests_at_once() {
    let origin = Origin::tcp(|peer| {
        with_http2(peer, &[(3, 1)], &|http2| {
            while let Some(stream) = http2.whole() {
                let open = |http2: &Http2Peer<'_>| http2.calls.values().filter(|c| c.ended).count();
                assert!(open(http2) >= 1);
                http2.answer(stream, 200, b"one by one");
            }
        });
    });
    let config = format!("{CONFIG}http2 = {{ max_connections = 1 }}\n");
    let proxy = Proxy::start(&config, &[("app", origin.address())]);
    assert_eq!(proxy.connect("web").get("a", "/").status, 200);
    let mut client = proxy.connect("web").http2();
    let streams: Vec<u32> = (0..5).map(|_| client.get("a", "/")).collect();
    for stream in streams {
        assert_eq!(client.answer(stream).text(), "one by one");
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn one_reset_stream_harms_no_other() {
    let origin = origin(|http2| {
        while let Some(stream) = http2.whole() {
            match http2.calls[&stream].path() {
                "/reset" => http2.reset(stream, 2),
                "/cut" => {
                    http2.head(stream, 200, &[], false);
                    http2.data(stream, b"half", false);
                    http2.reset(stream, 2);
                }
                _ => http2.answer(stream, 200, b"whole"),
            }
        }
    });
    let proxy = proxy(&origin);
    let mut client = proxy.connect("web").http2();
    let (cut, whole) = (client.get("a", "/cut"), client.get("a", "/whole"));
    assert!(client.answer(cut).reset.is_some(), "a cut is seen as one");
    assert_eq!(client.answer(whole).text(), "whole");
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a", "/reset").status, 502);
    assert_eq!(proxy.record("/reset")["reason"], "stream-reset-by-server");
    assert!(client.get("a", "/cut").truncated);
    assert_eq!(origin.connections(), 1);
}

#[test]
fn what_a_server_did_not_look_at_is_sent_again() {
    let turns = AtomicUsize::new(0);
    let origin = origin(move |http2| {
        while let Some(stream) = http2.whole() {
            match turns.fetch_add(1, Ordering::SeqCst) {
                0 => http2.reset(stream, 7),
                1 => {
                    http2.go_away(stream - 2, 0);
                    http2.until(|_| false);
                }
                _ => http2.answer(stream, 200, b"done"),
            }
        }
    });
    let config = format!("{CONFIG}retry = {{ attempts = 3 }}\n");
    let proxy = Proxy::start(&config, &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(
        client.response().text(),
        "done",
        "even a POST may be repeated"
    );
    assert_eq!(origin.connections(), 2);
    assert!(
        origin
            .requests()
            .iter()
            .all(|request| request.body == b"body")
    );
}

#[test]
fn a_server_that_goes_away_finishes_what_it_began() {
    let gate = Gate::default();
    let held = gate.clone();
    let turns = AtomicUsize::new(0);
    let origin = origin(move |http2| {
        if turns.fetch_add(1, Ordering::SeqCst) > 0 {
            return echo(http2);
        }
        let Some(stream) = http2.whole() else { return };
        http2.go_away(stream, 0);
        held.pass();
        http2.answer(stream, 200, b"finished");
        http2.until(|_| false);
    });
    let proxy = proxy(&origin);
    let mut one = proxy.connect("web").http2();
    let first = one.get("a", "/first");
    origin.wait_count(1);
    eventually("new requests go elsewhere", || {
        let text = proxy.connect("web").get("a", "/second").text();
        (text == "/second ").then_some(())
    });
    gate.open();
    assert_eq!(one.answer(first).text(), "finished");
    origin.wait_open(1);
}

#[test]
fn a_connection_that_dies_fails_its_requests_and_is_replaced() {
    let turns = AtomicUsize::new(0);
    let origin = origin(move |http2| {
        if turns.fetch_add(1, Ordering::SeqCst) > 0 {
            return echo(http2);
        }
        let streams: Vec<u32> = (0..3).filter_map(|_| http2.whole()).collect();
        http2.head(streams[0], 200, &[], false);
        http2.data(streams[0], b"half", false);
    });
    let proxy = proxy(&origin);
    let mut client = proxy.connect("web").http2();
    let begun = client.get("a", "/begun");
    let posts: Vec<u32> = (0..2)
        .map(|_| client.open(&request("POST", "a", "/post"), true))
        .collect();
    assert!(client.answer(begun).reset.is_some());
    for post in posts {
        assert_eq!(
            client.answer(post).status(),
            502,
            "it may have been acted upon"
        );
    }
    assert_eq!(proxy.connect("web").get("a", "/next").text(), "/next ");
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

#[test]
fn the_server_chooses_the_protocol_in_the_handshake() {
    let authority = Authority::new("internal");
    let identity = authority.issue(&["127.0.0.1"]);
    let config = CONFIG.replace(
        "[\"h2\"]",
        "[\"h2\", \"http/1.1\"]\ntls = { ca = \"ca.pem\" }",
    );
    let h2 = OriginTls::new(&identity).offering(&["h2"]);
    let both = OriginTls::new(&identity).offering(&["http/1.1", "h2"]);
    let old = OriginTls::new(&identity).offering(&["http/1.1"]);
    let silent = OriginTls::new(&identity);
    for (tls, speaks_h2) in [(h2, true), (both, false), (old, false), (silent, false)] {
        let origin = Origin::tls(&tls, move |peer| {
            if speaks_h2 {
                with_http2(peer, &[], &echo);
            } else {
                peer.answer_all(&|_| ok("old"));
            }
        });
        let proxy = Setup::new()
            .file("ca.pem", authority.pem())
            .set("app", origin.address())
            .start(&config);
        let mut client = proxy.connect("web");
        for _ in 0..3 {
            let text = client.get("a", "/x").text();
            assert_eq!(text, if speaks_h2 { "/x " } else { "old" });
        }
        assert_eq!(origin.connections(), 1);
        let scheme = origin.requests()[0]
            .fields
            .one(":scheme")
            .map(str::to_owned);
        assert_eq!(scheme.as_deref(), speaks_h2.then_some("https"));
    }
}

#[test]
fn a_server_without_http2_is_refused_where_nothing_else_is_allowed() {
    let authority = Authority::new("internal");
    let tls = OriginTls::new(&authority.issue(&["127.0.0.1"]));
    let origin = Origin::tls(&tls, |peer| peer.answer_all(&|_| ok("old")));
    let config = CONFIG.replace("[\"h2\"]", "[\"h2\"]\ntls = { ca = \"ca.pem\" }");
    let proxy = Setup::new()
        .file("ca.pem", authority.pem())
        .set("app", origin.address())
        .start(&config);
    assert_eq!(proxy.connect("web").get("a", "/x").status, 502);
    assert_eq!(proxy.record("/x")["reason"], "server-without-http2");
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

#[test]
fn a_connection_that_gives_no_sign_of_life_is_given_up() {
    let turns = AtomicUsize::new(0);
    let origin = origin(move |http2| {
        if turns.fetch_add(1, Ordering::SeqCst) > 0 {
            return echo(http2);
        }
        http2.pongs = false;
        http2.whole();
        http2.until(|http2| http2.pings > 0);
        http2.until(|_| false);
    });
    let config = format!(
        "{CONFIG}timeouts = {{ response_header = \"200ms\" }}\nhttp2 = {{ max_connections = 1 }}\n"
    );
    let proxy = Proxy::start(&config, &[("app", origin.address())]);
    assert_eq!(proxy.connect("web").get("a", "/stuck").status, 504);
    // No request is sent to where another got no answer, until the connection shows that it lives.
    assert_eq!(proxy.connect("web").get("a", "/next").text(), "/next ");
    origin.wait_open(1);
}

#[test]
fn a_server_that_does_not_acknowledge_settings_is_left() {
    let told = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&told);
    let origin = origin(move |http2| {
        http2.acknowledges = false;
        http2.until(|http2| http2.goaway.is_some());
        *seen.lock().unwrap() = http2.goaway;
    });
    let proxy = proxy(&origin);
    assert_eq!(proxy.connect("web").get("a", "/").status, 502);
    eventually("SETTINGS_TIMEOUT is told", || {
        (*told.lock().unwrap() == Some(4)).then_some(())
    });
    let record = proxy.record("/");
    assert_eq!(record["reason"], "server-closed-before-answer", "{record}");
}

#[test]
fn a_request_that_a_server_wants_over_http1_goes_again_over_http1() {
    let authority = Authority::new("internal");
    let tls = OriginTls::new(&authority.issue(&["127.0.0.1"])).offering(&["h2", "http/1.1"]);
    let origin = Origin::tls(&tls, |peer| {
        if peer
            .session()
            .is_some_and(|session| session.alpn.as_deref() == Some("h2"))
        {
            with_http2(peer, &[], &|http2| {
                while let Some(stream) = http2.begun() {
                    http2.reset(stream, 13);
                }
            });
        } else {
            peer.answer_all(&|request| ok(&request.version));
        }
    });
    let config = CONFIG.replace(
        "[\"h2\"]",
        "[\"h2\", \"http/1.1\"]\ntls = { ca = \"ca.pem\" }",
    );
    let proxy = Setup::new()
        .file("ca.pem", authority.pem())
        .set("app", origin.address())
        .start(&config);
    let mut client = proxy.connect("web");
    client.send("POST /act HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.response().status, 502, "nothing may happen twice");
    assert_eq!(proxy.record("/act")["reason"], "server-wants-http1");
    assert_eq!(client.get("a", "/again").text(), "HTTP/1.1");
    assert_eq!(proxy.record("/again")["attempts"], 2);
    assert_eq!(client.get("a", "/kept").text(), "HTTP/1.1");
    let record = proxy.record("/kept");
    assert_eq!(
        (&record["attempts"], &record["reused"]),
        (&1.into(), &true.into())
    );
}

#[test]
fn connections_are_given_up_when_idle_or_old() {
    let origin = origin(echo);
    let config = format!("{CONFIG}timeouts = {{ upstream_idle = \"100ms\" }}\n");
    let proxy = Proxy::start(&config, &[("app", origin.address())]);
    assert_eq!(proxy.connect("web").get("a", "/").status, 200);
    origin.wait_open(0);
    let config = format!("{CONFIG}pool = {{ max_age = \"100ms\" }}\n");
    let proxy = Proxy::start(&config, &[("app", origin.address())]);
    assert_eq!(proxy.connect("web").get("a", "/").status, 200);
    origin.wait_open(0);
}

#[test]
fn checks_speak_http2_to_servers_that_speak_nothing_else() {
    let origin = origin(|http2| {
        http2.answer_all(|call| match call.path() {
            "/health" => (204, Vec::new()),
            _ => (500, Vec::new()),
        });
    });
    for (path, expected) in [("/health", "L7OK"), ("/sick", "L7STS")] {
        let config = format!(
            "{CONFIG}health = {{ http = \"{path}\", interval = \"50ms\", timeout = \"2s\", rise = 1, fall = 1 }}\n"
        );
        let proxy = Proxy::start(&config, &[("app", origin.address())]);
        eventually("the server is judged", || {
            let rows = proxy.admin("show stat");
            let row = rows.lines().find(|line| line.starts_with("app,s1,"))?;
            (row.split(',').nth(36) == Some(expected)).then_some(())
        });
    }
    assert!(
        origin
            .requests()
            .iter()
            .all(|request| request.version == "HTTP/2")
    );
}
