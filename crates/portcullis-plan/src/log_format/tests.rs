#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::fixture::{self, TestFields};
use crate::outcome::{Deadline, EndedBy, Timings};
use crate::plan::Action;
use crate::{Moment, RouteId, ServerId, ServiceId, TlsFacts};

fn at(millis: u64) -> Moment {
    Moment::from_nanos(millis * 1_000_000)
}

/// A request that `s1` of `app` answered with 200 after 30 ms.
fn good() -> Outcome<'static> {
    Outcome {
        route: Some(RouteId::new(0)),
        service: Some(ServiceId::new(0)),
        server: Some(ServerId::new(0)),
        status: 200,
        from_server: true,
        bytes_in: 100,
        bytes_out: 1188,
        body_in: 0,
        body_out: 1000,
        attempts: 1,
        reused: false,
        timings: Timings {
            start: at(10),
            head: Some(at(11)),
            attempt: Some(at(13)),
            connected: Some(at(16)),
            response: Some(at(30)),
            end: at(40),
            handshake: None,
            wall_nanos: 1_795_197_920_699_000_000,
        },
        ended_by: EndedBy::Completed,
        deadline: None,
        reason: None,
        upgraded: false,
        response_fields: None,
    }
}

/// A head that was refused.
fn malformed() -> Outcome<'static> {
    Outcome {
        route: None,
        service: None,
        server: None,
        status: 400,
        from_server: false,
        attempts: 0,
        timings: Timings {
            start: at(10),
            end: at(10),
            wall_nanos: 1_795_197_920_669_000_000,
            ..Timings::default()
        },
        ended_by: EndedBy::Client,
        reason: Some("obs-fold"),
        ..good()
    }
}

struct Request {
    method: &'static str,
    target: Vec<u8>,
    fields: TestFields,
    tls: Option<TlsFacts>,
}

impl Request {
    fn new(method: &'static str, target: &str) -> Self {
        let fields = TestFields::new(&[
            ("user-agent", "curl/8 \"x\""),
            ("referer", "https://b.test/"),
        ]);
        Self {
            method,
            target: target.into(),
            fields,
            tls: None,
        }
    }

    fn line(&self, format: &LogFormat, outcome: &Outcome<'_>) -> String {
        let routes = vec![fixture::route("api", Action::Forward(ServiceId::new(0)))];
        let plan = fixture::plan(fixture::listener(Vec::new()), routes);
        let live = Live::new(&plan, 1);
        live.process.try_open(10);
        live.listeners[0].try_open(crate::WorkerId::new(0), 10);
        let facts = Facts {
            method: self.method.as_bytes(),
            target: &self.target,
            request_id: b"id-1",
            tls: self.tls.as_ref(),
            ..fixture::facts(&plan.listeners[0], "a.test", "/", &self.fields)
        };
        let mut out = Vec::new();
        format.write_line(&plan, &live, &facts, outcome, &mut out);
        let line = String::from_utf8(out).unwrap();
        line.strip_suffix('\n').unwrap().to_owned()
    }
}

fn line(format: &LogFormat, outcome: &Outcome<'_>) -> String {
    Request::new("GET", "/x?y=1").line(format, outcome)
}

#[test]
fn haproxy_lines_are_those_of_httplog() {
    assert_eq!(
        line(&LogFormat::Haproxy, &good()),
        "192.0.2.1:4000 [20/Nov/2026:18:05:20.669] http app/s1 1/2/3/14/30 200 1188 - - ---- 1/1/0/0/0 0/0 \"GET /x?y=1 HTTP/1.1\""
    );
    assert_eq!(
        Request::new("", "").line(&LogFormat::Haproxy, &malformed()),
        "192.0.2.1:4000 [20/Nov/2026:18:05:20.669] http http/<NOSRV> -1/-1/-1/-1/0 400 1188 - - PR-- 1/1/0/0/0 0/0 \"<BADREQ>\""
    );
}

