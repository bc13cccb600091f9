//! The store over configurations in memory, and handshakes by a rustls client over socket pairs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_config::{Diagnostic, Loader};
use portcullis_plan::TlsFacts;
use portcullis_plan::compile::{Machine, compile};
use portcullis_plan::plan::Plan;
use portcullis_proxy::Stream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, ClientConfig, Error as TlsError, HandshakeKind, RootCertStore};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;

use super::testing::{Authority, authority, expired, pem};
use super::{ListenerTls, Store, handshake};

/// A moment at which the certificates made here are valid.
const NOW: i64 = 1_795_000_000;

/// Files in memory.
#[derive(Default)]
struct Files(HashMap<PathBuf, Vec<u8>>);

impl Files {
    fn with(mut self, name: &str, text: impl Into<String>) -> Self {
        self.0.insert(PathBuf::from(name), text.into().into_bytes());
        self
    }

    fn certificate(self, name: &str, (cert, key): (String, String)) -> Self {
        self.with(&format!("{name}.pem"), cert)
            .with(&format!("{name}.key"), key)
    }
}

impl Loader for Files {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let name = path.file_name().unwrap_or_default();
        self.0
            .get(Path::new(name))
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn glob(&self, _: &Path, _: &str) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }
}

fn plan(tls: &str) -> Plan {
    let text = format!(
        "[listener.web]\nbind = \"127.0.0.1:0\"\n[listener.web.tls]\n{tls}\n[[route]]\nrespond = {{ status = 200 }}\n"
    );
    let loaded = portcullis_config::load_text("test", &text, &Files::default());
    let config = loaded
        .config
        .unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    compile(&config, &loaded.sources, Machine { threads: 1 })
        .0
        .unwrap()
}

fn load(tls: &str, files: &Files, previous: Option<&Store>) -> (Option<Store>, Vec<Diagnostic>) {
    Store::load(&plan(tls), previous, files, NOW)
}

fn store(tls: &str, files: &Files, previous: Option<&Store>) -> Store {
    let (store, findings) = load(tls, files, previous);
    store.unwrap_or_else(|| panic!("{findings:?}"))
}

fn codes(findings: &[Diagnostic]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code).collect()
}

fn listener(store: &Store) -> &Arc<ListenerTls> {
    store.listener("web").unwrap()
}

const ONE: &str = r#"certificates = [{ cert = "a.pem", key = "a.key" }]"#;

#[test]
fn everything_that_is_wrong_is_told_at_once_and_at_its_place() {
    let authority = authority();
    let (_, stranger) = pem(&authority, &["x.test"]);
    let files = Files::default()
        .certificate("a", (pem(&authority, &["a.test"]).0, stranger))
        .with("b.pem", "no PEM")
        .with("c.pem", pem(&authority, &["c.test"]).0)
        .with(
            "c.key",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        );
    let tls = r#"certificates = [
        { cert = "a.pem", key = "a.key" }, { cert = "b.pem", key = "b.key" }, { cert = "c.pem", key = "c.key" },
    ]"#;
    let (store, findings) = load(&tls.replace('\n', " ").replace(", ]", "]"), &files, None);
    assert!(store.is_none(), "nothing is half usable");
    assert_eq!(
        codes(&findings),
        [
            "key-mismatch",
            "bad-certificate",
            "unreadable-file",
            "bad-key"
        ]
    );
    assert!(
        findings.iter().all(|finding| finding.span.is_some()),
        "{findings:?}"
    );
    assert!(
        findings[3]
            .help
            .as_deref()
            .is_some_and(|help| help.contains("encrypted"))
    );
}

#[test]
fn an_expired_certificate_is_a_warning() {
    let files = Files::default().certificate("a", expired(&authority(), "a.test"));
    let (store, findings) = load(ONE, &files, None);
    assert!(
        store.is_some() && findings[0].message.contains("expired on"),
        "{findings:?}"
    );
    assert_eq!(codes(&findings), ["certificate-expired"]);
}

#[test]
fn names_that_the_certificate_does_not_cover_are_a_warning() {
    let files = Files::default().certificate("a", pem(&authority(), &["*.a.test"]));
    let tls =
        r#"certificates = [{ cert = "a.pem", key = "a.key", names = ["www.a.test", "b.test"] }]"#;
    let (_, findings) = load(tls, &files, None);
    assert_eq!(codes(&findings), ["name-not-in-certificate"]);
    assert!(findings[0].message.contains("`b.test`"), "{findings:?}");
}

#[test]
fn one_name_under_two_rules_is_an_error() {
    let authority = authority();
    let files = Files::default()
        .certificate("a", pem(&authority, &["a.test"]))
        .certificate("b", pem(&authority, &["a.test"]))
        .with("ca.pem", authority.pem());
    let tls = r#"certificates = [{ cert = "a.pem", key = "a.key" },
        { cert = "b.pem", key = "b.key", names = ["a.test"], client_auth = { ca = "ca.pem", mode = "required" } }]"#;
    let (store, findings) = load(tls, &files, None);
    assert!(store.is_none());
    assert_eq!(codes(&findings), ["conflicting-client-auth"]);
}

