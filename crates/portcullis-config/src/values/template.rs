//! Text with variables: `https://{host}{path}`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::{FieldName, Invalid, quoted};
use crate::diagnostic::nearest;

/// Text in which `{name}` stands for a value of the request. Braces themselves are written `{{` and `}}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    text: Box<str>,
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Text as it is; never empty.
    Text(Box<str>),
    /// A value to be filled in.
    Variable(Variable),
}

/// When a variable has a value; each scope includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// As soon as the request has been routed.
    Request,
    /// Once there is a response head.
    Response,
    /// Only when everything is over.
    Log,
}

impl Template {
    /// The pieces in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// All variables with the bytes of the text they were written in, braces included.
    #[must_use]
    pub fn variables(&self) -> Vec<(Range<usize>, &Variable)> {
        let mut ranges = placeholders(&self.text).into_iter();
        let variables = self.parts.iter().filter_map(|part| match part {
            Part::Variable(variable) => Some(variable),
            Part::Text(_) => None,
        });
        variables
            .filter_map(|variable| Some((ranges.next()?, variable)))
            .collect()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Template {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        super::http::check_field_value(text)?;
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text.char_indices().peekable();
        while let Some((at, c)) = rest.next() {
            match c {
                '{' | '}' if rest.peek().is_some_and(|(_, next)| *next == c) => {
                    rest.next();
                    plain.push(c);
                }
                '}' => {
                    return Err(
                        Invalid::new(format!("{} has a `}}` without `{{`", quoted(text)))
                            .help("a brace itself is written `}}`")
                            .at(at..at + 1),
                    );
                }
                '{' => {
                    let name = closed_name(text, at)?;
                    let variable = variable(name, at + 1)?;
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain).into()));
                    }
                    parts.push(Part::Variable(variable));
                    while rest
                        .next_if(|(next, _)| *next <= at + 1 + name.len())
                        .is_some()
                    {}
                }
                _ => plain.push(c),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain.into()));
        }
        Ok(Self {
            text: text.into(),
            parts,
        })
    }
}

/// The name in the braces that open at `at`.
fn closed_name(text: &str, at: usize) -> Result<&str, Invalid> {
    let rest = text.get(at + 1..).unwrap_or_default();
    rest.split_once('}')
        .map(|(name, _)| name)
        .filter(|name| !name.contains('{'))
        .ok_or_else(|| {
            Invalid::new(format!("{} has a `{{` without `}}`", quoted(text)))
                .help("a brace itself is written `{{`")
                .at(at..at + 1)
        })
}

/// Where the placeholders of a valid template are, braces included.
fn placeholders(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = text
        .get(at..)
        .and_then(|rest| rest.find('{'))
        .map(|n| at + n)
    {
        if text
            .get(open + 1..)
            .is_some_and(|rest| rest.starts_with('{'))
        {
            at = open + 2;
            continue;
        }
        let close = text
            .get(open..)
            .and_then(|rest| rest.find('}'))
            .map_or(text.len(), |n| open + n + 1);
        found.push(open..close);
        at = close;
    }
    found
}

fn variable(name: &str, at: usize) -> Result<Variable, Invalid> {
    let whole = at..at + name.len();
    if let Some((kind, field)) = name.split_once('.') {
        if kind == "path" {
            return capture(field, whole);
        }
        let make = match kind {
            "request_header" => Variable::RequestHeader,
            "response_header" => Variable::ResponseHeader,
            _ => {
                return Err(
                    Invalid::new(format!("there is no variable {}", quoted(name)))
                        .help("only `request_header.NAME`, `response_header.NAME` and `path.NAME` have a dot")
                        .at(whole),
                );
            }
        };
        return field
            .parse::<FieldName>()
            .map(make)
            .map_err(|error| error.at(whole));
    }
    Variable::named(name).ok_or_else(|| {
        let error = Invalid::new(format!("there is no variable {}", quoted(name))).at(whole);
        match nearest(name, Variable::names()) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None if matches!(name, "request_header" | "response_header") => {
                error.help(format!("name the header: `{{{name}.user-agent}}`"))
            }
            None => error.help(format!(
                "the variables are {}",
                Variable::names().collect::<Vec<_>>().join(", ")
            )),
        }
    })
}

