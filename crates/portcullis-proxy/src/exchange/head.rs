//! The head of a request, out of the bytes of a connection or off a stream.

use std::future::poll_fn;
use std::task::Poll;

use portcullis_http1::Limits;
use portcullis_http2::{Sniff, preface};
use portcullis_plan::plan::Listener;
use portcullis_plan::{Deadline, Moment};

use crate::client::Client;
use crate::deadline::Slot;
use crate::desk::{Desk, RequestPart};
use crate::failure::Failure;
use crate::http2;
use crate::io::poll_fill;
use crate::scene::Story;
use crate::wire::Wire;
use crate::worker::Worker;

/// How reading a head ended.
pub(super) enum Head {
    /// It is there; `waited` if it did not come at once.
    Complete { waited: bool },
    /// The client closed without a byte.
    Nothing,
    /// It speaks HTTP/2.
    Preface,
}

/// Reads until the head is complete and moves its bytes out of the input.
pub(super) async fn read(
    client: &mut Client,
    desk: &mut Desk,
    listener: &Listener,
    by: Moment,
) -> Result<Head, Failure> {
    let limits = limits_of(listener);
    let mut waited = false;
    let mut may_be_http2 =
        client.requests == 0 && listener.http2.is_some() && matches!(client.wire, Wire::Plain(_));
    let result = poll_fn(|cx| {
        loop {
            if may_be_http2 && !desk.input.is_empty() {
                match preface(desk.input.filled()) {
                    Sniff::Http2 => return Poll::Ready(Ok(None)),
                    Sniff::NotHttp2 => may_be_http2 = false,
                    Sniff::NeedMore => {}
                }
            }
            if !desk.input.is_empty() && !may_be_http2 {
                match desk.request.head.parse(desk.input.filled(), &limits) {
                    Ok(Some(length)) => return Poll::Ready(Ok(Some(length))),
                    Ok(None) if desk.input.space().is_empty() => {
                        desk.input.grow(limits.head_bytes.saturating_add(1024));
                    }
                    Ok(None) => {}
                    Err(reject) => return Poll::Ready(Err(Failure::refused(reject))),
                }
            }
            match poll_fill(&mut client.wire, cx, &mut desk.input) {
                Poll::Ready(Ok(n)) if n > 0 => {}
                Poll::Ready(_) if desk.input.is_empty() => return Poll::Ready(Ok(None)),
                Poll::Ready(_) => return Poll::Ready(Err(Failure::CLIENT_GONE)),
                Poll::Pending if client.timer.fired() => {
                    return Poll::Ready(Err(Failure::deadline(Deadline::ClientHeader, false)));
                }
                Poll::Pending => {
                    if !std::mem::replace(&mut waited, true) {
                        client
                            .timer
                            .arm(Slot::Download, Some(Deadline::ClientHeader), by);
                    }
                    return Poll::Pending;
                }
            }
        }
    })
    .await;
    if waited {
        client.timer.disarm(Slot::Download);
    }
    let Some(length) = result? else {
        return Ok(if desk.input.is_empty() {
            Head::Nothing
        } else {
            Head::Preface
        });
    };
    desk.request
        .bytes
        .extend_from_slice(desk.input.filled().get(..length).unwrap_or_default());
    desk.input.consume(length);
    desk.request.framing = desk.request.head.framing();
    desk.request.incoming = desk.request.framing;
    if !listener.http1 {
        return Err(Failure::NOT_HTTP2);
    }
    Ok(Head::Complete { waited })
}

/// Takes the head that came on a stream, as HTTP/1 text, and has it judged by the same rules.
pub(super) fn take(
    worker: &Worker,
    stream: &mut http2::Stream,
    request: &mut RequestPart,
    listener: &Listener,
) -> Result<Head, Failure> {
    let Some(info) = stream.take_head(&mut request.bytes) else {
        return Ok(Head::Nothing);
    };
    http2::judge(request, &info, listener, &mut || worker.chance())?;
    Ok(Head::Complete { waited: false })
}

/// How large a request's head may be.
pub(crate) const fn limits_of(listener: &Listener) -> Limits {
    Limits {
        head_bytes: listener.limits.head,
        target_bytes: listener.limits.target,
        fields: listener.limits.fields,
    }
}

/// A head that was refused still names what it can in the log.
pub(super) fn keep_for_the_log(desk: &mut Desk, story: &mut Story) {
    let Desk { input, request, .. } = desk;
    request.bytes.extend_from_slice(input.filled());
    story.bytes_in = request.bytes.len() as u64;
    input.clear();
}
