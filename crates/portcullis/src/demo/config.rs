//! The demo's configuration: an ordinary one, shown by `portcullis demo --print-config`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::certificate;
use crate::commands::quoted;

/// Where everything of a demo is.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// Address for HTTP.
    pub(crate) http: String,
    /// Address for HTTPS.
    pub(crate) https: String,
    /// Where certificate and sockets are.
    pub(crate) folder: PathBuf,
    /// Address of the demo app that listens on TCP.
    pub(crate) app: String,
}

impl Places {
    /// Places for a demo that runs.
    pub(crate) fn real(http: &str, https: &str, folder: &Path, app: SocketAddr) -> Self {
        Self {
            http: address(http),
            https: address(https),
            folder: folder.to_owned(),
            app: app.to_string(),
        }
    }

    /// Places for showing the configuration.
    pub(crate) fn shown(http: &str, https: &str) -> Self {
        let folder = PathBuf::from("/tmp/portcullis-demo");
        Self {
            http: address(http),
            https: address(https),
            folder,
            app: "127.0.0.1:3000".to_owned(),
        }
    }

    /// A file in the demo's folder.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

/// A bare port means this machine only.
fn address(text: &str) -> String {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("127.0.0.1:{text}")
    } else {
        text.to_owned()
    }
}

/// The configuration as text.
pub(crate) fn config(places: &Places) -> String {
    let quoted_file = |name: &str| quoted(&places.file(name));
    include_str!("demo.toml")
        .replace("\"@http\"", &quoted(&places.http))
        .replace("\"@https\"", &quoted(&places.https))
        .replace("\"@app\"", &quoted(&places.app))
        .replace(
            "\"@unix\"",
            &quoted(&format!("unix:{}", places.file("app.sock"))),
        )
        .replace("\"@admin\"", &quoted_file("admin.sock"))
        .replace("\"@cert\"", &quoted_file(certificate::CERT))
        .replace("\"@key\"", &quoted_file(certificate::KEY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_port_listens_on_this_machine_only() {
        assert_eq!(address("8080"), "127.0.0.1:8080");
        assert_eq!(address("0.0.0.0:80"), "0.0.0.0:80");
        assert_eq!(address(":80"), ":80");
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        let text = config(&Places::shown("8080", "8443"));
        assert!(!text.contains("\"@"), "{text}");
        assert!(text.contains("bind = \"127.0.0.1:8080\""), "{text}");
    }
}
