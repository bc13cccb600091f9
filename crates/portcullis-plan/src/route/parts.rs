//! The parameters of a query and the cookies of a request, one after the other, without storing any.

/// The parameters of a query in order, names and values as they are written.
///
/// Pairs are separated by `&`, name and value by the first `=`; a pair without one has an empty value. Pairs of nothing are left out.
pub(crate) fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query
        .split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| split_once(pair, b'=').unwrap_or((pair, &[])))
}

/// The cookies of one Cookie field in order (RFC 6265 section 5.4): separated by `;`, name and value by the first `=`, white
/// space around both cut. What has no `=` is no cookie.
pub(crate) fn cookies(field: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = field.split(|&byte| byte == b';');
    pairs.filter_map(|pair| {
        let (name, value) = split_once(pair, b'=')?;
        Some((name.trim_ascii(), value.trim_ascii()))
    })
}

fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let (front, rest) = text.split_at_checked(text.iter().position(|&byte| byte == at)?)?;
    Some((front, rest.get(1..)?))
}

/// The bytes that a part of a query stands for, as the forms of browsers write them: `%XX` is a byte, `+` a space. A `%`
/// without two hexadecimal digits stands for itself.
pub(crate) fn decoded(mut text: &[u8]) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let (&first, rest) = text.split_first()?;
        text = rest;
        match first {
            b'+' => Some(b' '),
            b'%' => match rest {
                [high, low, after @ ..] => match (hex(*high), hex(*low)) {
                    (Some(high), Some(low)) => {
                        text = after;
                        Some(high << 4 | low)
                    }
                    _ => Some(b'%'),
                },
                _ => Some(b'%'),
            },
            _ => Some(first),
        }
    })
}

/// Parts of a query up to this length are decoded without asking for memory.
const INLINE: usize = 512;

/// Gives `judge` the bytes that `text` stands for as one piece; only what is really encoded is copied.
pub(crate) fn with_decoded<T>(text: &[u8], judge: impl FnOnce(&[u8]) -> T) -> T {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return judge(text);
    }
    let mut inline = [0; INLINE];
    if text.len() > INLINE {
        return judge(&decoded(text).collect::<Vec<u8>>());
    }
    let length = inline
        .iter_mut()
        .zip(decoded(text))
        .map(|(place, byte)| *place = byte)
        .count();
    judge(inline.get(..length).unwrap_or_default())
}

/// The decoded values of every parameter of this name, for explanations.
pub(crate) fn parameters_named(query: &[u8], name: &str) -> Vec<Vec<u8>> {
    let named = parameters(query).filter(|(own, _)| decodes_to(own, name.as_bytes()));
    named.map(|(_, value)| decoded(value).collect()).collect()
}

/// Whether `text` stands for `plain`.
pub(crate) fn decodes_to(text: &[u8], plain: &[u8]) -> bool {
    text == plain && !plain.iter().any(|byte| matches!(byte, b'%' | b'+'))
        || decoded(text).eq(plain.iter().copied())
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pair<'p> = (&'p [u8], &'p [u8]);

    #[test]
    fn parameters_are_split_at_ampersands_and_the_first_equals_sign() {
        let found: Vec<Pair<'_>> = parameters(b"a=1&&b&c==x&=y&d=1;2").collect();
        let expected: [Pair<'_>; 5] = [
            (b"a", b"1"),
            (b"b", b""),
            (b"c", b"=x"),
            (b"", b"y"),
            (b"d", b"1;2"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn encodings_stand_for_bytes_and_broken_ones_for_themselves() {
        for (text, plain) in [
            ("a%20b", "a b"),
            ("a+b", "a b"),
            ("%2B%2b", "++"),
            ("%zz%4", "%zz%4"),
            ("%C3%A4", "ä"),
            ("%", "%"),
        ] {
            assert!(decodes_to(text.as_bytes(), plain.as_bytes()), "{text}");
            assert!(
                with_decoded(text.as_bytes(), |found| found == plain.as_bytes()),
                "{text}"
            );
        }
        assert!(!decodes_to(b"a+b", b"a+b"), "a plus is a space");
        assert!(decodes_to(b"%zz", b"%zz"));
        assert!(!decodes_to(b"%25", b"%25"));
    }

    #[test]
    fn long_parts_are_decoded_as_well() {
        let long = "%41".repeat(1000);
        assert!(with_decoded(long.as_bytes(), |found| found
            == "A".repeat(1000).as_bytes()));
    }

    #[test]
    fn cookies_are_split_at_semicolons() {
        let found: Vec<Pair<'_>> = cookies(b"a=1; b = \"2\" ;c;=d;e=f=g;").collect();
        let expected: [Pair<'_>; 4] = [(b"a", b"1"), (b"b", b"\"2\""), (b"", b"d"), (b"e", b"f=g")];
        assert_eq!(found, expected);
    }
}
