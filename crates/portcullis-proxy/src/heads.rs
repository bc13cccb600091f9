//! Writes the heads we send: requests to servers, responses to clients, with every edit applied on the way.
//!
//! What may not pass (hop-by-hop fields, forged forwarding fields) is left out while copying; there is no map in between. Edits are made on
//! the lines that were written, our own among them; only framing and connection come after, out of their reach.

use portcullis_http1::{BodyFraming, Field, Known, KnownSet, Method, Version, write};
use portcullis_plan::plan::{Conduct, Listener, MapBack, PathRewrite, ServerHeader};
use portcullis_plan::{Facts, Fields as _, Outcome, forwarded, split};

use crate::desk::{RequestPart, ResponsePart};

/// Forwarding fields: never passed as received. What is believed of them is written anew.
const FORWARDING: KnownSet = KnownSet::EMPTY
    .with(Known::XForwardedFor)
    .with(Known::XForwardedProto)
    .with(Known::XForwardedHost)
    .with(Known::XForwardedOther)
    .with(Known::Forwarded)
    .with(Known::ForwardedLookalike)
    .with(Known::XRealIp);

/// Fields of a request that are never copied; some are written anew below.
const REQUEST_DROPS: KnownSet = write::HOP_BY_HOP_REQUEST
    .union(FORWARDING)
    .with(Known::Expect);

/// What of a request depends on the attempt rather than on the head.
pub(crate) struct RequestOptions {
    /// Ask the server for 100 before the body.
    pub(crate) expect_continue: bool,
    /// Ask for an upgrade to what the client named.
    pub(crate) upgrade: bool,
}

