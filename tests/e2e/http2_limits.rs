//! What bounds an HTTP/2 connection: deadlines of its streams and of itself, its graceful end, floods.

use std::time::{Duration, Instant};

use portcullis_harness::http2::{flag, kind, request};
use portcullis_harness::{Http2, Origin, Peer, Proxy, eventually, ok};

const NO_ERROR: u32 = 0;
const CANCEL: u32 = 8;
const SETTINGS_TIMEOUT: u32 = 4;
const ENHANCE_YOUR_CALM: u32 = 11;
/// What a GOAWAY says that ends nothing yet.
const NOTHING_YET: u32 = i32::MAX as u32;

fn proxy(origin: &Origin, timeouts: &str, listener: &str) -> Proxy {
    let config = format!(
        r#"
[defaults.timeouts]
{timeouts}
[listener.web]
bind = "127.0.0.1:@web@"
{listener}
[[route]]
service = "app"
[service.app]
servers = ["@app@"]
[admin]
http = {{ bind = "127.0.0.1:@admin@" }}
"#
    );
    Proxy::start(&config, &[("app", origin.address())])
}

fn metric(proxy: &Proxy, wanted: &str) -> Option<u64> {
    let page = proxy.connect("admin").get("localhost", "/metrics").text();
    let line = page.lines().find(|line| line.starts_with(wanted))?;
    line.rsplit(' ').next()?.parse().ok()
}

fn served(client: &mut Http2, path: &str) -> u16 {
    let stream = client.get("a", path);
    client.answer(stream).status()
}

#[test]
fn a_header_block_that_dribbles_ends_the_connection() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = proxy(&origin, "client_header = \"300ms\"", "");
    let mut client = proxy.connect("web").http2();
    assert_eq!(served(&mut client, "/"), 200);
    let block = client.fields(&request("GET", "a", "/slow"));
    let stream = client.stream();
    client.frame(kind::HEADERS, flag::END_STREAM, stream, &block[..4]);
    assert_eq!(client.until_closed(), Some(ENHANCE_YOUR_CALM));
    assert_eq!(
        metric(
            &proxy,
            "portcullis_deadlines_total{listener=\"web\",deadline=\"client_header\"}"
        ),
        Some(1)
    );
}

/// The next one has always begun when one is complete, for longer than each of them may take.
#[test]
fn heads_that_follow_each_other_closely_have_each_their_own_time() {
    let origin = Origin::answering(|_| ok(""));
    let any_number = "limits = { requests_per_connection = \"off\" }";
    let proxy = proxy(&origin, "client_header = \"1s\"", any_number);
    let mut client = proxy.connect("web").http2();
    assert_eq!(served(&mut client, "/"), 200);
    let head = |client: &mut Http2| {
        let block = client.fields(&request("GET", "a", "/"));
        let (stream, length) = (client.stream(), block.len() as u8);
        let flags = flag::END_STREAM | flag::END_HEADERS;
        let mut bytes = vec![0, 0, length, kind::HEADERS, flags];
        bytes.extend(stream.to_be_bytes());
        bytes.extend(block);
        (stream, bytes)
    };
    let begun = Instant::now();
    let (mut stream, mut bytes) = head(&mut client);
    let mut sent = 0;
    while begun.elapsed() < Duration::from_millis(1500) {
        let (next, next_bytes) = head(&mut client);
        client.bytes(&[&bytes[sent..], &next_bytes[..4]].concat());
        assert_eq!(client.answer(stream).status(), 200);
        (stream, bytes, sent) = (next, next_bytes, 4);
    }
}

#[test]
fn a_client_that_says_nothing_is_closed() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = proxy(&origin, "client_header = \"200ms\"", "");
    let mut client = proxy.connect("web");
    client.send(portcullis_harness::http2::PREFACE);
    let mut client = client.frames();
    client.until_closed();
}

