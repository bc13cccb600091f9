//! TLS towards servers: authorities, client certificates and names of each service that asks for it, read and checked
//! at a reload. What did not change is taken over, so that its connections and sessions live on.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_config::{Diagnostic, Loader};
use portcullis_plan::TlsPolicyId;
use portcullis_plan::plan::{Certificate, Plan, ServerProtocols, Service, ServiceTls as Wish};
use portcullis_proxy::{ServiceTls, UpstreamTls};
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};

use super::certificate::{self, Dates, Facts};
use super::client_auth::authorities;
use super::unverified::Unverified;

/// TLS of all services that speak it to their servers.
#[derive(Debug, Default)]
pub(crate) struct UpstreamStore {
    services: BTreeMap<Arc<str>, Kept>,
    table: Arc<UpstreamTls>,
}

#[derive(Debug)]
struct Kept {
    content: Content,
    tls: Arc<ServiceTls>,
    /// The certificate shown to servers.
    identity: Option<Facts>,
}

/// Everything that makes connections what they are: the bytes of files, not their names. Connections and sessions
/// live through a reload only where all of it is the same.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    authorities: Authorities,
    identity: Option<Vec<u8>>,
    name: Option<Box<str>>,
    only_tls13: bool,
    protocols: ServerProtocols,
}

/// Who vouches for servers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Authorities {
    /// Nobody is asked.
    Anybody,
    /// Those of the system.
    System(Arc<Vec<CertificateDer<'static>>>),
    /// Those of a file.
    File(Vec<u8>),
}

impl UpstreamStore {
    /// Loads what the plan's services name; what is wrong goes to `findings`.
    pub(super) fn load(
        plan: &Plan,
        previous: Option<&Self>,
        provider: &Arc<CryptoProvider>,
        loader: &dyn Loader,
        dates: Dates,
        findings: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut building = Building {
            provider,
            loader,
            dates,
            findings,
            system: None,
        };
        let mut services = BTreeMap::new();
        for service in &plan.services {
            let Some(wish) = &service.tls else { continue };
            let previous = previous.and_then(|store| store.services.get(&service.name));
            if let Some(kept) = building.build(service, wish, previous) {
                services.insert(Arc::clone(&service.name), kept);
            }
        }
        let of = |service: &Service| {
            services
                .get(&service.name)
                .map(|kept| Arc::clone(&kept.tls))
        };
        let table = Arc::new(UpstreamTls::new(plan.services.iter().map(of)));
        Self { services, table }
    }

    /// The same for the data plane, in the order of the plan.
    pub(crate) fn table(&self) -> &Arc<UpstreamTls> {
        &self.table
    }

    /// Whether both mean the same connections.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let contents = |store: &'_ Self| -> Vec<_> {
            let services = store.services.iter();
            services
                .map(|(name, kept)| (Arc::clone(name), Arc::as_ptr(&kept.tls)))
                .collect()
        };
        contents(self) == contents(other)
    }

    /// Service and certificate, of all that show one to their servers.
    pub(super) fn identities(&self) -> impl Iterator<Item = (&Arc<str>, &Facts)> {
        let services = self.services.iter();
        services.filter_map(|(name, kept)| Some((name, kept.identity.as_ref()?)))
    }

    /// Names of services whose files say something else than before.
    pub(super) fn changed_from(&self, other: &Self) -> Vec<Arc<str>> {
        let changed = |(name, kept): &(&Arc<str>, &Kept)| {
            let before = other.services.get(*name);
            before.is_some_and(|before| !Arc::ptr_eq(&before.tls, &kept.tls))
        };
        let changed = self.services.iter().filter(changed);
        changed.map(|(name, _)| Arc::clone(name)).collect()
    }
}

struct Building<'a> {
    provider: &'a Arc<CryptoProvider>,
    loader: &'a dyn Loader,
    dates: Dates,
    findings: &'a mut Vec<Diagnostic>,
    /// Read once for all services.
    system: Option<Arc<Vec<CertificateDer<'static>>>>,
}

