//! Properties of the HTTP/1 engine. Each takes any bytes, and panics when the property does not hold.

mod forward;
mod naive;

use portcullis_http1::{
    Body, BodyFraming, Field, KnownSet, Limits, Method, Piece, Reject, RequestHead, ResponseHead,
    Span, TargetForm, Version,
};

/// Small, so that fuzzers and generators meet the limits.
pub const LIMITS: Limits = Limits {
    head_bytes: 1024,
    target_bytes: 128,
    fields: 12,
};

/// All that a request head tells.
#[derive(Debug, PartialEq)]
struct RequestFacts {
    line: (Method, Span, Version, Span, TargetForm, Span, Span),
    fields: (Vec<Field>, KnownSet, bool),
    framing: BodyFraming,
    keep_alive: bool,
    upgrade: Option<Span>,
    flags: (bool, bool),
}

impl RequestFacts {
    fn of(head: &RequestHead) -> Self {
        Self {
            line: (
                head.method(),
                head.method_span(),
                head.version(),
                head.target(),
                head.target_form(),
                head.origin(),
                head.authority(),
            ),
            fields: (
                head.fields().to_vec(),
                head.known_set(),
                head.has_nominated(),
            ),
            framing: head.framing(),
            keep_alive: head.keep_alive(),
            upgrade: head.upgrade(),
            flags: (head.expects_continue(), head.accepts_trailers()),
        }
    }
}

/// All that a response head tells.
#[derive(Debug, PartialEq)]
struct ResponseFacts {
    line: (u16, Version, Span),
    fields: (Vec<Field>, KnownSet, bool),
    framing: BodyFraming,
    keep_alive: bool,
    upgrade: Option<Span>,
}

impl ResponseFacts {
    fn of(head: &ResponseHead) -> Self {
        Self {
            line: (head.status(), head.version(), head.reason()),
            fields: (
                head.fields().to_vec(),
                head.known_set(),
                head.has_nominated(),
            ),
            framing: head.framing(),
            keep_alive: head.keep_alive(),
            upgrade: head.upgrade(),
        }
    }
}

/// A request head is the same, or refused for the same reason, however its bytes arrive.
pub fn any_split_gives_the_same_request_head(bytes: &[u8], steps: &[u8]) {
    let mut head = RequestHead::new();
    let whole = head
        .parse(bytes, &LIMITS)
        .map(|end| end.map(|end| (end, RequestFacts::of(&head))));
    // The same struct again: nothing of one message may reach the next.
    let split = in_steps(bytes, steps, |prefix| {
        head.parse(prefix, &LIMITS)
            .map(|end| end.map(|end| (end, RequestFacts::of(&head))))
    });
    assert_eq!(split, whole);
}

/// A response head is the same, or refused for the same reason, however its bytes arrive.
pub fn any_split_gives_the_same_response_head(bytes: &[u8], steps: &[u8]) {
    for method in [Method::Get, Method::Head, Method::Connect] {
        let mut head = ResponseHead::new();
        let whole = head
            .parse(bytes, &LIMITS, method)
            .map(|end| end.map(|end| (end, ResponseFacts::of(&head))));
        let split = in_steps(bytes, steps, |prefix| {
            head.parse(prefix, &LIMITS, method)
                .map(|end| end.map(|end| (end, ResponseFacts::of(&head))))
        });
        assert_eq!(split, whole);
    }
}

/// Parses ever longer prefixes until one gives a result.
fn in_steps<T>(
    bytes: &[u8],
    steps: &[u8],
    mut parse: impl FnMut(&[u8]) -> Result<Option<T>, Reject>,
) -> Result<Option<T>, Reject> {
    let mut seen = 0;
    for step in endless(steps) {
        seen = (seen + step).min(bytes.len());
        let outcome = parse(bytes.get(..seen).unwrap_or_default());
        if seen == bytes.len() || !matches!(outcome, Ok(None)) {
            return outcome;
        }
    }
    Ok(None)
}

/// The lengths of the pieces that input comes in: `steps` again and again, each at least 1.
fn endless(steps: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let steps = if steps.is_empty() { &[0] } else { steps };
    steps.iter().cycle().map(|&step| 1 + usize::from(step) % 61)
}

/// What a body decoded to.
#[derive(Debug, Default, PartialEq)]
pub struct Decoded {
    /// The data.
    pub data: Vec<u8>,
    /// The trailers as lines.
    pub trailers: Vec<u8>,
    /// Bytes of input that were used, when the body is complete.
    pub end: Option<usize>,
    /// Why it was refused.
    pub reject: Option<Reject>,
}

