//! A second try, when the first cannot have done anything.

use portcullis_harness::{Origin, Proxy, ok};

const TWO: &str = r#"
[global]
threads = 1
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = [{ name = "bad", address = "127.0.0.1:@bad@" }, { name = "good", address = "@good@" }]
"#;

#[test]
fn a_refused_connection_is_tried_elsewhere() {
    let good = Origin::answering(|_| ok("good"));
    let proxy = Proxy::start(TWO, &[("good", good.address())]);
    for turn in 0..10 {
        let mut client = proxy.connect("web");
        client.send(format!(
            "POST /{turn} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
        ));
        assert_eq!(
            client.response().text(),
            "good",
            "a connection never made has carried nothing"
        );
    }
    assert!(
        good.requests()
            .iter()
            .all(|request| request.body == b"body")
    );
    let line = proxy.log_line("a second attempt", |line| line.contains("\"attempts\":2"));
    assert!(line.contains("\"server\":\"good\""), "{line}");
}

#[test]
fn retries_can_be_switched_off() {
    let good = Origin::answering(|_| ok("good"));
    let config = format!("{TWO}retry = {{ attempts = 1 }}\n");
    let proxy = Proxy::start(&config, &[("good", good.address())]);
    let statuses: Vec<u16> = (0..4)
        .map(|_| proxy.connect("web").get("a", "/").status)
        .collect();
    assert!(
        statuses.contains(&503) && statuses.contains(&200),
        "{statuses:?}"
    );
}

#[test]
fn an_idle_connection_that_died_is_replaced_for_a_repeatable_request() {
    let origin = Origin::tcp(|peer| {
        if peer.request().is_none() {
            return;
        }
        peer.send(ok("x"));
        // The second request is read and dropped: the connection dies before any byte of an answer.
        peer.head();
    });
    let config = r#"
[global]
threads = 1
[listener.web]
bind = "127.0.0.1:@web@"
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
"#;
    let proxy = Proxy::start(config, &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    for _ in 0..4 {
        assert_eq!(client.get("a", "/").status, 200);
    }
}

#[test]
fn a_request_that_may_not_be_repeated_is_not() {
    let origin = Origin::tcp(|peer| {
        while let Some(request) = peer.request() {
            if request.method == "POST" {
                return;
            }
            peer.send(ok("x"));
        }
    });
    let proxy = Proxy::start(
        "[global]\nthreads = 1\n[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nservice = \"app\"\n[service.app]\nservers = [\"@app@\"]\n",
        &[("app", origin.address())],
    );
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a", "/").status, 200);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(client.response().status, 502);
    let posts = origin
        .requests()
        .iter()
        .filter(|request| request.method == "POST")
        .count();
    assert_eq!(
        posts, 1,
        "a request that may have been executed is sent once"
    );
}

#[test]
fn an_answer_that_has_begun_is_never_repeated() {
    let origin = Origin::saying("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    let proxy = Proxy::before(&origin);
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.response().truncated);
    assert_eq!(origin.count(), 1);
}
