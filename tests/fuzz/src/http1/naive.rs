//! A second HTTP/1 parser: slow, simple, whole messages only, and sharing nothing with the first.
//!
//! It knows only what decides where a message ends. Where both accept, both must agree.

/// Names and values in order.
pub(super) type Lines = Vec<(Vec<u8>, Vec<u8>)>;

/// A whole message.
pub(super) struct Message {
    pub(super) start_line: String,
    pub(super) fields: Lines,
    pub(super) body: Vec<u8>,
    pub(super) end: usize,
}

/// A whole request at the start of `bytes`.
pub(super) fn request(bytes: &[u8]) -> Option<Message> {
    let skipped = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    let (start_line, fields, mut at) = head(bytes, skipped)?;
    let parts: Vec<&str> = start_line.split(' ').collect();
    let [method, target, version] = parts.as_slice() else {
        return None;
    };
    let is_target = !target.is_empty() && target.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_name(method.as_bytes()) || !is_target || !["HTTP/1.0", "HTTP/1.1"].contains(version) {
        return None;
    }
    let body = match framing(&fields)? {
        Framing::Chunked => chunks(bytes, &mut at)?,
        Framing::Length(length) => take(bytes, &mut at, length)?,
        Framing::Unsaid => Vec::new(),
    };
    Some(Message {
        start_line,
        fields,
        body,
        end: at,
    })
}

/// A whole response at the start of `bytes`, which end with the connection.
pub(super) fn response(bytes: &[u8], to_head: bool) -> Option<Message> {
    let (start_line, fields, mut at) = head(bytes, 0)?;
    let rest = start_line
        .strip_prefix("HTTP/1.1 ")
        .or(start_line.strip_prefix("HTTP/1.0 "))?;
    let (status, reason) = rest.split_at_checked(3)?;
    if !reason.is_empty() && !reason.starts_with(' ') {
        return None;
    }
    let status: u16 = status
        .parse()
        .ok()
        .filter(|status| (100..600).contains(status))?;
    let framing = framing(&fields)?;
    let body = match framing {
        _ if to_head || status < 200 || status == 204 || status == 304 => Vec::new(),
        Framing::Chunked => chunks(bytes, &mut at)?,
        Framing::Length(length) => take(bytes, &mut at, length)?,
        Framing::Unsaid => {
            let left = bytes.len() - at;
            take(bytes, &mut at, left)?
        }
    };
    Some(Message {
        start_line,
        fields,
        body,
        end: at,
    })
}

/// Start line, fields, and the offset after the empty line.
fn head(bytes: &[u8], start: usize) -> Option<(String, Lines, usize)> {
    let length = find(bytes.get(start..)?, b"\r\n\r\n")?;
    let text = bytes.get(start..start + length)?;
    let mut lines = split(text);
    // Reason phrases may hold any byte above 0x7F; the start line is compared loosely.
    let start_line = lines.next().filter(|line| is_text(line))?;
    let start_line = start_line.iter().map(|&byte| char::from(byte)).collect();
    let fields = lines.map(field).collect::<Option<_>>()?;
    Some((start_line, fields, start + length + 4))
}

fn field(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let from = value
        .iter()
        .position(|byte| !blank(byte))
        .unwrap_or(value.len());
    let to = value
        .iter()
        .rposition(|byte| !blank(byte))
        .map_or(from, |last| last + 1);
    (is_name(name) && is_text(value)).then(|| (name.to_vec(), value[from..to].to_vec()))
}

enum Framing {
    Chunked,
    Length(usize),
    Unsaid,
}

fn framing(fields: &Lines) -> Option<Framing> {
    let values = |name: &[u8]| -> Vec<&[u8]> {
        fields
            .iter()
            .filter(|f| f.0.eq_ignore_ascii_case(name))
            .map(|f| f.1.as_slice())
            .collect()
    };
    let (lengths, codings) = (values(b"content-length"), values(b"transfer-encoding"));
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Some(Framing::Unsaid),
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => Some(Framing::Chunked),
        ([length], []) if length.iter().all(u8::is_ascii_digit) => {
            let length = std::str::from_utf8(length).ok()?.parse().ok()?;
            Some(Framing::Length(length))
        }
        _ => None,
    }
}

fn take(bytes: &[u8], at: &mut usize, length: usize) -> Option<Vec<u8>> {
    let data = bytes.get(*at..at.checked_add(length)?)?;
    *at += length;
    Some(data.to_vec())
}

fn chunks(bytes: &[u8], at: &mut usize) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let line = take_line(bytes, at)?;
        let size = line.split(|&byte| byte == b';').next()?;
        let is_hex = !size.is_empty() && size.iter().all(u8::is_ascii_hexdigit);
        if !is_hex || !is_text(&line) {
            return None;
        }
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()?;
        if size == 0 {
            break;
        }
        data.extend(take(bytes, at, size)?);
        take_line(bytes, at).filter(Vec::is_empty)?;
    }
    loop {
        let line = take_line(bytes, at)?;
        if line.is_empty() {
            return Some(data);
        }
        field(&line)?;
    }
}

fn take_line(bytes: &[u8], at: &mut usize) -> Option<Vec<u8>> {
    let length = find(bytes.get(*at..)?, b"\r\n")?;
    let line = take(bytes, at, length)?;
    *at += 2;
    Some(line)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// Splits at each CRLF.
fn split(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let Some(end) = find(text, b"\r\n") else {
            done = true;
            return Some(text);
        };
        let (line, rest) = text.split_at(end);
        text = &rest[2..];
        Some(line)
    })
}

fn is_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|&byte| byte == b'\t' || !byte.is_ascii_control())
}

fn is_name(name: &[u8]) -> bool {
    let delimiters = br#"(),/:;<=>?@[\]{}""#;
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_graphic() && !delimiters.contains(byte))
}
