//! How servers are spoken to: TLS, the PROXY protocol, and HTTP/2.

use std::path::PathBuf;

use super::decode::absent;
use super::{Context, Shape, TlsVersion, choice, section};
use crate::tree::{Kind, Node};
use crate::values::{ByteSize, Invalid};

section! {
    /// TLS towards the servers of a service. `true` stands for a table in which everything is left at its default.
    pub struct ServiceTls {
        /// PEM file with the authorities that servers' certificates must come from; those the system trusts when absent.
        ca: optional PathBuf,
        /// The name that servers are asked for and that their certificates must carry. When absent: the host name of the
        /// server's address, or its IP address, which is not sent but must be in the certificate.
        sni: optional String,
        /// PEM file with the certificate shown to servers that ask for one, followed by the intermediate ones.
        cert: optional PathBuf,
        /// PEM file with its private key.
        key: optional PathBuf,
        /// Whether servers must prove who they are. `false` takes any certificate, an attacker's as well.
        verify: default bool = true,
        /// The oldest version spoken.
        min_version: default TlsVersion = "1.2",
    }
    not yet: "ciphers", "max_version", "crl", "alpn";
    shorthand: Shape::Boolean, everything_default;
}

/// `tls = true`.
fn everything_default(node: &Node, cx: &mut Context<'_>) -> Option<ServiceTls> {
    match node.kind {
        Kind::Boolean(true) => absent(cx),
        Kind::Boolean(false) => cx.invalid(
            node,
            "",
            Invalid::new("`false` says what leaving it out says").help("leave it out"),
        ),
        _ => cx.wrong_type(
            node,
            "true or a table",
            Some("true or { ca = \"internal-ca.pem\" }"),
        ),
    }
}

section! {
    /// Connections that speak HTTP/2 to servers. Each carries many requests at once.
    pub struct ServiceHttp2 {
        /// How many requests share a connection at once, at most; a server may allow fewer.
        max_streams: default u64 [1..=1_000] = 100,
        /// How many connections there are to a server, at most, per worker thread. When all are full, requests wait for
        /// a place, no longer than `connect`.
        max_connections: default u64 [1..=1_000] = 8,
        /// How much of each response is held for a client that is slower than the server, from 16KiB to 16MiB.
        stream_window: default ByteSize = "64KiB",
    }
    not yet: "connection_window", "ping";
}

choice! {
    /// A version of the PROXY protocol.
    pub enum ProxyVersion {
        /// A line of text.
        V1 = "v1",
        /// Binary, with a checksum.
        V2 = "v2",
    }
}
