//! One TLS handshake: the server name picks certificate and rules, and what was settled is written down for the
//! decisions that follow.

use std::io;

use portcullis_plan::TlsFacts;
use portcullis_plan::domains::AuthMark;
use portcullis_proxy::Stream;
use rustls::server::{Acceptor, ServerConnection};
use rustls::{HandshakeKind, ProtocolVersion, SupportedCipherSuite};
use tokio::io::AsyncWriteExt;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::ListenerTls;
use super::client_auth;
use super::names::asked_name;

/// Bytes of plaintext and ciphertext that rustls may hold for one connection and direction.
const BUFFER_LIMIT: usize = 64 * 1024;

/// A fatal `unrecognized_name` alert (RFC 6066 section 3) in the clear, as it must be before a handshake.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Handshakes with a client; the caller sets the deadline.
pub(crate) async fn accept(
    stream: Stream,
    tls: &ListenerTls,
) -> io::Result<(TlsStream<Stream>, TlsFacts)> {
    let mut start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let hello = start.client_hello();
    let name = asked_name(&hello);
    let Some((mark, config)) = tls.choose(&name, hello.signature_schemes()) else {
        // The refusal stands whether or not the client hears of it.
        let _ = start.io.write_all(&UNRECOGNIZED_NAME).await;
        let _ = start.io.shutdown().await;
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "unknown server name",
        ));
    };
    let config = config.clone();
    let stream = start
        .into_stream_with(config, |session| {
            session.set_buffer_limit(Some(BUFFER_LIMIT));
        })
        .await?;
    let facts = facts(stream.get_ref().1, name, mark);
    Ok((stream, facts))
}

fn facts(session: &ServerConnection, name: Box<str>, rules: AuthMark) -> TlsFacts {
    let subject = session
        .peer_certificates()
        .and_then(|chain| chain.first())
        .and_then(client_auth::subject);
    TlsFacts {
        name,
        rules,
        version: session.protocol_version().map_or("", version_name),
        cipher: session.negotiated_cipher_suite().map_or("", cipher_name),
        client_subject: subject,
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
    }
}

fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "",
    }
}

/// IANA's name; rustls prefixes the suites of TLS 1.3 with `TLS13_`.
fn cipher_name(suite: SupportedCipherSuite) -> &'static str {
    match suite.suite().as_str() {
        Some("TLS13_AES_128_GCM_SHA256") => "TLS_AES_128_GCM_SHA256",
        Some("TLS13_AES_256_GCM_SHA384") => "TLS_AES_256_GCM_SHA384",
        Some("TLS13_CHACHA20_POLY1305_SHA256") => "TLS_CHACHA20_POLY1305_SHA256",
        Some(name) => name,
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_has_the_name_the_registry_gives_it() {
        for suite in super::super::provider().cipher_suites.iter() {
            let name = cipher_name(*suite);
            assert!(name.starts_with("TLS_"), "{name}");
        }
    }
}
