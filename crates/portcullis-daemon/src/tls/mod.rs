//! TLS of the listeners, and in `upstream` towards servers: certificates by server name, and one rustls configuration for each set of rules about client
//! certificates, so that a session made under one set cannot be resumed under another.
//!
//! A [`Store`] is built beside the running one and never changed. What a running listener must not lose - the keys its
//! tickets are made with - goes over to the new store where listener and rules are the same.

mod certificate;
mod client_auth;
pub(crate) mod handshake;
mod names;
#[cfg(test)]
mod testing;
mod tickets;
mod unverified;
mod upstream;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use portcullis_config::{Diagnostic, Level, Loader};
use portcullis_plan::diff::Object;
use portcullis_plan::domains::AuthMark;
use portcullis_plan::plan::{Certificate, Listener, Plan, Tls};
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, StoresServerSessions};
use rustls::{ServerConfig, SignatureScheme};

pub(crate) use certificate::Facts;
use certificate::{Dates, Loaded};
use client_auth::Rule;
use names::{Entry, NameMap};
use serde_json::{Value, json};
use tickets::Tickets;
pub(crate) use upstream::UpstreamStore;

/// Sessions remembered for clients that use no tickets, per set of rules.
const SESSIONS: usize = 1024;

/// TLS of all listeners that have it, by listener name, and of all services that speak it to their servers.
#[derive(Debug, Default)]
pub(crate) struct Store {
    listeners: BTreeMap<Arc<str>, Arc<ListenerTls>>,
    upstream: UpstreamStore,
}

/// TLS of one listener.
#[derive(Debug)]
pub(crate) struct ListenerTls {
    names: Arc<NameMap>,
    policies: Box<[Policy]>,
    certificates: Box<[Facts]>,
    fingerprint: u64,
}

/// One set of rules about client certificates with all that belongs to it.
#[derive(Debug)]
struct Policy {
    mark: AuthMark,
    rule: Rule,
    config: Arc<ServerConfig>,
    sessions: Sessions,
}

/// What lets clients resume. Never shared between sets of rules.
#[derive(Debug, Clone)]
struct Sessions {
    ticketer: Option<Arc<Tickets>>,
    storage: Arc<dyn StoresServerSessions>,
}

impl Sessions {
    fn new(tickets: bool) -> Result<Self, rustls::Error> {
        Ok(if tickets {
            Self {
                ticketer: Some(Arc::new(Tickets::new()?)),
                storage: ServerSessionMemoryCache::new(SESSIONS),
            }
        } else {
            Self {
                ticketer: None,
                storage: Arc::new(NoServerSessionStorage {}),
            }
        })
    }
}

