//! `[[route]]`: which requests, and what becomes of them.

use super::{
    Condition, Context, CookieMatch, Fault, Field, HeaderEdits, HeaderMatch, Line, LoadedFile,
    Maintenance, Mirror, Out, QueryMatch, RateLimit, Reader, Rewrite, RouteTimeouts, Shape, Split,
    Val, Value, choice, section,
};
use crate::diagnostic::Diagnostic;
use crate::tree::Node;
use crate::values::{
    ByteSize, CookieName, FieldName, FieldValue, HostMatch, HostPattern, MethodName, Network,
    ParameterName, PathPattern, Status, Template, Token,
};

section! {
    /// Which requests, and what becomes of them. All conditions of a route must hold; of those that match, the most special one
    /// wins: by host, then path, then method, then the number of other conditions, then order in the file. See [routing](routing.md).
    pub struct Route {
        /// Its name in logs and metrics; `route-N` by position when absent.
        name: named String,
        /// The listeners it serves; all when absent.
        listeners: optional Vec<Val<String>>,
        /// The hosts it is for: names, `"*.example.com"` for everything below, or `{ regex = '...' }`. Any when absent.
        hosts: optional Vec<Val<HostMatch>>,
        /// The paths it is for: `"/v1"` for that and everything below it, `{ exact = "/x" }`, `{ template = "/users/{id}" }` or
        /// `{ regex = '/x/(\d+)' }`. Any when absent.
        path: optional PathPattern,
        /// The methods it is for. Any but CONNECT and TRACE when absent.
        methods: optional Vec<Val<MethodName>>,
        /// Headers the request must have: with a value, with any (`true`), not (`false`), or with one that matches `{ regex = '...' }`.
        /// A header that comes several times must satisfy it each time.
        headers: default Vec<(Val<FieldName>, Val<HeaderMatch>)> = {},
        /// Parameters the query must have, like `headers`. Names and values are compared decoded: `%20` and `+` are a space.
        query: default Vec<(Val<ParameterName>, Val<QueryMatch>)> = {},
        /// Cookies the request must have, like `headers`. Values are compared as sent.
        cookies: default Vec<(Val<CookieName>, Val<CookieMatch>)> = {},
        /// Networks of the clients it is for, `"unix"` for clients on a Unix socket; the client is the one that is believed, through
        /// `trusted_proxies`. Any when absent.
        clients: optional Vec<Val<Network>>,
        /// Names the client must have asked for in the TLS handshake: like `hosts`, without expressions. Any, and no TLS, when absent.
        tls_names: optional Vec<Val<HostPattern>>,
        /// A further condition: groups of conditions, or the name of a `[condition.NAME]`.
        when: rare Condition,
        /// A route with a higher number wins over one with a lower, whatever else they say. Every number in use is a search of its
        /// own, so use few.
        priority: default i32 = 0,
        /// What becomes of the request: one of `service`, `split`, `redirect`, `respond`.
        action: group RouteAction,
        /// What is changed on the way to the service and back.
        rewrite: rare Rewrite,
        /// Turn its requests away: `true`, or how.
        maintenance: default Maintenance = false,
        /// A second service that gets copies of its requests.
        mirror: rare Mirror,
        /// Faults to inject.
        fault: rare Fault,
        /// The protocols a client may upgrade to; none when empty.
        upgrade: default Vec<Val<Token>> = ["websocket"],
        /// The most bytes of a request body, or `"off"`, instead of the listener's.
        body_limit: optional Option<ByteSize>,
        /// How often one client may ask.
        rate_limit: rare RateLimit,
        /// Timeouts, instead of the service's and the listener's.
        timeouts: default RouteTimeouts = {},
    }
    not yet: "cache", "auth";
}

impl Route {
    /// The names of the services it forwards to, and of the one that gets copies.
    #[must_use]
    pub fn services(&self) -> Vec<&Val<String>> {
        let mut services = self.forwards_to();
        services.extend(self.mirror.as_ref().map(|mirror| &mirror.service));
        services
    }

