//! One connection of the small server: read a request, answer it, again.

use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_http1::{Body, Limits, Method, Piece, Reject, RequestHead, date};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::message::{Io, Request, Response};
use super::{Bounds, Handler};

/// Read at a time.
const READ_BYTES: usize = 8 * 1024;
/// Bytes of a request head.
const HEAD_BYTES: usize = 16 * 1024;

/// Why no request came.
enum Failure {
    /// The client left, was too slow, or broke off: nobody is there to be told.
    Gone,
    /// It is to be told why its request is refused.
    Refused(u16, &'static str),
}

impl From<std::io::Error> for Failure {
    fn from(_: std::io::Error) -> Self {
        Self::Gone
    }
}

impl From<Reject> for Failure {
    fn from(reject: Reject) -> Self {
        Self::Refused(reject.status(), reject.text())
    }
}

struct Conversation {
    stream: Box<dyn Io>,
    peer: String,
    bounds: Bounds,
    /// What was read and is not used yet.
    input: Vec<u8>,
    head: RequestHead,
}

/// What the answer must know of its request.
struct Received {
    request: Request,
    keep_alive: bool,
    head_only: bool,
}

/// Answers the requests of one connection until either side ends it.
pub(super) async fn converse<H: Handler>(
    stream: Box<dyn Io>,
    peer: String,
    bounds: Bounds,
    handler: &H,
) {
    let mut conversation = Conversation {
        stream,
        peer,
        bounds,
        input: Vec::new(),
        head: RequestHead::new(),
    };
    while let Some(received) = conversation.next_request().await {
        let Received {
            request,
            keep_alive,
            head_only,
        } = received;
        let mut response = handler.answer(request).await;
        let takeover = response.takeover.take();
        let bytes = response.to_bytes(keep_alive, head_only, &today());
        if !conversation.send(&bytes).await {
            return;
        }
        if let Some(takeover) = takeover {
            return takeover(conversation.stream, conversation.input).await;
        }
        if !keep_alive {
            break;
        }
    }
    // The client may be gone already.
    let _ = conversation.stream.shutdown().await;
}

impl Conversation {
    /// The next request; `None` when the connection is to be closed, after telling the client why where that helps.
    async fn next_request(&mut self) -> Option<Received> {
        if self.input.is_empty()
            && !matches!(timeout(self.bounds.idle, self.fill()).await, Ok(Ok(())))
        {
            return None;
        }
        let failure = match timeout(self.bounds.exchange, self.read_request()).await {
            Ok(Ok(received)) => return Some(received),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Refused(408, "the request took too long"),
        };
        if let Failure::Refused(status, text) = failure {
            let bytes =
                Response::text(status, format!("{text}\n")).to_bytes(false, false, &today());
            self.send(&bytes).await;
        }
        None
    }

    async fn read_request(&mut self) -> Result<Received, Failure> {
        let limits = Limits {
            head_bytes: HEAD_BYTES,
            ..Limits::default()
        };
        self.head.clear();
        let length = loop {
            match self.head.parse(&self.input, &limits)? {
                Some(length) => break length,
                None => self.fill().await?,
            }
        };
        let mut request = Request::from_head(&self.head, &self.input, &self.peer);
        let received = (
            self.head.keep_alive(),
            self.head.method() == Method::Head,
            self.head.expects_continue(),
        );
        let (keep_alive, head_only, expects_continue) = received;
        let mut body = Body::new(self.head.framing());
        self.input.drain(..length);
        if expects_continue && !body.is_done() && self.input.is_empty() {
            self.stream
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                .await?;
        }
        self.read_body(&mut body, &mut request.body).await?;
        Ok(Received {
            request,
            keep_alive,
            head_only,
        })
    }

    async fn read_body(&mut self, body: &mut Body, out: &mut Vec<u8>) -> Result<(), Failure> {
        let is_too_large = |bytes: u64| bytes > u64::try_from(self.bounds.body).unwrap_or(u64::MAX);
        if body.remaining().is_some_and(is_too_large) {
            return Err(Failure::Refused(413, "the body is too large"));
        }
        while !body.is_done() {
            let (used, piece) = body.next(&self.input)?;
            if let Piece::Data(range) = &piece {
                out.extend_from_slice(self.input.get(range.clone()).unwrap_or_default());
            }
            self.input.drain(..used);
            if out.len() > self.bounds.body {
                return Err(Failure::Refused(413, "the body is too large"));
            }
            if piece == Piece::More {
                self.fill().await?;
            }
        }
        Ok(())
    }

