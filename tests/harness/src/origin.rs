//! Scripted origins: what a server behind the proxy does, well or badly. One thread per connection; each
//! request that was read is kept for the test to look at.

use crate::client::is_cut;
use crate::http::{Framing, Reader, Request, framing, split_head};
use crate::origin_tls::{OriginTls, Session, TlsWire};
use crate::patience::{PATIENCE, eventually};
use socket2::Socket;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Script = dyn Fn(&mut Peer) + Send + Sync;

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    stopped: AtomicBool,
}

/// A server behind the proxy.
pub struct Origin {
    address: String,
    seen: Arc<Seen>,
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Origin")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Origin {
    /// An origin over TCP whose every connection is played by `script`.
    pub fn tcp(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port can be had");
        Self::on(listener, script)
    }

    /// The same on a listener that is already bound.
    pub fn on(listener: TcpListener, script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let address = listener
            .local_addr()
            .expect("a bound socket has an address")
            .to_string();
        let accept = move || -> io::Result<Wire> {
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            Ok(Wire::Tcp(stream))
        };
        Self::serve(address, accept, script)
    }

    /// An origin over a Unix socket.
    pub fn unix(path: &Path, script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = UnixListener::bind(path).expect("a socket can be bound");
        let accept = move || listener.accept().map(|(stream, _)| Wire::Unix(stream));
        Self::serve(format!("unix:{}", path.display()), accept, script)
    }

    /// An origin over TCP and TLS. What `tls` leaves unsaid at its end is said for it: a close_notify.
    pub fn tls(tls: &OriginTls, script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port can be had");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address")
            .to_string();
        let tls = tls.clone();
        let accept = move || -> io::Result<Wire> {
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            Ok(Wire::Tls(Box::new(tls.over(stream))))
        };
        Self::serve(address, accept, script)
    }

    /// An origin that answers every request by `answer`, keeping connections open.
    pub fn answering(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::tcp(move |peer| peer.answer_all(&answer))
    }

    /// An origin that answers 200 with the request as it saw it: the head byte for byte, then the body.
    pub fn echo() -> Self {
        Self::answering(echo)
    }

    /// The echo over a Unix socket.
    pub fn echo_unix(path: &Path) -> Self {
        Self::unix(path, |peer| peer.answer_all(&echo))
    }

    /// An origin that answers every request with the same bytes and then closes.
    pub fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::tcp(move |peer| {
            if peer.request().is_some() {
                peer.send(&bytes);
            }
        })
    }

    fn serve(
        address: String,
        accept: impl Fn() -> io::Result<Wire> + Send + 'static,
        script: impl Fn(&mut Peer) + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Seen::default());
        let script: Arc<Script> = Arc::new(script);
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            while let Ok(wire) = accept() {
                if shared.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (seen, script) = (Arc::clone(&shared), Arc::clone(&script));
                std::thread::spawn(move || play(wire, &seen, &script));
            }
        });
        Self { address, seen }
    }

    /// Its address as a configuration names it: `127.0.0.1:4711` or `unix:/path`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The requests read so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.seen
            .requests
            .lock()
            .expect("no script panics while it records")
            .clone()
    }

    /// The only request read so far.
    #[must_use]
    #[track_caller]
    pub fn request(&self) -> Request {
        let mut all = self.requests();
        assert_eq!(
            all.len(),
            1,
            "exactly one request reaches the origin: {all:#?}"
        );
        all.remove(0)
    }

    /// How many requests were read.
    #[must_use]
    pub fn count(&self) -> usize {
        self.seen
            .requests
            .lock()
            .expect("no script panics while it records")
            .len()
    }

    /// How many connections were accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// Waits until this many connections are open.
    pub fn wait_open(&self, wanted: usize) {
        eventually(&format!("{wanted} open connections at the origin"), || {
            (self.seen.open.load(Ordering::SeqCst) == wanted).then_some(())
        });
    }

    /// Waits until this many requests have been read.
    pub fn wait_count(&self, wanted: usize) {
        eventually(&format!("{wanted} requests at the origin"), || {
            (self.count() >= wanted).then_some(())
        });
    }

    /// Closes the listening socket: new connections are refused from now on.
    pub fn stop_listening(&self) {
        self.seen.stopped.store(true, Ordering::SeqCst);
        // The accepting thread sees the flag when it is woken by one more connection.
        match self.address.strip_prefix("unix:") {
            Some(path) => drop(UnixStream::connect(path)),
            None => drop(TcpStream::connect(&self.address)),
        }
        eventually("the origin's port refuses", || {
            match self.address.strip_prefix("unix:") {
                Some(path) => UnixStream::connect(path).is_err().then_some(()),
                None => TcpStream::connect(&self.address).is_err().then_some(()),
            }
        });
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.seen.stopped.store(true, Ordering::SeqCst);
    }
}

fn play(wire: Wire, seen: &Arc<Seen>, script: &Arc<Script>) {
    seen.connections.fetch_add(1, Ordering::SeqCst);
    seen.open.fetch_add(1, Ordering::SeqCst);
    wire.bound(Some(PATIENCE));
    let mut peer = Peer {
        wire,
        reader: Reader::default(),
        seen: Arc::clone(seen),
    };
    script(&mut peer);
    peer.wire.end();
    drop(peer);
    seen.open.fetch_sub(1, Ordering::SeqCst);
}

/// A 200 with this body.
#[must_use]
pub fn ok(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nContent-Type: text/plain\r\n\r\n{body}")
        .into_bytes()
}

fn echo(request: &Request) -> Vec<u8> {
    let mut seen = request.head.clone();
    seen.extend_from_slice(&request.body);
    let mut answer =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", seen.len()).into_bytes();
    if request.method != "HEAD" {
        answer.extend(seen);
    }
    answer
}

