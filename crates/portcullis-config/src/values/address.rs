//! Where we listen, where servers are, which networks are meant.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ipnet::IpNet;

use super::{Invalid, quoted};

/// The longest path a Unix socket address can hold on Linux, without its final NUL.
const MAX_UNIX_PATH: usize = 107;
/// The longest name a service manager gives to a socket it passes (`sd_listen_fds_with_names(3)`).
const MAX_SOCKET_NAME: usize = 255;

/// Where a listener accepts: `0.0.0.0:80`, `[::1]:80`, `:8080` (all addresses, IPv6 and IPv4), `unix:/run/x.sock`, or
/// `fd:web` for the sockets of that name which the service manager passes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bind {
    /// A TCP address. Port 0 lets the system choose.
    Tcp(SocketAddr),
    /// An absolute path.
    Unix(PathBuf),
    /// The sockets of this name that whoever starts the process opens and passes (`LISTEN_FDNAMES`).
    Passed(String),
}

impl FromStr for Bind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Some(path) = text.strip_prefix("unix:") {
            return unix(path).map(Self::Unix);
        }
        if let Some(name) = text.strip_prefix("fd:") {
            return socket_name(name).map(Self::Passed);
        }
        if let Some(port) = text.strip_prefix(':').filter(|port| !port.contains(':')) {
            let port = port_number(port, text)?;
            return Ok(Self::Tcp((Ipv6Addr::UNSPECIFIED, port).into()));
        }
        let (host, port) = split_port(text, "\"0.0.0.0:80\"")?;
        match host.parse::<IpAddr>() {
            Ok(ip) => Ok(Self::Tcp((ip, port).into())),
            Err(_) if host == "*" => Err(Invalid::new("`*` is not an address")
                .help(format!("write \":{port}\" for all IPv6 and IPv4 addresses"))),
            Err(_) if host == "localhost" => Err(Invalid::new("a listener is bound to an IP address, not to a name")
                .help(format!("write \"127.0.0.1:{port}\" or \"[::1]:{port}\""))),
            Err(_) => Err(Invalid::new(format!("{} is not an IP address", quoted(host)))
                .help("a listener is bound to an IP address and port, such as \"0.0.0.0:80\", \"[::1]:80\", \":80\", or to \"unix:/path\"")),
        }
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Passed(name) => write!(f, "fd:{name}"),
        }
    }
}

/// Where a server is: `10.0.0.31:8080`, `[::1]:80`, `app.internal:8080` or `unix:/run/app.sock`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// A TCP address; its port is never 0.
    Tcp(SocketAddr),
    /// An absolute path.
    Unix(PathBuf),
    /// A host name, looked up while running.
    Name {
        /// The name in lower case, valid for DNS.
        host: Box<str>,
        /// The port, never 0.
        port: u16,
    },
}

impl FromStr for Address {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Some(path) = text.strip_prefix("unix:") {
            return unix(path).map(Self::Unix);
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            let rest = rest.trim_end_matches('/');
            return Err(
                Invalid::new(format!("{} is a URL, not an address", quoted(text))).help(format!(
                    "write host and port only: \"{}\"",
                    with_default_port(scheme, rest)
                )),
            );
        }
        let (host, port) = split_port(text, "\"127.0.0.1:8080\"")?;
        if port == 0 {
            return Err(
                Invalid::new("nothing can be reached on port 0").at(text.len() - 1..text.len())
            );
        }
        match host.parse::<IpAddr>() {
            Ok(ip) => Ok(Self::Tcp((ip, port).into())),
            Err(_) => Ok(Self::Name {
                host: super::host::dns_name(host)?,
                port,
            }),
        }
    }
}

