//! Where things are: the binary under test, the tools that `make setup-test` brought, free ports.

use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};

/// The binary under test: `PORTCULLIS_BINARY`, else the one beside this test's own executable.
///
/// # Panics
/// When it has not been built: tests never build it themselves.
#[must_use]
pub fn binary() -> PathBuf {
    let path = match std::env::var_os("PORTCULLIS_BINARY") {
        Some(path) => PathBuf::from(path),
        None => profile_folder().join("portcullis"),
    };
    assert!(
        path.exists(),
        "{} is not there: run `make build`",
        path.display()
    );
    path
}

/// `target/debug`, found from the running test's `target/debug/deps/NAME-HASH`.
fn profile_folder() -> PathBuf {
    let own = std::env::current_exe().expect("a process knows its executable");
    own.ancestors()
        .nth(2)
        .expect("a test runs from target/PROFILE/deps")
        .to_path_buf()
}

/// The workspace's folder.
#[must_use]
pub fn repository() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("the harness is two folders below the workspace")
}

/// A tool that `make setup-test` put beside the build.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn test_tool(name: &str) -> PathBuf {
    let profile = profile_folder();
    let target = profile
        .parent()
        .expect("a profile's folder is in the target folder");
    let path = target.join("test-tools").join(name);
    assert!(
        path.exists(),
        "{} is not there: run `make setup-test`",
        path.display()
    );
    path
}

/// The Python of the tests' own virtual environment.
#[must_use]
pub fn python() -> PathBuf {
    test_tool("venv/bin/python")
}

/// Free ports on 127.0.0.1, kept reserved for as long as this value lives.
///
/// Each is held by a socket that is bound but does not listen, with the two options under which a
/// listener may bind beside it; the system gives the port to nobody else meanwhile.
#[derive(Debug, Default)]
pub struct Ports {
    held: Vec<Socket>,
}

impl Ports {
    /// One more free port.
    pub fn reserve(&mut self) -> u16 {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket can be made");
        socket
            .set_reuse_address(true)
            .expect("a socket option can be set");
        socket
            .set_reuse_port(true)
            .expect("a socket option can be set");
        let any = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
        socket.bind(&any.into()).expect("a free port can be had");
        let address = socket.local_addr().expect("a bound socket has an address");
        let port = address
            .as_socket()
            .expect("it is an internet address")
            .port();
        self.held.push(socket);
        port
    }
}
