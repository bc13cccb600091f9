//! Sessions of the runtime API over a Unix socket: reading lines within bounds, writing answers, closing in time.

use std::sync::Arc;
use std::time::Duration;

use portcullis_plan::plan::AdminLevel;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Admin;
use super::session::{LINE_BYTES, Next, Session};

/// Sessions at a time; one more is closed at once and counted.
const SESSIONS: usize = 64;
/// After an accept that failed, which only a lack of descriptors or memory makes happen.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Read from a session at a time.
const READ_BYTES: usize = 4096;

/// Serves the runtime API on `listener`. Ends only by being dropped, which ends every session with it.
pub(crate) async fn serve(listener: UnixListener, level: AdminLevel, admin: Arc<Admin>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = sessions.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if sessions.len() < SESSIONS => {
                    let admin = Arc::clone(&admin);
                    sessions.spawn(async move { converse(stream, level, &admin).await });
                }
                Ok(_) => admin.refused.count(),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept on the admin socket");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

/// One session, until either side ends it. An error of the stream is the client's way to leave.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, level: AdminLevel, admin: &Admin) {
    let mut session = Session::new(level);
    let mut input = Vec::new();
    let mut out = String::new();
    loop {
        let next = take_lines(&mut input, &mut session, admin, &mut out).await;
        let is_too_long = next == Next::Continue && input.len() > LINE_BYTES;
        if is_too_long {
            out.push_str("Command too long.\n\n");
        }
        if !out.is_empty() && !send(&mut stream, &mut out, session.idle).await {
            return;
        }
        if next != Next::Continue || is_too_long || !receive(&mut stream, &mut input, session.idle).await {
            // The client may be gone already.
            let _ = stream.shutdown().await;
            return;
        }
    }
}

/// Carries out every whole line that has arrived.
async fn take_lines(input: &mut Vec<u8>, session: &mut Session, admin: &Admin, out: &mut String) -> Next {
    let mut next = Next::Continue;
    while let Some(end) = input.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = input.drain(..=end).collect();
        let line = String::from_utf8_lossy(line.get(..end).unwrap_or_default());
        next = session.line(&line, admin, out).await;
        if next == Next::Close {
            break;
        }
    }
    next
}

/// Whether everything was sent in time.
async fn send<S: AsyncWrite + Unpin>(stream: &mut S, out: &mut String, patience: Duration) -> bool {
    let sent = timeout(patience, stream.write_all(out.as_bytes())).await;
    out.clear();
    matches!(sent, Ok(Ok(())))
}

/// Whether something arrived in time. A line without its end is not carried out when the client closes.
async fn receive<S: AsyncRead + Unpin>(stream: &mut S, input: &mut Vec<u8>, patience: Duration) -> bool {
    input.reserve(READ_BYTES);
    matches!(timeout(patience, stream.read_buf(input)).await, Ok(Ok(1..)))
}
