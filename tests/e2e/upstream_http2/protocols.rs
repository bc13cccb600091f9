//! Which protocol a server is spoken to with.

use super::{CONFIG, echo, origin, with_http2};
use portcullis_harness::{Authority, Origin, OriginTls, Proxy, Setup, eventually, ok};

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
