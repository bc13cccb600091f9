//! Request heads by the sections of RFC 9112: bytes, and what becomes of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use portcullis_http1::{
    BodyFraming, Known, Limits, Method, Reject, RequestHead, TargetForm, Version,
};

const HOST: &str = "Host: a.example\r\n";

fn parse(bytes: &[u8]) -> Result<RequestHead, Reject> {
    let mut head = RequestHead::new();
    match head.parse(bytes, &Limits::default())? {
        Some(length) => {
            assert_eq!(length, bytes.len(), "the head is all there is");
            Ok(head)
        }
        None => panic!("unfinished: {:?}", String::from_utf8_lossy(bytes)),
    }
}

fn accept(bytes: &str) -> RequestHead {
    parse(bytes.as_bytes()).unwrap_or_else(|reject| panic!("{bytes:?} is refused: {reject:?}"))
}

fn refuse(bytes: impl AsRef<[u8]>, expected: Reject) {
    let bytes = bytes.as_ref();
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(parse(bytes).err(), Some(expected), "{text:?}");
}

/// A request whose fields are Host and `fields`.
fn with(fields: &str) -> String {
    format!("POST / HTTP/1.1\r\n{HOST}{fields}\r\n\r\n")
}

/// A request for `target`.
fn to(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\n{HOST}\r\n")
}

#[test]
fn rfc9112_2_1_a_message_is_read_in_place() {
    let bytes =
        "PUT /a/b?c=d HTTP/1.1\r\nhost:  a.example:8080\t\r\nX-Empty:\r\nContent-Length: 5\r\n\r\n";
    let head = accept(bytes);
    let buf = bytes.as_bytes();
    assert_eq!(
        (head.method(), head.version()),
        (Method::Put, Version::Http11)
    );
    assert_eq!(head.method_span().of(buf), b"PUT");
    assert_eq!(head.target().of(buf), b"/a/b?c=d");
    assert_eq!(head.authority().of(buf), b"a.example:8080");
    assert_eq!(head.framing(), BodyFraming::Length(5));
    let fields: Vec<_> = head
        .fields()
        .iter()
        .map(|f| (f.name.of(buf), f.value.of(buf)))
        .collect();
    let expected: [(&[u8], &[u8]); 3] = [
        (b"host", b"a.example:8080"),
        (b"X-Empty", b""),
        (b"Content-Length", b"5"),
    ];
    assert_eq!(fields, expected);
    assert_eq!(
        head.fields()[0].line.of(buf),
        b"host:  a.example:8080\t\r\n"
    );
    assert_eq!(
        head.first(Known::ContentLength).unwrap().value.of(buf),
        b"5"
    );
    assert!(head.has(Known::Host) && !head.has(Known::Cookie));
}

#[test]
fn rfc9112_2_1_a_head_may_come_in_any_pieces_and_leaves_what_follows() {
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\nGET /next";
    let mut head = RequestHead::new();
    for end in 0..39 {
        assert_eq!(
            head.parse(&bytes[..end], &Limits::default()),
            Ok(None),
            "{end} bytes"
        );
    }
    assert_eq!(head.parse(&bytes[..40], &Limits::default()), Ok(Some(40)));
    assert_eq!(
        head.parse(&bytes[40..], &Limits::default()),
        Ok(None),
        "a new head begins"
    );
    assert!(head.fields().is_empty());
}

#[test]
fn rfc9112_2_2_one_empty_line_is_skipped_before_a_request() {
    assert_eq!(
        accept("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").method(),
        Method::Get
    );
    refuse("\r\n\r\nGET / HTTP/1.1\r\n", Reject::LeadingEmptyLine);
    refuse("\nGET / HTTP/1.1\r\n", Reject::BareLf);
    refuse("\r\n\nGET / HTTP/1.1\r\n", Reject::LeadingEmptyLine);
    refuse("\rGET / HTTP/1.1\r\n", Reject::BareCr);
}

