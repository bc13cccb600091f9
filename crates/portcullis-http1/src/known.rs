//! Field names the proxy treats specially, recognised once while parsing, and sets of them as one word.

/// Declares the enum and the table of names that it is recognised by.
macro_rules! known {
    ($($name:ident $text:literal,)* ; $($class:ident $doc:literal,)*) => {
        /// A field the engine or the proxy treats specially; any other is [`Known::Other`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[repr(u8)]
        pub enum Known {
            /// A field without special meaning here.
            #[default]
            Other,
            $(#[doc = $doc] $class,)*
            $(#[doc = concat!("`", $text, "`")] $name,)*
        }

        /// Every name, sorted below by its length.
        const NAMES: &[(&str, Known)] = &[$(($text, Known::$name),)*];
        const CLASSES: usize = [$(Known::$class,)*].len();
    };
}

known! {
    Host "host",
    ContentLength "content-length",
    TransferEncoding "transfer-encoding",
    Connection "connection",
    KeepAlive "keep-alive",
    Te "te",
    Trailer "trailer",
    Upgrade "upgrade",
    Expect "expect",
    ProxyConnection "proxy-connection",
    ProxyAuthenticate "proxy-authenticate",
    ProxyAuthorization "proxy-authorization",
    Http2Settings "http2-settings",
    XForwardedFor "x-forwarded-for",
    XForwardedProto "x-forwarded-proto",
    XForwardedHost "x-forwarded-host",
    Forwarded "forwarded",
    XRealIp "x-real-ip",
    XRequestId "x-request-id",
    Traceparent "traceparent",
    Via "via",
    Date "date",
    Server "server",
    Cookie "cookie",
    SetCookie "set-cookie",
    Location "location",
    RetryAfter "retry-after",
    StrictTransportSecurity "strict-transport-security",
    UserAgent "user-agent",
    Referer "referer",
    Accept "accept",
    AcceptEncoding "accept-encoding",
    AcceptLanguage "accept-language",
    Authorization "authorization",
    WwwAuthenticate "www-authenticate",
    ContentType "content-type",
    ContentEncoding "content-encoding",
    ContentRange "content-range",
    CacheControl "cache-control",
    Pragma "pragma",
    Age "age",
    Expires "expires",
    Vary "vary",
    ETag "etag",
    LastModified "last-modified",
    IfMatch "if-match",
    IfNoneMatch "if-none-match",
    IfModifiedSince "if-modified-since",
    IfUnmodifiedSince "if-unmodified-since",
    IfRange "if-range",
    Range "range",
    Origin "origin",
    MaxForwards "max-forwards",
    ;
    ProxyOther "Any other name that begins with `proxy-`.",
    XForwardedOther "`x-forwarded`, or any other name that begins with `x-forwarded-`.",
    ForwardedLookalike "A forwarding field's name with `_` for `-`, such as `x_forwarded_for`: many applications cannot tell them apart.",
}

/// The number of variants, [`Known::Other`] included; a set of them fits one word.
pub(crate) const COUNT: usize = 1 + CLASSES + NAMES.len();
const _: () = assert!(COUNT < 64, "a KnownSet is one u64");

const LONGEST: usize = 25;
/// At most this many names share a length.
const BUCKET: usize = 10;

/// The names of one length, in a row that ends with empty ones.
type Bucket = [(&'static [u8], Known); BUCKET];

const BY_LENGTH: [Bucket; LONGEST + 1] = by_length();

const fn by_length() -> [Bucket; LONGEST + 1] {
    let mut table = [[(b"".as_slice(), Known::Other); BUCKET]; LONGEST + 1];
    let mut i = 0;
    while i < NAMES.len() {
        let name = NAMES[i].0.as_bytes();
        let mut slot = 0;
        while !table[name.len()][slot].0.is_empty() {
            slot += 1;
        }
        table[name.len()][slot] = (name, NAMES[i].1);
        i += 1;
    }
    table
}

impl Known {
    /// Recognises a field name, whatever its case.
    ///
    /// ```
    /// use portcullis_http1::Known;
    /// assert_eq!(Known::of(b"CONTENT-length"), Known::ContentLength);
    /// assert_eq!(Known::of(b"X_Real_IP"), Known::ForwardedLookalike);
    /// assert_eq!(Known::of(b"accept-charset"), Known::Other);
    /// ```
    #[inline]
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let Some(&first) = name.first() else {
            return Self::Other;
        };
        let first = first | 0x20;
        if let Some(bucket) = BY_LENGTH.get(name.len()) {
            for &(candidate, known) in bucket {
                match candidate.first() {
                    None => break,
                    Some(&letter) if letter != first => {}
                    Some(_) if candidate.eq_ignore_ascii_case(name) => return known,
                    Some(_) => {}
                }
            }
        }
        match first {
            b'p' | b'x' => Self::by_prefix(name),
            _ => Self::Other,
        }
    }

    /// Recognises the families; exact names were tried before.
    fn by_prefix(name: &[u8]) -> Self {
        if starts_with(name, b"proxy-") {
            Self::ProxyOther
        } else if starts_with(name, b"x-forwarded-") || name.eq_ignore_ascii_case(b"x-forwarded") {
            Self::XForwardedOther
        } else if is_lookalike(name) {
            Self::ForwardedLookalike
        } else {
            Self::Other
        }
    }
}

fn starts_with(name: &[u8], prefix: &[u8]) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Whether `name` would be a forwarding field if its underscores were hyphens.
fn is_lookalike(name: &[u8]) -> bool {
    let same = |text: &[u8]| {
        name.len() >= text.len()
            && text.iter().zip(name).all(|(&expected, &byte)| {
                expected == byte.to_ascii_lowercase() || (expected == b'-' && byte == b'_')
            })
    };
    name.contains(&b'_')
        && (same(b"x-forwarded-")
            || (name.len() == 11 && same(b"x-forwarded"))
            || (name.len() == 9 && same(b"x-real-ip")))
}

/// A set of [`Known`] fields, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KnownSet(u64);

impl KnownSet {
    /// Holds none.
    pub const EMPTY: Self = Self(0);

    /// The set of `fields`.
    #[must_use]
    pub const fn of(fields: &[Known]) -> Self {
        let mut set = Self::EMPTY;
        let mut i = 0;
        while i < fields.len() {
            set = set.with(fields[i]);
            i += 1;
        }
        set
    }

    /// Every variant but [`Known::Other`].
    #[must_use]
    pub const fn all_known() -> Self {
        Self((1 << COUNT) - 1).without(Known::Other)
    }

    /// This set and `known`.
    #[inline]
    #[must_use]
    pub const fn with(self, known: Known) -> Self {
        Self(self.0 | 1 << known as u8)
    }

    /// This set but not `known`.
    #[inline]
    #[must_use]
    pub const fn without(self, known: Known) -> Self {
        Self(self.0 & !(1 << known as u8))
    }

    /// What is in either.
    #[inline]
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[inline]
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether `known` is in it.
    #[inline]
    #[must_use]
    pub const fn contains(self, known: Known) -> bool {
        self.0 & (1 << known as u8) != 0
    }

    /// Whether nothing is in it.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9110_5_1_names_are_recognised_in_any_case() {
        for &(name, known) in NAMES {
            assert_eq!(Known::of(name.as_bytes()), known, "{name}");
            assert_eq!(Known::of(name.to_uppercase().as_bytes()), known, "{name}");
            let longer = format!("{name}s");
            assert_ne!(Known::of(longer.as_bytes()), known, "{longer}");
        }
    }

    #[test]
    fn bytes_that_only_differ_in_the_case_bit_are_not_taken_for_letters() {
        assert_eq!(Known::of(b"content\rlength"), Known::Other);
        assert_eq!(Known::of(b"\x48\x4f\x53\x14"), Known::Other);
        assert_eq!(Known::of(b""), Known::Other);
    }

    #[test]
    fn families_and_lookalikes_of_forwarding_fields_are_recognised() {
        for (name, known) in [
            ("Proxy-Foo", Known::ProxyOther),
            ("proxy-", Known::ProxyOther),
            ("proxy", Known::Other),
            ("X-Forwarded-Prefix", Known::XForwardedOther),
            ("X-Forwarded", Known::XForwardedOther),
            ("X_Forwarded_For", Known::ForwardedLookalike),
            ("x-forwarded_for", Known::ForwardedLookalike),
            ("X_FORWARDED-PORT", Known::ForwardedLookalike),
            ("x_real_ip", Known::ForwardedLookalike),
            ("x-real_ip", Known::ForwardedLookalike),
            ("x_forwarded", Known::ForwardedLookalike),
            ("x_forwardedfor", Known::Other),
            ("x_real_ips", Known::Other),
            ("x-api-key", Known::Other),
        ] {
            assert_eq!(Known::of(name.as_bytes()), known, "{name}");
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set = KnownSet::of(&[Known::Host, Known::MaxForwards]);
        assert!(set.contains(Known::Host) && set.contains(Known::MaxForwards));
        assert!(!set.contains(Known::Other) && !set.without(Known::Host).contains(Known::Host));
        assert!(KnownSet::all_known().contains(Known::MaxForwards));
        assert!(!KnownSet::all_known().contains(Known::Other));
    }
}
