//! Who may sign the certificates of clients, and what the certificate of a client says about it.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use portcullis_config::{Diagnostic, Loader, Span};
use portcullis_plan::plan::ClientAuth;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use super::certificate;

/// What makes two rules about client certificates the same: how much is demanded, and the bytes of the authorities.
///
/// Places in the text do not count. Sessions are shared, and connections live through a reload, only under equal rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    /// No certificate is asked for.
    None,
    /// Asked for.
    Optional(Vec<u8>),
    /// Demanded.
    Required(Vec<u8>),
}

impl Rule {
    /// Reads the file of authorities, if there is one.
    pub(crate) fn load(
        auth: &ClientAuth,
        loader: &dyn Loader,
        findings: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let mut read =
            |ca: &Path, span| certificate::read(ca, "client authorities", span, loader, findings);
        match auth {
            ClientAuth::None => Some(Self::None),
            ClientAuth::Optional { ca, span } => read(ca, *span).map(Self::Optional),
            ClientAuth::Required { ca, span } => read(ca, *span).map(Self::Required),
        }
    }

    /// Tells it from other rules, also to another process.
    pub(crate) fn digest(&self) -> String {
        let (kind, pem) = match self {
            Self::None => ("none", &[][..]),
            Self::Optional(pem) => ("optional", pem.as_slice()),
            Self::Required(pem) => ("required", pem.as_slice()),
        };
        format!(
            "{kind} {:?}",
            ring::digest::digest(&ring::digest::SHA256, pem)
        )
    }

    /// What checks the certificates of clients under this rule; the outer `None` if the authorities are unusable.
    pub(crate) fn verifier(
        &self,
        auth: &ClientAuth,
        provider: &Arc<CryptoProvider>,
        findings: &mut Vec<Diagnostic>,
    ) -> Option<Option<Arc<dyn ClientCertVerifier>>> {
        let (pem, ca, span) = match (self, auth) {
            (Self::Optional(pem), ClientAuth::Optional { ca, span })
            | (Self::Required(pem), ClientAuth::Required { ca, span }) => (pem, ca, *span),
            _ => return Some(None),
        };
        let roots = Arc::new(authorities(pem, ca, ("bad-client-ca", span), findings)?);
        let builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
        let builder = if matches!(self, Self::Optional(_)) {
            builder.allow_unauthenticated()
        } else {
            builder
        };
        match builder.build() {
            Ok(verifier) => Some(Some(verifier)),
            Err(cause) => {
                let message = format!("authorities in `{}` cannot be used: {cause}", ca.display());
                findings.push(Diagnostic::error("bad-client-ca", message).at(span, "named here"));
                None
            }
        }
    }
}

/// The authorities of a file; `code` and place of the findings are the caller's.
pub(super) fn authorities(
    pem: &[u8],
    ca: &Path,
    (code, span): (&'static str, Option<Span>),
    findings: &mut Vec<Diagnostic>,
) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let added = certificate
            .map_err(|cause| cause.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|cause| cause.to_string()));
        if let Err(cause) = added {
            let message = format!("`{}` holds a broken certificate: {cause}", ca.display());
            findings.push(Diagnostic::error(code, message).at(span, "named here"));
            return None;
        }
    }
    if roots.is_empty() {
        let message = format!("`{}` holds no certificate in PEM form", ca.display());
        findings.push(Diagnostic::error(code, message).at(span, "named here"));
        return None;
    }
    Some(roots)
}

/// The subject of a certificate as RFC 4514 text, the most specific part first; `None` if it is malformed.
pub(crate) fn subject(certificate: &CertificateDer<'_>) -> Option<Box<str>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(name_text(parsed.subject()).into())
}

fn name_text(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name.iter().collect();
    let mut text = String::new();
    for part in parts.iter().rev() {
        for (index, attribute) in part.iter().enumerate() {
            let separator = if index > 0 {
                "+"
            } else if text.is_empty() {
                ""
            } else {
                ","
            };
            text.push_str(separator);
            text.push_str(&attribute_name(attribute.attr_type()));
            text.push('=');
            match attribute.as_str() {
                Ok(value) => escape(value, &mut text),
                Err(_) => hex(attribute.attr_value().data, &mut text),
            }
        }
    }
    text
}

/// The short names of RFC 4514 section 3; everything else by its dotted number.
fn attribute_name(oid: &x509_parser::der_parser::Oid<'_>) -> String {
    let dotted = oid.to_id_string();
    let short = match dotted.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.6" => "C",
        "2.5.4.9" => "STREET",
        "0.9.2342.19200300.100.1.25" => "DC",
        "0.9.2342.19200300.100.1.1" => "UID",
        _ => return dotted,
    };
    short.to_owned()
}

/// RFC 4514 section 2.4; controls are escaped too, since the text goes into header fields and logs.
fn escape(value: &str, text: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (index, c) in value.chars().enumerate() {
        let at_edge = (index == 0 && (c == ' ' || c == '#')) || (index == last && c == ' ');
        if c.is_control() {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                let _ = write!(text, "\\{byte:02X}");
            }
        } else if at_edge || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            text.push('\\');
            text.push(c);
        } else {
            text.push(c);
        }
    }
}

fn hex(bytes: &[u8], text: &mut String) {
    text.push('#');
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    #[test]
    fn a_subject_is_written_most_specific_part_first_and_escaped() {
        let mut params = CertificateParams::new(vec!["x.test".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Doe, Smith + Co");
        params
            .distinguished_name
            .push(DnType::CommonName, " alice\r\nx");
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(
            subject(certificate.der()).as_deref(),
            Some("CN=\\ alice\\0D\\0Ax,O=Doe\\, Smith \\+ Co"),
            "nothing in it can break a line or a field"
        );
    }

    #[test]
    fn a_malformed_certificate_has_no_subject() {
        assert_eq!(subject(&CertificateDer::from(&b"garbage"[..])), None);
    }
}
