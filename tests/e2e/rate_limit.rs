//! Limits by client address and by header: exact, each key by itself, with the time to wait.

use portcullis_harness::{Client, Proxy};

fn limited(limit: &str) -> Proxy {
    let config = format!(
        "[listener.web]\nbind = \"127.0.0.1:@web@\"\ntrusted_proxies = [\"127.0.0.9\"]\n[[route]]\nrate_limit = {limit}\nrespond = {{ status = 200, body = \"x\" }}\n"
    );
    Proxy::start(&config, &[])
}

fn statuses(client: &mut Client, fields: &str, count: usize) -> Vec<u16> {
    let asked = (0..count).map(|_| {
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        client.response().status
    });
    asked.collect()
}

#[test]
fn the_burst_is_exact_and_the_rest_is_told_to_wait() {
    let proxy = limited("{ key = \"client_ip\", rate = \"1/h\", burst = 5 }");
    let mut client = proxy.connect("web");
    assert_eq!(
        statuses(&mut client, "", 8),
        [200, 200, 200, 200, 200, 429, 429, 429]
    );
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let refused = client.response();
    let wait: u64 = refused.fields.one("retry-after").unwrap().parse().unwrap();
    assert!((1..=3600).contains(&wait), "{wait}");
    let mut other = Client::tcp_from("127.0.0.2", proxy.port("web"));
    assert_eq!(
        statuses(&mut other, "", 2),
        [200, 200],
        "another client has its own bucket"
    );
}

#[test]
fn the_limit_counts_the_believed_client() {
    let proxy = limited("{ key = \"client_ip\", rate = \"1/h\", burst = 1 }");
    let mut edge = Client::tcp_from("127.0.0.9", proxy.port("web"));
    assert_eq!(
        statuses(&mut edge, "X-Forwarded-For: 192.0.2.1\r\n", 2),
        [200, 429]
    );
    assert_eq!(
        statuses(&mut edge, "X-Forwarded-For: 192.0.2.2\r\n", 2),
        [200, 429]
    );
    let mut liar = Client::tcp_from("127.0.0.2", proxy.port("web"));
    assert_eq!(
        statuses(&mut liar, "X-Forwarded-For: 192.0.2.3\r\n", 2),
        [200, 429]
    );
    assert_eq!(
        statuses(&mut liar, "X-Forwarded-For: 192.0.2.4\r\n", 1),
        [429],
        "a lie buys nothing"
    );
}

#[test]
fn a_header_can_be_the_key() {
    let proxy =
        limited("{ key = { header = \"x-api-key\" }, rate = \"1/h\", burst = 2, status = 503 }");
    let mut client = proxy.connect("web");
    assert_eq!(
        statuses(&mut client, "X-Api-Key: one\r\n", 3),
        [200, 200, 503]
    );
    assert_eq!(
        statuses(&mut client, "X-Api-Key: two\r\n", 3),
        [200, 200, 503]
    );
}

#[test]
fn a_listener_can_be_limited() {
    let config = "[listener.web]\nbind = \"127.0.0.1:@web@\"\nrate_limit = { key = \"client_ip\", rate = \"1/h\", burst = 2 }\n[[route]]\nrespond = { status = 200 }\n";
    let proxy = Proxy::start(config, &[]);
    let mut client = proxy.connect("web");
    assert_eq!(statuses(&mut client, "", 3), [200, 200, 429]);
}

#[test]
fn tokens_come_back_with_time() {
    let proxy = limited("{ key = \"client_ip\", rate = \"10/s\", burst = 1 }");
    let mut client = proxy.connect("web");
    assert_eq!(statuses(&mut client, "", 1), [200]);
    portcullis_harness::eventually("the bucket fills again", || {
        (statuses(&mut client, "", 1) == [200]).then_some(())
    });
}
