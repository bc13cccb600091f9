//! Field names the proxy treats specially, recognised once while parsing.

mod lookup;
mod set;

pub use set::KnownSet;

use crate::bytes::is_token;

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

        /// Every name in lower case.
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

impl Known {
    /// Recognises a field name, whatever its case.
    ///
    /// ```
    /// use portcullis_http1::Known;
    /// assert_eq!(Known::of(b"CONTENT-length"), Known::ContentLength);
    /// assert_eq!(Known::of(b"X_Real_IP"), Known::ForwardedLookalike);
    /// assert_eq!(Known::of(b"accept-charset"), Known::Other);
    /// ```
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        match name.iter().all(|&byte| is_token(byte)) {
            true => Self::of_token(name),
            false => Self::Other,
        }
    }

    /// The same for a name that is known to be a token.
    #[inline]
    pub(crate) fn of_token(name: &[u8]) -> Self {
        match lookup::exact(name) {
            Self::Other => lookup::family(name),
            known => known,
        }
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
}
