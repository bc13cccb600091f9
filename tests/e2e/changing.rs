//! What an operator knows before, during and after a change: plan, watched files, generations and the way back.

use portcullis_harness::{Authority, Origin, Proxy, Setup, eventually, ok};

fn saying(text: &str) -> String {
    format!(
        "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nname = \"all\"\nrespond = {{ status = 200, body = \"{text}\" }}\n"
    )
}

#[test]
fn a_certificate_that_is_renewed_is_served_without_a_reload() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let config = "[listener.tls]\nbind = \"127.0.0.1:@tls@\"\n[listener.tls.tls]\ncertificates = [{ cert = \"site.pem\", key = \"site.key\" }]\n[[route]]\nrespond = { status = 200, body = \"x\" }\n[admin]\nhttp = { bind = \"127.0.0.1:@metrics@\" }\n";
    let mut proxy = Setup::new()
        .identity("site", &old.issue(&["a.test"]))
        .start(config);
    let port = proxy.port("tls");
    let mut held = old.client().connect(port, "a.test");
    assert_eq!(held.get("a.test", "/").status, 200);
    let metric = |proxy: &Proxy, wanted: &str| {
        let page = proxy.connect("metrics").get("a", "/metrics").text();
        page.lines().any(|line| line.starts_with(wanted))
    };
    assert!(metric(
        &proxy,
        "portcullis_certificate_expiry_timestamp_seconds{kind=\"listener\",name=\"tls\",certificate="
    ));
    // A certificate without its key is refused, once, and the old pair stays.
    let identity = new.issue(&["a.test"]);
    proxy.file("site.pem", &identity.cert);
    eventually("the bad pair is told", || {
        proxy
            .errors()
            .contains("changed certificates cannot be used")
            .then_some(())
    });
    assert!(metric(
        &proxy,
        "portcullis_certificate_renewals_total{result=\"rejected\"} 1"
    ));
    assert!(old.client().try_connect(port, "a.test").is_ok());
    // The key, put in its place as tools do: written beside it and renamed.
    proxy.file("next.key", &identity.key);
    let folder = proxy.folder();
    std::fs::rename(folder.join("next.key"), folder.join("site.key")).unwrap();
    eventually("the new pair is served", || {
        new.client()
            .try_connect(port, "a.test")
            .is_ok()
            .then_some(())
    });
    assert!(metric(
        &proxy,
        "portcullis_certificate_renewals_total{result=\"renewed\"} 1"
    ));
    assert_eq!(
        held.get("a.test", "/").status,
        200,
        "an open connection goes on"
    );
    assert_eq!(
        proxy
            .errors()
            .matches("changed certificates cannot be used")
            .count(),
        1
    );
}

#[test]
fn a_bad_pair_holds_up_no_other() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let config = "[listener.tls]\nbind = \"127.0.0.1:@tls@\"\n[listener.tls.tls]\ncertificates = [{ cert = \"a.pem\", key = \"a.key\" }, { cert = \"b.pem\", key = \"b.key\" }]\n[[route]]\nrespond = { status = 200, body = \"x\" }\n";
    let mut proxy = Setup::new()
        .identity("a", &old.issue(&["a.test"]))
        .identity("b", &old.issue(&["b.test"]))
        .start(config);
    let port = proxy.port("tls");
    let serves = |authority: &Authority, name: &str| {
        let client = authority.client();
        client.try_connect(port, name).is_ok().then_some(())
    };
    proxy.file("a.key", "cut short");
    let renewed = new.issue(&["b.test"]);
    proxy.file("b.pem", &renewed.cert);
    proxy.file("b.key", &renewed.key);
    eventually("the good pair is served", || serves(&new, "b.test"));
    assert!(
        serves(&old, "a.test").is_some(),
        "the bad one stays as it was"
    );
    assert!(proxy.errors().contains("the old ones stay in force"));
    let expired = old.issue_expired(&["b.test"]);
    proxy.file("b.pem", &expired.cert);
    proxy.file("b.key", &expired.key);
    let mended = new.issue(&["a.test"]);
    proxy.file("a.pem", &mended.cert);
    proxy.file("a.key", &mended.key);
    eventually("the mended pair is served", || serves(&new, "a.test"));
    assert!(
        serves(&new, "b.test").is_some(),
        "one that has expired is not taken"
    );
}

