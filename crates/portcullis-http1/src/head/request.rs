//! Request heads (RFC 9112 sections 2, 3 and 5): bytes to facts, without copying any.

use super::connection::{Options, Sender};
use super::fields::Fields;
use super::start_line::{Agreement, agree, version};
use super::{Field, Version};
use crate::bytes::{skip_target, skip_token, trim};
use crate::method::MAX_METHOD;
use crate::target::Target;
use crate::{Authority, BodyFraming, Known, KnownSet, Limits, Method, Reject, Span, TargetForm};

/// How far a request head has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// Before the first byte, or after the end of a head.
    #[default]
    Start,
    Method,
    Target,
    Version,
    Fields,
}

/// The head of one request. Its spans are offsets into the buffer that was parsed.
///
/// ```
/// use portcullis_http1::{Limits, Method, RequestHead};
/// let bytes = b"GET /a?b HTTP/1.1\r\nHost: example.com\r\n\r\nrest";
/// let mut head = RequestHead::new();
/// assert_eq!(head.parse(bytes, &Limits::default()), Ok(Some(40)));
/// assert_eq!(head.method(), Method::Get);
/// assert_eq!(head.origin().of(bytes), b"/a?b");
/// assert_eq!(head.authority().of(bytes), b"example.com");
/// ```
#[derive(Debug, Clone)]
pub struct RequestHead {
    phase: Phase,
    /// Where the element begins that is being read.
    start: usize,
    /// The first byte not scanned yet.
    at: usize,
    method: Method,
    method_span: Span,
    target_span: Span,
    target_classes: u8,
    target: Target,
    authority: Span,
    version: Version,
    fields: Fields,
    options: Options,
    framing: BodyFraming,
    trailers: bool,
}

impl Default for RequestHead {
    fn default() -> Self {
        Self::new()
    }
}

impl RequestHead {
    /// Nothing read yet. Allocates with the first field, and keeps that memory.
    #[must_use]
    pub fn new() -> Self {
        Self {
            phase: Phase::Start,
            start: 0,
            at: 0,
            method: Method::Get,
            method_span: Span::default(),
            target_span: Span::default(),
            target_classes: 0,
            target: Target::default(),
            authority: Span::default(),
            version: Version::Http11,
            fields: Fields::new(),
            options: Options::default(),
            framing: BodyFraming::None,
            trailers: false,
        }
    }

    /// Forgets everything but its memory, so that the next parse begins a new head.
    #[inline]
    pub fn clear(&mut self) {
        self.phase = Phase::Start;
        self.start = 0;
        self.at = 0;
        self.method = Method::Get;
        self.method_span = Span::default();
        self.target_span = Span::default();
        self.target_classes = 0;
        self.target = Target::default();
        self.authority = Span::default();
        self.version = Version::Http11;
        self.fields.restart(0);
        self.options = Options::default();
        self.framing = BodyFraming::None;
        self.trailers = false;
    }

