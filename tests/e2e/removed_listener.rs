//! A listener that a reload takes away: who is connected still has an answer, and goes within `drain_timeout`.

use std::sync::Arc;

use portcullis_harness::{Client, Origin, Proxy};

use crate::load::origin;

fn config(drain_timeout: &str, web: &str, saying: &str) -> String {
    format!(
        "[global]\ndrain_timeout = \"{drain_timeout}\"\n[listener.stays]\nbind = \"127.0.0.1:@stays@\"\n{web}[[route]]\npath = \"/who\"\nrespond = {{ status = 200, body = \"{saying}\" }}\n[[route]]\npath = \"/\"\nservice = \"app\"\n[service.app]\nservers = [\"@app@\"]\n"
    )
}

const WEB: &str = "[listener.web]\nbind = \"127.0.0.1:@web@\"\n";

const ASK: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn get(client: &mut Client, path: &str) -> (String, bool) {
    let answer = client.get("a", path);
    assert_eq!(answer.status, 200);
    (
        answer.text(),
        answer.fields.one("connection") == Some("close"),
    )
}

#[test]
fn its_clients_have_one_more_answer_under_the_plan_it_was_in() {
    let origin = origin(&Arc::default());
    let mut proxy = Proxy::start(&config("60s", WEB, "old"), &[("app", origin.address())]);
    let mut clients = [proxy.connect("web"), proxy.connect("web")];
    for client in &mut clients {
        assert_eq!(get(client, "/who"), ("old".to_owned(), false));
    }
    let mut http2 = proxy.connect("web").http2();
    let stream = http2.get("a", "/who");
    assert_eq!(http2.answer(stream).text(), "old");

    proxy.reload(&config("60s", "", "new")).expect(0);
    let [first, second] = &mut clients;
    assert_eq!(get(first, "/who"), ("old".to_owned(), true));
    first.expect_closed();
    // A reload about something else takes nothing of that away.
    proxy.reload(&config("60s", "", "newer")).expect(0);
    assert_eq!(get(second, "/"), ("0 bytes".to_owned(), true));
    second.expect_closed();
    // Sent before the client can have seen that it is to go.
    let stream = http2.get("a", "/who");
    assert_eq!(http2.answer(stream).text(), "old");
    let _ = http2.until_closed();
    assert!(!http2.goaways.is_empty());
    assert_eq!(get(&mut proxy.connect("stays"), "/who").0, "newer");
}

#[test]
fn idle_clients_and_tunnels_go_in_time() {
    let origin = origin(&Arc::default());
    let mut proxy = Proxy::start(&config("1s", WEB, "old"), &[("app", origin.address())]);
    let mut idle: Vec<Client> = (0..20).map(|_| proxy.connect("web")).collect();
    for client in &mut idle {
        get(client, "/who");
    }
    let mut tunnel = proxy.connect("web");
    tunnel.send(ASK);
    assert_eq!(tunnel.response().status, 101);
    let mut kept = proxy.connect("stays");
    kept.send(ASK);
    assert_eq!(kept.response().status, 101);

    proxy.reload(&config("1s", "", "new")).expect(0);
    let frame = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
    tunnel.send(frame);
    assert_eq!(tunnel.exactly(8), frame, "until its time it goes on");
    idle.iter_mut().for_each(Client::expect_closed);
    assert_eq!(tunnel.exactly(4), [0x88, 2, 0x03, 0xe9], "1001, going away");
    tunnel.expect_closed();
    kept.send(frame);
    assert_eq!(kept.exactly(8), frame, "what stays is not disturbed");
}

#[test]
fn a_tunnel_that_never_pauses_is_cut() {
    // One frame without end, so that no goodbye can be put in.
    let origin = Origin::tcp(|peer| {
        if peer.request().is_some() {
            peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
            peer.send([0x82, 127, 0x40, 0, 0, 0, 0, 0, 0, 0]);
            while peer.try_send([b'x'; 4096]).is_ok() {}
        }
    });
    let mut proxy = Proxy::start(&config("1s", WEB, "old"), &[("app", origin.address())]);
    let mut tunnel = proxy.connect("web");
    tunnel.send(ASK);
    assert_eq!(tunnel.response().status, 101);
    assert_eq!(tunnel.exactly(2), [0x82, 127]);
    proxy.reload(&config("1s", "", "new")).expect(0);
    while tunnel.try_exactly(4096).is_ok() {}
    let record = proxy.record("/ws");
    assert_eq!(record["ended_by"], "shutdown", "{record}");
}
