//! Texts to plans.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use super::*;
use crate::fixture;
use crate::plan::{Action, Address, Bind, ClientAuth, HealthKind, PathRewrite};
use crate::{Facts, RouteId, Scheme};

/// Compiles a text that must be valid.
fn plan(text: &str) -> Plan {
    let (plan, diagnostics) = compiled(text);
    plan.unwrap_or_else(|| panic!("must compile: {diagnostics:#?}"))
}

fn compiled(text: &str) -> (Option<Plan>, Vec<Diagnostic>) {
    let loaded = fixture::load(text);
    let config = loaded
        .config
        .unwrap_or_else(|| panic!("must load: {:#?}", loaded.diagnostics));
    compile(&config, &loaded.sources, Machine { threads: 3 })
}

const SMALL: &str = r#"
[listener.web]
bind = [":8080", "unix:/run/web.sock"]
[listener.api]
bind = "127.0.0.1:9090"
timeouts = { request = "20s" }
[[route]]
name = "app"
path = "/app"
service = "app"
[defaults.timeouts]
connect = "7s"
[service.app]
servers = ["127.0.0.1:3000", { name = "u", address = "unix:/run/app.sock", weight = 2 }]
timeouts = { response_header = "9s" }
"#;

/// However many services take turns.
#[test]
fn routes_that_do_the_same_share_what_they_do() {
    let mut text = "[listener.web]\nbind = \":80\"\n".to_owned();
    for service in 0..20 {
        text += &format!("[service.s{service}]\nservers = [\"127.0.0.1:1\"]\n");
    }
    for route in 0..60 {
        let edit = match route {
            40 => "rewrite = { strip_prefix = true }\n",
            _ => "",
        };
        let service = route % 20;
        text += &format!(
            "[[route]]\nname = \"r{route}\"\npath = \"/{route}\"\nservice = \"s{service}\"\n{edit}"
        );
    }
    let plan = plan(&text);
    let same = |a: usize, b: usize| {
        let (a, b) = (plan.routes[a].conduct(), plan.routes[b].conduct());
        Arc::ptr_eq(a, b)
    };
    assert!((0..20).all(|route| same(route, route + 20)));
    assert!((1..20).all(|route| same(route, route + 40) && !same(route, route - 1)));
    assert!(!same(0, 40), "one strips its prefix");
}

#[test]
fn objects_are_laid_out_by_name_and_place() {
    let plan = plan(SMALL);
    let names: Vec<_> = plan
        .listeners
        .iter()
        .map(|listener| (&*listener.name, &*listener.place))
        .collect();
    assert_eq!(names, [("api", "test.toml:4"), ("web", "test.toml:2")]);
    assert_eq!(
        (&**plan.routes[0].name(), &**plan.routes[0].place()),
        ("app", "test.toml:7")
    );
    assert_eq!(plan.services[0].server_ids().len(), 2);
    assert_eq!(
        plan.servers[1].address,
        Address::Unix("/run/app.sock".into())
    );
    assert_eq!(
        (&*plan.servers[0].name, &*plan.servers[1].address_text),
        ("s1", "unix:/run/app.sock")
    );
    assert_eq!(plan.process.threads, 3, "auto takes what the machine has");
}

#[test]
fn wildcard_ipv6_takes_ipv4_unless_it_is_bound_elsewhere() {
    let dual = |text: &str| match plan(text).listeners[1].binds[0] {
        Bind::Tcp { dual_stack, .. } => dual_stack,
        Bind::Unix { .. } | Bind::Passed { .. } => panic!("TCP is bound first"),
    };
    assert!(dual(SMALL));
    assert!(!dual(&SMALL.replace("127.0.0.1:9090", "0.0.0.0:8080")));
}

#[test]
fn deadlines_are_inherited_and_know_their_place() {
    let plan = plan(SMALL);
    let entry = plan.listeners[0].router.entry(RouteId::new(0)).unwrap();
    assert_eq!(
        entry.timeouts.connect,
        Duration::from_secs(7),
        "from the defaults"
    );
    assert_eq!(
        entry.timeouts.response_header,
        Duration::from_secs(9),
        "from the service"
    );
    assert_eq!(
        entry.timeouts.request,
        Some(Duration::from_secs(20)),
        "from the listener"
    );
    let origin = |key| {
        entry
            .origins
            .iter()
            .find(|(own, _)| *own == key)
            .map(|(_, place)| &**place)
    };
    assert_eq!(origin("connect"), Some("test.toml:12"));
    assert_eq!(origin("response_header"), Some("test.toml:15"));
    assert_eq!(origin("client_write"), Some("default"));
}

fn with_route(route: &str) -> Plan {
    plan(&format!(
        "[listener.web]\nbind = \"127.0.0.1:0\"\n[service.app]\nservers = [\"127.0.0.1:1\"]\n[[route]]\nname = \"r\"\n{route}\n"
    ))
}

