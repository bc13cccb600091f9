//! From a parsed head to what the decisions ask about. Pure, so that a rehearsal understands a request as its exchange does.

use portcullis_http1::{Span, TargetForm};
use portcullis_plan::plan::Listener;
use portcullis_plan::{forwarded, normalize};

use crate::client::Who;
use crate::desk::{PathAt, RequestPart};
use crate::failure::Failure;

/// Finds out what the decisions ask about: host, path, the believed client, the request's id.
/// `chance` gives random bits.
pub(crate) fn understand(
    request: &mut RequestPart,
    who: &Who,
    listener: &Listener,
    chance: &mut dyn FnMut() -> u64,
) -> Result<(), Failure> {
    let mut scratch = std::mem::take(&mut request.path);
    let result = understand_target(request, listener, &mut scratch);
    request.path = scratch;
    result?;

    let believed = forwarded::client(listener, who.peer, request);
    request.client = believed.client;
    request.client_port = believed.client_port;
    request.scheme = believed.scheme;
    request.trusted = believed.trusted;
    if let Some(rule) = &listener.request_id {
        let believe = rule.trust && believed.trusted;
        name_request(request, believe, &rule.header, chance);
    }
    Ok(())
}

fn understand_target(
    request: &mut RequestPart,
    listener: &Listener,
    scratch: &mut Vec<u8>,
) -> Result<(), Failure> {
    let (host, _) = normalize::host(request.head.authority().of(&request.bytes), scratch);
    request.host.push_str(host);
    scratch.clear();
    let origin = request.head.origin();
    match request.head.target_form() {
        TargetForm::Authority => return Ok(()),
        TargetForm::Asterisk => {
            request.path_at = PathAt::Head(request.head.target());
            return Ok(());
        }
        TargetForm::Origin | TargetForm::Absolute => {}
    }
    let target = origin.of(&request.bytes);
    let mark = target.iter().position(|byte| *byte == b'?');
    let at = |offset: usize| {
        origin
            .start
            .saturating_add(u32::try_from(offset).unwrap_or(u32::MAX))
    };
    request.query = mark.map(|mark| Span {
        start: at(mark + 1),
        end: origin.end,
    });
    let raw = Span {
        start: origin.start,
        end: mark.map_or(origin.end, at),
    };
    let path = normalize::path(raw.of(&request.bytes), &listener.paths, scratch)
        .map_err(|refusal| Failure::bad_path(refusal.code()))?;
    let unchanged = path == raw.of(&request.bytes);
    request.path_at = if unchanged {
        PathAt::Head(raw)
    } else {
        PathAt::Rewritten
    };
    if !unchanged && scratch.is_empty() {
        scratch.push(b'/'); // an absolute-form target without a path
    }
    Ok(())
}

/// Keeps a believed id that is short and plain, or makes one of 32 hexadecimal digits.
fn name_request(
    request: &mut RequestPart,
    believe: bool,
    header: &str,
    chance: &mut dyn FnMut() -> u64,
) {
    if believe {
        let RequestPart {
            head, bytes, id, ..
        } = request;
        let given = head
            .fields()
            .iter()
            .find(|field| field.name.of(bytes).eq_ignore_ascii_case(header.as_bytes()));
        if let Some(given) = given.map(|field| field.value.of(bytes))
            && (1..=128).contains(&given.len())
            && given
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte))
        {
            id.extend_from_slice(given);
            return;
        }
    }
    for word in [chance(), chance()] {
        for shift in (0..16).rev() {
            let digit = (word >> (shift * 4)) & 0xf;
            request
                .id
                .push(*b"0123456789abcdef".get(digit as usize).unwrap_or(&b'0'));
        }
    }
}