/// A capture of the route's path, by name or by number; whether the route has it is checked with the route.
fn capture(name: &str, at: Range<usize>) -> Result<Variable, Invalid> {
    let is_number =
        name.parse::<u8>().is_ok_and(|number| number > 0) && !name.starts_with(['0', '+']);
    if is_number || super::regex::is_capture_name(name) {
        return Ok(Variable::PathCapture(name.into()));
    }
    Err(
        Invalid::new(format!("{} names no capture of a path", quoted(name)))
            .help("a capture has a name such as `{path.id}` or a number from 1 on")
            .at(at),
    )
}

macro_rules! variables {
    ($($(#[doc = $doc:literal])+ $Variant:ident = $name:literal, $Scope:ident;)+) => {
        /// What `{name}` in a template stands for.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Variable {
            $($(#[doc = $doc])+ $Variant,)+
            /// A header of the request as received, empty when it is absent; several are joined by a comma.
            RequestHeader(FieldName),
            /// A header of the response as sent, empty when it is absent; several are joined by a comma.
            ResponseHeader(FieldName),
            /// What the route's path captured under this name or number, percent-encoded as in the path.
            PathCapture(Box<str>),
        }

        impl Variable {
            fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$Variant),)+
                    _ => None,
                }
            }

            fn names() -> impl Iterator<Item = &'static str> {
                [$($name),+].into_iter()
            }

            /// When this has a value.
            #[must_use]
            pub fn scope(&self) -> Scope {
                match self {
                    $(Self::$Variant => Scope::$Scope,)+
                    Self::RequestHeader(_) => Scope::Request,
                    Self::ResponseHeader(_) => Scope::Response,
                    Self::PathCapture(_) => Scope::Request,
                }
            }

            /// Name, scope and meaning of every variable without a parameter, for the reference.
            #[must_use]
            pub fn all() -> Vec<(&'static str, Scope, &'static str)> {
                vec![$(($name, Scope::$Scope, concat!($($doc),+).trim_ascii())),+]
            }
        }

        impl fmt::Display for Variable {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$Variant => f.write_str($name),)+
                    Self::RequestHeader(name) => write!(f, "request_header.{name}"),
                    Self::ResponseHeader(name) => write!(f, "response_header.{name}"),
                    Self::PathCapture(name) => write!(f, "path.{name}"),
                }
            }
        }
    };
}

