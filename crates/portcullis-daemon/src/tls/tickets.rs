//! Session tickets (RFC 5077, RFC 8446 4.6.1): sealed with keys of our own, so that a successor can be given them.
//!
//! A ticket is the name of its key (16 bytes), a random nonce (12) and the session sealed with ChaCha20-Poly1305, the name as
//! associated data. A key seals for six hours and opens for twelve, which is how long a ticket lives at the least and at the most.

use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::server::ProducesTickets;
use serde_json::{Value, json};

/// How long a key seals.
const SEALS: Duration = Duration::from_secs(6 * 3600);
/// How long it opens.
const OPENS: Duration = Duration::from_secs(12 * 3600);
/// Longer tickets are none of ours: a session is a few hundred bytes, or some thousand with a client's certificates.
const LONGEST: usize = 64 * 1024;
const NAME_LEN: usize = 16;

/// The keys of one set of rules.
pub(super) struct Tickets {
    keys: RwLock<Keys>,
}

struct Keys {
    current: Key,
    previous: Option<Key>,
}

struct Key {
    name: [u8; NAME_LEN],
    secret: [u8; 32],
    since: SystemTime,
    sealing: LessSafeKey,
}

impl Key {
    fn new(name: [u8; NAME_LEN], secret: [u8; 32], since: SystemTime) -> Option<Self> {
        let unbound = UnboundKey::new(&CHACHA20_POLY1305, &secret).ok()?;
        Some(Self {
            name,
            secret,
            since,
            sealing: LessSafeKey::new(unbound),
        })
    }

    fn random() -> Option<Self> {
        Self::new(random()?, random()?, SystemTime::now())
    }

    /// A clock that was set back makes a key young again rather than unusable.
    fn age(&self) -> Duration {
        self.since.elapsed().unwrap_or_default()
    }

    fn seal(&self, session: &[u8]) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut sealed = session.to_vec();
        let (aad, once) = (Aad::from(self.name), Nonce::assume_unique_for_key(nonce));
        self.sealing
            .seal_in_place_append_tag(once, aad, &mut sealed)
            .ok()?;
        Some([&self.name[..], &nonce, &sealed].concat())
    }

    fn open(&self, nonce: [u8; NONCE_LEN], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut opened = sealed.to_vec();
        let once = Nonce::assume_unique_for_key(nonce);
        let session = self
            .sealing
            .open_in_place(once, Aad::from(self.name), &mut opened);
        let length = session.ok()?.len();
        opened.truncate(length);
        Some(opened)
    }

    /// For a successor.
    fn to_json(&self) -> Value {
        json!({ "name": self.name, "secret": self.secret, "age": self.age().as_secs() })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let bytes = |key: &str| value.get(key).cloned();
        let age = Duration::from_secs(value.get("age")?.as_u64()?);
        Self::new(
            serde_json::from_value(bytes("name")?).ok()?,
            serde_json::from_value(bytes("secret")?).ok()?,
            SystemTime::now().checked_sub(age)?,
        )
    }
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

impl Tickets {
    /// Tickets under a new key.
    pub(super) fn new() -> Result<Self, rustls::Error> {
        let current = Key::random().ok_or(rustls::Error::FailedToGetRandomBytes)?;
        let keys = Keys {
            current,
            previous: None,
        };
        Ok(Self {
            keys: RwLock::new(keys),
        })
    }

    /// The keys, for a successor and nobody else.
    pub(super) fn keys(&self) -> Value {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let all = [Some(&keys.current), keys.previous.as_ref()];
        all.into_iter().flatten().map(Key::to_json).collect()
    }

    /// Goes on with the keys of a predecessor. Tickets of before are void, so this comes before the first.
    pub(super) fn go_on_with(&self, keys: &Value) {
        let key = |at: usize| keys.get(at).and_then(Key::from_json);
        if let Some(current) = key(0) {
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            *keys = Keys {
                current,
                previous: key(1),
            };
        }
    }

