//! TLS of scripted origins, honest and not: with and without client certificates, with and without close_notify.

use crate::tls::Identity;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

/// How an origin speaks TLS. Connections of one origin share their sessions.
#[derive(Clone, Debug)]
pub struct OriginTls {
    identity: Identity,
    client_authority: Option<String>,
    protocols: Vec<Vec<u8>>,
    versions: Vec<&'static rustls::SupportedProtocolVersion>,
    introduced: bool,
    config: Option<Arc<ServerConfig>>,
}

/// What a handshake with the proxy agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The name the proxy asked for.
    pub name: Option<String>,
    /// The certificate it showed, DER.
    pub client_certificate: Option<Vec<u8>>,
    /// Whether an earlier session was taken up.
    pub resumed: bool,
    /// `TLSv1_3`.
    pub version: String,
    /// The protocol chosen by ALPN.
    pub alpn: Option<String>,
}

impl OriginTls {
    /// TLS with this certificate.
    #[must_use]
    pub fn new(identity: &Identity) -> Self {
        Self {
            identity: identity.clone(),
            client_authority: None,
            protocols: Vec::new(),
            versions: rustls::ALL_VERSIONS.to_vec(),
            introduced: false,
            config: None,
        }
        .prepared()
    }

    /// The same demanding a certificate of this authority, given as PEM.
    #[must_use]
    pub fn demanding(self, authority: &str) -> Self {
        Self {
            client_authority: Some(authority.to_owned()),
            ..self
        }
        .prepared()
    }

    /// The same offering these protocols by ALPN.
    #[must_use]
    pub fn offering(self, protocols: &[&str]) -> Self {
        let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
        Self {
            protocols: protocols.collect(),
            ..self
        }
        .prepared()
    }

    /// The same with TLS 1.2 only.
    #[must_use]
    pub fn tls12(self) -> Self {
        Self {
            versions: vec![&rustls::version::TLS12],
            ..self
        }
        .prepared()
    }

    /// The same expecting a line of the PROXY protocol before the handshake.
    #[must_use]
    pub fn introduced(self) -> Self {
        Self {
            introduced: true,
            ..self
        }
    }

    fn prepared(mut self) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions)
            .expect("the provider knows the versions");
        let builder = match &self.client_authority {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                    roots
                        .add(certificate.expect("a certificate"))
                        .expect("an authority");
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .expect("authorities");
                builder.with_client_cert_verifier(verifier)
            }
        };
        let chain = CertificateDer::pem_slice_iter(self.identity.cert.as_bytes());
        let chain = chain.collect::<Result<Vec<_>, _>>().expect("a chain");
        let key = PrivateKeyDer::from_pem_slice(self.identity.key.as_bytes()).expect("a key");
        let mut config = builder.with_single_cert(chain, key).expect("they fit");
        config.alpn_protocols.clone_from(&self.protocols);
        self.config = Some(Arc::new(config));
        self
    }

    pub(crate) fn over(&self, stream: TcpStream) -> TlsWire {
        let config = self.config.as_ref().expect("it is prepared");
        let session = ServerConnection::new(Arc::clone(config)).expect("a server's configuration");
        TlsWire {
            stream: StreamOwned::new(session, stream),
            introduced: self.introduced,
            header: Vec::new(),
            truncated: false,
        }
    }
}

/// The origin's end of a connection over TLS.
pub(crate) struct TlsWire {
    stream: StreamOwned<ServerConnection, TcpStream>,
    /// A PROXY header is still to be read.
    introduced: bool,
    header: Vec<u8>,
    truncated: bool,
}

impl TlsWire {
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.stream.sock
    }

    pub(crate) fn truncate(&mut self) {
        self.truncated = true;
    }

    pub(crate) fn proxy_header(&mut self) -> Vec<u8> {
        self.read_header()
            .expect("a header comes before the handshake");
        std::mem::take(&mut self.header)
    }

    fn read_header(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.introduced) {
            let mut byte = [0];
            while !self.header.ends_with(b"\n") {
                self.stream.sock.read_exact(&mut byte)?;
                self.header.extend(byte);
            }
        }
        Ok(())
    }

    pub(crate) fn session(&mut self) -> Session {
        let _ = self.read_header();
        let TlsWire { stream, .. } = self;
        while stream.conn.is_handshaking() && stream.conn.complete_io(&mut stream.sock).is_ok() {}
        let session = &self.stream.conn;
        let certificate = session.peer_certificates().and_then(|chain| chain.first());
        Session {
            name: session.server_name().map(str::to_owned),
            client_certificate: certificate.map(|der| der.to_vec()),
            resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
            version: session
                .protocol_version()
                .map(|version| format!("{version:?}"))
                .unwrap_or_default(),
            alpn: session
                .alpn_protocol()
                .map(|name| String::from_utf8_lossy(name).into_owned()),
        }
    }

    /// Ends the writing half with close_notify.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.end();
        self.stream.sock.shutdown(Shutdown::Write)
    }

    pub(crate) fn end(&mut self) {
        if !std::mem::replace(&mut self.truncated, true) {
            self.stream.conn.send_close_notify();
            while self.stream.conn.wants_write() {
                if self.stream.conn.write_tls(&mut self.stream.sock).is_err() {
                    return;
                }
            }
        }
    }
}

impl Read for TlsWire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.read_header()?;
        self.stream.read(into)
    }
}

impl Write for TlsWire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.read_header()?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
