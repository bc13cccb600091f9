//! Requests and answers of the small server, as owned values.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use portcullis_http1::RequestHead;
use portcullis_http1::write;
use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream both ways.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// What goes on with a connection after a 101: its stream, and bytes that came after the request already.
pub type Takeover =
    Box<dyn FnOnce(Box<dyn Io>, Vec<u8>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// A whole request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The method as sent.
    pub method: String,
    /// The target as sent.
    pub target: String,
    /// Names and values of the fields, in order.
    pub fields: Vec<(String, String)>,
    /// The body without framing.
    pub body: Vec<u8>,
    /// The address it came from, `unix` for a Unix socket.
    pub peer: String,
    /// What the client asks to upgrade to.
    pub upgrade: Option<String>,
}

impl Request {
    pub(super) fn from_head(head: &RequestHead, bytes: &[u8], peer: &str) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields = head
            .fields()
            .iter()
            .map(|field| (text(field.name.of(bytes)), text(field.value.of(bytes))));
        Self {
            method: text(head.method_span().of(bytes)),
            target: text(head.target().of(bytes)),
            fields: fields.collect(),
            body: Vec::new(),
            peer: peer.to_owned(),
            upgrade: head.upgrade().map(|value| text(value.of(bytes))),
        }
    }

    /// The target without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(self.target.as_str(), |(path, _)| path)
    }

    /// Value of the first field of this name, in any case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// An answer. `Content-Length`, `Date` and `Connection` are added when it is sent.
#[derive(Default)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names and values of fields. What would break the head is left out.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Who takes the connection over after this head, which then has status 101.
    pub takeover: Option<Takeover>,
}

impl Response {
    /// An answer of this status, media type and body.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let fields = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self {
            status,
            fields,
            body: body.into(),
            takeover: None,
        }
    }

    /// Plain text.
    #[must_use]
    pub fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    /// The same with another field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A 101 with these fields, after which `takeover` has the connection.
    #[must_use]
    pub fn upgrade(fields: Vec<(String, String)>, takeover: Takeover) -> Self {
        Self {
            status: 101,
            fields,
            body: Vec::new(),
            takeover: Some(takeover),
        }
    }

    /// Head and, unless `head_only`, body.
    pub(super) fn to_bytes(&self, keep_alive: bool, head_only: bool, date: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 256);
        write::status_line(&mut out, self.status);
        for (name, value) in self
            .fields
            .iter()
            .filter(|(name, value)| is_safe(name, value))
        {
            write::field(&mut out, name.as_bytes(), value.as_bytes());
        }
        write::field(&mut out, b"Date", date);
        if self.may_have_body() {
            write::content_length(&mut out, u64::try_from(self.body.len()).unwrap_or(u64::MAX));
        }
        if !keep_alive && self.status != 101 {
            write::field(&mut out, b"Connection", b"close");
        }
        write::end_of_head(&mut out);
        if !head_only && self.may_have_body() {
            out.extend_from_slice(&self.body);
        }
        out
    }

    /// RFC 9110 section 6.4.1.
    const fn may_have_body(&self) -> bool {
        !matches!(self.status, 100..=199 | 204 | 304)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            fields,
            body,
            takeover,
        } = self;
        let mut out = f.debug_struct("Response");
        out.field("status", status)
            .field("fields", fields)
            .field("body", body)
            .field("takeover", &takeover.is_some());
        out.finish()
    }
}

fn is_safe(name: &str, value: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b':')
        && !value.bytes().any(|byte| byte < b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &[u8] = b"Thu, 01 Jan 1970 00:00:00 GMT";

    fn sent(response: &Response, keep_alive: bool, head_only: bool) -> String {
        String::from_utf8_lossy(&response.to_bytes(keep_alive, head_only, DATE)).into_owned()
    }

    #[test]
    fn an_answer_is_framed_by_its_length() {
        assert_eq!(
            sent(&Response::text(200, "ok"), true, false),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
             Content-Length: 2\r\n\r\nok"
        );
    }

    #[test]
    fn head_answers_have_the_length_but_no_body() {
        let text = sent(&Response::text(200, "ok"), false, true);
        assert!(
            text.ends_with("Content-Length: 2\r\nConnection: close\r\n\r\n"),
            "{text}"
        );
        let text = sent(
            &Response {
                status: 204,
                body: b"x".to_vec(),
                ..Response::default()
            },
            true,
            false,
        );
        assert!(
            !text.contains("Content-Length") && text.ends_with("\r\n\r\n"),
            "{text}"
        );
    }

    #[test]
    fn fields_cannot_break_the_head() {
        let text = sent(
            &Response::text(200, "")
                .with("X-A", "a\r\nX-B: b")
                .with("X:C", "c")
                .with("X-D", "d"),
            true,
            false,
        );
        assert!(
            !text.contains("X-B") && !text.contains("X:C") && text.contains("X-D: d\r\n"),
            "{text}"
        );
    }

    #[test]
    fn fields_are_found_in_any_case() {
        let fields = vec![("Host".to_owned(), "a".to_owned())];
        let request = Request {
            target: "/p?q=/x".to_owned(),
            fields,
            ..Request::default()
        };
        assert_eq!(
            (request.field("hOST"), request.field("x")),
            (Some("a"), None)
        );
        assert_eq!(request.path(), "/p");
    }
}
