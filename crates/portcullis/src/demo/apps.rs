//! The demo apps: two small HTTP servers in a thread of their own, one on TCP and one on a Unix socket.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use portcullis_daemon::small_server::{Bounds, Incoming, Request, Response, serve};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::oneshot;

use super::{page, websocket};

/// The longest that `/slow` takes.
const SLOWEST: u64 = 60;

/// The running apps.
pub(crate) struct Apps {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Apps {
    /// Starts both; the Unix socket is `app.sock` in `folder`.
    pub(crate) fn start(folder: &Path) -> io::Result<Self> {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0")?;
        let unix = std::os::unix::net::UnixListener::bind(folder.join("app.sock"))?;
        tcp.set_nonblocking(true)?;
        unix.set_nonblocking(true)?;
        let address = tcp.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("demo-apps".to_owned()).spawn(move || {
            runtime.block_on(async {
                let (Ok(tcp), Ok(unix)) = (TcpListener::from_std(tcp), UnixListener::from_std(unix)) else { return };
                let bounds = Bounds::default();
                tokio::select! {
                    () = serve(Incoming::Tcp(tcp), bounds, |request| answer("tcp", request)) => {}
                    () = serve(Incoming::Unix(unix), bounds, |request| answer("unix", request)) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self {
            address,
            stop,
            thread,
        })
    }

    /// Where the app on TCP listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends both.
    pub(crate) fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

async fn answer(app: &'static str, request: Request) -> Response {
    match request.path() {
        "/health" => Response::text(200, "ok\n"),
        "/ws" => websocket::accept(&request).unwrap_or_else(|| {
            Response::text(426, "a WebSocket is here\n")
                .with("Upgrade", "websocket")
                .with("Connection", "upgrade")
        }),
        "/slow" => {
            let seconds = seconds(&request.target).min(SLOWEST);
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Response::text(200, format!("that took {seconds} s\n"))
        }
        _ => page::show(app, &request),
    }
}

/// `seconds` of the query, 1 without it.
fn seconds(target: &str) -> u64 {
    let query = target
        .split_once('?')
        .map(|(_, query)| query)
        .unwrap_or_default();
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("seconds="));
    value.and_then(|value| value.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slow_answer_takes_as_long_as_it_is_asked_to() {
        assert_eq!(seconds("/slow"), 1);
        assert_eq!(seconds("/slow?a=b&seconds=3"), 3);
        assert_eq!(seconds("/slow?seconds=x"), 1);
    }
}
