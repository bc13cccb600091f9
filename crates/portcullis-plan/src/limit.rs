//! Rate limits: exact GCRA (the generic cell rate algorithm) for each key, in a bounded table.
//!
//! A key may make `burst` requests at once and `count` in every `per` after that. All the state of a key is one
//! moment: when its bucket will be full again. No timer runs; a key that is full again is as good as forgotten.

mod table;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use table::{Handed, Table, TableTotals};

use crate::{Facts, Moment};

/// What a limit counts by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LimitKey {
    /// The client's address; of IPv6 addresses the first 64 bits, since a customer is given at least that many.
    ClientIp,
    /// The value of this request field (lower case); requests without it count by client address.
    Header(Box<str>),
}

/// The rate limit of a listener or route.
///
/// Equal limits share their table across reloads; any change starts it anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// Whose limit it is: `listener web` or `route api`.
    pub name: Arc<str>,
    /// What it counts by.
    pub key: LimitKey,
    /// Requests allowed in every `per`, at least 1.
    pub count: u64,
    /// The time for `count` requests.
    pub per: Duration,
    /// Requests allowed at once, at least 1.
    pub burst: u64,
    /// Status of the refusal.
    pub status: u16,
    /// Keys remembered at a time.
    pub max_keys: usize,
}

/// How long until the next request of the same key would pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait(pub Duration);

impl Wait {
    /// Whole seconds for `Retry-After`, at least 1.
    #[must_use]
    pub fn seconds(self) -> u32 {
        let whole = self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0);
        u32::try_from(whole.max(1)).unwrap_or(u32::MAX)
    }
}

impl RateLimit {
    /// Counts the request of `facts` in `table`, which must be this limit's.
    ///
    /// # Errors
    /// Over the limit: how long to wait. A refused request does not count against its key.
    #[inline]
    pub fn check(&self, table: &Table, facts: &Facts<'_>, now: Moment) -> Result<(), Wait> {
        match &self.key {
            LimitKey::ClientIp => table.check_client(facts.client, now),
            LimitKey::Header(name) => match facts.fields.first(name) {
                Some(value) => table.check(value, now),
                None => table.check_client(facts.client, now),
            },
        }
    }
}

/// The key of a client. Clients without an address (Unix sockets) are one.
fn client_key(client: Option<IpAddr>) -> table::Key {
    match client.map(|address| address.to_canonical()) {
        None => table::Key::exact(1, [0; 8]),
        Some(IpAddr::V4(v4)) => {
            let [a, b, c, d] = v4.octets();
            table::Key::exact(2, [a, b, c, d, 0, 0, 0, 0])
        }
        Some(IpAddr::V6(v6)) => {
            let network = (v6.to_bits() >> 64) as u64;
            table::Key::exact(3, network.to_be_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up_to_whole_seconds() {
        let seconds = |millis| Wait(Duration::from_millis(millis)).seconds();
        assert_eq!([0, 1, 1000, 1001].map(seconds), [1, 1, 1, 2]);
    }

    #[test]
    fn clients_are_keyed_by_address_and_v6_network() {
        let key = |text: &str| client_key(text.parse().ok());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_ne!(key("192.0.2.1"), client_key(None));
        assert_ne!(key("c000:0201::"), key("192.0.2.1"), "families never meet");
    }
}