#[test]
fn authorities_that_are_none_are_an_error() {
    let files = Files::default()
        .certificate("a", pem(&authority(), &["a.test"]))
        .with("ca.pem", "nothing");
    let tls = format!("{ONE}\nclient_auth = {{ ca = \"ca.pem\", mode = \"required\" }}");
    assert_eq!(codes(&load(&tls, &files, None).1), ["bad-client-ca"]);
}

#[test]
fn a_renewed_certificate_is_noticed_and_the_same_one_is_not() {
    let authority = authority();
    let files = Files::default().certificate("a", pem(&authority, &["a.test"]));
    let first = store(ONE, &files, None);
    assert!(store(ONE, &files, Some(&first)).same_as(&first));
    let renewed = store(
        ONE,
        &files.certificate("a", pem(&authority, &["a.test"])),
        Some(&first),
    );
    assert!(!renewed.same_as(&first));
    let changes = renewed.changes_from(&first);
    assert!(
        matches!(&changes[..], [one] if one.to_string().contains("of listener `web` (until ")),
        "{changes:?}"
    );
    assert!(
        listener(&renewed).same_rules(listener(&first)),
        "rules about clients are the same"
    );
}

/// A client that trusts `authority`, with sessions of its own.
fn client(authority: &Authority) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    builder()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn client_with_certificate(authority: &Authority) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let (cert, key) = pem(authority, &["client"]);
    let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap()
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(super::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
}

/// What both ends say about one connection: our facts, and how the client's handshake was.
struct Meeting {
    ours: io::Result<TlsFacts>,
    theirs: io::Result<Option<HandshakeKind>>,
}

async fn meet(tls: &ListenerTls, client: &Arc<ClientConfig>, name: &str) -> Meeting {
    let (near, far) = UnixStream::pair().unwrap();
    let server = async {
        let (mut stream, facts) = handshake::accept(Stream::Unix(near), tls).await?;
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"!").await?;
        tokio::io::AsyncWriteExt::shutdown(&mut stream).await?;
        Ok(facts)
    };
    let client = async {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut stream = TlsConnector::from(Arc::clone(client))
            .connect(name, far)
            .await?;
        // Reading takes the tickets in, and hears what the server thinks of our certificate.
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(stream.get_ref().1.handshake_kind())
    };
    let (ours, theirs) = tokio::join!(server, client);
    Meeting { ours, theirs }
}

fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<TlsError>())
    {
        Some(TlsError::AlertReceived(alert)) => Some(*alert),
        _ => None,
    }
}

#[tokio::test]
async fn facts_tell_name_version_and_cipher() {
    let authority = authority();
    let store = store(
        ONE,
        &Files::default().certificate("a", pem(&authority, &["a.test"])),
        None,
    );
    let meeting = meet(listener(&store), &Arc::new(client(&authority)), "A.test").await;
    let facts = meeting.ours.unwrap();
    assert_eq!(
        (&*facts.name, facts.version, facts.resumed),
        ("a.test", "TLSv1.3", false)
    );
    assert!(facts.cipher.starts_with("TLS_"), "{}", facts.cipher);
    assert_eq!(facts.client_subject, None);
}

#[tokio::test]
async fn an_unknown_name_is_refused_with_its_own_alert_when_strict() {
    let authority = authority();
    let tls = format!("{ONE}\nunknown_names = \"strict\"");
    let store = store(
        &tls,
        &Files::default().certificate("a", pem(&authority, &["a.test"])),
        None,
    );
    let meeting = meet(listener(&store), &Arc::new(client(&authority)), "b.test").await;
    assert!(meeting.ours.is_err());
    assert_eq!(
        alert(&meeting.theirs.unwrap_err()),
        Some(AlertDescription::UnrecognisedName)
    );
}

#[tokio::test]
async fn a_required_certificate_is_required_and_its_subject_told() {
    let authority = authority();
    let tls = format!("{ONE}\nclient_auth = {{ ca = \"ca.pem\", mode = \"required\" }}");
    let files = Files::default()
        .certificate("a", pem(&authority, &["a.test"]))
        .with("ca.pem", authority.pem());
    let store = store(&tls, &files, None);
    let with = meet(
        listener(&store),
        &Arc::new(client_with_certificate(&authority)),
        "a.test",
    )
    .await;
    assert!(with.ours.unwrap().client_subject.is_some());
    let without = meet(listener(&store), &Arc::new(client(&authority)), "a.test").await;
    assert!(without.ours.is_err());
    assert_eq!(
        alert(&without.theirs.unwrap_err()),
        Some(AlertDescription::CertificateRequired)
    );
    let stranger = super::testing::authority();
    let mut config = client_with_certificate(&stranger);
    config
        .dangerous()
        .set_certificate_verifier(Arc::new(TrustAll));
    let stranger = meet(listener(&store), &Arc::new(config), "a.test").await;
    assert!(stranger.ours.is_err(), "signed by somebody else");
}

