//! A guarded reload: watched for a while, and taken back when what it changed does worse than before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;

use portcullis_harness::{Client, Finished, Origin, Proxy, eventually, ok};

/// One route to one service at `servers`.
fn towards(servers: &str) -> String {
    format!(
        "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nname = \"all\"\nservice = \"app\"\n[service.app]\nservers = [{servers}]\n[admin]\nsocket = {{ path = \"@dir@/admin.sock\", mode = \"0600\", level = \"admin\" }}\nhttp = {{ bind = \"127.0.0.1:@metrics@\" }}\n"
    )
}

/// Asks over and over until told to stop, whatever the answers are.
fn ask<'scope>(scope: &'scope Scope<'scope, '_>, port: u16, stop: &'scope AtomicBool) {
    scope.spawn(move || {
        let mut client = Client::tcp(("127.0.0.1", port));
        while !stop.load(Ordering::Relaxed) {
            let answer = client.get("a", "/");
            // After so many requests on one connection.
            if answer.fields.one("connection") == Some("close") {
                client = Client::tcp(("127.0.0.1", port));
            }
        }
    });
}

/// A guarded reload of what is in the file, with requests going on.
fn guarded_reload(proxy: &Proxy, arguments: &[&str]) -> Finished {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        ask(scope, proxy.port("web"), &stop);
        let said = proxy.command(arguments);
        stop.store(true, Ordering::Relaxed);
        said
    })
}

fn failing(_: &portcullis_harness::Request) -> Vec<u8> {
    b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno".to_vec()
}

fn metric(proxy: &Proxy, wanted: &str) -> bool {
    let page = proxy.connect("metrics").get("a", "/metrics").text();
    page.lines().any(|line| line == wanted)
}

/// Requests that a server of the service has had.
fn sessions(proxy: &Proxy, server: &str) -> u64 {
    let rows = proxy.admin("show stat");
    let row = rows
        .lines()
        .find(|line| line.starts_with(&format!("app,{server},")))
        .unwrap();
    row.split(',').nth(7).unwrap().parse().unwrap()
}

#[test]
fn a_change_that_makes_things_worse_is_taken_back() {
    let (good, bad) = (
        Origin::answering(|_| ok("good")),
        Origin::answering(failing),
    );
    let names = [("good", good.address()), ("bad", bad.address())];
    let mut proxy = Proxy::start(&towards("\"@good@\""), &names);
    let mut client = proxy.connect("web");
    for _ in 0..50 {
        assert_eq!(client.get("a", "/").text(), "good");
    }
    proxy.rewrite(&towards("\"@bad@\""));
    let said = guarded_reload(&proxy, &["reload", "--guard", "60s"]).expect(1);
    for wanted in [
        "generation 2 made things worse within",
        "requests failed, 0.0% before",
        "generation 2 -> 3 in ",
        "rolled back: the configuration of generation 1 is in force again",
    ] {
        assert!(said.err.contains(wanted), "{wanted}: {}", said.err);
    }
    assert_eq!(client.get("a", "/").text(), "good");
    assert!(sessions(&proxy, "s1") > 50, "its state was kept warm");
    // The evidence is kept, and monitoring is told.
    let told = proxy.command(&["generations", "--json"]).expect(0);
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    let last = told.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["by"], &last["outcome"], &last["generation"]),
        (&"guard".into(), &"rolled back".into(), &3.into()),
        "{told}"
    );
    let evidence = last["changes"][0].as_str().unwrap();
    assert!(evidence.starts_with("worse: service `app`: "), "{evidence}");
    assert!(metric(
        &proxy,
        "portcullis_config_reloads_total{result=\"rolled_back\"} 1"
    ));
    assert!(metric(&proxy, "portcullis_config_last_reload_successful 0"));
    assert!(proxy.errors().contains("made things worse"));
}

#[test]
fn a_server_that_cannot_be_reached_is_noticed_though_another_answers() {
    let good = Origin::answering(|_| ok("good"));
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = gone.local_addr().unwrap().to_string();
    drop(gone);
    let names = [("good", good.address()), ("nowhere", &nowhere)];
    let mut proxy = Proxy::start(&towards("\"@good@\""), &names);
    let mut client = proxy.connect("web");
    for _ in 0..50 {
        assert_eq!(client.get("a", "/").status, 200);
    }
    proxy.rewrite(&towards("\"@good@\", \"@nowhere@\""));
    let said = guarded_reload(&proxy, &["reload", "--guard", "60s", "--json"]).expect(1);
    let told: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(told["result"], "rolled-back", "{told}");
    let evidence = told["evidence"][0].as_str().unwrap();
    assert!(
        evidence.contains("tries at servers failed, 0.0% before"),
        "{evidence}"
    );
}

#[test]
fn a_change_that_does_well_stays() {
    let (one, two) = (
        Origin::answering(|_| ok("one")),
        Origin::answering(|_| ok("two")),
    );
    let names = [("one", one.address()), ("two", two.address())];
    let mut proxy = Proxy::start(&towards("\"@one@\""), &names);
    proxy.rewrite(&towards("\"@two@\""));
    let said = guarded_reload(&proxy, &["reload", "--guard", "1s"]).expect(0);
    assert!(
        said.out.contains("guarded for 1s: nothing got worse"),
        "{}",
        said.out
    );
    assert_eq!(proxy.connect("web").get("a", "/").text(), "two");
    let said = proxy.command(&["reload", "--guard", "1s"]).expect(0);
    assert!(said.out.contains("unchanged"), "{}", said.out);
    proxy.command(&["reload", "--guard", "2h"]).expect(1);
}

#[test]
fn another_change_ends_the_guard_of_the_one_before() {
    let origin = Origin::answering(failing);
    let names = [("app", origin.address())];
    let mut proxy = Proxy::start(&towards("\"@app@\""), &names);
    proxy.rewrite(&towards("\"@app@\", \"127.0.0.1:1\""));
    let first = std::thread::scope(|scope| {
        let guarded = scope.spawn(|| proxy.command(&["reload", "--guard", "60s"]));
        eventually("the first change is in force", || {
            let told = proxy.admin("show generations");
            told.contains("1 server added").then_some(())
        });
        let back = proxy.admin("rollback");
        assert!(back.starts_with("Success=1\n"), "{back}");
        guarded.join().unwrap()
    });
    let first = first.expect(0);
    assert!(
        first.out.contains("another change has taken its place"),
        "{}",
        first.out
    );
}
