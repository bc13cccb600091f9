//! A reload that fails changes nothing and pauses nothing: whatever is wrong with the files, requests on an open connection
//! and new connections are served all the while by the generation in force.

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use portcullis_harness::{Authority, Client, Proxy, Setup};

/// A listener in clear text, one with TLS, and one answer.
const GOOD: &str = "[listener.web]\nbind = \"127.0.0.1:@web@\"\n[[route]]\nname = \"all\"\nrespond = { status = 200, body = \"one\" }\n[listener.tls]\nbind = \"127.0.0.1:@tls@\"\n[listener.tls.tls]\ncertificates = [{ cert = \"site.pem\", key = \"site.key\" }]\n";

/// A process that is refused one reload after the other.
struct Refusing {
    proxy: Proxy,
    authority: Authority,
}

impl Refusing {
    fn new() -> Self {
        let authority = Authority::new("first");
        let other = Authority::new("other");
        let proxy = Setup::new()
            .identity("site", &authority.issue(&["a.test"]))
            .identity("other", &other.issue(&["a.test"]))
            .identity("expired", &authority.issue_expired(&["a.test"]))
            .start(GOOD);
        Self { proxy, authority }
    }

    /// Runs `breaking`, which has reloads refused, with requests going on; then everything is as it was.
    fn while_serving(&mut self, breaking: impl FnOnce(&mut Proxy)) {
        let port = self.proxy.port("web");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let traffic = scope.spawn(|| serve(port, &stop));
            breaking(&mut self.proxy);
            stop.store(true, Ordering::Relaxed);
            assert!(traffic.join().unwrap() > 0, "traffic went on");
        });
        assert_eq!(generation(&self.proxy), "1", "nothing has taken its place");
        let tls = self.authority.client();
        let mut client = tls.connect(self.proxy.port("tls"), "a.test");
        assert_eq!(client.get("a.test", "/").text(), "one");
    }
}

/// Asks on a connection that stays open and on new ones until told to stop; counts the rounds.
fn serve(port: u16, stop: &AtomicBool) -> u32 {
    let mut held = Client::tcp(("127.0.0.1", port));
    let mut rounds = 0;
    // One round comes after the last refusal.
    let mut last = false;
    while !last {
        last = stop.load(Ordering::Relaxed);
        assert_eq!(held.get("a", "/").text(), "one");
        let mut fresh = Client::tcp(("127.0.0.1", port));
        assert_eq!(fresh.get("a", "/").text(), "one");
        rounds += 1;
        if rounds % 5_000 == 0 {
            // A connection carries 10,000 requests at most.
            held = fresh;
        }
    }
    rounds
}

/// The number of the generation in force.
fn generation(proxy: &Proxy) -> String {
    let told = proxy.command(&["generations", "--json"]);
    match told.code {
        0 => {
            let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
            told.as_array().unwrap().last().unwrap()["generation"].to_string()
        }
        // The file is not one that could name the socket.
        _ => {
            let socket = proxy.folder().join("admin.sock");
            let socket = socket.to_str().unwrap();
            let told = proxy.command(&["generations", "--json", "--socket", socket]);
            let told: serde_json::Value = serde_json::from_str(&told.expect(0).out).unwrap();
            told.as_array().unwrap().last().unwrap()["generation"].to_string()
        }
    }
}

#[track_caller]
fn refused(proxy: &Proxy, what: &str) -> String {
    let answer = proxy.admin("reload");
    assert!(answer.starts_with("Success=0\n"), "{what}: {answer}");
    assert!(
        answer.contains("rejected: everything stays as it was"),
        "{what}: {answer}"
    );
    answer
}

#[test]
fn no_invalid_configuration_changes_or_pauses_anything() {
    Refusing::new().while_serving(|proxy| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/invalid");
        let mut tried = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // Those that only warn can be used.
            let expected = std::fs::read_to_string(path.with_extension("expected"));
            let is_wrong = expected.is_ok_and(|text| text.contains("error["));
            if is_wrong && path.extension().is_some_and(|kind| kind == "toml") {
                std::fs::copy(&path, proxy.config()).unwrap();
                refused(proxy, &path.display().to_string());
                tried += 1;
            }
        }
        assert!(tried > 10, "{tried} files");
    });
}

