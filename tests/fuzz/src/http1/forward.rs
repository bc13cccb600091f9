//! Writes an accepted message again, as a proxy does, and reads the result with both parsers.

use portcullis_http1::{
    BodyFraming, Field, Known, KnownSet, Limits, Method, RequestHead, ResponseHead, TargetForm,
    write,
};

use super::naive::{self, Lines};
use super::{Decoded, decode};

/// Forwarding adds fields and spaces; its result must not meet the small limits.
const WIDE: Limits = Limits {
    head_bytes: 1 << 20,
    target_bytes: 1 << 16,
    fields: 1000,
};

const REQUEST: KnownSet = write::HOP_BY_HOP_REQUEST
    .with(Known::Host)
    .with(Known::ContentLength);
const RESPONSE: KnownSet = write::HOP_BY_HOP_RESPONSE.with(Known::ContentLength);

/// Names and values of the fields that `keep` says true for.
pub(super) fn lines(buf: &[u8], fields: &[Field], keep: impl Fn(&Field) -> bool) -> Lines {
    let kept = fields.iter().filter(|field| keep(field));
    kept.map(|field| (field.name.of(buf).to_vec(), field.value.of(buf).to_vec()))
        .collect()
}

/// The fields of `fields` that a proxy hands on.
fn end_to_end(buf: &[u8], fields: &[Field], drop: KnownSet) -> Lines {
    lines(buf, fields, |field| {
        !field.nominated && !drop.contains(field.known)
    })
}

pub(super) fn check_request(buf: &[u8], head: &RequestHead, body: &Decoded) {
    if head.target_form() == TargetForm::Authority {
        return;
    }
    let origin: &[u8] = if head.origin().is_empty() {
        b"/"
    } else {
        head.origin().of(buf)
    };
    let authority: &[u8] = if head.authority().is_empty() {
        b"none"
    } else {
        head.authority().of(buf)
    };
    let mut out = Vec::new();
    write::request_line(&mut out, head.method_span().of(buf), origin);
    write::field(&mut out, b"Host", authority);
    write::copy_fields(&mut out, buf, head.fields(), REQUEST, |_| false);
    write_body(&mut out, head.framing(), body);

    let mut again = RequestHead::new();
    let start = again.parse(&out, &WIDE).ok().flatten();
    let start =
        start.unwrap_or_else(|| panic!("not read again: {:?}", String::from_utf8_lossy(&out)));
    assert_eq!(again.method_span().of(&out), head.method_span().of(buf));
    assert_eq!(again.target().of(&out), origin);
    assert_eq!(again.authority().of(&out), authority);
    assert_eq!(
        end_to_end(&out, again.fields(), REQUEST),
        end_to_end(buf, head.fields(), REQUEST)
    );
    check_body(&out, start, again.framing(), body);
    let naive = naive::request(&out).unwrap_or_else(|| panic!("another does not read it"));
    let line = naive.start_line.as_bytes();
    assert!(line.starts_with(head.method_span().of(buf)));
    assert_eq!((naive.end, &naive.body), (out.len(), &body.data));
}

pub(super) fn check_response(buf: &[u8], head: &ResponseHead, body: &Decoded, method: Method) {
    let mut out = Vec::new();
    write::status_line_with(&mut out, head.status(), head.reason().of(buf));
    write::copy_fields(&mut out, buf, head.fields(), RESPONSE, |_| false);
    write_body(&mut out, head.framing(), body);

    let mut again = ResponseHead::new();
    let start = again.parse(&out, &WIDE, method).ok().flatten();
    let start =
        start.unwrap_or_else(|| panic!("not read again: {:?}", String::from_utf8_lossy(&out)));
    assert_eq!(again.status(), head.status());
    assert_eq!(again.reason().of(&out), head.reason().of(buf));
    assert_eq!(
        end_to_end(&out, again.fields(), RESPONSE),
        end_to_end(buf, head.fields(), RESPONSE)
    );
    check_body(&out, start, again.framing(), body);
    let naive = naive::response(&out, method == Method::Head)
        .unwrap_or_else(|| panic!("another does not read it"));
    assert_eq!((naive.end, &naive.body), (out.len(), &body.data));
}

/// The framing fields, the end of the head, and the body.
fn write_body(out: &mut Vec<u8>, framing: BodyFraming, body: &Decoded) {
    match framing {
        BodyFraming::None => write::end_of_head(out),
        BodyFraming::Length(length) => {
            write::content_length(out, length);
            write::end_of_head(out);
            out.extend_from_slice(&body.data);
        }
        BodyFraming::Chunked | BodyFraming::UntilClose => {
            write::transfer_encoding_chunked(out);
            write::end_of_head(out);
            for piece in body.data.chunks(17) {
                write::chunk(out, piece);
            }
            write::last_chunk(out, &body.trailers);
        }
    }
}

fn check_body(out: &[u8], start: usize, framing: BodyFraming, body: &Decoded) {
    let rest = out.get(start..).unwrap_or_default();
    let again = decode(framing, rest, std::iter::once(rest.len()));
    assert_eq!(again.data, body.data);
    assert_eq!(again.trailers, body.trailers);
    assert_eq!(
        again.end,
        Some(rest.len()),
        "one message and nothing after it"
    );
}
