//! Any list of fields becomes exactly one HTTP/1 request with the same meaning, or is refused.

use super::{frame, literals, settings};
use portcullis_http1::{BodyFraming, Limits, RequestHead};
use portcullis_http2::{Connection, Event, HeadInfo, PREFACE, Settings};

type Field = (Vec<u8>, Vec<u8>);

/// Fields out of raw bytes: names and values in turn, each ended by 0xFF.
pub fn fields(bytes: &[u8]) -> Vec<Field> {
    let mut texts = bytes.split(|&byte| byte == 0xFF);
    let mut fields = Vec::new();
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        fields.push((name.to_vec(), value.to_vec()));
    }
    fields
}

/// What a server makes of a request of these fields.
fn received(fields: &[Field]) -> Option<(HeadInfo, Vec<u8>)> {
    let wide = Settings {
        header_list: 1 << 20,
        header_fields: 1000,
        ..settings()
    };
    let mut connection = Connection::server(&wide, 0);
    let block = literals(fields);
    let head = frame(1, 4, 1, block.get(..16_384).unwrap_or(&block));
    let bytes = [PREFACE.as_slice(), &frame(4, 0, 0, &[]), &head].concat();
    let _ = connection.receive(&bytes, 0);
    while let Some(event) = connection.next_event() {
        if let Event::Head(id) = event {
            let mut text = Vec::new();
            let info = connection.take_head(id, &mut text);
            return info.map(|info| (info, text));
        }
    }
    None
}

fn value<'a>(fields: &'a [Field], name: &[u8]) -> Option<&'a [u8]> {
    let field = fields.iter().find(|field| field.0 == name)?;
    Some(&field.1)
}

/// The property. A text that the parser refuses is answered with 400, and is fine.
pub fn any_fields_are_one_request_or_refused(fields: &[Field]) {
    let Some((info, text)) = received(fields) else {
        return;
    };
    let limits = Limits {
        head_bytes: 1 << 20,
        target_bytes: 1 << 20,
        fields: 2000,
    };
    let mut head = RequestHead::new();
    match head.parse(&text, &limits) {
        Err(_) => return,
        Ok(end) => assert_eq!(end, Some(text.len()), "one head and nothing behind it"),
    }
    let connect = value(fields, b":method") == Some(b"CONNECT");
    let (method, target) = match (connect, info.protocol) {
        (true, Some(_)) => (Some(b"GET".as_slice()), value(fields, b":path")),
        (true, None) => (Some(b"CONNECT".as_slice()), value(fields, b":authority")),
        (false, _) => (value(fields, b":method"), value(fields, b":path")),
    };
    assert_eq!(Some(head.method_span().of(&text)), method);
    assert_eq!(Some(head.target().of(&text)), target);
    let authority = value(fields, b":authority").or(value(fields, b"host"));
    assert_eq!(Some(head.authority().of(&text)), authority);
    let framing = info
        .content_length
        .map_or(BodyFraming::None, BodyFraming::Length);
    assert_eq!(head.framing(), framing);
    compare_fields(fields, &head, &text, info);
}

/// The other fields are there in their order; cookies are joined.
fn compare_fields(fields: &[Field], head: &RequestHead, text: &[u8], info: HeadInfo) {
    let is_tunnel = info.protocol.is_some();
    let is_moved = |name: &[u8]| {
        let added = is_tunnel && matches!(name, b"connection" | b"upgrade" | b"sec-websocket-key");
        added || matches!(name, b"host" | b"cookie") || name.starts_with(b":")
    };
    let sent: Vec<Field> = fields.iter().filter(|f| !is_moved(&f.0)).cloned().collect();
    let seen = |field: &portcullis_http1::Field| {
        (field.name.of(text).to_vec(), field.value.of(text).to_vec())
    };
    let all: Vec<Field> = head.fields().iter().map(seen).collect();
    let kept: Vec<Field> = all.iter().filter(|f| !is_moved(&f.0)).cloned().collect();
    assert_eq!(sent, kept);
    let crumbs: Vec<&[u8]> = fields
        .iter()
        .filter(|f| f.0 == b"cookie")
        .map(|f| f.1.as_slice())
        .collect();
    let joined = crumbs.iter().filter(|crumb| !crumb.is_empty()).count();
    if joined == crumbs.len() && joined > 0 {
        assert_eq!(
            value(&all, b"cookie"),
            Some(crumbs.join(b"; ".as_slice()).as_slice())
        );
    }
    assert!(all.iter().filter(|f| f.0 == b"cookie").count() <= 1);
}