#[test]
fn no_file_at_all_changes_or_pauses_anything() {
    Refusing::new().while_serving(|proxy| {
        let config = proxy.config();
        std::fs::write(&config, "").unwrap();
        refused(proxy, "empty");
        std::fs::write(&config, [0_u8; 4096]).unwrap();
        refused(proxy, "nothing but zeros");
        std::fs::remove_file(&config).unwrap();
        refused(proxy, "missing");
        std::fs::create_dir(&config).unwrap();
        refused(proxy, "a directory");
        std::fs::remove_dir(&config).unwrap();
    });
}

#[test]
fn no_bad_certificate_changes_or_pauses_anything() {
    Refusing::new().while_serving(|proxy| {
        proxy.file("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB");
        for (what, from, to) in [
            ("a key of another", "site.key", "other.key"),
            ("a missing certificate", "site.pem", "gone.pem"),
            ("a missing key", "site.key", "gone.key"),
            ("a file cut short", "site.pem", "cut.pem"),
            ("no certificate", "site.pem", "site.key"),
        ] {
            proxy.rewrite(&GOOD.replace(from, to));
            refused(proxy, what);
        }
        proxy.rewrite(&GOOD.replace("site.", "expired."));
        let answer = refused(proxy, "an expired certificate");
        assert!(answer.contains("expired on"), "{answer}");
    });
}

#[test]
fn no_place_that_cannot_be_had_changes_or_pauses_anything() {
    Refusing::new().while_serving(|proxy| {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let more = format!(
            "{GOOD}[listener.more]\nbind = \"{}\"\n",
            taken.local_addr().unwrap()
        );
        proxy.rewrite(&more);
        let answer = refused(proxy, "a port in use");
        assert!(answer.contains("more"), "the listener is named: {answer}");
        proxy.rewrite(&format!(
            "{GOOD}[log]\naccess = {{ to = \"gone/access.log\" }}\n"
        ));
        refused(proxy, "a log that cannot be opened");
        // Of two new listeners one can be had: it is not.
        let free = "[listener.free]\nbind = \"127.0.0.1:@free@\"\n";
        proxy.rewrite(&format!("{more}{free}"));
        refused(proxy, "one port of two in use");
        let port = proxy.port("free");
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    });
}

#[test]
fn a_full_disk_loses_lines_of_the_log_and_nothing_else() {
    let refusing = Refusing::new();
    let mut proxy = refusing.proxy;
    // This device is always full.
    proxy
        .reload(&format!("{GOOD}[log]\naccess = {{ to = \"/dev/full\" }}\n"))
        .expect(0);
    let port = proxy.port("web");
    for _ in 0..20 {
        assert_eq!(Client::tcp(("127.0.0.1", port)).get("a", "/").text(), "one");
    }
    proxy.reload(GOOD).expect(0);
    assert_eq!(Client::tcp(("127.0.0.1", port)).get("a", "/").text(), "one");
}

/// The process's share of memory, in KiB.
fn memory(proxy: &Proxy) -> u64 {
    let path = format!("/proc/{}/smaps_rollup", proxy.pid());
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

#[test]
fn a_hundred_reloads_leave_memory_where_it_was() {
    let config = |turn: usize| {
        let routes: String = (0..300)
            .map(|number| {
                format!(
                    "[[route]]\nname = \"r{number}\"\npath = \"/{number}/{turn}\"\nrespond = {{ status = 200, body = \"{turn}\" }}\n"
                )
            })
            .collect();
        format!("{GOOD}{routes}")
    };
    let mut proxy = Refusing::new().proxy;
    let reload = |proxy: &mut Proxy, turn: usize| {
        proxy.rewrite(&config(turn));
        let answer = proxy.admin("reload");
        assert!(answer.starts_with("Success=1\n"), "{answer}");
        let mut client = proxy.connect("web");
        assert_eq!(client.get("a", "/7/0/x").status, 200);
    };
    // The first ones fill what is kept: the last ten generations, and what the allocator holds back.
    (0..20).for_each(|turn| reload(&mut proxy, turn));
    let before = memory(&proxy);
    (20..120).for_each(|turn| reload(&mut proxy, turn));
    let after = memory(&proxy);
    assert!(
        after < before + before / 4 + 4096,
        "{before} KiB before, {after} KiB after"
    );
}
