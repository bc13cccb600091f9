//! Which route wins for a request and why each other one loses: the walk of the data plane, narrated.
//!
//! [`explain`] is given the facts of a request and what [`decide`](crate::decide) said of them, both by the data plane's
//! rehearsal of it, and tells why. It says what it found as data; its `Display` is for people, [`Explanation::json`] for programs.

mod candidates;
mod conditions;
mod forward;
mod precedence;
mod question;
mod show;
mod traffic;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;

use crate::decide::{Answer, Decision, Refusal};
use crate::plan::{Listener, Plan};
use crate::redirect;
use crate::{Facts, ListenerId, Live, Scheme, TlsFacts};

pub use candidates::Candidate;
pub use forward::{Forwarding, ServerState};
pub use question::{Question, Spoken};

/// What becomes of a request, and why.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Method and target asked about.
    pub request: String,
    /// The listener's name.
    pub listener: String,
    /// Its `file:line`.
    pub listener_place: String,
    /// The version of HTTP that client and listener settle on, and how where they had a choice.
    pub protocol: String,
    /// The name that the client asks for in its handshake, empty for none; `None` without TLS.
    pub tls_name: Option<String>,
    /// The certificate that such a client is shown, by `file:line`, where somebody who has read them tells.
    pub certificate: Option<String>,
    /// Host as compared: lower case, without port.
    pub host: String,
    /// Path as compared and sent.
    pub path: String,
    /// The client that is believed.
    pub client: Option<IpAddr>,
    /// Whether the peer's forwarding fields were believed.
    pub trusted: bool,
    /// The scheme that is believed.
    pub scheme: Scheme,
    /// Every route, in file order, with what became of it. Empty if the path was refused before routing.
    pub candidates: Vec<Candidate>,
    /// What the answer is, in one line.
    pub verdict: String,
    /// `file:line` of what says so, where that is no route.
    pub verdict_place: Option<String>,
    /// The route that takes it, if one does.
    pub route: Option<String>,
    /// Status of an answer of our own; `None` for a forwarded request.
    pub status: Option<u16>,
    /// Fields of an answer of our own, where it was rehearsed.
    pub answer: Vec<(String, String)>,
    /// A digest of the body of a configured answer; equal bodies have equal ones.
    pub body_digest: Option<u64>,
    /// Where a forwarded request goes and how it is changed.
    pub forwarding: Option<Forwarding>,
}

/// Explains the decision about the request with these facts. `request` is how it is shown; `trusted`, whether the peer's
/// forwarding fields were believed.
#[must_use]
pub fn explain(
    plan: &Plan,
    live: &Live,
    facts: &Facts<'_>,
    decision: &Decision<'_>,
    request: String,
    trusted: bool,
) -> Explanation {
    let mut explanation = Explanation::begun(request, facts.listener);
    explanation.host = facts.host.to_owned();
    explanation.path = String::from_utf8_lossy(facts.path).into_owned();
    explanation.client = facts.client;
    explanation.trusted = trusted;
    explanation.scheme = facts.scheme;
    explanation.candidates = candidates::all(plan, facts.listener_id, facts);
    explanation.conclude(plan, live, facts, decision);
    explanation
}

/// The handshake that a client makes who asks for this host, under the rules about client certificates that guard it.
#[must_use]
pub fn handshake_for(host: &str, listener: &Listener) -> Option<TlsFacts> {
    let domains = &listener.tls.as_ref()?.domains;
    Some(TlsFacts {
        name: host.into(),
        rules: domains.mark(domains.policy(host))?,
        version: "TLSv1.3",
        cipher: "",
        client_subject: None,
        resumed: false,
    })
}

impl Explanation {
    /// Of a request that came in by this listener, before anything else is known.
    #[must_use]
    pub fn begun(request: String, listener: &Listener) -> Self {
        Self {
            request,
            listener: listener.name.to_string(),
            listener_place: listener.place.to_string(),
            protocol: String::new(),
            tls_name: None,
            certificate: None,
            host: String::new(),
            path: String::new(),
            client: None,
            trusted: false,
            scheme: if listener.tls.is_some() {
                Scheme::Https
            } else {
                Scheme::Http
            },
            candidates: Vec::new(),
            verdict: String::new(),
            verdict_place: None,
            route: None,
            status: None,
            answer: Vec::new(),
            body_digest: None,
            forwarding: None,
        }
    }

