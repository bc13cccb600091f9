//! Every way a peer's bytes can be refused: what ends with it, its stable code, its RFC section, its sentence.

use crate::ErrorCode;
use std::fmt;

/// What a refusal ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One stream, by RST_STREAM.
    Stream,
    /// The connection, by GOAWAY.
    Connection,
}

/// Declares the enum and its columns in one table, so that no refusal can lack one.
macro_rules! refusals {
    ($($name:ident $scope:ident $error:ident $code:literal $rfc:literal $text:literal;)*) => {
        /// Why frames or a message were refused. Closed: what is not listed here is accepted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Refusal {
            $(#[doc = concat!("`", $code, "` (", $rfc, "): ", $text, ".")] $name,)*
        }

        impl Refusal {
            /// All of them, for reference pages and for registering counters. `refusal as usize` is its index.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Whether it ends a stream or the connection.
            #[must_use]
            pub const fn scope(self) -> Scope {
                match self { $(Self::$name => Scope::$scope,)* }
            }

            /// What the peer is told.
            #[must_use]
            pub const fn error(self) -> ErrorCode {
                match self { $(Self::$name => ErrorCode::$error,)* }
            }

            /// A short stable name in kebab-case, for metric labels and log lines.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The rule that was broken, such as `RFC 9113 6.5`.
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

refusals! {
    PrefaceInvalid Connection PROTOCOL_ERROR "h2-preface-invalid" "RFC 9113 3.4" "the connection does not begin with the preface and SETTINGS";
    FrameTooLarge Connection FRAME_SIZE_ERROR "h2-frame-too-large" "RFC 9113 4.2" "a frame is longer than we announced to accept";
    FrameSize Connection FRAME_SIZE_ERROR "h2-frame-size" "RFC 9113 4.2" "a frame has a length that its type does not allow";
    PaddingTooLong Connection PROTOCOL_ERROR "h2-padding-too-long" "RFC 9113 6.1" "the padding of a frame is as long as the frame or longer";
    StreamZero Connection PROTOCOL_ERROR "h2-stream-zero" "RFC 9113 5.1.1" "a frame that belongs to a stream came for stream 0, or the other way round";
    StreamNumber Connection PROTOCOL_ERROR "h2-stream-number" "RFC 9113 5.1.1" "a stream has a number of the other side, or one that is not above all before";
    StreamIdle Connection PROTOCOL_ERROR "h2-stream-idle" "RFC 9113 5.1" "a frame came for a stream that was never opened";
    StreamClosed Connection STREAM_CLOSED "h2-stream-closed" "RFC 9113 5.1" "a header block came for a stream that had ended";
    StreamEnded Stream STREAM_CLOSED "h2-stream-ended" "RFC 9113 5.1" "a frame came for a stream whose sender had ended it";
    HeaderBlockBroken Connection PROTOCOL_ERROR "h2-header-block-broken" "RFC 9113 6.2" "another frame came within a header block, or CONTINUATION outside of one";
    SelfDependency Connection PROTOCOL_ERROR "h2-self-dependency" "RFC 7540 5.3.1" "a stream is said to depend on itself";
    PushPromise Connection PROTOCOL_ERROR "h2-push-promise" "RFC 9113 8.4" "a PUSH_PROMISE came, which no client may send and we told servers not to";
    SettingInvalid Connection PROTOCOL_ERROR "h2-setting-invalid" "RFC 9113 6.5.2" "a setting has a value that it may not have";
    SettingWindow Connection FLOW_CONTROL_ERROR "h2-setting-window" "RFC 9113 6.5.2" "the initial window is set over 2^31 - 1";
    SettingsAck Connection PROTOCOL_ERROR "h2-settings-ack" "RFC 9113 6.5.3" "SETTINGS were acknowledged that were not sent";
    WindowZero Stream PROTOCOL_ERROR "h2-window-zero" "RFC 9113 6.9" "a WINDOW_UPDATE of a stream adds nothing";
    WindowZeroConnection Connection PROTOCOL_ERROR "h2-window-zero-connection" "RFC 9113 6.9" "a WINDOW_UPDATE of the connection adds nothing";
    WindowOverflow Stream FLOW_CONTROL_ERROR "h2-window-overflow" "RFC 9113 6.9.1" "the window of a stream grew over 2^31 - 1";
    WindowOverflowConnection Connection FLOW_CONTROL_ERROR "h2-window-overflow-connection" "RFC 9113 6.9.1" "the window of the connection grew over 2^31 - 1";
    WindowExceeded Stream FLOW_CONTROL_ERROR "h2-window-exceeded" "RFC 9113 6.9" "more data came than the window of the stream allowed";
    WindowExceededConnection Connection FLOW_CONTROL_ERROR "h2-window-exceeded-connection" "RFC 9113 6.9" "more data came than the window of the connection allowed";
    StreamsExceeded Stream REFUSED_STREAM "h2-streams-exceeded" "RFC 9113 5.1.2" "more streams were opened at the same time than we announced to serve";
    Compression Connection COMPRESSION_ERROR "h2-compression" "RFC 7541" "a header block cannot be decoded";
    HeaderBlockTooLarge Connection ENHANCE_YOUR_CALM "h2-header-block-too-large" "RFC 9113 10.5.1" "a header block is far over the limit of a head";
    FloodResets Connection ENHANCE_YOUR_CALM "h2-flood-resets" "RFC 9113 10.5" "too many streams were reset by the peer";
    FloodFaults Connection ENHANCE_YOUR_CALM "h2-flood-faults" "RFC 9113 10.5" "too many streams had to be reset because of what the peer sent";
    FloodRefused Connection ENHANCE_YOUR_CALM "h2-flood-refused" "RFC 9113 10.5" "too many streams were opened beyond the number announced";
    FloodContinuation Connection ENHANCE_YOUR_CALM "h2-flood-continuation" "RFC 9113 10.5" "a header block has too many CONTINUATION frames";
    FloodSettings Connection ENHANCE_YOUR_CALM "h2-flood-settings" "RFC 9113 10.5" "too many SETTINGS frames";
    FloodPing Connection ENHANCE_YOUR_CALM "h2-flood-ping" "RFC 9113 10.5" "too many PING frames";
    FloodPriority Connection ENHANCE_YOUR_CALM "h2-flood-priority" "RFC 9113 10.5" "too many PRIORITY frames";
    FloodWindowUpdate Connection ENHANCE_YOUR_CALM "h2-flood-window-update" "RFC 9113 10.5" "too many WINDOW_UPDATE frames for what was sent";
    FloodEmpty Connection ENHANCE_YOUR_CALM "h2-flood-empty" "RFC 9113 10.5" "too many frames that carry nothing";
    FloodUnknown Connection ENHANCE_YOUR_CALM "h2-flood-unknown" "RFC 9113 10.5" "too many frames of types that are not known";
    FloodOutput Connection ENHANCE_YOUR_CALM "h2-flood-output" "RFC 9113 10.5" "the peer makes us answer and does not read the answers";
    FloodInterim Stream ENHANCE_YOUR_CALM "h2-flood-interim" "RFC 9110 15.2" "a server sent too many interim responses at once";
    PseudoUnknown Stream PROTOCOL_ERROR "h2-pseudo-unknown" "RFC 9113 8.3" "a pseudo-field is not known here, or belongs to the other direction";
    PseudoRepeated Stream PROTOCOL_ERROR "h2-pseudo-repeated" "RFC 9113 8.3" "a pseudo-field is there twice";
    PseudoLate Stream PROTOCOL_ERROR "h2-pseudo-late" "RFC 9113 8.3" "a pseudo-field follows a field, or stands among trailers";
    PseudoMissing Stream PROTOCOL_ERROR "h2-pseudo-missing" "RFC 9113 8.3.1" "a pseudo-field is missing that the message must have";
    PseudoForbidden Stream PROTOCOL_ERROR "h2-pseudo-forbidden" "RFC 9113 8.5" "a pseudo-field is there that this method may not have";
    MethodInvalid Stream PROTOCOL_ERROR "h2-method-invalid" "RFC 9113 8.3.1" "the method is no token";
    SchemeInvalid Stream PROTOCOL_ERROR "h2-scheme-invalid" "RFC 9113 8.3.1" "the scheme is neither http nor https";
    PathInvalid Stream PROTOCOL_ERROR "h2-path-invalid" "RFC 9113 8.3.1" "the path does not begin with a slash, or holds a byte that no path may hold";
    AuthorityInvalid Stream PROTOCOL_ERROR "h2-authority-invalid" "RFC 9113 8.3.1" "the authority is not host and optional port";
    AuthorityMismatch Stream PROTOCOL_ERROR "h2-authority-mismatch" "RFC 9113 8.3.1" "the authority and Host differ";
    HostRepeated Stream PROTOCOL_ERROR "h2-host-repeated" "RFC 9112 3.2" "there is more than one Host";
    ProtocolInvalid Stream PROTOCOL_ERROR "h2-protocol-invalid" "RFC 8441 4" "the protocol of an extended CONNECT is no token, or comes with another method";
    StatusInvalid Stream PROTOCOL_ERROR "h2-status-invalid" "RFC 9113 8.3.2" "the status is not a number from 100 to 599, or is 101";
    NameInvalid Stream PROTOCOL_ERROR "h2-name-invalid" "RFC 9113 8.2.1" "a field name is empty, has a capital letter, or a byte that no name may hold";
    ValueInvalid Stream PROTOCOL_ERROR "h2-value-invalid" "RFC 9113 8.2.1" "a field value holds NUL, CR or LF, or begins or ends with white space";
    FieldForbidden Stream PROTOCOL_ERROR "h2-field-forbidden" "RFC 9113 8.2.2" "a field of HTTP/1 connections is there";
    ContentLengthInvalid Stream PROTOCOL_ERROR "h2-content-length-invalid" "RFC 9110 8.6" "the Content-Length is repeated or no plain number";
    ContentLengthMismatch Stream PROTOCOL_ERROR "h2-content-length-mismatch" "RFC 9113 8.1.1" "the data has another length than Content-Length says";
    TrailersWithoutEnd Stream PROTOCOL_ERROR "h2-trailers-without-end" "RFC 9113 8.1" "a second header block does not end the stream";
    TrailerForbidden Stream PROTOCOL_ERROR "h2-trailer-forbidden" "RFC 9110 6.5.1" "a field that belongs into the head was sent as a trailer";
    TrailersTooLarge Stream PROTOCOL_ERROR "h2-trailers-too-large" "RFC 9113 10.5.1" "the trailers are over 8 KiB or 64 fields";
    DataBeforeHead Stream PROTOCOL_ERROR "h2-data-before-head" "RFC 9113 8.1" "data came before the head of the response";
    InterimEnds Stream PROTOCOL_ERROR "h2-interim-ends" "RFC 9113 8.1" "an interim response ends the stream";
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.rfc())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::Refusal;

    #[test]
    fn codes_are_unique_kebab_case_words() {
        let mut codes: Vec<_> = Refusal::ALL.iter().map(|refusal| refusal.code()).collect();
        for code in &codes {
            let plain = |c: char| c.is_ascii_lowercase() || c == '-' || c == '2';
            assert!(
                code.starts_with("h2-") && code.chars().all(plain),
                "{code} tells the protocol"
            );
        }
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Refusal::ALL.len(), "a code names one refusal");
    }

    #[test]
    fn every_refusal_has_a_section_and_its_index() {
        for (index, refusal) in Refusal::ALL.iter().enumerate() {
            assert!(refusal.rfc().starts_with("RFC "), "{refusal:?}");
            assert!(!refusal.text().ends_with('.'), "{refusal:?}");
            assert_eq!(*refusal as usize, index);
        }
    }
}