    fn forwards_to(&self) -> Vec<&Val<String>> {
        match &self.action {
            RouteAction::Service(name) => vec![name],
            RouteAction::Split(split) => split
                .services
                .iter()
                .map(|variant| &variant.service)
                .collect(),
            RouteAction::Redirect(_) | RouteAction::Respond(_) => Vec::new(),
        }
    }
}

impl Route {
    /// Every change of headers that is written in it.
    fn header_edits(&self) -> Vec<&Val<HeaderEdits>> {
        let rewrite = self.rewrite.as_ref();
        let request = rewrite.and_then(|rewrite| rewrite.request_headers.as_ref());
        let response = rewrite.and_then(|rewrite| rewrite.response_headers.as_ref());
        let lists = request.into_iter().chain(response);
        lists.flat_map(|list| list.value.iter()).collect()
    }

    /// Every condition that is written in it.
    pub(crate) fn all_conditions(&self) -> Vec<&Val<Condition>> {
        let fault = self.fault.as_ref().and_then(|fault| fault.when.as_ref());
        let forced: Vec<_> = match &self.action {
            RouteAction::Split(split) => split.services.iter().collect(),
            _ => Vec::new(),
        };
        let forced = forced.into_iter().filter_map(|one| one.force.as_ref());
        let edits = self.header_edits().into_iter();
        let edits = edits.filter_map(|edits| edits.when.as_ref());
        let lists = fault.into_iter().chain(forced).chain(edits);
        let lists = lists.flat_map(|list| &list.0);
        self.when.as_deref().into_iter().chain(lists).collect()
    }
}

/// What becomes of a request that a route is for.
#[derive(Clone, Debug, PartialEq)]
pub enum RouteAction {
    /// It is forwarded to the service of this name.
    Service(Val<String>),
    /// It is forwarded to one of several services.
    Split(Val<Split>),
    /// It is answered with a redirect.
    Redirect(Val<Redirect>),
    /// It is answered with a fixed response.
    Respond(Val<Respond>),
}

section! {
    /// A redirect: to a whole address, or with parts of the request's own replaced.
    pub struct Redirect {
        /// The address, such as `"https://{host}{uri}"`.
        to: optional Template,
        /// The scheme, everything else as it was.
        scheme: optional RedirectScheme,
        /// The host (and port), everything else as it was.
        host: optional Template,
        /// The path, everything else as it was.
        path: optional Template,
        /// The query, everything else as it was; `""` for none.
        query: optional Template,
        /// 301 and 302 let clients turn POST into GET; 307 and 308 do not. 301 and 308 are remembered.
        status: default RedirectStatus = 308,
    }
    shorthand: Shape::Text { what: "a text with variables", example: "https://{host}{uri}" }, redirect_to;
}

/// An address alone: `redirect = "https://{host}{uri}"`.
fn redirect_to(node: &Node, cx: &mut Context<'_>) -> Option<Redirect> {
    let to = Template::decode(node, cx)?;
    Some(Redirect {
        to: Some(Val::written(to, node.span)),
        scheme: None,
        host: None,
        path: None,
        query: None,
        status: Val::default_value(RedirectStatus::default()),
    })
}

section! {
    /// A fixed response.
    pub struct Respond {
        /// Its status.
        status: default Status [200..=599] = 200,
        /// Its body.
        body: optional String,
        /// A file that is its body, instead of `body`.
        body_file: optional LoadedFile,
        /// Its headers.
        headers: default Vec<(Val<FieldName>, Val<FieldValue>)> = {},
    }
}

choice! {
    /// A scheme to redirect to.
    pub enum RedirectScheme {
        /// Plain HTTP.
        Http = "http",
        /// HTTPS.
        Https = "https",
    }
}

/// The status of a redirect: 301, 302, 303, 307 or 308.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RedirectStatus(u16);

impl RedirectStatus {
    /// The number.
    #[must_use]
    pub fn code(self) -> u16 {
        self.0
    }
}

