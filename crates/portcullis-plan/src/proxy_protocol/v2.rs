//! Version 2: binary, with addresses of fixed size and extensions (TLVs) after them.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Header, ProxyReject, agrees};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
pub(super) const PREFIX: usize = 16;
/// Bytes after the prefix that are accepted: addresses take up to 216, the rest is for extensions.
pub(super) const MAX_LENGTH: usize = 4096;
/// The extension that holds a CRC-32C of the whole header.
const TYPE_CRC32C: u8 = 0x03;

pub(super) fn parse(bytes: &[u8]) -> Result<Option<(usize, Header)>, ProxyReject> {
    if !agrees(bytes, SIGNATURE) {
        return Err(ProxyReject::Signature);
    }
    let is_local = match bytes.get(12) {
        None => return Ok(None),
        Some(0x20) => true,
        Some(0x21) => false,
        Some(byte) if byte >> 4 == 2 => return Err(ProxyReject::Command),
        Some(_) => return Err(ProxyReject::Version),
    };
    let Some(prefix) = bytes.first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let [.., family, high, low] = *prefix;
    let size = address_size(family, is_local)?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < size || length > MAX_LENGTH {
        return Err(ProxyReject::Length);
    }
    let Some(whole) = bytes.get(..PREFIX + length) else {
        return Ok(None);
    };
    let (addresses, extensions) = whole.get(PREFIX..).unwrap_or_default().split_at(size);
    check_extensions(whole, extensions)?;
    let header = if is_local {
        Header {
            local: true,
            ..Header::default()
        }
    } else {
        read_addresses(addresses)?
    };
    Ok(Some((whole.len(), header)))
}

/// Bytes that the addresses of a family take. A sender that speaks for itself may say any; it is not looked at.
fn address_size(family: u8, is_local: bool) -> Result<usize, ProxyReject> {
    match family {
        0x00 => Ok(0),
        0x11 => Ok(12),
        0x21 => Ok(36),
        0x31 => Ok(216),
        _ if is_local => Ok(0),
        _ => Err(ProxyReject::Transport),
    }
}

fn read_addresses(addresses: &[u8]) -> Result<Header, ProxyReject> {
    let (source, destination) = match addresses.len() {
        12 => (v4(addresses, 0, 8), v4(addresses, 4, 10)),
        36 => (v6(addresses, 0, 32), v6(addresses, 16, 34)),
        // Unspecified, or Unix sockets, which have no address that anything here could use.
        _ => return Ok(Header::default()),
    };
    if source.is_none() || destination.is_none() {
        return Err(ProxyReject::Length);
    }
    Ok(Header {
        source,
        destination,
        local: false,
    })
}

fn v4(bytes: &[u8], address: usize, port: usize) -> Option<SocketAddr> {
    let octets: &[u8; 4] = bytes.get(address..)?.first_chunk()?;
    Some(SocketAddr::from((
        Ipv4Addr::from(*octets),
        read_port(bytes, port)?,
    )))
}

fn v6(bytes: &[u8], address: usize, port: usize) -> Option<SocketAddr> {
    let octets: &[u8; 16] = bytes.get(address..)?.first_chunk()?;
    Some(SocketAddr::from((
        Ipv6Addr::from(*octets),
        read_port(bytes, port)?,
    )))
}

fn read_port(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|port| u16::from_be_bytes(*port))
}

/// Extensions must fill their space; the checksum, if there is one, must be right. All others are skipped.
fn check_extensions(whole: &[u8], extensions: &[u8]) -> Result<(), ProxyReject> {
    let mut rest = extensions;
    while let Some((&[kind, high, low], after)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (value, next) = after
            .split_at_checked(length)
            .ok_or(ProxyReject::Extension)?;
        if kind == TYPE_CRC32C {
            let claimed: &[u8; 4] = value.try_into().map_err(|_| ProxyReject::Extension)?;
            let at = whole.len() - next.len() - value.len();
            if checksum(whole, at) != u32::from_be_bytes(*claimed) {
                return Err(ProxyReject::Checksum);
            }
        }
        rest = next;
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(ProxyReject::Extension)
    }
}

/// CRC-32C of a header whose own checksum, the four bytes at `at`, counts as zero.
fn checksum(whole: &[u8], at: usize) -> u32 {
    let bytes = whole.iter().enumerate();
    !bytes.fold(!0, |crc, (position, byte)| {
        let is_checksum = (at..at + 4).contains(&position);
        crc_step(crc, if is_checksum { 0 } else { *byte })
    })
}

/// One byte of CRC-32C (Castagnoli), bit by bit: headers are short and this runs once a connection.
fn crc_step(crc: u32, byte: u8) -> u32 {
    (0..8).fold(crc ^ u32::from(byte), |crc, _| {
        let feedback = if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        (crc >> 1) ^ feedback
    })
}

/// Appends a header for these addresses, with a checksum; unspecified if one is missing. An IPv4 address beside an
/// IPv6 one is written as its mapped form.
pub fn write(source: Option<SocketAddr>, destination: Option<SocketAddr>, out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend_from_slice(SIGNATURE);
    out.push(0x21);
    match (source, destination) {
        (Some(SocketAddr::V4(from)), Some(SocketAddr::V4(to))) => {
            push_family(0x11, 12, out);
            out.extend_from_slice(&from.ip().octets());
            out.extend_from_slice(&to.ip().octets());
            push_ports(from.port(), to.port(), out);
        }
        (Some(from), Some(to)) => {
            push_family(0x21, 36, out);
            for address in [from, to] {
                let v6 = match address {
                    SocketAddr::V4(v4) => v4.ip().to_ipv6_mapped(),
                    SocketAddr::V6(v6) => *v6.ip(),
                };
                out.extend_from_slice(&v6.octets());
            }
            push_ports(from.port(), to.port(), out);
        }
        _ => push_family(0x00, 0, out),
    }
    out.extend_from_slice(&[TYPE_CRC32C, 0, 4, 0, 0, 0, 0]);
    seal(out.get_mut(begin..).unwrap_or_default());
}

/// Appends a `LOCAL` header, with a checksum: the connection is our own, as for a health check.
pub(super) fn write_local(out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend_from_slice(SIGNATURE);
    out.push(0x20);
    push_family(0x00, 0, out);
    out.extend_from_slice(&[TYPE_CRC32C, 0, 4, 0, 0, 0, 0]);
    seal(out.get_mut(begin..).unwrap_or_default());
}

fn push_family(family: u8, size: u16, out: &mut Vec<u8>) {
    const CHECKSUM_EXTENSION: u16 = 7;
    out.push(family);
    out.extend_from_slice(&(size + CHECKSUM_EXTENSION).to_be_bytes());
}

fn push_ports(source: u16, destination: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&source.to_be_bytes());
    out.extend_from_slice(&destination.to_be_bytes());
}

/// Puts the checksum of a whole header into its last four bytes.
fn seal(header: &mut [u8]) {
    let sum = checksum(header, header.len().saturating_sub(4));
    if let Some(place) = header.last_chunk_mut::<4>() {
        *place = sum.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value of CRC-32C; the position lies past the end, so nothing counts as zero.
        assert_eq!(checksum(b"123456789", 9), 0xe306_9283);
    }
}