/// A body decodes to the same data and ends at the same byte however its bytes arrive, whatever its framing.
pub fn any_split_gives_the_same_body(bytes: &[u8], steps: &[u8]) {
    let length = bytes.first().map_or(0, |&byte| u64::from(byte));
    for framing in [
        BodyFraming::None,
        BodyFraming::Length(length),
        BodyFraming::Chunked,
        BodyFraming::UntilClose,
    ] {
        let whole = decode(framing, bytes, std::iter::once(bytes.len()));
        assert_eq!(decode(framing, bytes, endless(steps)), whole, "{framing:?}");
    }
}

/// Decodes `bytes`, given in pieces of these lengths, and then their end.
fn decode(framing: BodyFraming, bytes: &[u8], steps: impl Iterator<Item = usize>) -> Decoded {
    let mut body = Body::new(framing);
    let mut decoded = Decoded::default();
    let (mut at, mut seen) = (0, 0);
    for step in steps {
        seen = (seen + step).min(bytes.len());
        loop {
            let input = bytes.get(at..seen).unwrap_or_default();
            match body.next(input) {
                Err(reject) => {
                    assert_eq!(body.next(input), Err(reject), "a refusal stays");
                    decoded.reject = Some(reject);
                    return decoded;
                }
                Ok((used, Piece::Data(range))) => {
                    assert!(
                        !range.is_empty() && range.end == used,
                        "data ends what was used"
                    );
                    decoded
                        .data
                        .extend_from_slice(input.get(range).unwrap_or_default());
                    at += used;
                }
                Ok((used, Piece::More)) => {
                    assert_eq!(used, input.len(), "more means that all was used");
                    at += used;
                    break;
                }
                Ok((used, Piece::End)) => {
                    assert!(body.is_done() && body.remaining() == Some(0));
                    decoded.end = Some(at + used);
                    decoded.trailers = body.trailers().to_vec();
                    return decoded;
                }
            }
        }
        if seen == bytes.len() {
            break;
        }
    }
    match body.end_of_input() {
        Ok(()) => decoded.end = Some(at),
        Err(reject) => decoded.reject = Some(reject),
    }
    decoded
}

/// A whole request that is accepted ends where a naive parser ends it, and means the same again after forwarding.
pub fn requests_are_forwarded_with_their_meaning(bytes: &[u8]) {
    let mut head = RequestHead::new();
    let naive = naive::request(bytes);
    let Ok(parsed) = head.parse(bytes, &LIMITS) else {
        return;
    };
    let Some(start) = parsed else {
        assert!(naive.is_none(), "unfinished for us, whole for another");
        return;
    };
    let body = decode(
        head.framing(),
        bytes.get(start..).unwrap_or_default(),
        std::iter::once(bytes.len()),
    );
    let Some(end) = body.end else {
        return;
    };
    let naive = naive.unwrap_or_else(|| panic!("only we accept it"));
    assert_eq!(naive.end, start + end, "where the message ends");
    assert_eq!(naive.body, body.data);
    assert_eq!(naive.fields, forward::lines(bytes, head.fields(), |_| true));
    forward::check_request(bytes, &head, &body);
}

/// A whole response that is accepted ends where a naive parser ends it, and means the same again after forwarding.
pub fn responses_are_forwarded_with_their_meaning(bytes: &[u8]) {
    for method in [Method::Get, Method::Head] {
        let mut head = ResponseHead::new();
        let naive = naive::response(bytes, method == Method::Head);
        let Ok(parsed) = head.parse(bytes, &LIMITS, method) else {
            continue;
        };
        let Some(start) = parsed else {
            assert!(naive.is_none(), "unfinished for us, whole for another");
            continue;
        };
        let body = decode(
            head.framing(),
            bytes.get(start..).unwrap_or_default(),
            std::iter::once(bytes.len()),
        );
        let Some(end) = body.end else {
            continue;
        };
        let naive = naive.unwrap_or_else(|| panic!("only we accept it"));
        assert_eq!(naive.end, start + end, "where the message ends");
        assert_eq!(naive.body, body.data);
        assert_eq!(naive.fields, forward::lines(bytes, head.fields(), |_| true));
        forward::check_response(bytes, &head, &body, method);
    }
}