fn rendered(plan: &Plan, change: impl FnOnce(&mut Facts<'_>)) -> String {
    let Action::Redirect { to, .. } = &plan.routes[0].action else {
        panic!("must redirect")
    };
    let mut facts = fixture::facts(&plan.listeners[0], "h.example", "/a", &());
    facts.authority = b"h.example:8080";
    facts.query = Some(b"q=1");
    change(&mut facts);
    let mut out = Vec::new();
    to.render_field_value(&facts, None, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn redirects_keep_what_is_not_replaced() {
    for (redirect, expected) in [
        (
            r#"redirect = "https://{host}{path}""#,
            "https://h.example/a",
        ),
        (
            r#"redirect = { scheme = "https" }"#,
            "https://h.example/a?q=1",
        ),
        (r#"redirect = { host = "other" }"#, "http://other/a?q=1"),
        (
            r#"redirect = { path = "/b{path}" }"#,
            "http://h.example:8080/b/a?q=1",
        ),
    ] {
        assert_eq!(
            rendered(&with_route(redirect), |_| ()),
            expected,
            "{redirect}"
        );
    }
    let own = with_route(r#"redirect = { path = "/b" }"#);
    assert_eq!(
        rendered(&own, |facts| (facts.scheme, facts.query) =
            (Scheme::Https, None)),
        "https://h.example:8080/b"
    );
}

#[test]
fn prefixes_are_stripped_and_replaced() {
    let rewrite = |path: &str, rewrite: &str| {
        let plan = with_route(&format!(
            "service = \"app\"\npath = \"{path}\"\nrewrite = {{ {rewrite} }}"
        ));
        plan.routes[0].path.clone()
    };
    let replaced = |length, with: &str| PathRewrite::ReplacePrefix {
        length,
        with: with.into(),
    };
    assert_eq!(rewrite("/v1/x", "strip_prefix = true"), replaced(5, ""));
    assert_eq!(rewrite("/v1/x", "strip_prefix = \"/v1\""), replaced(3, ""));
    assert_eq!(
        rewrite("/v1", "replace_prefix = \"/v2/\""),
        replaced(3, "/v2")
    );
    assert_eq!(rewrite("/v1", "replace_prefix = \"/\""), replaced(3, ""));
}

#[test]
fn fixed_answers_say_what_they_are() {
    let plan = with_route(r#"respond = { status = 404, body = "no" }"#);
    let Action::Respond(response) = &plan.routes[0].action else {
        panic!("must respond")
    };
    assert_eq!((response.status, &*response.body), (404, &b"no"[..]));
    assert_eq!(
        response.fields[0].1.as_constant(),
        Some("text/plain; charset=utf-8")
    );
}

#[test]
fn limits_belong_to_their_owners() {
    let plan = with_route(
        "service = \"app\"\nbody_limit = \"off\"\nrate_limit = { rate = \"50/s\", key = { header = \"X-Key\" } }",
    );
    let route = &plan.routes[0];
    let limit = plan.limit(route.rate_limit.unwrap()).unwrap();
    assert_eq!(
        (&*limit.name, limit.count, limit.burst, limit.status),
        ("route r", 50, 50, 429)
    );
    assert_eq!(limit.key, LimitKey::Header("x-key".into()));
    assert_eq!(route.body_limit, Some(None));
}

#[test]
fn health_checks_without_a_path_only_connect() {
    let text = SMALL.replace(
        "[service.app]",
        "[service.app]\nhealth = { http = \"/up\", expect = [200, \"3xx\"] }",
    );
    let health = plan(&text).services[0].health.clone().unwrap();
    assert!(
        matches!(health.kind, HealthKind::Http { expect, .. } if *expect == [(200, 200), (300, 399)])
    );
    let text = SMALL.replace("[service.app]", "[service.app]\nhealth = { tcp = true }");
    assert_eq!(
        plan(&text).services[0].health.as_ref().unwrap().kind,
        HealthKind::Tcp
    );
}

const TLS: &str = r#"
[listener.web]
bind = "127.0.0.1:443"
[listener.web.tls]
certificates = [
  { cert = "a.pem", key = "a.key" },
  { cert = "b.pem", key = "b.key", names = ["b.example"], client_auth = { ca = "ca.pem" } },
  { cert = "c.pem", key = "c.key", names = ["c.example"], client_auth = { ca = "ca.pem" } },
]
[[route]]
respond = { status = 204 }
"#;

#[test]
fn equal_rules_about_client_certificates_are_one() {
    let plan = plan(TLS);
    let tls = plan.listeners[0].tls.as_ref().unwrap();
    assert_eq!(tls.policies.len(), 2);
    assert!(matches!(tls.policies[0], ClientAuth::None));
    let policies: Vec<_> = tls
        .certificates
        .iter()
        .map(|certificate| certificate.policy.index())
        .collect();
    assert_eq!(policies, [0, 1, 1]);
    assert!(
        tls.domains
            .misdirects("b.example", crate::domains::AuthMark::of(&tls.policies[0]))
    );
    assert!(
        !tls.domains
            .misdirects("b.example", crate::domains::AuthMark::of(&tls.policies[1]))
    );
}

#[test]
fn own_rules_about_client_certificates_need_names() {
    let (plan, diagnostics) = compiled(&TLS.replace("names = [\"b.example\"], ", ""));
    assert!(plan.is_none());
    let codes: Vec<_> = diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code)
        .collect();
    assert_eq!(codes, ["client-auth-names"]);
}

#[test]
fn fingerprint_tells_configurations_apart() {
    assert_eq!(plan(SMALL).fingerprint, plan(SMALL).fingerprint);
    assert_ne!(
        plan(SMALL).fingerprint,
        plan(&SMALL.replace("7s", "8s")).fingerprint
    );
    assert_ne!(
        plan(SMALL).fingerprint,
        plan(&SMALL.replace("/app\"\ns", "/apq\"\ns")).fingerprint
    );
}
