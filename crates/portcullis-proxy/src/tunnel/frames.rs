//! Where WebSocket frames begin and end in a stream of bytes (RFC 6455 section 5.2), so that a frame of ours can be put
//! between two of theirs. Nothing is judged: what is no WebSocket has boundaries somewhere all the same.

/// A close frame with status 1001, "going away", as servers send it: whole, not masked (RFC 6455 sections 5.5.1 and 7.4.1).
pub(super) const GOING_AWAY: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];

/// The opcode of a close frame.
const CLOSE: u8 = 0x8;

/// How far one direction has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    at: At,
    masked: bool,
    /// Bytes of payload to come.
    payload: u64,
    /// A close frame has begun: nothing may follow it.
    closing: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Start,
    Length,
    /// So many bytes of a longer length are missing.
    Extended(u8),
    /// So many bytes of the masking key are missing.
    Mask(u8),
    Payload,
}

impl Frames {
    /// Bytes that go by.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.at == At::Payload {
                let n =
                    usize::try_from(self.payload).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.payload -= n as u64;
                bytes = bytes.get(n..).unwrap_or_default();
                if self.payload == 0 {
                    self.at = At::Start;
                }
                continue;
            }
            self.header(byte);
            bytes = rest;
        }
    }

    /// Whether a frame may be put in here: the last one is whole and was not the last of all.
    pub(super) fn takes_another(&self) -> bool {
        self.at == At::Start && !self.closing
    }

    fn header(&mut self, byte: u8) {
        match self.at {
            At::Start => {
                self.closing |= byte & 0x0f == CLOSE;
                self.at = At::Length;
            }
            At::Length => {
                self.masked = byte & 0x80 != 0;
                self.payload = 0;
                match byte & 0x7f {
                    126 => self.at = At::Extended(2),
                    127 => self.at = At::Extended(8),
                    length => {
                        self.payload = u64::from(length);
                        self.length_known();
                    }
                }
            }
            At::Extended(missing) => {
                self.payload = (self.payload << 8) | u64::from(byte);
                match missing {
                    0 | 1 => self.length_known(),
                    more => self.at = At::Extended(more - 1),
                }
            }
            At::Mask(0 | 1) => self.key_known(),
            At::Mask(missing) => self.at = At::Mask(missing - 1),
            At::Payload => {}
        }
    }

    fn length_known(&mut self) {
        if self.masked {
            self.at = At::Mask(4);
        } else {
            self.key_known();
        }
    }

    fn key_known(&mut self) {
        self.at = if self.payload == 0 {
            At::Start
        } else {
            At::Payload
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]

    use super::*;

    /// A frame with so much payload.
    fn frame(opcode: u8, length: usize, masked: bool) -> Vec<u8> {
        let bit = if masked { 0x80 } else { 0 };
        let mut bytes = vec![0x80 | opcode];
        match length {
            0..126 => bytes.push(bit | length as u8),
            126..65_536 => {
                bytes.push(bit | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(bit | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(masked.then_some([1, 2, 3, 4]).into_iter().flatten());
        bytes.extend(std::iter::repeat_n(0x88, length));
        bytes
    }

    #[test]
    fn a_boundary_is_found_wherever_the_stream_is_cut() {
        for masked in [false, true] {
            for length in [0, 1, 125, 126, 300, 65_535, 65_536, 70_000] {
                let bytes = frame(0x2, length, masked);
                let cuts = (0..bytes.len().min(40)).chain([bytes.len() - 1]);
                for cut in cuts {
                    let mut frames = Frames::default();
                    frames.pass(&bytes[..cut]);
                    assert_eq!(
                        frames.takes_another(),
                        cut == 0,
                        "{length} bytes cut at {cut}"
                    );
                    frames.pass(&bytes[cut..]);
                    assert!(frames.takes_another(), "{length} bytes cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn nothing_follows_a_close_frame() {
        let mut frames = Frames::default();
        frames.pass(&frame(0x1, 5, false));
        frames.pass(&GOING_AWAY);
        assert!(!frames.takes_another());
    }

    #[test]
    fn the_longest_length_there_is_overflows_nothing() {
        let mut frames = Frames::default();
        frames.pass(&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        frames.pass(&[0; 64]);
        assert!(!frames.takes_another());
    }
}
