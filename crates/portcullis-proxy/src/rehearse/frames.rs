//! A question as a client that speaks HTTP/2 sends it: frames, taken in by the codec of real connections.

use portcullis_http2::{Connection, Event, HeadInfo, PREFACE, Refusal};
use portcullis_plan::explain::Question;
use portcullis_plan::plan::{Http2, Listener};

use crate::http2;

/// Bytes of the longest frame that a server has to accept.
const FRAME: usize = 16_384;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The head that comes of it, as HTTP/1 text in `text`; or how the codec refuses it.
pub(super) fn receive(
    question: &Question<'_>,
    listener: &Listener,
    http2: &Http2,
    text: &mut Vec<u8>,
) -> Result<Result<HeadInfo, Refusal>, String> {
    let fields = fields(question, listener)?;
    let mut connection = Connection::server(&http2::settings(listener, http2), 0);
    if let Err(broken) = connection.receive(&opening(&fields), 0) {
        return Ok(Err(broken.refusal));
    }
    while let Some(event) = connection.next_event() {
        match event {
            Event::Head(id) => {
                let info = connection.take_head(id, text);
                return info.map(Ok).ok_or_else(|| "the head is gone".to_owned());
            }
            Event::Refused { refusal, .. } => return Ok(Err(refusal)),
            _ => {}
        }
    }
    Err("the request makes no head".to_owned())
}

/// What a client sends: pseudo-fields, then its own. An upgrade is asked for by extended CONNECT (RFC 8441).
fn fields(question: &Question<'_>, listener: &Listener) -> Result<Vec<(String, String)>, String> {
    let (authority, target) = question.authority_and_target()?;
    let upgrade = question
        .fields
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("upgrade"));
    let scheme = match listener.tls {
        Some(_) => "https",
        None => "http",
    };
    let pseudo = match (question.method, upgrade) {
        (_, Some((_, protocol))) => vec![
            (":method", "CONNECT"),
            (":protocol", protocol.as_str()),
            (":scheme", scheme),
            (":path", &target),
        ],
        ("CONNECT", None) => vec![(":method", "CONNECT")],
        (method, None) => vec![(":method", method), (":scheme", scheme), (":path", &target)],
    };
    let authority = (!authority.is_empty()).then_some((":authority", authority.as_str()));
    let own = question
        .fields
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .filter(|(name, _)| name != "host" && !(upgrade.is_some() && is_of_upgrades(name)));
    let pseudo = pseudo.into_iter().chain(authority);
    let pseudo = pseudo.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(pseudo.chain(own).collect())
}

/// What asks for an upgrade over HTTP/1.1, and has no place in HTTP/2.
fn is_of_upgrades(name: &str) -> bool {
    ["upgrade", "connection", "sec-websocket-key"].contains(&name)
}

/// The first bytes of a connection with this request on it, which has no body unless it tells its length.
fn opening(fields: &[(String, String)]) -> Vec<u8> {
    let goes_on = |(name, value): &(String, String)| match name.as_str() {
        "content-length" => value != "0",
        ":method" => value == "CONNECT",
        _ => false,
    };
    let end = if fields.iter().any(goes_on) {
        0
    } else {
        END_STREAM
    };
    let mut bytes = PREFACE.to_vec();
    frame(&mut bytes, SETTINGS, 0, 0, &[]);
    let block = block(fields);
    let parts = block.chunks(FRAME);
    let last = parts.len().saturating_sub(1);
    for (at, part) in parts.enumerate() {
        let kind = if at == 0 { HEADERS } else { CONTINUATION };
        let first = if at == 0 { end } else { 0 };
        let flags = first | if at == last { END_HEADERS } else { 0 };
        frame(&mut bytes, kind, flags, 1, part);
    }
    bytes
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or_default();
    out.extend(length.to_be_bytes().into_iter().skip(1));
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// The fields in the plainest words of HPACK: literals without an index (RFC 7541 6.2.2).
fn block(fields: &[(String, String)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        literal(&mut block, name.as_bytes());
        literal(&mut block, value.as_bytes());
    }
    block
}

/// A length with a prefix of seven bits, then the bytes (RFC 7541 5.1, 5.2).
fn literal(out: &mut Vec<u8>, text: &[u8]) {
    match u8::try_from(text.len()) {
        Ok(short @ 0..127) => out.push(short),
        _ => {
            out.push(127);
            let mut rest = text.len() - 127;
            while rest >= 128 {
                out.push(0x80 | (rest % 128) as u8);
                rest /= 128;
            }
            out.push(rest as u8);
        }
    }
    out.extend_from_slice(text);
}