/// The one cryptographic provider of the process: rustls over ring, TLS 1.3 and ECDHE with AEAD only.
#[must_use]
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl Store {
    /// Loads what the plan's listeners and services name. All findings come together; a store comes only without errors among them.
    pub(crate) fn load(
        plan: &Plan,
        previous: Option<&Self>,
        loader: &dyn Loader,
        now: i64,
    ) -> (Option<Self>, Vec<Diagnostic>) {
        let provider = provider();
        let warning = plan.process.certificate_warning.as_secs();
        let dates = Dates {
            now,
            warning: i64::try_from(warning).unwrap_or(i64::MAX),
        };
        let mut findings = Vec::new();
        let mut listeners = BTreeMap::new();
        for listener in &plan.listeners {
            let Some(tls) = &listener.tls else { continue };
            let previous = previous.and_then(|store| store.listener(&listener.name));
            let mut building = Building {
                listener,
                tls,
                provider: &provider,
                loader,
                dates,
                findings: &mut findings,
            };
            if let Some(loaded) = building.build(previous) {
                listeners.insert(Arc::clone(&listener.name), Arc::new(loaded));
            }
        }
        let upstream = UpstreamStore::load(
            plan,
            previous.map(|store| &store.upstream),
            &provider,
            loader,
            dates,
            &mut findings,
        );
        let store = Self {
            listeners,
            upstream,
        };
        if let Some(previous) = previous {
            store.refuse_expired(previous, now, &mut findings);
        }
        let usable = !findings.iter().any(Diagnostic::is_error);
        (usable.then_some(store), findings)
    }

    /// The files of every pair that a process which serves `previous` would refuse.
    pub(crate) fn unusable(
        plan: &Plan,
        previous: &Self,
        loader: &dyn Loader,
        now: i64,
    ) -> BTreeSet<PathBuf> {
        let (provider, served) = (provider(), previous.digests());
        let dates = Dates { now, warning: 0 };
        let is_usable = |certificate: &Certificate| {
            let mut findings = Vec::new();
            let loaded = certificate::load(certificate, &provider, loader, dates, &mut findings);
            loaded.is_some_and(|loaded| {
                loaded.expires >= now || served.contains(&Facts::of(certificate, &loaded).digest)
            }) && !findings.iter().any(Diagnostic::is_error)
        };
        let listeners = plan.listeners.iter().filter_map(|one| one.tls.as_ref());
        let own = listeners.flat_map(|tls| tls.certificates.iter().cloned());
        let refused = own
            .chain(upstream::certificates(plan))
            .filter(|certificate| !is_usable(certificate));
        refused
            .flat_map(|certificate| [certificate.cert, certificate.key])
            .collect()
    }

    /// A process that runs does not take a certificate that has expired already: whatever it would replace is better.
    /// One that has expired while it was served goes on, or nothing else could be changed.
    fn refuse_expired(&self, previous: &Self, now: i64, findings: &mut [Diagnostic]) {
        let served = previous.digests();
        let refused: Vec<String> = self
            .certificates()
            .filter(|(_, _, facts)| facts.expires < now && !served.contains(&facts.digest))
            .map(|(_, _, facts)| format!("`{}`", facts.file))
            .collect();
        for finding in findings {
            let is_about = |file: &String| finding.message.contains(file.as_str());
            if finding.code == "certificate-expired" && refused.iter().any(is_about) {
                finding.level = Level::Error;
            }
        }
    }

    /// TLS of the listener with this name.
    pub(crate) fn listener(&self, name: &str) -> Option<&Arc<ListenerTls>> {
        self.listeners.get(name)
    }

    /// Whether both serve the same certificates under the same rules.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let prints = |store: &Self| -> Vec<_> {
            store
                .listeners
                .iter()
                .map(|(name, tls)| (Arc::clone(name), tls.fingerprint))
                .collect()
        };
        prints(self) == prints(other) && self.upstream.same_as(&other.upstream)
    }

    /// The keys of all tickets, for a successor: by listener and rule, so that nothing is ever resumed under another rule.
    pub(crate) fn ticket_keys(&self) -> Value {
        let all = self.ticketers();
        all.map(|(listener, rule, tickets)| {
            json!({ "listener": listener, "rule": rule, "keys": tickets.keys() })
        })
        .collect()
    }

    /// Goes on with the ticket keys of a predecessor, where listener and rule are the same.
    pub(crate) fn go_on_with(&self, ticket_keys: &Value) {
        for (listener, rule, tickets) in self.ticketers() {
            let is_ours = |one: &&Value| one["listener"] == *listener && one["rule"] == rule;
            let told = ticket_keys.as_array().into_iter().flatten();
            if let Some(own) = told.into_iter().find(is_ours) {
                tickets.go_on_with(&own["keys"]);
            }
        }
    }

    fn ticketers(&self) -> impl Iterator<Item = (&str, String, &Tickets)> {
        self.listeners.iter().flat_map(|(name, tls)| {
            tls.policies.iter().filter_map(move |policy| {
                let tickets = policy.sessions.ticketer.as_deref()?;
                Some((&**name, policy.rule.digest(), tickets))
            })
        })
    }

    /// TLS towards servers.
    pub(crate) const fn upstream(&self) -> &UpstreamStore {
        &self.upstream
    }

    /// Every certificate: what has it, whose it is, and what there is to tell.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = (&'static str, &Arc<str>, &Facts)> {
        let listeners = self.listeners.iter().flat_map(|(name, tls)| {
            let certificates = tls.certificates.iter();
            certificates.map(move |facts| ("listener", name, facts))
        });
        let services = self.upstream.identities();
        listeners.chain(services.map(|(name, facts)| ("service", name, facts)))
    }

    /// Tells the pairs that are served from others.
    fn digests(&self) -> BTreeSet<u64> {
        self.certificates()
            .map(|(_, _, facts)| facts.digest)
            .collect()
    }

    /// What differs from the other store by the content of files: each object once.
    pub(crate) fn changes_from(&self, other: &Self) -> Vec<Object> {
        let mut objects = Vec::new();
        for (name, tls) in &self.listeners {
            let Some(old) = other.listener(name) else {
                continue;
            };
            let renewed = tls.certificates.iter().filter(|new| {
                let before = old.certificates.iter().find(|old| old.file == new.file);
                before.is_some_and(|old| old.digest != new.digest)
            });
            objects.extend(renewed.map(|new| Object::Certificate {
                file: new.file.to_string().into(),
                listener: Arc::clone(name),
                until: new.until().to_string().into(),
            }));
            if !tls.same_rules(old) && tls.policies.len() == old.policies.len() {
                objects.push(Object::ClientRules(Arc::clone(name)));
            }
        }
        let services = self.upstream.changed_from(&other.upstream).into_iter();
        objects.extend(services.map(Object::Trust));
        objects
    }
}

