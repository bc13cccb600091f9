//! Which form of page a client prefers (RFC 9110 section 12.5.1).

/// The forms an error page comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Plain text.
    Text,
    /// HTML.
    Html,
    /// JSON.
    Json,
}

impl Form {
    const ALL: [Self; 3] = [Self::Text, Self::Html, Self::Json];

    /// The form with the highest quality. Among equals, the one named more precisely (`text/html`
    /// before `*/*`), then the one named first, then text, HTML, JSON: browsers get HTML, scripts
    /// that ask for JSON get it, and tools that take anything get plain text. Without a field, or
    /// where nothing we have is acceptable, plain text.
    #[must_use]
    pub fn preferred(accept: Option<&[u8]>) -> Self {
        let accept = accept.unwrap_or_default();
        let mut best = (Self::Text, Rank::default());
        for form in Self::ALL {
            let rank = form.rank(accept);
            if rank.beats(best.1) {
                best = (form, rank);
            }
        }
        best.0
    }

    /// Value of Content-Type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
        }
    }

    const fn media(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Text => (b"text", b"plain"),
            Self::Html => (b"text", b"html"),
            Self::Json => (b"application", b"json"),
        }
    }

    /// The most precise range that covers this form decides its quality.
    fn rank(self, accept: &[u8]) -> Rank {
        let mut rank = Rank::default();
        for (position, range) in accept.split(|&byte| byte == b',').enumerate() {
            let precision = self.precision(range);
            if precision > rank.precision {
                rank = Rank {
                    quality: quality(range),
                    precision,
                    position,
                };
            }
        }
        rank
    }

    /// 3 for the type itself, 2 for its family, 1 for anything, 0 if the range does not cover it.
    fn precision(self, range: &[u8]) -> u8 {
        let media = range
            .split(|&byte| byte == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        let Some(slash) = media.iter().position(|&byte| byte == b'/') else {
            return 0;
        };
        let (family, kind) = (
            media.get(..slash).unwrap_or_default(),
            media.get(slash + 1..).unwrap_or_default(),
        );
        let (own_family, own_kind) = self.media();
        match (family, kind) {
            (b"*", b"*") => 1,
            (_, b"*") if family.eq_ignore_ascii_case(own_family) => 2,
            _ if family.eq_ignore_ascii_case(own_family) && kind.eq_ignore_ascii_case(own_kind) => {
                3
            }
            _ => 0,
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Rank {
    /// In thousandths.
    quality: u16,
    precision: u8,
    position: usize,
}

impl Rank {
    fn beats(self, other: Self) -> bool {
        let key = |rank: Self| {
            (
                rank.quality,
                rank.precision,
                std::cmp::Reverse(rank.position),
            )
        };
        self.quality > 0 && key(self) > key(other)
    }
}

/// The `q` parameter in thousandths; 1000 where it is absent, 0 where it is malformed.
fn quality(range: &[u8]) -> u16 {
    let mut parameters = range
        .split(|&byte| byte == b';')
        .skip(1)
        .map(<[u8]>::trim_ascii);
    let Some(value) = parameters.find_map(|p| p.strip_prefix(b"q=").or(p.strip_prefix(b"Q=")))
    else {
        return 1000;
    };
    match value {
        [b'1'] | [b'1', b'.', ..] => 1000,
        [b'0'] => 0,
        [b'0', b'.', digits @ ..] if digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit) => {
            let padded = digits.iter().chain(b"000").take(3);
            padded.fold(0, |value, digit| value * 10 + u16::from(digit - b'0'))
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_they_prefer() {
        for (accept, expected) in [
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Form::Html,
            ),
            ("*/*", Form::Text),
            ("", Form::Text),
            ("application/json", Form::Json),
            ("application/json, text/plain, */*", Form::Json),
            ("text/plain, application/json", Form::Text),
            ("text/html;q=0.5, application/json;q=0.9", Form::Json),
            ("TEXT/HTML", Form::Html),
            ("text/*", Form::Text),
            ("text/*, text/plain;q=0", Form::Html),
            ("application/*;q=0.2, */*;q=0.1", Form::Json),
            ("image/png", Form::Text),
            ("application/json;q=0", Form::Text),
            ("application/json;q=nonsense", Form::Text),
            ("*/*;q=0.1, application/json;q=0", Form::Text),
        ] {
            assert_eq!(
                Form::preferred(Some(accept.as_bytes())),
                expected,
                "{accept}"
            );
        }
        assert_eq!(Form::preferred(None), Form::Text);
    }
}
