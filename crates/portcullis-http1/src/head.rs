//! Message heads: what requests and responses have in common.

pub(crate) mod connection;
pub(crate) mod fields;
pub(crate) mod request;
pub(crate) mod response;
mod start_line;

use crate::known::Known;
use crate::span::Span;

/// The protocol version of a message. Others are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Version {
    /// `HTTP/1.0`
    Http10,
    /// `HTTP/1.1`
    #[default]
    Http11,
}

/// One field line of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name, a token, in the case it was sent in.
    pub name: Span,
    /// Its value without leading and trailing spaces and tabs.
    pub value: Span,
    /// The whole line, CRLF included.
    pub line: Span,
    /// Which of the special fields it is.
    pub known: Known,
    /// Whether an option of Connection names it, so that it ends here (RFC 9110 section 7.6.1).
    pub nominated: bool,
}
