//! `portcullis fmt`: one way to lay out a file. Comments and meaning stay.
//!
//! Spaces around `=`, one blank line before a section, no spaces at line ends, comments of neighbouring lines below
//! each other. Order is never changed, because comments and people follow it.

use toml_edit::{Array, DocumentMut, InlineTable, Item, RawString, Table, Value};

use crate::diagnostic::Diagnostic;
use crate::source::FileId;
use crate::tree;

/// Arrays longer than this on one line are broken up, one value a line.
const LINE_WIDTH: usize = 100;

/// Formats a file.
///
/// # Errors
/// When the text is not TOML; the spans are of the file with id 0.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let (_, diagnostics) = tree::parse(text, FileId(0));
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        let span = error
            .span()
            .map(|range| crate::source::Span::new(FileId(0), range));
        vec![Diagnostic::error("syntax", error.message()).at(span, "")]
    })?;
    let trailing = tidy_lines(document.trailing().as_str().unwrap_or_default(), false);
    table(document.as_table_mut(), true);
    document.set_trailing(trailing);
    let formatted = document.to_string();
    Ok(finish(&align_comments(&formatted)))
}

/// Stands before a comment at the end of a line until it is known how far it moves. Not a character that TOML can hold.
const MARK: char = '\u{1}';

/// Puts the comments of lines that follow each other below each other, two spaces behind the longest.
fn align_comments(text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let in_one_run = |a: &&str, b: &&str| {
        a.contains(MARK) && b.contains(MARK) && !a.starts_with('[') && !b.starts_with('[')
    };
    let mut aligned: Vec<String> = Vec::with_capacity(lines.len());
    for run in lines.chunk_by(in_one_run) {
        let code = |line: &&str| line.split(MARK).next().unwrap_or_default().chars().count();
        let width = run.iter().map(code).max().unwrap_or(0);
        aligned.extend(run.iter().map(|line| match line.split_once(MARK) {
            Some((code, comment)) => format!("{code:width$}  {comment}"),
            None => (*line).to_owned(),
        }));
    }
    aligned.join("\n")
}

/// Nothing before the first line, one line break after the last.
fn finish(text: &str) -> String {
    let body = text.trim_start_matches('\n').trim_end();
    if body.is_empty() {
        String::new()
    } else {
        format!("{body}\n")
    }
}

fn table(table: &mut Table, is_root: bool) {
    if !is_root && !table.is_implicit() {
        let prefix = table
            .decor()
            .prefix()
            .and_then(RawString::as_str)
            .unwrap_or_default()
            .to_owned();
        table.decor_mut().set_prefix(tidy_lines(&prefix, true));
        let suffix = comment_after(table.decor().suffix());
        table.decor_mut().set_suffix(suffix);
    }
    for (mut key, item) in table.iter_mut() {
        match item {
            Item::Value(one) => {
                leaf_key(&mut key);
                value(one, 0);
            }
            Item::Table(inner) => self::table(inner, false),
            Item::ArrayOfTables(items) => {
                items.iter_mut().for_each(|inner| self::table(inner, false));
            }
            Item::None => {}
        }
    }
}

fn leaf_key(key: &mut toml_edit::KeyMut<'_>) {
    let prefix = key
        .leaf_decor()
        .prefix()
        .and_then(RawString::as_str)
        .unwrap_or_default()
        .to_owned();
    let is_dotted_part = prefix.is_empty();
    if !is_dotted_part {
        key.leaf_decor_mut().set_prefix(tidy_lines(&prefix, false));
    }
    key.leaf_decor_mut().set_suffix(" ");
}

/// A value behind `=`: one space, its comment two spaces behind.
fn value(one: &mut Value, depth: usize) {
    match one {
        Value::Array(items) => array(items, depth),
        Value::InlineTable(items) => inline_table(items, depth),
        _ => {}
    }
    if depth == 0 {
        let suffix = comment_after(one.decor().suffix());
        one.decor_mut().set_prefix(" ");
        one.decor_mut().set_suffix(suffix);
    }
}

fn comment_after(suffix: Option<&RawString>) -> String {
    let comment = suffix
        .and_then(RawString::as_str)
        .unwrap_or_default()
        .trim();
    if comment.is_empty() {
        String::new()
    } else {
        format!("{MARK}{comment}")
    }
}

/// On one line when it was and fits, else one value a line. Comments inside stay with their values.
fn array(items: &mut Array, depth: usize) {
    let has_break = |raw: Option<&RawString>| {
        raw.and_then(RawString::as_str)
            .is_some_and(|text| text.contains('\n'))
    };
    let broken = items
        .iter()
        .any(|item| has_break(item.decor().prefix()) || has_break(item.decor().suffix()))
        || items
            .trailing()
            .as_str()
            .is_some_and(|text| text.contains('\n'));
    let comments = items
        .iter()
        .any(|item| has_comment(item.decor().prefix()) || has_comment(item.decor().suffix()))
        || has_comment(Some(items.trailing()));
    items.iter_mut().for_each(|item| value(item, depth + 1));
    if comments {
        return;
    }
    let width: usize = items
        .iter()
        .map(|item| item.clone().decorated("", "").to_string().len() + 2)
        .sum();
    if depth == 0 && (broken || width > LINE_WIDTH) && !items.is_empty() {
        items.iter_mut().for_each(|item| {
            item.decor_mut().set_prefix("\n  ");
            item.decor_mut().set_suffix("");
        });
        items.set_trailing("\n");
        items.set_trailing_comma(true);
    } else if !broken || depth == 0 {
        for (index, item) in items.iter_mut().enumerate() {
            item.decor_mut()
                .set_prefix(if index == 0 { "" } else { " " });
            item.decor_mut().set_suffix("");
        }
        items.set_trailing("");
        items.set_trailing_comma(false);
    }
}

