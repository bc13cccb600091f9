//! Integers with a prefix (RFC 7541 section 5.1), bounded.

use super::Invalid;

/// Nothing that we accept is longer than this; it keeps the sum below from overflowing.
const MOST_BYTES: u32 = 4;

/// Reads an integer whose first byte has `prefix` bits of it; gives it and what follows.
#[inline]
pub(crate) fn read(bytes: &[u8], prefix: u32) -> Result<(usize, &[u8]), Invalid> {
    let (&first, rest) = bytes.split_first().ok_or(Invalid)?;
    let mask = (1u32 << prefix) - 1;
    let value = u32::from(first) & mask;
    if value < mask {
        return Ok((value as usize, rest));
    }
    read_long(value, rest)
}

fn read_long(mut value: u32, mut rest: &[u8]) -> Result<(usize, &[u8]), Invalid> {
    for place in 0..MOST_BYTES {
        let (&byte, after) = rest.split_first().ok_or(Invalid)?;
        value += u32::from(byte & 0x7F) << (7 * place);
        rest = after;
        if byte & 0x80 == 0 {
            return Ok((value as usize, rest));
        }
    }
    Err(Invalid)
}

/// Appends `value` with `prefix` bits of it in the first byte, whose other bits are `pattern`.
#[inline]
pub(crate) fn write(out: &mut Vec<u8>, pattern: u8, prefix: u32, value: usize) {
    let mask = (1usize << prefix) - 1;
    if value < mask {
        out.push(pattern | value as u8);
        return;
    }
    out.push(pattern | mask as u8);
    let mut rest = value - mask;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7541_c_1_examples() {
        assert_eq!(read(&[0b0000_1010, 7], 5), Ok((10, [7].as_slice())));
        assert_eq!(read(&[0b1111_1111, 154, 10], 5), Ok((1337, [].as_slice())));
        assert_eq!(read(&[42], 8), Ok((42, [].as_slice())));
        let mut out = Vec::new();
        write(&mut out, 0b1110_0000, 5, 1337);
        assert_eq!(out, [0b1111_1111, 154, 10]);
    }

    #[test]
    fn every_value_reads_as_it_was_written() {
        for prefix in 4..8 {
            for value in (0..300).chain([4095, 16_383, 16_384, 2_097_151, 268_435_000]) {
                let mut out = Vec::new();
                write(&mut out, 0, prefix, value);
                assert_eq!(read(&out, prefix), Ok((value, [].as_slice())));
            }
        }
    }

    #[test]
    fn rfc7541_5_1_integers_without_end_are_refused() {
        assert_eq!(read(&[], 7), Err(Invalid));
        assert_eq!(read(&[0x7F], 7), Err(Invalid));
        assert_eq!(read(&[0x7F, 0xFF], 7), Err(Invalid));
        assert_eq!(read(&[0x7F, 0x80, 0x80, 0x80, 0x80, 0x01], 7), Err(Invalid));
    }
}
