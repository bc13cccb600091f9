//! Requests (RFC 9113 section 8.3.1, RFC 8441 section 4).

use super::{Bounds, Tally, content_length};
use crate::hpack::{Field, Kind, Sink, is_token};
use crate::{HeadInfo, Over, Protocol, Refusal, Scheme};
use portcullis_http1::Authority;

/// Crumbs of cookies may be this many times the bound of fields: browsers send each cookie by itself.
const CRUMBS: usize = 4;
/// Bytes kept of a pseudo-field that is over the limit.
const OVER_KEPT: usize = 1024;

/// A place in the kept pseudo-fields.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    start: usize,
    end: usize,
    is_set: bool,
}

/// Writes the text of one request while its fields come; reused for the next.
#[derive(Debug, Default)]
pub(crate) struct RequestDraft {
    pub(crate) text: Vec<u8>,
    kept: Vec<u8>,
    cookies: Vec<u8>,
    method: Place,
    scheme: Place,
    authority: Place,
    path: Place,
    protocol: Place,
    crumbs: usize,
    tally: Tally,
    /// Whether a field has come, so that the request line is written.
    begun: bool,
    host: bool,
    is_connect: bool,
    info: HeadInfo,
    bounds: Option<Bounds>,
    fault: Option<Refusal>,
}

impl RequestDraft {
    /// Begins a request whose text goes into `text`.
    pub(crate) fn begin(&mut self, text: Vec<u8>, bounds: Bounds) {
        let (mut kept, mut cookies) = (
            std::mem::take(&mut self.kept),
            std::mem::take(&mut self.cookies),
        );
        kept.clear();
        cookies.clear();
        *self = Self {
            text,
            kept,
            cookies,
            bounds: Some(bounds),
            ..Self::default()
        };
        self.text.clear();
    }

