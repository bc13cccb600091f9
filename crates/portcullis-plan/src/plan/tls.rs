//! TLS of a listener: certificates, names, and what is asked of clients.

use std::path::PathBuf;
use std::sync::Arc;

use crate::TlsPolicyId;
use crate::domains::Domains;

/// TLS of a listener.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Certificates in file order; the first is the default.
    pub certificates: Box<[Certificate]>,
    /// Refuse TLS 1.2.
    pub only_tls13: bool,
    /// Refuse handshakes for names no certificate covers.
    pub strict_names: bool,
    /// Give out session tickets.
    pub tickets: bool,
    /// Distinct rules about client certificates; `TlsPolicyId` indexes them, and the first is the listener's own.
    pub policies: Box<[ClientAuth]>,
    /// Which of the rules guards which host.
    pub domains: Domains,
}

/// A certificate with its key, by file.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// PEM chain, leaf first.
    pub cert: PathBuf,
    /// PEM key.
    pub key: PathBuf,
    /// Names it serves; empty means those in the certificate.
    pub names: Box<[Box<str>]>,
    /// Which rule about client certificates holds for its names.
    pub policy: TlsPolicyId,
    /// `file:line`.
    pub place: Arc<str>,
    /// Span of the `cert` value, for diagnostics.
    pub cert_span: Option<portcullis_config::Span>,
    /// Span of the `key` value, for diagnostics.
    pub key_span: Option<portcullis_config::Span>,
}

/// Whether clients must show a certificate, and who may have signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// None is asked for.
    None,
    /// Asked for; absent is fine, a bad one is not.
    Optional {
        /// PEM file of the authorities.
        ca: PathBuf,
        /// Span of the value, for diagnostics.
        span: Option<portcullis_config::Span>,
    },
    /// Demanded.
    Required {
        /// PEM file of the authorities.
        ca: PathBuf,
        /// Span of the value, for diagnostics.
        span: Option<portcullis_config::Span>,
    },
}