/// A connection from the proxy, as a script sees it.
pub struct Peer {
    wire: Wire,
    reader: Reader,
    seen: Arc<Seen>,
}

impl Peer {
    /// The next request, whole; none when the proxy closes first.
    pub fn request(&mut self) -> Option<Request> {
        let mut request = self.head()?;
        let framing = framing(&request.fields, Framing::None);
        let trailers = self
            .reader
            .body(&mut self.wire, framing, &mut request.body)
            .ok()?;
        request.trailers = trailers;
        self.record(request.clone());
        Some(request)
    }

    /// The next request's head; its body is left unread, and nothing is recorded.
    pub fn head(&mut self) -> Option<Request> {
        let head = match self.reader.head(&mut self.wire) {
            Ok(head) => head?,
            Err(error) if is_cut(&error) => return None,
            // A handshake that the proxy breaks off brings no request.
            Err(_) if matches!(self.wire, Wire::Tls(_)) => return None,
            Err(error) => panic!("the origin read no request: {error}"),
        };
        let (line, fields) = split_head(&head);
        let words: Vec<&str> = line.split(' ').collect();
        let [method, target, version] = words.as_slice() else {
            panic!("not a request line: {line:?}");
        };
        Some(Request {
            method: (*method).to_owned(),
            target: (*target).to_owned(),
            version: (*version).to_owned(),
            fields,
            body: Vec::new(),
            trailers: crate::Fields::default(),
            head,
        })
    }

    /// Keeps a request for [`Origin::requests`].
    pub fn record(&self, request: Request) {
        self.seen
            .requests
            .lock()
            .expect("no script panics while it records")
            .push(request);
    }

    /// Answers every request until the proxy closes, or until one asked for a close.
    pub fn answer_all(&mut self, answer: &dyn Fn(&Request) -> Vec<u8>) {
        while let Some(request) = self.request() {
            self.send(answer(&request));
            if request
                .fields
                .one("connection")
                .is_some_and(|value| value.eq_ignore_ascii_case("close"))
            {
                return;
            }
        }
    }

    /// Sends bytes; a proxy that has gone away is no error.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.try_send(bytes);
        self
    }

    /// Sends bytes, telling whether the proxy took them.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.wire.write_all(bytes.as_ref())?;
        self.wire.flush()
    }

    /// Exactly this many bytes of what follows; fewer when the proxy closes.
    pub fn exactly(&mut self, count: usize) -> Vec<u8> {
        match self.reader.exactly(&mut self.wire, count) {
            Ok(bytes) => bytes,
            Err(_) => std::mem::take(&mut self.reader.buffer),
        }
    }

    /// Everything until the proxy closes.
    pub fn rest(&mut self) -> Vec<u8> {
        match self.reader.until_close(&mut self.wire) {
            Ok(bytes) => bytes,
            Err(_) => std::mem::take(&mut self.reader.buffer),
        }
    }

    /// Waits until the proxy ends the connection.
    pub fn wait_closed(&mut self) {
        let _ = self.rest();
    }

    /// What the handshake of a connection over TLS agreed on.
    #[must_use]
    pub fn session(&mut self) -> Option<Session> {
        match &mut self.wire {
            Wire::Tls(stream) => Some(stream.session()),
            _ => None,
        }
    }

    /// Ends the connection at the end of the script without the close_notify that makes it an honest end.
    pub fn truncate(&mut self) {
        if let Wire::Tls(stream) = &mut self.wire {
            stream.truncate();
        }
    }

    /// A header of the PROXY protocol as the connection begins with it, either version; over TLS it came before.
    pub fn proxy_header(&mut self) -> Vec<u8> {
        if let Wire::Tls(stream) = &mut self.wire {
            return stream.proxy_header();
        }
        let mut header = self.exactly(13);
        if header.starts_with(b"\r\n\r\n\0\r\nQUIT\n") {
            header.extend(self.exactly(3));
            let length = header[14..]
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            header.extend(self.exactly(length));
        } else {
            while !header.ends_with(b"\n") {
                let byte = self.exactly(1);
                assert!(!byte.is_empty(), "a header ends: {header:?}");
                header.extend(byte);
            }
        }
        header
    }

    /// Ends the writing half only.
    pub fn finish(&mut self) {
        let _ = self.wire.shutdown(Shutdown::Write);
    }

    /// Ends the connection by a reset at once, dropping what has not been read.
    pub fn reset(&mut self) {
        let stream = match &mut self.wire {
            Wire::Tcp(stream) => Some(&*stream),
            Wire::Tls(stream) => {
                stream.truncate();
                Some(stream.socket())
            }
            Wire::Unix(_) => None,
        };
        if let Some(stream) = stream {
            let socket = Socket::from(stream.try_clone().expect("a socket can be shared"));
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
    }
}

enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsWire>),
}

impl Wire {
    fn bound(&self, limit: Option<Duration>) {
        let set = match self {
            Self::Tcp(stream) => stream
                .set_read_timeout(limit)
                .and(stream.set_write_timeout(limit)),
            Self::Unix(stream) => stream
                .set_read_timeout(limit)
                .and(stream.set_write_timeout(limit)),
            Self::Tls(stream) => stream
                .socket()
                .set_read_timeout(limit)
                .and(stream.socket().set_write_timeout(limit)),
        };
        set.expect("a socket option can be set");
    }

    fn shutdown(&mut self, half: Shutdown) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(half),
            Self::Unix(stream) => stream.shutdown(half),
            Self::Tls(stream) => stream.finish(),
        }
    }

    /// The end of the script.
    fn end(&mut self) {
        if let Self::Tls(stream) = self {
            stream.end();
        }
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(stream) => stream.flush(),
            _ => Ok(()),
        }
    }
}
