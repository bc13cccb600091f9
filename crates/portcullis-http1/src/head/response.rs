//! Response heads (RFC 9112 sections 4 and 6.3), as strict with servers as with clients.

use super::connection::{Options, Sender};
use super::fields::Fields;
use super::start_line::{Agreement, agree, version};
use super::{Field, Version};
use crate::bytes::skip_text;
use crate::{BodyFraming, Known, KnownSet, Limits, Method, Reject, Span};

/// How far a response head has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Start,
    Reason,
    Fields,
}

/// The head of one response. Its spans are offsets into the buffer that was parsed.
///
/// ```
/// use portcullis_http1::{BodyFraming, Limits, Method, ResponseHead};
/// let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// let mut head = ResponseHead::new();
/// assert_eq!(head.parse(bytes, &Limits::default(), Method::Get), Ok(Some(38)));
/// assert_eq!((head.status(), head.framing()), (200, BodyFraming::Length(2)));
/// ```
#[derive(Debug, Clone)]
pub struct ResponseHead {
    phase: Phase,
    /// The first byte not scanned yet.
    at: usize,
    status: u16,
    reason: Span,
    version: Version,
    fields: Fields,
    options: Options,
    framing: BodyFraming,
}

/// `HTTP/1.1 200`
const STATUS_END: usize = 12;

impl Default for ResponseHead {
    fn default() -> Self {
        Self::new()
    }
}

impl ResponseHead {
    /// Nothing read yet. Allocates with the first field, and keeps that memory.
    #[must_use]
    pub fn new() -> Self {
        Self {
            phase: Phase::Start,
            at: 0,
            status: 0,
            reason: Span::default(),
            version: Version::Http11,
            fields: Fields::new(),
            options: Options::default(),
            framing: BodyFraming::None,
        }
    }

    /// Forgets everything but its memory, so that the next parse begins a new head.
    #[inline]
    pub fn clear(&mut self) {
        self.phase = Phase::Start;
        self.at = 0;
        self.status = 0;
        self.reason = Span::default();
        self.version = Version::Http11;
        self.fields.restart(0);
        self.options = Options::default();
        self.framing = BodyFraming::None;
    }

    /// Reads a head that begins at the first byte of `buf`, and answers a request of `request_method`.
    ///
    /// `Ok(Some(n))`: the head took `n` bytes, and the next call begins a new head. `Ok(None)`: call again with the
    /// same bytes and more behind them. Of the status line, the reason may be missing, and with it the space before it,
    /// as several servers in the field leave it out.
    ///
    /// # Errors
    ///
    /// The first reason to refuse the response, as soon as the bytes show it. The connection is unusable.
    #[inline]
    pub fn parse(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        request_method: Method,
    ) -> Result<Option<usize>, Reject> {
        if self.phase == Phase::Start {
            self.clear();
        }
        let most = limits.head_bytes.min(u32::MAX as usize - 2);
        let head = buf.get(..most).unwrap_or(buf);
        let parsed = self.advance(head, limits, request_method);
        match parsed {
            Ok(None) if buf.len() >= most => {
                self.phase = Phase::Start;
                Err(Reject::HeadTooLarge)
            }
            Ok(None) => Ok(None),
            Ok(Some(_)) | Err(_) => {
                self.phase = Phase::Start;
                parsed
            }
        }
    }

    fn advance(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        request_method: Method,
    ) -> Result<Option<usize>, Reject> {
        let complete = match self.phase {
            Phase::Start => self.read_status(buf)? && self.read_reason(buf)?,
            Phase::Reason => self.read_reason(buf)?,
            Phase::Fields => true,
        };
        if !complete {
            return Ok(None);
        }
        let end = self.fields.scan(buf, limits.fields)?;
        if end.is_some() {
            self.options = Options::read(buf, &mut self.fields, Sender::Server)?;
            self.framing = self.frame(request_method)?;
        }
        Ok(end)
    }

