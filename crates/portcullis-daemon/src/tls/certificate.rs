//! Reads a certificate with its key and says everything that is wrong with them, at the places that name the files.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::Path;
use std::sync::Arc;

use portcullis_config::{Diagnostic, Loader, Span};
use portcullis_plan::plan::Certificate;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

/// A certificate that can be served.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Chain and key.
    pub(crate) key: Arc<CertifiedKey>,
    /// The names it is looked up by, lower case.
    pub(crate) names: Vec<Box<str>>,
    /// The bytes of both files, to notice a change.
    pub(crate) bytes: Vec<u8>,
    /// When it ends, in seconds since 1970.
    pub(crate) expires: i64,
}

/// What validity is judged by, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dates {
    /// Now, since 1970.
    pub(crate) now: i64,
    /// How long before the end there is a warning.
    pub(crate) warning: i64,
}

/// What is told of a certificate while it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Its file, as configured.
    pub(crate) file: Box<str>,
    /// When it ends, in seconds since 1970.
    pub(crate) expires: i64,
    /// Tells its bytes and those of its key from others.
    pub(crate) digest: u64,
}

impl Facts {
    /// What there is to tell of `certificate`.
    pub(crate) fn of(certificate: &Certificate, loaded: &Loaded) -> Self {
        let mut hasher = DefaultHasher::new();
        loaded.bytes.hash(&mut hasher);
        Self {
            file: certificate.cert.display().to_string().into(),
            expires: loaded.expires,
            digest: hasher.finish(),
        }
    }

    /// `2027-03-01`, the day it ends.
    pub(crate) fn until(&self) -> String {
        day(self.expires)
    }
}

/// The day of a moment in seconds since 1970, UTC.
fn day(seconds: i64) -> String {
    match ASN1Time::from_timestamp(seconds) {
        Ok(time) => {
            let date = time.to_datetime();
            let month = u8::from(date.month());
            format!("{:04}-{month:02}-{:02}", date.year(), date.day())
        }
        Err(_) => format!("{seconds} s"),
    }
}

/// Loads `certificate`; what is wrong goes to `findings`. Those that expire soon are warned of.
pub(crate) fn load(
    certificate: &Certificate,
    provider: &CryptoProvider,
    loader: &dyn Loader,
    dates: Dates,
    findings: &mut Vec<Diagnostic>,
) -> Option<Loaded> {
    // Both files are read whatever becomes of the first: all findings at once.
    let chain = read_chain(&certificate.cert, certificate.cert_span, loader, findings);
    let key = read_key(&certificate.key, certificate.key_span, loader, findings);
    let (chain, cert_bytes) = chain?;
    let (names, expires) = inspect(certificate, chain.first()?, dates, findings).unzip();
    let (key, key_bytes) = key?;
    let key = join(certificate, chain, key, provider, findings)?;
    Some(Loaded {
        key: Arc::new(key),
        names: names?,
        expires: expires?,
        bytes: [cert_bytes, key_bytes].concat(),
    })
}

/// Reads a file, saying at `span` why it cannot be read.
pub(crate) fn read(
    path: &Path,
    what: &str,
    span: Option<Span>,
    loader: &dyn Loader,
    findings: &mut Vec<Diagnostic>,
) -> Option<Vec<u8>> {
    let cause = match loader.read(path) {
        Ok(bytes) => return Some(bytes),
        Err(cause) => cause,
    };
    let (reason, help) = match cause.kind() {
        io::ErrorKind::NotFound => ("there is no such file".to_owned(), None),
        io::ErrorKind::PermissionDenied => (
            "permission denied".to_owned(),
            Some("let the user that runs portcullis read it"),
        ),
        _ => (cause.to_string(), None),
    };
    let message = format!("cannot read {what} `{}`: {reason}", path.display());
    let diagnostic = Diagnostic::error("unreadable-file", message).at(span, "named here");
    findings.push(match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    });
    None
}

type Chain = Vec<CertificateDer<'static>>;

fn read_chain(
    path: &Path,
    span: Option<Span>,
    loader: &dyn Loader,
    findings: &mut Vec<Diagnostic>,
) -> Option<(Chain, Vec<u8>)> {
    let bytes = read(path, "certificate", span, loader, findings)?;
    match CertificateDer::pem_slice_iter(&bytes).collect::<Result<Chain, _>>() {
        Ok(chain) if !chain.is_empty() => Some((chain, bytes)),
        _ => {
            let message = format!("`{}` holds no certificate in PEM form", path.display());
            let help = "expected `-----BEGIN CERTIFICATE-----`, the server's own certificate first";
            findings.push(
                Diagnostic::error("bad-certificate", message)
                    .at(span, "named here")
                    .help(help),
            );
            None
        }
    }
}

