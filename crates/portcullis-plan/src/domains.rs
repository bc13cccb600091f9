//! Which rules about client certificates guard which host, for 421 (RFC 9110 section 15.5.20).
//!
//! A connection is made under the rules of the name in its handshake. A request on it for a host
//! under other rules would slip past them, so it is refused. Only a certificate that lists its `names`
//! can have rules of its own, which is what makes this knowable without reading certificates.

use std::collections::BTreeMap;

use crate::TlsPolicyId;
use crate::plan::Certificate;

/// Hosts to rules about client certificates, for one listener.
#[derive(Clone, Debug)]
pub struct Domains {
    /// Names and, for wildcards, what follows `*`, with its dot. Empty where all rules are the same.
    names: BTreeMap<Box<str>, TlsPolicyId>,
    otherwise: TlsPolicyId,
}

impl Domains {
    /// The domains of a listener's certificates. A host that no listed name covers belongs to the
    /// listener's own rules (the first) if some certificate lists no names, else to the default certificate's.
    #[must_use]
    pub fn new(certificates: &[Certificate]) -> Self {
        let own = TlsPolicyId::new(0);
        let default = certificates
            .first()
            .map_or(own, |certificate| certificate.policy);
        let unlisted = certificates
            .iter()
            .any(|certificate| certificate.names.is_empty());
        let otherwise = if unlisted { own } else { default };
        let mut names = BTreeMap::new();
        if certificates
            .iter()
            .any(|certificate| certificate.policy != default)
        {
            for certificate in certificates {
                for name in &certificate.names {
                    let key = name
                        .strip_prefix('*')
                        .unwrap_or(name)
                        .trim_end_matches('.')
                        .to_ascii_lowercase();
                    names
                        .entry(key.into_boxed_str())
                        .or_insert(certificate.policy);
                }
            }
        }
        Self { names, otherwise }
    }

    /// Whether a request for `host` may not use a connection made under `policy`. A request without host may.
    #[must_use]
    pub fn misdirects(&self, host: &str, policy: TlsPolicyId) -> bool {
        !self.names.is_empty() && !host.is_empty() && self.policy(host) != policy
    }

    /// The rules for `host`: those of its exact name, else of a wildcard in place of its first label.
    #[must_use]
    pub fn policy(&self, host: &str) -> TlsPolicyId {
        let wildcard = || {
            host.find('.')
                .and_then(|dot| host.get(dot..))
                .and_then(|rest| self.names.get(rest))
        };
        self.names
            .get(host)
            .or_else(wildcard)
            .copied()
            .unwrap_or(self.otherwise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(names: &[&str], policy: usize) -> Certificate {
        Certificate {
            cert: "a.pem".into(),
            key: "a.key".into(),
            names: names.iter().map(|&name| name.into()).collect(),
            policy: TlsPolicyId::new(policy),
            place: "a:1".into(),
            cert_span: None,
            key_span: None,
        }
    }

    #[test]
    fn one_set_of_rules_misdirects_nothing() {
        let domains = Domains::new(&[certificate(&[], 0), certificate(&["a.example"], 0)]);
        assert!(!domains.misdirects("b.example", TlsPolicyId::new(0)));
    }

    #[test]
    fn hosts_under_other_rules_are_misdirected() {
        let domains = Domains::new(&[
            certificate(&["www.example", "open.admin.example"], 0),
            certificate(&["*.admin.example", "Admin.example"], 1),
        ]);
        let (open, guarded) = (TlsPolicyId::new(0), TlsPolicyId::new(1));
        for (host, policy) in [
            ("www.example", open),
            ("open.admin.example", open),
            ("x.admin.example", guarded),
            ("admin.example", guarded),
            ("x.y.admin.example", open),
            ("unknown", open),
        ] {
            assert!(!domains.misdirects(host, policy), "{host}");
            let other = if policy == open { guarded } else { open };
            assert!(domains.misdirects(host, other), "{host}");
        }
        assert!(!domains.misdirects("", guarded), "HTTP/1.0 without host");
    }

    #[test]
    fn unlisted_hosts_belong_to_the_default_certificate_unless_another_lists_no_names() {
        let guarded = TlsPolicyId::new(1);
        let listed = Domains::new(&[
            certificate(&["a.example"], 1),
            certificate(&["b.example"], 0),
        ]);
        assert!(!listed.misdirects("unknown", guarded));
        let open = Domains::new(&[certificate(&["a.example"], 1), certificate(&[], 0)]);
        assert!(open.misdirects("unknown", guarded));
    }
}
