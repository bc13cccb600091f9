//! The PROXY protocol, versions 1 and 2: bytes to addresses and back. Nothing is guessed or repaired.
//!
//! Sockets and deadlines are the caller's; so is knowing from whom a header may be believed.

mod v1;
mod v2;

use std::net::SocketAddr;

use crate::plan::ProxyVersion;
pub use v1::write as write_v1;
pub use v2::write as write_v2;

/// Bytes of the longest header that is accepted; reading more before one is complete is never useful.
pub const MAX_HEADER: usize = v2::PREFIX + v2::MAX_LENGTH;

/// Appends the header for a connection that serves the client at `source`, who came in by `destination`. Where an
/// address is not known, or version 1 has no way to write the two together, the header says so and no more.
pub fn write(
    version: ProxyVersion,
    source: Option<SocketAddr>,
    destination: Option<SocketAddr>,
    out: &mut Vec<u8>,
) {
    match version {
        ProxyVersion::V1 => v1::write(source, destination, out),
        ProxyVersion::V2 => v2::write(source, destination, out),
    }
}

/// Appends the header for a connection of our own, such as a health check's: `UNKNOWN` in version 1, `LOCAL` in 2.
pub fn write_own(version: ProxyVersion, out: &mut Vec<u8>) {
    match version {
        ProxyVersion::V1 => v1::write(None, None, out),
        ProxyVersion::V2 => v2::write_local(out),
    }
}

/// Bytes of the longest header that is written.
pub const MAX_WRITTEN: usize = 107;

/// What a header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Where the connection came from; `None` if the sender does not say (`LOCAL`, `UNKNOWN`, Unix sockets), in
    /// which case the addresses of the connection itself are meant.
    pub source: Option<SocketAddr>,
    /// Where it went to.
    pub destination: Option<SocketAddr>,
    /// The sender speaks for itself, as in a health check (version 2 only).
    pub local: bool,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyReject {
    /// Neither signature.
    Signature,
    /// Version 1: no line end within 107 bytes.
    LineTooLong,
    /// Version 1: a line feed without carriage return, or the other way round.
    LineEnd,
    /// Version 1: not `TCP4`, `TCP6` or `UNKNOWN`.
    Family,
    /// Version 1: an address that is none of its family.
    Address,
    /// Version 1: a port that is no number of 0 to 65535 without leading zeros.
    Port,
    /// Version 1: too few, too many or wrongly separated parts.
    Syntax,
    /// Version 2: not version 2.
    Version,
    /// Version 2: neither `LOCAL` nor `PROXY`.
    Command,
    /// Version 2: an unknown family, or one that is not of streams.
    Transport,
    /// Version 2: shorter than its addresses, or longer than 4096 bytes.
    Length,
    /// Version 2: extensions that do not fill their space exactly.
    Extension,
    /// Version 2: a checksum that is not right.
    Checksum,
}

impl ProxyReject {
    /// Stable kebab-case word for counters and logs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Signature => "proxy-header-missing",
            Self::LineTooLong => "proxy-v1-line-too-long",
            Self::LineEnd => "proxy-v1-line-end",
            Self::Family => "proxy-v1-family",
            Self::Address => "proxy-v1-address",
            Self::Port => "proxy-v1-port",
            Self::Syntax => "proxy-v1-syntax",
            Self::Version => "proxy-v2-version",
            Self::Command => "proxy-v2-command",
            Self::Transport => "proxy-v2-transport",
            Self::Length => "proxy-v2-length",
            Self::Extension => "proxy-v2-extension",
            Self::Checksum => "proxy-v2-checksum",
        }
    }
}

/// Reads the header at the beginning of `bytes`: its length and what it says, or `None` if more bytes are needed.
///
/// # Errors
/// Whatever follows, this is no header. Reported as soon as that is certain.
pub fn parse(bytes: &[u8]) -> Result<Option<(usize, Header)>, ProxyReject> {
    match bytes.first() {
        None => Ok(None),
        Some(&b'P') => v1::parse(bytes),
        Some(&b'\r') => v2::parse(bytes),
        Some(_) => Err(ProxyReject::Signature),
    }
}

/// Whether `bytes` and `signature` agree as far as both go.
fn agrees(bytes: &[u8], signature: &[u8]) -> bool {
    bytes
        .iter()
        .zip(signature)
        .all(|(byte, wanted)| byte == wanted)
}

#[cfg(test)]
mod tests;