#[test]
fn a_client_that_does_not_acknowledge_settings_is_told_and_closed() {
    let origin = Origin::tcp(Peer::wait_closed);
    let proxy = proxy(&origin, "client_idle = \"300ms\"", "");
    let mut client = proxy.connect("web").http2();
    client.acknowledges = false;
    let stream = client.get("a", "/open");
    assert_eq!(client.until_closed(), Some(SETTINGS_TIMEOUT));
    assert_eq!(client.so_far(stream).status(), 0, "the request was open");
}

#[test]
fn an_idle_connection_is_told_and_closed() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = proxy(&origin, "client_idle = \"200ms\"", "");
    let mut client = proxy.connect("web").http2();
    assert_eq!(served(&mut client, "/"), 200);
    assert_eq!(client.until_closed(), Some(NO_ERROR));
    assert_eq!(client.goaways, [(1, NO_ERROR)]);
}

#[test]
fn a_body_that_stops_gets_408_and_ends_its_stream_alone() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = proxy(&origin, "client_body_idle = \"200ms\"", "");
    let mut client = proxy.connect("web").http2();
    let stream = client.post("a", "/stops");
    client.data(stream, b"some", false);
    client.until(|client| client.so_far(stream).reset.is_some());
    let answer = client.so_far(stream);
    assert_eq!((answer.status(), answer.reset), (408, Some(NO_ERROR)));
    assert_eq!(proxy.record("/stops")["deadline"], "client_body_idle");
    assert_eq!(served(&mut client, "/"), 200);
}

#[test]
fn a_client_that_opens_no_window_loses_the_stream() {
    let origin = Origin::answering(|_| ok(&"x".repeat(200_000)));
    let proxy = proxy(&origin, "client_write = \"300ms\"", "");
    let mut client = proxy.connect("web").http2();
    client.credits = false;
    let stream = client.get("a", "/blocked");
    let answer = client.answer(stream);
    assert!(
        answer.reset.is_some() && !answer.ended,
        "{:?}",
        answer.reset
    );
    assert_eq!(answer.body.len(), 65_535, "as much as the window allowed");
    assert_eq!(proxy.record("/blocked")["deadline"], "client_write");
    assert!(client.is_alive());
}

#[test]
fn a_client_that_reads_nothing_is_cut() {
    let origin = Origin::answering(|_| ok(&"x".repeat(8_000_000)));
    let proxy = proxy(&origin, "client_write = \"300ms\"", "");
    let settings = [(4, i32::MAX as u32)];
    let mut client = proxy.connect("web").http2_with(&settings);
    client.frame(kind::WINDOW_UPDATE, 0, 0, (1_u32 << 30).to_be_bytes());
    client.get("a", "/unread");
    let line = proxy.log_line("the cut", |line| line.contains("/unread"));
    assert!(line.contains("client"), "{line}");
}

#[test]
fn an_answer_waits_for_the_window_and_goes_on() {
    let origin = Origin::answering(|_| ok(&"0123456789".repeat(30_000)));
    let proxy = proxy(&origin, "", "");
    let mut client = proxy.connect("web").http2_with(&[(4, 10)]);
    let (one, two) = (client.get("a", "/1"), client.get("a", "/2"));
    for stream in [one, two] {
        let answer = client.answer(stream);
        assert_eq!(answer.body, "0123456789".repeat(30_000).as_bytes());
        assert!(answer.ended);
    }
}

#[test]
fn requests_per_connection_lead_to_a_graceful_end() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = proxy(&origin, "", "limits = { requests_per_connection = 3 }");
    let mut client = proxy.connect("web").http2();
    for _ in 0..3 {
        assert_eq!(served(&mut client, "/"), 200);
    }
    assert_eq!(client.until_closed(), Some(NO_ERROR));
    assert_eq!(client.goaways, [(NOTHING_YET, NO_ERROR), (5, NO_ERROR)]);
}

#[test]
fn an_old_connection_is_ended_gracefully() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = proxy(&origin, "connection_age = \"200ms\"", "");
    let mut client = proxy.connect("web").http2();
    assert_eq!(served(&mut client, "/"), 200);
    assert_eq!(client.until_closed(), Some(NO_ERROR));
}

