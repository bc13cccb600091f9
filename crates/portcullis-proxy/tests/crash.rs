//! A panic in one task of a worker ends that task and nothing else, and leaves no count behind.
//!
//! The fault comes in where faults can come in from outside: the sink of log lines panics at the next line.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use portcullis_config::{FsLoader, load_text};
use portcullis_http2::{Connection as Codec, Open, Read, Settings, StreamId};
use portcullis_plan::compile::{Machine, compile};
use portcullis_plan::{Live, WorkerId};
use portcullis_proxy::{ClientIo, Clock, Connection, LogSink, SnapshotCell, Stream, Worker, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::LocalOptions;

/// What the sink does wrong next.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Fault {
    #[default]
    None,
    Line,
    Flush,
}

struct Faulty(Rc<Cell<Fault>>);

impl Faulty {
    fn fail_at(&self, fault: Fault) {
        if self.0.get() == fault {
            self.0.set(Fault::None);
            panic!("a fault of ours");
        }
    }
}

impl LogSink for Faulty {
    fn append(&self, render: &mut dyn FnMut(&mut Vec<u8>)) {
        render(&mut Vec::new());
        self.fail_at(Fault::Line);
    }
    fn flush(&self) {
        self.fail_at(Fault::Flush);
    }
}

/// One worker, its clients, and two servers: one answers every request, the other none.
struct Stage {
    worker: Rc<Worker>,
    live: Arc<Live>,
    fault: Rc<Cell<Fault>>,
    front: TcpListener,
    silent: Option<TcpListener>,
}

impl Stage {
    async fn new() -> Self {
        let (silent, answering) = (bind().await, bind().await);
        let text = format!(
            "[listener.web]\nbind = '127.0.0.1:0'\ntimeouts = {{ client_idle = '300ms' }}\n\
             [[route]]\nname = 'silent'\npath = '/silent'\nservice = 'silent'\n\
             [[route]]\nname = 'app'\nservice = 'app'\n\
             [service.silent]\nservers = ['{}']\n[service.app]\nservers = ['{}']\n",
            silent.local_addr().unwrap(),
            answering.local_addr().unwrap()
        );
        let loaded = load_text("crash.toml", &text, &FsLoader);
        let config = loaded
            .config
            .unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
        let (plan, diagnostics) = compile(&config, &loaded.sources, Machine { threads: 1 });
        let plan = plan.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let live = Arc::new(Live::new(&plan, 1));
        let snapshots = SnapshotCell::new(Arc::new(plan), Arc::clone(&live), Arc::default());
        let fault = Rc::new(Cell::new(Fault::None));
        let sink = Box::new(Faulty(Rc::clone(&fault)));
        let worker = Worker::new(WorkerId::new(0), Arc::new(snapshots), Clock::start(), sink);
        tokio::task::spawn_local(Rc::clone(&worker).maintain());
        tokio::task::spawn_local(answer(answering));
        Self {
            worker,
            live,
            fault,
            front: bind().await,
            silent: Some(silent),
        }
    }

    /// A client whose connection the worker serves.
    async fn client(&self) -> TcpStream {
        let address: SocketAddr = self.front.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), self.front.accept());
        let (stream, peer) = accepted.unwrap();
        let connection = Connection {
            io: ClientIo::Plain(Stream::Tcp(stream)),
            listener: "web".into(),
            peer: Some(peer),
            local: Some(address),
            tls: None,
            accepted: self.worker.now(),
            handshake: None,
        };
        tokio::task::spawn_local(serve(Rc::clone(&self.worker), connection));
        client.unwrap()
    }

    fn in_flight(&self) -> u64 {
        self.live.listeners.first().unwrap().in_flight()
    }

    fn at_servers(&self) -> u32 {
        let servers = self.live.servers.iter();
        servers.map(|server| server.in_flight().open()).sum()
    }

    /// Nobody is connected and nothing is counted as under way.
    async fn is_deserted(&self) {
        eventually(|| self.worker.open_connections() == 0).await;
        eventually(|| self.worker.exchanges() == 0 && self.in_flight() == 0).await;
        assert_eq!(self.at_servers(), 0);
    }
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Answers every request of every connection.
async fn answer(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::task::spawn_local(async move {
            let (mut seen, mut chunk) = (Vec::new(), [0; 4096]);
            while let Ok(n @ 1..) = stream.read(&mut chunk).await {
                seen.extend_from_slice(&chunk[..n]);
                if seen.ends_with(b"\r\n\r\n") {
                    seen.clear();
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                    stream.write_all(answer).await.unwrap();
                }
            }
        });
    }
}

async fn eventually(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "the awaited event did not come");
}

async fn ask(client: &mut TcpStream, path: &str) {
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
}

