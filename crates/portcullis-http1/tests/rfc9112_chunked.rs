//! The chunked coding by RFC 9112 section 7: bytes, and what they decode to.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use portcullis_http1::{Body, BodyFraming, Piece, Reject};

/// Data, trailers and the bytes used, when the body is whole.
type Decoded = (Vec<u8>, Vec<u8>, usize);

fn decode(input: &[u8], step: usize) -> Result<Option<Decoded>, Reject> {
    let mut body = Body::new(BodyFraming::Chunked);
    let (mut data, mut at, mut seen) = (Vec::new(), 0, step.min(input.len()));
    loop {
        let (used, piece) = body.next(&input[at..seen])?;
        match piece {
            Piece::Data(range) => data.extend_from_slice(&input[at..seen][range]),
            Piece::End => return Ok(Some((data, body.trailers().to_vec(), at + used))),
            Piece::More if seen == input.len() => return Ok(None),
            Piece::More => {
                assert_eq!(at + used, seen, "more means that all was used");
                seen = (seen + step).min(input.len());
            }
        }
        at += used;
    }
}

fn accept(input: &str, data: &str, trailers: &str) {
    for step in [1, 2, 3, 7, input.len()] {
        let (got, lines, used) = decode(input.as_bytes(), step).unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&got), data, "{input:?} by {step}");
        assert_eq!(
            String::from_utf8_lossy(&lines),
            trailers,
            "{input:?} by {step}"
        );
        assert_eq!(used, input.len(), "{input:?} by {step}");
    }
}

fn refuse(input: &str, expected: Reject) {
    for step in [1, 3, input.len()] {
        let outcome = decode(input.as_bytes(), step);
        assert_eq!(outcome, Err(expected), "{input:?} by {step}");
    }
}

#[test]
fn rfc9112_7_1_chunks_are_joined() {
    accept("0\r\n\r\n", "", "");
    accept("3\r\nabc\r\n0\r\n\r\n", "abc", "");
    accept(
        "3\r\nabc\r\nA\r\n0123456789\r\n00\r\n\r\n",
        "abc0123456789",
        "",
    );
    accept(
        "000000000000000a\r\n0123456789\r\n0\r\n\r\n",
        "0123456789",
        "",
    );
    accept("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", "");
}

#[test]
fn rfc9112_7_1_what_follows_the_body_is_left() {
    let (data, _, used) = decode(b"1\r\nx\r\n0\r\n\r\nGET /", 17).unwrap().unwrap();
    assert_eq!((data.as_slice(), used), (b"x".as_slice(), 11));
}

#[test]
fn rfc9112_7_1_sizes_are_plain_hexadecimal() {
    for size in [
        "", "0x3", "+3", "-3", " 3", "\t3", "3 ", "3\t", "g", "3h", "\u{663}", "3,", "3 ;a",
        "\x003",
    ] {
        refuse(
            &format!("{size}\r\nabc\r\n0\r\n\r\n"),
            Reject::ChunkSizeInvalid,
        );
    }
    for size in [
        "00000000000000003",
        "8000000000000000",
        "ffffffffffffffff",
        "10000000000000000",
    ] {
        refuse(&format!("{size}\r\nabc"), Reject::ChunkSizeTooLarge);
    }
    refuse(";a=b\r\n", Reject::ChunkSizeInvalid);
}

#[test]
fn rfc9112_7_1_lines_end_with_crlf_only() {
    refuse("3\nabc\r\n0\r\n\r\n", Reject::BareLf);
    refuse("3\r\nabc\n0\r\n\r\n", Reject::BareLf);
    refuse("3\r\nabcd\r\n0\r\n\r\n", Reject::ChunkEndInvalid);
    refuse("3\r\nabc\rX0\r\n\r\n", Reject::ChunkEndInvalid);
    refuse("3\rXabc\r\n", Reject::BareCr);
    refuse("3\r\rabc\r\n", Reject::BareCr);
    refuse("0\n\n", Reject::BareLf);
    refuse("0\r\n\n", Reject::BareLf);
    refuse("0\r\n\rX", Reject::BareCr);
}

#[test]
fn rfc9112_7_1_1_extensions_are_checked_and_dropped() {
    for extension in [
        ";a",
        ";a=b",
        ";a=\"b;\\\" \t\"",
        ";a;b=c;d",
        "; a",
        "; a = b",
        ";a=b ;c",
        ";a ;b",
        ";a = \"x\" ; c=d",
        ";a=\"\"",
    ] {
        accept(
            &format!("3{extension}\r\nabc\r\n0{extension}\r\n\r\n"),
            "abc",
            "",
        );
    }
    for extension in [
        ";",
        ";=b",
        ";a=",
        ";a=b=c",
        ";;",
        ";a b",
        ";a ",
        ";a=b ",
        ";a=\"b\"c",
        ";a=\"b\"=",
        ";a\0",
        ";a=\"\x01\"",
        ";a=\u{e9}",
        ";a=(",
        ";a=b\tc",
        ";\t",
    ] {
        refuse(
            &format!("3{extension}\r\nabc\r\n"),
            Reject::ChunkExtensionInvalid,
        );
    }
    for extension in [";a\nabc", ";a=\"\n\"", ";\n", ";a=b\n"] {
        refuse(&format!("3{extension}\r\nabc\r\n"), Reject::BareLf);
    }
    refuse("3;a=\"\r\n\"\r\nabc\r\n", Reject::ChunkExtensionInvalid);
    refuse("3;a\rb\r\n", Reject::BareCr);
}

