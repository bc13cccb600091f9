//! A strict reader of HTTP/1 messages that shares nothing with the code under test: it takes exactly what
//! RFC 9112 allows and panics on the rest, so that whatever the proxy emits is judged by a second opinion.

use std::io::{self, Read};

/// Header fields in the order they came, names as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// The only value of a field; none when absent.
    ///
    /// # Panics
    /// When the field is there more than once.
    #[must_use]
    #[track_caller]
    pub fn one(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(
            all.len() < 2,
            "`{name}` is there {} times: {all:?}",
            all.len()
        );
        all.first().copied()
    }

    /// Every value of a field.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        let same = self
            .0
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    /// Whether a field is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }
}

/// A request as an origin saw it.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// The request target as sent.
    pub target: String,
    /// `HTTP/1.1`.
    pub version: String,
    /// Its header fields.
    pub fields: Fields,
    /// Its body, without the framing.
    pub body: Vec<u8>,
    /// The trailer fields after a chunked body.
    pub trailers: Fields,
    /// The head, byte for byte.
    pub head: Vec<u8>,
}

/// A response as a client saw it.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// `HTTP/1.1`.
    pub version: String,
    /// Its header fields.
    pub fields: Fields,
    /// Its body, without the framing.
    pub body: Vec<u8>,
    /// The trailer fields after a chunked body.
    pub trailers: Fields,
    /// The interim responses (1xx) that came before it: status and fields.
    pub interim: Vec<(u16, Fields)>,
    /// Whether the body ended before its framing said so: the message is cut.
    pub truncated: bool,
}

impl Response {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

/// Bytes of a connection, read on demand and given out by the piece.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) buffer: Vec<u8>,
}

impl Reader {
    /// Reads once; false at the end of the stream.
    fn more(&mut self, from: &mut dyn Read) -> io::Result<bool> {
        let mut chunk = [0; 16 * 1024];
        let count = from.read(&mut chunk)?;
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(count > 0)
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        self.buffer.drain(..count).collect()
    }

    /// The bytes up to and with an empty line; none when the stream ends before its first byte.
    pub(crate) fn head(&mut self, from: &mut dyn Read) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                return Ok(Some(self.take(at + 4)));
            }
            if !self.more(from)? {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(cut("inside a head"))
                };
            }
        }
    }

    pub(crate) fn line(&mut self, from: &mut dyn Read) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let line = self.take(at + 2);
                return Ok(line[..at].to_vec());
            }
            if !self.more(from)? {
                return Err(cut("inside a line"));
            }
        }
    }

    pub(crate) fn exactly(&mut self, from: &mut dyn Read, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.more(from)? {
                return Err(cut("inside a body"));
            }
        }
        Ok(self.take(count))
    }

    pub(crate) fn until_close(&mut self, from: &mut dyn Read) -> io::Result<Vec<u8>> {
        while self.more(from)? {}
        Ok(std::mem::take(&mut self.buffer))
    }

    /// A body and its trailers. What had come of it when the stream ended early is in `body`.
    pub(crate) fn body(
        &mut self,
        from: &mut dyn Read,
        framing: Framing,
        body: &mut Vec<u8>,
    ) -> io::Result<Fields> {
        match framing {
            Framing::None => {}
            Framing::Length(length) => match self.exactly(from, length) {
                Ok(bytes) => *body = bytes,
                Err(error) => {
                    *body = std::mem::take(&mut self.buffer);
                    return Err(error);
                }
            },
            Framing::UntilClose => *body = self.until_close(from)?,
            Framing::Chunked => return self.chunks(from, body),
        }
        Ok(Fields::default())
    }

    fn chunks(&mut self, from: &mut dyn Read, body: &mut Vec<u8>) -> io::Result<Fields> {
        loop {
            let line = self.line(from)?;
            let text = String::from_utf8(line).expect("a chunk's size is ASCII");
            let digits = text.split(';').next().unwrap_or_default();
            assert!(
                !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "a chunk's size is hexadecimal digits alone: {text:?}"
            );
            let size = usize::from_str_radix(digits, 16).expect("a chunk's size fits");
            if size == 0 {
                return self.trailers(from);
            }
            body.extend(self.exactly(from, size)?);
            assert_eq!(self.exactly(from, 2)?, b"\r\n", "a chunk ends with CRLF");
        }
    }

    fn trailers(&mut self, from: &mut dyn Read) -> io::Result<Fields> {
        let mut fields = Fields::default();
        loop {
            let line = self.line(from)?;
            if line.is_empty() {
                return Ok(fields);
            }
            fields.0.push(field(&line));
        }
    }
}

/// Splits a head into its first line and its fields, strictly.
pub(crate) fn split_head(head: &[u8]) -> (String, Fields) {
    let text = head
        .strip_suffix(b"\r\n\r\n")
        .expect("a head ends with an empty line");
    let mut lines = text
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next().unwrap_or_default();
    let fields = lines.map(field).collect();
    (String::from_utf8_lossy(first).into_owned(), Fields(fields))
}

fn field(line: &[u8]) -> (String, String) {
    assert!(
        !line.contains(&b'\r'),
        "a bare CR in a field line: {:?}",
        String::from_utf8_lossy(line)
    );
    let colon = line.iter().position(|byte| *byte == b':');
    let colon = colon.unwrap_or_else(|| panic!("no colon in {:?}", String::from_utf8_lossy(line)));
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    assert!(
        !name.is_empty() && name.iter().all(is_token),
        "not a field name: {:?}",
        String::from_utf8_lossy(name)
    );
    let value = String::from_utf8_lossy(value);
    (
        String::from_utf8_lossy(name).into_owned(),
        value.trim_matches([' ', '\t']).to_owned(),
    )
}

/// The framing that a message's fields state (RFC 9112 section 6.3); `otherwise` when they state none.
pub(crate) fn framing(fields: &Fields, otherwise: Framing) -> Framing {
    let codings = fields.all("transfer-encoding");
    let lengths = fields.all("content-length");
    match (codings.as_slice(), lengths.as_slice()) {
        ([], []) => otherwise,
        ([], [length]) => {
            assert!(
                length.bytes().all(|byte| byte.is_ascii_digit()),
                "not a length: {length:?}"
            );
            Framing::Length(length.parse().expect("a length fits"))
        }
        ([coding], []) => {
            assert!(
                coding.eq_ignore_ascii_case("chunked"),
                "not the one coding: {coding:?}"
            );
            Framing::Chunked
        }
        _ => panic!("a message with several framings: {codings:?} {lengths:?}"),
    }
}

pub(crate) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

fn cut(place: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        format!("the stream ended {place}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_is_read_with_its_trailers() {
        let mut from = &b"3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nx-end: 1\r\n\r\nrest"[..];
        let mut reader = Reader::default();
        let mut body = Vec::new();
        let trailers = reader.body(&mut from, Framing::Chunked, &mut body).unwrap();
        assert_eq!(body, b"abcd");
        assert_eq!(trailers.one("X-End"), Some("1"));
        assert_eq!(reader.buffer, b"rest");
    }

    #[test]
    #[should_panic(expected = "several framings")]
    fn two_framings_are_never_accepted() {
        let fields = Fields(vec![
            ("Content-Length".into(), "1".into()),
            ("Transfer-Encoding".into(), "chunked".into()),
        ]);
        framing(&fields, Framing::None);
    }
}
