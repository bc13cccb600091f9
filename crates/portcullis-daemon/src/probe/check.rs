//! One check of one server: connect, and for HTTP ask and judge the answer, all within the check's time-out.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use portcullis_http1::{Limits, Method, ResponseHead};
use portcullis_http2::Scheme;
use portcullis_plan::health::CheckStatus;
use portcullis_plan::live::ServerLive;
use portcullis_plan::plan::{Address, HealthKind};
use portcullis_plan::proxy_protocol;
use portcullis_proxy::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use super::{Probe, http2};

/// Bytes of an answer's head that are read at most.
const HEAD_BYTES: usize = 16 * 1024;
/// Read at a time.
const READ_BYTES: usize = 2048;

/// What a check found.
pub(super) struct Finding {
    /// In HAProxy's words.
    pub(super) status: CheckStatus,
    /// Status of the answer.
    pub(super) code: Option<u16>,
    /// For people; may be empty.
    pub(super) text: Box<str>,
}

impl Finding {
    fn new(status: CheckStatus, text: &str) -> Self {
        Self {
            status,
            code: None,
            text: text.into(),
        }
    }
}

/// Either kind of connection.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Checks once. An error means that the check could not be made for a reason of our own.
pub(super) async fn run(probe: &Probe, live: &ServerLive) -> io::Result<Finding> {
    let deadline = Instant::now() + probe.check.timeout;
    let stream = match timeout_at(deadline, connect(probe, live)).await {
        Err(_) => return Ok(Finding::new(CheckStatus::L4Timeout, "")),
        Ok(Err(error)) => return judge_connect(error),
        Ok(Ok(stream)) => stream,
    };
    let stream = match timeout_at(deadline, encrypt(probe, stream)).await {
        Err(_) => return Ok(Finding::new(CheckStatus::L6Timeout, "")),
        Ok(Err(error)) => return Ok(Finding::new(CheckStatus::L6Response, &words(&error))),
        Ok(Ok(stream)) => stream,
    };
    let HealthKind::Http {
        target,
        host,
        expect,
    } = &probe.check.kind
    else {
        let passed = match probe.tls {
            Some(_) => CheckStatus::L6Ok,
            None => CheckStatus::L4Ok,
        };
        return Ok(Finding::new(passed, ""));
    };
    let request = request(
        target,
        host.as_deref().unwrap_or_else(|| default_host(probe)),
    );
    let asking = async {
        match (probe.protocols.has_http1(), &probe.tls) {
            (true, _) => ask(stream, &request).await,
            (false, Some(_)) => http2::ask(stream, &request, Scheme::Https).await,
            (false, None) => http2::ask(stream, &request, Scheme::Http).await,
        }
    };
    match timeout_at(deadline, asking).await {
        Err(_) => Ok(Finding::new(CheckStatus::L7Timeout, "")),
        Ok(Err(text)) => Ok(Finding::new(CheckStatus::L7Response, &text)),
        Ok(Ok((code, reason))) => {
            let is_expected = expect
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&code));
            let status = if is_expected {
                CheckStatus::L7Ok
            } else {
                CheckStatus::L7Status
            };
            let text = if is_expected { String::new() } else { reason };
            Ok(Finding {
                status,
                code: Some(code),
                text: text.into(),
            })
        }
    }
}

/// A connection, with the header that says that it is our own where one is due.
async fn connect(probe: &Probe, live: &ServerLive) -> io::Result<Stream> {
    let mut stream = match &probe.address {
        Address::Tcp(address) => Stream::Tcp(tcp(*address).await?),
        Address::Unix(path) => Stream::Unix(UnixStream::connect(path).await?),
        Address::Name { .. } => {
            let first = live
                .addresses()
                .as_ref()
                .and_then(|addresses| addresses.first().copied());
            Stream::Tcp(tcp(first.ok_or(ErrorKind::HostUnreachable)?).await?)
        }
    };
    if let Some(version) = probe.proxy_protocol {
        let mut header = Vec::new();
        proxy_protocol::write_own(version, &mut header);
        stream.write_all(&header).await?;
    }
    Ok(stream)
}

/// The handshake, as for requests.
async fn encrypt(probe: &Probe, stream: Stream) -> io::Result<Box<dyn Io>> {
    Ok(match &probe.tls {
        Some(tls) => {
            let http1_only = probe.protocols.has_http1();
            Box::new(tls.connect(stream, &probe.address, http1_only).await?)
        }
        None => Box::new(stream),
    })
}

async fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(address).await
}

/// What a failed connect says of the server; an error where it only says that we lack something.
fn judge_connect(error: io::Error) -> io::Result<Finding> {
    let is_ours = matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    );
    if is_ours {
        return Err(error);
    }
    let status = match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => CheckStatus::SocketError,
        ErrorKind::TimedOut => CheckStatus::L4Timeout,
        _ => CheckStatus::L4Connection,
    };
    Ok(Finding::new(status, &words(&error)))
}

/// The system's words for an error, without its number.
pub(super) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error")
        .map_or(text.as_str(), |(words, _)| words)
        .to_owned()
}

/// A Unix socket has no name of its own.
fn default_host(probe: &Probe) -> &str {
    match probe.address {
        Address::Unix(_) => "localhost",
        _ => &probe.address_text,
    }
}

fn request(target: &str, host: &str) -> String {
    const AGENT: &str = concat!("portcullis-health/", env!("CARGO_PKG_VERSION"));
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
}

/// Status and reason of the answer to `request`, or what is wrong with it.
async fn ask(mut stream: Box<dyn Io>, request: &str) -> Result<(u16, String), String> {
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(|error| words(&error))?;
    let limits = Limits {
        head_bytes: HEAD_BYTES,
        ..Limits::default()
    };
    let mut head = ResponseHead::new();
    let mut buffer = Vec::with_capacity(READ_BYTES);
    loop {
        buffer.reserve(READ_BYTES);
        if stream
            .read_buf(&mut buffer)
            .await
            .map_err(|error| words(&error))?
            == 0
        {
            return Err("connection closed before the end of the answer's head".to_owned());
        }
        while let Some(length) = head
            .parse(&buffer, &limits, Method::Get)
            .map_err(|reject| reject.text().to_owned())?
        {
            if !head.is_interim() {
                return Ok((
                    head.status(),
                    String::from_utf8_lossy(head.reason().of(&buffer)).into_owned(),
                ));
            }
            buffer.drain(..length);
            head.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_descriptors_is_no_finding() {
        assert!(judge_connect(io::Error::from_raw_os_error(libc::EMFILE)).is_err());
        let refused = judge_connect(io::Error::from_raw_os_error(libc::ECONNREFUSED));
        assert!(
            refused.is_ok_and(|finding| finding.status == CheckStatus::L4Connection
                && &*finding.text == "Connection refused")
        );
    }

    #[test]
    fn the_request_names_host_and_asks_to_close() {
        let text = request("/health?x=1", "app.internal");
        assert!(
            text.starts_with("GET /health?x=1 HTTP/1.1\r\nHost: app.internal\r\n"),
            "{text}"
        );
        assert!(text.ends_with("Connection: close\r\n\r\n"), "{text}");
    }
}
