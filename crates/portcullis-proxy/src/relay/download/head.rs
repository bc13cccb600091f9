//! The heads of a response: taken from the server, decided about by the exchange, passed to the client.

use portcullis_http1::{Body, BodyFraming, Limits, Method, Reject, Version, write};
use portcullis_http2::Over;

use super::{Download, HeadEvent, Sides, State};
use crate::desk::{RequestPart, ResponsePart};
use crate::failure::Failure;
use crate::io::ServerIo;
use crate::upstream::shared::Lease;
use crate::wire::HeadKind;

impl Download {
    pub(super) fn decode_head(
        &mut self,
        sides: &mut Sides<'_>,
        on_head: &mut dyn FnMut(&mut Sides<'_>) -> Result<HeadEvent, Failure>,
    ) -> Result<bool, Failure> {
        let Some(framing) = self.take_head(sides)? else {
            return Ok(false);
        };
        if sides.response.head.is_interim() {
            self.interim(sides)?;
            sides.response.head.clear();
            return Ok(true);
        }
        let from = sides.to_client.len();
        let event = on_head(sides)?;
        self.chunked = event.chunked;
        self.body = Body::new(framing);
        self.state = match (event.tunnel, self.body.is_done()) {
            (true, _) => State::Tunnel,
            (false, true) => State::Flush,
            (false, false) => State::Body,
        };
        let kind = if self.state == State::Flush {
            HeadKind::Whole
        } else {
            HeadKind::Final
        };
        pass_head(sides, from, kind)?;
        Ok(true)
    }

    /// Moves the head that has come to its place; tells how what follows it is framed.
    fn take_head(&mut self, sides: &mut Sides<'_>) -> Result<Option<BodyFraming>, Failure> {
        let limits = Limits {
            head_bytes: sides.listener.limits.head,
            target_bytes: 0,
            fields: sides.listener.limits.fields,
        };
        let method = sides.request.head.method();
        if let ServerIo::Http2(lease) = sides.server {
            return take_http2_head(lease, sides.request, sides.response, &limits);
        }
        let Some(buffer) = self.buffer.as_mut().filter(|buffer| !buffer.is_empty()) else {
            return Ok(None);
        };
        let Some(length) = sides
            .response
            .head
            .parse(buffer.filled(), &limits, method)
            .map_err(Failure::bad_response)?
        else {
            if buffer.space().is_empty() {
                buffer.grow(sides.listener.limits.head.saturating_add(1024));
            }
            return Ok(None);
        };
        sides.response.bytes.clear();
        sides
            .response
            .bytes
            .extend_from_slice(buffer.filled().get(..length).unwrap_or_default());
        buffer.consume(length);
        Ok(Some(match method {
            Method::Head => BodyFraming::None,
            _ => sides.response.head.framing(),
        }))
    }

    /// Passes an interim response on: to 1.1 clients, a bounded number of them (RFC 9110 15.2).
    fn interim(&mut self, sides: &mut Sides<'_>) -> Result<(), Failure> {
        self.interims += 1;
        if self.interims > sides.listener.limits.interim_responses {
            return Err(Failure::INTERIM_FLOOD);
        }
        let status = sides.response.head.status();
        let wanted =
            status != 100 || sides.request.head.expects_continue() && !sides.story.continued;
        if sides.request.head.version() == Version::Http11 && wanted {
            sides.story.continued |= status == 100;
            let from = sides.to_client.len();
            let (bytes, fields) = (&sides.response.bytes, sides.response.head.fields());
            write::status_line_with(
                sides.to_client,
                status,
                sides.response.head.reason().of(bytes),
            );
            write::copy_fields(
                sides.to_client,
                bytes,
                fields,
                write::HOP_BY_HOP_RESPONSE,
                |_| false,
            );
            sides.to_client.extend_from_slice(b"\r\n");
            pass_head(sides, from, HeadKind::Interim)?;
        }
        Ok(())
    }
}

/// A head that came over HTTP/2 is judged as the HTTP/1 text that says the same. The end of its stream ends the body.
fn take_http2_head(
    lease: &mut Lease,
    request: &RequestPart,
    response: &mut ResponsePart,
    limits: &Limits,
) -> Result<Option<BodyFraming>, Failure> {
    let Some(info) = lease.take_head(request, &mut response.bytes) else {
        return Ok(None);
    };
    let method = request.head.method();
    match response.head.parse(&response.bytes, limits, method) {
        Ok(Some(_)) => {}
        Ok(None) => return Err(Failure::bad_response(Reject::HeadTooLarge)),
        Err(reject) => return Err(Failure::bad_response(reject)),
    }
    match info.over {
        Some(Over::Bytes) => return Err(Failure::bad_response(Reject::HeadTooLarge)),
        Some(Over::Fields) => return Err(Failure::bad_response(Reject::FieldsTooMany)),
        None => {}
    }
    let framing = response.head.framing();
    response.whole = info.end_stream && framing == BodyFraming::UntilClose;
    Ok(Some(match framing {
        _ if info.end_stream || method == Method::Head => BodyFraming::None,
        BodyFraming::None => BodyFraming::None,
        _ => BodyFraming::UntilClose,
    }))
}

/// Hands the client the head that was written to `to_client` from `from` on.
fn pass_head(sides: &mut Sides<'_>, from: usize, kind: HeadKind) -> Result<(), Failure> {
    let head = from..sides.to_client.len();
    let passed = sides.client.pass_head(sides.to_client, head, kind);
    let sent = passed.map_err(|_| Failure::CLIENT_GONE)?;
    sides.story.bytes_out += sent as u64;
    sides.story.answered |= sent > 0 && kind != HeadKind::Interim;
    Ok(())
}

/// Why no head came: the end of the connection, or an alert that says that TLS is not to the server's liking.
pub(super) fn failure_before_head(end: &std::io::Result<usize>) -> Failure {
    let is_of_tls = |error: &std::io::Error| crate::upstream::tls::rustls_error(error).is_some();
    match end {
        Err(error) if is_of_tls(error) => Failure::UPSTREAM_ALERT,
        _ => Failure::CLOSED_EARLY,
    }
}