#[test]
fn haproxy_lines_mark_tls_and_escape_the_request() {
    let mut request = Request::new("GET", "/\"#");
    request.tls = Some(tls());
    let line = request.line(
        &LogFormat::Haproxy,
        &Outcome {
            attempts: 3,
            ..good()
        },
    );
    assert!(line.contains("] http~ app/s1 "), "{line}");
    assert!(
        line.ends_with("1/1/0/0/2 0/0 \"GET /#22#23 HTTP/1.1\""),
        "{line}"
    );
}

#[test]
fn termination_flags_say_who_and_when() {
    let flags = |outcome: Outcome<'_>| {
        let line = line(&LogFormat::Haproxy, &outcome);
        line.split(' ').nth(9).unwrap().to_owned()
    };
    let ended = |ended_by, deadline| Outcome {
        ended_by,
        deadline,
        ..good()
    };
    let reached = |connected, response, outcome: Outcome<'static>| Outcome {
        timings: Timings {
            connected,
            response,
            ..outcome.timings
        },
        ..outcome
    };
    let local = Outcome {
        service: None,
        server: None,
        from_server: false,
        attempts: 0,
        ..malformed()
    };
    let answered = Outcome {
        status: 302,
        ended_by: EndedBy::Completed,
        ..local
    };
    assert_eq!(flags(answered), "LR--");
    assert_eq!(
        flags(Outcome {
            status: 404,
            ended_by: EndedBy::Policy,
            ..malformed()
        }),
        "PR--"
    );
    assert_eq!(
        flags(Outcome {
            status: 0,
            ..malformed()
        }),
        "CR--"
    );
    let header = Some(Deadline::ClientHeader);
    assert_eq!(
        flags(Outcome {
            status: 408,
            ended_by: EndedBy::Deadline,
            deadline: header,
            ..malformed()
        }),
        "cR--"
    );
    let no_server = Outcome {
        service: Some(ServiceId::new(0)),
        status: 503,
        ended_by: EndedBy::Policy,
        ..malformed()
    };
    assert_eq!(flags(no_server), "SC--");
    assert_eq!(
        flags(reached(None, None, ended(EndedBy::Server, None))),
        "SC--"
    );
    assert_eq!(
        flags(reached(
            None,
            None,
            ended(EndedBy::Deadline, Some(Deadline::Connect))
        )),
        "sC--"
    );
    let connected = Some(at(16));
    assert_eq!(
        flags(reached(
            connected,
            None,
            ended(EndedBy::Deadline, Some(Deadline::ResponseHeader))
        )),
        "sH--"
    );
    assert_eq!(
        flags(reached(connected, None, ended(EndedBy::Server, None))),
        "SH--"
    );
    assert_eq!(
        flags(reached(connected, None, ended(EndedBy::Client, None))),
        "CH--"
    );
    assert_eq!(flags(ended(EndedBy::Client, None)), "CD--");
    assert_eq!(flags(ended(EndedBy::Server, None)), "SD--");
    assert_eq!(
        flags(ended(EndedBy::Deadline, Some(Deadline::ClientWrite))),
        "cD--"
    );
    assert_eq!(flags(ended(EndedBy::Shutdown, None)), "KD--");
    assert_eq!(flags(ended(EndedBy::Internal, None)), "ID--");
}

#[test]
fn combined_lines_are_those_of_nginx() {
    assert_eq!(
        line(&LogFormat::Combined, &good()),
        "192.0.2.1 - - [20/Nov/2026:18:05:20 +0000] \"GET /x?y=1 HTTP/1.1\" 200 1000 \"https://b.test/\" \"curl/8 \\x22x\\x22\""
    );
    let mut bare = Request::new("", "");
    bare.fields = TestFields::new(&[]);
    assert_eq!(
        bare.line(
            &LogFormat::Combined,
            &Outcome {
                status: 0,
                body_out: 0,
                ..malformed()
            }
        ),
        "192.0.2.1 - - [20/Nov/2026:18:05:20 +0000] \"-\" 499 0 \"-\" \"-\""
    );
}

