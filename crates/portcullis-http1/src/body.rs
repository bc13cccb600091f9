//! Bodies: successive inputs to data, by the framing that the head stated (RFC 9112 sections 6 and 7).

use std::ops::Range;

use crate::chunked::{Chunks, Step};
use crate::trailers::Trailers;
use crate::{BodyFraming, Reject};

/// Decodes one body. No data is copied: what is body is told as a range of the input.
///
/// ```
/// use portcullis_http1::{Body, BodyFraming, Piece};
/// let mut body = Body::new(BodyFraming::Chunked);
/// let mut input = b"3\r\nabc\r\n0\r\n\r\nnext message".as_slice();
/// let mut data = Vec::new();
/// while !body.is_done() {
///     let (used, piece) = body.next(input).unwrap();
///     if let Piece::Data(range) = piece {
///         data.extend_from_slice(&input[range]);
///     }
///     input = &input[used..];
/// }
/// assert_eq!((data.as_slice(), input), (b"abc".as_slice(), b"next message".as_slice()));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Body {
    state: State,
    /// Made when a first trailer arrives; its memory is kept.
    trailers: Option<Box<Trailers>>,
}

#[derive(Debug, Clone, Default)]
enum State {
    #[default]
    Done,
    /// So many bytes are to come, at least one.
    Length(u64),
    UntilClose,
    Chunks(Chunks),
    Trailers,
    Refused(Reject),
}

/// What an input gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// All input was used; give more.
    More,
    /// This range of the input, never empty, is data of the body.
    Data(Range<usize>),
    /// The body is complete.
    End,
}

impl Body {
    /// A decoder for a body of this framing.
    #[must_use]
    pub fn new(framing: BodyFraming) -> Self {
        let mut body = Self::default();
        body.restart(framing);
        body
    }

    /// Begins another body, keeping the memory that trailers took.
    pub fn restart(&mut self, framing: BodyFraming) {
        self.state = match framing {
            BodyFraming::None | BodyFraming::Length(0) => State::Done,
            BodyFraming::Length(length) => State::Length(length),
            BodyFraming::Chunked => State::Chunks(Chunks::new()),
            BodyFraming::UntilClose => State::UntilClose,
        };
        if let Some(trailers) = &mut self.trailers {
            trailers.clear();
        }
    }

