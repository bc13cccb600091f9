//! A client that sends bytes as they are and reads responses strictly.

use crate::http::{Fields, Framing, Reader, Response, framing, split_head};
use crate::patience::PATIENCE;
use socket2::Socket;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// What a connection is made of: plain or TLS, TCP or Unix.
pub(crate) trait Duplex: Read + Write + Send {
    /// Ends the writing half, so that the peer reads an end.
    fn finish(&mut self) -> io::Result<()>;
}

impl Duplex for TcpStream {
    fn finish(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Duplex for UnixStream {
    fn finish(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// One connection to the proxy.
pub struct Client {
    stream: Box<dyn Duplex>,
    reader: Reader,
    local: Option<SocketAddr>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Client")
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Connects over TCP.
    #[must_use]
    #[track_caller]
    pub fn tcp(address: impl std::net::ToSocketAddrs + std::fmt::Debug) -> Self {
        let stream =
            TcpStream::connect(&address).unwrap_or_else(|error| panic!("{address:?}: {error}"));
        Self::from_tcp(stream)
    }

    /// Connects to a port of 127.0.0.1, or says why not.
    ///
    /// # Errors
    /// The connection was refused or reset.
    pub fn try_tcp(port: u16) -> io::Result<Self> {
        TcpStream::connect(("127.0.0.1", port)).map(Self::from_tcp)
    }

    pub(crate) fn from_tcp(stream: TcpStream) -> Self {
        stream
            .set_nodelay(true)
            .expect("a socket option can be set");
        let local = stream.local_addr().ok();
        Self {
            local,
            ..Self::over(bounded(stream))
        }
    }

    /// Connects over TCP from a given address of this machine, such as 127.0.0.2.
    #[must_use]
    pub fn tcp_from(source: &str, port: u16) -> Self {
        let socket =
            Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        let source: SocketAddr = format!("{source}:0").parse().expect("an address");
        socket
            .bind(&source.into())
            .expect("a loopback address can be bound");
        let target = SocketAddr::from(([127, 0, 0, 1], port));
        socket.connect(&target.into()).expect("the proxy listens");
        Self::from_tcp(socket.into())
    }

    /// Connects over a Unix socket.
    #[must_use]
    pub fn unix(path: &Path) -> Self {
        let stream =
            UnixStream::connect(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket option can be set");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("a socket option can be set");
        Self::over(stream)
    }

    pub(crate) fn over(stream: impl Duplex + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            reader: Reader::default(),
            local: None,
        }
    }

    /// The address the proxy sees as its peer.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local.expect("a TCP connection has a local address")
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.try_send(bytes).expect("the proxy takes the bytes");
        self
    }

    /// Sends bytes to a proxy that may have closed already.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// `GET target` for `host`, without more fields.
    #[track_caller]
    pub fn get(&mut self, host: &str, target: &str) -> Response {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        self.response()
    }

    /// The final response to a request other than HEAD, with the interim ones before it.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    /// The final response to a request with this method.
    #[track_caller]
    pub fn response_to(&mut self, method: &str) -> Response {
        match self.try_response_to(method) {
            Ok(Some(response)) => response,
            Ok(None) => panic!("the connection was closed without a response"),
            Err(error) => panic!("no whole response: {error}; had {:?}", self.lossy()),
        }
    }

    /// A response, or none when the connection ends before its first byte.
    pub fn try_response_to(&mut self, method: &str) -> io::Result<Option<Response>> {
        let mut interim = Vec::new();
        loop {
            let Some((status, reason, version, fields)) = self.response_head()? else {
                return Ok(None);
            };
            if (100..200).contains(&status) && status != 101 {
                interim.push((status, fields));
                continue;
            }
            let framing = response_framing(method, status, &fields);
            let mut body = Vec::new();
            let read = self.reader.body(&mut self.stream, framing, &mut body);
            let (trailers, truncated) = match read {
                Ok(trailers) => (trailers, false),
                Err(error) if is_cut(&error) => (Fields::default(), true),
                Err(error) => return Err(error),
            };
            let whole = Response {
                status,
                reason,
                version,
                fields,
                body,
                trailers,
                interim,
                truncated,
            };
            return Ok(Some(whole));
        }
    }

    fn response_head(&mut self) -> io::Result<Option<(u16, String, String, Fields)>> {
        let Some(head) = self.reader.head(&mut self.stream)? else {
            return Ok(None);
        };
        let (line, fields) = split_head(&head);
        let mut words = line.splitn(3, ' ');
        let version = words.next().unwrap_or_default().to_owned();
        assert!(
            version == "HTTP/1.1" || version == "HTTP/1.0",
            "not a version: {line:?}"
        );
        let status = words.next().and_then(|text| text.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {line:?}"));
        let reason = words
            .next()
            .unwrap_or_else(|| panic!("no space after the status: {line:?}"));
        Ok(Some((status, reason.to_owned(), version, fields)))
    }

    /// Exactly this many bytes.
    #[track_caller]
    pub fn exactly(&mut self, count: usize) -> Vec<u8> {
        let got = self.reader.exactly(&mut self.stream, count);
        got.unwrap_or_else(|error| panic!("{error}; had {:?}", self.lossy()))
    }

    /// The same, or why it could not be read.
    ///
    /// # Errors
    /// The proxy closed, or sent nothing for too long.
    pub fn try_exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        self.reader.exactly(&mut self.stream, count)
    }

    /// Everything until the proxy closes; a reset counts as an end.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        match self.reader.until_close(&mut self.stream) {
            Ok(bytes) => bytes,
            Err(error) if is_cut(&error) => std::mem::take(&mut self.reader.buffer),
            Err(error) => panic!("the proxy did not close: {error}; had {:?}", self.lossy()),
        }
    }

    /// Fails unless the proxy closes the connection without another byte.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        let rest = self.rest();
        assert!(
            rest.is_empty(),
            "bytes before the end: {:?}",
            String::from_utf8_lossy(&rest)
        );
    }

    /// Ends the writing half: the proxy reads an end and may still answer.
    pub fn finish(&mut self) {
        self.stream.finish().expect("the writing half can be ended");
    }

    fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.reader.buffer).into_owned()
    }
}

pub(crate) fn bounded(stream: TcpStream) -> TcpStream {
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a socket option can be set");
    stream
        .set_write_timeout(Some(PATIENCE))
        .expect("a socket option can be set");
    stream
}

fn response_framing(method: &str, status: u16, fields: &Fields) -> Framing {
    let tunnel = status == 101 || (method == "CONNECT" && (200..300).contains(&status));
    if tunnel || method == "HEAD" || status == 204 || status == 304 {
        return Framing::None;
    }
    framing(fields, Framing::UntilClose)
}

/// Ends that a peer's close can look like.
pub(crate) fn is_cut(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}