#[test]
fn rfc9112_2_2_bare_line_ends_are_refused() {
    for bytes in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET /\nHost: a\r\n\r\n",
        "GET\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        refuse(bytes, Reject::BareLf);
    }
    for bytes in [
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\rX",
        "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
    ] {
        refuse(bytes, Reject::BareCr);
    }
}

#[test]
fn rfc9112_2_2_white_space_before_the_first_field_is_refused() {
    refuse(" GET / HTTP/1.1\r\n", Reject::LeadingSpace);
    refuse("\tGET / HTTP/1.1\r\n", Reject::LeadingSpace);
    refuse("\r\n GET / HTTP/1.1\r\n", Reject::LeadingSpace);
    refuse("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Reject::LeadingSpace);
}

#[test]
fn rfc9112_2_3_versions() {
    assert_eq!(accept("GET / HTTP/1.0\r\n\r\n").version(), Version::Http10);
    for version in ["HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP/3.1", "HTTP/1.9"] {
        refuse(format!("GET / {version}\r\n"), Reject::VersionUnsupported);
    }
    for version in [
        "http/1.1",
        "HTTP/1.x",
        "HTTP/11",
        "HTP/1.1",
        "HTTP/1.11",
        "HTTP/1.1x",
        "HTTP/+1.1",
        "ICY",
        "b HTTP/1.1",
    ] {
        refuse(format!("GET / {version}\r\n"), Reject::VersionInvalid);
    }
    refuse(
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        Reject::VersionUnsupported,
    );
}

#[test]
fn rfc9112_3_request_lines_have_two_single_spaces() {
    for bytes in [
        "GET  / HTTP/1.1\r\n",
        "GET /  HTTP/1.1\r\n",
        "GET\t/ HTTP/1.1\r\n",
        "GET /\tHTTP/1.1\r\n",
        "GET / HTTP/1.1 \r\n",
        "GET / HTTP/1.1\t\r\n",
        "GET / HTTP/1.1 HTTP/1.1\r\n",
        "GET /\r\n",
        "GET\r\n",
        "GET \r\n",
        "GET / \r\n",
        "GET  HTTP/1.1\r\n",
    ] {
        refuse(bytes, Reject::RequestLineInvalid);
    }
}

#[test]
fn rfc9112_3_1_methods_are_tokens_of_bounded_length() {
    for (name, method) in [
        ("GET", Method::Get),
        ("get", Method::Other),
        ("M-SEARCH", Method::Other),
        ("TRACE", Method::Trace),
    ] {
        assert_eq!(
            accept(&format!("{name} / HTTP/1.1\r\n{HOST}\r\n")).method(),
            method
        );
    }
    for bytes in [
        "G(T / HTTP/1.1\r\n",
        "G\0T /",
        ": /",
        "GET/ HTTP/1.1\r\n",
        "G\u{e9}T /",
        "\x16\x03\x01\x02",
        "\"GET\" /",
    ] {
        refuse(bytes, Reject::MethodInvalid);
    }
    accept(&format!("{} / HTTP/1.1\r\n{HOST}\r\n", "A".repeat(32)));
    refuse("A".repeat(33), Reject::MethodTooLong);
    assert_eq!(Reject::MethodTooLong.status(), 501);
}

#[test]
fn rfc9112_3_2_targets_hold_only_what_a_uri_holds() {
    for target in [
        "/",
        "/a%20b",
        "/-._~!$&'()*+,;=:@",
        "//two",
        "/?q=/?:@",
        "/?id[]=1",
        "/a;b=c",
        "/%00",
    ] {
        accept(&to(target));
    }
    for target in [
        "/a\"b", "/<", "/>", "/a\\b", "/^", "/`", "/{id}", "/a|b", "/a\x01b", "/a\0b", "/\x7F",
        "/\u{e9}", "/a[1]", "/a]?b",
    ] {
        refuse(to(target), Reject::TargetInvalid);
    }
    refuse(b"GET /\xFF HTTP/1.1\r\n", Reject::TargetInvalid);
    refuse(to("/a#b"), Reject::TargetFragment);
    for target in ["/%", "/%2", "/%zz", "/%2g", "/a%%20", "/?q=100%"] {
        refuse(to(target), Reject::TargetPercent);
    }
}

#[test]
fn rfc9112_3_2_1_a_target_is_no_relative_path() {
    for target in [
        "foo",
        "a.example:80",
        "a.example",
        "?q",
        "../x",
        "ftp://a.example/",
        "http:/a.example/",
        "http:",
        "mailto:x",
        "**",
        "*?",
    ] {
        refuse(to(target), Reject::TargetForm);
    }
}

#[test]
fn rfc9112_3_2_2_absolute_form() {
    for (target, host, origin) in [
        ("http://a.example/p?q", "a.example", "/p?q"),
        ("HTTP://A.Example:80/p", "a.example", "/p"),
        ("http://a.example", "a.example:80", ""),
        ("https://a.example:443/", "a.example", "/"),
        ("http://[::1]:8080/x", "[::1]:8080", "/x"),
        ("http://a.example/?id[]=1", "a.example", "/?id[]=1"),
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let head = accept(&bytes);
        assert_eq!(head.target_form(), TargetForm::Absolute);
        assert_eq!(
            head.origin().of(bytes.as_bytes()),
            origin.as_bytes(),
            "{target}"
        );
        assert!(head.authority().of(bytes.as_bytes()).len() >= 5, "{target}");
    }
    for (target, host) in [
        ("http://b.example/", "a.example"),
        ("http://a.example:81/", "a.example"),
        ("https://a.example/", "a.example:80"),
        ("http://a.example/", "a.example:443"),
    ] {
        refuse(
            format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            Reject::HostMismatch,
        );
    }
    for target in [
        "http:///p",
        "http://u@a.example/",
        "http://a.example:/",
        "http://a.example:99999/",
        "http://",
        "http://[::1/",
        "http://a[/",
    ] {
        refuse(to(target), Reject::HostInvalid);
    }
    refuse(to("http://a.example?q"), Reject::TargetForm);
    refuse(to("http://a.example/[x]"), Reject::TargetInvalid);
    refuse(
        "GET http://a.example/ HTTP/1.1\r\n\r\n",
        Reject::HostMissing,
    );
    let old = "GET http://a.example/ HTTP/1.0\r\n\r\n";
    assert_eq!(accept(old).authority().of(old.as_bytes()), b"a.example");
}

#[test]
fn rfc9112_3_2_3_authority_form_belongs_to_connect() {
    let bytes = "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let head = accept(bytes);
    assert_eq!(head.target_form(), TargetForm::Authority);
    assert_eq!(head.authority().of(bytes.as_bytes()), b"a.example:443");
    assert!(head.origin().is_empty());
    accept("CONNECT a.example:443 HTTP/1.1\r\nHost: A.example:443\r\n\r\n");
    refuse(
        "CONNECT a.example:443 HTTP/1.1\r\nHost: b.example\r\n\r\n",
        Reject::HostMismatch,
    );
    refuse(
        "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:80\r\n\r\n",
        Reject::HostMismatch,
    );
    for target in [
        "a.example",
        "/",
        "*",
        "http://a.example:443/",
        "a.example:",
        ":443",
        "u@a.example:443",
    ] {
        refuse(
            format!("CONNECT {target} HTTP/1.1\r\n{HOST}\r\n"),
            Reject::TargetConnect,
        );
    }
}

#[test]
fn rfc9112_3_2_4_asterisk_form_belongs_to_options() {
    let head = accept("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(head.target_form(), TargetForm::Asterisk);
    refuse(to("*"), Reject::TargetAsterisk);
}

#[test]
fn rfc9112_3_2_host_is_there_once_and_valid() {
    refuse("GET / HTTP/1.1\r\n\r\n", Reject::HostMissing);
    assert!(accept("GET / HTTP/1.0\r\n\r\n").authority().is_empty());
    for version in ["1.0", "1.1"] {
        let host = |fields: &str| format!("GET / HTTP/{version}\r\n{fields}\r\n\r\n");
        refuse(host("Host: a\r\nHost: a"), Reject::HostRepeated);
        refuse(host("Host: a\r\nHost: b"), Reject::HostRepeated);
        refuse(host("Host: a\r\nX: y\r\nhOST:"), Reject::HostRepeated);
        refuse(host("Host:"), Reject::HostEmpty);
        refuse(host("Host:  \t"), Reject::HostEmpty);
        for value in [
            "a b", "a/evil", "u@a", "a:b", "a:", "a,b", "http://a", "[::1", "a\u{e9}", "a\\b",
            "a#", "a?", "a;:1:2",
        ] {
            refuse(host(&format!("Host: {value}")), Reject::HostInvalid);
        }
    }
}

#[test]
fn rfc9112_5_1_field_names() {
    let field = |line: &str| format!("GET / HTTP/1.1\r\n{HOST}{line}\r\n\r\n");
    accept(&field("!#$%&'*+-.^_`|~09azAZ: all token characters"));
    for line in ["X : y", "X\t: y", "Transfer-Encoding : chunked", "A b: c"] {
        refuse(field(line), Reject::NameSpace);
    }
    refuse(field(": y"), Reject::NameEmpty);
    refuse(field("X"), Reject::ColonMissing);
    for line in [
        "X(: y",
        "X\0: y",
        "X\u{e9}: y",
        "X/y: z",
        "\"X\": y",
        "X\x0b: y",
        "[x]: y",
    ] {
        refuse(field(line), Reject::NameInvalid);
    }
}

#[test]
fn rfc9112_5_2_folded_lines_are_refused() {
    for line in [
        "X: y\r\n z",
        "X: y\r\n\tz",
        "X: y\r\n ",
        "X:\r\n Transfer-Encoding: chunked",
    ] {
        refuse(with(line), Reject::LineFolding);
    }
}

#[test]
fn rfc9110_5_5_field_values() {
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nX: a\tb \xE9\xFF ~\r\n\r\n";
    let head = parse(bytes).unwrap();
    assert_eq!(head.fields()[1].value.of(bytes), b"a\tb \xE9\xFF ~");
    for control in (0u8..0x20).chain([0x7F]).filter(|c| !b"\t\r\n".contains(c)) {
        let mut bytes = b"GET / HTTP/1.1\r\nHost: a\r\nX: a long enough value, then ".to_vec();
        bytes.push(control);
        bytes.extend_from_slice(b" and more\r\n\r\n");
        refuse(&bytes, Reject::ControlCharacter);
    }
}

#[test]
fn rfc6585_5_limits_are_enforced_as_soon_as_they_are_passed() {
    let limits = Limits {
        head_bytes: 64,
        target_bytes: 16,
        fields: 2,
    };
    let outcome = |bytes: &str| RequestHead::new().parse(bytes.as_bytes(), &limits);
    assert_eq!(
        outcome("GET /234567890123456 HTTP/1.1\r\nHost: a\r\n\r\n"),
        Ok(Some(42))
    );
    assert_eq!(outcome("GET /2345678901234567"), Err(Reject::TargetTooLong));
    assert_eq!(outcome("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n"), Ok(None));
    assert_eq!(
        outcome("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\n"),
        Err(Reject::FieldsTooMany)
    );
    let just = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "a".repeat(38));
    assert_eq!(outcome(&just), Ok(Some(64)));
    let over = format!("GET / HTTP/1.1\r\nHost: {}", "a".repeat(42));
    assert_eq!(outcome(&over), Err(Reject::HeadTooLarge));
    assert_eq!(outcome(&over[..63]), Ok(None));
    assert_eq!(Reject::HeadTooLarge.status(), 431);
    assert_eq!(Reject::FieldsTooMany.status(), 431);
    assert_eq!(Reject::TargetTooLong.status(), 414);
}

#[test]
fn rfc9112_6_1_transfer_encoding_is_exactly_chunked() {
    for value in ["chunked", "Chunked", "CHUNKED", "\tchunked \t"] {
        let head = accept(&with(&format!("Transfer-Encoding: {value}")));
        assert_eq!(head.framing(), BodyFraming::Chunked);
    }
    for value in [
        "",
        "identity",
        "chunked, chunked",
        "chunked, identity",
        "\"chunked\"",
        "chunked;q=1",
        ",chunked",
        "chunked chunked",
    ] {
        refuse(
            with(&format!("Transfer-Encoding: {value}")),
            Reject::TransferEncodingInvalid,
        );
    }
    for value in ["gzip", "xchunked", "gzip, chunked", "chunkedx"] {
        refuse(
            with(&format!("Transfer-Encoding: {value}")),
            Reject::TransferEncodingUnknown,
        );
    }
    refuse(
        with("Transfer-Encoding: \x0bchunked"),
        Reject::ControlCharacter,
    );
    refuse(
        with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        Reject::TransferEncodingRepeated,
    );
    refuse(
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        Reject::TransferEncodingVersion,
    );
    assert_eq!(Reject::TransferEncodingUnknown.status(), 501);
}

#[test]
fn rfc9112_6_3_content_length_and_transfer_encoding_exclude_each_other() {
    let reject = Reject::ContentLengthWithTransferEncoding;
    refuse(
        with("Content-Length: 3\r\nTransfer-Encoding: chunked"),
        reject,
    );
    refuse(
        with("Transfer-Encoding: chunked\r\nContent-Length: 3"),
        reject,
    );
    refuse(
        with("Transfer-Encoding: chunked\r\nContent-Length: 0"),
        reject,
    );
}

#[test]
fn rfc9112_6_3_content_length_is_one_plain_number() {
    assert_eq!(
        accept(&with("Content-Length: 0")).framing(),
        BodyFraming::Length(0)
    );
    assert_eq!(accept(&with("X: y")).framing(), BodyFraming::None);
    assert_eq!(
        accept("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n").framing(),
        BodyFraming::Length(9)
    );
    refuse(
        with("Content-Length: 3\r\nContent-Length: 3"),
        Reject::ContentLengthRepeated,
    );
    refuse(
        with("Content-Length: 3\r\nContent-Length: 4"),
        Reject::ContentLengthRepeated,
    );
    refuse(with("Content-Length: 3, 3"), Reject::ContentLengthList);
    for value in [
        "", "+3", "-1", "0x3", "3 3", "3a", "\u{663}", "03", "1_000", "3.0",
    ] {
        refuse(
            with(&format!("Content-Length: {value}")),
            Reject::ContentLengthInvalid,
        );
    }
    for value in [
        "9223372036854775808",
        "18446744073709551616",
        "100000000000000000000",
    ] {
        refuse(
            with(&format!("Content-Length: {value}")),
            Reject::ContentLengthTooLarge,
        );
    }
}

#[test]
fn rfc9112_9_3_persistence() {
    for (version, connection, keeps) in [
        ("1.1", "", true),
        ("1.1", "Connection: close", false),
        ("1.1", "Connection: Close", false),
        ("1.1", "Connection: keep-alive", true),
        ("1.1", "Connection: keep-alive, close", false),
        ("1.1", "Connection: close\r\nConnection: keep-alive", false),
        ("1.1", "Connection: x\r\nConnection: , ,close", false),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive", true),
        ("1.0", "Connection: Keep-Alive", true),
        ("1.0", "Connection: keep-alive, close", false),
    ] {
        let fields = if connection.is_empty() {
            "X: y"
        } else {
            connection
        };
        let head = accept(&format!("GET / HTTP/{version}\r\n{HOST}{fields}\r\n\r\n"));
        assert_eq!(head.keep_alive(), keeps, "{version} {connection}");
    }
}
