//! The order of decisions.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::fixture::{self, entry};
use crate::headers::{Part, Template};
use crate::plan::{ClientAuth, Domains, Route, Tls};
use crate::{TlsFacts, TlsPolicyId};
use portcullis_config::Variable;

fn forward() -> Action {
    Action::Forward(ServiceId::new(0))
}

fn plan_of(action: Action) -> Plan {
    plan_with(fixture::route("app", action))
}

fn plan_with(route: Route) -> Plan {
    let listener = fixture::listener(vec![entry(0, &[], "/app")]);
    fixture::plan(listener, vec![route])
}

fn ask<'p>(plan: &'p Plan, host: &str, path: &str) -> Decision<'p> {
    let listener = plan.listeners.first().unwrap();
    decide(
        plan,
        &Live::new(plan, 1),
        &fixture::facts(listener, host, path, &()),
        Moment::default(),
        Chance::none(),
    )
}

fn refusal(decision: &Decision<'_>) -> Option<Refusal> {
    match decision {
        Decision::Answer {
            answer: Answer::Refuse(refusal),
            ..
        } => Some(*refusal),
        _ => None,
    }
}

#[test]
fn matching_request_is_forwarded_with_the_limits_that_hold() {
    let plan = plan_of(forward());
    let Decision::Forward(allowed) = ask(&plan, "h", "/app/x") else {
        panic!("must be forwarded")
    };
    assert_eq!(
        (allowed.service, allowed.body_limit),
        (ServiceId::new(0), Some(1 << 30))
    );
    assert_eq!(*allowed.timeouts, fixture::timeouts());
    let mut route = fixture::route("app", forward());
    route.body_limit = Some(None);
    let plan = plan_with(route);
    let Decision::Forward(forward) = ask(&plan, "h", "/app/x") else {
        panic!("must be forwarded")
    };
    assert_eq!(
        forward.body_limit, None,
        "the route's limit, even off, before the listener's"
    );
}

#[test]
fn unmatched_request_is_refused() {
    let plan = plan_of(forward());
    let decision = ask(&plan, "h", "/other");
    assert_eq!(refusal(&decision), Some(Refusal::NoRoute));
    assert!(matches!(decision, Decision::Answer { route: None, .. }));
}

#[test]
fn https_redirect_comes_before_routes_and_needs_a_host() {
    let mut plan = plan_of(forward());
    plan.listeners.first_mut().unwrap().redirect_https = Some(8443);
    let decision = ask(&plan, "h", "/nowhere");
    assert!(matches!(
        decision,
        Decision::Answer {
            answer: Answer::HttpsRedirect { port: 8443 },
            ..
        }
    ));
    assert_eq!(
        refusal(&ask(&plan, "", "/app")),
        Some(Refusal::HostRequired)
    );
}

#[test]
fn https_by_a_trusted_proxy_is_not_redirected_again() {
    let mut plan = plan_of(forward());
    plan.listeners.first_mut().unwrap().redirect_https = Some(443);
    let mut facts = fixture::facts(plan.listeners.first().unwrap(), "h", "/app", &());
    facts.scheme = Scheme::Https;
    assert!(matches!(
        decide(
            &plan,
            &Live::new(&plan, 1),
            &facts,
            Moment::default(),
            Chance::none()
        ),
        Decision::Forward(_)
    ));
}

#[test]
fn redirect_built_from_the_host_needs_one() {
    let to = Template::new([
        Part::Text("https://".into()),
        Part::Variable(Variable::Host),
    ]);
    let plan = plan_of(Action::Redirect { status: 308, to });
    assert!(matches!(
        ask(&plan, "h", "/app"),
        Decision::Answer {
            answer: Answer::Redirect { status: 308, .. },
            ..
        }
    ));
    assert_eq!(
        refusal(&ask(&plan, "", "/app")),
        Some(Refusal::HostRequired)
    );
}

#[test]
fn hosts_under_other_certificate_rules_are_misdirected_before_anything_else() {
    let mut plan = plan_of(forward());
    let certificate = |name: &str, policy| crate::plan::Certificate {
        cert: "a.pem".into(),
        key: "a.key".into(),
        names: [name.into()].into(),
        policy: TlsPolicyId::new(policy),
        place: "a:1".into(),
        cert_span: None,
        key_span: None,
    };
    let certificates = [certificate("open", 0), certificate("guarded", 1)];
    let policies = [
        ClientAuth::None,
        ClientAuth::Required {
            ca: "ca.pem".into(),
            span: None,
        },
    ];
    plan.listeners.first_mut().unwrap().tls = Some(Tls {
        domains: Domains::new(&certificates, &policies),
        certificates: certificates.into(),
        only_tls13: false,
        strict_names: false,
        tickets: true,
        policies: policies.into(),
    });
    let tls = TlsFacts {
        name: "open".into(),
        rules: crate::domains::AuthMark::of(&ClientAuth::None),
        version: "TLSv1.3",
        cipher: "",
        client_subject: None,
        resumed: false,
    };
    let ask = |host| {
        let mut facts = fixture::facts(plan.listeners.first().unwrap(), host, "/nowhere", &());
        facts.tls = Some(&tls);
        refusal(&decide(
            &plan,
            &Live::new(&plan, 1),
            &facts,
            Moment::default(),
            Chance::none(),
        ))
    };
    assert_eq!(ask("guarded"), Some(Refusal::Misdirected));
    assert_eq!(ask("open"), Some(Refusal::NoRoute));
}