    /// Reads some more; the end of the stream is an error, since it is asked for more.
    async fn fill(&mut self) -> Result<(), Failure> {
        self.input.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(Failure::Gone),
            _ => Ok(()),
        }
    }

    /// Whether the answer was taken in time.
    async fn send(&mut self, bytes: &[u8]) -> bool {
        matches!(
            timeout(self.bounds.exchange, self.stream.write_all(bytes)).await,
            Ok(Ok(()))
        )
    }
}

/// The value of `Date`.
fn today() -> [u8; 29] {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    date::imf_fixdate(seconds)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::{DuplexStream, duplex};
    use tokio::task::JoinHandle;

    use super::*;

    async fn echo(request: Request) -> Response {
        let text = format!(
            "{} {} {}",
            request.method,
            request.path(),
            String::from_utf8_lossy(&request.body)
        );
        Response::text(200, text)
    }

    fn start(bounds: Bounds) -> (DuplexStream, JoinHandle<()>) {
        let (client, server) = duplex(1 << 20);
        let task = tokio::task::spawn(async move {
            converse(Box::new(server), "test".to_owned(), bounds, &echo).await;
        });
        (client, task)
    }

    async fn exchange(input: &str, bounds: Bounds) -> String {
        let (mut client, task) = start(bounds);
        client.write_all(input.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut out = String::new();
        client.read_to_string(&mut out).await.unwrap();
        task.await.unwrap();
        out
    }

    #[tokio::test]
    async fn answers_pipelined_requests_in_order() {
        let text = exchange(
            "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n",
            Bounds::default(),
        )
        .await;
        let (a, b) = (text.find("GET /a ").unwrap(), text.find("GET /b ").unwrap());
        assert!(a < b, "{text}");
    }

    #[tokio::test]
    async fn reads_bodies_of_both_framings() {
        let text = exchange(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
            Bounds::default(),
        )
        .await;
        assert!(text.ends_with("POST / abc"), "{text}");
        let chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        let text = exchange(chunked, Bounds::default()).await;
        assert!(
            text.ends_with("POST / abc") && text.contains("Connection: close\r\n"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn refuses_what_is_too_large_or_malformed() {
        let bounds = Bounds {
            body: 2,
            ..Bounds::default()
        };
        let text = exchange(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n",
            bounds,
        )
        .await;
        assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
        let chunked =
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        assert!(exchange(chunked, bounds).await.starts_with("HTTP/1.1 413 "));
        assert!(
            exchange("GET /\r\n\r\n", bounds)
                .await
                .starts_with("HTTP/1.1 4"),
            "malformed requests get an answer"
        );
    }

    #[tokio::test]
    async fn invites_a_body_that_waits() {
        let (mut client, _task) = start(Bounds::default());
        let head =
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
        client.write_all(head.as_bytes()).await.unwrap();
        let mut interim = [0; 25];
        client.read_exact(&mut interim).await.unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_request_gets_408_and_an_idle_connection_closes() {
        let (mut client, task) = start(Bounds::default());
        client.write_all(b"GET / HT").await.unwrap();
        let mut out = String::new();
        client.read_to_string(&mut out).await.unwrap();
        assert!(out.starts_with("HTTP/1.1 408 "), "{out}");
        task.await.unwrap();

        let (mut client, task) = start(Bounds::default());
        assert_eq!(
            client.read(&mut [0; 8]).await.unwrap(),
            0,
            "closed without a word"
        );
        task.await.unwrap();
    }

    #[tokio::test]
    async fn a_takeover_has_the_stream_and_what_came_early() {
        let (mut client, server) = duplex(1024);
        let handler = |_: Request| async {
            let fields = vec![
                ("Upgrade".to_owned(), "echo".to_owned()),
                ("Connection".to_owned(), "upgrade".to_owned()),
            ];
            Response::upgrade(
                fields,
                Box::new(|mut stream: Box<dyn Io>, early: Vec<u8>| {
                    Box::pin(async move { stream.write_all(&early).await.unwrap() })
                }),
            )
        };
        let task = tokio::task::spawn(async move {
            converse(Box::new(server), String::new(), Bounds::default(), &handler).await;
        });
        let request =
            b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nearly";
        client.write_all(request).await.unwrap();
        let mut out = String::new();
        client.read_to_string(&mut out).await.unwrap();
        assert!(
            out.starts_with("HTTP/1.1 101 ") && out.ends_with("\r\n\r\nearly"),
            "{out}"
        );
        assert!(!out.contains("Content-Length"), "{out}");
        task.await.unwrap();
    }
}
