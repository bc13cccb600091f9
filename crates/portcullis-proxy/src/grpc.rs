//! What a gRPC client understands of an answer that no gRPC server made.
//!
//! gRPC carries its status in trailers and takes any HTTP status but 200 for a broken transport. So a call that we
//! refuse or fail is answered by 200 with the status in the only head ("trailers-only"), and an answer that is cut after
//! its head ends with trailers of ours.

use std::future::poll_fn;

use portcullis_http1::{Known, write};
use portcullis_plan::{Deadline, Fields};

use crate::client::Client;
use crate::desk::{Desk, RequestPart};
use crate::failure::Failure;
use crate::scene::Story;

/// Codes of gRPC (google.golang.org/grpc/codes).
const UNKNOWN: u8 = 2;
const DEADLINE_EXCEEDED: u8 = 4;
const PERMISSION_DENIED: u8 = 7;
const RESOURCE_EXHAUSTED: u8 = 8;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;

/// Whether the request is a gRPC call: over HTTP/2, and `application/grpc` with or without a suffix for its encoding.
pub(crate) fn is_call(request: &RequestPart) -> bool {
    request.http2 && has_messages(request)
}

/// Whether the body of a message is one of gRPC, by its media type.
fn has_messages(message: &impl Fields) -> bool {
    let media_type = message.first("content-type").unwrap_or_default();
    let Some((name, rest)) = media_type.split_at_checked(b"application/grpc".len()) else {
        return false;
    };
    name.eq_ignore_ascii_case(b"application/grpc")
        && matches!(rest.first(), None | Some(b'+' | b';'))
}

/// Ends the answer to a call, whose head has gone, with trailers that say that it failed; `false` where they cannot.
///
/// That is honest wherever the cut lies: every message says its length, so half of one is an error to the client whatever
/// follows it. A content-length would tell another end, and a client that takes no bytes is told by a reset alone.
pub(crate) async fn end_cut(
    client: &mut Client,
    desk: &mut Desk,
    story: &Story,
    failure: Failure,
) -> bool {
    let Desk {
        request,
        response,
        to_client,
        ..
    } = desk;
    let can_be_told = failure.status != 0
        && failure.deadline != Some(Deadline::ClientWrite)
        && story.from_server
        && is_call(request)
        && has_messages(response)
        && response.head.first(Known::ContentLength).is_none();
    if !can_be_told {
        return false;
    }
    to_client.clear();
    status(failure.status, failure.deadline, to_client);
    let ended = poll_fn(|_| client.wire.poll_end(to_client)).await;
    to_client.clear();
    ended.is_ok()
}

/// Appends the fields that tell a client of gRPC what an error of this HTTP status, or this deadline, means for its call.
pub(crate) fn status(status: u16, deadline: Option<Deadline>, out: &mut Vec<u8>) {
    write::number_field(out, b"grpc-status", u64::from(code(status, deadline)));
    write::field(out, b"grpc-message", write::reason(status).as_bytes());
}

/// The code for an answer of this HTTP status, or for the deadline that led to it.
///
/// As gRPC's own mapping of HTTP statuses says, except for what gRPC has a better word for: a whole request that took
/// too long, and messages that are too large.
const fn code(status: u16, deadline: Option<Deadline>) -> u8 {
    match (status, deadline) {
        (_, Some(Deadline::Request)) => DEADLINE_EXCEEDED,
        (400, _) => INTERNAL,
        (401, _) => UNAUTHENTICATED,
        (403, _) => PERMISSION_DENIED,
        (404, _) => UNIMPLEMENTED,
        (413 | 431, _) => RESOURCE_EXHAUSTED,
        (429 | 502..=504, _) => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use portcullis_http1::Limits;

    fn request(content_type: &str, http2: bool) -> RequestPart {
        let mut request = RequestPart {
            http2,
            ..RequestPart::default()
        };
        let text = format!("POST /s/m HTTP/1.1\r\nhost: a\r\ncontent-type: {content_type}\r\n\r\n");
        request.bytes.extend_from_slice(text.as_bytes());
        let limits = Limits {
            head_bytes: 1024,
            target_bytes: 1024,
            fields: 10,
        };
        request.head.parse(&request.bytes, &limits).unwrap();
        request
    }

    #[test]
    fn only_grpc_itself_over_http2_is_a_call() {
        for call in [
            "application/grpc",
            "application/grpc+proto",
            "Application/gRPC; x=y",
        ] {
            assert!(is_call(&request(call, true)), "{call}");
            assert!(!is_call(&request(call, false)), "{call} over HTTP/1");
        }
        for other in [
            "application/grpc-web",
            "application/json",
            "application/grp",
        ] {
            assert!(!is_call(&request(other, true)), "{other}");
        }
    }

    #[test]
    fn statuses_become_codes_as_grpc_maps_them() {
        let codes =
            [400, 401, 403, 404, 413, 429, 500, 502, 503, 504].map(|status| code(status, None));
        assert_eq!(codes, [13, 16, 7, 12, 8, 14, 2, 14, 14, 14]);
        assert_eq!(code(504, Some(Deadline::Request)), DEADLINE_EXCEEDED);
        assert_eq!(code(504, Some(Deadline::Connect)), UNAVAILABLE);
    }
}
