//! A throw-away certificate authority, what it issues, and a TLS client that trusts only it.

use crate::client::{Client, Duplex, bounded};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

/// A certificate authority of one test.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Authority")
    }
}

/// A certificate with its key, both as PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate chain.
    pub cert: String,
    /// The private key.
    pub key: String,
}

impl Authority {
    /// A new authority with a name of its own.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are fine names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        let pem = params.self_signed(&key).expect("it can sign itself").pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Its own certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for these names, good for servers and clients.
    #[must_use]
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_valid(names, 2026, 2099)
    }

    /// A certificate that has expired long ago.
    #[must_use]
    pub fn issue_expired(&self, names: &[&str]) -> Identity {
        self.issue_valid(names, 2001, 2002)
    }

    fn issue_valid(&self, names: &[&str], from: i32, to: i32) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let first = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names).expect("the names are names");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, first);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        let key = KeyPair::generate().expect("a key can be made");
        let cert = params
            .signed_by(&key, &self.issuer)
            .expect("an authority can sign");
        Identity {
            cert: cert.pem(),
            key: key.serialize_pem(),
        }
    }

    /// A client that trusts this authority alone.
    #[must_use]
    pub fn client(&self) -> TlsClient {
        TlsClient::new(Wishes {
            authority: self.pem.clone(),
            identity: None,
            versions: rustls::DEFAULT_VERSIONS.to_vec(),
            alpn: vec![b"http/1.1".to_vec()],
        })
    }
}

/// What a client wants of its connections.
#[derive(Clone, Debug)]
struct Wishes {
    authority: String,
    identity: Option<Identity>,
    versions: Vec<&'static rustls::SupportedProtocolVersion>,
    alpn: Vec<Vec<u8>>,
}

/// How TLS connections are made. Connections of one client, and of its clones, share their session tickets.
#[derive(Clone, Debug)]
pub struct TlsClient {
    wishes: Wishes,
    config: Arc<ClientConfig>,
}

/// What a handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The server's certificate, DER.
    pub certificate: Vec<u8>,
    /// `TLSv1_3`.
    pub version: String,
    /// Whether an earlier session was taken up.
    pub resumed: bool,
    /// The protocol chosen by ALPN.
    pub alpn: Option<String>,
}

impl TlsClient {
    fn new(wishes: Wishes) -> Self {
        let config = Arc::new(wishes.config());
        Self { wishes, config }
    }

    /// A client like this one presenting a certificate.
    #[must_use]
    pub fn presenting(&self, identity: &Identity) -> Self {
        let identity = Some(identity.clone());
        Self::new(Wishes {
            identity,
            ..self.wishes.clone()
        })
    }

    /// A client like this one with TLS 1.2 only.
    #[must_use]
    pub fn tls12(&self) -> Self {
        let versions = vec![&rustls::version::TLS12];
        Self::new(Wishes {
            versions,
            ..self.wishes.clone()
        })
    }

    /// A client like this one offering these protocols by ALPN.
    #[must_use]
    pub fn offering(&self, protocols: &[&str]) -> Self {
        let alpn = protocols
            .iter()
            .map(|protocol| protocol.as_bytes().to_vec())
            .collect();
        Self::new(Wishes {
            alpn,
            ..self.wishes.clone()
        })
    }

    /// Connects to a port of 127.0.0.1 asking for `name`; the error is the handshake's.
    pub fn try_connect(&self, port: u16, name: &str) -> io::Result<(Client, Handshake)> {
        let mut stream = bounded(TcpStream::connect(("127.0.0.1", port))?);
        stream.set_nodelay(true)?;
        let server = ServerName::try_from(name.to_owned()).expect("a server's name");
        let mut session = ClientConnection::new(Arc::clone(&self.config), server)
            .expect("a client's configuration");
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        let handshake = describe(&session);
        Ok((Client::over(StreamOwned::new(session, stream)), handshake))
    }

    /// Connects, or fails the test.
    #[must_use]
    #[track_caller]
    pub fn connect(&self, port: u16, name: &str) -> Client {
        match self.try_connect(port, name) {
            Ok((client, _)) => client,
            Err(error) => panic!("handshake for {name}: {error}"),
        }
    }
}

impl Wishes {
    fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(self.authority.as_bytes()) {
            roots
                .add(certificate.expect("a certificate"))
                .expect("an authority");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .expect("the provider knows the versions")
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = CertificateDer::pem_slice_iter(identity.cert.as_bytes());
                let chain = chain.collect::<Result<Vec<_>, _>>().expect("a chain");
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
                builder
                    .with_client_auth_cert(chain, key)
                    .expect("a key that fits")
            }
        };
        config.alpn_protocols.clone_from(&self.alpn);
        config.resumption = Resumption::in_memory_sessions(64);
        config
    }
}

fn describe(session: &ClientConnection) -> Handshake {
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    Handshake {
        certificate: certificate.map(|der| der.to_vec()).unwrap_or_default(),
        version: session
            .protocol_version()
            .map(|version| format!("{version:?}"))
            .unwrap_or_default(),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        alpn: session
            .alpn_protocol()
            .map(|name| String::from_utf8_lossy(name).into_owned()),
    }
}

impl Duplex for StreamOwned<ClientConnection, TcpStream> {
    fn finish(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        while self.conn.wants_write() {
            self.conn.write_tls(&mut self.sock)?;
        }
        self.sock.shutdown(Shutdown::Write)
    }
}
