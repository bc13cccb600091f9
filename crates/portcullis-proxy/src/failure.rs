//! What can go wrong with a request: whose fault it is, what the client is told, whether another try may help.

use portcullis_http1::Reject;
use portcullis_http2::Refusal;
use portcullis_plan::live::UpstreamError;
use portcullis_plan::{Deadline, EndedBy};

/// Why an exchange could not come to its proper end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Who ended it.
    pub(crate) by: EndedBy,
    /// The status to answer with, if an answer can still be given.
    pub(crate) status: u16,
    /// A stable kebab-case word for logs and counters.
    pub(crate) reason: &'static str,
    /// The deadline that passed, if one did.
    pub(crate) deadline: Option<Deadline>,
    /// Whether the same request may be tried again.
    pub(crate) retry: Retry,
}

/// Whether a failed attempt leaves room for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// No: the server may have acted on the request, or trying again is pointless.
    No,
    /// The connection could not be made: nothing was sent.
    Connect,
    /// A reused connection died before any byte of the answer.
    Reset,
    /// The server says that it did nothing with the request (RFC 9113 8.7).
    Unprocessed,
    /// The server wants the request over HTTP/1.1 (RFC 9113 7). That it did nothing with it is likely, but not said.
    Http1,
}

impl Failure {
    const fn new(by: EndedBy, status: u16, reason: &'static str) -> Self {
        Self {
            by,
            status,
            reason,
            deadline: None,
            retry: Retry::No,
        }
    }

    /// The client closed or reset before its request or our answer was through. There is nobody to answer.
    pub(crate) const CLIENT_GONE: Self = Self::new(EndedBy::Client, 0, "client-closed");
    /// Every server is down, drained, in maintenance or of weight zero.
    pub(crate) const NO_SERVER: Self = Self::new(EndedBy::Policy, 503, "no-server-available");
    /// The request body is larger than allowed.
    pub(crate) const BODY_TOO_LARGE: Self = Self::new(EndedBy::Policy, 413, "body-too-large");
    /// A name that was not resolved yet or any more.
    pub(crate) const UNRESOLVED: Self = Self {
        retry: Retry::Connect,
        ..Self::new(EndedBy::Server, 503, "server-name-unresolved")
    };
    /// The server refused the connection or could not be reached.
    pub(crate) const CONNECT: Self = Self {
        retry: Retry::Connect,
        ..Self::new(EndedBy::Server, 503, "connect-failed")
    };
    /// The server did not prove who it is: its certificate is not from a known authority, not for its name, or not valid now.
    pub(crate) const UPSTREAM_CERTIFICATE: Self = Self {
        retry: Retry::Connect,
        ..Self::new(EndedBy::Server, 502, "upstream-certificate")
    };
    /// TLS with the server failed in another way, before any of the request was sent.
    pub(crate) const UPSTREAM_TLS: Self = Self {
        retry: Retry::Connect,
        ..Self::new(EndedBy::Server, 502, "upstream-tls")
    };
    /// The server ended TLS with an alert instead of an answer: it may want another client certificate.
    pub(crate) const UPSTREAM_ALERT: Self = Self::new(EndedBy::Server, 502, "upstream-tls");
    /// The server closed or reset before the head of its answer.
    pub(crate) const CLOSED_EARLY: Self =
        Self::new(EndedBy::Server, 502, "server-closed-before-answer");
    /// The same on a connection that had served before.
    pub(crate) const STALE: Self = Self {
        retry: Retry::Reset,
        ..Self::CLOSED_EARLY
    };
    /// The server refused a stream, or went away before it looked at it: nothing was done.
    pub(crate) const UNPROCESSED: Self = Self {
        retry: Retry::Unprocessed,
        ..Self::new(EndedBy::Server, 502, "stream-refused-by-server")
    };
    /// The server reset the stream of a request before the head of its answer.
    pub(crate) const STREAM_RESET: Self = Self::new(EndedBy::Server, 502, "stream-reset-by-server");
    /// The server wants this request over HTTP/1.1.
    pub(crate) const HTTP1_REQUIRED: Self = Self {
        retry: Retry::Http1,
        ..Self::new(EndedBy::Server, 502, "server-wants-http1")
    };
    /// The server does not speak HTTP/2, and nothing else is allowed.
    pub(crate) const NO_HTTP2: Self = Self {
        retry: Retry::Connect,
        ..Self::new(EndedBy::Server, 502, "server-without-http2")
    };
    /// An upgrade to a server that speaks HTTP/2 only and has no extended CONNECT.
    pub(crate) const NO_TUNNEL: Self = Self::new(EndedBy::Server, 502, "server-without-tunnels");
    /// The answer's body ended before its announced end.
    pub(crate) const TRUNCATED: Self = Self::new(EndedBy::Server, 502, "response-truncated");
    /// More interim responses than allowed.
    pub(crate) const INTERIM_FLOOD: Self =
        Self::new(EndedBy::Server, 502, "too-many-interim-responses");
    /// A 101 nobody asked for, or to another protocol.
    pub(crate) const UNASKED_UPGRADE: Self = Self::new(EndedBy::Server, 502, "unasked-upgrade");

