//! Tells the service manager how we are: one datagram to the socket named by `NOTIFY_SOCKET` (`sd_notify(3)`).
//! Without that variable nothing happens; a failure is nobody's business but the manager's.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager, if one started us and wants to know.
#[derive(Debug)]
pub(crate) struct Notifier(Option<(UnixDatagram, SocketAddr)>);

impl Notifier {
    /// The manager named by the environment.
    pub(crate) fn from_env() -> Self {
        Self(std::env::var_os("NOTIFY_SOCKET").and_then(|name| Self::towards(&name).ok()))
    }

    /// We serve.
    pub(crate) fn ready(&self, status: &str) {
        self.send(&format!(
            "READY=1\nSTATUS={status}\nMAINPID={}",
            std::process::id()
        ));
    }

    /// Another process takes over: from now on the manager listens to that one.
    pub(crate) fn main_process(&self, pid: u32) {
        self.send(&format!("MAINPID={pid}"));
    }

    /// A reload begins. The moment must be in the same datagram, or `Type=notify-reload` takes it for an old one.
    pub(crate) fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = now
            .tv_sec
            .saturating_mul(1_000_000)
            .saturating_add(now.tv_nsec / 1_000);
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// We stop; `patience` is how long that may still take.
    pub(crate) fn stopping(&self, status: &str, patience: Duration) {
        let micros = patience.as_micros().saturating_add(1_000_000);
        self.send(&format!(
            "STOPPING=1\nSTATUS={status}\nEXTEND_TIMEOUT_USEC={micros}"
        ));
    }

    /// We still stop; `patience` is how long that may still take. Every such notice moves the manager's own deadline.
    pub(crate) fn still_stopping(&self, status: &str, patience: Duration) {
        let micros = patience.as_micros().saturating_add(1_000_000);
        self.send(&format!("STATUS={status}\nEXTEND_TIMEOUT_USEC={micros}"));
    }

    /// We are alive.
    pub(crate) fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    fn towards(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok((socket, address))
    }

    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.0 {
            let _ = socket.send_to_addr(message.as_bytes(), address);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn each_state_is_one_datagram() {
        let name = format!("portcullis-notify-{}", std::process::id());
        let manager =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let notifier = Notifier(Notifier::towards(OsStr::new(&format!("@{name}"))).ok());
        let mut buffer = [0; 512];
        let mut next = |send: &dyn Fn()| {
            send();
            let length = manager.recv(&mut buffer).unwrap();
            String::from_utf8(buffer.get(..length).unwrap().to_vec()).unwrap()
        };
        assert!(
            next(&|| notifier.ready("serving")).starts_with("READY=1\nSTATUS=serving\nMAINPID=")
        );
        assert!(next(&|| notifier.reloading()).starts_with("RELOADING=1\nMONOTONIC_USEC="));
        let patience = Duration::from_secs(2);
        assert_eq!(
            next(&|| notifier.still_stopping("draining", patience)),
            "STATUS=draining\nEXTEND_TIMEOUT_USEC=3000000"
        );
        assert_eq!(next(&|| notifier.alive()), "WATCHDOG=1");
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        Notifier(None).ready("serving");
    }
}
