//! The lines of HTTP/1 text that we wrote ourselves.

use memchr::memchr;

/// Goes over lines that end with CRLF, up to an empty one.
#[derive(Debug, Clone)]
pub(crate) struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    /// The start line, and the lines after it.
    #[inline]
    pub(crate) fn of_head(text: &'a [u8]) -> (&'a [u8], Self) {
        let mut lines = Self::new(text);
        let first = lines.next().unwrap_or_default();
        (first, lines)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr(b'\r', self.rest)?;
        let line = self.rest.get(..end)?;
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        (!line.is_empty()).then_some(line)
    }
}

/// The status of a status line; 500 of anything else, which nobody writes.
#[inline]
pub(crate) fn status_of(line: &[u8]) -> [u8; 3] {
    match line.get(9..).and_then(|rest| rest.first_chunk::<3>()) {
        Some(status) => *status,
        None => *b"500",
    }
}

/// The value of a line if its name is `name`, which is in lower case.
#[inline]
pub(crate) fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    let [b':', value @ ..] = rest else {
        return None;
    };
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}
