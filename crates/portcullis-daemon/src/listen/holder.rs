//! Who holds an address: the socket tables of `/proc/net` give the inode, the descriptors under `/proc/PID/fd` give
//! the process. Best effort: without the right to look into other processes the answer is unknown.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// The state `LISTEN` in `/proc/net/tcp`.
const TCP_LISTEN: &str = "0A";

/// A process that holds an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its id.
    pub(crate) pid: u32,
    /// Its short name.
    pub(crate) name: String,
}

impl Holder {
    /// Whether it is this very process.
    pub(crate) fn is_ourselves(&self) -> bool {
        self.pid == std::process::id()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.pid, self.name)
    }
}

/// The process that listens on `address`, or on a wildcard that covers it.
pub(crate) fn of_tcp(address: SocketAddr) -> Option<Holder> {
    let mut inodes = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        if let Ok(text) = fs::read_to_string(table) {
            inodes.extend(tcp_inodes(&text, address));
        }
    }
    owner(&inodes)
}

/// The process that listens on the Unix socket at `path`.
pub(crate) fn of_unix(path: &Path) -> Option<Holder> {
    let text = fs::read("/proc/net/unix").ok()?;
    owner(&unix_inodes(&String::from_utf8_lossy(&text), path))
}

fn tcp_inodes(table: &str, wanted: SocketAddr) -> Vec<u64> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_ascii_whitespace().collect();
            let local = parse_hex_address(columns.get(1)?)?;
            let listening = *columns.get(3)? == TCP_LISTEN;
            let inode = columns.get(9)?.parse().ok()?;
            (listening && conflict(local, wanted)).then_some(inode)
        })
        .collect()
}

fn unix_inodes(table: &str, path: &Path) -> Vec<u64> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_ascii_whitespace().collect();
            let inode = columns.get(6)?.parse().ok()?;
            let name = columns.get(7..)?.join(" ");
            (Path::new(&name) == path).then_some(inode)
        })
        .collect()
}

fn conflict(held: SocketAddr, wanted: SocketAddr) -> bool {
    held.port() == wanted.port()
        && (held.ip().to_canonical() == wanted.ip().to_canonical()
            || held.ip().is_unspecified()
            || wanted.ip().is_unspecified())
}

/// `0100007F:1F90` or its 32-digit form: 32-bit words in the byte order of the machine.
fn parse_hex_address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |digits: &str| u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes);
    let ip = match host.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(host)?)),
        32 => {
            let mut octets = [0; 16];
            for (index, chunk) in octets.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(host.get(index * 8..index * 8 + 8)?)?);
            }
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn owner(inodes: &[u64]) -> Option<Holder> {
    if inodes.is_empty() {
        return None;
    }
    let links: Vec<String> = inodes
        .iter()
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let pids = fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.into_iter()
        .find(|pid| holds_any(*pid, &links))
        .map(|pid| Holder {
            pid,
            name: process_name(pid),
        })
}

fn holds_any(pid: u32, links: &[String]) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    descriptors.flatten().any(|descriptor| {
        fs::read_link(descriptor.path())
            .is_ok_and(|target| links.iter().any(|link| target.as_os_str() == link.as_str()))
    })
}

fn process_name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn names_the_process_that_listens_on_a_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let holder = of_tcp(listener.local_addr().unwrap()).unwrap();
        assert!(holder.is_ourselves(), "the test itself holds it: {holder}");
    }

    #[test]
    fn names_the_process_that_listens_on_a_unix_socket() {
        let path =
            std::env::temp_dir().join(format!("portcullis-holder-{}.sock", std::process::id()));
        let _listener = UnixListener::bind(&path).unwrap();
        let holder = of_unix(&path);
        fs::remove_file(&path).unwrap();
        assert!(holder.unwrap().is_ourselves());
    }

    #[test]
    fn reads_addresses_of_both_families_from_the_tables() {
        let v4 = if cfg!(target_endian = "little") {
            "0100007F:1F90"
        } else {
            "7F000001:1F90"
        };
        assert_eq!(
            parse_hex_address(v4),
            Some("127.0.0.1:8080".parse().unwrap())
        );
        assert_eq!(
            parse_hex_address("00000000000000000000000000000000:01BB"),
            Some("[::]:443".parse().unwrap())
        );
        for garbage in [
            "",
            ":",
            "01:1",
            "0100007F",
            "zz00007F:1F90",
            "0100007F:1F901",
        ] {
            assert_eq!(parse_hex_address(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn a_wildcard_holds_every_address_of_its_port() {
        let wanted = "127.0.0.1:80".parse().unwrap();
        assert!(conflict("0.0.0.0:80".parse().unwrap(), wanted));
        assert!(conflict("[::]:80".parse().unwrap(), wanted));
        assert!(!conflict("0.0.0.0:81".parse().unwrap(), wanted));
        assert!(!conflict("127.0.0.2:80".parse().unwrap(), wanted));
    }
}