    /// The request is refused before any route is looked at.
    pub fn refuse(&mut self, status: u16, code: &str, why: &str) {
        self.status = Some(status);
        self.verdict = format!("refused with {status} ({code}): {why}");
    }

    /// The request is malformed in a way that gets no answer over HTTP/2.
    pub fn reset(&mut self, code: &str, why: &str) {
        self.verdict = format!("reset ({code}): {why}");
    }

    /// There is no request, since the handshake fails: what was said of it is taken back.
    pub fn refuse_handshake(&mut self, why: &str) {
        self.candidates.clear();
        self.answer.clear();
        (self.route, self.status, self.forwarding) = (None, None, None);
        self.verdict = format!("no request: the handshake is refused, {why}");
    }

    /// Says what the decision is.
    fn conclude(&mut self, plan: &Plan, live: &Live, facts: &Facts<'_>, decision: &Decision<'_>) {
        match decision {
            Decision::Forward(forward) => {
                let route = plan.route(forward.route_id);
                let name = route.map_or("?", |route| route.name());
                self.route = Some(name.to_owned());
                let facts = &Facts {
                    route,
                    service: plan.service(forward.service),
                    ..*facts
                };
                if let Err(refusal) = forward.prepare(facts, &mut Vec::new()) {
                    self.status = Some(refusal.status());
                    self.verdict = format!("route `{name}` {}", refused(refusal));
                    return;
                }
                let service = plan
                    .service(forward.service)
                    .map_or("?", |service| &service.name);
                self.verdict = format!("route `{name}` forwards to service `{service}`");
                self.forwarding = Some(Forwarding::of(plan, live, facts, forward));
            }
            Decision::Answer { route, answer, .. } => {
                let route = route.and_then(|id| plan.route(id));
                self.route = route.map(|route| route.name().to_string());
                let by = match (route, &answer) {
                    (Some(route), _) => format!("route `{}` ", route.name()),
                    (None, Answer::Maintenance(_)) => format!("listener `{}` ", self.listener),
                    (None, _) => String::new(),
                };
                let facts = Facts { route, ..*facts };
                let (status, text) = answer_text(answer, &facts);
                self.status = Some(status);
                self.verdict = by + &text;
                match answer {
                    Answer::Maintenance(closed) => {
                        self.verdict_place = Some(closed.place.to_string());
                    }
                    Answer::Respond(response) => self.body_digest = Some(digest(&response.body)),
                    _ => {}
                }
            }
        }
    }
}

fn digest(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}

fn answer_text(answer: &Answer<'_>, facts: &Facts<'_>) -> (u16, String) {
    match answer {
        Answer::HttpsRedirect { port } => (
            308,
            format!(
                "redirects with 308 to https on port {port}: the listener has `redirect_https`"
            ),
        ),
        Answer::Redirect { status, to } => {
            let mut location = Vec::new();
            redirect::location(to, facts, None, &mut location);
            (
                *status,
                format!(
                    "redirects with {status} to {}",
                    String::from_utf8_lossy(&location)
                ),
            )
        }
        Answer::Respond(response) => (
            response.status,
            format!(
                "answers {} with {} bytes",
                response.status,
                response.body.len()
            ),
        ),
        Answer::Maintenance(closed) => (
            closed.status,
            format!("is closed for maintenance: answers {}", closed.status),
        ),
        Answer::Refuse(refusal) => (refusal.status(), refused(*refusal)),
    }
}

fn refused(refusal: Refusal) -> String {
    format!("refuses with {} ({})", refusal.status(), refusal.code())
}

/// The listener with this id and its position.
fn numbered(plan: &Plan) -> impl Iterator<Item = (ListenerId, &Listener)> {
    plan.listeners
        .iter()
        .enumerate()
        .map(|(index, listener)| (ListenerId::new(index), listener))
}
