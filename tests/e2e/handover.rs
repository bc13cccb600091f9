//! A new process takes over under load: nothing is refused, reset or cut, and every failure leaves the old one serving.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_harness::{Client, Http2, Origin, Proxy, Setup, eventually, ok};
use rustix::process::Signal;

const CONFIG: &str = "[global]\nthreads = 2\nshutdown_timeout = \"20s\"\n[listener.web]\nbind = [\"127.0.0.1:@web@\", \"unix:@dir@/in.sock\"]\n[[route]]\npath = \"/who\"\nrespond = { status = 200, body = \"one\" }\n[[route]]\npath = \"/\"\nservice = \"app\"\n[service.app]\nservers = [\"@app@\"]\n";

const LARGE: usize = 1 << 20;

/// Answers small and large ones, swallows uploads, echoes WebSockets byte by byte.
fn origin() -> Origin {
    Origin::tcp(|peer| {
        while let Some(request) = peer.request() {
            if request.fields.one("upgrade").is_some() {
                peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
                loop {
                    let bytes = peer.exactly(1);
                    if bytes.is_empty() || peer.try_send(bytes).is_err() {
                        return;
                    }
                }
            }
            let answer = match request.target.as_str() {
                "/large" => ok(&"x".repeat(LARGE)),
                _ => ok(&format!("{} bytes", request.body.len())),
            };
            if peer.try_send(answer).is_err() {
                return;
            }
        }
    })
}

/// What became of every exchange of one kind.
#[derive(Default)]
struct Tally {
    done: AtomicUsize,
    lost: Mutex<Vec<String>>,
}

/// Clients of several kinds, each in a loop of its own until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    tallies: BTreeMap<&'static str, Arc<Tally>>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

type Turn = Box<dyn FnMut() -> std::io::Result<()> + Send>;

impl Load {
    fn start(kinds: Vec<(&'static str, Turn)>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut load = Self {
            stop: Arc::clone(&stop),
            tallies: BTreeMap::new(),
            threads: Vec::new(),
        };
        for (kind, mut turn) in kinds {
            let tally = Arc::clone(load.tallies.entry(kind).or_default());
            let stop = Arc::clone(&stop);
            load.threads.push(std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    match turn() {
                        Ok(()) => drop(tally.done.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => tally.lost.lock().unwrap().push(error.to_string()),
                    }
                }
            }));
        }
        load
    }

    /// Waits until every kind has come so much further.
    fn advance(&self, by: usize) {
        let marks: Vec<_> = self
            .tallies
            .values()
            .map(|tally| (tally, tally.done.load(Ordering::Relaxed) + by))
            .collect();
        for (tally, mark) in marks {
            eventually("the load goes on", || {
                let lost = tally.lost.lock().unwrap().len();
                (tally.done.load(Ordering::Relaxed) >= mark || lost > 0).then_some(())
            });
        }
    }

    /// What was lost, by kind.
    fn finish(self) -> BTreeMap<&'static str, Vec<String>> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let lost = self.tallies.iter().map(|(kind, tally)| {
            assert!(
                tally.done.load(Ordering::Relaxed) > 0,
                "{kind} did nothing at all"
            );
            (*kind, tally.lost.lock().unwrap().clone())
        });
        lost.collect()
    }
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(15)))?;
    stream.set_write_timeout(Some(Duration::from_secs(15)))?;
    Ok(stream)
}

/// One exchange; gives the body, and whether the connection may be used again.
fn exchange(stream: &mut TcpStream, request: &[u8]) -> std::io::Result<(Vec<u8>, bool)> {
    stream.write_all(request)?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        return Err(std::io::Error::other(head));
    }
    let length = head
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    let mut body = vec![0; length.and_then(|text| text.trim().parse().ok()).unwrap()];
    stream.read_exact(&mut body)?;
    Ok((body, !head.contains("connection: close")))
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
}

