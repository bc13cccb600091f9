//! How shared connections to servers are filled, fail and end.

use super::{CONFIG, Gate, echo, origin, proxy, with_http2};
use portcullis_harness::http2::{Frame, kind, request};
use portcullis_harness::{Authority, Http2Peer, Origin, OriginTls, Proxy, Setup, eventually};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

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

/// However many there are: what one answer does wrong costs that answer.
#[test]
fn any_number_of_bad_answers_harm_no_other() {
    let origin = origin(|http2| {
        let mut victim = None;
        while let Some(stream) = http2.whole() {
            match http2.calls[&stream].path() {
                "/victim" => {
                    http2.head(stream, 200, &[], false);
                    http2.data(stream, b"first ", false);
                    victim = Some(stream);
                }
                "/end" => {
                    http2.data(victim.unwrap(), b"last", true);
                    http2.answer(stream, 200, b"");
                }
                _ => http2.head(stream, 200, &[("keep-alive", "timeout=5")], true),
            }
        }
    });
    let proxy = proxy(&origin);
    let mut client = proxy.connect("web").http2();
    let victim = client.get("a", "/victim");
    client.until(|client| client.so_far(victim).text() == "first ");
    let mut other = proxy.connect("web");
    for _ in 0..150 {
        assert_eq!(other.get("a", "/bad").status, 502);
    }
    assert_eq!(other.get("a", "/end").status, 200);
    assert_eq!(client.answer(victim).text(), "first last");
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
fn a_place_for_one_client_is_found_by_that_client_though_another_waited_longer() {
    let (first, second) = (Gate::default(), Gate::default());
    let gates = [first.clone(), second.clone()];
    let origin = Origin::tcp(move |peer| {
        peer.proxy_header();
        with_http2(peer, &[], &|http2| {
            http2.answer_all(|call| {
                match call.path() {
                    "/a1" => gates[0].pass(),
                    "/b1" => gates[1].pass(),
                    _ => {}
                }
                (200, b"ok".to_vec())
            });
        });
    });
    let config = format!(
        "{CONFIG}proxy_protocol = \"v1\"\nhttp2 = {{ max_streams = 1, max_connections = 1 }}\n"
    );
    let proxy = Proxy::start(&config, &[("app", origin.address())]);
    let mut a = proxy.connect("web").http2();
    let mut b = proxy.connect("web").http2();
    let b1 = b.get("a", "/b1");
    origin.wait_count(1);
    let a1 = a.get("a", "/a1");
    origin.wait_count(2);
    // Requests of a connection are taken in their order, so a PING's answer says that those before it wait.
    let b2 = b.get("a", "/b2");
    assert!(b.is_alive());
    let a2 = a.get("a", "/a2");
    assert!(a.is_alive());
    first.open();
    assert_eq!(a.answer(a1).status(), 200);
    assert_eq!(a.answer(a2).status(), 200, "its connection is free");
    second.open();
    assert_eq!(b.answer(b1).status(), 200);
    assert_eq!(b.answer(b2).status(), 200);
    assert_eq!(origin.connections(), 2);
}

#[test]
fn one_request_goes_ahead_until_a_server_says_how_many_it_takes() {
    let gate = Gate::default();
    let ahead = Arc::new(AtomicUsize::new(0));
    let (held, seen) = (gate.clone(), Arc::clone(&ahead));
    let origin = Origin::tcp(move |peer| {
        held.pass();
        with_http2(peer, &[(3, 2)], &|http2| {
            http2.frame(kind::PING, 0, 0, *b"so far..");
            http2.until(|http2| http2.echoes > 0);
            seen.store(http2.calls.len(), Ordering::SeqCst);
            http2.answer_all(|_| (200, b"ok".to_vec()));
        });
    });
    let config = format!("{CONFIG}http2 = {{ max_connections = 1 }}\n");
    let proxy = Proxy::start(&config, &[("app", origin.address())]);
    let mut client = proxy.connect("web").http2();
    let streams: Vec<u32> = (0..5).map(|_| client.get("a", "/")).collect();
    assert!(client.is_alive());
    gate.open();
    for stream in streams {
        assert_eq!(client.answer(stream).status(), 200);
    }
    // A second may follow once the settings have come, before the PING has.
    assert!(ahead.load(Ordering::SeqCst) <= 2);
}

#[test]
fn refused_streams_are_sent_again_a_few_times_without_counting_as_attempts() {
    for (refusals, status) in [(3, 200), (4, 502)] {
        let turns = AtomicUsize::new(0);
        let origin = origin(move |http2| {
            while let Some(stream) = http2.whole() {
                if turns.fetch_add(1, Ordering::SeqCst) < refusals {
                    http2.reset(stream, 7);
                } else {
                    http2.answer(stream, 200, b"done");
                }
            }
        });
        let config = format!("{CONFIG}retry = {{ attempts = 1 }}\n");
        let proxy = Proxy::start(&config, &[("app", origin.address())]);
        assert_eq!(proxy.connect("web").get("a", "/x").status, status);
        assert_eq!(proxy.record("/x")["attempts"], 4);
        assert_eq!(origin.connections(), 1);
    }
}

#[test]
fn a_server_that_takes_no_requests_yet_is_waited_for() {
    let origin = Origin::tcp(|peer| {
        with_http2(peer, &[(3, 0)], &|http2| {
            let Some(ahead) = http2.whole() else { return };
            http2.reset(ahead, 7);
            http2.frame(kind::PING, 0, 0, *b"so far..");
            http2.until(|http2| http2.echoes > 0);
            assert_eq!(http2.calls.len(), 1);
            http2.frame(kind::SETTINGS, 0, 0, Frame::settings(&[(3, 1)]));
            http2.answer_all(|_| (200, b"ok".to_vec()));
        });
    });
    let config = format!("{CONFIG}retry = {{ attempts = 1 }}\nhttp2 = {{ max_connections = 1 }}\n");
    let proxy = Proxy::start(&config, &[("app", origin.address())]);
    let mut client = proxy.connect("web").http2();
    let streams: Vec<u32> = (0..3).map(|_| client.get("a", "/")).collect();
    for stream in streams {
        assert_eq!(client.answer(stream).status(), 200);
    }
}

#[test]
fn a_maker_in_a_hurry_does_not_fail_those_who_wait_for_its_connection() {
    let gate = Gate::default();
    let held = gate.clone();
    let turns = AtomicUsize::new(0);
    let authority = Authority::new("internal");
    let tls = OriginTls::new(&authority.issue(&["127.0.0.1"])).offering(&["h2"]);
    let origin = Origin::tls(&tls, move |peer| {
        if turns.fetch_add(1, Ordering::SeqCst) == 0 {
            held.pass(); // the handshake waits
        }
        with_http2(peer, &[], &echo);
    });
    let hurry =
        "[[route]]\npath = \"/hurry\"\nservice = \"app\"\ntimeouts = { request = \"200ms\" }\n";
    let config = CONFIG.replacen("[[route]]", &format!("{hurry}[[route]]"), 1);
    let proxy = Setup::new()
        .file("ca.pem", authority.pem())
        .set("app", origin.address())
        .start(&format!("{config}tls = {{ ca = \"ca.pem\" }}\n"));
    let mut client = proxy.connect("web").http2();
    let hurry = client.get("a", "/hurry");
    let patient = client.get("a", "/patient");
    assert_eq!(client.answer(hurry).status(), 504);
    assert_eq!(client.answer(patient).text(), "/patient ");
    assert_eq!(origin.connections(), 2);
    gate.open();
}

#[test]
fn connections_for_one_client_each_are_kept_no_more_than_unused_ones_may_be() {
    let origin = Origin::tcp(|peer| {
        peer.proxy_header();
        with_http2(peer, &[], &echo);
    });
    let config = format!("{CONFIG}proxy_protocol = \"v1\"\npool = {{ max_idle = 2 }}\n");
    let proxy = Proxy::start(&config, &[("app", origin.address())]);
    let mut clients: Vec<_> = (0..5).map(|_| proxy.connect("web")).collect();
    for client in &mut clients {
        assert_eq!(client.get("a", "/x").text(), "/x ");
    }
    origin.wait_open(2);
    assert_eq!(origin.connections(), 5);
    assert_eq!(clients[4].get("a", "/x").text(), "/x ");
    assert_eq!(origin.connections(), 5, "the one used last is still there");
}

#[test]
fn a_reload_that_lowers_the_requests_at_once_holds_for_connections_that_are_there() {
    let gate = Gate::default();
    let most = Arc::new(AtomicUsize::new(0));
    let (held, seen) = (gate.clone(), Arc::clone(&most));
    let origin = origin(move |http2| {
        let Some(first) = http2.whole() else { return };
        http2.answer(first, 200, b"first");
        let two: Vec<u32> = (0..2).filter_map(|_| http2.whole()).collect();
        held.pass();
        http2.frame(kind::PING, 0, 0, *b"so far..");
        http2.until(|http2| http2.echoes > 0);
        seen.store(http2.calls.len(), Ordering::SeqCst);
        two.iter()
            .for_each(|stream| http2.answer(*stream, 200, b"ok"));
        http2.answer_all(|_| (200, b"ok".to_vec()));
    });
    let config =
        |most| format!("{CONFIG}http2 = {{ max_streams = {most}, max_connections = 1 }}\n");
    let mut proxy = Proxy::start(&config(50), &[("app", origin.address())]);
    assert_eq!(proxy.connect("web").get("a", "/").status, 200);
    proxy.reload(&config(2)).expect(0);
    let mut client = proxy.connect("web").http2();
    let streams: Vec<u32> = (0..5).map(|_| client.get("a", "/")).collect();
    assert!(client.is_alive());
    gate.open();
    for stream in streams {
        assert_eq!(client.answer(stream).status(), 200);
    }
    assert_eq!(most.load(Ordering::SeqCst), 3, "the first one, and two");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn whatever_comes_from_a_server_shows_that_it_lives() {
    let origin = origin(|http2| {
        http2.pongs = false;
        let Some(stream) = http2.begun() else { return };
        http2.head(stream, 200, &[], false);
        http2.begun();
        http2.until(|http2| http2.pings > 0);
        http2.data(stream, b"alive", false);
        http2.answer_all(|_| (200, b"next".to_vec()));
    });
    let config = format!("{CONFIG}timeouts = {{ response_header = \"1s\" }}\n");
    let proxy = Proxy::start(&config, &[("app", origin.address())]);
    let mut client = proxy.connect("web").http2();
    let stream = client.get("a", "/slow");
    client.until(|http2| !http2.so_far(stream).fields.0.is_empty());
    assert_eq!(proxy.connect("web").get("a", "/stuck").status, 504);
    client.until(|http2| http2.so_far(stream).body == b"alive");
    assert_eq!(proxy.connect("web").get("a", "/next").text(), "next");
    assert_eq!(origin.connections(), 1, "it is used again");
}

#[test]
fn an_answer_without_a_body_gives_its_place_back_at_once() {
    let origin = Origin::tcp(|peer| {
        with_http2(peer, &[(3, 1)], &|http2| {
            http2.answer_all(|_| (204, Vec::new()));
        });
    });
    let config =
        format!("{CONFIG}timeouts = {{ connect = \"2s\" }}\nhttp2 = {{ max_connections = 1 }}\n");
    let proxy = Proxy::start(&config, &[("app", origin.address())]);
    let mut client = proxy.connect("web").http2();
    let streams: Vec<u32> = (0..8).map(|_| client.get("a", "/")).collect();
    for stream in streams {
        assert_eq!(client.answer(stream).status(), 204);
    }
}
