//! Clients of many kinds that never pause, for tests of what a change costs them: each exchange is whole, or it is counted
//! as lost with the reason.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use portcullis_harness::{Client, Http2, Origin, TlsClient, eventually, ok};

/// Bytes of a large body.
const LARGE: usize = 1 << 20;
/// Pieces of a slow body: as many changes as it lives through.
const PIECES: usize = 10;
/// Bytes of one.
const PIECE: usize = 1024;

/// Makes a connection.
pub(crate) type Dial = Arc<dyn Fn() -> io::Result<Client> + Send + Sync>;

/// Plain connections to a port.
pub(crate) fn plain(port: u16) -> Dial {
    Arc::new(move || Client::try_tcp(port))
}

/// TLS connections to a port, resuming sessions where they can.
pub(crate) fn tls(client: TlsClient, port: u16, name: &'static str) -> Dial {
    Arc::new(move || Ok(client.try_connect(port, name)?.0))
}

/// What slow bodies wait for between their pieces.
#[derive(Default)]
pub(crate) struct Pace {
    step: Mutex<(u64, bool)>,
    stepped: Condvar,
}

impl Pace {
    /// Lets every slow body go on by one piece.
    pub(crate) fn step(&self) {
        self.step.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
        self.stepped.notify_all();
    }

    /// Lets all of them go on to their ends.
    fn open(&self) {
        self.step.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.stepped.notify_all();
    }

    fn wait(&self) {
        let step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = step.0;
        let waits = |step: &mut (u64, bool)| step.0 == begun && !step.1;
        // A body that stood still for longer would meet its idle deadline, which is no loss by a change.
        let patience = Duration::from_secs(10);
        let _ = self.stepped.wait_timeout_while(step, patience, waits);
    }
}

/// Answers small, large and slow ones, swallows uploads, echoes WebSockets byte by byte.
pub(crate) fn origin(pace: &Arc<Pace>) -> Origin {
    let pace = Arc::clone(pace);
    Origin::tcp(move |peer| {
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
            let sent = match request.target.as_str() {
                "/large" => peer.try_send(ok(&"x".repeat(LARGE))),
                "/slow" => slowly(&pace, PIECES * PIECE, |bytes| peer.try_send(bytes)),
                _ => peer.try_send(ok(&format!("{} bytes", request.body.len()))),
            };
            if sent.is_err() {
                return;
            }
        }
    })
}

/// A response with a body of `length` bytes, a piece at a time.
fn slowly(
    pace: &Pace,
    length: usize,
    mut send: impl FnMut(Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes())?;
    for _ in 0..length / PIECE {
        pace.wait();
        send(vec![b'x'; PIECE])?;
    }
    Ok(())
}

/// What became of every exchange of one kind.
#[derive(Default)]
pub(crate) struct Tally {
    done: AtomicUsize,
    lost: Mutex<Vec<String>>,
    /// Connections made.
    dialled: AtomicUsize,
}

/// One exchange, or several that belong together.
type Turn = dyn FnMut(&Tally) -> io::Result<()> + Send;

/// One kind of client.
pub(crate) struct Kind {
    name: &'static str,
    /// Its exchanges wait for the test's steps.
    is_slow: bool,
    turn: Box<Turn>,
}

impl Kind {
    fn new(
        name: &'static str,
        turn: impl FnMut(&Tally) -> io::Result<()> + Send + 'static,
    ) -> Self {
        Self {
            name,
            is_slow: false,
            turn: Box::new(turn),
        }
    }

    fn slow(self) -> Self {
        Self {
            is_slow: true,
            ..self
        }
    }
}

