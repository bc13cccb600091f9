//! `[listener.NAME.tls]`: certificates, and which rules about client certificates hold for which.

use portcullis_config as config;

use super::Compiler;
use crate::TlsPolicyId;
use crate::plan::{Certificate, ClientAuth, Domains, Tls};

impl Compiler<'_> {
    pub(super) fn tls(&mut self, written: &config::Tls) -> Tls {
        let mut policies = vec![client_auth(written.client_auth.as_ref())];
        let certificates: Box<[_]> = written
            .certificates
            .iter()
            .map(|certificate| self.certificate(certificate, &mut policies))
            .collect();
        Tls {
            domains: Domains::new(&certificates, &policies),
            certificates,
            only_tls13: written.min_version.value == config::TlsVersion::Tls13,
            strict_names: written.unknown_names.value == config::UnknownNames::Strict,
            tickets: *written.session_tickets,
            policies: policies.into(),
        }
    }

    fn certificate(
        &mut self,
        written: &config::Val<config::Certificate>,
        policies: &mut Vec<ClientAuth>,
    ) -> Certificate {
        let policy = match &written.client_auth {
            None => TlsPolicyId::new(0),
            own => policy_of(client_auth(own.as_ref()), policies),
        };
        let names = written.names.as_ref().map_or(&[][..], |names| &names.value);
        if policy.index() != 0 && names.is_empty() {
            self.report_unnamed(written);
        }
        Certificate {
            cert: written.cert.value.clone(),
            key: written.key.value.clone(),
            names: names.iter().map(|name| name.to_string().into()).collect(),
            policy,
            place: self.place(written.span.or(written.cert.span)),
            cert_span: written.cert.span,
            key_span: written.key.span,
        }
    }

    /// Requests on other connections are kept from these names, so they must be known without reading the certificate.
    fn report_unnamed(&mut self, written: &config::Certificate) {
        let problem = config::Diagnostic::error(
            "client-auth-names",
            "a certificate that has rules of its own about client certificates does not list its names",
        );
        let span = written.client_auth.as_ref().and_then(|auth| auth.span);
        let help = "add `names = [\"...\"]` with the hosts these rules protect, or set `client_auth` for the whole listener";
        self.diagnostics
            .push(problem.at(span, "holds for which names?").help(help));
    }
}

/// The id of a rule; equal rules share one, so connections may be used for each other's names.
fn policy_of(rule: ClientAuth, policies: &mut Vec<ClientAuth>) -> TlsPolicyId {
    let same = |known: &ClientAuth| match (known, &rule) {
        (ClientAuth::None, ClientAuth::None) => true,
        (ClientAuth::Optional { ca: a, .. }, ClientAuth::Optional { ca: b, .. })
        | (ClientAuth::Required { ca: a, .. }, ClientAuth::Required { ca: b, .. }) => a == b,
        _ => false,
    };
    let index = policies.iter().position(same).unwrap_or_else(|| {
        policies.push(rule);
        policies.len() - 1
    });
    TlsPolicyId::new(index)
}

fn client_auth(written: Option<&config::Val<config::ClientAuth>>) -> ClientAuth {
    let Some(written) = written else {
        return ClientAuth::None;
    };
    let (ca, span) = (written.ca.value.clone(), written.ca.span);
    match written.mode.value {
        config::ClientAuthMode::Optional => ClientAuth::Optional { ca, span },
        config::ClientAuthMode::Required => ClientAuth::Required { ca, span },
    }
}