fn with_default_port(scheme: &str, rest: &str) -> String {
    let host = rest.split('/').next().unwrap_or_default();
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match (has_port, scheme) {
        (true, _) => host.to_owned(),
        (false, "https") => format!("{host}:443"),
        (false, _) => format!("{host}:80"),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// The name of a passed socket, by the rules of systemd's `FileDescriptorName=`.
fn socket_name(name: &str) -> Result<String, Invalid> {
    let is_name = !name.is_empty()
        && name.len() <= MAX_SOCKET_NAME
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b':');
    if is_name {
        return Ok(name.to_owned());
    }
    Err(
        Invalid::new(format!("{} is not the name of a passed socket", quoted(name))).help(
            "write the socket's `FileDescriptorName=`, such as \"fd:web\": letters, digits and signs, no space and no colon",
        ),
    )
}

fn unix(path: &str) -> Result<PathBuf, Invalid> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if !Path::new(path).is_absolute() {
        return Err(
            Invalid::new(format!("{} is not an absolute path", quoted(path))).help(format!(
                "write it from the root: \"unix:/{}\"",
                path.trim_start_matches("./")
            )),
        );
    }
    if path.contains('\0') || path.ends_with('/') {
        return Err(Invalid::new(format!(
            "{} cannot name a socket",
            quoted(path)
        )));
    }
    if path.len() > MAX_UNIX_PATH {
        return Err(Invalid::new(format!(
            "the socket path has {} bytes, the system allows {MAX_UNIX_PATH}",
            path.len()
        )));
    }
    Ok(PathBuf::from(path))
}

/// Splits `host:port`, taking the brackets off an IPv6 address.
fn split_port<'a>(text: &'a str, example: &str) -> Result<(&'a str, u16), Invalid> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        // `::1:80` is an address by the letter, but hardly ever meant as one.
        let meant = text
            .rsplit_once(':')
            .filter(|(front, _)| front.parse::<Ipv6Addr>().is_ok());
        let with_port = match meant {
            Some((front, port)) => format!("[{front}]:{port}"),
            None => SocketAddr::from((ip, 8080)).to_string(),
        };
        return Err(Invalid::new(format!("{} has no port", quoted(text)))
            .help(format!("write it as \"{with_port}\"")));
    }
    if text.starts_with('/') {
        return Err(
            Invalid::new(format!("{} is a path, not an address", quoted(text)))
                .help(format!("a Unix socket is written \"unix:{text}\"")),
        );
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        let error = Invalid::new(format!("{} has no port", quoted(text)));
        let number = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        return Err(match number {
            true => Invalid::new(format!("{} is a port without an address", quoted(text)))
                .help(format!("write \":{text}\" or {example}")),
            false => error.help(format!("write host and port, such as {example}")),
        });
    };
    let port = port_number(port, text)?;
    match host.strip_prefix('[') {
        Some(inner) => match inner.strip_suffix(']') {
            Some(inner) if inner.parse::<Ipv6Addr>().is_ok() => Ok((inner, port)),
            _ => Err(Invalid::new(format!(
                "{} is not an IPv6 address in brackets",
                quoted(host)
            ))),
        },
        None if host.contains(':') => {
            Err(
                Invalid::new(format!("{} has too many colons", quoted(text))).help(format!(
                    "an IPv6 address with a port is written in brackets: \"[{host}]:{port}\""
                )),
            )
        }
        None => Ok((host, port)),
    }
}

fn port_number(port: &str, text: &str) -> Result<u16, Invalid> {
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| port.parse().ok()).flatten().ok_or_else(|| {
        Invalid::new(format!("{} is not a port number", quoted(port)))
            .help("a port is a number from 1 to 65535")
            .at(text.len() - port.len()..text.len())
    })
}

/// Where peers come from: a network such as `10.0.0.0/8` or `fd00::/8` (an address alone means itself), or `unix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Network {
    /// Peers with an address in this network.
    Ip(IpNet),
    /// Peers on a Unix socket, which have no address.
    Unix,
}

impl FromStr for Network {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "unix" {
            return Ok(Self::Unix);
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Ip(IpNet::from(ip)));
        }
        let network = text.parse::<IpNet>().map_err(|_| {
            Invalid::new(format!("{} is not a network", quoted(text))).help(
                "write an address and a prefix length, such as \"10.0.0.0/8\" or \"fd00::/8\", or \"unix\" for Unix sockets",
            )
        })?;
        if network.addr() != network.network() {
            return Err(
                Invalid::new(format!("{} has bits set after its prefix", quoted(text)))
                    .help(format!("did you mean \"{}\"?", network.trunc())),
            );
        }
        Ok(Self::Ip(network))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(network) => write!(f, "{network}"),
            Self::Unix => f.write_str("unix"),
        }
    }
}