    /// HTTP/1 where only HTTP/2 is served.
    pub(crate) const NOT_HTTP2: Self = Self::new(EndedBy::Policy, 505, "http1-not-served");
    /// What came over HTTP/2 does not make a head of HTTP/1: a fault of ours.
    pub(crate) const HALF_A_HEAD: Self = Self::new(EndedBy::Internal, 500, "half-a-head");
    /// An upgrade over HTTP/2 that the route does not allow. Without it, there is no sense in the request.
    pub(crate) const UPGRADE_REFUSED: Self = Self::new(EndedBy::Policy, 501, "upgrade-not-allowed");
    /// The server answered an upgrade with a success that is none.
    pub(crate) const UPGRADE_IGNORED: Self = Self::new(EndedBy::Server, 502, "upgrade-ignored");

    /// Under which counter a try falls that failed with this and is followed by another.
    pub(crate) fn as_attempt(self) -> UpstreamError {
        match self.retry {
            Retry::Reset | Retry::Unprocessed | Retry::Http1 => UpstreamError::Reset,
            _ if self.reason == Self::UPSTREAM_TLS.reason => UpstreamError::Tls,
            _ if self.reason == Self::UPSTREAM_CERTIFICATE.reason => UpstreamError::Tls,
            _ => UpstreamError::Connect,
        }
    }

    /// The client sent what the engine refuses.
    pub(crate) fn refused(reject: Reject) -> Self {
        Self::new(EndedBy::Client, reject.status(), reject.code())
    }

    /// The server sent what the engine refuses.
    pub(crate) fn bad_response(reject: Reject) -> Self {
        Self::new(EndedBy::Server, 502, reject.code())
    }

    /// The server sent frames that do not make a response.
    pub(crate) fn bad_frames(refusal: Refusal) -> Self {
        Self::new(EndedBy::Server, 502, refusal.code())
    }

    /// A path the listener's policy refuses.
    pub(crate) const fn bad_path(reason: &'static str) -> Self {
        Self::new(EndedBy::Policy, 400, reason)
    }

    /// A deadline has passed. 408 where we waited for the client, 504 where for a server (RFC 9110 15.5.9, 15.6.5).
    pub(crate) const fn deadline(deadline: Deadline, waiting_for_server: bool) -> Self {
        let status = match deadline {
            Deadline::ClientHeader | Deadline::ClientBodyIdle | Deadline::ClientBodyRate => 408,
            Deadline::Connect | Deadline::ResponseHeader | Deadline::ResponseIdle => 504,
            _ if waiting_for_server => 504,
            _ => 408,
        };
        let retry = if matches!(deadline, Deadline::Connect) {
            Retry::Connect
        } else {
            Retry::No
        };
        Self {
            by: EndedBy::Deadline,
            status,
            reason: deadline.key(),
            deadline: Some(deadline),
            retry,
        }
    }
}
