//! Which certificate serves a server name: exact names before wildcards of one label, and among several certificates
//! for one name the first that the client can verify.

use std::collections::HashMap;
use std::sync::Arc;

use portcullis_plan::TlsPolicyId;
use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// A loaded certificate, ready to be shown.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Chain and key.
    pub(crate) key: Arc<CertifiedKey>,
    /// The rules about client certificates that hold for its names.
    pub(crate) policy: TlsPolicyId,
    /// `file:line` of its table.
    pub(crate) place: Arc<str>,
}

/// Names to certificates, of one listener. Immutable; a reload makes another.
#[derive(Debug, Default)]
pub(crate) struct NameMap {
    exact: HashMap<Box<str>, Vec<Entry>>,
    /// Keyed by what follows `*.`.
    wildcard: HashMap<Box<str>, Vec<Entry>>,
    default: Vec<Entry>,
    strict: bool,
}

impl NameMap {
    /// An empty map; a `strict` one has no answer for unknown names.
    pub(crate) fn new(strict: bool) -> Self {
        Self {
            strict,
            ..Self::default()
        }
    }

    /// Adds a certificate under its names, lower case, wildcards written `*.example.com`. The first one added, with all
    /// that serve the same names, is the default.
    pub(crate) fn add<'a>(&mut self, names: impl IntoIterator<Item = &'a str>, entry: &Entry) {
        if self.default.is_empty() {
            self.default.push(entry.clone());
        }
        for name in names {
            let entries = match name.strip_prefix("*.") {
                Some(suffix) => self.wildcard.entry(suffix.into()).or_default(),
                None => self.exact.entry(name.into()).or_default(),
            };
            entries.push(entry.clone());
        }
    }

    /// The certificate for a name (lower case, without final dot; empty if the client gave none) among those whose key
    /// can sign by one of `schemes`; if none can, the first, so that the client hears why.
    pub(crate) fn find(&self, name: &str, schemes: &[SignatureScheme]) -> Option<&Entry> {
        let entries = self.candidates(name)?;
        entries
            .iter()
            .find(|entry| entry.key.key.choose_scheme(schemes).is_some())
            .or(entries.first())
    }

    /// Where the certificates for a name are written, and whether they are its own or what unknown names get;
    /// `None` if unknown names get nothing.
    pub(crate) fn places(&self, name: &str) -> Option<(Vec<&str>, bool)> {
        let entries = self.candidates(name)?;
        let places = entries.iter().map(|entry| &*entry.place).collect();
        let is_own = !std::ptr::eq(entries, self.default.as_slice());
        Some((places, is_own))
    }

    fn candidates(&self, name: &str) -> Option<&[Entry]> {
        let wildcard = || {
            name.split_once('.')
                .and_then(|(_, suffix)| self.wildcard.get(suffix))
        };
        match self.exact.get(name).or_else(wildcard) {
            Some(entries) => Some(entries),
            None if self.strict => None,
            None => Some(&self.default),
        }
    }
}

/// The name a client asks for, as certificates are looked up.
pub(crate) fn asked_name(hello: &ClientHello<'_>) -> Box<str> {
    hello
        .server_name()
        .map(|name| name.trim_end_matches('.').to_ascii_lowercase().into())
        .unwrap_or_default()
}

impl ResolvesServerCert for NameMap {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(&asked_name(&hello), hello.signature_schemes())
            .map(|entry| Arc::clone(&entry.key))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::testing::{ECDSA, authority, certified};
    use super::*;

    fn entry(policy: usize) -> Entry {
        Entry {
            key: certified(&authority(), &["x.test"]),
            policy: TlsPolicyId::new(policy),
            place: format!("x.toml:{policy}").into(),
        }
    }

    fn policy_for(map: &NameMap, name: &str) -> Option<usize> {
        map.find(name, ECDSA).map(|entry| entry.policy.index())
    }

    #[test]
    fn exact_names_win_over_wildcards_of_one_label() {
        let mut map = NameMap::new(true);
        map.add(["*.example.com"], &entry(0));
        map.add(["api.example.com"], &entry(1));
        assert_eq!(policy_for(&map, "api.example.com"), Some(1));
        assert_eq!(policy_for(&map, "www.example.com"), Some(0));
        assert_eq!(
            policy_for(&map, "a.b.example.com"),
            None,
            "a wildcard stands for one label"
        );
        assert_eq!(
            policy_for(&map, "example.com"),
            None,
            "and for at least one"
        );
    }

    #[test]
    fn unknown_names_get_the_first_certificate_or_none_when_strict() {
        for (strict, expected) in [(false, Some(0)), (true, None)] {
            let mut map = NameMap::new(strict);
            map.add(["a.test"], &entry(0));
            map.add(["b.test"], &entry(1));
            assert_eq!(policy_for(&map, "c.test"), expected);
            assert_eq!(policy_for(&map, ""), expected, "no name is an unknown name");
        }
    }

    #[test]
    fn a_key_the_client_cannot_verify_is_still_the_last_resort() {
        let mut map = NameMap::new(true);
        map.add(["a.test"], &entry(0));
        assert!(
            map.find("a.test", &[SignatureScheme::RSA_PSS_SHA256])
                .is_some()
        );
    }

    #[test]
    fn tells_where_the_certificates_for_a_name_are_written() {
        let mut map = NameMap::new(false);
        map.add(["a.test", "b.test"], &entry(1));
        map.add(["b.test"], &entry(2));
        assert_eq!(map.places("a.test"), Some((vec!["x.toml:1"], true)));
        assert_eq!(
            map.places("b.test"),
            Some((vec!["x.toml:1", "x.toml:2"], true))
        );
        assert_eq!(map.places("c.test"), Some((vec!["x.toml:1"], false)));
        assert_eq!(NameMap::new(true).places("c.test"), None);
    }
}
