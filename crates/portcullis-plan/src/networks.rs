//! Sets of networks: whose forwarding fields are believed, who must speak the PROXY protocol.

use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// Networks, and whether peers of Unix sockets belong too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    nets: Box<[IpNet]>,
    unix: bool,
}

impl Networks {
    /// The set of `nets`; `unix` adds every peer of a Unix socket. A network of IPv4-mapped IPv6
    /// addresses (`::ffff:10.0.0.0/104`) is kept as the IPv4 network that it means.
    pub fn new(nets: impl IntoIterator<Item = IpNet>, unix: bool) -> Self {
        Self {
            nets: nets.into_iter().map(unmapped).collect(),
            unix,
        }
    }

    /// Whether `ip` lies in one of the networks. An IPv4-mapped IPv6 address, as dual-stack sockets
    /// give them, is compared as the IPv4 address; so `::/0` contains no IPv4 client.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        if self.nets.is_empty() {
            return false;
        }
        let ip = ip.to_canonical();
        self.nets.iter().any(|net| net.contains(&ip))
    }

    /// Whether peers of Unix sockets, which have no address, belong.
    #[must_use]
    pub const fn contains_unix(&self) -> bool {
        self.unix
    }

    /// Whether nobody belongs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nets.is_empty() && !self.unix
    }
}

/// As operators write them: `10.0.0.0/8 or unix`.
impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nets = self.nets.iter().map(ToString::to_string);
        let unix = self.unix.then(|| "unix".to_owned());
        f.write_str(&nets.chain(unix).collect::<Vec<_>>().join(" or "))
    }
}

fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let mapped = v6
        .prefix_len()
        .checked_sub(96)
        .zip(v6.addr().to_ipv4_mapped());
    let Some((length, address)) = mapped else {
        return net;
    };
    Ipv4Net::new(address, length).map_or(net, |v4| IpNet::V4(v4.trunc()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn set(nets: &[&str]) -> Networks {
        Networks::new(nets.iter().map(|net| net.parse().unwrap()), false)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn contains_addresses_of_its_networks_only() {
        let set = set(&["10.0.0.0/8", "2001:db8::/32"]);
        assert!(set.contains(ip("10.255.0.1")));
        assert!(set.contains(ip("2001:db8::1")));
        assert!(!set.contains(ip("11.0.0.1")));
        assert!(!set.contains(ip("2001:db9::1")));
    }

    #[test]
    fn compares_mapped_addresses_as_ipv4() {
        assert!(set(&["10.0.0.0/8"]).contains(ip("::ffff:10.1.2.3")));
        assert!(set(&["::ffff:10.0.0.0/104"]).contains(ip("10.1.2.3")));
        assert!(!set(&["::/0"]).contains(ip("::ffff:10.1.2.3")));
    }

    #[test]
    fn unix_peers_belong_only_when_listed() {
        assert!(!set(&["0.0.0.0/0"]).contains_unix());
        let unix = Networks::new([], true);
        assert!(unix.contains_unix() && !unix.is_empty());
        assert!(Networks::default().is_empty());
    }
}
