//! TLS towards servers: verified unless said otherwise, never shared between different settings, cut when it is cut.

use portcullis_harness::{Authority, Origin, OriginTls, Proxy, Session, Setup, eventually, ok};
use std::sync::{Arc, Mutex};

const CONFIG: &str = r#"
[global]
threads = 1
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
tls = @tls@
"#;

fn proxy(authority: &Authority, origin: &Origin, tls: &str) -> Proxy {
    Setup::new()
        .file("ca.pem", authority.pem())
        .set("app", origin.address())
        .set("tls", tls)
        .start(CONFIG)
}

/// An origin that answers everything, and the sessions of its connections.
fn recording(tls: &OriginTls) -> (Origin, Arc<Mutex<Vec<Session>>>) {
    let sessions = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sessions);
    let origin = Origin::tls(tls, move |peer| {
        let mut told = false;
        while peer.request().is_some() {
            if !std::mem::replace(&mut told, true) {
                seen.lock().unwrap().extend(peer.session());
            }
            peer.send(ok("served"));
        }
    });
    (origin, sessions)
}

const BY_CA: &str = r#"{ ca = "ca.pem" }"#;

#[test]
fn a_server_is_verified_by_its_address_and_its_connection_serves_again() {
    let authority = Authority::new("internal");
    let (origin, sessions) = recording(&OriginTls::new(&authority.issue(&["127.0.0.1"])));
    let proxy = proxy(&authority, &origin, BY_CA);
    let mut client = proxy.connect("web");
    for _ in 0..3 {
        assert_eq!(client.get("a", "/").text(), "served");
    }
    assert_eq!(origin.connections(), 1, "tickets do not spoil a connection");
    let sessions = sessions.lock().unwrap();
    assert_eq!(
        sessions[0].name, None,
        "an IP address is not sent as a name"
    );
    assert_eq!(sessions[0].version, "TLSv1_3");
}

#[test]
fn bodies_go_both_ways_whole() {
    let authority = Authority::new("internal");
    let tls = OriginTls::new(&authority.issue(&["127.0.0.1"]));
    let origin = Origin::tls(&tls, |peer| {
        while let Some(request) = peer.request() {
            let length = request.body.len();
            peer.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
            ));
            peer.send(&request.body);
        }
    });
    let proxy = proxy(&authority, &origin, BY_CA);
    let body: Vec<u8> = (0..700_000_u32).map(|at| (at % 251) as u8).collect();
    let mut client = proxy.connect("web");
    for _ in 0..2 {
        client.send(format!(
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ));
        client.send(&body);
        assert!(client.response().body == body, "every byte comes back");
    }
}

#[test]
fn a_server_that_cannot_prove_who_it_is_gets_nothing() {
    let (authority, stranger) = (Authority::new("internal"), Authority::new("stranger"));
    for (identity, what) in [
        (stranger.issue(&["127.0.0.1"]), "another authority"),
        (authority.issue(&["127.0.0.2"]), "another address"),
        (authority.issue_expired(&["127.0.0.1"]), "expired"),
    ] {
        let (origin, _) = recording(&OriginTls::new(&identity));
        let proxy = proxy(&authority, &origin, BY_CA);
        assert_eq!(proxy.connect("web").get("a", "/x").status, 502, "{what}");
        assert_eq!(
            proxy.record("/x")["reason"],
            "upstream-certificate",
            "{what}"
        );
        assert_eq!(origin.count(), 0, "{what}");
    }
}

#[test]
fn the_name_that_is_written_is_asked_for_and_verified() {
    let authority = Authority::new("internal");
    let tls = OriginTls::new(&authority.issue(&["app.internal"]));
    let (origin, sessions) = recording(&tls);
    let right = r#"{ ca = "ca.pem", sni = "app.internal" }"#;
    let first = proxy(&authority, &origin, right);
    assert_eq!(first.connect("web").get("a", "/").status, 200);
    let name = sessions.lock().unwrap()[0].name.clone();
    assert_eq!(name.as_deref(), Some("app.internal"));
    let wrong = r#"{ ca = "ca.pem", sni = "other.internal" }"#;
    let second = proxy(&authority, &origin, wrong);
    assert_eq!(second.connect("web").get("a", "/").status, 502);
}

