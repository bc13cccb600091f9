//! Certificates by name, client certificates by policy, and sessions that stay within their policy.

use portcullis_harness::{Authority, Origin, Proxy, Setup, TlsClient, run_bounded};
use std::io::ErrorKind;
use std::process::Command;

const TWO_SITES: &str = r#"
[listener.tls]
bind = "127.0.0.1:@tls@"
[listener.tls.tls]
certificates = [
  { cert = "one.pem", key = "one.key" },
  { cert = "two.pem", key = "two.key" },
  { cert = "wild.pem", key = "wild.key" },
]
[[route]]
respond = { status = 200, body = "x" }
"#;

fn two_sites(authority: &Authority) -> Setup {
    Setup::new()
        .identity("one", &authority.issue(&["one.test"]))
        .identity("two", &authority.issue(&["two.test"]))
        .identity("wild", &authority.issue(&["*.wild.test"]))
}

fn names(client: &TlsClient, proxy: &Proxy, name: &str) -> bool {
    client.try_connect(proxy.port("tls"), name).is_ok()
}

#[test]
fn the_certificate_is_chosen_by_name() {
    let authority = Authority::new("test");
    let proxy = two_sites(&authority).start(TWO_SITES);
    let client = authority.client();
    assert!(names(&client, &proxy, "one.test"));
    assert!(names(&client, &proxy, "two.test"));
    assert!(names(&client, &proxy, "a.wild.test"));
    assert!(
        !names(&client, &proxy, "other.test"),
        "the default certificate does not fit another name"
    );
    assert!(
        !names(&client, &proxy, "a.b.wild.test"),
        "a wildcard is one label"
    );
    let (mut session, handshake) = client.try_connect(proxy.port("tls"), "two.test").unwrap();
    assert_eq!(session.get("two.test", "/").text(), "x");
    assert_eq!(
        (handshake.version.as_str(), handshake.alpn.as_deref()),
        ("TLSv1_3", Some("http/1.1"))
    );
}

#[test]
fn unknown_names_are_refused_when_strict() {
    let authority = Authority::new("test");
    let config = TWO_SITES.replace(
        "[listener.tls.tls]",
        "[listener.tls.tls]\nunknown_names = \"strict\"",
    );
    let proxy = two_sites(&authority).start(&config);
    let refused = authority
        .client()
        .try_connect(proxy.port("tls"), "other.test")
        .unwrap_err();
    let text = refused.to_string().to_ascii_lowercase();
    assert!(
        text.contains("unrecognisedname") || text.contains("unrecognizedname"),
        "{text}"
    );
    assert!(names(&authority.client(), &proxy, "one.test"));
}

#[test]
fn the_least_version_can_be_raised() {
    let authority = Authority::new("test");
    let proxy = two_sites(&authority).start(TWO_SITES);
    let (_, handshake) = authority
        .client()
        .tls12()
        .try_connect(proxy.port("tls"), "one.test")
        .unwrap();
    assert_eq!(handshake.version, "TLSv1_2");
    let config = TWO_SITES.replace(
        "[listener.tls.tls]",
        "[listener.tls.tls]\nmin_version = \"1.3\"",
    );
    let proxy = two_sites(&authority).start(&config);
    assert!(
        authority
            .client()
            .tls12()
            .try_connect(proxy.port("tls"), "one.test")
            .is_err()
    );
    assert!(names(&authority.client(), &proxy, "one.test"));
}

#[test]
fn a_session_is_taken_up_again() {
    let authority = Authority::new("test");
    let proxy = two_sites(&authority).start(TWO_SITES);
    for client in [authority.client(), authority.client().tls12()] {
        let (mut first, handshake) = client.try_connect(proxy.port("tls"), "one.test").unwrap();
        assert!(!handshake.resumed);
        assert_eq!(first.get("one.test", "/").status, 200);
        let (mut second, handshake) = client.try_connect(proxy.port("tls"), "one.test").unwrap();
        assert!(handshake.resumed, "{handshake:?}");
        assert_eq!(second.get("one.test", "/").status, 200);
    }
}