    /// Whether the body is complete. True at once after the last byte of a known length.
    #[inline]
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The bytes of data that are still to come, when that is known.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Done => Some(0),
            State::Length(length) => Some(length),
            _ => None,
        }
    }

    /// Reads on. `input` begins where the last call's used bytes ended; the number given is the bytes used now.
    ///
    /// With [`Piece::Data`] it is the range's end, so the caller may hand the range on before it reads on. With
    /// [`Piece::More`] it is all of the input. A chunk may come in pieces. After the end: 0 and [`Piece::End`].
    ///
    /// # Errors
    ///
    /// The body is malformed. The same refusal is given from then on, and the connection is unusable.
    #[inline]
    pub fn next(&mut self, input: &[u8]) -> Result<(usize, Piece), Reject> {
        match &mut self.state {
            State::Done => Ok((0, Piece::End)),
            State::Refused(reject) => Err(*reject),
            _ if input.is_empty() => Ok((0, Piece::More)),
            State::UntilClose => Ok((input.len(), Piece::Data(0..input.len()))),
            State::Length(left) => {
                let taken =
                    usize::try_from(*left).map_or(input.len(), |most| most.min(input.len()));
                *left -= taken as u64;
                if *left == 0 {
                    self.state = State::Done;
                }
                Ok((taken, Piece::Data(0..taken)))
            }
            State::Chunks(_) | State::Trailers => self.next_chunked(input),
        }
    }

    #[inline]
    fn next_chunked(&mut self, input: &[u8]) -> Result<(usize, Piece), Reject> {
        let outcome = self.decode(input);
        match outcome {
            Err(reject) => self.state = State::Refused(reject),
            Ok((_, Piece::End)) => self.state = State::Done,
            Ok(_) => {}
        }
        outcome
    }

    fn decode(&mut self, input: &[u8]) -> Result<(usize, Piece), Reject> {
        let mut used = 0;
        if let State::Chunks(chunks) = &mut self.state {
            match chunks.next(input)? {
                Step::More => return Ok((input.len(), Piece::More)),
                Step::Data(range) => return Ok((range.end, Piece::Data(range))),
                Step::Last(end) => used = end,
            }
            self.state = State::Trailers;
        }
        self.read_trailers(input, used)
    }

    fn read_trailers(&mut self, input: &[u8], used: usize) -> Result<(usize, Piece), Reject> {
        let rest = input.get(used..).unwrap_or_default();
        let begun = self.trailers.as_ref().is_some_and(|t| t.has_begun());
        if !begun && rest.starts_with(b"\r\n") {
            return Ok((used + 2, Piece::End));
        }
        let trailers = self.trailers.get_or_insert_default();
        Ok(match trailers.take(rest)? {
            Some(end) => (used + end, Piece::End),
            None => (input.len(), Piece::More),
        })
    }

    /// Tells that the input has ended. Fine when the body is complete, or ends by closing, which completes it.
    ///
    /// # Errors
    ///
    /// [`Reject::Truncated`] when bytes are missing, or the refusal met before.
    pub fn end_of_input(&mut self) -> Result<(), Reject> {
        match self.state {
            State::Done => Ok(()),
            State::UntilClose => {
                self.state = State::Done;
                Ok(())
            }
            State::Refused(reject) => Err(reject),
            _ => {
                self.state = State::Refused(Reject::Truncated);
                Err(Reject::Truncated)
            }
        }
    }

    /// The trailers as clean `name: value` lines with CRLF, once the body has ended; empty before and without any.
    #[must_use]
    pub fn trailers(&self) -> &[u8] {
        match (&self.trailers, self.is_done()) {
            (Some(trailers), true) => trailers.lines(),
            _ => b"",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_ends_with_its_last_byte_and_leaves_the_rest() {
        let mut body = Body::new(BodyFraming::Length(3));
        assert_eq!(body.next(b""), Ok((0, Piece::More)));
        assert_eq!(body.next(b"ab"), Ok((2, Piece::Data(0..2))));
        assert_eq!(body.remaining(), Some(1));
        assert_eq!(body.next(b"cGET"), Ok((1, Piece::Data(0..1))));
        assert!(body.is_done());
        assert_eq!(body.next(b"GET"), Ok((0, Piece::End)));
        assert_eq!(body.end_of_input(), Ok(()));
    }

    #[test]
    fn an_end_of_input_completes_only_a_body_that_ends_by_closing() {
        let mut open = Body::new(BodyFraming::UntilClose);
        assert_eq!(open.next(b"xy"), Ok((2, Piece::Data(0..2))));
        assert_eq!(open.end_of_input(), Ok(()));
        assert!(open.is_done());
        for framing in [BodyFraming::Length(1), BodyFraming::Chunked] {
            let mut body = Body::new(framing);
            assert_eq!(body.end_of_input(), Err(Reject::Truncated));
            assert_eq!(body.next(b"0"), Err(Reject::Truncated), "a refusal stays");
        }
    }

    #[test]
    fn bodies_of_no_length_are_done_at_once() {
        for framing in [BodyFraming::None, BodyFraming::Length(0)] {
            let mut body = Body::new(framing);
            assert!(body.is_done());
            assert_eq!(body.next(b"x"), Ok((0, Piece::End)));
        }
    }

    #[test]
    fn a_restarted_body_forgets_its_trailers() {
        let mut body = Body::new(BodyFraming::Chunked);
        assert_eq!(body.next(b"0\r\nA: b\r\n\r\n"), Ok((11, Piece::End)));
        assert_eq!(body.trailers(), b"A: b\r\n");
        body.restart(BodyFraming::Chunked);
        assert_eq!(body.trailers(), b"");
        assert_eq!(body.next(b"0\r\n\r\n"), Ok((5, Piece::End)));
        assert_eq!(body.trailers(), b"");
    }
}
