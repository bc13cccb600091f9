//! Files of cases for `portcullis test`: requests, and what must become of each.

use std::fmt;
use std::str::FromStr;

use super::{HeaderMatch, Val, section, text_value};
use crate::values::{FieldName, FieldValue, Invalid, MethodName, Status, quoted};

section! {
    /// A file of cases: requests, and what must become of each. It lies beside the configuration as `NAME.test.toml`.
    pub(crate) struct CaseFile {
        /// More files to read: paths or patterns, relative to this file.
        include: default Vec<Val<String>> = [],
        /// One request each.
        case: default Vec<Val<Case>> = [],
    }
}

section! {
    /// A request, and what must become of it.
    pub struct Case {
        /// What it is about; `case-N` by position when absent.
        name: named String,
        /// Method and URL, such as `"GET https://www.example.com/a?b"`. The scheme and the port say which listener gets it.
        request: required RequestLine,
        /// Its header fields.
        headers: default Vec<(Val<FieldName>, Val<FieldValue>)> = {},
        /// The address of the client. 192.0.2.1 when absent.
        from: optional ClientAddress,
        /// The listener, where the URL does not tell.
        listener: optional String,
        /// Whether the client speaks HTTP/2: over TLS it offers `h2` and `http/1.1`, in clear text it begins with HTTP/2. When absent it
        /// speaks HTTP/1.1, and HTTP/2 to a listener that speaks nothing else.
        http2: optional bool,
        /// The name that the client asks for in its TLS handshake, empty for none; the URL's host when absent.
        tls_name: optional String,
        /// What must become of it: at least one thing.
        expect: required Expect,
    }
}

section! {
    /// What must become of a request. What is not named may be anything.
    pub struct Expect {
        /// The route that takes it; `"none"` if none must.
        route: optional String,
        /// The service that gets it.
        service: optional String,
        /// The status of an answer that Portcullis gives itself.
        status: optional Status,
        /// Where a redirect leads to.
        location: optional String,
        /// The target that the server sees: path and query after all rewriting.
        target: optional String,
        /// The Host that the server sees.
        host: optional String,
        /// Header fields as the server sees them: with a value, with any (`true`), or not there (`false`).
        request_headers: default Vec<(Val<FieldName>, Val<HeaderMatch>)> = {},
        /// Header fields of an answer that Portcullis gives itself.
        response_headers: default Vec<(Val<FieldName>, Val<HeaderMatch>)> = {},
    }
}

impl Expect {
    /// Whether it expects nothing at all, so that no request could disappoint it.
    pub(crate) fn is_empty(&self) -> bool {
        let texts = [
            &self.route,
            &self.service,
            &self.location,
            &self.target,
            &self.host,
        ];
        texts.into_iter().all(Option::is_none)
            && self.status.is_none()
            && self.request_headers.is_empty()
            && self.response_headers.is_empty()
    }
}

/// Method and URL of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
}

impl FromStr for RequestLine {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let Some((method, url)) = text.split_once(' ') else {
            return Err(
                Invalid::new(format!("{} is not a method and a URL", quoted(text)))
                    .help("write both, such as \"GET https://www.example.com/\""),
            );
        };
        method.parse::<MethodName>()?;
        Ok(Self {
            method: method.to_owned(),
            url: url.trim().to_owned(),
        })
    }
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)
    }
}

text_value!(
    RequestLine,
    "a method and a URL",
    "GET https://www.example.com/"
);

/// The address of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub std::net::IpAddr);

impl FromStr for ClientAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let address = text.parse();
        address
            .map(Self)
            .map_err(|_| Invalid::new(format!("{} is not an IP address", quoted(text))))
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_value!(ClientAddress, "an IP address", "203.0.113.9");