/// Clients of several kinds, each in a loop of its own until told to stop.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    pace: Arc<Pace>,
    tallies: BTreeMap<&'static str, (bool, Arc<Tally>)>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(pace: &Arc<Pace>, kinds: Vec<Kind>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut load = Self {
            stop: Arc::clone(&stop),
            pace: Arc::clone(pace),
            tallies: BTreeMap::new(),
            threads: Vec::new(),
        };
        for mut kind in kinds {
            let tally = Arc::new(Tally::default());
            let known = load
                .tallies
                .insert(kind.name, (kind.is_slow, Arc::clone(&tally)));
            assert!(known.is_none(), "{} twice", kind.name);
            let stop = Arc::clone(&stop);
            load.threads.push(std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    match (kind.turn)(&tally) {
                        Ok(()) => drop(tally.done.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => tally.lost.lock().unwrap().push(error.to_string()),
                    }
                }
            }));
        }
        load
    }

    /// Waits until every kind that does not wait for us has come so much further.
    pub(crate) fn advance(&self, by: usize) {
        self.pace.step();
        let quick = self.tallies.values().filter(|(is_slow, _)| !is_slow);
        let marks: Vec<_> = quick
            .map(|(_, tally)| (tally, tally.done.load(Ordering::Relaxed) + by))
            .collect();
        for (tally, mark) in marks {
            eventually("the load goes on", || {
                let lost = tally.lost.lock().unwrap().len();
                (tally.done.load(Ordering::Relaxed) >= mark || lost > 0).then_some(())
            });
        }
    }

    /// How many connections a kind has made until now.
    pub(crate) fn dialled(&self, kind: &str) -> usize {
        self.tallies[kind].1.dialled.load(Ordering::Relaxed)
    }

    /// Waits until every kind has lost something.
    pub(crate) fn wait_for_losses(&self) {
        self.pace.open();
        for (kind, (_, tally)) in &self.tallies {
            let noticed = || (!tally.lost.lock().unwrap().is_empty()).then_some(());
            eventually(&format!("{kind} notices"), noticed);
        }
    }

    /// What was lost, by kind. Every kind has done something.
    pub(crate) fn finish(self) -> BTreeMap<&'static str, Vec<String>> {
        let tallies = self.end();
        for (kind, tally) in &tallies {
            let lost = tally.lost.lock().unwrap();
            let done = tally.done.load(Ordering::Relaxed);
            assert!(done > 0, "{kind} did nothing at all: {lost:?}");
        }
        losses(&tallies)
    }

    /// The same where some may have done nothing.
    pub(crate) fn finish_lossy(self) -> BTreeMap<&'static str, Vec<String>> {
        losses(&self.end())
    }

    fn end(self) -> BTreeMap<&'static str, Arc<Tally>> {
        self.stop.store(true, Ordering::Relaxed);
        self.pace.open();
        for thread in self.threads {
            thread.join().unwrap();
        }
        let all = self.tallies.into_iter();
        all.map(|(kind, (_, tally))| (kind, tally)).collect()
    }
}