#[tokio::test]
async fn a_session_resumes_across_a_reload_but_not_under_other_rules() {
    let authority = authority();
    let files = || {
        Files::default()
            .certificate("a", pem(&authority, &["a.test"]))
            .with("ca.pem", authority.pem())
    };
    let first = store(ONE, &files(), None);
    let client = Arc::new(client(&authority));
    let fresh = meet(listener(&first), &client, "a.test").await;
    assert_ne!(fresh.theirs.unwrap(), Some(HandshakeKind::Resumed));
    let again = meet(listener(&first), &client, "a.test").await;
    assert!(again.ours.unwrap().resumed);

    let renewed = store(ONE, &files(), Some(&first));
    let after_reload = meet(listener(&renewed), &client, "a.test").await;
    assert_eq!(
        after_reload.theirs.unwrap(),
        Some(HandshakeKind::Resumed),
        "ticket keys outlive a renewed certificate"
    );

    let tls = format!("{ONE}\nclient_auth = {{ ca = \"ca.pem\", mode = \"required\" }}");
    let guarded = store(&tls, &files(), Some(&renewed));
    assert!(!listener(&guarded).same_rules(listener(&renewed)));
    let crossing = meet(listener(&guarded), &client, "a.test").await;
    assert!(
        crossing.ours.is_err(),
        "a session made without a certificate opens nothing that requires one"
    );
}

#[tokio::test]
async fn sessions_do_not_cross_between_rules_of_one_listener() {
    let authority = authority();
    let files = Files::default()
        .certificate("a", pem(&authority, &["a.test"]))
        .certificate("b", pem(&authority, &["b.test"]))
        .with("ca.pem", authority.pem());
    let tls = r#"certificates = [{ cert = "a.pem", key = "a.key" },
        { cert = "b.pem", key = "b.key", names = ["b.test"], client_auth = { ca = "ca.pem", mode = "required" } }]"#;
    let store = store(tls, &files, None);
    // A client that offers the ticket it got for one name when it asks for the other.
    let mut config = client(&authority);
    config.resumption = rustls::client::Resumption::store(Arc::new(OneSession::default()));
    let client = Arc::new(config);
    assert!(meet(listener(&store), &client, "a.test").await.ours.is_ok());
    assert!(
        meet(listener(&store), &client, "b.test")
            .await
            .ours
            .is_err()
    );
}

#[tokio::test]
async fn without_tickets_nothing_resumes() {
    let authority = authority();
    let tls = format!("{ONE}\nsession_tickets = false");
    let store = store(
        &tls,
        &Files::default().certificate("a", pem(&authority, &["a.test"])),
        None,
    );
    let client = Arc::new(client(&authority));
    for _ in 0..2 {
        assert!(
            !meet(listener(&store), &client, "a.test")
                .await
                .ours
                .unwrap()
                .resumed
        );
    }
}

#[tokio::test]
async fn the_minimum_version_is_kept() {
    let authority = authority();
    let tls = format!("{ONE}\nmin_version = \"1.3\"");
    let store = store(
        &tls,
        &Files::default().certificate("a", pem(&authority, &["a.test"])),
        None,
    );
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let old = ClientConfig::builder_with_provider(super::provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let meeting = meet(listener(&store), &Arc::new(old), "a.test").await;
    assert_eq!(
        alert(&meeting.theirs.unwrap_err()),
        Some(AlertDescription::ProtocolVersion)
    );
}

/// A client's memory of the last session, whatever its server was called.
#[derive(Debug, Default)]
struct OneSession(std::sync::Mutex<Option<rustls::client::Tls13ClientSessionValue>>);

impl rustls::client::ClientSessionStore for OneSession {
    fn set_kx_hint(&self, _: ServerName<'static>, _: rustls::NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<rustls::NamedGroup> {
        None
    }

    fn set_tls12_session(
        &self,
        _: ServerName<'static>,
        _: rustls::client::Tls12ClientSessionValue,
    ) {
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<rustls::client::Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(
        &self,
        _: ServerName<'static>,
        ticket: rustls::client::Tls13ClientSessionValue,
    ) {
        *self.0.lock().unwrap() = Some(ticket);
    }

    fn take_tls13_ticket(
        &self,
        _: &ServerName<'static>,
    ) -> Option<rustls::client::Tls13ClientSessionValue> {
        self.0.lock().unwrap().take()
    }
}

/// A client that does not care who the server is.
#[derive(Debug)]
struct TrustAll;

impl rustls::client::danger::ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, TlsError> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, TlsError> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        _: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, TlsError> {
        let _ = (message, dss);
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        super::testing::ECDSA.to_vec()
    }
}
