//! `[listener.NAME.tls]`: certificates and what is asked of clients.

use std::path::PathBuf;

use super::{Val, choice, section};
use crate::values::HostPattern;

section! {
    /// TLS on a listener.
    pub struct Tls {
        /// The certificates, chosen by the name the client asks for. The first is the default.
        certificates: required Vec<Val<Certificate>>,
        /// The oldest version accepted.
        min_version: default TlsVersion = "1.2",
        /// What a client gets that asks for a name no certificate has.
        unknown_names: default UnknownNames = "default",
        /// Whether clients may resume sessions by tickets.
        session_tickets: default bool = true,
        /// Ask clients for a certificate.
        client_auth: optional ClientAuth,
    }
    not yet: "acme", "ciphers", "alpn", "ocsp", "max_version";
}

section! {
    /// One certificate.
    pub struct Certificate {
        /// PEM file with the certificate, followed by the intermediate ones.
        cert: required PathBuf,
        /// PEM file with its private key.
        key: required PathBuf,
        /// The names it is used for, instead of those in the certificate itself.
        names: optional Vec<Val<HostPattern>>,
        /// Ask clients for a certificate, instead of what the listener says.
        client_auth: optional ClientAuth,
    }
}

section! {
    /// Client certificates.
    pub struct ClientAuth {
        /// PEM file with the authorities that clients' certificates must come from.
        ca: required PathBuf,
        /// Whether a client must have one.
        mode: default ClientAuthMode = "required",
    }
    not yet: "crl";
}

choice! {
    /// Whether a client must have a certificate.
    pub enum ClientAuthMode {
        /// The handshake fails without a valid one.
        Required = "required",
        /// One is asked for; an invalid one fails the handshake, none does not.
        Optional = "optional",
    }
}

choice! {
    /// A version of TLS.
    pub enum TlsVersion {
        /// TLS 1.2.
        Tls12 = "1.2",
        /// TLS 1.3.
        Tls13 = "1.3",
    }
}

choice! {
    /// What a client gets that asks for a name no certificate has.
    pub enum UnknownNames {
        /// The first certificate.
        Default = "default",
        /// A refused handshake.
        Strict = "strict",
    }
}