#[test]
fn a_configuration_that_watches_itself_reloads_when_it_changes() {
    let watching = |text: &str| {
        format!(
            "include = [\"conf.d/*.toml\"]\n{}[global]\nthreads = 2\nwatch = true\n",
            saying(text)
        )
    };
    let mut proxy = Setup::new()
        .file("conf.d/.keep", "")
        .start(&watching("one"));
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a", "/").text(), "one");
    proxy.rewrite(&watching("two"));
    eventually("the change is served", || {
        (client.get("a", "/").text() == "two").then_some(())
    });
    proxy.file(
        "conf.d/more.toml",
        "[[route]]\npath = \"/more\"\nrespond = { status = 204 }\n",
    );
    eventually("what is dropped in is served", || {
        (client.get("a", "/more").status == 204).then_some(())
    });
    // A bad edit changes nothing, and the next good one is taken.
    proxy.file("conf.d/more.toml", "[[route");
    eventually("the bad edit is told", || {
        proxy
            .errors()
            .contains("configuration rejected")
            .then_some(())
    });
    assert_eq!(client.get("a", "/more").status, 204);
    proxy.file(
        "conf.d/more.toml",
        "[[route]]\npath = \"/more\"\nrespond = { status = 202 }\n",
    );
    eventually("the good edit is served", || {
        (client.get("a", "/more").status == 202).then_some(())
    });
}

#[test]
fn a_plan_tells_the_effects_and_only_that_plan_is_carried_out() {
    let origin = Origin::answering(|_| ok("x"));
    let config = |route: &str, more: &str| {
        format!(
            "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nname = \"{route}\"\nservice = \"app\"\n[service.app]\nservers = [\"@app@\"{more}]\n"
        )
    };
    let mut proxy = Proxy::start(&config("all", ""), &[("app", origin.address())]);
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a", "/").status, 200);
    proxy.command(&["plan"]).expect(0);
    proxy.rewrite(&config("all", ", \"127.0.0.1:1\""));
    let said = proxy.command(&["plan"]).expect(2);
    assert!(
        said.out.contains("server `app/s2` (127.0.0.1:1) added\n")
            && said
                .out
                .contains("open now: 1 connection, 0 requests, 0 WebSockets"),
        "{}",
        said.out
    );
    let told: serde_json::Value =
        serde_json::from_str(&proxy.command(&["plan", "--json"]).expect(2).out).unwrap();
    let hash = told["plan"].as_str().unwrap().to_owned();
    proxy.rewrite(&config("other", ", \"127.0.0.1:1\""));
    let said = proxy.command(&["plan"]).expect(3);
    assert!(said.out.contains("! route `all` removed"), "{}", said.out);
    let refused = proxy.command(&["reload", "--plan", &hash]).expect(1);
    assert!(
        refused.err.contains("is not what would happen now"),
        "{}",
        refused.err
    );
    proxy.rewrite(&config("all", ", \"127.0.0.1:1\""));
    proxy.command(&["reload", "--plan", &hash]).expect(0);
    proxy.command(&["reload", "--plan", &hash]).expect(1);
    // Another file, and without a process.
    let old = proxy.config();
    let text = std::fs::read_to_string(&old).unwrap();
    proxy.file("new.toml", text.replace("\"all\"", "\"every\""));
    proxy.command(&["plan", "new.toml"]).expect(3);
    proxy
        .command(&["plan", "new.toml", "--old", old.to_str().unwrap()])
        .expect(3);
    proxy.file("new.toml", "[listener");
    proxy.command(&["plan", "new.toml"]).expect(1);
    let shown = proxy.admin("show config");
    assert!(shown.contains("[service.app]"), "{shown}");
}

#[test]
fn a_generation_is_gone_back_to_though_its_files_are_gone() {
    let watching = |text: &str| format!("{}[global]\nthreads = 2\nwatch = true\n", saying(text));
    let mut proxy = Proxy::start(&watching("one"), &[]);
    let mut client = proxy.connect("web");
    proxy.reload(&watching("two"));
    eventually("the change is served", || {
        (client.get("a", "/").text() == "two").then_some(())
    });
    let said = proxy.command(&["rollback"]).expect(0);
    assert!(
        said.out.contains("route `all` changed: action"),
        "{}",
        said.out
    );
    assert_eq!(client.get("a", "/").text(), "one");
    let told = proxy.command(&["generations", "--json"]).expect(0);
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    let entries = told.as_array().unwrap();
    let outcome = |at: usize| entries[at]["outcome"].as_str().unwrap();
    assert_eq!(
        (outcome(0), outcome(1), outcome(entries.len() - 1)),
        ("started", "reloaded", "rolled back"),
        "{told}"
    );
    assert_eq!(entries[0]["hash"], entries[entries.len() - 1]["hash"]);
    assert_ne!(proxy.command(&["rollback", "77"]).code, 0);
    assert_eq!(
        client.get("a", "/").text(),
        "one",
        "files that are older news change nothing"
    );
    proxy.rewrite(&watching("three"));
    eventually("the next edit is served", || {
        (client.get("a", "/").text() == "three").then_some(())
    });
}