    /// `HTTP/1.x`, a space and three digits.
    #[inline]
    fn read_status(&mut self, buf: &[u8]) -> Result<bool, Reject> {
        match agree(buf, b"HTTP/0.0 000") {
            Agreement::SoFar => return Ok(false),
            Agreement::Until(_) => return Err(Reject::StatusLineInvalid),
            Agreement::Whole => {}
        }
        self.version = version(buf).ok_or(Reject::StatusVersion)?;
        self.status = buf
            .iter()
            .take(STATUS_END)
            .skip(9)
            .fold(0, |sum, digit| sum * 10 + u16::from(digit & 0x0F));
        if !(100..600).contains(&self.status) {
            return Err(Reject::StatusOutOfRange);
        }
        self.at = STATUS_END;
        self.phase = Phase::Reason;
        Ok(true)
    }

    /// Nothing, or a space and text, up to CRLF.
    #[inline]
    fn read_reason(&mut self, buf: &[u8]) -> Result<bool, Reject> {
        if !matches!(buf.get(STATUS_END), None | Some(b' ' | b'\r' | b'\n')) {
            return Err(Reject::StatusLineInvalid);
        }
        self.at = skip_text(buf, self.at);
        match (buf.get(self.at), buf.get(self.at + 1)) {
            (Some(b'\r'), Some(b'\n')) => {}
            (None, _) | (Some(b'\r'), None) => return Ok(false),
            (Some(b'\r'), Some(_)) => return Err(Reject::BareCr),
            (Some(b'\n'), _) => return Err(Reject::BareLf),
            (Some(_), _) => return Err(Reject::StatusLineInvalid),
        }
        let start = (STATUS_END + 1).min(self.at);
        self.reason = Span::new(start, self.at);
        self.fields.restart(self.at + 2);
        self.phase = Phase::Fields;
        Ok(true)
    }

    /// RFC 9112 section 6.3.
    #[inline]
    fn frame(&self, request_method: Method) -> Result<BodyFraming, Reject> {
        let stated = self.fields.framing(self.version)?;
        let never = self.status < 200 || self.status == 204;
        if never && stated == Some(BodyFraming::Chunked) {
            return Err(Reject::TransferEncodingWithoutBody);
        }
        let opens_tunnel = request_method == Method::Connect && self.status < 300;
        if never || opens_tunnel || self.status == 304 || request_method == Method::Head {
            return Ok(BodyFraming::None);
        }
        Ok(stated.unwrap_or(BodyFraming::UntilClose))
    }

    /// The status, 100 to 599.
    #[inline]
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Where the reason phrase stands; it may be empty.
    #[inline]
    #[must_use]
    pub fn reason(&self) -> Span {
        self.reason
    }

    /// The protocol version.
    #[inline]
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Whether another response to the same request follows: any 1xx but 101 (RFC 9110 section 15.2).
    #[inline]
    #[must_use]
    pub fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }

    /// All fields in the order they were sent.
    #[inline]
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        self.fields.list()
    }

    /// The first field of this kind, by an index.
    #[inline]
    #[must_use]
    pub fn first(&self, known: Known) -> Option<&Field> {
        self.fields.first(known)
    }

    /// Whether there is a field of this kind.
    #[inline]
    #[must_use]
    pub fn has(&self, known: Known) -> bool {
        self.fields.set().contains(known)
    }

    /// The kinds of fields there are.
    #[inline]
    #[must_use]
    pub fn known_set(&self) -> KnownSet {
        self.fields.set()
    }

    /// How the body is delimited. None for answers to HEAD, for 1xx, 204 and 304, and for a tunnel.
    #[inline]
    #[must_use]
    pub fn framing(&self) -> BodyFraming {
        self.framing
    }

    /// The Content-Length, also where it tells of no body that follows (HEAD, 304).
    #[inline]
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.fields.length()
    }

    /// Whether the server keeps the connection after this response; never after a body that ends by closing.
    #[inline]
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        self.framing != BodyFraming::UntilClose && self.options.keeps_alive(self.version)
    }

    /// The value of Upgrade, when Connection names it and the version is 1.1: with 101, the protocol switched to.
    #[inline]
    #[must_use]
    pub fn upgrade(&self) -> Option<Span> {
        self.options.upgrade(self.version, &self.fields)
    }

    /// Whether a field is marked as nominated.
    #[inline]
    #[must_use]
    pub fn has_nominated(&self) -> bool {
        self.options.nominated
    }
}
