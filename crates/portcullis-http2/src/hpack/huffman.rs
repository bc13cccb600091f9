//! The Huffman code of RFC 7541 appendix B.
//!
//! The code is canonical, so its table is the 257 lengths; the rest is computed at compile time. Decoding looks up eight bits at a
//! time, which covers every letter, digit and common sign; longer codes are found by their length.

use super::Invalid;

const SYMBOLS: usize = 257;
const EOS: u16 = 256;
const LONGEST: usize = 30;

/// The bits of each symbol's code; the last is EOS.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

static CODE: Code = Code::new();

struct Code {
    /// Of each symbol: its code in the low bits, and how many they are.
    codes: [(u32, u8); SYMBOLS],
    /// By the next eight bits: the symbol and the length of its code; length 0 when that is over eight.
    short: [(u8, u8); 256],
    /// Of each length: the first code, how many there are, and where their symbols begin in `sorted`.
    lengths: [(u32, u32, u32); LONGEST + 1],
    /// The symbols by length, then by value.
    sorted: [u16; SYMBOLS],
}

impl Code {
    const fn new() -> Self {
        let mut code = Self {
            codes: [(0, 0); SYMBOLS],
            short: [(0, 0); 256],
            lengths: [(0, 0, 0); LONGEST + 1],
            sorted: [0; SYMBOLS],
        };
        let (mut next, mut place, mut length) = (0u32, 0, 1);
        while length <= LONGEST {
            code.lengths[length] = (next, 0, place as u32);
            let mut symbol = 0;
            while symbol < SYMBOLS {
                if LENGTHS[symbol] as usize == length {
                    code.codes[symbol] = (next, length as u8);
                    code.sorted[place] = symbol as u16;
                    code.lengths[length].1 += 1;
                    next += 1;
                    place += 1;
                }
                symbol += 1;
            }
            next <<= 1;
            length += 1;
        }
        code.fill_short();
        code
    }

    const fn fill_short(&mut self) {
        let mut symbol = 0;
        while symbol < SYMBOLS - 1 {
            let (code, length) = self.codes[symbol];
            if length <= 8 {
                let first = (code as usize) << (8 - length);
                let mut at = first;
                while at < first + (1 << (8 - length)) {
                    self.short[at] = (symbol as u8, length);
                    at += 1;
                }
            }
            symbol += 1;
        }
    }

    /// The symbol whose code `window` begins with, of over eight bits, and its length.
    #[cold]
    fn long(&self, window: u32) -> Option<(u16, u32)> {
        (9..=LONGEST).find_map(|length| {
            let &(first, count, place) = self.lengths.get(length)?;
            let offset = (window >> (32 - length)).checked_sub(first)?;
            let symbol = self.sorted.get((place + offset) as usize)?;
            (offset < count).then_some((*symbol, length as u32))
        })
    }
}

/// The bits not decoded yet, the next one highest.
struct Bits<'a> {
    word: u64,
    have: u32,
    rest: &'a [u8],
}

impl Bits<'_> {
    /// Takes bytes in until over 32 bits are there or none are left.
    #[inline]
    fn refill(&mut self) {
        if self.have > 32 {
            return;
        }
        if let Some((chunk, rest)) = self.rest.split_first_chunk::<4>() {
            self.word |= u64::from(u32::from_be_bytes(*chunk)) << (32 - self.have);
            self.have += 32;
            self.rest = rest;
            return;
        }
        while let ([byte, rest @ ..], true) = (self.rest, self.have <= 32) {
            self.word |= u64::from(*byte) << (56 - self.have);
            self.have += 8;
            self.rest = rest;
        }
    }

    #[inline]
    fn drop(&mut self, count: u32) {
        self.word <<= count;
        self.have -= count;
    }

    /// The next bits, with ones behind the last, which is what padding is.
    fn padded(&self) -> u64 {
        self.word | u64::MAX.checked_shr(self.have).unwrap_or(0)
    }
}

