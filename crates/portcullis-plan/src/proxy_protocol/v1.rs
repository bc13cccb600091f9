//! Version 1: one line of text, `PROXY TCP4 192.0.2.1 192.0.2.2 4000 443`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Header, ProxyReject, agrees};
use crate::digits::{push_ip, push_u64};

const SIGNATURE: &[u8] = b"PROXY ";
/// The longest line, its end included.
const MAX_LINE: usize = 107;

pub(super) fn parse(bytes: &[u8]) -> Result<Option<(usize, Header)>, ProxyReject> {
    if !agrees(bytes, SIGNATURE) {
        return Err(ProxyReject::Signature);
    }
    // The line end takes two bytes, so its first must be among all but the last.
    let within = bytes.get(..MAX_LINE - 1).unwrap_or(bytes);
    let Some(end) = within.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
        return if within.len() < MAX_LINE - 1 {
            Ok(None)
        } else {
            Err(ProxyReject::LineTooLong)
        };
    };
    match (within.get(end), bytes.get(end + 1)) {
        (Some(b'\r'), Some(b'\n')) => {}
        (Some(b'\r'), None) => return Ok(None),
        _ => return Err(ProxyReject::LineEnd),
    }
    let line = within
        .get(SIGNATURE.len()..end)
        .ok_or(ProxyReject::Syntax)?;
    Ok(Some((end + 2, addresses(line)?)))
}

fn addresses(line: &[u8]) -> Result<Header, ProxyReject> {
    let line = std::str::from_utf8(line).map_err(|_| ProxyReject::Syntax)?;
    let mut parts = line.split(' ');
    let read: fn(&str) -> Result<IpAddr, ProxyReject> = match parts.next() {
        // Whatever follows is to be ignored.
        Some("UNKNOWN") => return Ok(Header::default()),
        Some("TCP4") => v4,
        Some("TCP6") => v6,
        _ => return Err(ProxyReject::Family),
    };
    let [source, destination, source_port, destination_port] =
        [parts.next(), parts.next(), parts.next(), parts.next()]
            .map(|part| part.ok_or(ProxyReject::Syntax));
    let source = SocketAddr::new(read(source?)?, port(source_port?)?);
    let destination = SocketAddr::new(read(destination?)?, port(destination_port?)?);
    if parts.next().is_some() {
        return Err(ProxyReject::Syntax);
    }
    Ok(Header {
        source: Some(source),
        destination: Some(destination),
        local: false,
    })
}

/// Rust's own parser is exact here: four decimal numbers without leading zeros.
fn v4(text: &str) -> Result<IpAddr, ProxyReject> {
    text.parse::<Ipv4Addr>()
        .map(IpAddr::V4)
        .map_err(|_| ProxyReject::Address)
}

fn v6(text: &str) -> Result<IpAddr, ProxyReject> {
    text.parse::<Ipv6Addr>()
        .map(IpAddr::V6)
        .map_err(|_| ProxyReject::Address)
}

fn port(text: &str) -> Result<u16, ProxyReject> {
    let is_exact =
        text == "0" || (text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0'));
    is_exact
        .then(|| text.parse().ok())
        .flatten()
        .ok_or(ProxyReject::Port)
}

/// Appends a header for these addresses; `UNKNOWN` if one is missing or they are of different families.
pub fn write(source: Option<SocketAddr>, destination: Option<SocketAddr>, out: &mut Vec<u8>) {
    let (family, source, destination): (&[u8], _, _) = match (source, destination) {
        (Some(from @ SocketAddr::V4(_)), Some(to @ SocketAddr::V4(_))) => (b"TCP4 ", from, to),
        // Mapped addresses would be written as IPv4, which is not what TCP6 promises.
        (Some(from @ SocketAddr::V6(a)), Some(to @ SocketAddr::V6(b)))
            if a.ip().to_ipv4_mapped().is_none() && b.ip().to_ipv4_mapped().is_none() =>
        {
            (b"TCP6 ", from, to)
        }
        _ => return out.extend_from_slice(b"PROXY UNKNOWN\r\n"),
    };
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(family);
    push_ip(source.ip(), out);
    out.push(b' ');
    push_ip(destination.ip(), out);
    for port in [source.port(), destination.port()] {
        out.push(b' ');
        push_u64(u64::from(port), out);
    }
    out.extend_from_slice(b"\r\n");
}
