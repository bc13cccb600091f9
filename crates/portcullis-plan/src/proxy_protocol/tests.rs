#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;

fn header(bytes: &[u8]) -> (usize, Header) {
    parse(bytes).unwrap().expect("a whole header")
}

fn addresses(source: &str, destination: &str) -> Header {
    Header {
        source: source.parse().ok(),
        destination: destination.parse().ok(),
        local: false,
    }
}

#[test]
fn v1_gives_addresses_and_its_length() {
    let bytes = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nGET / HTTP/1.1\r\n";
    assert_eq!(
        header(bytes),
        (45, addresses("192.0.2.1:56324", "198.51.100.2:443"))
    );
    let bytes = b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n";
    assert_eq!(header(bytes).1, addresses("[2001:db8::1]:1", "[::1]:65535"));
}

#[test]
fn v1_unknown_says_nothing() {
    for text in [
        "PROXY UNKNOWN\r\n",
        "PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n",
    ] {
        assert_eq!(header(text.as_bytes()), (text.len(), Header::default()));
    }
}

#[test]
fn v1_is_strict() {
    use ProxyReject::*;
    for (text, reject) in [
        ("PROXY\tTCP4 1.2.3.4 1.2.3.4 1 2\r\n", Signature),
        ("proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n", Signature),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", LineEnd),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX", LineEnd),
        ("PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", Family),
        ("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", Family),
        ("PROXY UNKNOWNX\r\n", Family),
        ("PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n", Address),
        ("PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", Address),
        ("PROXY TCP4 ::1 ::1 1 2\r\n", Address),
        ("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", Address),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", Port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", Port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", Port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n", Port),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", Syntax),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", Syntax),
        ("PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", Address),
        ("PROXY TCP4\r\n", Syntax),
        ("GET / HTTP/1.1\r\n", Signature),
        ("\x16\x03\x01", Signature),
    ] {
        assert_eq!(parse(text.as_bytes()), Err(reject), "{text:?}");
    }
}

#[test]
fn v1_ends_within_107_bytes() {
    let line = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
    assert!(parse(line(107).as_bytes()).unwrap().is_some());
    assert_eq!(parse(line(108).as_bytes()), Err(ProxyReject::LineTooLong));
    assert_eq!(
        parse(&line(108).as_bytes()[..106]),
        Err(ProxyReject::LineTooLong),
        "as soon as it is certain"
    );
    assert_eq!(parse(&line(107).as_bytes()[..106]), Ok(None));
}

fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend_from_slice(&[command, family]);
    bytes.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

const V4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb];

#[test]
fn v2_gives_addresses_and_skips_extensions() {
    let mut body = V4.to_vec();
    body.extend_from_slice(&[0x01, 0, 2, b'h', b'2', 0x05, 0, 0]);
    let mut bytes = v2(0x21, 0x11, &body);
    bytes.extend_from_slice(b"GET /");
    assert_eq!(
        header(&bytes),
        (36, addresses("192.0.2.1:56324", "198.51.100.2:443"))
    );
}

#[test]
fn v2_local_and_unaddressed_connections_say_nothing() {
    let local = Header {
        local: true,
        ..Header::default()
    };
    assert_eq!(header(&v2(0x20, 0x00, b"")).1, local);
    assert_eq!(
        header(&v2(0x20, 0x11, &V4)).1,
        local,
        "addresses of a LOCAL header are not believed"
    );
    assert_eq!(header(&v2(0x20, 0x12, b"")).1, local, "nor is its family");
    assert_eq!(header(&v2(0x21, 0x00, b"")).1, Header::default());
    assert_eq!(header(&v2(0x21, 0x31, &[0; 216])).1, Header::default());
}