const MUTUAL: &str = r#"
[listener.tls]
bind = "127.0.0.1:@tls@"
[listener.tls.tls]
certificates = [
  { cert = "open.pem", key = "open.key" },
  { cert = "closed.pem", key = "closed.key", names = ["closed.test"], client_auth = { ca = "clients.pem", mode = "required" } },
]
[listener.all]
bind = "127.0.0.1:@all@"
[listener.all.tls]
certificates = [{ cert = "open.pem", key = "open.key" }]
client_auth = { ca = "clients.pem", mode = "required" }
[[route]]
service = "app"
rewrite = { request_headers = { set = { "x-client" = "{client_cert_subject}" } } }
[service.app]
servers = ["@app@"]
"#;

struct Mutual {
    proxy: Proxy,
    origin: Origin,
    open: TlsClient,
    known: TlsClient,
    stranger: TlsClient,
}

fn mutual() -> Mutual {
    let (authority, clients, strangers) = (
        Authority::new("sites"),
        Authority::new("clients"),
        Authority::new("strangers"),
    );
    let origin = Origin::echo();
    let proxy = Setup::new()
        .identity("open", &authority.issue(&["open.test"]))
        .identity("closed", &authority.issue(&["closed.test"]))
        .file("clients.pem", clients.pem())
        .set("app", origin.address())
        .start(MUTUAL);
    let open = authority.client();
    let known = authority.client().presenting(&clients.issue(&["alice"]));
    let stranger = authority
        .client()
        .presenting(&strangers.issue(&["mallory"]));
    Mutual {
        proxy,
        origin,
        open,
        known,
        stranger,
    }
}