    /// Reads a head that begins at the first byte of `buf`.
    ///
    /// `Ok(Some(n))`: the head took `n` bytes, and the next call begins a new head. `Ok(None)`: all of `buf` is
    /// sound so far; call again with the same bytes and more behind them. The work is linear in the bytes, however they
    /// are split, and so is the outcome the same. One CRLF before the request line is skipped (RFC 9112 section 2.2).
    ///
    /// # Errors
    ///
    /// The first reason to refuse the request, as soon as the bytes show it. The connection has to be closed;
    /// facts read before the refusal stay readable, for the log.
    #[inline]
    pub fn parse(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, Reject> {
        if self.phase == Phase::Start {
            self.clear();
        }
        let most = limits.head_bytes.min(u32::MAX as usize - 2);
        let head = buf.get(..most).unwrap_or(buf);
        let parsed = self.advance(head, limits);
        match parsed {
            Ok(None) if buf.len() >= most => Err(self.over_limit()),
            Ok(None) => Ok(None),
            Ok(Some(_)) | Err(_) => {
                self.phase = Phase::Start;
                parsed
            }
        }
    }

    #[cold]
    fn over_limit(&mut self) -> Reject {
        let phase = std::mem::take(&mut self.phase);
        match phase {
            Phase::Target => Reject::TargetTooLong,
            _ => Reject::HeadTooLarge,
        }
    }

    /// Goes through the phases until one of them lacks bytes.
    fn advance(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, Reject> {
        let complete = match self.phase {
            Phase::Start => {
                self.skip_empty_line(buf)?
                    && self.read_method(buf)?
                    && self.read_target(buf, limits)?
                    && self.read_version(buf)?
            }
            Phase::Method => {
                self.read_method(buf)?
                    && self.read_target(buf, limits)?
                    && self.read_version(buf)?
            }
            Phase::Target => self.read_target(buf, limits)? && self.read_version(buf)?,
            Phase::Version => self.read_version(buf)?,
            Phase::Fields => true,
        };
        if !complete {
            return Ok(None);
        }
        let end = self.fields.scan(buf, limits.fields)?;
        if end.is_some() {
            self.conclude(buf)?;
        }
        Ok(end)
    }

    /// Skips at most one CRLF.
    #[inline]
    fn skip_empty_line(&mut self, buf: &[u8]) -> Result<bool, Reject> {
        match (buf.first(), buf.get(1), buf.get(2)) {
            (None, ..) | (Some(b'\r'), None, _) | (Some(b'\r'), Some(b'\n'), None) => {
                return Ok(false);
            }
            (Some(b'\r'), Some(b'\n'), Some(b'\r' | b'\n')) => {
                return Err(Reject::LeadingEmptyLine);
            }
            (Some(b'\r'), Some(b'\n'), Some(_)) => self.start = 2,
            (Some(b'\r'), Some(_), _) => return Err(Reject::BareCr),
            _ => self.start = 0,
        }
        match buf.get(self.start) {
            Some(b' ' | b'\t') => return Err(Reject::LeadingSpace),
            Some(b'\n') => return Err(Reject::BareLf),
            _ => {}
        }
        self.at = self.start;
        self.phase = Phase::Method;
        Ok(true)
    }

    #[inline]
    fn read_method(&mut self, buf: &[u8]) -> Result<bool, Reject> {
        self.at = skip_token(buf, self.at);
        if self.at - self.start > MAX_METHOD {
            return Err(Reject::MethodTooLong);
        }
        match buf.get(self.at) {
            None => Ok(false),
            Some(b' ') => {
                self.method_span = Span::new(self.start, self.at);
                self.method = Method::of(self.method_span.of(buf));
                self.at += 1;
                self.start = self.at;
                self.phase = Phase::Target;
                Ok(true)
            }
            Some(b'\n') => Err(Reject::BareLf),
            Some(b'\r' | b'\t') => Err(Reject::RequestLineInvalid),
            Some(_) => Err(Reject::MethodInvalid),
        }
    }

    #[inline]
    fn read_target(&mut self, buf: &[u8], limits: &Limits) -> Result<bool, Reject> {
        let (end, classes) = skip_target(buf, self.at);
        self.at = end;
        self.target_classes |= classes;
        if end - self.start > limits.target_bytes {
            return Err(Reject::TargetTooLong);
        }
        match buf.get(end) {
            None => Ok(false),
            Some(b' ') if end > self.start => {
                self.target_span = Span::new(self.start, end);
                self.start = end + 1;
                self.phase = Phase::Version;
                Ok(true)
            }
            Some(b'\n') => Err(Reject::BareLf),
            Some(b' ' | b'\t' | b'\r') => Err(Reject::RequestLineInvalid),
            Some(b'#') => Err(Reject::TargetFragment),
            Some(_) => Err(Reject::TargetInvalid),
        }
    }

    #[inline]
    fn read_version(&mut self, buf: &[u8]) -> Result<bool, Reject> {
        let rest = buf.get(self.start..).unwrap_or_default();
        match rest.get(..10) {
            Some(b"HTTP/1.1\r\n") => self.version = Version::Http11,
            Some(b"HTTP/1.0\r\n") => self.version = Version::Http10,
            _ => return self.refuse_version(rest),
        }
        self.target = Target::read(self.method, buf, self.target_span, self.target_classes)?;
        self.fields.restart(self.start + 10);
        self.phase = Phase::Fields;
        Ok(true)
    }

    /// The version is not whole yet, or it is wrong.
    #[cold]
    fn refuse_version(&self, rest: &[u8]) -> Result<bool, Reject> {
        match agree(rest, b"HTTP/0.0") {
            Agreement::SoFar => return Ok(false),
            Agreement::Until(offset) => {
                return Err(match rest.get(offset) {
                    Some(b'\n') => Reject::BareLf,
                    Some(b' ' | b'\t' | b'\r') => Reject::RequestLineInvalid,
                    _ => Reject::VersionInvalid,
                });
            }
            Agreement::Whole if version(rest).is_none() => return Err(Reject::VersionUnsupported),
            Agreement::Whole => {}
        }
        match (rest.get(8), rest.get(9)) {
            (None, _) | (Some(b'\r'), None) => Ok(false),
            (Some(b'\r'), Some(_)) => Err(Reject::BareCr),
            (Some(b'\n'), _) => Err(Reject::BareLf),
            (Some(b' ' | b'\t'), _) => Err(Reject::RequestLineInvalid),
            (Some(_), _) => Err(Reject::VersionInvalid),
        }
    }

    /// What only the whole head can tell.
    #[inline]
    fn conclude(&mut self, buf: &[u8]) -> Result<(), Reject> {
        self.authority = self.check_host(buf)?;
        self.framing = self.fields.framing(self.version)?.unwrap_or_default();
        self.options = Options::read(buf, &mut self.fields, Sender::Client)?;
        if self.fields.set().contains(Known::Expect) {
            self.check_expect(buf)?;
        }
        self.trailers = self.has(Known::Te) && self.lists_trailers(buf);
        Ok(())
    }

    /// Exactly one valid Host on 1.1, at most one on 1.0, the same as the target's authority.
    #[inline]
    fn check_host(&self, buf: &[u8]) -> Result<Span, Reject> {
        let Some(field) = self.fields.first(Known::Host) else {
            return match self.version {
                Version::Http10 => Ok(self.target.authority),
                Version::Http11 => Err(Reject::HostMissing),
            };
        };
        let value = field.value.of(buf);
        if value.is_empty() {
            return Err(Reject::HostEmpty);
        }
        if self.fields.all(Known::Host).nth(1).is_some() {
            return Err(Reject::HostRepeated);
        }
        let host = Authority::parse(value).ok_or(Reject::HostInvalid)?;
        if self.target.authority.is_empty() {
            return Ok(field.value);
        }
        self.compare_authority(buf, &host)
    }

    #[cold]
    fn compare_authority(&self, buf: &[u8], host: &Authority<'_>) -> Result<Span, Reject> {
        let authority =
            Authority::parse(self.target.authority.of(buf)).ok_or(Reject::HostInvalid)?;
        // CONNECT implies no port; a Host without one is the usual form there (RFC 9110 section 9.3.6).
        let default = match self.target.form {
            TargetForm::Authority => authority.port.unwrap_or_default(),
            _ => self.target.default_port,
        };
        if authority.is_same(host, default) {
            Ok(self.target.authority)
        } else {
            Err(Reject::HostMismatch)
        }
    }

    #[cold]
    fn check_expect(&self, buf: &[u8]) -> Result<(), Reject> {
        let is_known = |field: &Field| field.value.of(buf).eq_ignore_ascii_case(b"100-continue");
        if self.fields.all(Known::Expect).all(is_known) {
            Ok(())
        } else {
            Err(Reject::ExpectUnknown)
        }
    }

    fn lists_trailers(&self, buf: &[u8]) -> bool {
        let is_trailers = |member: &[u8]| trim(member).eq_ignore_ascii_case(b"trailers");
        self.fields.all(Known::Te).any(|field| {
            let value = field.value.of(buf);
            value.split(|&byte| byte == b',').any(is_trailers)
        })
    }

    /// The method.
    #[inline]
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// Where the method's name stands.
    #[inline]
    #[must_use]
    pub fn method_span(&self) -> Span {
        self.method_span
    }

    /// The protocol version.
    #[inline]
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The request target as sent.
    #[inline]
    #[must_use]
    pub fn target(&self) -> Span {
        self.target_span
    }

    /// The form that the target was sent in.
    #[inline]
    #[must_use]
    pub fn target_form(&self) -> TargetForm {
        self.target.form
    }

    /// Path and query: the origin form itself, `*`, or what follows the authority in the absolute form.
    ///
    /// Empty, meaning `/`, for an absolute form without a path. (An OPTIONS of that form means `*`,
    /// RFC 9112 section 3.2.4.) Empty for CONNECT too, which has no path.
    #[inline]
    #[must_use]
    pub fn origin(&self) -> Span {
        self.target.origin
    }

    /// The valid `host[:port]` that the request is for: the target's, or Host's. Empty for 1.0 without Host.
    #[inline]
    #[must_use]
    pub fn authority(&self) -> Span {
        self.authority
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

    /// How the body is delimited (RFC 9112 section 6.3); never [`BodyFraming::UntilClose`].
    #[inline]
    #[must_use]
    pub fn framing(&self) -> BodyFraming {
        self.framing
    }

    /// Whether the client keeps the connection after this exchange (RFC 9112 section 9.3).
    #[inline]
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        self.options.keeps_alive(self.version)
    }

    /// The value of Upgrade, when Connection names it and the version is 1.1 (RFC 9110 section 7.8).
    #[inline]
    #[must_use]
    pub fn upgrade(&self) -> Option<Span> {
        self.options.upgrade(self.version, &self.fields)
    }

    /// Whether the client waits for 100 before it sends the body (RFC 9110 section 10.1.1).
    ///
    /// False on 1.0, where the expectation has to be ignored, and when there is no body to wait with.
    #[inline]
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.has(Known::Expect) && self.version == Version::Http11 && self.framing.has_body()
    }

    /// Whether `TE: trailers` was sent (RFC 9110 section 10.1.4).
    #[inline]
    #[must_use]
    pub fn accepts_trailers(&self) -> bool {
        self.trailers
    }

    /// Whether a field is marked as nominated.
    #[inline]
    #[must_use]
    pub fn has_nominated(&self) -> bool {
        self.options.nominated
    }
}