#[test]
fn v2_is_strict() {
    use ProxyReject::*;
    for (bytes, reject) in [
        (v2(0x11, 0x11, &V4), Version),
        (v2(0x31, 0x11, &V4), Version),
        (v2(0x22, 0x11, &V4), Command),
        (v2(0x21, 0x12, &V4), Transport),
        (v2(0x21, 0x41, &V4), Transport),
        (v2(0x21, 0x11, &V4[..11]), Length),
        (v2(0x21, 0x21, &V4), Length),
        (v2(0x21, 0x31, &[0; 108]), Length),
        (v2(0x21, 0x11, &[&V4[..], &[1]].concat()), Extension),
        (
            v2(0x21, 0x11, &[&V4[..], &[1, 0, 5, 0]].concat()),
            Extension,
        ),
        (
            v2(0x21, 0x11, &[&V4[..], &[3, 0, 3, 0, 0, 0]].concat()),
            Extension,
        ),
        (
            v2(0x21, 0x11, &[&V4[..], &[3, 0, 4, 0, 0, 0, 0]].concat()),
            Checksum,
        ),
        (b"\r\n\r\n\0\r\nQUIX".to_vec(), Signature),
    ] {
        assert_eq!(parse(&bytes), Err(reject), "{bytes:x?}");
    }
    let mut long = v2(0x21, 0x00, b"");
    long[14..16].copy_from_slice(&4097_u16.to_be_bytes());
    assert_eq!(parse(&long), Err(Length), "refused before the bytes come");
}

#[test]
fn any_damage_to_a_checksummed_header_is_noticed() {
    let mut bytes = Vec::new();
    write_v2(
        "192.0.2.1:1".parse().ok(),
        "192.0.2.2:2".parse().ok(),
        &mut bytes,
    );
    for position in 16..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1 << bit;
            let is_the_same = parse(&damaged).is_ok_and(|parsed| parsed == Some(header(&bytes)));
            // Damage to the type of the extension makes it another one, which is skipped: addresses stay whole.
            assert!(
                !is_the_same || (28..29).contains(&position),
                "byte {position} bit {bit}"
            );
        }
    }
}

fn address() -> impl Strategy<Value = SocketAddr> {
    any::<SocketAddr>().prop_map(|address| match address {
        SocketAddr::V6(v6) => SocketAddr::new((*v6.ip()).into(), v6.port()),
        v4 => v4,
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(source in address(), destination in address()) {
        for write in [write_v1, write_v2] {
            let mut bytes = Vec::new();
            write(Some(source), Some(destination), &mut bytes);
            let (length, read) = header(&bytes);
            prop_assert_eq!(length, bytes.len());
            prop_assert!(length <= MAX_HEADER);
            if let Some(from) = read.source {
                prop_assert_eq!(from.ip().to_canonical(), source.ip().to_canonical());
                prop_assert_eq!(from.port(), source.port());
                let to = read.destination.unwrap();
                prop_assert_eq!(to.ip().to_canonical(), destination.ip().to_canonical());
            }
        }
    }

    #[test]
    fn any_bytes_give_an_answer_and_splits_do_not_change_it(
        mut bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            (any::<u8>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..300))
                .prop_map(|(command, family, body)| v2(command, family, &body)),
            "PROXY (TCP4|TCP6|UNKNOWN) [0-9a-f.: ]{0,110}(\r\n)?".prop_map(String::into_bytes),
        ],
        tail: Vec<u8>,
    ) {
        bytes.extend(tail);
        let whole = parse(&bytes);
        for cut in 0..bytes.len() {
            match parse(&bytes[..cut]) {
                Ok(None) => {}
                early => prop_assert_eq!(early, whole, "cut at {}", cut),
            }
        }
        if let Ok(Some((length, _))) = whole {
            prop_assert!(length <= bytes.len());
        }
    }
}

#[test]
fn a_header_of_our_own_names_nobody() {
    for (version, local) in [(ProxyVersion::V1, false), (ProxyVersion::V2, true)] {
        let mut bytes = Vec::new();
        write_own(version, &mut bytes);
        let header = header(&bytes);
        let expected = Header {
            local,
            ..Header::default()
        };
        assert_eq!(header, (bytes.len(), expected));
    }
}

#[test]
fn either_version_tells_the_client_it_was_given() {
    let (source, destination) = ("192.0.2.1:1000", "198.51.100.2:443");
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let mut bytes = Vec::new();
        let (from, to) = (source.parse().ok(), destination.parse().ok());
        write(version, from, to, &mut bytes);
        assert_eq!(header(&bytes).1, addresses(source, destination));
    }
}