variables! {
    /// Address of the client, believed through `trusted_proxies`.
    ClientIp = "client_ip", Request;
    /// Port of the client; empty when a trusted proxy did not say.
    ClientPort = "client_port", Request;
    /// Address of the other end of the connection.
    PeerIp = "peer_ip", Request;
    /// Port of the other end of the connection.
    PeerPort = "peer_port", Request;
    /// Address the connection was accepted on.
    LocalIp = "local_ip", Request;
    /// Port the connection was accepted on.
    LocalPort = "local_port", Request;
    /// Host of the request in lower case, without port.
    Host = "host", Request;
    /// Port of the request: written in it, or the scheme's own.
    Port = "port", Request;
    /// `http` or `https`.
    Scheme = "scheme", Request;
    /// Method.
    Method = "method", Request;
    /// Path after normalisation, beginning with a slash.
    Path = "path", Request;
    /// Query without `?`; empty when there is none.
    Query = "query", Request;
    /// Path and query exactly as received.
    Target = "target", Request;
    /// Path after normalisation, and `?` and query when there is one.
    Uri = "uri", Request;
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0`.
    HttpVersion = "http_version", Request;
    /// Id of the request, kept or made.
    RequestId = "request_id", Request;
    /// Server name the client asked for in the TLS handshake; empty without TLS.
    TlsName = "tls_name", Request;
    /// TLS version such as `TLSv1.3`; empty without TLS.
    TlsVersion = "tls_version", Request;
    /// TLS cipher suite; empty without TLS.
    TlsCipher = "tls_cipher", Request;
    /// Subject of the client's certificate; empty without one.
    ClientCertSubject = "client_cert_subject", Request;
    /// Name of the listener.
    Listener = "listener", Request;
    /// Name of the route.
    Route = "route", Request;
    /// Name of the service; empty when no service is asked.
    Service = "service", Request;
    /// Name of the server that answered.
    Server = "server", Response;
    /// Address of the server that answered.
    ServerAddress = "server_address", Response;
    /// Status of the response.
    Status = "status", Response;
    /// How many servers were tried.
    Attempts = "attempts", Response;
    /// Time of the request in RFC 3339, UTC, milliseconds.
    Time = "time", Request;
    /// Time of the request as in the common log format.
    TimeLocal = "time_local", Request;
    /// Bytes received from the client for this request.
    BytesIn = "bytes_in", Log;
    /// Bytes sent to the client.
    BytesOut = "bytes_out", Log;
    /// Bytes of the response body sent to the client.
    BodyBytesOut = "body_bytes_out", Log;
    /// Whole time in milliseconds, first byte in to last byte out.
    Duration = "duration", Log;
    /// Milliseconds spent on the TLS handshake; only with the first request of a connection.
    HandshakeTime = "handshake_time", Log;
    /// Milliseconds from the first byte of the request to its whole head.
    HeadTime = "head_time", Log;
    /// Milliseconds waited for a connection slot.
    QueueTime = "queue_time", Log;
    /// Milliseconds spent connecting to the server.
    ConnectTime = "connect_time", Log;
    /// Milliseconds from the request sent to the response head.
    ResponseTime = "response_time", Log;
    /// Milliseconds from the response head to the end.
    TransferTime = "transfer_time", Log;
    /// Who ended the exchange: `completed`, `client`, `server`, `policy`, `deadline`, `shutdown` or `internal`.
    EndedBy = "ended_by", Log;
    /// Name of the timeout that fired; empty when none did.
    Deadline = "deadline", Log;
    /// Why the exchange failed or was refused; empty when it did not.
    Reason = "reason", Log;
    /// File and line of the route.
    RoutePlace = "route_place", Log;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_and_variables_alternate() {
        let template: Template = "https://{host}{path}?{{x}}={request_header.User-Agent}!"
            .parse()
            .unwrap();
        let header = Variable::RequestHeader("user-agent".parse().unwrap());
        assert_eq!(
            template.parts(),
            [
                Part::Text("https://".into()),
                Part::Variable(Variable::Host),
                Part::Variable(Variable::Path),
                Part::Text("?{x}=".into()),
                Part::Variable(header),
                Part::Text("!".into()),
            ]
        );
        let capture: Template = "/u/{path.id}/{path.1}".parse().unwrap();
        assert_eq!(
            capture.parts().get(1),
            Some(&Part::Variable(Variable::PathCapture("id".into())))
        );
        let places: Vec<_> = template
            .variables()
            .into_iter()
            .map(|(range, _)| &template.as_str()[range])
            .collect();
        assert_eq!(places, ["{host}", "{path}", "{request_header.User-Agent}"]);
    }

    #[test]
    fn mistakes_are_pointed_at() {
        let error = "a{hots}".parse::<Template>().unwrap_err();
        assert_eq!(
            (error.at, error.help.unwrap().as_str()),
            (Some(2..6), "did you mean `host`?")
        );
        for bad in [
            "{",
            "}",
            "{host",
            "a}b",
            "{}",
            "{a{b}}",
            "{request_header.}",
            "{header.x}",
            "{path.}",
            "{path.0}",
            "{path.a-b}",
            "a\nb",
        ] {
            assert!(bad.parse::<Template>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_name_reads_back() {
        for (name, scope, meaning) in Variable::all() {
            let variable = Variable::named(name).unwrap();
            assert_eq!(variable.to_string(), name);
            assert_eq!(variable.scope(), scope);
            assert!(meaning.ends_with('.'), "{name}");
        }
    }
}
