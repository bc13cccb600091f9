//! A steady exchange allocates nothing, over HTTP/1 and over HTTP/2, parsed, routed, relayed, counted and logged.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use portcullis_config::{FsLoader, load_text};
use portcullis_http2::{Connection as Connection2, Open, Read as Read2, Settings};
use portcullis_plan::compile::{Machine, compile};
use portcullis_plan::{Live, WorkerId};
use portcullis_proxy::{ClientIo, Clock, Connection, LogSink, SnapshotCell, Stream, Worker, serve};
use tokio::runtime::LocalOptions;
use tokio::sync::oneshot;

/// Renders every line, as a real sink does, into memory it has already.
struct Scratch(std::cell::RefCell<Vec<u8>>);

impl LogSink for Scratch {
    fn append(&self, render: &mut dyn FnMut(&mut Vec<u8>)) {
        let mut line = self.0.borrow_mut();
        line.clear();
        render(&mut line);
        assert!(line.ends_with(b"\n"));
    }
    fn flush(&self) {}
}

const REQUEST: &[u8] =
    b"POST /path/to?x=1 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: test/1.0\r\n\
Accept: */*\r\nCookie: a=b\r\nContent-Length: 5\r\n\r\nhello";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: app\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n\
5\r\nworld\r\n0\r\n\r\n";

/// An origin that answers every complete request on one connection.
fn origin() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut seen, mut chunk) = (Vec::new(), [0; 4096]);
        while let Ok(n @ 1..) = stream.read(&mut chunk) {
            seen.extend_from_slice(&chunk[..n]);
            if seen.ends_with(b"\r\n\r\nhello") {
                seen.clear();
                stream.write_all(RESPONSE).unwrap();
            }
        }
    });
    port
}

fn exchanges(stream: &mut TcpStream, count: usize) {
    let mut chunk = [0; 4096];
    for _ in 0..count {
        stream.write_all(REQUEST).unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"0\r\n\r\n") {
            let n = stream.read(&mut chunk).unwrap();
            assert!(n > 0, "closed after {:?}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&chunk[..n]);
        }
        assert!(seen.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}

/// A connection that speaks HTTP/2, and a request on it after the other.
struct Streams {
    socket: TcpStream,
    codec: Connection2,
}

impl Streams {
    fn new(socket: TcpStream) -> Self {
        let codec = Connection2::client(&Settings::default(), 0);
        Self { socket, codec }
    }

    fn turn(&mut self) {
        self.socket.write_all(self.codec.output()).unwrap();
        self.codec.sent(self.codec.output().len());
        let mut chunk = [0; 4096];
        let n = self.socket.read(&mut chunk).unwrap();
        assert!(n > 0, "the connection closed");
        self.codec.receive(&chunk[..n], 0).unwrap();
        while self.codec.next_event().is_some() {}
    }

    /// One exchange; gives the head of its answer.
    fn exchange(&mut self) {
        let head = REQUEST.strip_suffix(b"hello").unwrap();
        let stream = self.codec.open(head, &Open::default()).unwrap();
        assert_eq!(self.codec.send_data(stream, b"hello"), 5);
        self.codec.finish(stream, b"").unwrap();
        let (mut body, mut chunk) = (Vec::new(), [0; 64]);
        loop {
            match self.codec.read(stream, &mut chunk) {
                Read2::Data(n) => body.extend_from_slice(&chunk[..n]),
                Read2::End => break,
                Read2::Pending => self.turn(),
                Read2::Reset(code) => panic!("reset: {code}"),
            }
        }
        assert_eq!(body, b"world");
        let mut head = Vec::new();
        self.codec.take_head(stream, &mut head);
        self.codec.release(stream);
    }
}

#[test]
fn a_steady_exchange_allocates_nothing() {
    measure(|mut stream, warm, done| {
        exchanges(&mut stream, 300);
        warm.send(()).unwrap();
        exchanges(&mut stream, 1000);
        done.send(()).unwrap();
    });
}

#[test]
fn a_steady_exchange_over_http2_allocates_nothing() {
    measure(|stream, warm, done| {
        let mut streams = Streams::new(stream);
        (0..300).for_each(|_| streams.exchange());
        warm.send(()).unwrap();
        (0..1000).for_each(|_| streams.exchange());
        done.send(()).unwrap();
    });
}

fn measure(
    play: impl FnOnce(TcpStream, oneshot::Sender<()>, oneshot::Sender<()>) + Send + 'static,
) {
    let text = format!(
        r#"
[listener.web]
bind = "127.0.0.1:0"
# A new Date each second grows the table of header compression until that is full, which takes most of a minute.
date = false
limits = {{ requests_per_connection = "off" }}
[[route]]
name = "app"
hosts = ["www.example.com"]
path = "/path"
service = "app"
rewrite = {{ request_headers = {{ set = {{ x-scheme = "{{scheme}}" }}, remove = ["cookie"] }} }}
[service.app]
servers = ["127.0.0.1:{}"]
"#,
        origin()
    );
    let loaded = load_text("steady.toml", &text, &FsLoader);
    let Some(config) = loaded.config else {
        panic!("{:?}", loaded.diagnostics)
    };
    let (plan, diagnostics) = compile(&config, &loaded.sources, Machine { threads: 1 });
    let Some(plan) = plan else {
        panic!("{diagnostics:?}")
    };
    let live = Arc::new(Live::new(&plan, 1));
    let snapshots = Arc::new(SnapshotCell::new(
        Arc::new(plan),
        Arc::clone(&live),
        Arc::default(),
    ));

    let front = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = front.local_addr().unwrap();
    let (warm, warmed) = oneshot::channel();
    let (done, finished) = oneshot::channel();
    let client = thread::spawn(move || {
        play(TcpStream::connect(address).unwrap(), warm, done);
    });

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .unwrap();
    let (stream, peer) = front.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let work = async {
        let sink = Scratch(std::cell::RefCell::new(Vec::with_capacity(16 * 1024)));
        let worker = Worker::new(WorkerId::new(0), snapshots, Clock::start(), Box::new(sink));
        tokio::task::spawn_local(Rc::clone(&worker).maintain());
        let connection = Connection {
            io: ClientIo::Plain(Stream::Tcp(
                tokio::net::TcpStream::from_std(stream).unwrap(),
            )),
            listener: "web".into(),
            peer: Some(peer),
            local: Some(address),
            tls: None,
            accepted: worker.now(),
            handshake: None,
        };
        tokio::task::spawn_local(serve(worker, connection));
        warmed.await.unwrap();
    };
    runtime.block_on(work);
    let control = allocation_counter::measure(|| drop(vec![0_u8; 64]));
    assert_eq!(control.count_total, 1, "the counter counts");
    // The exchanges go on while the client measures nothing; every allocation of this thread counts.
    let counted =
        allocation_counter::measure(|| runtime.block_on(async { finished.await.unwrap() }));
    client.join().unwrap();
    assert_eq!(
        counted.count_total, 0,
        "1000 steady exchanges must allocate nothing: {counted:?}"
    );
    let requests = live.listeners.first().unwrap().totals().requests;
    assert!(requests >= 1299, "the exchanges were counted: {requests}");
}
