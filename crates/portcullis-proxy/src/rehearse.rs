//! A request without a socket: parsed, understood, decided about and written by the code of the exchange.
//!
//! What `explain` and `test` say of a request is read off from what would be sent, so they cannot be wrong about it.

mod frames;

use std::sync::Arc;

use portcullis_http1::{Reject, Version};
use portcullis_http2::{PREFACE, Refusal};
use portcullis_plan::explain::{Explanation, Question, Spoken, explain, handshake_for};
use portcullis_plan::normalize::{self, PathRefusal};
use portcullis_plan::plan::Listener;
use portcullis_plan::{Answer, Chance, Decision, Facts, Forward, Live, Moment, Plan, decide};

use crate::answer;
use crate::client::Who;
use crate::desk::{RequestPart, ResponsePart};
use crate::exchange::limits_of;
use crate::failure::Failure;
use crate::forward;
use crate::heads::{self, RequestOptions};
use crate::http2;
use crate::relay::allowed_upgrade;
use crate::scene::{Scene, Story};
use crate::snapshot::Snapshot;
use crate::understand::understand;

/// The random bits that the id of a rehearsed request is made of, and that id. It is shown as `<new>`, since each request has another.
const NEW_BITS: u64 = 0x6e65_775f_7265_7175;
const NEW_ID: &str = "6e65775f726571756e65775f72657175";

/// What becomes of the request that `question` describes, as a message without a body.
///
/// `live` may be fresh, or that of the running process: then rate limits and servers are as they are now, and the
/// question counts against its limits like a request.
///
/// # Errors
/// When the question is no request, or no listener would get it: the reason, in words for the operator.
pub fn rehearse(
    plan: &Arc<Plan>,
    live: &Arc<Live>,
    question: &Question<'_>,
    now: Moment,
) -> Result<Explanation, String> {
    let (listener_id, listener) = question.listener(plan)?;
    if question.tls_name.is_some() && listener.tls.is_none() {
        return Err(format!("the listener `{}` has no TLS", listener.name));
    }
    let spoken = question.spoken(listener);
    let mut begun = Explanation::begun(question.to_string(), listener);
    let mut request = match take(question, listener, spoken)? {
        Ok(request) => request,
        Err(refusal) => {
            begun.protocol = protocol(spoken, None);
            refusal.tell(&mut begun);
            return Ok(begun);
        }
    };
    begun.protocol = protocol(spoken, Some(&request));
    let asked_name = question.tls_name.map_or_else(|| host(&request), asked_name);
    let who = Who {
        peer: question.peer(),
        local: question.local(listener),
        tls: handshake_for(&asked_name, listener).map(Box::new),
    };
    begun.tls_name = listener.tls.as_ref().map(|_| asked_name);
    if let Err(failure) = understand(&mut request, &who, listener, &mut || NEW_BITS) {
        Refused::Failed(failure).tell(&mut begun);
        return Ok(begun);
    }
    let snapshot = Snapshot {
        plan: Arc::clone(plan),
        live: Arc::clone(live),
        upstream_tls: Default::default(),
        generation: 0,
    };
    let Some(scene) = Scene::new(&snapshot, listener_id) else {
        return Err("the listener is gone".to_owned());
    };
    let facts = scene.facts(&who, &request);
    let decision = decide(plan, live, &facts, now, Chance::none());
    let asked = question.to_string();
    let mut explanation = explain(plan, live, &facts, &decision, asked, request.trusted);
    (explanation.protocol, explanation.tls_name) = (begun.protocol, begun.tls_name);
    show(&decision, scene, &who, &mut request, &mut explanation);
    hide_id(&mut explanation);
    Ok(explanation)
}

/// Puts `<new>` where the request's own id would stand.
fn hide_id(explanation: &mut Explanation) {
    let hide = |text: &mut String| *text = text.replace(NEW_ID, "<new>");
    hide(&mut explanation.verdict);
    explanation
        .answer
        .iter_mut()
        .for_each(|(_, value)| hide(value));
    if let Some(to) = &mut explanation.forwarding {
        hide(&mut to.target);
        hide(&mut to.host);
        to.sent.iter_mut().for_each(|(_, value)| hide(value));
    }
}

/// Why there is no request to decide about.
enum Refused {
    Rejected(Reject),
    Failed(Failure),
    /// Over HTTP/2, before it became a head.
    Malformed(Refusal),
}

impl Refused {
    fn tell(&self, explanation: &mut Explanation) {
        match self {
            Self::Rejected(reject) => {
                explanation.refuse(reject.status(), reject.code(), reject.text());
            }
            Self::Failed(failure) => {
                explanation.refuse(failure.status, failure.reason, reason(failure));
            }
            Self::Malformed(refusal) => explanation.reset(refusal.code(), refusal.text()),
        }
    }
}