#[test]
fn rfc9112_7_1_1_extensions_are_bounded() {
    accept(
        &format!("3;{}\r\nabc\r\n0\r\n\r\n", "a".repeat(255)),
        "abc",
        "",
    );
    refuse(
        &format!("3;{}\r\n", "a".repeat(256)),
        Reject::ChunkExtensionTooLong,
    );
    let line = format!("1;{}\r\nx\r\n", "a".repeat(255));
    accept(
        &format!("{}0\r\n\r\n", line.repeat(16)),
        &"x".repeat(16),
        "",
    );
    refuse(
        &format!("{}0\r\n\r\n", line.repeat(17)),
        Reject::ChunkExtensionTooLong,
    );
}

#[test]
fn rfc9112_7_1_2_trailers_come_out_clean() {
    accept("0\r\nA: b\r\n\r\n", "", "A: b\r\n");
    accept(
        "1\r\nx\r\n0\r\na:b\r\nC:   d \t\r\nE:\r\nETag: \"1\"\r\n\r\n",
        "x",
        "a: b\r\nC: d\r\nE: \r\nETag: \"1\"\r\n",
    );
}

#[test]
fn rfc9112_7_1_2_trailers_are_as_strict_as_fields() {
    for (line, reject) in [
        ("A : b", Reject::NameSpace),
        (": b", Reject::NameEmpty),
        ("A", Reject::ColonMissing),
        ("A: \0", Reject::ControlCharacter),
        ("A: b\r\n c", Reject::LineFolding),
        (" A: b", Reject::LeadingSpace),
        ("A: b\nC: d", Reject::BareLf),
        ("A(: b", Reject::NameInvalid),
    ] {
        refuse(&format!("0\r\n{line}\r\n\r\n"), reject);
    }
}

#[test]
fn rfc9110_6_5_1_forbidden_trailers_are_refused() {
    for name in [
        "Host",
        "Transfer-Encoding",
        "Content-Type",
        "Content-Encoding",
        "Content-Range",
        "Trailer",
        "Connection",
        "Authorization",
        "Cookie",
        "Set-Cookie",
        "Cache-Control",
        "Expect",
        "Range",
        "TE",
        "If-Match",
        "Location",
        "Vary",
        "Date",
        "Upgrade",
        "X-Forwarded-For",
        "X_Forwarded_For",
        "Forwarded",
        "X-Real-IP",
        "WWW-Authenticate",
        "Proxy-Foo",
        "Max-Forwards",
        "Age",
    ] {
        let value = if name == "Transfer-Encoding" {
            "chunked"
        } else {
            "a"
        };
        refuse(
            &format!("0\r\n{name}: {value}\r\n\r\n"),
            Reject::TrailerForbidden,
        );
    }
    refuse("0\r\nContent-Length: 3\r\n\r\n", Reject::TrailerForbidden);
}

#[test]
fn rfc9112_7_1_2_trailers_are_bounded() {
    let many = |count: usize| format!("0\r\n{}\r\n", "A: b\r\n".repeat(count));
    accept(&many(64), "", &"A: b\r\n".repeat(64));
    refuse(&many(65), Reject::TrailersTooMany);
    let long = format!("0\r\nA: {}", "b".repeat(8190));
    refuse(&long, Reject::TrailersTooLarge);
    refuse(
        &format!("0\r\nA: {}\r\n\r\n", "b".repeat(8190)),
        Reject::TrailersTooLarge,
    );
}

#[test]
fn rfc9112_8_an_unfinished_body_is_truncated() {
    for input in [
        "",
        "3",
        "3\r\n",
        "3\r\nab",
        "3\r\nabc\r\n",
        "0\r\n",
        "0\r\n\r",
        "0\r\nA: b\r\n",
    ] {
        assert_eq!(decode(input.as_bytes(), 64), Ok(None), "{input:?}");
        let mut body = Body::new(BodyFraming::Chunked);
        let mut rest = input.as_bytes();
        while let (used, Piece::Data(_)) = body.next(rest).unwrap() {
            rest = &rest[used..];
        }
        assert_eq!(body.end_of_input(), Err(Reject::Truncated), "{input:?}");
        assert!(!body.is_done() && body.trailers().is_empty());
    }
}
