//! A snapshot of a small configuration for the tests of this crate.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use portcullis_config::{FsLoader, load_text};
use portcullis_plan::compile::{Machine, compile};
use portcullis_plan::{Live, Plan};

use crate::upstream::tls::ServiceTls;

/// The plan of `text`, and its fresh live state for one worker.
pub(crate) fn planned(text: &str) -> (Arc<Plan>, Arc<Live>) {
    let loaded = load_text("test.toml", text, &FsLoader);
    let Some(config) = loaded.config else {
        panic!("{:?}", loaded.diagnostics)
    };
    let (plan, diagnostics) = compile(&config, &loaded.sources, Machine { threads: 1 });
    let Some(plan) = plan else {
        panic!("{diagnostics:?}")
    };
    let live = Live::new(&plan, 1);
    (Arc::new(plan), Arc::new(live))
}

/// TLS that trusts nobody.
pub(crate) fn service_tls() -> ServiceTls {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    ServiceTls::new(config, None)
}

/// One listener `web`, one route to a service of one server.
pub(crate) const MINIMAL: &str = r#"
[listener.web]
bind = "127.0.0.1:0"
[[route]]
name = "all"
service = "app"
[service.app]
servers = ["127.0.0.1:9"]
[log]
access = { to = "off" }
"#;