/// The request as it comes in by the protocol that is spoken.
fn take(
    question: &Question<'_>,
    listener: &Listener,
    spoken: Spoken,
) -> Result<Result<RequestPart, Refused>, String> {
    let mut request = RequestPart::default();
    if let (true, Some(http2)) = (spoken.http2, &listener.http2) {
        let info = match frames::receive(question, listener, http2, &mut request.bytes)? {
            Ok(info) => info,
            Err(refusal) => return Ok(Err(Refused::Malformed(refusal))),
        };
        let judged = http2::judge(&mut request, &info, listener, &mut || 0);
        return Ok(judged.map(|()| request).map_err(Refused::Failed));
    }
    request.bytes = match spoken.http2 {
        true => PREFACE.to_vec(),
        false => question.head()?,
    };
    match request.head.parse(&request.bytes, &limits_of(listener)) {
        Ok(Some(length)) if length == request.bytes.len() => {
            request.framing = request.head.framing();
            Ok(match listener.http1 {
                true => Ok(request),
                false => Err(Refused::Failed(Failure::NOT_HTTP2)),
            })
        }
        Ok(_) => Err("a field holds the end of a line".to_owned()),
        Err(reject) => Ok(Err(Refused::Rejected(reject))),
    }
}

/// The version that is spoken, and how client and listener came to it.
fn protocol(spoken: Spoken, request: Option<&RequestPart>) -> String {
    let version = match (spoken.http2, request) {
        (true, _) => "HTTP/2.0",
        (false, Some(request)) if request.head.version() == Version::Http10 => "HTTP/1.0",
        (false, _) => "HTTP/1.1",
    };
    match spoken.why {
        "" => version.to_owned(),
        why => format!("{version}, {why}"),
    }
}

/// A name as the handshake compares it.
fn asked_name(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Adds what would be written: towards the server, or as our own answer.
fn show<'a>(
    decision: &Decision<'a>,
    mut scene: Scene<'a>,
    who: &Who,
    request: &mut RequestPart,
    explanation: &mut Explanation,
) {
    match decision {
        Decision::Answer { route, answer, .. } => {
            scene.route = *route;
            let facts = scene.facts(who, request);
            explanation.answer = our_answer(&scene, &facts, request, answer);
        }
        Decision::Forward(forward) => {
            if let Some(failure) = forward::refuses(request, forward) {
                explanation.forwarding = None;
                Refused::Failed(failure).tell(explanation);
                return;
            }
            scene.route = Some(forward.route_id);
            scene.service = Some(forward.service);
            let service = scene.snapshot.plan.service(forward.service);
            scene.server = service.and_then(|service| service.server_ids().next());
            let mut target = Vec::new();
            let prepared = forward.prepare(&scene.facts(who, request), &mut target);
            request.rewritten = target;
            let facts = scene.facts(who, request);
            if let Err(refusal) = prepared {
                explanation.answer = our_answer(&scene, &facts, request, &Answer::Refuse(refusal));
                return;
            }
            let head = upstream_head(&scene, &facts, request, forward);
            if let Some(forwarding) = &mut explanation.forwarding {
                forwarding.sent = fields(&head);
            }
        }
    }
}

/// The fields of an answer of our own.
fn our_answer(
    scene: &Scene<'_>,
    facts: &Facts<'_>,
    request: &RequestPart,
    answer: &Answer<'_>,
) -> Vec<(String, String)> {
    let mut text = Vec::new();
    let head = answer::compose(scene, facts, request, answer, &mut text);
    fields(text.get(..head).unwrap_or_default())
}

/// The head as the server sees it.
fn upstream_head(
    scene: &Scene<'_>,
    facts: &Facts<'_>,
    request: &RequestPart,
    forward: &Forward<'_>,
) -> Vec<u8> {
    let options = RequestOptions {
        expect_continue: request.expects_continue(),
        upgrade: allowed_upgrade(request, &forward.conduct.upgrade),
    };
    let mut head = Vec::new();
    let response = ResponsePart::default();
    let outcome = Story::default().outcome(scene, &response);
    heads::request(
        &mut head,
        request,
        facts,
        &outcome,
        forward.conduct,
        &options,
    );
    head
}

/// The host that a client asks for in its handshake.
fn host(request: &RequestPart) -> String {
    let mut scratch = Vec::new();
    let authority = request.head.authority().of(&request.bytes);
    normalize::host(authority, &mut scratch).0.to_owned()
}

fn reason(failure: &Failure) -> &'static str {
    let refusal = PathRefusal::ALL
        .iter()
        .find(|refusal| refusal.code() == failure.reason);
    let reject = Reject::ALL
        .iter()
        .find(|reject| reject.code() == failure.reason);
    let text = refusal
        .map(|refusal| refusal.text())
        .or(reject.map(|reject| reject.text()));
    text.unwrap_or(match failure.reason {
        "body-too-large" => "the body is larger than the route allows",
        "http1-not-served" => "the listener speaks HTTP/2 alone",
        "upgrade-not-allowed" => "the route has no such `upgrade`",
        _ => "the request is not understood",
    })
}

/// The fields of a head that we wrote.
fn fields(head: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(head);
    let lines = text.split("\r\n").skip(1);
    let pairs = lines.filter_map(|line| line.split_once(": "));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests;