/// Appends what `coded` stands for. Refuses EOS, and an end that is not up to seven bits of ones (RFC 7541 section 5.2).
#[inline]
pub(crate) fn decode(coded: &[u8], out: &mut Vec<u8>) -> Result<(), Invalid> {
    let start = out.len();
    // No code is shorter than five bits.
    out.resize(start + coded.len() * 8 / 5, 0);
    let mut slots = out.get_mut(start..).unwrap_or_default().iter_mut();
    let all = slots.len();
    let mut put = |symbol: u8| {
        if let Some(slot) = slots.next() {
            *slot = symbol;
        }
    };
    let mut bits = Bits {
        word: 0,
        have: 0,
        rest: coded,
    };
    let decoded = loop {
        bits.refill();
        while bits.have >= 8 {
            let (symbol, length) = CODE.short[(bits.word >> 56) as usize];
            if length == 0 {
                break;
            }
            bits.drop(u32::from(length));
            put(symbol);
        }
        if bits.have < 8 {
            if bits.rest.is_empty() {
                break finish(&mut bits, &mut put);
            }
            continue;
        }
        if bits.have < LONGEST as u32 && !bits.rest.is_empty() {
            continue;
        }
        match CODE.long((bits.padded() >> 32) as u32) {
            Some((symbol, length)) if length <= bits.have && symbol != EOS => {
                bits.drop(length);
                put(symbol as u8);
            }
            _ => break Err(Invalid),
        }
    };
    let used = all - slots.len();
    out.truncate(start + used);
    decoded
}

/// The last symbols, and the padding.
#[inline]
fn finish(bits: &mut Bits<'_>, put: &mut impl FnMut(u8)) -> Result<(), Invalid> {
    loop {
        let (symbol, length) = CODE.short[(bits.padded() >> 56) as usize];
        if length == 0 || u32::from(length) > bits.have {
            break;
        }
        bits.drop(u32::from(length));
        put(symbol);
    }
    match bits.padded() {
        u64::MAX => Ok(()),
        _ => Err(Invalid),
    }
}

/// The bytes that `plain` takes when coded.
pub(crate) fn encoded_length(plain: &[u8]) -> usize {
    let bits: usize = plain
        .iter()
        .map(|&byte| CODE.codes[byte as usize].1 as usize)
        .sum();
    bits.div_ceil(8)
}

/// Appends `plain` coded, padded with ones.
pub(crate) fn encode(plain: &[u8], out: &mut Vec<u8>) {
    let (mut word, mut have) = (0u64, 0u32);
    for &byte in plain {
        let (code, length) = CODE.codes[byte as usize];
        word = word << length | u64::from(code);
        have += u32::from(length);
        while have >= 8 {
            have -= 8;
            out.push((word >> have) as u8);
        }
    }
    if have > 0 {
        let pad = 8 - have;
        out.push((word << pad) as u8 | (0xFF >> have));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn decoded(coded: &[u8]) -> Result<Vec<u8>, Invalid> {
        let mut out = b"before".to_vec();
        decode(coded, &mut out).map(|()| out.split_off(6))
    }

    #[test]
    fn rfc7541_c_4_and_c_6_examples() {
        for (coded, plain) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95ba97d7f", "custom-key"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            (
                "d07abe941054d444a8200595040b8166e082a62d1bff",
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
            (
                "9d29ad171863c78f0b97c8e9ae82ae43d3",
                "https://www.example.com",
            ),
        ] {
            let coded: Vec<u8> = (0..coded.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&coded[at..at + 2], 16).unwrap())
                .collect();
            assert_eq!(decoded(&coded), Ok(plain.as_bytes().to_vec()));
            let mut out = Vec::new();
            encode(plain.as_bytes(), &mut out);
            assert_eq!(
                (out.len(), &out),
                (encoded_length(plain.as_bytes()), &coded)
            );
        }
    }

    #[test]
    fn rfc7541_5_2_padding_is_up_to_seven_ones() {
        assert_eq!(
            decoded(b"\x1F"),
            Ok(b"a".to_vec()),
            "five bits and three ones"
        );
        assert_eq!(decoded(b"\x18"), Err(Invalid), "padding of zeros");
        assert_eq!(decoded(b"\x1F\xFF"), Err(Invalid), "padding of eleven bits");
        assert_eq!(decoded(b"\xFF"), Err(Invalid), "padding of eight bits");
        assert_eq!(decoded(b"\xFF\xFF\xFF\xFF"), Err(Invalid), "EOS");
        assert_eq!(
            decoded(b"\xFF\xFF\xFF\xFC"),
            Err(Invalid),
            "EOS with wrong padding"
        );
        assert_eq!(decoded(b""), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same(plain in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut coded = Vec::new();
            encode(&plain, &mut coded);
            prop_assert_eq!(coded.len(), encoded_length(&plain));
            prop_assert_eq!(decoded(&coded), Ok(plain));
        }

        /// Huffman strings have one encoding only, so whatever decodes encodes to the same bytes.
        #[test]
        fn whatever_decodes_is_the_one_encoding(coded in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(plain) = decoded(&coded) {
                let mut again = Vec::new();
                encode(&plain, &mut again);
                prop_assert_eq!(again, coded);
            }
        }
    }
}