fn short(port: u16) -> Turn {
    Box::new(move || exchange(&mut connect(port)?, &get("/")).map(drop))
}

fn keep_alive(port: u16) -> Turn {
    let mut open: Option<TcpStream> = None;
    Box::new(move || {
        let mut stream = match open.take() {
            Some(stream) => stream,
            None => connect(port)?,
        };
        let (_, again) = exchange(&mut stream, &get("/"))?;
        open = again.then_some(stream);
        Ok(())
    })
}

fn download(port: u16) -> Turn {
    Box::new(move || {
        let (body, _) = exchange(&mut connect(port)?, &get("/large"))?;
        let is_whole = body.len() == LARGE;
        is_whole
            .then_some(())
            .ok_or_else(|| std::io::Error::other("cut"))
    })
}

fn upload(port: u16) -> Turn {
    Box::new(move || {
        let mut stream = connect(port)?;
        let mut request =
            format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\n").into_bytes();
        request.resize(request.len() + LARGE, b'x');
        let (body, _) = exchange(&mut stream, &request)?;
        let is_whole = body == format!("{LARGE} bytes").as_bytes();
        is_whole
            .then_some(())
            .ok_or_else(|| std::io::Error::other("cut"))
    })
}

/// One tunnel for the whole test, a message at a time.
fn websocket(port: u16) -> Turn {
    let mut open: Option<TcpStream> = None;
    Box::new(move || {
        if open.is_none() {
            let mut stream = connect(port)?;
            stream.write_all(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")?;
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte)?;
                head.extend(byte);
            }
            open = Some(stream);
        }
        let stream = open.as_mut().unwrap();
        let frame = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
        stream.write_all(&frame)?;
        let mut echo = [0; 8];
        stream.read_exact(&mut echo)?;
        (echo == frame)
            .then_some(())
            .ok_or_else(|| std::io::Error::other("another echo"))
    })
}

/// Eight streams at a time; those that GOAWAY names as not taken are asked again, as any client may (RFC 9113 6.8).
fn http2(port: u16) -> Turn {
    let mut open: Option<Http2> = None;
    Box::new(move || {
        if open.is_none() {
            connect(port)?;
            open = Some(Client::tcp(("127.0.0.1", port)).http2());
        }
        let http2 = open.as_mut().unwrap();
        let streams: Vec<_> = (0..8).map(|_| http2.get("a", "/who")).collect();
        let mut lost = None;
        for stream in streams {
            let answer = http2.answer(stream);
            let is_refused = http2.goaways.iter().any(|(last, _)| *last < stream);
            if answer.status() != 200 && !is_refused {
                lost = Some(std::io::Error::other(format!(
                    "{answer:?} {:?}",
                    http2.goaways
                )));
            }
        }
        if !http2.goaways.is_empty() || http2.closed {
            open = None;
        }
        lost.map_or(Ok(()), Err)
    })
}

fn every_kind(port: u16) -> Vec<(&'static str, Turn)> {
    vec![
        ("keep-alive", keep_alive(port)),
        ("a connection each", short(port)),
        ("download", download(port)),
        ("upload", upload(port)),
        ("websocket", websocket(port)),
        ("http2", http2(port)),
    ]
}

fn start() -> (Proxy, Origin) {
    let origin = origin();
    // Tunnels outlive the test.
    let config = CONFIG.replace("\"20s\"", "\"60s\"\ntunnel_drain = \"50s\"");
    (Proxy::start(&config, &[("app", origin.address())]), origin)
}

#[test]
fn nothing_is_lost_while_processes_hand_over() {
    let (mut proxy, _origin) = start();
    let load = Load::start(every_kind(proxy.port("web")));
    load.advance(3);
    let mut processes = vec![proxy.pid()];
    for _ in 0..3 {
        processes.push(proxy.upgrade());
        load.advance(3);
    }
    let lost = load.finish();
    assert!(lost.values().all(Vec::is_empty), "{lost:#?}");
    processes.dedup();
    assert_eq!(processes.len(), 4, "each one is another process");
    let unix = Client::unix(&proxy.folder().join("in.sock")).get("a", "/who");
    assert_eq!(unix.text(), "one", "the file of the socket has stayed");
    assert!(
        proxy
            .admin("show info")
            .contains(&format!("Pid: {}\n", processes[3]))
    );
}