impl ListenerTls {
    /// The configuration for a client that asks for `name` and can verify `schemes`; `None` if the name is unknown
    /// and unknown names are refused.
    fn choose(
        &self,
        name: &str,
        schemes: &[SignatureScheme],
    ) -> Option<(AuthMark, &Arc<ServerConfig>)> {
        let policy = self.names.find(name, schemes)?.policy;
        self.policies
            .get(policy.index())
            .map(|found| (found.mark, &found.config))
    }

    /// What a client gets that asks for `name`, in words for an operator; or why its handshake is refused.
    pub(crate) fn describe(&self, name: &str) -> Result<String, String> {
        match self.names.places(name) {
            Some((places, true)) => Ok(places.join(" or, by what the client can verify, ")),
            Some((places, false)) => Ok(format!(
                "{}, the default: none is for this name",
                places.join(" or ")
            )),
            None => {
                Err("no certificate is for this name, and unknown names are refused".to_owned())
            }
        }
    }

    /// Whether ids of rules mean the same in both, so that connections made under one may go on under the other.
    pub(crate) fn same_rules(&self, other: &Self) -> bool {
        self.policies
            .iter()
            .map(|policy| &policy.rule)
            .eq(other.policies.iter().map(|policy| &policy.rule))
    }
}

/// The making of one listener's TLS.
struct Building<'a> {
    listener: &'a Listener,
    tls: &'a Tls,
    provider: &'a Arc<CryptoProvider>,
    loader: &'a dyn Loader,
    dates: Dates,
    findings: &'a mut Vec<Diagnostic>,
}

