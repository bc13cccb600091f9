//! A check by HTTP/2, for servers that speak nothing else.

use std::time::Instant;

use portcullis_http1::{Limits, Method, ResponseHead};
use portcullis_http2::{Connection, ErrorCode, Event, Open, Scheme, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::check::{Io, words};

/// Read at a time.
const READ_BYTES: usize = 2048;

/// Status of the answer to `request`, a head of HTTP/1 text, or what is wrong with it. The caller bounds the time.
pub(super) async fn ask(
    mut stream: Box<dyn Io>,
    request: &str,
    scheme: Scheme,
) -> Result<(u16, String), String> {
    let started = Instant::now();
    let mut connection = Connection::client(&Settings::default(), 0);
    let options = Open {
        scheme,
        end: true,
        extended_connect: false,
    };
    connection
        .open(request.as_bytes(), &options)
        .map_err(|refused| format!("no stream could be opened: {refused:?}"))?;
    let mut buffer = Vec::with_capacity(READ_BYTES);
    loop {
        let output = connection.output();
        if !output.is_empty() {
            let count = output.len();
            let sent = stream.write_all(output).await;
            sent.map_err(|error| words(&error))?;
            connection.sent(count);
            continue;
        }
        buffer.clear();
        let read = stream.read_buf(&mut buffer).await;
        if read.map_err(|error| words(&error))? == 0 {
            return Err("connection closed before the end of the answer's head".to_owned());
        }
        let now = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        connection
            .receive(&buffer, now)
            .map_err(|broken| broken.refusal.text().to_owned())?;
        if let Some(answer) = answer(&mut connection)? {
            connection.close(ErrorCode::NO_ERROR);
            // The verdict stands, whether or not the server hears the end.
            let _ = stream.write_all(connection.output()).await;
            return Ok(answer);
        }
    }
}

/// The final head, if it has come.
fn answer(connection: &mut Connection) -> Result<Option<(u16, String)>, String> {
    let mut text = Vec::new();
    while let Some(event) = connection.next_event() {
        match event {
            Event::Head(id) => {
                while let Some(info) = connection.take_head(id, &mut text) {
                    if !info.interim {
                        return status(&text).map(Some);
                    }
                }
            }
            Event::Reset(_, cause) => {
                return Err(format!(
                    "the server reset the stream: {}",
                    cause.code().name()
                ));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn status(text: &[u8]) -> Result<(u16, String), String> {
    let mut head = ResponseHead::new();
    match head.parse(text, &Limits::default(), Method::Get) {
        Ok(_) => Ok((head.status(), String::new())),
        Err(reject) => Err(reject.text().to_owned()),
    }
}
