//! Numbers and addresses as text, appended without allocation or the formatting machinery: logs write a dozen a line.

use std::io::Write;
use std::net::IpAddr;

/// Appends `number` in decimal.
pub(crate) fn push_u64(number: u64, out: &mut Vec<u8>) {
    let mut text = [b'0'; 20];
    let mut begin = text.len();
    let mut left = number;
    for (position, digit) in text.iter_mut().enumerate().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
        begin = position;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(text.get(begin..).unwrap_or_default());
}

/// Appends `number` with zeros before it, `WIDTH` digits in all; higher digits are left out.
pub(crate) fn push_padded<const WIDTH: usize>(number: u64, out: &mut Vec<u8>) {
    let mut text = [b'0'; WIDTH];
    let mut left = number;
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
    out.extend_from_slice(&text);
}

/// Appends a duration of so many nanoseconds in milliseconds with three decimals, as in `12.345`.
pub(crate) fn push_millis(nanos: u64, out: &mut Vec<u8>) {
    let micros = nanos / 1000;
    push_u64(micros / 1000, out);
    out.push(b'.');
    push_padded::<3>(micros % 1000, out);
}

/// Appends an address, without brackets.
pub(crate) fn push_ip(address: IpAddr, out: &mut Vec<u8>) {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            for (position, octet) in v4.octets().into_iter().enumerate() {
                if position > 0 {
                    out.push(b'.');
                }
                push_u64(u64::from(octet), out);
            }
        }
        // Writing to a vector cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

/// Appends two upper-case hexadecimal digits.
pub(crate) fn push_hex(byte: u8, out: &mut Vec<u8>) {
    let digit = |nibble: u8| {
        if nibble < 10 {
            b'0' + nibble
        } else {
            b'A' + nibble - 10
        }
    };
    out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn numbers_are_written_like_to_string() {
        for number in [0, 7, 10, 99, 100, 12_345, u64::MAX] {
            assert_eq!(text(|out| push_u64(number, out)), number.to_string());
        }
        assert_eq!(text(|out| push_padded::<3>(7, out)), "007");
        assert_eq!(text(|out| push_hex(0xaf, out)), "AF");
    }

    #[test]
    fn milliseconds_have_three_decimals() {
        assert_eq!(text(|out| push_millis(12_045_999, out)), "12.045");
        assert_eq!(text(|out| push_millis(0, out)), "0.000");
    }

    #[test]
    fn mapped_addresses_are_written_as_v4() {
        for (address, written) in [
            ("::ffff:192.0.2.10", "192.0.2.10"),
            ("2001:db8::1", "2001:db8::1"),
            ("255.0.0.1", "255.0.0.1"),
        ] {
            assert_eq!(text(|out| push_ip(address.parse().unwrap(), out)), written);
        }
    }
}