impl Building<'_> {
    fn build(&mut self, previous: Option<&Arc<ListenerTls>>) -> Option<ListenerTls> {
        let certificates: Vec<(&Certificate, Option<Loaded>)> = self
            .tls
            .certificates
            .iter()
            .map(|certificate| {
                let loaded = certificate::load(
                    certificate,
                    self.provider,
                    self.loader,
                    self.dates,
                    self.findings,
                );
                (certificate, loaded)
            })
            .collect();
        self.check_names(&certificates);
        let rules: Vec<Option<Rule>> = self
            .tls
            .policies
            .iter()
            .map(|auth| Rule::load(auth, self.loader, self.findings))
            .collect();
        let names = Arc::new(self.name_map(&certificates));
        let policies: Vec<Option<Policy>> = rules
            .into_iter()
            .enumerate()
            .map(|(index, rule)| self.policy(index, rule?, &names, previous))
            .collect();
        let policies = policies.into_iter().collect::<Option<Box<[Policy]>>>()?;
        let fingerprint = self.fingerprint(&certificates, &policies);
        let facts = certificates
            .iter()
            .filter_map(|(certificate, loaded)| Some(Facts::of(certificate, loaded.as_ref()?)));
        Some(ListenerTls {
            names,
            policies,
            certificates: facts.collect(),
            fingerprint,
        })
    }

    fn name_map(&self, certificates: &[(&Certificate, Option<Loaded>)]) -> NameMap {
        let mut names = NameMap::new(self.tls.strict_names);
        for (certificate, loaded) in certificates {
            if let Some(loaded) = loaded {
                let entry = Entry {
                    key: Arc::clone(&loaded.key),
                    policy: certificate.policy,
                    place: Arc::clone(&certificate.place),
                };
                names.add(loaded.names.iter().map(AsRef::as_ref), &entry);
            }
        }
        names
    }

    /// One name under two sets of rules would make the set depend on what the client can verify.
    fn check_names(&mut self, certificates: &[(&Certificate, Option<Loaded>)]) {
        let mut seen: BTreeMap<&str, (&Certificate, rustls::SignatureAlgorithm)> = BTreeMap::new();
        for (certificate, loaded) in certificates {
            let Some(loaded) = loaded else { continue };
            let algorithm = loaded.key.key.algorithm();
            for name in &loaded.names {
                let Some((first, first_algorithm)) = seen.get(&**name) else {
                    seen.insert(name, (certificate, algorithm));
                    continue;
                };
                let finding = if first.policy != certificate.policy {
                    let message = format!(
                        "`{name}` is served under two different rules about client certificates"
                    );
                    Diagnostic::error("conflicting-client-auth", message)
                } else if *first_algorithm == algorithm {
                    let message = format!(
                        "`{name}` is served by an earlier certificate of listener `{}` with the same kind of key",
                        self.listener.name
                    );
                    Diagnostic::warning("duplicate-certificate", message)
                } else {
                    continue;
                };
                self.findings.push(
                    finding
                        .at(certificate.cert_span, "again here")
                        .note(first.cert_span, "first here"),
                );
            }
        }
    }

    fn policy(
        &mut self,
        index: usize,
        rule: Rule,
        names: &Arc<NameMap>,
        previous: Option<&Arc<ListenerTls>>,
    ) -> Option<Policy> {
        let auth = self.tls.policies.get(index)?;
        let verifier = rule.verifier(auth, self.provider, self.findings)?;
        let sessions = match kept_sessions(&rule, self.tls.tickets, previous) {
            Some(sessions) => sessions,
            None => self.or_finding(Sessions::new(self.tls.tickets))?,
        };
        let versions: &[_] = if self.tls.only_tls13 {
            &[&rustls::version::TLS13]
        } else {
            rustls::ALL_VERSIONS
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(self.provider));
        let builder = self.or_finding(builder.with_protocol_versions(versions))?;
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::clone(names) as _);
        config.alpn_protocols = self.alpn();
        config.session_storage = Arc::clone(&sessions.storage);
        match &sessions.ticketer {
            Some(ticketer) => config.ticketer = Arc::clone(ticketer) as _,
            None => config.send_tls13_tickets = 0,
        }
        Some(Policy {
            mark: AuthMark::of(auth),
            rule,
            config: Arc::new(config),
            sessions,
        })
    }

    /// The names of the protocols spoken (RFC 7301), the preferred one first.
    fn alpn(&self) -> Vec<Vec<u8>> {
        let http1 = self.listener.http1.then_some(b"http/1.1".as_slice());
        let http2 = self.listener.http2.is_some().then_some(b"h2".as_slice());
        let order = match self.listener.prefers_http1 {
            true => [http1, http2],
            false => [http2, http1],
        };
        order.into_iter().flatten().map(<[u8]>::to_vec).collect()
    }

    fn or_finding<T>(&mut self, result: Result<T, rustls::Error>) -> Option<T> {
        result
            .map_err(|cause| {
                let message = format!(
                    "TLS of listener `{}` cannot be set up: {cause}",
                    self.listener.name
                );
                self.findings.push(Diagnostic::error("tls", message));
            })
            .ok()
    }

    fn fingerprint(
        &self,
        certificates: &[(&Certificate, Option<Loaded>)],
        policies: &[Policy],
    ) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.tls.only_tls13, self.tls.strict_names, self.tls.tickets).hash(&mut hasher);
        for (certificate, loaded) in certificates {
            certificate.policy.hash(&mut hasher);
            if let Some(loaded) = loaded {
                (&loaded.bytes, &loaded.names).hash(&mut hasher);
            }
        }
        for policy in policies {
            match &policy.rule {
                Rule::None => 0_u8.hash(&mut hasher),
                Rule::Optional(ca) => (1_u8, ca).hash(&mut hasher),
                Rule::Required(ca) => (2_u8, ca).hash(&mut hasher),
            }
        }
        hasher.finish()
    }
}

/// The means of resumption that a listener used under the very same rules before a reload.
fn kept_sessions(
    rule: &Rule,
    tickets: bool,
    previous: Option<&Arc<ListenerTls>>,
) -> Option<Sessions> {
    let same =
        |policy: &&Policy| policy.rule == *rule && policy.sessions.ticketer.is_some() == tickets;
    previous?
        .policies
        .iter()
        .find(same)
        .map(|policy| policy.sessions.clone())
}

#[cfg(test)]
mod tests;