impl Default for RedirectStatus {
    fn default() -> Self {
        Self(308)
    }
}

impl Value for RedirectStatus {
    fn shape() -> Shape {
        Shape::AnyOf(vec![
            Shape::Integer { min: 301, max: 303 },
            Shape::Integer { min: 307, max: 308 },
        ])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let code = u64::decode(node, cx)?;
        match u16::try_from(code) {
            Ok(code @ (301 | 302 | 303 | 307 | 308)) => Some(Self(code)),
            _ => {
                let diagnostic = Diagnostic::error(
                    "out-of-range",
                    format!("{code} is not a status of a redirect"),
                )
                .at(node.span, "");
                cx.report(
                    diagnostic.help("write 308 (permanent), 307 (temporary), 301, 302 or 303"),
                );
                None
            }
        }
    }

    fn write(&self) -> Out {
        Out::Inline(self.0.to_string())
    }
}

impl RouteAction {
    pub(super) fn fields() -> Vec<Field> {
        let field = |key, doc, shape| Field {
            key,
            doc,
            default: None,
            required: false,
            shape,
        };
        vec![
            field("service", "Forward to this service.", String::shape()),
            field(
                "split",
                "Forward to one of these services, by weight.",
                Split::shape(),
            ),
            field("redirect", "Answer with a redirect.", Redirect::shape()),
            field("respond", "Answer with a fixed response.", Respond::shape()),
        ]
    }

    /// Reads the one key of the four that must be there. Anything else is reported, and a stand-in given.
    pub(super) fn read_group(reader: &mut Reader<'_>, cx: &mut Context<'_>) -> Self {
        let written: Vec<_> = ["service", "split", "redirect", "respond"]
            .iter()
            .filter_map(|key| reader.entry(key))
            .collect();
        let mut actions = Vec::new();
        for entry in &written {
            let span = entry.node.span;
            actions.extend(match entry.key.as_str() {
                "service" => String::decode(&entry.node, cx)
                    .map(|name| Self::Service(Val::written(name, span))),
                "split" => Split::decode(&entry.node, cx)
                    .map(|between| Self::Split(Val::written(between, span))),
                "redirect" => Redirect::decode(&entry.node, cx)
                    .map(|to| Self::Redirect(Val::written(to, span))),
                _ => Respond::decode(&entry.node, cx)
                    .map(|with| Self::Respond(Val::written(with, span))),
            });
        }
        match written.as_slice() {
            [] => {
                let diagnostic = Diagnostic::error(
                    "no-action",
                    "the route does not say what becomes of its requests",
                )
                .at(reader.span, "this route")
                .help(
                    "give it one of `service = \"...\"`, `split = [...]`, `redirect = { ... }`, `respond = { ... }`",
                );
                reader.lacks(&["service", "split", "redirect", "respond"], diagnostic);
            }
            [first, second, ..] => cx.report(
                Diagnostic::error(
                    "two-actions",
                    format!("the route has both `{}` and `{}`", first.key, second.key),
                )
                .at(second.key_span, "second action")
                .note(first.key_span, "first action")
                .help(
                    "a route does one of `service`, `split`, `redirect`, `respond`; make two routes of it",
                ),
            ),
            [_] => {}
        }
        actions.into_iter().next().unwrap_or_else(Self::stand_in)
    }

    fn stand_in() -> Self {
        let respond = Respond {
            status: Val::default_value(super::decode::default_value("200")),
            body: None,
            body_file: None,
            headers: Val::default_value(Vec::new()),
        };
        Self::Respond(Val::default_value(respond))
    }

    pub(super) fn group_lines(&self) -> Vec<Line> {
        vec![match self {
            Self::Service(name) => Line::of("service", name, name.value.write()),
            Self::Split(split) => Line::of("split", split, split.value.write()),
            Self::Redirect(redirect) => Line::of("redirect", redirect, redirect.value.write()),
            Self::Respond(respond) => Line::of("respond", respond, respond.value.write()),
        }]
    }
}
