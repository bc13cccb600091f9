//! Every way a message can be refused: its status, its stable code, its RFC section, its sentence.

use std::fmt;

/// Declares the enum and its four columns in one table, so that no refusal can lack one.
macro_rules! rejects {
    ($($name:ident $status:literal $code:literal $rfc:literal $text:literal;)*) => {
        /// Why a message was refused. Closed: what is not listed here is accepted.
        ///
        /// The same refusals serve both directions; the caller knows whose message it read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Reject {
            $(#[doc = concat!("`", $code, "` (", $rfc, "): ", $text, ".")] $name,)*
        }

        impl Reject {
            /// All of them, for reference pages and for registering counters. `reject as usize` is its index.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The status that a client is answered with when the refused message was **its request**.
            ///
            /// When a server's response was refused the answer to the client is 502 whatever this says; refusals
            /// that only a response can meet say 502 themselves.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// A short stable name in kebab-case, for metric labels and log lines.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The rule that was broken, such as `RFC 9112 6.3`.
            #[must_use]
            pub const fn rfc(self) -> &'static str {
                match self { $(Self::$name => $rfc,)* }
            }

            /// What is wrong, in one plain sentence without a full stop.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

rejects! {
    LeadingEmptyLine 400 "leading-empty-line" "RFC 9112 2.2" "more than one empty line stands before the request line";
    LeadingSpace 400 "leading-space" "RFC 9112 2.2" "white space stands before the start line or the first field";
    RequestLineInvalid 400 "request-line-invalid" "RFC 9112 3" "the request line is not method, space, target, space, version";
    MethodInvalid 400 "method-invalid" "RFC 9112 3.1" "the method holds a character that no method may hold";
    MethodTooLong 501 "method-too-long" "RFC 9112 3" "the method is longer than any method known here";
    TargetInvalid 400 "target-invalid" "RFC 9112 3.2" "the request target holds a character that no URI may hold";
    TargetFragment 400 "target-fragment" "RFC 9112 3.2" "the request target holds a fragment";
    TargetPercent 400 "target-percent" "RFC 3986 2.1" "a percent sign in the request target is not followed by two hexadecimal digits";
    TargetForm 400 "target-form" "RFC 9112 3.2" "the request target is neither a path nor an absolute http or https URI";
    TargetAsterisk 400 "target-asterisk" "RFC 9112 3.2.4" "the target * was sent with a method other than OPTIONS";
    TargetConnect 400 "target-connect" "RFC 9112 3.2.3" "the target of CONNECT is not host and port";
    TargetTooLong 414 "target-too-long" "RFC 9110 15.5.15" "the request target is over its limit";
    VersionInvalid 400 "version-invalid" "RFC 9112 2.3" "the protocol version is malformed";
    VersionUnsupported 505 "version-unsupported" "RFC 9110 15.6.6" "the protocol version is neither HTTP/1.0 nor HTTP/1.1";
    BareLf 400 "bare-lf" "RFC 9112 2.2" "a line ends with LF without CR";
    BareCr 400 "bare-cr" "RFC 9112 2.2" "a CR is not followed by LF";
    ControlCharacter 400 "control-character" "RFC 9110 5.5" "a value holds a NUL or another control character";
    LineFolding 400 "line-folding" "RFC 9112 5.2" "a field value continues on a second line";
    NameEmpty 400 "name-empty" "RFC 9112 5.1" "a field has no name";
    NameInvalid 400 "name-invalid" "RFC 9110 5.1" "a field name holds a character that no field name may hold";
    NameSpace 400 "name-space" "RFC 9112 5.1" "white space stands in a field name or between it and its colon";
    ColonMissing 400 "colon-missing" "RFC 9112 5.1" "a field line has no colon";
    HeadTooLarge 431 "head-too-large" "RFC 6585 5" "the head is over its limit of bytes";
    FieldsTooMany 431 "fields-too-many" "RFC 6585 5" "the head is over its limit of fields";
    HostMissing 400 "host-missing" "RFC 9112 3.2" "an HTTP/1.1 request has no Host";
    HostRepeated 400 "host-repeated" "RFC 9112 3.2" "there is more than one Host";
    HostEmpty 400 "host-empty" "RFC 9112 3.2" "the Host is empty";
    HostInvalid 400 "host-invalid" "RFC 9110 7.2" "the Host or the authority of the target is not host and optional port";
    HostMismatch 400 "host-mismatch" "RFC 9112 3.2.2" "the authority of the target and the Host differ";
    ContentLengthRepeated 400 "content-length-repeated" "RFC 9112 6.3" "there is more than one Content-Length";
    ContentLengthList 400 "content-length-list" "RFC 9110 8.6" "the Content-Length is a list";
    ContentLengthInvalid 400 "content-length-invalid" "RFC 9110 8.6" "the Content-Length is not a plain decimal number";
    ContentLengthTooLarge 400 "content-length-too-large" "RFC 9110 8.6" "the Content-Length is over 2^63 - 1";
    ContentLengthWithTransferEncoding 400 "content-length-with-transfer-encoding" "RFC 9112 6.1" "there are both a Content-Length and a Transfer-Encoding";
    TransferEncodingRepeated 400 "transfer-encoding-repeated" "RFC 9112 6.1" "there is more than one Transfer-Encoding";
    TransferEncodingInvalid 400 "transfer-encoding-invalid" "RFC 9112 6.3" "the Transfer-Encoding is not exactly chunked";
    TransferEncodingUnknown 501 "transfer-encoding-unknown" "RFC 9112 6.1" "the Transfer-Encoding names a coding other than chunked";
    TransferEncodingVersion 400 "transfer-encoding-version" "RFC 9112 6.1" "a message of HTTP/1.0 has a Transfer-Encoding";
    ConnectionInvalid 400 "connection-invalid" "RFC 9110 7.6.1" "the Connection is not a list of tokens";
    ConnectionTooMany 400 "connection-too-many" "RFC 9110 7.6.1" "the Connection names more than 16 options";
    ConnectionForbidden 400 "connection-forbidden" "RFC 9110 7.6.1" "the Connection names a field that is meant for every recipient";
    ExpectUnknown 417 "expect-unknown" "RFC 9110 10.1.1" "the Expect is not 100-continue";
    StatusLineInvalid 502 "status-line-invalid" "RFC 9112 4" "the status line is not version, space, three digits, space, reason";
    StatusOutOfRange 502 "status-out-of-range" "RFC 9110 15" "the status is not between 100 and 599";
    StatusVersion 502 "status-version" "RFC 9112 2.3" "the response's version is neither HTTP/1.0 nor HTTP/1.1";
    TransferEncodingWithoutBody 502 "transfer-encoding-without-body" "RFC 9112 6.1" "a response that has no body has a Transfer-Encoding";
    ChunkSizeInvalid 400 "chunk-size-invalid" "RFC 9112 7.1" "a chunk size is not a plain hexadecimal number";
    ChunkSizeTooLarge 400 "chunk-size-too-large" "RFC 9112 7.1" "a chunk size has over 16 digits or is over 2^63 - 1";
    ChunkExtensionInvalid 400 "chunk-extension-invalid" "RFC 9112 7.1.1" "a chunk extension is malformed";
    ChunkExtensionTooLong 400 "chunk-extension-too-long" "RFC 9112 7.1.1" "chunk extensions are over 256 bytes in a line or 4 KiB in a body";
    ChunkEndInvalid 400 "chunk-end-invalid" "RFC 9112 7.1" "the data of a chunk is not followed by CRLF";
    TrailerForbidden 400 "trailer-forbidden" "RFC 9110 6.5.1" "a field that belongs into the head was sent as a trailer";
    TrailersTooLarge 400 "trailers-too-large" "RFC 9112 7.1.2" "the trailers are over 8 KiB";
    TrailersTooMany 400 "trailers-too-many" "RFC 9112 7.1.2" "there are more than 64 trailers";
    Truncated 400 "truncated" "RFC 9112 8" "the input ended before the body did";
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.rfc())
    }
}

impl std::error::Error for Reject {}

#[cfg(test)]
mod tests {
    use super::Reject;

    #[test]
    fn codes_are_unique_kebab_case_words() {
        let mut codes: Vec<_> = Reject::ALL.iter().map(|reject| reject.code()).collect();
        for code in &codes {
            let plain = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(code.chars().all(plain), "{code}");
        }
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reject::ALL.len(), "a code names one refusal");
    }

    #[test]
    fn every_refusal_has_an_error_status_and_a_section_and_its_index() {
        for (index, reject) in Reject::ALL.iter().enumerate() {
            assert!((400..600).contains(&reject.status()), "{reject:?}");
            assert!(reject.rfc().starts_with("RFC "), "{reject:?}");
            assert!(!reject.text().ends_with('.'), "{reject:?}");
            assert_eq!(*reject as usize, index);
        }
    }
}
