//! The request as a demo app sees it: as a page for browsers, as text for everybody else.

use std::fmt::Write as _;

use portcullis_daemon::small_server::{Request, Response};

/// Bytes of a body that are shown.
const SHOWN: usize = 4096;

/// Shows `request` as the app `app` received it.
pub(crate) fn show(app: &str, request: &Request) -> Response {
    let text = text(app, request);
    let wants_html = request
        .field("accept")
        .is_some_and(|accept| accept.contains("text/html"));
    let response = if wants_html {
        Response::new(200, "text/html; charset=utf-8", html(&text))
    } else {
        Response::text(200, text)
    };
    response.with("X-Served-By", app)
}

fn text(app: &str, request: &Request) -> String {
    let mut text = format!(
        "served by the demo app on {app}, asked by {}\n\n",
        request.peer
    );
    let _ = writeln!(text, "{} {} HTTP/1.1", request.method, request.target);
    for (name, value) in &request.fields {
        let _ = writeln!(text, "{name}: {value}");
    }
    if !request.body.is_empty() {
        let shown = request.body.get(..SHOWN).unwrap_or(&request.body);
        let _ = writeln!(text, "\n{}", String::from_utf8_lossy(shown));
    }
    text
}

fn html(text: &str) -> String {
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!(
        "<!doctype html><meta charset=utf-8><title>portcullis demo</title>\
         <body style=\"font:16px/1.5 system-ui;max-width:50em;margin:3em auto\">\
         <h1>portcullis demo</h1><pre>{escaped}</pre>\
         <p>Try <a href=/hello>/hello</a>, <a href=/old>/old</a>, <a href=/app/x>/app/x</a>, <a href=/slow>/slow</a>.\n"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_a_client_sends_is_escaped_for_browsers() {
        let fields = vec![
            ("Accept".to_owned(), "text/html".to_owned()),
            ("X".to_owned(), "<script>".to_owned()),
        ];
        let request = Request {
            method: "GET".to_owned(),
            target: "/".to_owned(),
            fields,
            ..Request::default()
        };
        let body = String::from_utf8(show("tcp", &request).body).unwrap();
        assert!(
            body.contains("X: &lt;script&gt;") && !body.contains("<script>"),
            "{body}"
        );
    }

    #[test]
    fn everybody_else_gets_text() {
        let request = Request {
            method: "POST".to_owned(),
            body: b"hi".to_vec(),
            ..Request::default()
        };
        let response = show("unix", &request);
        assert!(response.body.ends_with(b"\nhi\n"));
        assert!(
            response
                .fields
                .iter()
                .any(|(name, value)| name == "X-Served-By" && value == "unix")
        );
    }
}
