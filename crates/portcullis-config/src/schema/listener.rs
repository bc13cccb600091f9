//! `[listener.NAME]`: where clients come in, and what is asked of them.

use std::time::Duration;

use super::choice::word;
use super::decode::not_yet;
use super::{
    Context, FileMode, ListenerTimeouts, Maintenance, Out, RateLimit, Shape, Tls, Val, Value,
    choice, section, text_literal,
};
use crate::tree::{Kind, Node};
use crate::values::{Bind, ByteSize, FieldName, FieldValue, Network, Token};

section! {
    /// Where clients come in.
    pub struct Listener {
        /// Its name.
        name: key String,
        /// One or more addresses: `"0.0.0.0:80"`, `"[::]:80"`, `":80"` (IPv6 and IPv4), `"unix:/run/x.sock"`,
        /// `"fd:web"` for the sockets named `web` that the service manager passes (socket activation).
        bind: required Vec<Val<Bind>>,
        /// Permissions of its Unix sockets, as octal digits; `"0660"` when absent.
        unix_mode: optional FileMode,
        /// How many connections the system may hold that are not accepted yet.
        backlog: default u64 [1..=65_535] = 4096,
        /// The most connections open at once on this listener.
        max_connections: default u64 [1..=10_000_000] = 10000,
        /// Answer every request in clear text with a redirect to HTTPS: `true` for port 443, or a port. Requests without a path (`OPTIONS *`)
        /// have nothing to send elsewhere and go to the routes.
        redirect_https: default RedirectHttps = false,
        /// Tell browsers to come by HTTPS only, for this long. Sent over TLS only.
        hsts: optional Hsts,
        /// The protocols spoken, in order of preference. Over TLS the client's list decides as well (ALPN); in clear
        /// text the first bytes of a connection tell HTTP/2 ("prior knowledge").
        protocols: default Vec<Val<Protocol>> = ["h2", "http/1.1"],
        /// Bounds of HTTP/2 connections.
        http2: table Http2,
        /// Which connections begin with a PROXY protocol header. From others it is refused.
        proxy_protocol: optional ProxyProtocol,
        /// The networks whose X-Forwarded-For or Forwarded is believed; `"unix"` means peers on a Unix socket.
        trusted_proxies: default Vec<Val<Network>> = [],
        /// Which headers tell services about the client.
        forwarded_headers: default ForwardedHeaders = "x-forwarded",
        /// The id given to every request, or `"off"`.
        request_id: default Option<RequestId> = {},
        /// The name written into Via, or `"off"`.
        via: default Option<Token> = "off",
        /// Add Date to a response that has none.
        date: default bool = true,
        /// The Server header of responses: `"keep"`, `"remove"`, or the text to put there.
        server_header: default ServerHeader = "keep",
        /// Turn every request away: `true`, or how.
        maintenance: default Maintenance = false,
        /// How often one client may ask, over all routes.
        rate_limit: optional RateLimit,
        /// Bounds on what a client may send.
        limits: table Limits,
        /// How paths are brought into the form that routes are compared with.
        paths: table Paths,
        /// TLS; plain when absent.
        tls: optional Tls,
        /// Timeouts, instead of those in `[defaults.timeouts]`.
        timeouts: default ListenerTimeouts = {},
    }
    not yet: "http3", "reuseport", "compression";
}

section! {
    /// Bounds on what a client may send.
    pub struct Limits {
        /// The whole request head.
        head: default ByteSize = "32KiB",
        /// The request target: path and query.
        target: default ByteSize = "8KiB",
        /// How many header fields.
        fields: default u64 [1..=10_000] = 100,
        /// The request body, or `"off"`.
        body: default Option<ByteSize> = "1GiB",
        /// How many requests one connection may carry, or `"off"`.
        requests_per_connection: default Option<u64> = 10000,
        /// How many interim responses (1xx) a server may send before the final one.
        interim_responses: default u64 [0..=1_000] = 16,
    }
}

section! {
    /// Bounds of HTTP/2 connections. What a request may be is bounded by `limits`, as for HTTP/1.
    pub struct Http2 {
        /// How many requests a client may have open at once on one connection. One counts until it has been dealt with
        /// here, so that requests which are begun and cancelled in haste do not escape the bound.
        max_streams: default u64 [1..=10_000] = 100,
        /// How much of a request body is held for a server that is slower than the client, from 16KiB to 16MiB.
        stream_window: default ByteSize = "64KiB",
        /// The same for all requests of a connection together, from 64KiB to 1GiB.
        connection_window: default ByteSize = "1MiB",
        /// Whether clients may open tunnels such as WebSockets (RFC 8441), where the route has `upgrade`.
        extended_connect: default bool = true,
    }
}

section! {
    /// How paths are brought into the form that routes are compared with. The same form goes to the service.
    pub struct Paths {
        /// `//` in a path.
        duplicate_slashes: default SlashPolicy = "merge",
        /// `%2F` in a path.
        encoded_slashes: default EscapePolicy = "refuse",
        /// `%5C` in a path. A backslash as such is always refused.
        backslashes: default EscapePolicy = "refuse",
        /// `;name=value` behind a segment. Dot segments are recognised whatever parameters they have.
        parameters: default PathParameters = "keep",
    }
}

