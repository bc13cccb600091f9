//! Which rules about client certificates guard which host, for 421 (RFC 9110 section 15.5.20).
//!
//! A connection is made under the rules of the name in its handshake. A request on it for a host
//! under other rules would slip past them, so it is refused. Only a certificate that lists its `names`
//! can have rules of its own, which is what makes this knowable without reading certificates.

use std::collections::BTreeMap;

use crate::TlsPolicyId;
use crate::plan::{Certificate, ClientAuth};

/// Tells rules about client certificates apart by what they say, so that a connection made before a reload is
/// judged rightly after it. Equal rules have equal marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthMark(u64);

impl AuthMark {
    /// The mark of a rule: its mode and the file of its authorities (FNV-1a).
    #[must_use]
    pub fn of(rule: &ClientAuth) -> Self {
        let (mode, ca) = match rule {
            ClientAuth::None => (0, None),
            ClientAuth::Optional { ca, .. } => (1, Some(ca)),
            ClientAuth::Required { ca, .. } => (2, Some(ca)),
        };
        let path = ca.map_or(&[][..], |ca| ca.as_os_str().as_encoded_bytes());
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self(path.iter().fold(step(0xcbf2_9ce4_8422_2325, &mode), step))
    }
}

/// Hosts to rules about client certificates, for one listener.
#[derive(Clone, Debug)]
pub struct Domains {
    /// Names and, for wildcards, what follows `*`, with its dot. Empty where all rules are the same.
    names: BTreeMap<Box<str>, TlsPolicyId>,
    otherwise: TlsPolicyId,
    /// Marks of the rules, by `TlsPolicyId`.
    marks: Box<[AuthMark]>,
}

impl Domains {
    /// The domains of a listener's certificates. A host that no listed name covers belongs to the
    /// listener's own rules (the first) if some certificate lists no names, else to the default certificate's.
    #[must_use]
    pub fn new(certificates: &[Certificate], policies: &[ClientAuth]) -> Self {
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
        let marks = policies.iter().map(AuthMark::of).collect();
        Self {
            names,
            otherwise,
            marks,
        }
    }

    /// Whether a request for `host` may not use a connection made under the rules of `mark`. A request without host
    /// may use any that was made under rules still in force.
    #[must_use]
    pub fn misdirects(&self, host: &str, mark: AuthMark) -> bool {
        if host.is_empty() {
            return !self.marks.contains(&mark);
        }
        self.mark(self.policy(host)) != Some(mark)
    }

    /// The mark of these rules; `None` for an id of another listener.
    #[must_use]
    pub fn mark(&self, policy: TlsPolicyId) -> Option<AuthMark> {
        self.marks.get(policy.index()).copied()
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

    fn required(ca: &str) -> ClientAuth {
        ClientAuth::Required {
            ca: ca.into(),
            span: None,
        }
    }

    fn domains(certificates: &[Certificate]) -> Domains {
        Domains::new(certificates, &[ClientAuth::None, required("ca.pem")])
    }

    fn marks() -> (AuthMark, AuthMark) {
        (
            AuthMark::of(&ClientAuth::None),
            AuthMark::of(&required("ca.pem")),
        )
    }

    #[test]
    fn one_set_of_rules_misdirects_nothing() {
        let domains = domains(&[certificate(&[], 0), certificate(&["a.example"], 0)]);
        assert!(!domains.misdirects("b.example", marks().0));
    }

    #[test]
    fn a_connection_made_before_the_rules_changed_reaches_nothing_they_guard() {
        let now = Domains::new(&[certificate(&[], 0)], &[required("ca.pem")]);
        let (open, guarded) = marks();
        assert!(
            now.misdirects("a.example", open),
            "made when nothing was asked"
        );
        assert!(now.misdirects("", open), "without host neither");
        assert!(
            now.misdirects("a.example", AuthMark::of(&required("old.pem"))),
            "made under other authorities"
        );
        assert!(!now.misdirects("a.example", guarded));
    }

    #[test]
    fn hosts_under_other_rules_are_misdirected() {
        let domains = domains(&[
            certificate(&["www.example", "open.admin.example"], 0),
            certificate(&["*.admin.example", "Admin.example"], 1),
        ]);
        let (open, guarded) = marks();
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
        let guarded = marks().1;
        let listed = domains(&[
            certificate(&["a.example"], 1),
            certificate(&["b.example"], 0),
        ]);
        assert!(!listed.misdirects("unknown", guarded));
        let open = domains(&[certificate(&["a.example"], 1), certificate(&[], 0)]);
        assert!(open.misdirects("unknown", guarded));
    }
}