#[test]
fn the_name_of_an_address_is_asked_for_and_verified() {
    let authority = Authority::new("internal");
    let (origin, sessions) = recording(&OriginTls::new(&authority.issue(&["localhost"])));
    let port = origin.address().rsplit(':').next().unwrap();
    let proxy = Setup::new()
        .file("ca.pem", authority.pem())
        .set("app", format!("localhost:{port}"))
        .set("tls", BY_CA)
        .start(CONFIG);
    assert_eq!(proxy.connect("web").get("a", "/").status, 200);
    let name = sessions.lock().unwrap()[0].name.clone();
    assert_eq!(name.as_deref(), Some("localhost"));
}

#[test]
fn the_systems_authorities_are_taken_when_none_are_named() {
    let authority = Authority::new("of the system");
    let (origin, _) = recording(&OriginTls::new(&authority.issue(&["127.0.0.1"])));
    let setup = Setup::new().file("system.pem", authority.pem());
    let system = setup.folder().join("system.pem");
    let proxy = setup
        .env("SSL_CERT_FILE", system.to_str().unwrap())
        .set("app", origin.address())
        .set("tls", "true")
        .start(CONFIG);
    assert_eq!(proxy.connect("web").get("a", "/").status, 200);
}

#[test]
fn verification_can_be_switched_off_and_check_says_what_that_means() {
    let stranger = Authority::new("stranger");
    let (origin, _) = recording(&OriginTls::new(&stranger.issue(&["elsewhere.test"])));
    let proxy = proxy(&stranger, &origin, "{ verify = false }");
    assert_eq!(proxy.connect("web").get("a", "/").status, 200);
    let told = proxy.command(&["check"]);
    assert!(
        told.err.contains("unverified-servers") || told.out.contains("unverified-servers"),
        "{told:?}"
    );
}

#[test]
fn a_client_certificate_is_shown_to_a_server_that_demands_one() {
    let (authority, clients) = (Authority::new("internal"), Authority::new("clients"));
    let tls = OriginTls::new(&authority.issue(&["127.0.0.1"])).demanding(clients.pem());
    let (origin, sessions) = recording(&tls);
    let proxy = Setup::new()
        .file("ca.pem", authority.pem())
        .identity("proxy", &clients.issue(&["proxy"]))
        .set("app", origin.address())
        .set(
            "tls",
            r#"{ ca = "ca.pem", cert = "proxy.pem", key = "proxy.key" }"#,
        )
        .start(CONFIG);
    assert_eq!(proxy.connect("web").get("a", "/").status, 200);
    assert!(sessions.lock().unwrap()[0].client_certificate.is_some());
}

#[test]
fn a_server_that_misses_a_client_certificate_is_named_as_the_reason() {
    let (authority, clients) = (Authority::new("internal"), Authority::new("clients"));
    for tls in [
        OriginTls::new(&authority.issue(&["127.0.0.1"])).demanding(clients.pem()),
        OriginTls::new(&authority.issue(&["127.0.0.1"]))
            .demanding(clients.pem())
            .tls12(),
    ] {
        let (origin, _) = recording(&tls);
        let proxy = proxy(&authority, &origin, BY_CA);
        assert_eq!(proxy.connect("web").get("a", "/x").status, 502);
        assert_eq!(proxy.record("/x")["reason"], "upstream-tls");
        assert_eq!(origin.count(), 0);
    }
}

#[test]
fn an_old_version_is_refused_where_the_configuration_says_so() {
    let authority = Authority::new("internal");
    let tls = OriginTls::new(&authority.issue(&["127.0.0.1"])).tls12();
    let (origin, _) = recording(&tls);
    let lenient = proxy(&authority, &origin, BY_CA);
    assert_eq!(lenient.connect("web").get("a", "/").status, 200);
    let strict = proxy(
        &authority,
        &origin,
        r#"{ ca = "ca.pem", min_version = "1.3" }"#,
    );
    assert_eq!(strict.connect("web").get("a", "/x").status, 502);
    assert_eq!(strict.record("/x")["reason"], "upstream-tls");
}

