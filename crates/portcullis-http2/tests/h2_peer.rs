//! The h2 crate as the other end, over a pipe in memory: what two readings of the RFC agree on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use portcullis_http1::{Limits, RequestHead, ResponseHead};
use portcullis_http2::{
    Cause, Connection, ErrorCode, Event, HeadInfo, Open, Protocol, Read, Scheme, Settings,
    StreamId, websocket_key,
};
use std::collections::HashMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// What a stream of ours is doing.
#[derive(Default)]
struct Work {
    request: Vec<u8>,
    info: HeadInfo,
    body: Vec<u8>,
    trailers: Vec<u8>,
    to_send: Vec<u8>,
    send_trailers: Vec<u8>,
    sent_head: bool,
    done_sending: bool,
}

/// Writes and reads until the peer goes; answers every request by echoing its text, body and trailers.
async fn echo_server(mut pipe: DuplexStream, settings: Settings) -> Vec<String> {
    let mut connection = Connection::server(&settings, 0);
    let mut work: HashMap<u32, (StreamId, Work)> = HashMap::new();
    let mut log = Vec::new();
    let mut buffer = vec![0; 5000];
    loop {
        while let Some(event) = connection.next_event() {
            serve(&mut connection, &mut work, event, &mut log);
        }
        if !connection.output().is_empty() {
            let take = connection.output().len().min(3000);
            if pipe.write_all(&connection.output()[..take]).await.is_err() {
                return log;
            }
            connection.sent(take);
            continue;
        }
        match pipe.read(&mut buffer).await {
            Ok(count @ 1..) => {
                if let Err(broken) = connection.receive(&buffer[..count], 0) {
                    log.push(format!("broken {broken}"));
                    let _ = pipe.write_all(connection.output()).await;
                    return log;
                }
            }
            _ => return log,
        }
    }
}

fn serve(
    connection: &mut Connection,
    work: &mut HashMap<u32, (StreamId, Work)>,
    event: Event,
    log: &mut Vec<String>,
) {
    let id = match event {
        Event::Head(id) => {
            let mut one = Work::default();
            one.info = connection.take_head(id, &mut one.request).unwrap();
            let parsed = RequestHead::new().parse(&one.request, &Limits::default());
            assert_eq!(parsed, Ok(Some(one.request.len())), "the text is one head");
            work.insert(id.number(), (id, one));
            id
        }
        Event::Data(id) | Event::Room(id) => id,
        Event::Reset(id, cause) => {
            log.push(format!("reset {cause:?}"));
            work.remove(&id.number());
            connection.release(id);
            return;
        }
        other => {
            log.push(format!("{other:?}"));
            return;
        }
    };
    let Some((_, one)) = work.get_mut(&id.number()) else {
        return;
    };
    step(connection, id, one);
    if one.done_sending {
        work.remove(&id.number());
        connection.release(id);
    }
}

fn step(connection: &mut Connection, id: StreamId, one: &mut Work) {
    let mut piece = [0; 777];
    loop {
        match connection.read(id, &mut piece) {
            Read::Data(count) => one.body.extend_from_slice(&piece[..count]),
            Read::End if one.sent_head => break,
            Read::End => {
                connection.take_trailers(id, &mut one.trailers);
                one.to_send = one.request.clone();
                one.to_send.extend_from_slice(&one.body);
                one.send_trailers = one.trailers.clone();
                let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nset-cookie: a=b\r\nset-cookie: c=d\r\n\r\n";
                connection.send_head(id, head, false).unwrap();
                one.sent_head = true;
                break;
            }
            Read::Pending => return,
            Read::Reset(code) => panic!("reset by {code}"),
        }
    }
    let sent = connection.send_data(id, &one.to_send);
    one.to_send.drain(..sent);
    if one.to_send.is_empty() {
        connection.finish(id, &one.send_trailers).unwrap();
        one.done_sending = true;
    }
}