async fn is_answered(client: &mut TcpStream) {
    let (mut seen, mut chunk) = (Vec::new(), [0; 4096]);
    while !seen.ends_with(b"ok") {
        let n = client.read(&mut chunk).await.unwrap();
        assert!(n > 0, "closed after {:?}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&chunk[..n]);
    }
    assert!(seen.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

/// Reads until the proxy ends the connection.
async fn is_ended(client: &mut TcpStream) {
    let mut rest = Vec::new();
    let reading = client.read_to_end(&mut rest);
    let read = tokio::time::timeout(Duration::from_secs(20), reading).await;
    assert!(read.is_ok(), "the connection is still open");
}

fn play<F: Future<Output = ()>>(story: impl FnOnce() -> F) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .unwrap()
        .block_on(story());
}

#[test]
fn a_panic_ends_one_connection_and_leaves_no_count_behind() {
    play(async || {
        let mut stage = Stage::new().await;
        let (mut steady, mut waiting) = (stage.client().await, stage.client().await);
        let mut struck = stage.client().await;
        ask(&mut waiting, "/silent").await;
        eventually(|| stage.at_servers() == 1).await;
        stage.fault.set(Fault::Line);
        ask(&mut struck, "/").await;
        is_ended(&mut struck).await;
        assert!(stage.fault.get() == Fault::None, "the fault was met");
        ask(&mut steady, "/").await;
        is_answered(&mut steady).await;
        eventually(|| stage.worker.open_connections() == 2).await;
        assert_eq!((stage.worker.exchanges(), stage.in_flight()), (1, 1));
        assert_eq!(stage.at_servers(), 1);
        drop((steady, stage.silent.take(), waiting));
        stage.is_deserted().await;
    });
}

#[test]
fn a_panic_in_a_stream_leaves_the_others_of_its_connection_alone() {
    play(async || {
        let stage = Stage::new().await;
        let mut streams = Streams::new(stage.client().await);
        streams.open("/silent");
        streams.turn().await;
        eventually(|| stage.at_servers() == 1).await;
        stage.fault.set(Fault::Line);
        streams.open("/");
        streams.turn().await;
        eventually(|| stage.fault.get() == Fault::None).await;
        let third = streams.open("/");
        streams.is_answered(third).await;
        eventually(|| stage.worker.exchanges() == 1).await;
        assert_eq!((stage.at_servers(), stage.in_flight()), (1, 1));
        drop(streams);
        stage.is_deserted().await;
    });
}

#[test]
fn a_panic_of_a_connection_with_streams_ends_them_all() {
    play(async || {
        let stage = Stage::new().await;
        let mut streams = Streams::new(stage.client().await);
        streams.open("/silent");
        streams.turn().await;
        eventually(|| stage.at_servers() == 1).await;
        // A request so malformed that the connection's own task has it logged: a field's name in upper case.
        stage.fault.set(Fault::Line);
        let block = b"\x82\x86\x84\x41\x01a\x00\x01B\x01b";
        let mut frame = vec![0, 0, block.len() as u8, 1, 5, 0, 0, 0, 3];
        frame.extend_from_slice(block);
        streams.socket.write_all(&frame).await.unwrap();
        is_ended(&mut streams.socket).await;
        assert!(stage.fault.get() == Fault::None, "the fault was met");
        stage.is_deserted().await;
    });
}

#[test]
fn deadlines_go_on_after_a_panic_of_the_upkeep() {
    play(async || {
        let stage = Stage::new().await;
        stage.fault.set(Fault::Flush);
        let mut client = stage.client().await;
        ask(&mut client, "/").await;
        is_answered(&mut client).await;
        eventually(|| stage.fault.get() == Fault::None).await;
        let mut late = stage.client().await;
        ask(&mut late, "/").await;
        is_answered(&mut late).await;
        is_ended(&mut late).await;
        stage.is_deserted().await;
    });
}

/// A client that speaks HTTP/2.
struct Streams {
    socket: TcpStream,
    codec: Codec,
}

impl Streams {
    fn new(socket: TcpStream) -> Self {
        let codec = Codec::client(&Settings::default(), 0);
        Self { socket, codec }
    }

    fn open(&mut self, path: &str) -> StreamId {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let options = Open {
            end: true,
            ..Open::default()
        };
        self.codec.open(head.as_bytes(), &options).unwrap()
    }

    /// Writes what is to be written and reads once.
    async fn turn(&mut self) {
        self.socket.write_all(self.codec.output()).await.unwrap();
        self.codec.sent(self.codec.output().len());
        let mut chunk = [0; 4096];
        let n = self.socket.read(&mut chunk).await.unwrap();
        assert!(n > 0, "the connection closed");
        self.codec.receive(&chunk[..n], 0).unwrap();
        while self.codec.next_event().is_some() {}
    }

    async fn is_answered(&mut self, stream: StreamId) {
        let (mut body, mut chunk) = (Vec::new(), [0; 64]);
        loop {
            match self.codec.read(stream, &mut chunk) {
                Read::Data(n) => body.extend_from_slice(&chunk[..n]),
                Read::End => break,
                Read::Pending => self.turn().await,
                Read::Reset(code) => panic!("reset: {code}"),
            }
        }
        assert_eq!(body, b"ok");
    }
}