fn tls() -> TlsFacts {
    TlsFacts {
        name: "a.test".into(),
        rules: crate::domains::AuthMark::of(&crate::plan::ClientAuth::None),
        version: "TLSv1.3",
        cipher: "TLS13_AES_128_GCM_SHA256",
        client_subject: None,
        resumed: true,
    }
}

#[test]
fn json_lines_say_everything() {
    let mut request = Request::new("GET", "/x?y=1");
    request.tls = Some(tls());
    let timings = Timings {
        handshake: Some(Duration::from_micros(1500)),
        ..good().timings
    };
    let line = request.line(&LogFormat::Json, &Outcome { timings, ..good() });
    let expected = concat!(
        r#"{"time":"2026-11-20T18:05:20.669Z","listener":"http","route":"api","route_place":"portcullis.toml:9","#,
        r#""service":"app","server":"s1","server_address":"127.0.0.1:9000","attempts":1,"client":"192.0.2.1","#,
        r#""client_port":4000,"peer":"192.0.2.1","request_id":"id-1","method":"GET","scheme":"http","host":"a.test","#,
        r#""target":"/x?y=1","version":"HTTP/1.1","referer":"https://b.test/","user_agent":"curl/8 \"x\"","#,
        r#""status":200,"bytes_in":100,"bytes_out":1188,"body_in":0,"body_out":1000,"ended_by":"completed","#,
        r#""deadline":null,"reason":null,"reused":false,"upgraded":false,"duration_ms":30.000,"handshake_ms":1.500,"#,
        r#""head_ms":1.000,"queue_ms":2.000,"connect_ms":3.000,"response_ms":14.000,"transfer_ms":10.000,"#,
        r#""tls":{"version":"TLSv1.3","cipher":"TLS13_AES_128_GCM_SHA256","name":"a.test","client_subject":null,"resumed":true}}"#,
    );
    assert_eq!(line, expected);
}

#[test]
fn json_lines_of_malformed_requests_have_the_same_keys() {
    let keys = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let bad = Request::new("", "").line(&LogFormat::Json, &malformed());
    assert_eq!(keys(&bad), keys(&line(&LogFormat::Json, &good())));
    assert!(
        bad.contains(r#""route":null"#) && bad.contains(r#""reason":"obs-fold""#),
        "{bad}"
    );
}

#[test]
fn template_lines_escape_values_and_not_the_operators_text() {
    let text: portcullis_config::Template =
        "\"{request_header.user-agent}\" é {status} {deadline} {host}"
            .parse()
            .unwrap();
    let format = LogFormat::Template(Template::from(&text));
    assert_eq!(
        line(&format, &good()),
        "\"curl/8 \\x22x\\x22\" é 200 - a.test"
    );
}

#[test]
fn rendering_again_needs_no_more_room() {
    let request = Request::new("GET", "/x");
    for format in [LogFormat::Json, LogFormat::Combined, LogFormat::Haproxy] {
        assert!(
            request.line(&format, &good()).len() < 1024,
            "a common line fits a small buffer"
        );
    }
}

proptest! {
    #[test]
    fn no_request_breaks_a_line(target: Vec<u8>, agent in "\\PC*|[\\x00-\\x7f]*", status: u16) {
        let mut request = Request::new("GET", "");
        request.target = target.clone();
        request.fields = TestFields::new(&[("user-agent", &agent)]);
        let outcome = Outcome { status, ..good() };
        let json = request.line(&LogFormat::Json, &outcome);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&value["target"], &serde_json::json!((!target.is_empty()).then(|| String::from_utf8_lossy(&target))));
        prop_assert_eq!(&value["user_agent"], &serde_json::json!(agent));
        for format in [LogFormat::Json, LogFormat::Combined, LogFormat::Haproxy] {
            prop_assert!(!request.line(&format, &outcome).contains(char::is_control));
        }
        prop_assert_eq!(request.line(&LogFormat::Combined, &outcome).matches('"').count(), 6);
        prop_assert_eq!(request.line(&LogFormat::Haproxy, &outcome).matches('"').count(), 2);
    }
}