fn losses(tallies: &BTreeMap<&'static str, Arc<Tally>>) -> BTreeMap<&'static str, Vec<String>> {
    let lost = tallies.iter();
    lost.map(|(kind, tally)| (*kind, tally.lost.lock().unwrap().clone()))
        .collect()
}

/// A connection that is counted.
fn dialled(dial: &Dial, tally: &Tally) -> io::Result<Client> {
    tally.dialled.fetch_add(1, Ordering::Relaxed);
    dial()
}

/// The body of a whole answer with status 200, and whether the connection may be used again.
fn answer(client: &mut Client) -> io::Result<(Vec<u8>, bool)> {
    let Some(response) = client.try_response_to("GET")? else {
        return Err(io::Error::other("closed without a response"));
    };
    if response.status != 200 || response.truncated {
        return Err(io::Error::other(format!("{response:?}")));
    }
    let again = response.fields.one("connection") != Some("close");
    Ok((response.body, again))
}

fn get(client: &mut Client, path: &str) -> io::Result<(Vec<u8>, bool)> {
    client.try_send(format!("GET {path} HTTP/1.1\r\nHost: one.test\r\n\r\n"))?;
    answer(client)
}

fn whole(is_whole: bool, what: &str) -> io::Result<()> {
    is_whole.then_some(()).ok_or_else(|| io::Error::other(what))
}

/// A new connection for each request.
pub(crate) fn short(name: &'static str, dial: Dial) -> Kind {
    Kind::new(name, move |tally| {
        get(&mut dialled(&dial, tally)?, "/").map(drop)
    })
}

/// One connection for as long as the proxy keeps it.
pub(crate) fn keep_alive(name: &'static str, dial: Dial) -> Kind {
    let mut open: Option<Client> = None;
    Kind::new(name, move |tally| {
        let mut client = match open.take() {
            Some(client) => client,
            None => dialled(&dial, tally)?,
        };
        let (_, again) = get(&mut client, "/")?;
        open = again.then_some(client);
        Ok(())
    })
}

/// Downloads of a large body, as fast as they go.
pub(crate) fn download(name: &'static str, dial: Dial) -> Kind {
    Kind::new(name, move |tally| {
        let (body, _) = get(&mut dialled(&dial, tally)?, "/large")?;
        whole(body.len() == LARGE, "a body of another length")
    })
}

/// Uploads of a large body, as fast as they go.
pub(crate) fn upload(name: &'static str, dial: Dial) -> Kind {
    Kind::new(name, move |tally| {
        let mut client = dialled(&dial, tally)?;
        client.try_send(upload_head(LARGE))?;
        client.try_send(vec![b'x'; LARGE])?;
        let (body, _) = answer(&mut client)?;
        whole(body == format!("{LARGE} bytes").as_bytes(), "another count")
    })
}

fn upload_head(length: usize) -> String {
    format!("POST / HTTP/1.1\r\nHost: one.test\r\nContent-Length: {length}\r\n\r\n")
}

/// Downloads that go on by a piece at each step of the test.
pub(crate) fn slow_download(name: &'static str, dial: Dial) -> Kind {
    let turn = move |tally: &Tally| {
        let (body, _) = get(&mut dialled(&dial, tally)?, "/slow")?;
        whole(body.len() == PIECES * PIECE, "a body of another length")
    };
    Kind::new(name, turn).slow()
}

/// Uploads that do.
pub(crate) fn slow_upload(name: &'static str, dial: Dial, pace: &Arc<Pace>) -> Kind {
    let pace = Arc::clone(pace);
    let turn = move |tally: &Tally| {
        let mut client = dialled(&dial, tally)?;
        client.try_send(upload_head(PIECES * PIECE))?;
        for _ in 0..PIECES {
            pace.wait();
            client.try_send([b'x'; PIECE])?;
        }
        let (body, _) = answer(&mut client)?;
        let wanted = format!("{} bytes", PIECES * PIECE);
        whole(body == wanted.as_bytes(), "another count")
    };
    Kind::new(name, turn).slow()
}

/// One tunnel for the whole test, a message at a time.
pub(crate) fn websocket(name: &'static str, dial: Dial) -> Kind {
    const ASK: &str = "GET /ws HTTP/1.1\r\nHost: one.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut open: Option<Client> = None;
    Kind::new(name, move |tally| {
        let mut client = match open.take() {
            Some(client) => client,
            None => {
                let mut client = dialled(&dial, tally)?;
                client.try_send(ASK)?;
                let response = client.try_response_to("GET")?;
                whole(
                    response.is_some_and(|response| response.status == 101),
                    "no tunnel",
                )?;
                client
            }
        };
        let frame = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
        client.try_send(frame)?;
        whole(client.try_exactly(8)? == frame, "another echo")?;
        open = Some(client);
        Ok(())
    })
}

/// Eight streams at a time, for the proxy's own answer and for the server's; those that GOAWAY names as not taken are asked
/// again, as any client may (RFC 9113 6.8).
pub(crate) fn http2(name: &'static str, dial: Dial) -> Kind {
    let mut open: Option<Http2> = None;
    Kind::new(name, move |tally| {
        let mut http2 = match open.take() {
            Some(http2) => http2,
            None => dialled(&dial, tally)?.http2(),
        };
        let paths = ["/who", "/"].into_iter().cycle().take(8);
        let streams: Vec<_> = paths.map(|path| http2.get("one.test", path)).collect();
        for stream in streams {
            let answer = http2.answer(stream);
            let is_refused = http2.goaways.iter().any(|(last, _)| *last < stream);
            if answer.status() != 200 && !is_refused {
                let seen = format!("{answer:?} {:?}", http2.goaways);
                return Err(io::Error::other(seen));
            }
        }
        open = (http2.goaways.is_empty() && !http2.closed).then_some(http2);
        Ok(())
    })
}
