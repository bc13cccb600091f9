//! The pages that say what went wrong: HTML, JSON or plain text, as the client prefers.

mod accept;

use std::collections::BTreeMap;

use crate::plan::Page;

pub use accept::Form;

/// Appends the body of the error page for `status` and gives its media type.
///
/// A configured page is sent as it is. Otherwise `accept`, the value of the request's Accept field,
/// chooses among HTML, JSON and plain text ([`Form::preferred`]). The request id, if there is one,
/// is shown so that a user can report it.
pub fn error_page<'p>(
    status: u16,
    accept: Option<&[u8]>,
    pages: &'p BTreeMap<u16, Page>,
    request_id: &[u8],
    out: &mut Vec<u8>,
) -> &'p str {
    if let Some(page) = pages.get(&status) {
        out.extend_from_slice(&page.body);
        return &page.content_type;
    }
    let form = Form::preferred(accept);
    let words = describe(status);
    match form {
        Form::Text => text(status, words, request_id, out),
        Form::Html => html(status, words, request_id, out),
        Form::Json => json(status, words, request_id, out),
    }
    form.content_type()
}

/// Title and explanation of a status.
type Words = (&'static str, &'static str);

fn text(status: u16, (title, explanation): Words, request_id: &[u8], out: &mut Vec<u8>) {
    digits(status, out);
    append(out, &[" ", title, "\n", explanation, "\n"]);
    if !request_id.is_empty() {
        append(out, &["request id: "]);
        out.extend(
            request_id
                .iter()
                .map(|&byte| if byte.is_ascii_graphic() { byte } else { b'?' }),
        );
        append(out, &["\n"]);
    }
}

fn html(status: u16, (title, explanation): Words, request_id: &[u8], out: &mut Vec<u8>) {
    append(
        out,
        &["<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"],
    );
    append(
        out,
        &["<meta name=\"viewport\" content=\"width=device-width\"><title>"],
    );
    digits(status, out);
    append(
        out,
        &[
            " ",
            title,
            "</title><style>body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;",
        ],
    );
    append(
        out,
        &["margin:15vh auto;padding:0 1rem}small{color:#666}</style></head>\n<body><h1>"],
    );
    digits(status, out);
    append(out, &[" ", title, "</h1><p>", explanation, "</p>"]);
    if !request_id.is_empty() {
        append(out, &["<p><small>Request id: "]);
        request_id.iter().for_each(|&byte| html_byte(byte, out));
        append(out, &["</small></p>"]);
    }
    append(out, &["</body></html>\n"]);
}

fn json(status: u16, (title, explanation): Words, request_id: &[u8], out: &mut Vec<u8>) {
    append(out, &["{\"status\":"]);
    digits(status, out);
    append(
        out,
        &[
            ",\"error\":\"",
            title,
            "\",\"message\":\"",
            explanation,
            "\"",
        ],
    );
    if !request_id.is_empty() {
        append(out, &[",\"request_id\":\""]);
        request_id.iter().for_each(|&byte| json_byte(byte, out));
        append(out, &["\""]);
    }
    append(out, &["}\n"]);
}

fn html_byte(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'<' => append(out, &["&lt;"]),
        b'>' => append(out, &["&gt;"]),
        b'&' => append(out, &["&amp;"]),
        b'"' => append(out, &["&quot;"]),
        b'\'' => append(out, &["&#39;"]),
        _ if byte.is_ascii_graphic() || byte == b' ' => out.push(byte),
        _ => out.push(b'?'),
    }
}

fn json_byte(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        _ if byte.is_ascii_graphic() || byte == b' ' => out.push(byte),
        _ => out.push(b'?'),
    }
}

fn append(out: &mut Vec<u8>, texts: &[&str]) {
    texts
        .iter()
        .for_each(|text| out.extend_from_slice(text.as_bytes()));
}

/// A status as three digits.
fn digits(status: u16, out: &mut Vec<u8>) {
    let digit = |value: u16| b'0' + u8::try_from(value % 10).unwrap_or_default();
    out.extend_from_slice(&[digit(status / 100), digit(status / 10), digit(status)]);
}

