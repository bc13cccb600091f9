//! A certificate for `localhost`, made on the spot and signed by itself.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rcgen::{CertificateParams, DnType, KeyPair};

/// File of the certificate within the demo's folder.
pub(crate) const CERT: &str = "localhost.pem";
/// File of its key.
pub(crate) const KEY: &str = "localhost.key";

/// Writes certificate and key into `folder`.
pub(crate) fn write(folder: &Path) -> anyhow::Result<()> {
    let names = ["localhost", "*.localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "portcullis demo");
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    write_private(&folder.join(KEY), &key.serialize_pem())?;
    write_private(&folder.join(CERT), &certificate.pem())?;
    Ok(())
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}
