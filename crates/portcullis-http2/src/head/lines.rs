//! The lines of HTTP/1 text that we wrote ourselves.

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
        let end = find_cr(self.rest)?;
        let line = self.rest.get(..end)?;
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        (!line.is_empty()).then_some(line)
    }
}

/// Where the first CR is. Lines are short, so that this costs less than the call of a search made for long texts.
#[inline]
fn find_cr(text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = text.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let other = u64::from_le_bytes(*word) ^ (ONES * b'\r' as u64);
        let hits = other.wrapping_sub(ONES) & !other & (ONES << 7);
        if hits != 0 {
            return Some(place * 8 + hits.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|&byte| byte == b'\r')?;
    Some(words.len() * 8 + at)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cr_is_found_wherever_it_stands() {
        for length in 0..30 {
            assert_eq!(find_cr(&vec![0x8D; length]), None);
            for place in 0..length {
                let mut text = vec![0x8D; length];
                text[place] = b'\r';
                text[length - 1] = b'\r';
                assert_eq!(find_cr(&text), Some(place));
            }
        }
    }

    #[test]
    fn lines_end_at_the_empty_one() {
        let (first, lines) =
            Lines::of_head(b"HTTP/1.1 204 No Content\r\nA: b\r\nc:d\r\n\r\nx: y\r\n");
        assert_eq!(status_of(first), *b"204");
        assert_eq!(lines.collect::<Vec<_>>(), [b"A: b".as_slice(), b"c:d"]);
        assert_eq!(
            value_of(b"Upgrade:  websocket ", b"upgrade"),
            Some(b"websocket".as_slice())
        );
        assert_eq!(value_of(b"upgrades: x", b"upgrade"), None);
    }
}
