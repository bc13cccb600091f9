//! The reusable memory of one exchange: heads, buffers, scratch. Each performer has one, and is lent with it.

use std::net::IpAddr;

use portcullis_http1::{BodyFraming, Known, RequestHead, ResponseHead, Span, Version};
use portcullis_plan::{Fields, Scheme};

use crate::buffer::Buffer;
use crate::mirror::Tee;

/// Bytes read from a client at a time. A larger head grows the buffer up to its limit.
pub(crate) const INPUT_BYTES: usize = 16 * 1024;
/// Scratch that grew beyond this is not kept.
const KEEP_BYTES: usize = 64 * 1024;

/// Everything one exchange needs besides its two streams.
pub(crate) struct Desk {
    /// Unread bytes of the client: the head while it is incomplete, then body and what follows.
    pub(crate) input: Buffer,
    pub(crate) request: RequestPart,
    pub(crate) response: ResponsePart,
    /// Framed bytes on their way to the server.
    pub(crate) to_server: Vec<u8>,
    /// Framed bytes on their way to the client.
    pub(crate) to_client: Vec<u8>,
    /// The request's body, where a copy of it is made.
    pub(crate) tee: Tee,
}

/// The request's head with all that was found out about it.
#[derive(Default)]
pub(crate) struct RequestPart {
    /// The bytes of the head.
    pub(crate) bytes: Vec<u8>,
    pub(crate) head: RequestHead,
    /// How its body ends, told in HTTP/1's words: what HTTP/2 does not say in advance goes on in chunks.
    pub(crate) framing: BodyFraming,
    /// How the bytes that come from the client are framed: as the message is over HTTP/1, bare over HTTP/2.
    pub(crate) incoming: BodyFraming,
    /// It came over HTTP/2, as HTTP/1 text that says the same.
    pub(crate) http2: bool,
    /// A success of it over HTTP/2 begins a tunnel: CONNECT, extended or not.
    pub(crate) tunnel: bool,
    /// Trailers that came apart from the body's bytes.
    pub(crate) trailers: Vec<u8>,
    /// The normalised path, where it differs from the one in the head.
    pub(crate) path: Vec<u8>,
    pub(crate) path_at: PathAt,
    /// The query in the head, without its question mark.
    pub(crate) query: Option<Span>,
    /// The host in lower case without port.
    pub(crate) host: String,
    pub(crate) id: Vec<u8>,
    /// The target that servers see, where the route makes one of its own; empty otherwise.
    pub(crate) rewritten: Vec<u8>,
    pub(crate) client: Option<IpAddr>,
    pub(crate) client_port: Option<u16>,
    pub(crate) scheme: Option<Scheme>,
    /// The peer may speak for others (`trusted_proxies`).
    pub(crate) trusted: bool,
}

/// Where the normalised path lies.
#[derive(Clone, Copy, Default)]
pub(crate) enum PathAt {
    /// There is none yet.
    #[default]
    Nowhere,
    /// In the head, unchanged.
    Head(Span),
    /// In `RequestPart::path`.
    Rewritten,
}

/// The response's head.
#[derive(Default)]
pub(crate) struct ResponsePart {
    pub(crate) bytes: Vec<u8>,
    pub(crate) head: ResponseHead,
    /// Trailers that came apart from the body.
    pub(crate) trailers: Vec<u8>,
    /// Nothing follows the head, although it does not say so.
    pub(crate) whole: bool,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            input: Buffer::with_capacity(INPUT_BYTES),
            request: RequestPart::default(),
            response: ResponsePart::default(),
            to_server: Vec::with_capacity(1024),
            to_client: Vec::with_capacity(1024),
            tee: Tee::default(),
        }
    }
}

impl Desk {
    /// Makes the desk ready for another connection. What grew too large is given back.
    pub(crate) fn reset(&mut self) {
        self.clear_exchange();
        if self.input.capacity() > INPUT_BYTES {
            self.input = Buffer::with_capacity(INPUT_BYTES);
        }
        self.input.clear();
        let Self {
            request,
            response,
            to_server,
            to_client,
            ..
        } = self;
        for scratch in [
            &mut request.bytes,
            &mut request.path,
            &mut request.rewritten,
            &mut response.bytes,
            to_server,
            to_client,
        ] {
            if scratch.capacity() > KEEP_BYTES {
                *scratch = Vec::new();
            }
        }
    }

    /// Forgets the last exchange; unread input stays.
    pub(crate) fn clear_exchange(&mut self) {
        self.request.clear();
        self.response.bytes.clear();
        self.response.head.clear();
        self.response.trailers.clear();
        self.response.whole = false;
        self.to_server.clear();
        self.to_client.clear();
        self.tee.clear();
    }
}

impl RequestPart {
    fn clear(&mut self) {
        self.bytes.clear();
        self.head.clear();
        self.framing = BodyFraming::None;
        self.incoming = BodyFraming::None;
        self.http2 = false;
        self.tunnel = false;
        self.trailers.clear();
        self.path.clear();
        self.path_at = PathAt::Nowhere;
        self.query = None;
        self.host.clear();
        self.id.clear();
        self.rewritten.clear();
        self.client = None;
        self.client_port = None;
        self.scheme = None;
        self.trusted = false;
    }

    /// The client's version of HTTP.
    pub(crate) fn version(&self) -> &'static str {
        match (self.http2, self.head.version()) {
            (true, _) => "HTTP/2.0",
            (false, Version::Http11) => "HTTP/1.1",
            (false, Version::Http10) => "HTTP/1.0",
        }
    }

    /// Whether the client waits for 100 before it sends the body (RFC 9110 10.1.1).
    pub(crate) fn expects_continue(&self) -> bool {
        self.head.has(Known::Expect)
            && self.head.version() == Version::Http11
            && self.framing.has_body()
    }

    /// The normalised path.
    pub(crate) fn normal_path(&self) -> &[u8] {
        match self.path_at {
            PathAt::Nowhere => &[],
            PathAt::Head(span) => span.of(&self.bytes),
            PathAt::Rewritten => &self.path,
        }
    }
}

fn first<'a>(bytes: &'a [u8], fields: &[portcullis_http1::Field], name: &str) -> Option<&'a [u8]> {
    fields
        .iter()
        .find(|field| field.name.of(bytes).eq_ignore_ascii_case(name.as_bytes()))
        .map(|field| field.value.of(bytes))
}

fn each(bytes: &[u8], fields: &[portcullis_http1::Field], name: &str, each: &mut dyn FnMut(&[u8])) {
    for field in fields
        .iter()
        .filter(|field| field.name.of(bytes).eq_ignore_ascii_case(name.as_bytes()))
    {
        each(field.value.of(bytes));
    }
}

impl Fields for RequestPart {
    fn first(&self, name: &str) -> Option<&[u8]> {
        first(&self.bytes, self.head.fields(), name)
    }

    fn each(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        each(&self.bytes, self.head.fields(), name, visit);
    }
}

impl Fields for ResponsePart {
    fn first(&self, name: &str) -> Option<&[u8]> {
        first(&self.bytes, self.head.fields(), name)
    }

    fn each(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        each(&self.bytes, self.head.fields(), name, visit);
    }
}
