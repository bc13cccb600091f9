#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use crate::fixture::{self, TestFields};
use crate::outcome::{Deadline, EndedBy};
use crate::plan::{Action, Listener};
use crate::{Moment, Scheme, ServiceId, TlsFacts};

fn at(micros: u64) -> Moment {
    Moment::from_nanos(micros * 1000)
}

fn timings() -> Timings {
    Timings {
        start: at(1_000),
        head: Some(at(1_500)),
        attempt: Some(at(2_000)),
        connected: Some(at(2_250)),
        response: Some(at(5_000)),
        end: at(9_000),
        handshake: Some(Duration::from_micros(700)),
        wall_nanos: 1_795_197_920_677_000_000,
    }
}

fn outcome() -> Outcome<'static> {
    Outcome {
        route: None,
        service: None,
        server: None,
        status: 504,
        from_server: false,
        bytes_in: 10,
        bytes_out: 20,
        body_in: 5,
        body_out: 6,
        attempts: 2,
        reused: false,
        timings: timings(),
        ended_by: EndedBy::Deadline,
        deadline: Some(Deadline::ResponseHeader),
        reason: Some("slow"),
        upgraded: false,
        response_fields: None,
    }
}

/// What the template text gives for a request to `https://a.test:8443/x?y=1` as far as it went.
fn rendered(text: &str, with_outcome: bool) -> String {
    let listener: Listener = fixture::listener(Vec::new());
    let plan = fixture::plan(
        fixture::listener(Vec::new()),
        vec![fixture::route("api", Action::Forward(ServiceId::new(0)))],
    );
    let tls = TlsFacts {
        name: "a.test".into(),
        rules: crate::domains::AuthMark::of(&crate::plan::ClientAuth::None),
        version: "TLSv1.3",
        cipher: "TLS13_AES_128_GCM_SHA256",
        client_subject: Some("CN=me".into()),
        resumed: false,
    };
    let fields = TestFields::new(&[("user-agent", "curl/8"), ("accept", "a"), ("accept", "b")]);
    let response = TestFields::new(&[("server", "waitress")]);
    let facts = Facts {
        authority: b"a.test:8443",
        target: b"//x?y=1",
        query: Some(b"y=1"),
        scheme: Scheme::Https,
        request_id: b"id-1",
        tls: Some(&tls),
        route: plan.routes.first(),
        service: plan.services.first(),
        server: plan.servers.first(),
        ..fixture::facts(&listener, "a.test", "/x", &fields)
    };
    let outcome = Outcome {
        response_fields: Some(&response),
        ..outcome()
    };
    let template: portcullis_config::Template = text.parse().unwrap();
    let mut out = Vec::new();
    crate::headers::Template::from(&template).render(
        &facts,
        with_outcome.then_some(&outcome),
        &mut out,
    );
    String::from_utf8(out).unwrap()
}

#[test]
fn every_variable_has_its_value() {
    for (name, value) in [
        ("client_ip", "192.0.2.1"),
        ("client_port", "4000"),
        ("peer_ip", "192.0.2.1"),
        ("peer_port", "4000"),
        ("local_ip", "127.0.0.1"),
        ("local_port", "8080"),
        ("host", "a.test"),
        ("port", "8443"),
        ("scheme", "https"),
        ("method", "GET"),
        ("path", "/x"),
        ("query", "y=1"),
        ("target", "//x?y=1"),
        ("uri", "/x?y=1"),
        ("http_version", "HTTP/1.1"),
        ("request_id", "id-1"),
        ("tls_name", "a.test"),
        ("tls_version", "TLSv1.3"),
        ("tls_cipher", "TLS13_AES_128_GCM_SHA256"),
        ("client_cert_subject", "CN=me"),
        ("listener", "http"),
        ("route", "api"),
        ("route_place", "portcullis.toml:9"),
        ("service", "app"),
        ("server", "s1"),
        ("server_address", "127.0.0.1:9000"),
        ("status", "504"),
        ("attempts", "2"),
        ("time", "2026-11-20T18:05:20.669Z"),
        ("time_local", "20/Nov/2026:18:05:20 +0000"),
        ("bytes_in", "10"),
        ("bytes_out", "20"),
        ("body_bytes_out", "6"),
        ("duration", "8.000"),
        ("handshake_time", "0.700"),
        ("head_time", "0.500"),
        ("queue_time", "0.500"),
        ("connect_time", "0.250"),
        ("response_time", "2.750"),
        ("transfer_time", "4.000"),
        ("ended_by", "deadline"),
        ("deadline", "response_header"),
        ("reason", "slow"),
        ("request_header.user-agent", "curl/8"),
        ("request_header.accept", "a, b"),
        ("request_header.absent", ""),
        ("response_header.server", "waitress"),
    ] {
        assert_eq!(rendered(&format!("{{{name}}}"), true), value, "{name}");
    }
}

#[test]
fn no_variable_is_forgotten() {
    for (name, scope, _) in Variable::all() {
        let value = rendered(&format!("{{{name}}}"), true);
        assert!(!value.is_empty(), "{name} ({scope:?}) has no value");
    }
}

#[test]
fn variables_of_an_outcome_are_empty_without_one() {
    assert_eq!(
        rendered(
            "<{status}{duration}{time}{response_header.server}>{host}",
            false
        ),
        "<>a.test"
    );
}

#[test]
fn a_host_without_port_has_the_schemes() {
    let listener = fixture::listener(Vec::new());
    for (authority, port) in [
        ("a.test", "80"),
        ("[::1]", "80"),
        ("[::1]:81", "81"),
        ("", "80"),
        ("a.test:", "80"),
    ] {
        let facts = Facts {
            authority: authority.as_bytes(),
            ..fixture::facts(&listener, "a.test", "/", &())
        };
        let mut out = Vec::new();
        write_variable(&Variable::Port, &facts, None, &mut out);
        assert_eq!(out, port.as_bytes(), "{authority:?}");
    }
}