impl Bind {
    /// Whether both cannot be bound at once: the same address, or the same port on all addresses of a family.
    #[must_use]
    pub fn conflicts_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unix(a), Self::Unix(b)) => a == b,
            (Self::Passed(a), Self::Passed(b)) => a == b,
            (Self::Tcp(a), Self::Tcp(b)) if a.port() == b.port() && a.port() != 0 => {
                a.ip() == b.ip() || covers(a.ip(), b.ip()) || covers(b.ip(), a.ip())
            }
            _ => false,
        }
    }
}

/// Whether a socket on `all` takes what one on `one` wants. `[::]` is bound for IPv6 alone when `0.0.0.0` is bound beside it.
fn covers(all: IpAddr, one: IpAddr) -> bool {
    match all {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => one.is_ipv4(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => one.is_ipv6(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn binds_read_and_print() {
        for text in ["0.0.0.0:80", "[::1]:80", "unix:/run/x.sock", "fd:web"] {
            assert_eq!(text.parse::<Bind>().unwrap().to_string(), text);
        }
        assert_eq!(":8080".parse::<Bind>().unwrap().to_string(), "[::]:8080");
    }

    #[test]
    fn wrong_binds_say_what_to_write() {
        let help = |text: &str| text.parse::<Bind>().unwrap_err().help.unwrap_or_default();
        assert!(help("8080").contains("\":8080\""));
        assert!(help("*:80").contains("\":80\""));
        assert!(help("localhost:80").contains("127.0.0.1:80"));
        assert!(help("::1:80").contains("\"[::1]:80\""));
        assert!(help("/run/x.sock").contains("unix:/run/x.sock"));
        assert!(help("127.0.0.1:99999").contains("65535"));
        assert!(help("unix:run/x.sock").contains("unix:/"));
        assert!("127.0.0.1:+80".parse::<Bind>().is_err());
        for name in ["fd:", "fd:a:b", "fd:a b"] {
            assert!(help(name).contains("FileDescriptorName"), "{name}");
        }
    }

    #[test]
    fn servers_may_be_names() {
        assert_eq!(
            "App.Internal:8080".parse::<Address>().unwrap(),
            Address::Name {
                host: "app.internal".into(),
                port: 8080
            }
        );
        let error = "http://10.0.0.1:8080/".parse::<Address>().unwrap_err();
        assert!(error.help.unwrap().contains("\"10.0.0.1:8080\""));
        assert!("10.0.0.1:0".parse::<Address>().is_err());
        assert!(
            "10.0.0:80".parse::<Address>().is_err(),
            "a name of digits alone is a broken address"
        );
        assert!("a_b c:80".parse::<Address>().is_err());
    }

    #[test]
    fn networks_are_exact() {
        assert_eq!(
            "10.0.0.0/8".parse::<Network>().unwrap().to_string(),
            "10.0.0.0/8"
        );
        assert_eq!(
            "10.0.0.1".parse::<Network>().unwrap().to_string(),
            "10.0.0.1/32"
        );
        assert!(
            "10.0.0.1/8"
                .parse::<Network>()
                .unwrap_err()
                .help
                .unwrap()
                .contains("10.0.0.0/8")
        );
        assert!("10.0.0.0/33".parse::<Network>().is_err());
    }

    #[test]
    fn binds_conflict_when_they_share_a_port_of_a_family() {
        let bind = |text: &str| text.parse::<Bind>().unwrap();
        assert!(bind("0.0.0.0:80").conflicts_with(&bind("127.0.0.1:80")));
        assert!(
            !bind("0.0.0.0:80").conflicts_with(&bind("[::]:80")),
            "the common pair for both families"
        );
        assert!(!bind("0.0.0.0:0").conflicts_with(&bind("0.0.0.0:0")));
        assert!(!bind("127.0.0.1:80").conflicts_with(&bind("127.0.0.2:80")));
        assert!(bind("fd:web").conflicts_with(&bind("fd:web")));
        assert!(!bind("fd:web").conflicts_with(&bind("fd:more")));
    }
}
