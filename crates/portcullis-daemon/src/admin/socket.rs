//! Sessions of the runtime API over a Unix socket: reading lines within bounds, writing answers, closing in time.

use std::sync::Arc;
use std::time::Duration;

use portcullis_plan::plan::AdminLevel;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::watch;
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

/// Serves the runtime API on `listener`. Once `closing` changes it takes no more sessions and ends with the last of them; being
/// dropped ends every session with it.
pub(crate) async fn serve(
    listener: UnixListener,
    level: AdminLevel,
    admin: Arc<Admin>,
    mut closing: watch::Receiver<bool>,
) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = sessions.join_next() => {}
            _ = closing.changed() => break,
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
    drop(listener);
    while sessions.join_next().await.is_some() {}
}

/// One session, until either side ends it. An error of the stream is the client's way to leave.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    level: AdminLevel,
    admin: &Admin,
) {
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
        if next != Next::Continue
            || is_too_long
            || !receive(&mut stream, &mut input, session.idle).await
        {
            // The client may be gone already.
            let _ = stream.shutdown().await;
            return;
        }
    }
}

/// Carries out every whole line that has arrived.
async fn take_lines(
    input: &mut Vec<u8>,
    session: &mut Session,
    admin: &Admin,
    out: &mut String,
) -> Next {
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
async fn receive<S: AsyncRead + Unpin>(
    stream: &mut S,
    input: &mut Vec<u8>,
    patience: Duration,
) -> bool {
    input.reserve(READ_BYTES);
    matches!(timeout(patience, stream.read_buf(input)).await, Ok(Ok(1..)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::duplex;
    use tokio::net::UnixStream;

    use super::*;
    use crate::testing::{CONFIG, Folder, admin};

    /// What a session answers to `parts`, sent one after the other, until it closes.
    async fn conversation(parts: &[&[u8]]) -> String {
        let admin = admin(CONFIG);
        let (mut client, server) = duplex(1 << 20);
        let session = async { converse(server, AdminLevel::Admin, &admin).await };
        let talk = async {
            for part in parts {
                client.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut out = String::new();
            client.read_to_string(&mut out).await.unwrap();
            out
        };
        tokio::join!(session, talk).1
    }

    const VERSION: &str = "2.6.0-portcullis0.1.0\n\n";

    #[tokio::test]
    async fn closes_after_the_lines_that_arrived() {
        assert_eq!(conversation(&[b"show version\n"]).await, VERSION);
        assert_eq!(
            conversation(&[b"show version\nshow cli level\n"]).await,
            format!("{VERSION}admin\n\n")
        );
        assert_eq!(conversation(&[b"show ver", b"sion\r\n"]).await, VERSION);
    }

    #[tokio::test]
    async fn an_interactive_session_goes_on_until_it_ends_itself() {
        let out = conversation(&[b"prompt\n", b"show cli level\n", b"quit\n"]).await;
        assert_eq!(out, "\n> admin\n\n> ");
        let out = conversation(&[b"prompt\n", b"show cli level\n", b"prompt\n"]).await;
        assert_eq!(out, "\n> admin\n\n> \n");
    }

    #[tokio::test]
    async fn a_line_beyond_the_bound_ends_the_session() {
        let long = vec![b'x'; LINE_BYTES + 1];
        assert_eq!(conversation(&[&long]).await, "Command too long.\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_session_is_closed() {
        assert_eq!(
            conversation(&[b"show vers"]).await,
            "",
            "ten seconds, by a clock that jumps"
        );
        assert_eq!(
            conversation(&[b"prompt\nset timeout cli 60\n"]).await,
            "\n> \n> "
        );
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_are_an_unknown_command() {
        assert!(
            conversation(&[b"\xff\xfe\0\n"])
                .await
                .starts_with("Unknown command")
        );
    }

    #[tokio::test]
    async fn one_session_too_many_is_turned_away_and_counted() {
        let folder = Folder::new();
        let path = folder.path().join("admin.sock");
        let admin = admin(CONFIG);
        let listener = UnixListener::bind(&path).unwrap();
        let mut server = JoinSet::new();
        let (_open, closing) = watch::channel(false);
        server.spawn(serve(
            listener,
            AdminLevel::User,
            Arc::clone(&admin),
            closing,
        ));
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            let mut session = UnixStream::connect(&path).await.unwrap();
            session.write_all(b"prompt\n").await.unwrap();
            session.read_exact(&mut [0; 3]).await.unwrap();
            sessions.push(session);
        }
        let mut refused = UnixStream::connect(&path).await.unwrap();
        assert_eq!(
            refused.read(&mut [0; 8]).await.unwrap(),
            0,
            "closed at once"
        );
        assert_eq!(admin.refused.total(), 1);
        drop(sessions);
        let version = || async {
            let mut session = UnixStream::connect(&path).await.unwrap();
            let mut out = String::new();
            let asked = session.write_all(b"show version\n").await;
            asked.is_ok() && session.read_to_string(&mut out).await.is_ok() && out == VERSION
        };
        while !version().await {}
    }
}