    /// Ends the text; what is not in it is given.
    pub(crate) fn conclude(&mut self, end_stream: bool) -> Result<HeadInfo, Refusal> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if !self.begun {
            self.begin_text()?;
        }
        if !self.cookies.is_empty() {
            self.text.extend_from_slice(b"cookie: ");
            self.text.extend_from_slice(&self.cookies);
            self.text.extend_from_slice(b"\r\n");
        }
        self.text.extend_from_slice(b"\r\n");
        match self.info.content_length {
            Some(1..) if end_stream => return Err(Refusal::ContentLengthMismatch),
            // CONNECT has no content (RFC 9110 section 9.3.6); what follows is the tunnel's.
            Some(_) if self.is_connect => return Err(Refusal::ContentLengthInvalid),
            _ => {}
        }
        Ok(HeadInfo {
            end_stream,
            over: self.tally.over,
            ..self.info
        })
    }

    #[inline]
    fn take(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        match field.kind {
            Kind::Method | Kind::Path | Kind::Scheme | Kind::Authority | Kind::Protocol => {
                self.take_pseudo(field)
            }
            Kind::Status | Kind::UnknownPseudo => Err(Refusal::PseudoUnknown),
            Kind::Invalid => Err(Refusal::NameInvalid),
            Kind::Forbidden => Err(Refusal::FieldForbidden),
            _ => self.take_field(field),
        }
    }

    #[inline]
    fn take_pseudo(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        if self.begun {
            return Err(Refusal::PseudoLate);
        }
        if self.place(field.kind).is_set {
            return Err(Refusal::PseudoRepeated);
        }
        if !field.sound {
            return Err(Refusal::ValueInvalid);
        }
        let value = field.value();
        // What is over the limit is kept in part, for the log: it is never forwarded.
        let kept = match self.admits(field) {
            true => value,
            false => value.get(..OVER_KEPT).unwrap_or(value),
        };
        let start = self.kept.len();
        self.kept.extend_from_slice(kept);
        *self.place(field.kind) = Place {
            start,
            end: self.kept.len(),
            is_set: true,
        };
        Ok(())
    }

    #[inline]
    fn place(&mut self, kind: Kind) -> &mut Place {
        match kind {
            Kind::Method => &mut self.method,
            Kind::Path => &mut self.path,
            Kind::Scheme => &mut self.scheme,
            Kind::Authority => &mut self.authority,
            _ => &mut self.protocol,
        }
    }

    #[inline]
    fn admits(&mut self, field: &Field<'_>) -> bool {
        let none = Bounds {
            bytes: 0,
            fields: 0,
        };
        self.tally.admits(field.size(), self.bounds.unwrap_or(none))
    }

    #[inline]
    fn take_field(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        if !self.begun {
            self.begin_text()?;
        }
        if !field.sound {
            return Err(Refusal::ValueInvalid);
        }
        match field.kind {
            Kind::Cookie => {
                self.take_crumb(field);
                return Ok(());
            }
            Kind::Host if !self.is_new_host(field)? => return Ok(()),
            Kind::WebSocketKey if self.info.protocol.is_some() => return Ok(()),
            Kind::ContentLength => {
                self.info.content_length = Some(content_length(field, self.info.content_length)?);
            }
            Kind::Te if !field.value().eq_ignore_ascii_case(b"trailers") => {
                return Err(Refusal::FieldForbidden);
            }
            _ => {}
        }
        if self.admits(field) {
            self.text.extend_from_slice(field.line);
        }
        Ok(())
    }

    /// Joins the crumbs of Cookie by `; `, in order (RFC 9113 section 8.2.3).
    fn take_crumb(&mut self, field: &Field<'_>) {
        let most = self.bounds.map_or(0, |bounds| bounds.fields) * CRUMBS;
        self.crumbs += 1;
        if self.crumbs > 1 {
            // Of all crumbs, the first counts as a field.
            self.tally.fields = self.tally.fields.saturating_sub(1);
        }
        if self.admits(field) {
            if !self.cookies.is_empty() {
                self.cookies.extend_from_slice(b"; ");
            }
            self.cookies.extend_from_slice(field.value());
        }
        if self.crumbs > most && self.tally.over.is_none() {
            self.tally.over = Some(Over::Fields);
        }
    }

    /// Whether a Host has to be written; one that says what `:authority` said is not.
    fn is_new_host(&mut self, field: &Field<'_>) -> Result<bool, Refusal> {
        if std::mem::replace(&mut self.host, true) {
            return Err(Refusal::HostRepeated);
        }
        if !self.authority.is_set {
            return Ok(true);
        }
        let authority = self.kept(self.authority);
        if authority != field.value() {
            let ours = Authority::parse(authority).ok_or(Refusal::AuthorityInvalid)?;
            let host = Authority::parse(field.value()).ok_or(Refusal::AuthorityMismatch)?;
            // CONNECT has no scheme; a Host without a port is the usual form there.
            let port = match self.info.scheme {
                Some(scheme) => scheme.port(),
                None => ours.port.unwrap_or_default(),
            };
            if !ours.is_same(&host, port) {
                return Err(Refusal::AuthorityMismatch);
            }
        }
        Ok(false)
    }

    fn kept(&self, place: Place) -> &[u8] {
        self.kept.get(place.start..place.end).unwrap_or_default()
    }

    /// Writes the request line and what else the pseudo-fields become.
    #[inline]
    fn begin_text(&mut self) -> Result<(), Refusal> {
        self.begun = true;
        self.check_pseudo()?;
        let mut text = std::mem::take(&mut self.text);
        let (method, target) = match (self.is_connect, self.protocol.is_set) {
            (_, true) => (b"GET".as_slice(), self.kept(self.path)),
            (true, false) => (b"CONNECT".as_slice(), self.kept(self.authority)),
            (false, false) => (self.kept(self.method), self.kept(self.path)),
        };
        text.extend_from_slice(method);
        text.push(b' ');
        text.extend_from_slice(target);
        text.extend_from_slice(b" HTTP/1.1\r\n");
        if self.authority.is_set {
            text.extend_from_slice(b"host: ");
            text.extend_from_slice(self.kept(self.authority));
            text.extend_from_slice(b"\r\n");
        }
        if self.protocol.is_set {
            text.extend_from_slice(b"connection: upgrade\r\nupgrade: ");
            text.extend_from_slice(self.kept(self.protocol));
            text.extend_from_slice(b"\r\n");
        }
        self.text = text;
        Ok(())
    }

    #[inline]
    fn check_pseudo(&mut self) -> Result<(), Refusal> {
        if !self.method.is_set {
            return Err(Refusal::PseudoMissing);
        }
        match self.kept(self.method) {
            b"GET" | b"POST" | b"HEAD" => {}
            b"CONNECT" => self.is_connect = true,
            method if is_token(method) => {}
            _ => return Err(Refusal::MethodInvalid),
        }
        if self.protocol.is_set {
            self.check_protocol()?;
        } else if self.is_connect {
            return self.check_connect();
        }
        if !self.scheme.is_set || !self.path.is_set {
            return Err(Refusal::PseudoMissing);
        }
        self.info.scheme = Some(scheme(self.kept(self.scheme))?);
        self.check_path()
    }

    fn check_protocol(&mut self) -> Result<(), Refusal> {
        let protocol = self.kept(self.protocol);
        if !self.is_connect || !is_token(protocol) {
            return Err(Refusal::ProtocolInvalid);
        }
        if !self.authority.is_set {
            return Err(Refusal::PseudoMissing);
        }
        self.info.protocol = Some(match protocol.eq_ignore_ascii_case(b"websocket") {
            true => Protocol::WebSocket,
            false => Protocol::Other,
        });
        Ok(())
    }

    /// CONNECT names only where to (RFC 9113 section 8.5).
    fn check_connect(&self) -> Result<(), Refusal> {
        if self.scheme.is_set || self.path.is_set {
            return Err(Refusal::PseudoForbidden);
        }
        if !self.authority.is_set {
            return Err(Refusal::PseudoMissing);
        }
        match Authority::parse(self.kept(self.authority)) {
            Some(_) => Ok(()),
            None => Err(Refusal::AuthorityInvalid),
        }
    }

    /// Visible ASCII only, so that the request line stays one; which signs are allowed is for the parser to say.
    #[inline]
    fn check_path(&self) -> Result<(), Refusal> {
        let path = self.kept(self.path);
        let is_asterisk = path == b"*" && self.kept(self.method) == b"OPTIONS";
        let begins = path.first() == Some(&b'/') || is_asterisk;
        // Without an early end, so that many bytes are looked at at once.
        let is_bad = |bad, byte: &u8| bad | !byte.is_ascii_graphic();
        match begins && !path.iter().fold(false, is_bad) {
            true => Ok(()),
            false => Err(Refusal::PathInvalid),
        }
    }
}

impl Sink for RequestDraft {
    #[inline]
    fn field(&mut self, field: &Field<'_>) {
        if self.fault.is_none()
            && let Err(fault) = self.take(field)
        {
            self.fault = Some(fault);
        }
    }
}

fn scheme(name: &[u8]) -> Result<Scheme, Refusal> {
    match name {
        b"https" => Ok(Scheme::Https),
        b"http" => Ok(Scheme::Http),
        _ if name.eq_ignore_ascii_case(b"https") => Ok(Scheme::Https),
        _ if name.eq_ignore_ascii_case(b"http") => Ok(Scheme::Http),
        _ => Err(Refusal::SchemeInvalid),
    }
}