section! {
    /// Strict-Transport-Security (RFC 6797).
    pub struct Hsts {
        /// For how long browsers remember.
        max_age: required Duration,
        /// Whether it holds for all names below as well.
        include_subdomains: default bool = false,
        /// Whether browsers may ship it with themselves.
        preload: default bool = false,
    }
    shorthand: Shape::Text { what: "a duration", example: "180d" }, hsts_age;
}

/// A duration alone: `hsts = "180d"`.
fn hsts_age(node: &Node, cx: &mut Context<'_>) -> Option<Hsts> {
    if let Kind::Boolean(_) = node.kind {
        return cx.wrong_type(node, "a duration", Some("\"180d\""));
    }
    let max_age = Duration::decode(node, cx)?;
    Some(Hsts {
        max_age: Val::written(max_age, node.span),
        include_subdomains: Val::default_value(false),
        preload: Val::default_value(false),
    })
}

section! {
    /// The PROXY protocol (versions 1 and 2) on incoming connections.
    pub struct ProxyProtocol {
        /// The networks whose connections must begin with a header.
        from: required Vec<Val<Network>>,
    }
}

section! {
    /// The id of a request.
    pub struct RequestId {
        /// The header it is sent in, to the service and back to the client.
        header: default FieldName = "x-request-id",
        /// Keep a valid id that comes from one of the `trusted_proxies`.
        trust: default bool = false,
    }
}

/// Whether plain requests are redirected to HTTPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RedirectHttps {
    /// They are not.
    Off,
    /// To this port; 443 is not written into the address.
    Port(u16),
}

impl Value for RedirectHttps {
    fn shape() -> Shape {
        Shape::AnyOf(vec![
            Shape::Boolean,
            Shape::Integer {
                min: 1,
                max: 65_535,
            },
        ])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Boolean(true) => Some(Self::Port(443)),
            Kind::Boolean(false) => Some(Self::Off),
            Kind::Integer(_) => {
                let port = u64::decode(node, cx)?;
                let port = super::decode::in_range(port, &(1..=65_535), node, cx)?;
                u16::try_from(port).ok().map(Self::Port)
            }
            _ => cx.wrong_type(node, "true, false or a port", Some("true")),
        }
    }

    fn write(&self) -> Out {
        Out::Inline(match self {
            Self::Off => "false".to_owned(),
            Self::Port(443) => "true".to_owned(),
            Self::Port(port) => port.to_string(),
        })
    }
}

/// A protocol spoken with clients or servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/2.
    Http2,
    /// HTTP/1.1, and HTTP/1.0 with it.
    Http1,
}

impl Value for Protocol {
    fn shape() -> Shape {
        Shape::Words(vec![
            ("h2", "HTTP/2."),
            ("http/1.1", "HTTP/1.1, and HTTP/1.0 with it."),
        ])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        if let Kind::Text(text) = &node.kind
            && text == "h3"
        {
            cx.report(not_yet(&format!("the protocol \"{text}\""), node.span));
            return None;
        }
        let known = word(node, &["h2", "http/1.1"], cx)?;
        Some(if known == "h2" {
            Self::Http2
        } else {
            Self::Http1
        })
    }

    fn write(&self) -> Out {
        Out::Inline(text_literal(match self {
            Self::Http2 => "h2",
            Self::Http1 => "http/1.1",
        }))
    }
}

choice! {
    /// Which headers tell services about the client.
    pub enum ForwardedHeaders {
        /// X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host.
        XForwarded = "x-forwarded",
        /// Forwarded (RFC 7239).
        Forwarded = "forwarded",
        /// Both kinds.
        Both = "both",
        /// Neither.
        None = "none",
    }
}

choice! {
    /// What is done about `//` in a path.
    pub enum SlashPolicy {
        /// It becomes one slash.
        Merge = "merge",
        /// It stays.
        Keep = "keep",
        /// The request is refused.
        Refuse = "refuse",
    }
}

choice! {
    /// What is done about an encoded separator in a path.
    pub enum EscapePolicy {
        /// The request is refused.
        Refuse = "refuse",
        /// It stays, encoded.
        Keep = "keep",
    }
}

choice! {
    /// What is done about `;name=value` in a path.
    pub enum PathParameters {
        /// It stays.
        Keep = "keep",
        /// It is taken away.
        Strip = "strip",
        /// The request is refused.
        Refuse = "refuse",
    }
}

/// The Server header of responses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServerHeader {
    /// What the server sent.
    Keep,
    /// None.
    Remove,
    /// This text.
    Text(FieldValue),
}

impl Value for ServerHeader {
    fn shape() -> Shape {
        Shape::AnyOf(vec![
            Shape::Words(vec![("keep", "What the server sent."), ("remove", "None.")]),
            FieldValue::shape(),
        ])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text == "keep" => Some(Self::Keep),
            Kind::Text(text) if text == "remove" => Some(Self::Remove),
            _ => FieldValue::decode(node, cx).map(Self::Text),
        }
    }

    fn write(&self) -> Out {
        Out::Inline(text_literal(match self {
            Self::Keep => "keep",
            Self::Remove => "remove",
            Self::Text(text) => text.as_str(),
        }))
    }
}
