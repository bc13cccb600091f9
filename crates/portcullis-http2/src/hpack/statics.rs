//! The static table (RFC 7541 appendix A).

use super::field::{Field, Kind};

/// How many entries there are; dynamic ones are numbered from here on.
pub(crate) const COUNT: usize = TABLE.len();

/// A field that only a head may have.
const EARLY: Kind = Kind::Plain { late: false };
/// A field that trailers may have too.
const LATE: Kind = Kind::Plain { late: true };

#[derive(Debug, Clone, Copy)]
struct Entry {
    line: &'static [u8],
    name: usize,
    kind: Kind,
}

macro_rules! table {
    ($($kind:tt $name:literal $value:literal;)*) => {
        &[$(Entry {
            line: concat!($name, ": ", $value, "\r\n").as_bytes(),
            name: $name.len(),
            kind: table!(@ $kind),
        },)*]
    };
    (@ EARLY) => { EARLY };
    (@ LATE) => { LATE };
    (@ $kind:ident) => { Kind::$kind };
}

static TABLE: &[Entry] = table! {
    Authority ":authority" "";
    Method ":method" "GET";
    Method ":method" "POST";
    Path ":path" "/";
    Path ":path" "/index.html";
    Scheme ":scheme" "http";
    Scheme ":scheme" "https";
    Status ":status" "200";
    Status ":status" "204";
    Status ":status" "206";
    Status ":status" "304";
    Status ":status" "400";
    Status ":status" "404";
    Status ":status" "500";
    LATE "accept-charset" "";
    EARLY "accept-encoding" "gzip, deflate";
    EARLY "accept-language" "";
    LATE "accept-ranges" "";
    EARLY "accept" "";
    LATE "access-control-allow-origin" "";
    EARLY "age" "";
    LATE "allow" "";
    EARLY "authorization" "";
    EARLY "cache-control" "";
    LATE "content-disposition" "";
    EARLY "content-encoding" "";
    LATE "content-language" "";
    ContentLength "content-length" "";
    LATE "content-location" "";
    EARLY "content-range" "";
    EARLY "content-type" "";
    Cookie "cookie" "";
    EARLY "date" "";
    LATE "etag" "";
    EARLY "expect" "";
    EARLY "expires" "";
    LATE "from" "";
    Host "host" "";
    EARLY "if-match" "";
    EARLY "if-modified-since" "";
    EARLY "if-none-match" "";
    EARLY "if-range" "";
    EARLY "if-unmodified-since" "";
    EARLY "last-modified" "";
    LATE "link" "";
    EARLY "location" "";
    EARLY "max-forwards" "";
    EARLY "proxy-authenticate" "";
    EARLY "proxy-authorization" "";
    EARLY "range" "";
    EARLY "referer" "";
    LATE "refresh" "";
    EARLY "retry-after" "";
    EARLY "server" "";
    EARLY "set-cookie" "";
    EARLY "strict-transport-security" "";
    Forbidden "transfer-encoding" "";
    EARLY "user-agent" "";
    EARLY "vary" "";
    EARLY "via" "";
    EARLY "www-authenticate" "";
};

/// The entry at `index`, counted from 1.
#[inline]
pub(crate) fn get(index: usize) -> Option<Field<'static>> {
    let entry = TABLE.get(index.wrapping_sub(1))?;
    Some(Field {
        line: entry.line,
        name: entry.name,
        kind: entry.kind,
        sound: true,
    })
}

/// The first entry of a name in lower case; 0 when there is none.
#[inline]
pub(crate) fn name_index(name: &[u8]) -> usize {
    match name {
        b":authority" => 1,
        b":method" => 2,
        b":path" => 4,
        b":scheme" => 6,
        b":status" => 8,
        b"accept-charset" => 15,
        b"accept-encoding" => 16,
        b"accept-language" => 17,
        b"accept-ranges" => 18,
        b"accept" => 19,
        b"access-control-allow-origin" => 20,
        b"age" => 21,
        b"allow" => 22,
        b"authorization" => 23,
        b"cache-control" => 24,
        b"content-disposition" => 25,
        b"content-encoding" => 26,
        b"content-language" => 27,
        b"content-length" => 28,
        b"content-location" => 29,
        b"content-range" => 30,
        b"content-type" => 31,
        b"cookie" => 32,
        b"date" => 33,
        b"etag" => 34,
        b"expect" => 35,
        b"expires" => 36,
        b"from" => 37,
        b"host" => 38,
        b"if-match" => 39,
        b"if-modified-since" => 40,
        b"if-none-match" => 41,
        b"if-range" => 42,
        b"if-unmodified-since" => 43,
        b"last-modified" => 44,
        b"link" => 45,
        b"location" => 46,
        b"max-forwards" => 47,
        b"proxy-authenticate" => 48,
        b"proxy-authorization" => 49,
        b"range" => 50,
        b"referer" => 51,
        b"refresh" => 52,
        b"retry-after" => 53,
        b"server" => 54,
        b"set-cookie" => 55,
        b"strict-transport-security" => 56,
        b"transfer-encoding" => 57,
        b"user-agent" => 58,
        b"vary" => 59,
        b"via" => 60,
        b"www-authenticate" => 61,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::field::kind_of;
    use super::*;

    #[test]
    fn rfc7541_appendix_a_entries_and_their_kinds() {
        assert_eq!(COUNT, 61);
        for index in 1..=COUNT {
            let field = get(index).unwrap_or_else(|| unreachable!("{index} is in the table"));
            let name = &field.line[..field.name];
            assert_eq!(kind_of(name), field.kind, "{name:?}");
            let first = name_index(name);
            assert!(first <= index && first > 0, "{name:?}");
            assert_eq!(
                get(first).map(|field| &field.line[..field.name]),
                Some(name)
            );
        }
        assert_eq!(
            get(16).map(|field| field.value()),
            Some(b"gzip, deflate".as_slice())
        );
        assert_eq!(
            get(61).map(|field| field.line),
            Some(b"www-authenticate: \r\n".as_slice())
        );
        assert!(get(0).is_none() && get(62).is_none());
    }
}