#[test]
fn a_session_is_taken_up_again() {
    let authority = Authority::new("internal");
    let sessions = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sessions);
    let tls = OriginTls::new(&authority.issue(&["127.0.0.1"]));
    let origin = Origin::tls(&tls, move |peer| {
        if peer.request().is_some() {
            seen.lock().unwrap().extend(peer.session());
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    let proxy = proxy(&authority, &origin, BY_CA);
    let mut client = proxy.connect("web");
    for _ in 0..2 {
        assert_eq!(client.get("a", "/").status, 200);
    }
    let resumed: Vec<bool> = sessions.lock().unwrap().iter().map(|s| s.resumed).collect();
    assert_eq!(resumed, [false, true]);
}

/// An origin whose every answer has the head given and ends with its connection, honestly or not.
fn ending(authority: &Authority, answer: &'static str, honest: bool) -> Origin {
    let tls = OriginTls::new(&authority.issue(&["127.0.0.1"]));
    Origin::tls(&tls, move |peer| {
        if peer.request().is_some() {
            peer.send(answer);
            if !honest {
                peer.truncate();
            }
        }
    })
}

#[test]
fn an_answer_that_ends_without_close_notify_is_seen_as_cut() {
    let authority = Authority::new("internal");
    let endless = "HTTP/1.1 200 OK\r\n\r\nhello";
    let origin = ending(&authority, endless, false);
    let cut = proxy(&authority, &origin, BY_CA);
    let mut client = cut.connect("web");
    assert!(
        client.get("a", "/x").truncated,
        "the last chunk never comes"
    );
    assert_eq!(cut.record("/x")["reason"], "response-truncated");
    let mut client = cut.connect("web");
    client.send("GET /y HTTP/1.0\r\nHost: a\r\n\r\n");
    assert!(
        client.response().truncated,
        "an answer that only its end would end is ended by a reset"
    );

    let origin = ending(&authority, endless, true);
    let whole = proxy(&authority, &origin, BY_CA);
    assert_eq!(whole.connect("web").get("a", "/").text(), "hello");
}

#[test]
fn an_answer_that_is_complete_needs_no_close_notify() {
    let authority = Authority::new("internal");
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ] {
        let origin = ending(&authority, answer, false);
        let proxy = proxy(&authority, &origin, BY_CA);
        assert_eq!(proxy.connect("web").get("a", "/").text(), "hello");
    }
}

#[test]
fn connections_made_under_other_settings_are_not_used_after_a_reload() {
    let (one, two) = (Authority::new("one"), Authority::new("two"));
    let (origin, _) = recording(&OriginTls::new(&one.issue(&["127.0.0.1"])));
    let mut proxy = proxy(&one, &origin, BY_CA);
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a", "/").status, 200);

    // The same configuration: the connection goes on.
    let unrelated = CONFIG.replace("threads = 1", "threads = 1\nshutdown_timeout = \"9s\"");
    proxy.reload(&unrelated).expect(0);
    assert_eq!(client.get("a", "/").status, 200);
    assert_eq!(origin.connections(), 1);

    // Other bytes in the file of authorities, the same configuration. Whether the reload finds them or the watch of files did
    // is a matter of time.
    proxy.file("ca.pem", two.pem());
    proxy.reload(&unrelated).expect(0);
    eventually("the change is told", || {
        let told = "trust of service `app` changed: content of files";
        proxy.errors().contains(told).then_some(())
    });
    assert_eq!(
        client.get("a", "/x").status,
        502,
        "a connection that another authority vouched for is not used"
    );
    assert_eq!(proxy.record("/x")["reason"], "upstream-certificate");
    assert_eq!(origin.count(), 2);
}

#[test]
fn checks_speak_tls_and_a_wrong_certificate_takes_a_server_down() {
    let (authority, stranger) = (Authority::new("internal"), Authority::new("stranger"));
    let (good, _) = recording(&OriginTls::new(&authority.issue(&["127.0.0.1"])));
    let (bad, _) = recording(&OriginTls::new(&stranger.issue(&["127.0.0.1"])));
    for (health, passed) in [(r#"http = "/health""#, "L7OK"), ("tcp = true", "L6OK")] {
        let config = format!(
            r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = [{{ name = "good", address = "@good@" }}, {{ name = "bad", address = "@bad@" }}]
tls = {{ ca = "ca.pem" }}
health = {{ {health}, interval = "50ms", timeout = "2s", rise = 1, fall = 1 }}
"#
        );
        let proxy = Setup::new()
            .file("ca.pem", authority.pem())
            .set("good", good.address())
            .set("bad", bad.address())
            .start(&config);
        let column = |server: &str, at: usize| {
            let rows = proxy.admin("show stat");
            let row = rows
                .lines()
                .find(|line| line.starts_with(&format!("app,{server},")))
                .unwrap()
                .to_owned();
            row.split(',').nth(at).unwrap().to_owned()
        };
        eventually("both are judged", || {
            let both = (column("good", 36), column("bad", 36));
            (both == (passed.to_owned(), "L6RSP".to_owned())).then_some(())
        });
        assert_eq!(column("good", 17), "UP");
        assert!(column("bad", 17).starts_with("DOWN"));
        assert!(column("bad", 56).contains("invalid peer certificate"));
    }
}

#[test]
fn a_handshake_that_never_ends_is_bounded_by_connect() {
    let authority = Authority::new("internal");
    let origin = Origin::tcp(portcullis_harness::Peer::wait_closed);
    let config =
        format!("{CONFIG}timeouts = {{ connect = \"200ms\" }}\nretry = {{ attempts = 1 }}\n");
    let proxy = Setup::new()
        .file("ca.pem", authority.pem())
        .set("app", origin.address())
        .set("tls", BY_CA)
        .start(&config);
    assert_eq!(proxy.connect("web").get("a", "/x").status, 504);
    assert_eq!(proxy.record("/x")["reason"], "connect");
}

#[test]
fn a_tunnel_goes_through() {
    let authority = Authority::new("internal");
    let tls = OriginTls::new(&authority.issue(&["127.0.0.1"]));
    let origin = Origin::tls(&tls, |peer| {
        if peer.head().is_some() {
            peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nfirst");
            let word = peer.exactly(4);
            peer.send(word);
            let rest = peer.rest();
            peer.send(rest);
        }
    });
    let config = CONFIG.replace(
        "service = \"app\"",
        "service = \"app\"\nupgrade = [\"websocket\"]",
    );
    let proxy = Setup::new()
        .file("ca.pem", authority.pem())
        .set("app", origin.address())
        .set("tls", BY_CA)
        .start(&config);
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.response().status, 101);
    assert_eq!(client.exactly(5), b"first");
    client.send("ping");
    assert_eq!(client.exactly(4), b"ping");
    client.send("the rest");
    client.finish();
    assert_eq!(client.rest(), b"the rest", "half of a tunnel may end first");
}

#[test]
fn everything_wrong_with_the_files_is_told_at_once() {
    let authority = Authority::new("internal");
    let config = r#"
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
path = "/a"
service = "a"
[[route]]
path = "/b"
service = "b"
[service.a]
servers = ["127.0.0.1:1"]
tls = { ca = "missing.pem", cert = "one.pem", key = "two.key" }
[service.b]
servers = ["127.0.0.1:1"]
tls = { ca = "not-pem.pem" }
"#;
    let mut setup = Setup::new()
        .identity("one", &authority.issue(&["one"]))
        .identity("two", &authority.issue(&["two"]))
        .file("not-pem.pem", "nothing of the kind");
    let told = setup.run(config, &["check"]).expect(1);
    let text = format!("{}{}", told.out, told.err);
    for wanted in [
        "cannot read authorities",
        "does not fit certificate",
        "holds no certificate in PEM form",
        "portcullis.toml:12",
        "portcullis.toml:15",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}
