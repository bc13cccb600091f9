//! A reload changes what it says and nothing else: connections stay open, state stays, a bad file does nothing.

use portcullis_harness::{Authority, Origin, Proxy, Setup, eventually, ok};
use rustix::process::Signal;

fn saying(text: &str) -> String {
    format!(
        "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nname = \"all\"\nrespond = {{ status = 200, body = \"{text}\" }}\n"
    )
}

#[test]
fn a_reload_takes_effect_on_a_connection_that_stays_open() {
    let mut proxy = Proxy::start(&saying("one"), &[]);
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a", "/").text(), "one");
    let said = proxy.reload(&saying("two")).expect(0);
    assert!(!said.out.is_empty(), "a reload says what it did");
    assert_eq!(client.get("a", "/").text(), "two");
    proxy.rewrite(&saying("three"));
    proxy.command(&["-s", "reload"]).expect(0);
    assert_eq!(client.get("a", "/").text(), "three");
}

#[test]
fn the_answer_tells_what_changed_what_was_kept_and_what_was_reset() {
    let origin = Origin::answering(|_| ok("x"));
    let config = |rate: &str, more: &str| {
        format!(
            "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nname = \"all\"\nservice = \"app\"\nrate_limit = {{ rate = \"{rate}\" }}\n[service.app]\nservers = [\"@app@\"{more}]\n"
        )
    };
    let mut proxy = Proxy::start(&config("50/s", ""), &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a", "/").status, 200);
    let said = proxy.reload(&config("60/s", ", \"127.0.0.1:1\"")).expect(0);
    let mut lines = said.out.lines().rev();
    let sum = lines.next().unwrap();
    assert!(
        sum.starts_with("generation 1 -> 2 in ")
            && sum.ends_with(
                "1 route changed, 1 server added; kept 1 connection; reset 1 limiter (\"route all\": rate, burst changed)"
            ),
        "{sum}"
    );
    assert_eq!(lines.next(), Some("server `app/s2` (127.0.0.1:1) added"));
    proxy.rewrite(&config("60/s", ""));
    let said = proxy.command(&["reload", "--json"]).expect(0);
    let told: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(told["generation"]["to"], 3, "{told}");
    assert_eq!(told["kept"]["connections"], 1, "{told}");
    assert_eq!(told["changes"][0]["kind"], "removed", "{told}");
    proxy.rewrite("[listener");
    let said = proxy.command(&["reload", "--json"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("\"rejected\""), "{}", said.out);
    assert_eq!(client.get("a", "/").status, 200);
}

#[test]
fn of_two_reloads_at_once_the_later_waits() {
    let mut proxy = Proxy::start(&saying("one"), &[]);
    proxy.rewrite(&saying("two"));
    let answers: Vec<String> = std::thread::scope(|scope| {
        let proxy = &proxy;
        let asking: Vec<_> = (0..5)
            .map(|_| scope.spawn(move || proxy.admin("reload")))
            .collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let count = |wanted: &str| {
        answers
            .iter()
            .filter(|answer| answer.contains(wanted))
            .count()
    };
    assert_eq!(
        (count("generation 1 -> 2"), count("unchanged")),
        (1, 4),
        "every one is answered, after the one before: {answers:?}"
    );
}

#[test]
fn hup_reloads() {
    let mut proxy = Proxy::start(&saying("one"), &[]);
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a", "/").text(), "one");
    proxy.rewrite(&saying("two"));
    proxy.signal(Signal::HUP);
    proxy.wait_notice("RELOADING=1");
    proxy.wait_notice("READY=1");
    assert_eq!(client.get("a", "/").text(), "two");
}

#[test]
fn a_bad_file_changes_nothing_and_says_why() {
    let mut proxy = Proxy::start(&saying("one"), &[]);
    let mut client = proxy.connect("web");
    for bad in [
        "[listener.web]\nbimd = 1\n",
        "",
        "not toml at all [",
        "[[route]]\nservice = \"gone\"\n",
    ] {
        let said = proxy.reload(bad);
        assert_ne!(said.code, 0, "{bad:?}: {}{}", said.out, said.err);
        assert!(!format!("{}{}", said.out, said.err).is_empty());
        assert_eq!(client.get("a", "/").text(), "one");
        assert_eq!(proxy.connect("web").get("a", "/").text(), "one");
    }
    let said = proxy.reload("[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nservise = \"app\"\nrespond = { status = 200 }\n");
    let text = format!("{}{}", said.out, said.err);
    assert!(
        text.contains("servise") && text.contains("portcullis.toml:4"),
        "{text}"
    );
    proxy.reload(&saying("two")).expect(0);
    assert_eq!(client.get("a", "/").text(), "two");
}

#[test]
fn a_port_that_is_taken_rejects_the_whole_reload() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut proxy = Setup::new()
        .set("taken", taken.local_addr().unwrap().port().to_string())
        .start(&saying("one"));
    let config = format!(
        "{}[listener.more]\nbind = \"127.0.0.1:@taken@\"\n",
        saying("two")
    );
    let said = proxy.reload(&config);
    assert_ne!(said.code, 0);
    assert_eq!(
        proxy.connect("web").get("a", "/").text(),
        "one",
        "nothing is half-applied"
    );
}

#[test]
fn listeners_come_and_go() {
    let mut proxy = Proxy::start(&saying("one"), &[]);
    let more = format!(
        "{}[listener.more]\nbind = \"127.0.0.1:@more@\"\n",
        saying("two")
    );
    proxy.reload(&more).expect(0);
    assert_eq!(proxy.connect("more").get("a", "/").text(), "two");
    proxy.reload(&saying("three")).expect(0);
    let port = proxy.port("more");
    eventually("the removed listener refuses", || {
        std::net::TcpStream::connect(("127.0.0.1", port))
            .is_err()
            .then_some(())
    });
    assert_eq!(proxy.connect("web").get("a", "/").text(), "three");
}

#[test]
fn a_request_in_flight_is_not_disturbed() {
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::answering(move |_| {
        let _ = gate.lock().unwrap().recv();
        ok("old")
    });
    let with_app = "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nservice = \"app\"\n[service.app]\nservers = [\"@app@\"]\n";
    let mut proxy = Proxy::start(with_app, &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.wait_count(1);
    proxy.reload(&saying("new")).expect(0);
    go.send(()).unwrap();
    assert_eq!(client.response().text(), "old");
    assert_eq!(client.get("a", "/").text(), "new");
}

#[test]
fn state_is_carried_by_name() {
    let origin = Origin::answering(|_| ok("x"));
    let config = |extra: &str| {
        format!(
            "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nname = \"all\"\nservice = \"app\"\nrate_limit = {{ key = \"client_ip\", rate = \"1/h\", burst = 3 }}\n[service.app]\nservers = [{{ name = \"a\", address = \"@app@\" }}, {{ name = \"b\", address = \"@app@\", weight = 7 }}]\n{extra}"
        )
    };
    let mut proxy = Proxy::start(&config(""), &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    assert_eq!(
        (client.get("a", "/").status, client.get("a", "/").status),
        (200, 200)
    );
    assert_eq!(proxy.admin("set server app/a state maint"), "\n");
    proxy
        .reload(&config(
            "[[route]]\npath = \"/new\"\nrespond = { status = 204 }\n",
        ))
        .expect(0);
    assert_eq!(client.get("a", "/new").status, 204);
    assert_eq!(client.get("a", "/").status, 200, "the third of three");
    assert_eq!(
        client.get("a", "/").status,
        429,
        "the bucket was carried over"
    );
    let rows = proxy.admin("show stat");
    let row = rows
        .lines()
        .find(|line| line.starts_with("app,a,"))
        .unwrap();
    assert_eq!(
        row.split(',').nth(17),
        Some("MAINT"),
        "what an operator has set stays"
    );
    eventually("the service's counter goes on to three", || {
        let rows = proxy.admin("show stat");
        let service = rows.lines().find(|line| line.starts_with("app,BACKEND,"))?;
        (service.split(',').nth(7) == Some("3")).then_some(())
    });
}

#[test]
fn a_new_certificate_serves_the_next_handshake() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let config = "[listener.tls]\nbind = \"127.0.0.1:@tls@\"\n[listener.tls.tls]\ncertificates = [{ cert = \"site.pem\", key = \"site.key\" }]\n[[route]]\nrespond = { status = 200, body = \"x\" }\n";
    let mut proxy = Setup::new()
        .identity("site", &old.issue(&["a.test"]))
        .start(config);
    let mut held = old.client().connect(proxy.port("tls"), "a.test");
    assert_eq!(held.get("a.test", "/").status, 200);
    let identity = new.issue(&["a.test"]);
    proxy.file("site.pem", &identity.cert);
    proxy.file("site.key", &identity.key);
    proxy.reload(config).expect(0);
    assert!(
        new.client()
            .try_connect(proxy.port("tls"), "a.test")
            .is_ok()
    );
    assert!(
        old.client()
            .try_connect(proxy.port("tls"), "a.test")
            .is_err()
    );
    assert_eq!(
        held.get("a.test", "/").status,
        200,
        "an open connection goes on"
    );
}

#[test]
fn what_cannot_change_is_refused_by_name() {
    let mut proxy = Proxy::start(&saying("one"), &[]);
    let said = proxy.reload(&format!("{}[global]\nthreads = 5\n", saying("two")));
    let text = format!("{}{}", said.out, said.err);
    assert_ne!(said.code, 0, "{text}");
    assert!(text.contains("threads"), "{text}");
    assert_eq!(proxy.connect("web").get("a", "/").text(), "one");
}

#[test]
fn many_reloads_under_load_lose_no_request() {
    let origin = Origin::answering(|_| ok("x"));
    let config = |turn: usize| {
        format!(
            "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nservice = \"app\"\n[[route]]\npath = \"/{turn}\"\nrespond = {{ status = 204 }}\n[service.app]\nservers = [\"@app@\"]\n"
        )
    };
    let mut proxy = Proxy::start(&config(0), &[("app", origin.address())]);
    let port = proxy.port("web");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = portcullis_harness::Client::tcp(("127.0.0.1", port));
                    let mut served = 0;
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        assert_eq!(client.get("a", "/work").status, 200);
                        served += 1;
                    }
                    served
                })
            })
            .collect();
        for turn in 1..=10 {
            proxy.reload(&config(turn)).expect(0);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let served: usize = workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum();
        assert_eq!(served, origin.count());
    });
    assert_eq!(proxy.connect("web").get("a", "/10").status, 204);
}