async fn connect(
    settings: Settings,
) -> (
    h2::client::SendRequest<Bytes>,
    tokio::task::JoinHandle<Vec<String>>,
) {
    let (ours, theirs) = tokio::io::duplex(4096);
    let server = tokio::spawn(echo_server(ours, settings));
    let (client, connection) = h2::client::handshake(theirs).await.unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    (client, server)
}

async fn whole(mut body: h2::RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        all.extend_from_slice(&data);
    }
    Ok((all, body.trailers().await?))
}

fn post(path: &str) -> Request<()> {
    Request::builder()
        .method(Method::POST)
        .uri(format!("https://Example.com:443{path}"))
        .header("cookie", "a=1")
        .header("x-thing", "value")
        .header("cookie", "b=2")
        .body(())
        .unwrap()
}

#[tokio::test]
async fn a_request_of_h2_is_read_as_http_1_text_and_its_answer_is_understood() {
    let (client, _server) = connect(Settings::default()).await;
    let mut client = client.ready().await.unwrap();
    for _ in 0..3 {
        let (response, mut body) = client.send_request(post("/a?b=c"), false).unwrap();
        body.send_data(Bytes::from_static(b"hello"), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-late", "yes".parse().unwrap());
        body.send_trailers(trailers.clone()).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(
            response.headers().get("content-type").unwrap(),
            "text/plain"
        );
        assert!(response.headers().get("connection").is_none());
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        let (text, late) = whole(response.into_body()).await.unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "POST /a?b=c HTTP/1.1\r\nhost: Example.com:443\r\nx-thing: value\r\ncookie: a=1; b=2\r\n\r\nhello"
        );
        assert_eq!(late, Some(trailers));
    }
}

