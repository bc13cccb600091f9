//! What is done with shares of a route's requests: splits between services, injected faults.

use std::time::Duration;

use super::{Conditions, Context, Out, Shape, Val, Value, section, text_literal};
use crate::diagnostic::Diagnostic;
use crate::tree::{Kind, Node};
use crate::values::{ByteSize, CookieName, FieldName, Percent, Status, quoted};

section! {
    /// The services that the requests of a route are split between.
    pub struct Split {
        /// The services with their weights.
        services: required Vec<Val<Variant>>,
        /// What keeps a client with one service: `"client_ip"`, `{ header = "x-user" }`, `{ cookie = "session" }`, or
        /// `{ set_cookie = "variant" }` for a cookie of our own. Every request by itself when absent.
        sticky: optional Sticky,
    }
    shorthand: Shape::List(Box::new(Variant::shape())), services_alone;
}

/// The services alone: `split = [{ service = "a", weight = 9 }, { service = "b" }]`.
fn services_alone(node: &Node, cx: &mut Context<'_>) -> Option<Split> {
    if !matches!(node.kind, Kind::Array(_)) {
        return cx.wrong_type(
            node,
            "a list of services",
            Some("[{ service = \"old\", weight = 95 }, { service = \"new\", weight = 5 }]"),
        );
    }
    let services = Vec::<Val<Variant>>::decode(node, cx)?;
    Some(Split {
        services: Val::written(services, node.span),
        sticky: None,
    })
}

section! {
    /// A service of a split.
    pub struct Variant {
        /// Its name.
        service: required String,
        /// Its share of the requests, in proportion to the others; 0 gives it only those that are forced.
        weight: default u64 [0..=1_000_000] = 1,
        /// Requests that get this service whatever the weights: those for which one of these conditions holds.
        force: optional Conditions,
    }
}

/// What keeps a client with one service of a split.
#[derive(Clone, Debug, PartialEq)]
pub enum Sticky {
    /// The client's address decides.
    ClientIp,
    /// Something that the request brings decides.
    By(StickyBy),
}

section! {
    /// What of a request keeps its client with one service; one of the three. Without it in a request the weights decide.
    pub struct StickyBy {
        /// The header whose value decides.
        header: optional FieldName,
        /// The application's own cookie whose value decides.
        cookie: optional CookieName,
        /// A cookie that is set to the name of the service, and believed when it comes back.
        set_cookie: optional CookieName,
        /// How long browsers keep the cookie that is set, in whole seconds.
        max_age: default Duration = "30d",
    }
}

impl Value for Sticky {
    fn shape() -> Shape {
        Shape::AnyOf(vec![
            Shape::Words(vec![("client_ip", "The client's address decides.")]),
            StickyBy::shape(),
        ])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text == "client_ip" => Some(Self::ClientIp),
            Kind::Table(_) => StickyBy::decode(node, cx).map(Self::By),
            Kind::Text(text) => {
                let message = format!("{} is not what a client can be kept by", quoted(text));
                let diagnostic = Diagnostic::error("invalid-value", message).at(node.span, "");
                cx.report(diagnostic.help(format!(
                    "write \"client_ip\", {{ header = \"{text}\" }}, {{ cookie = \"{text}\" }} or {{ set_cookie = \"{text}\" }}"
                )));
                None
            }
            _ => cx.wrong_type(
                node,
                "\"client_ip\" or a table",
                Some("\"client_ip\" or { cookie = \"session\" }"),
            ),
        }
    }

    fn write(&self) -> Out {
        match self {
            Self::ClientIp => Out::Inline(text_literal("client_ip")),
            Self::By(by) => by.write(),
        }
    }
}

section! {
    /// Faults that are injected, to see what becomes of clients when a service is slow or fails.
    pub struct Fault {
        /// Requests that wait before anything is done with them: `{ time = "200ms", share = "5%" }`.
        delay: optional Delay,
        /// Requests that are answered with an error: `{ status = 503, share = "1%" }`.
        abort: optional Abort,
        /// Only requests for which one of these conditions holds; all when absent.
        when: optional Conditions,
    }
}

section! {
    /// Requests that wait.
    pub struct Delay {
        /// How long. The deadline `request` goes on meanwhile.
        time: required Duration,
        /// How many of the requests.
        share: default Percent = "100%",
    }
}

section! {
    /// Requests that are answered with an error.
    pub struct Abort {
        /// Its status, an error; write `respond` for another answer.
        status: required Status [400..=599],
        /// How many of the requests.
        share: default Percent = "100%",
    }
}

section! {
    /// Copies of a share of the requests for a second service, whose answers are dropped. The first service and the client notice nothing.
    pub struct Mirror {
        /// The service that gets the copies. It must speak HTTP/1.1.
        service: required String,
        /// How many of the requests.
        share: default Percent = "100%",
        /// Requests with a larger body are not copied.
        body_limit: default ByteSize = "64KiB",
        /// The most copies under way at once, per worker thread; more are not made.
        max_in_flight: default u64 [1..=10_000] = 64,
        /// How long a copy may take, from connecting to the end of the answer.
        timeout: default Duration = "10s",
    }
    shorthand: Shape::Text { what: "the name of a service", example: "shadow" }, mirror_alone;
}

/// A service alone: `mirror = "shadow"`.
fn mirror_alone(node: &Node, cx: &mut Context<'_>) -> Option<Mirror> {
    let service = String::decode(node, cx)?;
    let mut mirror: Mirror = super::decode::default_value("{ service = \"\" }");
    mirror.service = Val::written(service, node.span);
    Some(mirror)
}