fn has_comment(raw: Option<&RawString>) -> bool {
    raw.and_then(RawString::as_str)
        .is_some_and(|text| text.contains('#'))
}

fn inline_table(items: &mut InlineTable, depth: usize) {
    let has_break = |raw: Option<&RawString>| {
        raw.and_then(RawString::as_str)
            .is_some_and(|text| text.contains('\n'))
    };
    let odd = has_break(Some(items.trailing()))
        || items
            .iter()
            .any(|(_, item)| has_break(item.decor().prefix()) || has_break(item.decor().suffix()));
    let keys_odd = items
        .iter_mut()
        .any(|(key, _)| has_break(key.leaf_decor().prefix()));
    let count = items.len();
    for (index, (mut key, item)) in items.iter_mut().enumerate() {
        value(item, depth + 1);
        if odd || keys_odd {
            continue;
        }
        key.leaf_decor_mut().set_prefix(" ");
        key.leaf_decor_mut().set_suffix(" ");
        item.decor_mut().set_prefix(" ");
        item.decor_mut()
            .set_suffix(if index + 1 == count { " " } else { "" });
    }
    if count == 0 {
        items.set_trailing("");
    }
}

/// The lines before a key or section: comments without spaces at their ends, at most one blank line at a time.
fn tidy_lines(text: &str, section: bool) -> String {
    let mut lines: Vec<&str> = text.lines().map(str::trim).collect();
    if !text.ends_with('\n') {
        lines.pop_if(|last| last.is_empty());
    }
    let mut tidy = String::new();
    if section && lines.first().is_none_or(|line| !line.is_empty()) {
        tidy.push('\n');
    }
    let mut blank = false;
    for line in lines {
        if line.is_empty() && blank {
            continue;
        }
        blank = line.is_empty();
        tidy.push_str(line);
        tidy.push('\n');
    }
    tidy
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fmt(text: &str) -> String {
        let once = format(text).unwrap();
        assert_eq!(
            format(&once).unwrap(),
            once,
            "formatting twice changes nothing more"
        );
        once
    }

    #[test]
    fn spacing_is_made_even_and_comments_stay() {
        let text = "\n\n# head\na=1   # one\n  b   =   \"x\"\n\n\n\n[ s ] # sec\n# c\nk={a=1,b=2}\nl=[1,2 ,3]\n[t]\n#end";
        let expected = "# head\na = 1  # one\nb = \"x\"\n\n[ s ]  # sec\n# c\nk = { a = 1, b = 2 }\nl = [1, 2, 3]\n\n[t]\n#end\n";
        assert_eq!(fmt(text), expected);
    }

    #[test]
    fn comments_of_neighbouring_lines_are_below_each_other() {
        let text = "[t] # table\na = 1 # one\nlonger = 'é' # two\nb = 2\nc = 3 # alone\n";
        let expected =
            "[t]  # table\na = 1         # one\nlonger = 'é'  # two\nb = 2\nc = 3  # alone\n";
        assert_eq!(fmt(text), expected);
    }

    #[test]
    fn long_arrays_have_one_value_a_line() {
        let long = format!("a = [\"{}\", \"{}\"]\n", "x".repeat(60), "y".repeat(60));
        assert_eq!(
            fmt(&long),
            format!(
                "a = [\n  \"{}\",\n  \"{}\",\n]\n",
                "x".repeat(60),
                "y".repeat(60)
            )
        );
    }

    #[test]
    fn comments_in_arrays_are_left_alone() {
        let text = "a = [\n  1, # one\n  # two\n  2,\n]\n";
        assert_eq!(fmt(text), text);
    }

    #[test]
    fn what_is_not_toml_is_an_error_and_nothing_is_written() {
        assert!(format("a = ").is_err());
        assert!(format(&format!("a = {}", "[".repeat(100_000))).is_err());
    }

    #[test]
    fn line_ends_become_plain_but_not_inside_strings() {
        assert_eq!(
            fmt("# c\r\na=1 # x\r\n\r\n[t]\r\nb=2\r\n"),
            "# c\na = 1  # x\n\n[t]\nb = 2\n"
        );
        assert_eq!(
            fmt("a = \"\"\"x\r\ny\"\"\"\r\n"),
            "a = \"\"\"x\r\ny\"\"\"\n"
        );
    }

    #[test]
    fn dotted_keys_and_quoted_headers_keep_their_meaning() {
        assert_eq!(
            fmt("a . b=1\nc.\"d e\"  =2\n[x . \"y z\"]\n"),
            "a . b = 1\nc.\"d e\" = 2\n\n[x . \"y z\"]\n"
        );
    }

    #[test]
    fn empty_stays_empty() {
        assert_eq!(fmt(""), "");
        assert_eq!(fmt("\n\n"), "");
        assert_eq!(fmt("# only\n"), "# only\n");
    }
}
