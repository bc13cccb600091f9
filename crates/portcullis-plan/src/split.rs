//! One of several services for a request: forced, kept by a key, or by chance.
//!
//! Keys are compared by weighted rendezvous hashing: each service gets a score from its name, its weight and the key, and the highest
//! wins. So a change of weights moves only the clients that it must, and every Portcullis with the same services
//! decides alike without telling the others anything. A service without a healthy server keeps its share: requests are not moved in silence.

use std::net::IpAddr;
use std::sync::Arc;

use crate::chance::{Chance, mixed};
use crate::digits::push_u64;
use crate::plan::ExchangeTimeouts;
use crate::route::{Condition, parts};
use crate::{Facts, RouteId, ServiceId};

/// The services of a split, and what keeps a client with one.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The services in written order.
    pub variants: Box<[Variant]>,
    /// What keeps a client with one of them.
    pub sticky: Option<Sticky>,
    /// The sum of the weights.
    pub total: u64,
}

/// A service of a split.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// The service.
    pub service: ServiceId,
    /// Its name.
    pub name: Arc<str>,
    /// Its share, in proportion to the others.
    pub weight: u64,
    /// Requests that get it whatever the weights: those for which one of these holds.
    pub force: Box<[Condition]>,
}

/// Whether one of the conditions holds.
#[must_use]
pub fn any_holds(conditions: &[Condition], facts: &Facts<'_>) -> bool {
    conditions.iter().any(|condition| condition.holds(facts))
}

/// The deadlines of the requests of one listener that a route splits.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitTimeouts {
    /// The route.
    pub route: RouteId,
    /// For each service of the split, in order.
    pub variants: Box<[VariantTimeouts]>,
}

/// The deadlines of requests to one service of a split, after inheritance.
#[derive(Clone, Debug, PartialEq)]
pub struct VariantTimeouts {
    /// The deadlines.
    pub timeouts: ExchangeTimeouts,
    /// Where each is written: its key, and `file:line` or `default`.
    pub origins: Arc<[(&'static str, Box<str>)]>,
}

/// What keeps a client with one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sticky {
    /// Its address.
    ClientIp,
    /// The value of this field.
    Header(Box<str>),
    /// The value of this cookie of the application.
    Cookie(Box<str>),
    /// The service named by this cookie, which is set where it is missing.
    SetCookie {
        /// The cookie's name.
        name: Box<str>,
        /// Seconds that browsers keep it.
        max_age: u64,
    },
}

/// Why a service was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// A test of the request forced it.
    Forced,
    /// The client's key keeps it there.
    Kept,
    /// The weights and chance.
    Chance,
}

impl Split {
    /// The position of the service for this request, and why.
    #[must_use]
    pub fn choose(&self, facts: &Facts<'_>, chance: &mut Chance) -> (usize, Chosen) {
        let forced = |variant: &Variant| any_holds(&variant.force, facts);
        if let Some(at) = self.variants.iter().position(forced) {
            return (at, Chosen::Forced);
        }
        if let Some(at) = self.sticky.as_ref().and_then(|by| self.kept(by, facts)) {
            return (at, Chosen::Kept);
        }
        (self.drawn(chance), Chosen::Chance)
    }

    fn kept(&self, by: &Sticky, facts: &Facts<'_>) -> Option<usize> {
        let key = match by {
            Sticky::ClientIp => match facts.client?.to_canonical() {
                IpAddr::V4(ip) => hash(&ip.octets()),
                IpAddr::V6(ip) => hash(&ip.octets()),
            },
            Sticky::Header(name) => {
                hash(facts.fields.first(name).filter(|value| !value.is_empty())?)
            }
            Sticky::Cookie(name) => cookie(facts, name, hash)?,
            Sticky::SetCookie { name, .. } => {
                return cookie(facts, name, |value| self.named(value)).flatten();
            }
        };
        Some(self.scored(key))
    }

    /// The service of this name, unless it takes no more clients.
    fn named(&self, name: &[u8]) -> Option<usize> {
        self.variants
            .iter()
            .position(|variant| variant.weight > 0 && variant.name.as_bytes() == name)
    }

    /// The service with the highest score for a key.
    fn scored(&self, key: u64) -> usize {
        let score = |variant: &Variant| {
            let bits = mixed(key ^ mixed(hash(variant.name.as_bytes())));
            // A number between 0 and 1, neither included: its logarithm is finite and negative.
            let unit = (bits >> 11) as f64 / (1_u64 << 53) as f64 + f64::EPSILON / 4.0;
            variant.weight as f64 / -unit.ln()
        };
        let mut best = (0, -1.0);
        for (at, variant) in self.variants.iter().enumerate() {
            let own = score(variant);
            if variant.weight > 0 && own > best.1 {
                best = (at, own);
            }
        }
        best.0
    }

    fn drawn(&self, chance: &mut Chance) -> usize {
        let mut left = chance.below(self.total);
        for (at, variant) in self.variants.iter().enumerate() {
            if left < variant.weight {
                return at;
            }
            left -= variant.weight;
        }
        0
    }
}

/// Appends the cookie that keeps the client with its service, as a complete `Set-Cookie` line, where the route has one and the
/// client does not bring it: after the service was chosen, `facts.service` is it.
pub fn write_cookie(facts: &Facts<'_>, out: &mut Vec<u8>) {
    let split = facts.route.and_then(|route| route.action.split());
    let Some((split, service)) = split.zip(facts.service) else {
        return;
    };
    let Some(Sticky::SetCookie { name, max_age }) = &split.sticky else {
        return;
    };
    if cookie(facts, name, |value| value == service.name.as_bytes()) == Some(true) {
        return;
    }
    for part in [
        "set-cookie: ",
        name,
        "=",
        &service.name,
        "; Path=/; Max-Age=",
    ] {
        out.extend_from_slice(part.as_bytes());
    }
    push_u64(*max_age, out);
    out.extend_from_slice(b"; HttpOnly; SameSite=Lax");
    if facts.scheme == crate::Scheme::Https {
        out.extend_from_slice(b"; Secure");
    }
    out.extend_from_slice(b"\r\n");
}

/// What `use_value` makes of the first cookie of this name that is not empty.
fn cookie<T>(facts: &Facts<'_>, name: &str, use_value: impl Fn(&[u8]) -> T) -> Option<T> {
    let mut found = None;
    facts.fields.each("cookie", &mut |field| {
        if found.is_none() {
            found = parts::cookies(field)
                .find(|(own, value)| *own == name.as_bytes() && !value.is_empty())
                .map(|(_, value)| use_value(value));
        }
    });
    found
}

/// FNV-1a, spread: the same on every machine and in every version, since clients must stay where they are.
fn hash(bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    mixed(bytes.iter().fold(start, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    }))
}

#[cfg(test)]
mod tests;