#[test]
fn the_load_notices_when_something_is_lost() {
    let (mut proxy, _origin) = start();
    let load = Load::start(every_kind(proxy.port("web")));
    load.advance(1);
    proxy.signal(Signal::KILL);
    proxy.wait();
    let noticed = |tally: &Arc<Tally>| (!tally.lost.lock().unwrap().is_empty()).then_some(());
    for (kind, tally) in &load.tallies {
        eventually(&format!("{kind} notices"), || noticed(tally));
    }
    assert!(load.finish().values().all(|lost| !lost.is_empty()));
}

#[test]
fn a_successor_that_cannot_start_changes_nothing() {
    let (mut proxy, _origin) = start();
    let mut client = proxy.connect("web");
    assert_eq!(client.get("a", "/who").text(), "one");
    proxy.rewrite("[listener.web]\nbimd = 1\n");
    let admin = proxy.folder().join("admin.sock");
    let said = proxy.command(&["upgrade", "--socket", admin.to_str().unwrap()]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.err.contains("no hand-over"), "{}", said.err);
    assert!(proxy.errors().contains("bimd"), "its words are in the log");
    assert!(proxy.is_running());
    assert_eq!(
        client.get("a", "/who").text(),
        "one",
        "on the same connection"
    );
    assert_eq!(proxy.connect("web").get("a", "/who").text(), "one");
}

#[test]
fn a_program_that_is_no_longer_there_or_hangs_up_changes_nothing() {
    let setup = Setup::new();
    let program = setup.folder().join("portcullis-link");
    std::os::unix::fs::symlink(portcullis_harness::binary(), &program).unwrap();
    let mut proxy = setup.start_with(&program, &CONFIG.replace("@app@", "127.0.0.1:1"));
    for broken in ["/nonexistent/portcullis", "/bin/true"] {
        std::fs::remove_file(&program).unwrap();
        std::os::unix::fs::symlink(broken, &program).unwrap();
        let said = proxy.command(&["upgrade"]);
        assert_eq!(said.code, 1, "{broken}: {}{}", said.out, said.err);
        assert_eq!(proxy.connect("web").get("a", "/who").text(), "one");
    }
    std::fs::remove_file(&program).unwrap();
    std::os::unix::fs::symlink(portcullis_harness::binary(), &program).unwrap();
    proxy.upgrade();
    assert_eq!(proxy.connect("web").get("a", "/who").text(), "one");
}

#[test]
fn usr2_hands_over_with_the_new_configuration_and_what_was_learnt() {
    let (mut proxy, _origin) = start();
    assert_eq!(proxy.admin("set server app/s1 state drain").trim(), "");
    let config = CONFIG
        .replace("\"one\"", "\"two\"")
        .replace("threads = 2", "threads = 3");
    proxy.rewrite(&config);
    proxy.signal(Signal::USR2);
    let told = proxy.notice("MAINPID=");
    let pid = told
        .lines()
        .find_map(|line| line.strip_prefix("MAINPID="))
        .unwrap();
    assert_ne!(pid, proxy.pid().to_string());
    assert!(proxy.notice("READY=1").contains(&format!("MAINPID={pid}")));
    assert_eq!(proxy.wait(), 0, "the old one had nothing left to do");
    assert_eq!(proxy.connect("web").get("a", "/who").text(), "two");
    assert_eq!(
        proxy.connect("web").get("a", "/").status,
        503,
        "the drained server still is"
    );
    proxy.adopt(pid.parse().unwrap());
}
