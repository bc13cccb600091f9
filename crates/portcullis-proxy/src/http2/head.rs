//! A head that came on a stream becomes the request of an exchange.

use portcullis_http1::{BodyFraming, Method, Reject};
use portcullis_http2::{HeadInfo, Over, Protocol, websocket_key};
use portcullis_plan::plan::Listener;

use crate::desk::RequestPart;
use crate::exchange::limits_of;
use crate::failure::Failure;

/// Has the head in `request`, which is HTTP/1 text that says what came, judged by the rules of HTTP/1. `chance` gives
/// random bits.
pub(crate) fn judge(
    request: &mut RequestPart,
    info: &HeadInfo,
    listener: &Listener,
    chance: &mut dyn FnMut() -> u64,
) -> Result<(), Failure> {
    if info.protocol == Some(Protocol::WebSocket) {
        let random = (u128::from(chance()) << 64) | u128::from(chance());
        websocket_key(&mut request.bytes, random.to_ne_bytes());
    }
    request.http2 = true;
    match request.head.parse(&request.bytes, &limits_of(listener)) {
        Ok(Some(_)) => {}
        Ok(None) => return Err(Failure::HALF_A_HEAD),
        Err(reject) => return Err(Failure::refused(reject)),
    }
    match info.over {
        Some(Over::Bytes) => return Err(Failure::refused(Reject::HeadTooLarge)),
        Some(Over::Fields) => return Err(Failure::refused(Reject::FieldsTooMany)),
        None => {}
    }
    request.tunnel = info.protocol.is_some() || request.head.method() == Method::Connect;
    request.framing = match (request.head.framing(), info.end_stream || request.tunnel) {
        (BodyFraming::None, false) => BodyFraming::Chunked,
        (framing, _) => framing,
    };
    if !info.end_stream && !request.tunnel {
        request.incoming = BodyFraming::UntilClose;
    }
    Ok(())
}