impl Building<'_> {
    fn build(&mut self, service: &Service, wish: &Wish, previous: Option<&Kept>) -> Option<Kept> {
        // Everything is read whatever becomes of the first: all findings at once.
        let authorities = self.authorities(service, wish);
        let identity = wish
            .identity
            .as_ref()
            .map(|(cert, key)| self.identity(wish, cert.clone(), key.clone()));
        let name = self.name(service, wish);
        let (authorities, name) = (authorities?, name?);
        let identity = match identity {
            Some(loaded) => Some(loaded?),
            None => None,
        };
        let verifier = self.verifier(wish, &authorities)?;
        let facts = wish.identity.as_ref().zip(identity.as_ref());
        let facts = facts.map(|((cert, key), loaded)| {
            Facts::of(&named(wish, cert.clone(), key.clone()), loaded)
        });
        let content = Content {
            authorities,
            identity: identity.as_ref().map(|loaded| loaded.bytes.clone()),
            name: wish.sni.clone(),
            only_tls13: wish.only_tls13,
            protocols: service.protocols,
        };
        if let Some(kept) = previous.filter(|kept| kept.content == content) {
            let tls = Arc::clone(&kept.tls);
            return Some(Kept {
                content,
                tls,
                identity: facts,
            });
        }
        let config = self.config(service, wish, verifier, identity.map(|loaded| loaded.key))?;
        let tls = Arc::new(ServiceTls::new(config, name));
        Some(Kept {
            content,
            tls,
            identity: facts,
        })
    }

    fn authorities(&mut self, service: &Service, wish: &Wish) -> Option<Authorities> {
        if !wish.verify {
            return Some(Authorities::Anybody);
        }
        if let Some(ca) = &wish.ca {
            let span = wish.spans.ca;
            let pem = certificate::read(ca, "authorities", span, self.loader, self.findings)?;
            return Some(Authorities::File(pem));
        }
        if let Some(system) = &self.system {
            return Some(Authorities::System(Arc::clone(system)));
        }
        let cause = match rustls_native_certs::load_native_certs() {
            Ok(found) if !found.is_empty() => {
                let found = Arc::new(found);
                self.system = Some(Arc::clone(&found));
                return Some(Authorities::System(found));
            }
            Ok(_) => "there are none".to_owned(),
            Err(error) => error.to_string(),
        };
        let message = format!(
            "the servers of service `{}` cannot be verified by the system's authorities: {cause}",
            service.name
        );
        self.findings.push(
            Diagnostic::error("no-authorities", message)
                .at(wish.spans.table, "names no `ca` of its own")
                .help("install the system's certificates, or write `ca = \"internal-ca.pem\"`"),
        );
        None
    }

    fn identity(
        &mut self,
        wish: &Wish,
        cert: std::path::PathBuf,
        key: std::path::PathBuf,
    ) -> Option<certificate::Loaded> {
        certificate::load(
            &named(wish, cert, key),
            self.provider,
            self.loader,
            self.dates,
            self.findings,
        )
    }

    /// The name of every server, where one is written; the inner `None` where each goes by its address.
    fn name(&mut self, service: &Service, wish: &Wish) -> Option<Option<ServerName<'static>>> {
        let Some(sni) = &wish.sni else {
            return Some(None);
        };
        match ServerName::try_from(sni.to_string()) {
            Ok(name) => Some(Some(name)),
            Err(error) => {
                let message = format!("`{sni}` of service `{}`: {error}", service.name);
                let finding = Diagnostic::error("invalid-value", message);
                self.findings.push(finding.at(wish.spans.table, ""));
                None
            }
        }
    }

    /// What judges the certificates of servers.
    fn verifier(
        &mut self,
        wish: &Wish,
        authorities_of: &Authorities,
    ) -> Option<Arc<dyn ServerCertVerifier>> {
        let mut roots = RootCertStore::empty();
        match authorities_of {
            Authorities::Anybody => {
                return Some(Arc::new(Unverified::new(Arc::clone(self.provider))));
            }
            // The system may hold some that cannot be used; they vouch for nobody.
            Authorities::System(found) => {
                roots.add_parsable_certificates(found.iter().cloned());
            }
            Authorities::File(pem) => {
                let ca = wish.ca.as_deref().unwrap_or(std::path::Path::new(""));
                roots = authorities(pem, ca, ("bad-ca", wish.spans.ca), self.findings)?;
            }
        }
        let provider = Arc::clone(self.provider);
        let builder =
            rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        match builder.build() {
            Ok(verifier) => Some(verifier),
            Err(error) => {
                let message = format!("the authorities cannot be used: {error}");
                let finding = Diagnostic::error("bad-ca", message);
                let span = wish.spans.ca.or(wish.spans.table);
                self.findings.push(finding.at(span, "named here"));
                None
            }
        }
    }

    fn config(
        &mut self,
        service: &Service,
        wish: &Wish,
        verifier: Arc<dyn ServerCertVerifier>,
        key: Option<Arc<CertifiedKey>>,
    ) -> Option<ClientConfig> {
        let versions: &[_] = if wish.only_tls13 {
            &[&rustls::version::TLS13]
        } else {
            rustls::ALL_VERSIONS
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(self.provider));
        let builder = builder
            .with_protocol_versions(versions)
            .map_err(|cause| {
                let message = format!(
                    "TLS of service `{}` cannot be set up: {cause}",
                    service.name
                );
                self.findings
                    .push(Diagnostic::error("tls", message).at(wish.spans.table, ""));
            })
            .ok()?;
        let builder = builder
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match key {
            Some(key) => {
                let key = CertifiedKey::clone(&key);
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)))
            }
            None => builder.with_no_client_auth(),
        };
        let names = service.protocols.names().iter();
        config.alpn_protocols = names.map(|name| name.as_bytes().to_vec()).collect();
        Some(config)
    }
}

/// Every certificate that servers are shown.
pub(super) fn certificates(plan: &Plan) -> impl Iterator<Item = Certificate> {
    let wishes = plan.services.iter().filter_map(|one| one.tls.as_ref());
    wishes.filter_map(|wish| {
        let (cert, key) = wish.identity.clone()?;
        Some(named(wish, cert, key))
    })
}

/// The certificate that servers are shown, as a listener's would be written.
fn named(wish: &Wish, cert: std::path::PathBuf, key: std::path::PathBuf) -> Certificate {
    Certificate {
        cert,
        key,
        names: Box::default(),
        policy: TlsPolicyId::new(0),
        place: Arc::clone(&wish.place),
        cert_span: wish.spans.cert,
        key_span: wish.spans.key,
    }
}