fn read_key(
    path: &Path,
    span: Option<Span>,
    loader: &dyn Loader,
    findings: &mut Vec<Diagnostic>,
) -> Option<(PrivateKeyDer<'static>, Vec<u8>)> {
    let bytes = read(path, "key", span, loader, findings)?;
    if let Ok(key) = PrivateKeyDer::from_pem_slice(&bytes) {
        return Some((key, bytes));
    }
    let message = format!("`{}` holds no private key in PEM form", path.display());
    let encrypted = bytes.windows(9).any(|window| window == b"ENCRYPTED");
    let help = if encrypted {
        "the key is encrypted; take the passphrase off with `openssl pkey -in KEY -out KEY.plain`"
    } else {
        "expected `-----BEGIN PRIVATE KEY-----` (or RSA, or EC)"
    };
    findings.push(
        Diagnostic::error("bad-key", message)
            .at(span, "named here")
            .help(help),
    );
    None
}

fn join(
    certificate: &Certificate,
    chain: Chain,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
    findings: &mut Vec<Diagnostic>,
) -> Option<CertifiedKey> {
    let (code, message) = match CertifiedKey::from_der(chain, key, provider) {
        Ok(joined) => return Some(joined),
        Err(TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch)) => (
            "key-mismatch",
            format!(
                "key `{}` does not fit certificate `{}`",
                certificate.key.display(),
                certificate.cert.display()
            ),
        ),
        Err(cause) => (
            "bad-key",
            format!(
                "key `{}` cannot be used: {cause}",
                certificate.key.display()
            ),
        ),
    };
    findings.push(
        Diagnostic::error(code, message)
            .at(certificate.key_span, "this key")
            .note(certificate.cert_span, "for this certificate"),
    );
    None
}

/// The names to serve under and the end, after looking at validity and names of the leaf.
fn inspect(
    certificate: &Certificate,
    leaf: &CertificateDer<'_>,
    dates: Dates,
    findings: &mut Vec<Diagnostic>,
) -> Option<(Vec<Box<str>>, i64)> {
    let file = certificate.cert.display();
    let Ok((_, parsed)) = X509Certificate::from_der(leaf) else {
        let message = format!("the first certificate in `{file}` is malformed");
        findings.push(
            Diagnostic::error("bad-certificate", message).at(certificate.cert_span, "named here"),
        );
        return None;
    };
    check_validity(certificate, &parsed, dates, findings);
    let expires = parsed.validity().not_after.timestamp();
    let own = own_names(&parsed);
    if certificate.names.is_empty() {
        return Some((own, expires));
    }
    for name in certificate.names.iter().filter(|name| !covered(name, &own)) {
        let message =
            format!("certificate `{file}` does not cover the name `{name}` it is to serve");
        let help = format!(
            "it covers {}",
            if own.is_empty() {
                "no name".to_owned()
            } else {
                own.join(", ")
            }
        );
        findings.push(
            Diagnostic::warning("name-not-in-certificate", message)
                .at(certificate.cert_span, "named here")
                .help(help),
        );
    }
    let names = certificate.names.iter();
    let names = names.map(|name| name.to_ascii_lowercase().into()).collect();
    Some((names, expires))
}

fn check_validity(
    certificate: &Certificate,
    parsed: &X509Certificate<'_>,
    dates: Dates,
    findings: &mut Vec<Diagnostic>,
) {
    let file = certificate.cert.display();
    let validity = parsed.validity();
    let left = validity.not_after.timestamp().saturating_sub(dates.now);
    let (code, message) = if left < 0 {
        (
            "certificate-expired",
            format!("certificate `{file}` expired on {}", validity.not_after),
        )
    } else if dates.now < validity.not_before.timestamp() {
        (
            "certificate-not-yet-valid",
            format!(
                "certificate `{file}` is not valid before {}",
                validity.not_before
            ),
        )
    } else if left < dates.warning {
        (
            "certificate-expires-soon",
            format!(
                "certificate `{file}` expires on {}, in {} days",
                validity.not_after,
                left / 86_400
            ),
        )
    } else {
        return;
    };
    findings.push(Diagnostic::warning(code, message).at(certificate.cert_span, "named here"));
}

/// DNS names of the subject alternative names; without that extension the common name, which old certificates rely on.
fn own_names(parsed: &X509Certificate<'_>) -> Vec<Box<str>> {
    let names: Vec<Box<str>> = match parsed.subject_alternative_name() {
        Ok(Some(extension)) => extension
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(*name),
                _ => None,
            })
            .map(normal)
            .collect(),
        _ => parsed
            .subject()
            .iter_common_name()
            .filter_map(|name| name.as_str().ok())
            .filter(|name| !name.contains([' ', '/', '@']))
            .map(normal)
            .collect(),
    };
    names
}

fn normal(name: &str) -> Box<str> {
    name.trim_end_matches('.').to_ascii_lowercase().into()
}

/// Whether a browser would take one of the certificate's names for `name`.
fn covered(name: &str, own: &[Box<str>]) -> bool {
    let name = normal(name);
    let suffix = name.split_once('.').map(|(_, suffix)| suffix);
    own.iter().any(|own| {
        **own == *name
            || own
                .strip_prefix("*.")
                .is_some_and(|own| Some(own) == suffix)
    })
}