#[tokio::test]
async fn large_bodies_go_both_ways_on_many_streams_within_small_windows() {
    let settings = Settings {
        stream_window: 10_000,
        ..Settings::default()
    };
    let (client, _server) = connect(settings).await;
    let client = client.ready().await.unwrap();
    let mut tasks = Vec::new();
    for number in 0..20u8 {
        let mut client = client.clone();
        tasks.push(tokio::spawn(async move {
            let (response, mut body) = client.send_request(post("/big"), false).unwrap();
            let sent = vec![number; 200_000 + usize::from(number)];
            let mut rest = Bytes::from(sent.clone());
            while !rest.is_empty() {
                body.reserve_capacity(rest.len());
                let room = std::future::poll_fn(|cx| body.poll_capacity(cx)).await;
                let piece = rest.split_to(room.unwrap().unwrap());
                body.send_data(piece, rest.is_empty()).unwrap();
            }
            let (text, _) = whole(response.await.unwrap().into_body()).await.unwrap();
            assert!(text.ends_with(&sent) && text.len() < sent.len() + 200);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_reset_of_the_client_is_told() {
    let (client, server) = connect(Settings::default()).await;
    let mut client = client.ready().await.unwrap();
    let (response, mut body) = client.send_request(post("/"), false).unwrap();
    body.send_data(Bytes::from_static(b"x"), false).unwrap();
    let (other, mut other_body) = client.send_request(post("/other"), false).unwrap();
    other_body.send_data(Bytes::new(), true).unwrap();
    whole(other.await.unwrap().into_body()).await.unwrap();
    body.send_reset(h2::Reason::CANCEL);
    let (last, mut last_body) = client.send_request(post("/last"), false).unwrap();
    last_body.send_data(Bytes::new(), true).unwrap();
    whole(last.await.unwrap().into_body()).await.unwrap();
    drop((client, response, body, other_body, last_body));
    let log = server.await.unwrap();
    let told = format!("reset {:?}", Cause::Peer(ErrorCode::CANCEL));
    assert!(log.contains(&told), "{log:?}");
}

// ---- the client's end ----

/// One exchange of ours with a server: what came back.
#[derive(Debug, Default)]
struct Answer {
    heads: Vec<String>,
    body: Vec<u8>,
    trailers: String,
    end: Option<Read>,
}

struct Client {
    connection: Connection,
    pipe: DuplexStream,
}

impl Client {
    fn new(pipe: DuplexStream) -> Self {
        Self {
            connection: Connection::client(&Settings::default(), 0),
            pipe,
        }
    }

    /// Writes what there is to write, reads once, and gives the events.
    async fn turn(&mut self) -> Vec<Event> {
        let mut buffer = vec![0; 3000];
        let mut events = Vec::new();
        while let Some(event) = self.connection.next_event() {
            events.push(event);
        }
        if !self.connection.output().is_empty() {
            let output = self.connection.output().to_vec();
            self.pipe.write_all(&output).await.unwrap();
            self.connection.sent(output.len());
        } else if events.is_empty() {
            let count = self.pipe.read(&mut buffer).await.unwrap();
            assert!(count > 0, "the server went away");
            self.connection.receive(&buffer[..count], 0).unwrap();
        }
        events
    }

    async fn exchange(&mut self, text: &str, mut body: &[u8], trailers: &str) -> Answer {
        let options = Open {
            scheme: Scheme::Https,
            end: body.is_empty() && trailers.is_empty(),
            extended_connect: text.contains("upgrade:"),
        };
        let id = self.connection.open(text.as_bytes(), &options).unwrap();
        let mut answer = Answer::default();
        let mut finished = options.end;
        while answer.end.is_none() {
            if !finished {
                let sent = self.connection.send_data(id, body);
                body = &body[sent..];
                if body.is_empty() {
                    self.connection.finish(id, trailers.as_bytes()).unwrap();
                    finished = true;
                }
            }
            for event in self.turn().await {
                self.take(id, event, &mut answer);
            }
        }
        self.connection.release(id);
        answer
    }

    fn take(&mut self, id: StreamId, event: Event, answer: &mut Answer) {
        if !matches!(event, Event::Head(_) | Event::Data(_) | Event::Reset(..)) {
            return;
        }
        let mut text = Vec::new();
        while let Some(info) = self.connection.take_head(id, &mut text) {
            let mut head = ResponseHead::new();
            let parsed = head.parse(&text, &Limits::default(), portcullis_http1::Method::Get);
            assert_eq!(parsed, Ok(Some(text.len())));
            assert_eq!(info.interim, head.status() < 200);
            answer.heads.push(String::from_utf8(text.clone()).unwrap());
        }
        answer.body.extend_from_slice(self.connection.readable(id));
        let unread = self.connection.readable(id).len();
        self.connection.consume(id, unread);
        match self.connection.receive_state(id) {
            Read::Pending => {}
            Read::Data(_) => panic!("all was read"),
            end => {
                let mut lines = Vec::new();
                self.connection.take_trailers(id, &mut lines);
                answer.trailers = String::from_utf8(lines).unwrap();
                answer.end = Some(end);
            }
        }
    }
}

/// Serves each request by `answer`, with the h2 crate.
fn h2_server<F, A>(answer: F) -> DuplexStream
where
    F: Fn(Request<h2::RecvStream>, h2::server::SendResponse<Bytes>) -> A + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let (ours, theirs) = tokio::io::duplex(4096);
    tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        builder.enable_connect_protocol();
        let mut connection = builder.handshake::<_, Bytes>(theirs).await.unwrap();
        while let Some(Ok((request, respond))) = connection.accept().await {
            tokio::spawn(answer(request, respond));
        }
    });
    ours
}

#[tokio::test]
async fn a_request_of_ours_is_understood_by_h2_and_its_answer_is_read() {
    let pipe = h2_server(|request, mut respond| async move {
        assert_eq!(request.method(), Method::PUT);
        assert_eq!(request.uri(), "https://server.example/x?y");
        assert_eq!(request.headers().get("x-a").unwrap(), "1");
        assert_eq!(request.headers().get("te").unwrap(), "trailers");
        assert!(request.headers().get("connection").is_none());
        let (body, trailers) = whole(request.into_body()).await.unwrap();
        assert_eq!(trailers.unwrap().get("x-late").unwrap(), "t");
        let interim = Response::builder()
            .status(103)
            .header("link", "</x>")
            .body(())
            .unwrap();
        respond.send_informational(interim).unwrap();
        let head = Response::builder().header("x-b", "2").body(()).unwrap();
        let mut stream = respond.send_response(head, false).unwrap();
        stream.send_data(Bytes::from(body), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        stream.send_trailers(trailers).unwrap();
    });
    let mut client = Client::new(pipe);
    for _ in 0..4 {
        let text = "PUT /x?y HTTP/1.1\r\nHost: server.example\r\nX-A: 1\r\nconnection: te\r\nte: trailers\r\n\r\n";
        let body = vec![7; 150_000];
        let answer = client.exchange(text, &body, "x-late: t\r\n").await;
        assert_eq!(
            answer.heads,
            [
                "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n",
                "HTTP/1.1 200 OK\r\nx-b: 2\r\n\r\n"
            ]
        );
        assert_eq!(answer.end, Some(Read::End));
        assert!(answer.body == body);
        assert_eq!(answer.trailers, "grpc-status: 0\r\n");
    }
}

#[tokio::test]
async fn a_whole_answer_is_read_although_the_server_wants_no_more_of_the_request() {
    let pipe = h2_server(|_request, mut respond| async move {
        let head = Response::builder().status(413).body(()).unwrap();
        let mut stream = respond.send_response(head, false).unwrap();
        stream.send_data(Bytes::from_static(b"no"), true).unwrap();
    });
    let mut client = Client::new(pipe);
    let text = "POST / HTTP/1.1\r\nhost: a\r\n\r\n";
    let answer = client.exchange(text, &vec![1; 1_000_000], "").await;
    assert_eq!(
        (answer.end, answer.body.as_slice()),
        (Some(Read::End), b"no".as_slice())
    );
}

#[tokio::test]
async fn a_reset_answer_is_seen_as_cut() {
    let pipe = h2_server(|_request, mut respond| async move {
        let head = Response::builder().body(()).unwrap();
        let mut stream = respond.send_response(head, false).unwrap();
        stream
            .send_data(Bytes::from_static(b"some"), false)
            .unwrap();
        stream.send_reset(h2::Reason::INTERNAL_ERROR);
    });
    let mut client = Client::new(pipe);
    let answer = client
        .exchange("GET / HTTP/1.1\r\nhost: a\r\n\r\n", b"", "")
        .await;
    assert_eq!(answer.end, Some(Read::Reset(ErrorCode::INTERNAL_ERROR)));
}

#[tokio::test]
async fn rfc8441_a_tunnel_is_opened_in_both_roles() {
    let pipe = h2_server(|request, mut respond| async move {
        assert_eq!(request.method(), Method::CONNECT);
        let protocol = request.extensions().get::<h2::ext::Protocol>().unwrap();
        assert_eq!(protocol.as_str(), "websocket");
        assert!(request.headers().get("sec-websocket-key").is_none());
        let head = Response::builder().status(StatusCode::OK).body(()).unwrap();
        let mut stream = respond.send_response(head, false).unwrap();
        let (body, _) = whole(request.into_body()).await.unwrap();
        stream.send_data(Bytes::from(body), true).unwrap();
    });
    let mut client = Client::new(pipe);
    while !client.connection.peer().connect_protocol {
        client.turn().await;
    }
    let mut text =
        b"GET /ws HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
            .to_vec();
    websocket_key(&mut text, [1; 16]);
    let answer = client
        .exchange(std::str::from_utf8(&text).unwrap(), b"frames", "")
        .await;
    assert_eq!(answer.body, b"frames");

    let (client, _server) = connect(Settings::default()).await;
    let mut client = client.ready().await.unwrap();
    while !client.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await;
    }
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri("https://a/ws")
        .body(())
        .unwrap();
    let protocol = h2::ext::Protocol::from_static("websocket");
    request.extensions_mut().insert(protocol);
    let (response, mut body) = client.send_request(request, false).unwrap();
    body.send_data(Bytes::from_static(b"in"), true).unwrap();
    let (text, _) = whole(response.await.unwrap().into_body()).await.unwrap();
    assert_eq!(
        String::from_utf8(text).unwrap(),
        "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nin"
    );
    let _ = Protocol::WebSocket;
}