#[test]
fn a_drain_lets_open_streams_end() {
    let origin = Origin::tcp(|peer| {
        peer.head().unwrap();
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
        assert_eq!(peer.exactly(14), b"4\r\nmore\r\n0\r\n\r\n");
        peer.send("4\r\nhalf\r\n0\r\n\r\n");
        peer.wait_closed();
    });
    let mut proxy = proxy(&origin, "", "");
    let mut client = proxy.connect("web").http2();
    let stream = client.post("a", "/slow");
    client.until(|client| client.so_far(stream).body == b"half");
    proxy.signal(rustix::process::Signal::TERM);
    client.until(|client| client.goaways.len() == 2);
    assert_eq!(client.goaways, [(NOTHING_YET, NO_ERROR), (1, NO_ERROR)]);
    client.data(stream, b"more", true);
    let answer = client.answer(stream);
    assert_eq!(answer.text(), "halfhalf");
    assert!(answer.ended && answer.reset.is_none(), "{answer:#?}");
    client.until_closed();
    assert_eq!(proxy.wait(), 0);
}

#[test]
fn a_flood_of_resets_ends_the_connection_and_is_counted() {
    let origin = Origin::answering(|_| ok("x"));
    let proxy = proxy(&origin, "", "");
    let mut client = proxy.connect("web").http2();
    let mut bystander = proxy.connect("web").http2();
    for _ in 0..2000 {
        let stream = client.get("a", "/reset");
        client.reset(stream, CANCEL);
    }
    assert_eq!(client.until_closed(), Some(ENHANCE_YOUR_CALM));
    let refused = "portcullis_refusals_total{listener=\"web\",reason=\"h2-flood-resets\"}";
    assert_eq!(metric(&proxy, refused), Some(1));
    eventually("the log tells of it", || {
        proxy.errors().contains("h2-flood-resets").then_some(())
    });
    assert_eq!(served(&mut bystander, "/"), 200);
}

#[test]
fn streams_beyond_the_bound_are_refused() {
    let origin = Origin::tcp(|peer| {
        if peer.request().is_some() {
            peer.wait_closed();
        }
    });
    let proxy = proxy(&origin, "", "http2 = { max_streams = 2 }");
    let mut client = proxy.connect("web").http2();
    let streams: Vec<_> = (0..3).map(|_| client.get("a", "/wait")).collect();
    assert_eq!(client.answer(streams[2]).reset, Some(7), "REFUSED_STREAM");
    assert_eq!(client.settings.get(&3), Some(&2));
    assert!(client.is_alive());
    assert_eq!(origin.requests().len().min(2), origin.requests().len());
}

#[test]
fn connections_and_requests_are_told_apart_by_protocol() {
    let origin = Origin::tcp(|peer| {
        if peer.request().is_some() {
            peer.wait_closed();
        }
    });
    let proxy = proxy(&origin, "", "");
    let mut client = proxy.connect("web").http2();
    let (one, two) = (client.get("a", "/1"), client.get("a", "/2"));
    let _http1 = {
        let mut client = proxy.connect("web");
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client
    };
    origin.wait_count(3);
    let of = |family: &str, protocol: &str| {
        let wanted = format!("{family}{{listener=\"web\",protocol=\"{protocol}\"}}");
        metric(&proxy, &wanted)
    };
    assert_eq!(of("portcullis_http_requests_in_flight", "h2"), Some(2));
    assert_eq!(of("portcullis_http_requests_in_flight", "h1"), Some(1));
    assert_eq!(of("portcullis_connections_open", "h2"), Some(1));
    assert_eq!(of("portcullis_connections_open", "h1"), Some(1));
    client.reset(one, CANCEL);
    client.reset(two, CANCEL);
    eventually("no request is in flight", || {
        (of("portcullis_http_requests_in_flight", "h2") == Some(0)).then_some(())
    });
}