    /// Puts a new key in the place of one that has sealed long enough.
    fn rotate(&self) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.current.age() >= SEALS
            && let Some(new) = Key::random()
        {
            keys.previous = Some(std::mem::replace(&mut keys.current, new));
        }
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        OPENS.as_secs() as u32
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        if keys.current.age() < SEALS {
            return keys.current.seal(plain);
        }
        drop(keys);
        self.rotate();
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.current.seal(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        if cipher.len() > LONGEST {
            return None;
        }
        let (name, rest) = cipher.split_first_chunk::<NAME_LEN>()?;
        let (nonce, sealed) = rest.split_first_chunk()?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = [Some(&keys.current), keys.previous.as_ref()]
            .into_iter()
            .flatten();
        let key = all.find(|key| key.name == *name && key.age() < OPENS)?;
        key.open(*nonce, sealed)
    }
}

/// Says nothing of the keys.
impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn aged(tickets: &Tickets, by: Duration) {
        let mut keys = tickets.keys.write().unwrap();
        keys.current.since -= by;
        if let Some(previous) = &mut keys.previous {
            previous.since -= by;
        }
    }

    #[test]
    fn only_whole_tickets_of_a_known_key_open() {
        let tickets = Tickets::new().unwrap();
        let ticket = tickets.encrypt(b"a session").unwrap();
        assert_eq!(tickets.decrypt(&ticket).unwrap(), b"a session");
        for at in 0..ticket.len() {
            let mut forged = ticket.clone();
            forged[at] ^= 1;
            assert_eq!(tickets.decrypt(&forged), None, "byte {at}");
            assert_eq!(tickets.decrypt(&ticket[..at]), None);
        }
        assert_eq!(tickets.decrypt(&[0; LONGEST + 1]), None);
        let other = Tickets::new().unwrap();
        assert_eq!(other.decrypt(&ticket), None, "no key is shared");
        assert_ne!(tickets.encrypt(b"a session").unwrap(), ticket);
    }

    #[test]
    fn a_key_seals_for_six_hours_and_opens_for_twelve() {
        let tickets = Tickets::new().unwrap();
        let first = tickets.encrypt(b"1").unwrap();
        aged(&tickets, SEALS);
        let second = tickets.encrypt(b"2").unwrap();
        assert_ne!(first[..NAME_LEN], second[..NAME_LEN], "another key");
        assert_eq!(tickets.decrypt(&first).unwrap(), b"1");
        aged(&tickets, SEALS);
        assert_eq!(tickets.decrypt(&first), None);
        assert_eq!(tickets.decrypt(&second).unwrap(), b"2");
    }

    #[test]
    fn a_successor_opens_what_its_predecessor_sealed() {
        let old = Tickets::new().unwrap();
        let first = old.encrypt(b"1").unwrap();
        aged(&old, SEALS);
        let second = old.encrypt(b"2").unwrap();
        let new = Tickets::new().unwrap();
        new.go_on_with(&old.keys());
        assert_eq!(new.decrypt(&first).unwrap(), b"1");
        assert_eq!(new.decrypt(&second).unwrap(), b"2");
        assert_eq!(old.decrypt(&new.encrypt(b"3").unwrap()).unwrap(), b"3");
        aged(&new, SEALS);
        assert_eq!(new.decrypt(&first), None, "the age goes with the key");
    }

    #[test]
    fn keys_that_are_none_change_nothing() {
        let tickets = Tickets::new().unwrap();
        let ticket = tickets.encrypt(b"1").unwrap();
        for keys in [
            Value::Null,
            json!([{}]),
            json!([{ "name": [1], "secret": [], "age": 0 }]),
        ] {
            tickets.go_on_with(&keys);
        }
        assert_eq!(tickets.decrypt(&ticket).unwrap(), b"1");
    }

    #[test]
    fn nothing_is_told_about_keys_by_accident() {
        assert_eq!(format!("{:?}", Tickets::new().unwrap()), "Tickets { .. }");
    }
}