/// What a status means to the person who reads it. No text holds a character that HTML or JSON must escape.
const fn describe(status: u16) -> Words {
    match status {
        400 => ("Bad Request", "The request could not be understood."),
        401 => ("Unauthorized", "The request lacks valid credentials."),
        403 => ("Forbidden", "Access to this resource is not allowed."),
        404 => ("Not Found", "There is nothing at this address."),
        405 => (
            "Method Not Allowed",
            "This address does not support the method of the request.",
        ),
        408 => ("Request Timeout", "The request did not arrive in time."),
        410 => ("Gone", "What was at this address is no longer available."),
        413 => (
            "Content Too Large",
            "The content of the request is larger than allowed.",
        ),
        414 => ("URI Too Long", "The address is longer than allowed."),
        417 => (
            "Expectation Failed",
            "The expectation of the request cannot be met.",
        ),
        421 => (
            "Misdirected Request",
            "This connection cannot be used for this host.",
        ),
        426 => ("Upgrade Required", "This address needs another protocol."),
        429 => (
            "Too Many Requests",
            "Too many requests have come from here. Please wait before trying again.",
        ),
        431 => (
            "Request Header Fields Too Large",
            "The header of the request is larger than allowed.",
        ),
        500 => (
            "Internal Server Error",
            "Something went wrong while answering the request.",
        ),
        501 => (
            "Not Implemented",
            "The request needs something that is not supported.",
        ),
        502 => (
            "Bad Gateway",
            "The server behind this address gave no valid answer.",
        ),
        503 => (
            "Service Unavailable",
            "The service is not available at the moment. Please try again soon.",
        ),
        504 => (
            "Gateway Timeout",
            "The server behind this address did not answer in time.",
        ),
        505 => (
            "HTTP Version Not Supported",
            "This version of HTTP is not supported.",
        ),
        ..500 => ("Client Error", "The request cannot be answered."),
        _ => (
            "Server Error",
            "Something went wrong while answering the request.",
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn page(status: u16, accept: Option<&str>, id: &[u8]) -> (String, String) {
        let pages = BTreeMap::new();
        let mut out = Vec::new();
        let content_type = error_page(status, accept.map(str::as_bytes), &pages, id, &mut out);
        (content_type.to_owned(), String::from_utf8(out).unwrap())
    }

    #[test]
    fn page_takes_the_preferred_form() {
        let (content_type, body) = page(404, Some("text/html"), b"abc");
        assert_eq!(content_type, "text/html; charset=utf-8");
        assert!(body.contains("<h1>404 Not Found</h1>") && body.contains("Request id: abc"));
        let (content_type, body) = page(503, Some("application/json"), b"abc");
        assert_eq!(content_type, "application/json");
        assert!(
            body.starts_with("{\"status\":503,\"error\":\"Service Unavailable\""),
            "{body}"
        );
        assert!(page(404, None, b"").1.starts_with("404 Not Found\n"));
    }

    #[test]
    fn request_id_cannot_inject_anything() {
        let id = b"<script>\"\\\r\n\xFF";
        assert!(
            page(400, Some("text/html"), id)
                .1
                .contains("&lt;script&gt;&quot;\\???")
        );
        assert!(
            page(400, Some("application/json"), id)
                .1
                .contains(r#""request_id":"<script>\"\\???""#)
        );
        assert!(
            page(400, None, id)
                .1
                .ends_with("request id: <script>\"\\???\n")
        );
    }

    #[test]
    fn configured_page_is_sent_as_it_is() {
        let own = Page {
            content_type: "text/html; charset=utf-8".into(),
            body: b"gone"[..].into(),
        };
        let pages = BTreeMap::from([(503, own)]);
        let mut out = Vec::new();
        assert_eq!(
            error_page(503, Some(b"application/json"), &pages, b"id", &mut out),
            "text/html; charset=utf-8"
        );
        assert_eq!(out, b"gone");
    }

    #[test]
    fn texts_need_no_escaping_in_any_form() {
        for status in 400..=599 {
            let (title, explanation) = describe(status);
            assert!(
                !format!("{title}{explanation}").contains(['<', '>', '&', '"', '\\']),
                "{status}"
            );
        }
    }
}
