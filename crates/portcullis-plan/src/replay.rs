//! Requests that an access log recorded, to be asked again of another configuration.

use std::collections::HashMap;
use std::net::IpAddr;

use serde_json::Value;

use crate::explain::{Explanation, Question};

/// The most shapes that are kept; what is beyond them is counted.
const MOST: usize = 200_000;

/// What a record of the `json` access log tells of a request, as far as decisions may depend on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    method: String,
    url: String,
    listener: String,
    peer: Option<IpAddr>,
    fields: Vec<(String, String)>,
    http2: bool,
    tls_name: Option<String>,
}

/// The shapes of a log, each with how often it came.
#[derive(Debug, Default)]
pub struct Shapes {
    order: Vec<Shape>,
    counts: HashMap<Shape, u64>,
    /// Lines that are no record of a request that was understood.
    pub unread: u64,
    /// Records beyond the shapes that are kept.
    pub beyond: u64,
}

impl Shapes {
    /// Takes one line of the log in.
    pub fn line(&mut self, line: &str) {
        let Some(shape) = Shape::of(line) else {
            self.unread += u64::from(!line.trim().is_empty());
            return;
        };
        if let Some(count) = self.counts.get_mut(&shape) {
            *count += 1;
        } else if self.order.len() < MOST {
            self.order.push(shape.clone());
            self.counts.insert(shape, 1);
        } else {
            self.beyond += 1;
        }
    }

    /// Every shape with its count, in the order of the log.
    pub fn iter(&self) -> impl Iterator<Item = (&Shape, u64)> {
        let count = |shape| self.counts.get(shape).copied().unwrap_or(0);
        self.order.iter().map(move |shape| (shape, count(shape)))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl Shape {
    /// The request of a record; `None` for a line that is none, or whose request was refused before it was understood.
    fn of(line: &str) -> Option<Self> {
        let record: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| record.get(key).and_then(Value::as_str);
        let (method, target) = (text("method")?, text("target")?);
        let (scheme, listener) = (text("scheme")?, text("listener")?);
        let host = text("host").unwrap_or_default();
        let peer: Option<IpAddr> = text("peer").and_then(|peer| peer.parse().ok());
        let client: Option<IpAddr> = text("client").and_then(|client| client.parse().ok());
        let mut fields = Vec::new();
        let mut field = |name: &str, value: Option<String>| {
            fields.extend(value.map(|value| (name.to_owned(), value)));
        };
        // A believed client that is not the peer came in a field that the listener believes.
        let behind = client.filter(|_| client != peer);
        field("x-forwarded-for", behind.map(|client| client.to_string()));
        let tls = record.get("tls").filter(|tls| tls.is_object());
        let asked = |tls: &Value| {
            tls.get("name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let told = (scheme == "https") != tls.is_some();
        field("x-forwarded-proto", told.then(|| scheme.to_owned()));
        field("referer", text("referer").map(str::to_owned));
        field("user-agent", text("user_agent").map(str::to_owned));
        field("host", (!host.is_empty()).then(|| host.to_owned()));
        Some(Self {
            method: method.to_owned(),
            url: target.to_owned(),
            listener: listener.to_owned(),
            peer,
            fields,
            http2: text("version") == Some("HTTP/2.0"),
            tls_name: tls.map(asked),
        })
    }

    /// The request as a question.
    #[must_use]
    pub fn question(&self) -> Question<'_> {
        Question {
            method: &self.method,
            url: &self.url,
            fields: &self.fields,
            from: self.peer,
            listener: Some(&self.listener),
            http2: Some(self.http2),
            tls_name: self.tls_name.as_deref(),
        }
    }

    /// The request in one line.
    #[must_use]
    pub fn title(&self) -> String {
        let host = self.fields.iter().find(|(name, _)| name == "host");
        let host = host.map_or("-", |(_, host)| host);
        let over = if self.http2 { " over HTTP/2" } else { "" };
        let Self {
            method,
            url,
            listener,
            ..
        } = self;
        format!("{method} {host} {url} on {listener}{over}")
    }
}

/// What is decided about a request, in one line that is equal exactly when the decision is.
#[must_use]
pub fn decision(told: &Result<Explanation, String>) -> String {
    let told = match told {
        Ok(told) => told,
        Err(reason) => return format!("cannot come: {reason}"),
    };
    let mut line = told.verdict.clone();
    let answer = told.answer.iter();
    line.extend(answer.map(|(name, value)| format!("; {name}: {value}")));
    if let Some(digest) = told.body_digest {
        line.push_str(&format!("; body {digest:016x}"));
    }
    if let Some(to) = &told.forwarding {
        line.push_str(&format!(" as {} to host {}", to.target, to.host));
        let own = |(name, _): &&(String, String)| !matches!(name.as_str(), "host");
        for (name, value) in to.sent.iter().filter(own) {
            line.push_str(&format!("; {name}: {value}"));
        }
        let answered = to.response_edits.iter();
        line.extend(answered.map(|edit| format!("; answered with {edit}")));
    }
    line
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const RECORD: &str = r#"{"listener":"web","client":"203.0.113.9","peer":"10.0.0.1","method":"GET","scheme":"https","host":"a.example","target":"/x?y","user_agent":"curl","referer":null,"tls":null}"#;

    #[test]
    fn a_record_becomes_the_request_it_tells_of() {
        let shape = Shape::of(RECORD).unwrap();
        let question = shape.question();
        assert_eq!((question.method, question.url), ("GET", "/x?y"));
        assert_eq!(question.from, Some("10.0.0.1".parse().unwrap()));
        let names: Vec<_> = question.fields.iter().map(|(name, _)| &**name).collect();
        assert_eq!(
            names,
            ["x-forwarded-for", "x-forwarded-proto", "user-agent", "host"]
        );
    }

    #[test]
    fn the_version_and_the_name_of_the_handshake_are_asked_again() {
        let shape = Shape::of(RECORD).unwrap();
        assert_eq!(shape.question().http2, Some(false));
        assert_eq!(shape.question().tls_name, None);
        let tls = r#""version":"HTTP/2.0","tls":{"name":"b.example"}"#;
        let shape = Shape::of(&RECORD.replace(r#""tls":null"#, tls)).unwrap();
        assert_eq!(shape.question().http2, Some(true));
        assert_eq!(shape.question().tls_name, Some("b.example"));
        assert_eq!(shape.title(), "GET a.example /x?y on web over HTTP/2");
    }

    #[test]
    fn equal_shapes_are_counted_and_other_lines_too() {
        let mut shapes = Shapes::default();
        for line in [RECORD, RECORD, "", "127.0.0.1 - - [x]", "{}"] {
            shapes.line(line);
        }
        let counts: Vec<_> = shapes.iter().map(|(_, count)| count).collect();
        assert_eq!((counts, shapes.unread), (vec![2], 2));
    }
}
