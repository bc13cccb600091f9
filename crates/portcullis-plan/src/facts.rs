//! What is known of one request before an answer: the borrowed arguments of every decision.

use std::net::{IpAddr, SocketAddr};

use crate::ListenerId;
use crate::domains::AuthMark;
use crate::plan::{Listener, Route, Server, Service};

/// Fields of a message head, however they are stored.
pub trait Fields {
    /// Value of the first field with this lower-case name, without surrounding white space.
    fn first(&self, name: &str) -> Option<&[u8]>;

    /// Calls `each` with the value of every field of this lower-case name, in order.
    fn each(&self, name: &str, each: &mut dyn FnMut(&[u8]));
}

/// No fields at all.
impl Fields for () {
    fn first(&self, _: &str) -> Option<&[u8]> {
        None
    }

    fn each(&self, _: &str, _: &mut dyn FnMut(&[u8])) {}
}

/// How the client reached us, as the last believed hop says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Clear text.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// 80 or 443.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// What the handshake of a connection settled.
#[derive(Clone, Debug)]
pub struct TlsFacts {
    /// Server name the client asked for, lower case; empty if none.
    pub name: Box<str>,
    /// The client-certificate rules that were applied.
    pub rules: AuthMark,
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite's standard name.
    pub cipher: &'static str,
    /// Subject of a verified client certificate, RFC 4514 text.
    pub client_subject: Option<Box<str>>,
    /// Whether a session was resumed.
    pub resumed: bool,
}

/// Everything known of a request before its answer. All text is validated by the HTTP engine.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// Where it came in.
    pub listener_id: ListenerId,
    /// The same, resolved.
    pub listener: &'a Listener,
    /// Address of the peer (of the PROXY header's source where one was taken); `None` for a Unix socket.
    pub peer: Option<SocketAddr>,
    /// Address we were reached at; `None` for a Unix socket.
    pub local: Option<SocketAddr>,
    /// The client after believed forwarding fields; `None` for a Unix socket without them.
    pub client: Option<IpAddr>,
    /// The client's port, where known.
    pub client_port: Option<u16>,
    /// Scheme after believed forwarding fields.
    pub scheme: Scheme,
    /// The handshake, for TLS connections.
    pub tls: Option<&'a TlsFacts>,
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0`.
    pub version: &'static str,
    /// The method.
    pub method: &'a [u8],
    /// The target as it came.
    pub target: &'a [u8],
    /// Host without port, lower case; empty if none was sent.
    pub host: &'a str,
    /// Host with port as it came, validated; empty if none was sent.
    pub authority: &'a [u8],
    /// The normalised path, which is also what servers see before rewriting. Empty for authority-form, `*` for asterisk-form.
    pub path: &'a [u8],
    /// The query without its question mark.
    pub query: Option<&'a [u8]>,
    /// The request's id; empty if none is made.
    pub request_id: &'a [u8],
    /// The request's fields.
    pub fields: &'a dyn Fields,
    /// The route, once decided.
    pub route: Option<&'a Route>,
    /// The service, once decided.
    pub service: Option<&'a Service>,
    /// The server last tried.
    pub server: Option<&'a Server>,
}