/// Whether a request gets an answer: under TLS 1.3 a refused client learns it after its handshake.
fn is_served(client: &TlsClient, port: u16, name: &str) -> bool {
    let (mut session, _) = match client.try_connect(port, name) {
        Ok(connected) => connected,
        Err(_) => return false,
    };
    let sent = session.try_send(format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n"));
    match sent.and_then(|()| session.try_response_to("GET")) {
        Ok(response) => response.is_some_and(|response| response.status == 200),
        Err(error) => {
            assert_ne!(
                error.kind(),
                ErrorKind::WouldBlock,
                "the proxy neither answers nor closes"
            );
            false
        }
    }
}

#[test]
fn a_required_client_certificate_is_required() {
    let Mutual {
        proxy,
        origin,
        open,
        known,
        stranger,
    } = mutual();
    for port in [proxy.port("tls"), proxy.port("all")] {
        let name = if port == proxy.port("tls") {
            "closed.test"
        } else {
            "open.test"
        };
        assert!(is_served(&known, port, name));
        assert!(!is_served(&open, port, name));
        assert!(!is_served(&stranger, port, name));
        assert!(!is_served(&open.tls12(), port, name));
    }
    let subject = origin
        .requests()
        .first()
        .and_then(|request| request.fields.one("x-client").map(str::to_owned));
    assert!(
        subject
            .as_deref()
            .is_some_and(|subject| subject.contains("alice")),
        "{subject:?}"
    );
}

#[test]
fn a_session_without_a_certificate_opens_no_door_that_asks_for_one() {
    let Mutual {
        proxy,
        origin: _origin,
        open,
        ..
    } = mutual();
    for client in [open.clone(), open.tls12()] {
        // The same name on the open listener, then on the one that demands certificates: the client offers its ticket.
        assert!(is_served(&client, proxy.port("tls"), "open.test"));
        assert!(is_served(&client, proxy.port("tls"), "open.test"));
        assert!(
            !is_served(&client, proxy.port("all"), "open.test"),
            "a ticket crossed policies"
        );
    }
}

#[test]
fn a_request_for_a_host_behind_another_policy_is_misdirected() {
    let Mutual {
        proxy,
        origin,
        open,
        ..
    } = mutual();
    let mut session = open.connect(proxy.port("tls"), "open.test");
    assert_eq!(session.get("closed.test", "/").status, 421);
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_connection_from_before_a_reload_opens_no_door_that_asks_for_a_certificate_since() {
    let Mutual {
        mut proxy,
        origin,
        open,
        known,
        ..
    } = mutual();
    let mut old = open.connect(proxy.port("tls"), "open.test");
    assert_eq!(old.get("open.test", "/").status, 200);
    let guarded = MUTUAL.replace(
        "{ cert = \"open.pem\", key = \"open.key\" },",
        "{ cert = \"open.pem\", key = \"open.key\", names = [\"open.test\"], client_auth = { ca = \"clients.pem\", mode = \"required\" } },",
    );
    proxy.reload(&guarded).expect(0);
    assert_eq!(old.get("open.test", "/").status, 421);
    assert_eq!(origin.count(), 1);
    assert!(is_served(&known, proxy.port("tls"), "open.test"));
}

#[test]
fn hsts_is_sent_over_tls_only() {
    let authority = Authority::new("test");
    let config = r#"
[listener.tls]
bind = "127.0.0.1:@tls@"
hsts = "180d"
[listener.tls.tls]
certificates = [{ cert = "one.pem", key = "one.key" }]
[listener.web]
bind = "127.0.0.1:@web@"
redirect_https = true
[[route]]
respond = { status = 200, body = "x" }
"#;
    let proxy = Setup::new()
        .identity("one", &authority.issue(&["one.test"]))
        .start(config);
    let secure = authority
        .client()
        .connect(proxy.port("tls"), "one.test")
        .get("one.test", "/");
    assert!(
        secure
            .fields
            .one("strict-transport-security")
            .is_some_and(|value| value.contains("max-age=15552000")),
        "{secure:?}"
    );
    let plain = proxy.connect("web").get("one.test", "/a?b=c");
    assert_eq!(
        (plain.status, plain.fields.one("location")),
        (308, Some("https://one.test/a?b=c"))
    );
    assert!(!plain.fields.has("strict-transport-security"));
}

#[test]
fn openssl_agrees_with_what_we_speak() {
    let authority = Authority::new("test");
    let proxy = two_sites(&authority)
        .file("ca.pem", authority.pem())
        .start(TWO_SITES);
    let mut command = Command::new("openssl");
    command.args([
        "s_client",
        "-connect",
        &format!("127.0.0.1:{}", proxy.port("tls")),
        "-servername",
        "two.test",
    ]);
    command
        .args([
            "-verify_return_error",
            "-verify_hostname",
            "two.test",
            "-ign_eof",
            "-CAfile",
        ])
        .arg(proxy.folder().join("ca.pem"));
    let input = b"GET / HTTP/1.1\r\nHost: two.test\r\nConnection: close\r\n\r\n";
    let said = run_bounded(&mut command, input, portcullis_harness::PATIENCE).expect(0);
    assert!(
        said.out.contains("Verify return code: 0 (ok)") && said.out.contains("HTTP/1.1 200 "),
        "{}",
        said.out
    );
}

#[test]
fn old_protocols_are_not_spoken() {
    let authority = Authority::new("test");
    let proxy = two_sites(&authority).start(TWO_SITES);
    for version in ["-tls1", "-tls1_1"] {
        let mut command = Command::new("openssl");
        command.args([
            "s_client",
            version,
            "-cipher",
            "ALL:@SECLEVEL=0",
            "-connect",
            &format!("127.0.0.1:{}", proxy.port("tls")),
        ]);
        let said = portcullis_harness::run(&mut command);
        assert!(
            said.out.contains("Cipher is (NONE)"),
            "{version}: {}",
            said.out
        );
    }
}

#[test]
fn plain_http_on_a_tls_port_disturbs_nobody() {
    let authority = Authority::new("test");
    let proxy = two_sites(&authority).start(TWO_SITES);
    let mut plain = proxy.connect("tls");
    plain.send("GET / HTTP/1.1\r\nHost: one.test\r\n\r\n");
    plain.rest();
    assert!(names(&authority.client(), &proxy, "one.test"));
}
