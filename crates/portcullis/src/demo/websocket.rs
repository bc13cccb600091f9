//! A WebSocket (RFC 6455) that echoes every message: enough of the protocol for a demo, no extensions.

use std::io;

use portcullis_daemon::small_server::{Io, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes of one frame's payload; a longer one ends the connection.
const LONGEST: usize = 64 * 1024;

const CONTINUATION: u8 = 0;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A frame: its first byte (final bit and kind) and its payload.
struct Frame {
    first: u8,
    payload: Vec<u8>,
}

/// The 101 for a request that asks for a WebSocket properly.
pub(crate) fn accept(request: &Request) -> Option<Response> {
    let asks = request
        .upgrade
        .as_deref()
        .is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"));
    let key = request.field("sec-websocket-key").filter(|_| asks)?;
    let fields = vec![
        ("Connection".to_owned(), "Upgrade".to_owned()),
        ("Upgrade".to_owned(), "websocket".to_owned()),
        ("Sec-WebSocket-Accept".to_owned(), proof(key)),
    ];
    Some(Response::upgrade(
        fields,
        Box::new(|stream, early| {
            Box::pin(async move {
                // Either side may leave at any time.
                let _ = echo(stream, early).await;
            })
        }),
    ))
}

/// RFC 6455 section 4.2.2: proves that the request was understood as one for a WebSocket.
fn proof(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64(ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref())
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let digit = word >> (18 - 6 * position) & 63;
            let digit = ALPHABET.get(digit as usize).copied().unwrap_or(b'=');
            text.push(if position <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}

async fn echo(mut stream: Box<dyn Io>, early: Vec<u8>) -> io::Result<()> {
    let (read, mut write) = tokio::io::split(&mut stream);
    let mut read = early.as_slice().chain(read);
    loop {
        let frame = receive(&mut read).await?;
        match frame.first & 0x0f {
            CONTINUATION..=BINARY => send(&mut write, frame.first, &frame.payload).await?,
            PING => send(&mut write, 0x80 | PONG, &frame.payload).await?,
            PONG => {}
            CLOSE => {
                send(&mut write, 0x80 | CLOSE, &frame.payload).await?;
                return write.shutdown().await;
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

async fn receive(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> io::Result<Frame> {
    let first = stream.read_u8().await?;
    let second = stream.read_u8().await?;
    // Clients must mask (section 5.1); reserved bits belong to extensions, of which there are none.
    if second & 0x80 == 0 || first & 0x70 != 0 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let length = match second & 0x7f {
        126 => u64::from(stream.read_u16().await?),
        127 => stream.read_u64().await?,
        short => u64::from(short),
    };
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length <= LONGEST)
        .ok_or(io::ErrorKind::InvalidData)?;
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).await?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    payload
        .iter_mut()
        .zip(mask.iter().cycle())
        .for_each(|(byte, mask)| *byte ^= mask);
    Ok(Frame { first, payload })
}

async fn send(
    stream: &mut (impl tokio::io::AsyncWrite + Unpin),
    first: u8,
    payload: &[u8],
) -> io::Result<()> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(u8::try_from(length).unwrap_or(0)),
        length => match u16::try_from(length) {
            Ok(length) => {
                frame.push(126);
                frame.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => {
                frame.push(127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        },
    }
    frame.extend_from_slice(payload);
    stream.write_all(&frame).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_proof_is_that_of_the_rfc() {
        assert_eq!(
            proof("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn base64_pads() {
        assert_eq!(
            [base64(b""), base64(b"f"), base64(b"fo"), base64(b"foo")],
            ["", "Zg==", "Zm8=", "Zm9v"]
        );
    }

    #[tokio::test]
    async fn messages_come_back_unmasked_and_a_close_ends() {
        let (mut client, server) = tokio::io::duplex(1024);
        // A masked text frame "Hello" (section 5.7), half of which came with the request.
        let hello = [
            0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
        ];
        let task = tokio::spawn(echo(Box::new(server), hello[..5].to_vec()));
        client.write_all(&hello[5..]).await.unwrap();
        client.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, [&[0x81, 5][..], b"Hello", &[0x88, 0]].concat());
        task.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn unmasked_or_huge_frames_end_the_connection() {
        for bytes in [&[0x81, 1, b'x'][..], &[0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0]] {
            let (mut client, server) = tokio::io::duplex(1024);
            client.write_all(bytes).await.unwrap();
            assert!(echo(Box::new(server), Vec::new()).await.is_err());
        }
    }
}