/// Appends the request head for a server to `out`. `outcome` is the record so far, for the variables of edits.
pub(crate) fn request(
    out: &mut Vec<u8>,
    part: &RequestPart,
    facts: &Facts<'_>,
    outcome: &Outcome<'_>,
    conduct: &Conduct,
    options: &RequestOptions,
) {
    let listener = facts.listener;
    let begin = out.len();
    out.extend_from_slice(facts.method);
    out.push(b' ');
    if part.rewritten.is_empty() {
        target(out, facts, &conduct.path);
    } else {
        out.extend_from_slice(&part.rewritten);
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");

    let mut drops = REQUEST_DROPS;
    if conduct.host.is_some() || !part.head.has(Known::Host) {
        drops = drops.with(Known::Host);
        host(out, facts, outcome, conduct);
    }
    let id_name = listener
        .request_id
        .as_ref()
        .map(|rule| rule.header.as_bytes());
    write::copy_fields(out, &part.bytes, part.head.fields(), drops, |field| {
        id_name.is_some_and(|id| field.name.of(&part.bytes).eq_ignore_ascii_case(id))
    });
    if listener.x_forwarded || listener.forwarded {
        forwarded::write_fields(facts, part.trusted, out);
    }
    if let Some(name) = id_name {
        write::field(out, name, facts.request_id);
    }
    if let Some(via) = &listener.via {
        out.extend_from_slice(match (part.http2, part.head.version()) {
            (true, _) => b"via: 2 ".as_slice(),
            (false, Version::Http11) => b"via: 1.1 ",
            (false, Version::Http10) => b"via: 1.0 ",
        });
        out.extend_from_slice(via.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    conduct.request_headers.apply(begin, facts, outcome, out);
    framing(out, part, options);
    out.extend_from_slice(b"\r\n");
}

/// The hop-by-hop fields of our own hop.
fn framing(out: &mut Vec<u8>, part: &RequestPart, options: &RequestOptions) {
    if part.framing == BodyFraming::Chunked {
        trailer_announcement(out, &part.bytes, part.head.fields());
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    // Without a length, an HTTP/1 server may take a POST for one that forgot it (RFC 9110 8.6).
    if part.http2
        && part.framing == BodyFraming::None
        && !part.tunnel
        && matches!(
            part.head.method(),
            Method::Post | Method::Put | Method::Patch
        )
    {
        write::content_length(out, 0);
    }
    if options.expect_continue {
        out.extend_from_slice(b"expect: 100-continue\r\n");
    }
    match (
        options.upgrade.then(|| part.head.upgrade()).flatten(),
        part.head.accepts_trailers(),
    ) {
        (Some(protocol), _) => {
            out.extend_from_slice(b"connection: upgrade\r\n");
            write::field(out, b"upgrade", protocol.of(&part.bytes));
        }
        (None, true) => out.extend_from_slice(b"connection: te\r\nte: trailers\r\n"),
        (None, false) => {}
    }
}

/// The request target: the normalised path, rewritten, and the query as it came.
fn target(out: &mut Vec<u8>, facts: &Facts<'_>, rewrite: &PathRewrite) {
    if facts.path.is_empty() {
        out.extend_from_slice(facts.authority); // authority-form, RFC 9112 3.2.3
        return;
    }
    rewrite.write(facts.path, out);
    if let Some(query) = facts.query {
        out.push(b'?');
        out.extend_from_slice(query);
    }
}

fn host(out: &mut Vec<u8>, facts: &Facts<'_>, outcome: &Outcome<'_>, conduct: &Conduct) {
    out.extend_from_slice(b"host: ");
    match &conduct.host {
        Some(host) => host.render_field_value(facts, Some(outcome), out),
        None if !facts.authority.is_empty() => out.extend_from_slice(facts.authority),
        // HTTP/1.0 without Host: the server's own name is the best there is, and HTTP/1.1 demands one.
        None => match facts.server {
            Some(server) if !server.address_text.starts_with("unix:") => {
                out.extend_from_slice(server.address_text.as_bytes());
            }
            _ => out.extend_from_slice(b"localhost"),
        },
    }
    out.extend_from_slice(b"\r\n");
}

/// How a response goes to the client.
#[derive(Clone, Copy)]
pub(crate) struct ResponseOptions {
    /// Frame the body in chunks.
    pub(crate) chunked: bool,
    /// The body may have trailers.
    pub(crate) trailers: bool,
    /// There is no body, although nothing in the server's head says so.
    pub(crate) empty: bool,
    /// The connection stays open.
    pub(crate) keep_alive: bool,
    /// This is the 101 that begins a tunnel.
    pub(crate) upgrade: bool,
}

/// Appends the head of a server's final response (or 101) to `out`. `outcome` serves the edits' variables.
pub(crate) fn response(
    out: &mut Vec<u8>,
    part: &ResponsePart,
    request: &RequestPart,
    facts: &Facts<'_>,
    outcome: &Outcome<'_>,
    options: ResponseOptions,
    date: &[u8],
) {
    let listener = facts.listener;
    let begin = out.len();
    write::status_line_with(out, part.head.status(), part.head.reason().of(&part.bytes));
    let mut drops = write::HOP_BY_HOP_RESPONSE;
    if listener.server_header != ServerHeader::Keep {
        drops = drops.with(Known::Server);
    }
    if sends_hsts(facts) {
        drops = drops.with(Known::StrictTransportSecurity);
    }
    // Close-delimited or chunked bodies have no length; a stray one cannot be here, the parser refuses it.
    match facts.route.and_then(|route| route.map_back()) {
        Some(rule) => {
            write::copy_fields(out, &part.bytes, part.head.fields(), drops, |field| {
                MapBack::takes(field.name.of(&part.bytes))
            });
            rule.write_fields(part, facts, out);
        }
        None => write::copy_fields(out, &part.bytes, part.head.fields(), drops, |_| false),
    }
    own_fields(out, listener, facts, part.head.has(Known::Date), date);
    echo_request_id(out, part, facts);
    if let Some(route) = facts.route {
        split::write_cookie(facts, out);
        route.response_headers.apply(begin, facts, outcome, out);
    }
    if options.trailers {
        trailer_announcement(out, &part.bytes, part.head.fields());
    }
    if options.chunked {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    if options.empty {
        write::content_length(out, 0);
    }
    connection(out, request, options, part);
    out.extend_from_slice(b"\r\n");
}

/// Fields that we add to every answer, a server's or our own: Server, Date, Via, HSTS.
pub(crate) fn own_fields(
    out: &mut Vec<u8>,
    listener: &Listener,
    facts: &Facts<'_>,
    has_date: bool,
    date: &[u8],
) {
    if let ServerHeader::Set(name) = &listener.server_header {
        write::field(out, b"server", name.as_bytes());
    }
    if listener.date && !has_date {
        write::field(out, b"date", date);
    }
    if let Some(via) = &listener.via {
        out.extend_from_slice(b"via: 1.1 ");
        out.extend_from_slice(via.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if let (true, Some(hsts)) = (sends_hsts(facts), &listener.hsts) {
        write::field(out, b"strict-transport-security", hsts.as_bytes());
    }
}

/// HSTS is only ever sent over TLS (RFC 6797 7.2).
fn sends_hsts(facts: &Facts<'_>) -> bool {
    facts.tls.is_some() && facts.listener.hsts.is_some()
}

fn echo_request_id(out: &mut Vec<u8>, part: &ResponsePart, facts: &Facts<'_>) {
    if let Some(rule) = &facts.listener.request_id
        && part.first(&rule.header).is_none()
    {
        write::field(out, rule.header.as_bytes(), facts.request_id);
    }
}

/// Only a chunked body has trailers to announce.
fn trailer_announcement(out: &mut Vec<u8>, bytes: &[u8], fields: &[Field]) {
    for field in fields.iter().filter(|field| field.known == Known::Trailer) {
        write::field(out, b"trailer", field.value.of(bytes));
    }
}

fn connection(
    out: &mut Vec<u8>,
    request: &RequestPart,
    options: ResponseOptions,
    part: &ResponsePart,
) {
    if options.upgrade {
        out.extend_from_slice(b"connection: upgrade\r\n");
        if let Some(protocol) = part.head.upgrade() {
            write::field(out, b"upgrade", protocol.of(&part.bytes));
        }
    } else if !options.keep_alive {
        out.extend_from_slice(b"connection: close\r\n");
    } else if request.head.version() == Version::Http10 {
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
}
