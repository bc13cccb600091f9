//! Error codes (RFC 9113 section 7), and the end of a connection.

use crate::Refusal;
use std::fmt;

/// The code of RST_STREAM and GOAWAY. Unknown ones are kept as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// Nothing is wrong; the end is graceful.
    pub const NO_ERROR: Self = Self(0x0);
    /// The peer broke a rule that has no code of its own.
    pub const PROTOCOL_ERROR: Self = Self(0x1);
    /// We failed.
    pub const INTERNAL_ERROR: Self = Self(0x2);
    /// More data came than a window allowed, or a window grew over 2^31 - 1.
    pub const FLOW_CONTROL_ERROR: Self = Self(0x3);
    /// SETTINGS were not acknowledged in time.
    pub const SETTINGS_TIMEOUT: Self = Self(0x4);
    /// A frame came for a stream that had ended.
    pub const STREAM_CLOSED: Self = Self(0x5);
    /// A frame has a length that its type does not allow.
    pub const FRAME_SIZE_ERROR: Self = Self(0x6);
    /// The stream was not processed at all; the request may be repeated.
    pub const REFUSED_STREAM: Self = Self(0x7);
    /// The stream is not needed any more.
    pub const CANCEL: Self = Self(0x8);
    /// The header compression cannot go on.
    pub const COMPRESSION_ERROR: Self = Self(0x9);
    /// The connection of a CONNECT failed.
    pub const CONNECT_ERROR: Self = Self(0xa);
    /// The peer does what serves only to make us work.
    pub const ENHANCE_YOUR_CALM: Self = Self(0xb);
    /// TLS below is too weak.
    pub const INADEQUATE_SECURITY: Self = Self(0xc);
    /// The request has to be made over HTTP/1.1.
    pub const HTTP_1_1_REQUIRED: Self = Self(0xd);

    /// Its name as the RFC writes it; `UNKNOWN` for one that the RFC does not know.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            0x0 => "NO_ERROR",
            0x1 => "PROTOCOL_ERROR",
            0x2 => "INTERNAL_ERROR",
            0x3 => "FLOW_CONTROL_ERROR",
            0x4 => "SETTINGS_TIMEOUT",
            0x5 => "STREAM_CLOSED",
            0x6 => "FRAME_SIZE_ERROR",
            0x7 => "REFUSED_STREAM",
            0x8 => "CANCEL",
            0x9 => "COMPRESSION_ERROR",
            0xa => "CONNECT_ERROR",
            0xb => "ENHANCE_YOUR_CALM",
            0xc => "INADEQUATE_SECURITY",
            0xd => "HTTP_1_1_REQUIRED",
            _ => "UNKNOWN",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#x})", self.name(), self.0)
    }
}

/// Why a connection cannot go on. Its GOAWAY is in the output already: write what can be written, then close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// What the peer is told.
    pub code: ErrorCode,
    /// What it did, for logs and counters.
    pub refusal: Refusal,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.refusal)
    }
}

impl std::error::Error for Broken {}
