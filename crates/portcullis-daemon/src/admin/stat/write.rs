//! The three notations of rows: CSV, one typed line per value, JSON. Pure; all of them plain ASCII.

use std::fmt::Write as _;

use super::{Column, Row, StatQuery, Value};
use crate::admin::text::{ascii, json_string, tag_words};

/// Rows in the notation a query asks for.
pub(crate) fn render(rows: &[&Row], query: &StatQuery) -> String {
    let form = query.form;
    if form.json {
        json(rows)
    } else if form.typed {
        typed(rows, form.desc)
    } else {
        csv(rows)
    }
}

/// Comma-separated values: a header that starts with `# `, a comma after every value, `-` closing the fixed columns.
pub(crate) fn csv(rows: &[&Row]) -> String {
    let mut out = String::from("# ");
    for column in Column::ALL {
        out.push_str(column.name());
        out.push(',');
    }
    out.push_str("-,\n");
    for row in rows {
        for column in Column::ALL {
            if let Some(value) = row.value(*column) {
                push_csv(&mut out, value);
            }
            out.push(',');
        }
        out.push_str("-,\n");
    }
    out
}

fn push_csv(out: &mut String, value: &Value) {
    match value {
        Value::Text(text) if text.contains([',', '"', '\n', '\r']) => {
            let quoted = ascii(text).replace('"', "\"\"");
            // Writing to a String cannot fail, here and below.
            let _ = write!(out, "\"{quoted}\"");
        }
        other => out.push_str(&other.plain()),
    }
}

/// `F.2.0.4.scur.1:MGP:u32:0`: type, numbers, position, name, process, tags, type of the value, value.
pub(crate) fn typed(rows: &[&Row], with_desc: bool) -> String {
    let mut out = String::new();
    for row in rows {
        for (column, value) in row.values() {
            let (position, name, tags) = (column.position(), column.name(), column.tags(row.kind));
            let _ = write!(
                out,
                "{}.{}.{}.{position}.{name}.1:{tags}:",
                row.kind.letter(),
                row.iid,
                row.sid
            );
            let _ = write!(out, "{}:{}", value.type_name(), value.plain());
            if with_desc {
                let _ = write!(out, ":\"{}\"", column.desc());
            }
            out.push('\n');
        }
    }
    out
}

/// An array with an array of fields for each row.
pub(crate) fn json(rows: &[&Row]) -> String {
    let mut out = String::from("[");
    for (i, row) in rows.iter().enumerate() {
        out.push_str(if i == 0 { "[" } else { ",[" });
        for (j, (column, value)) in row.values().enumerate() {
            let comma = if j == 0 { "" } else { "," };
            let (kind, iid, sid) = (row.kind.word(), row.iid, row.sid);
            let _ = write!(
                out,
                "{comma}{{\"objType\":\"{kind}\",\"proxyId\":{iid},\"id\":{sid},"
            );
            push_json_field(
                &mut out,
                column.position(),
                column.name(),
                column.tags(row.kind),
                value,
            );
        }
        out.push(']');
    }
    out.push_str("]\n");
    out
}

/// The part of a JSON field that `show info` and `show stat` share, its closing brace included.
pub(crate) fn push_json_field(
    out: &mut String,
    position: usize,
    name: &str,
    tags: &str,
    value: &Value,
) {
    let (origin, nature, scope) = tag_words(tags);
    let _ = write!(
        out,
        "\"field\":{{\"pos\":{position},\"name\":\"{name}\"}},\"processNum\":1,\"tags\":{{\"origin\":\"{origin}\",\
         \"nature\":\"{nature}\",\"scope\":\"{scope}\"}},\"value\":{{\"type\":\"{}\",\"value\":{}}}}}",
        value.type_name(),
        value.json(),
    );
}

impl Value {
    /// Its name in the typed notations.
    pub(crate) const fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "str",
            Self::U32(_) => "u32",
            Self::S32(_) => "s32",
            Self::U64(_) => "u64",
            Self::Float(_) => "flt",
        }
    }

    /// Without quotes.
    pub(crate) fn plain(&self) -> String {
        match self {
            Self::Text(text) => ascii(text),
            Self::U32(number) => number.to_string(),
            Self::S32(number) => number.to_string(),
            Self::U64(number) => number.to_string(),
            Self::Float(text) => text.clone(),
        }
    }

    fn json(&self) -> String {
        match self {
            Self::Text(text) => json_string(text),
            other => other.plain(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, tests::sample};
    use super::*;

    #[test]
    fn every_csv_row_has_as_many_commas_as_the_header() {
        let rows = sample();
        let text = csv(&rows.iter().collect::<Vec<_>>());
        let commas: Vec<_> = text.lines().map(|line| line.matches(',').count()).collect();
        assert_eq!(commas, [104; 5]);
        assert!(text.starts_with("# pxname,svname,qcur,"), "{text}");
        assert!(
            text.lines().all(|line| line.ends_with("-,")),
            "column 103 is a dash"
        );
        assert_eq!(
            text.lines().nth(1).map(|line| &line[..26]),
            Some("web,,,,1,,,184467440737095")
        );
    }

    #[test]
    fn csv_quotes_only_where_it_must() {
        let mut row = Row::new(Kind::Server, 1, 1);
        row.text(Column::Pxname, "a,b")
            .text(Column::Svname, "q\"q")
            .text(Column::Status, "UP 1/3")
            .text(Column::Addr, "é");
        let text = csv(&[&row]);
        let line = text.lines().nth(1).unwrap_or_default();
        assert!(line.starts_with("\"a,b\",\"q\"\"q\","), "{line}");
        assert!(line.contains(",UP 1/3,"), "{line}");
        assert!(
            line.contains(r",\xc3\xa9,"),
            "clients decode strict ASCII: {line}"
        );
    }

    #[test]
    fn typed_lines_carry_all_numbers() {
        let rows = sample();
        let text = typed(&[&rows[1]], false);
        assert_eq!(
            text,
            "S.3.1.0.pxname.1:KNS:str:app\nS.3.1.4.scur.1:MGP:u32:2\nS.3.1.7.stot.1:MCP:u64:18446744073709551615\n"
        );
        let with_desc = typed(&[&rows[1]], true);
        assert!(
            with_desc.starts_with("S.3.1.0.pxname.1:KNS:str:app:\"name of"),
            "{with_desc}"
        );
    }

    #[test]
    fn json_is_json_of_the_known_shape() {
        let rows = sample();
        let text = json(&rows.iter().collect::<Vec<_>>());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(value.as_array().map(Vec::len), Some(4), "{text}");
        assert!(
            text.starts_with(
                "[[{\"objType\":\"Frontend\",\"proxyId\":2,\"id\":0,\"field\":{\"pos\":0,\"name\":\"pxname\"},\"processNum\":1,\
                 \"tags\":{\"origin\":\"Key\",\"nature\":\"Name\",\"scope\":\"Service\"},\"value\":{\"type\":\"str\",\"value\":\"web\"}},"
            ),
            "{text}"
        );
    }
}
