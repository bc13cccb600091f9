//! Diagnostics for people (in rustc's form) and for programs (as JSON).

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Group, Level as Title, Renderer, Snippet};
use serde_json::{Value, json};

use crate::diagnostic::{Diagnostic, Level};
use crate::source::{FileId, SourceFile, SourceMap, Span};

/// The most diagnostics shown.
const MAX_SHOWN: usize = 100;

/// Lines longer than this are shown in part.
const MAX_LINE: usize = 240;

/// Diagnostics as text, each with its source lines; at most a hundred.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], sources: &SourceMap, color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut text = String::new();
    for diagnostic in diagnostics.iter().take(MAX_SHOWN) {
        text.push_str(&renderer.render(&[group(diagnostic, sources)]));
        text.push_str("\n\n");
    }
    if diagnostics.len() > MAX_SHOWN {
        text.push_str(&format!("and {} more\n", diagnostics.len() - MAX_SHOWN));
    }
    text
}

fn group<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Group<'a> {
    let level = match diagnostic.level {
        Level::Error => Title::ERROR,
        Level::Warning => Title::WARNING,
    };
    let mut elements: Vec<Element<'a>> = Vec::new();
    for excerpt in excerpts(diagnostic, sources) {
        elements.push(excerpt.into_snippet().into());
    }
    if let Some(help) = &diagnostic.help {
        elements.push(Title::HELP.message(help.as_str()).into());
    }
    level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code)
        .elements(elements)
}

/// Some lines of one file with marks in them.
struct Excerpt<'a> {
    name: &'a str,
    text: String,
    first_line: usize,
    marks: Vec<(AnnotationKind, Range<usize>, &'a str)>,
}

impl<'a> Excerpt<'a> {
    fn into_snippet(self) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let marks = self.marks.into_iter().map(|(kind, range, label)| {
            let mark = kind.span(range);
            if label.is_empty() {
                mark
            } else {
                mark.label(label)
            }
        });
        let marks: Vec<_> = marks.collect();
        Snippet::source(self.text)
            .path(self.name)
            .line_start(self.first_line)
            .fold(true)
            .annotations(marks)
    }
}

/// The places of a diagnostic by file, the one to blame first.
fn excerpts<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Vec<Excerpt<'a>> {
    let primary = diagnostic
        .span
        .map(|span| (AnnotationKind::Primary, span, diagnostic.label.as_str()));
    let notes = diagnostic
        .notes
        .iter()
        .map(|(span, text)| (AnnotationKind::Context, *span, text.as_str()));
    let marks: Vec<_> = primary.into_iter().chain(notes).collect();
    let mut files: Vec<FileId> = Vec::new();
    for (_, span, _) in &marks {
        if !files.contains(&span.file) {
            files.push(span.file);
        }
    }
    let of_file = |id: FileId| {
        let file = sources.file(id)?;
        let own: Vec<_> = marks
            .iter()
            .copied()
            .filter(|(_, span, _)| span.file == id)
            .collect();
        Some(file_excerpts(file, &own))
    };
    files.into_iter().filter_map(of_file).flatten().collect()
}

/// One excerpt when the lines are near each other and short, else one for each mark.
fn file_excerpts<'a>(
    file: &'a SourceFile,
    marks: &[(AnnotationKind, Span, &'a str)],
) -> Vec<Excerpt<'a>> {
    let lines: Vec<Range<usize>> = marks
        .iter()
        .map(|(_, span, _)| line_range(&file.text, span.start as usize))
        .collect();
    let (Some(start), Some(end)) = (
        lines.iter().map(|l| l.start).min(),
        lines.iter().map(|l| l.end).max(),
    ) else {
        return Vec::new();
    };
    let together = file.text.get(start..end).unwrap_or_default();
    if together.len() <= 64 << 10 && together.lines().all(|line| line.len() <= MAX_LINE) {
        let marks = marks.iter().zip(&lines).map(|((kind, span, label), line)| {
            (*kind, clip(&file.text, *span, line, start), *label)
        });
        let first_line = line_number(&file.text, start);
        return vec![Excerpt {
            name: &file.name,
            text: together.to_owned(),
            first_line,
            marks: marks.collect(),
        }];
    }
    marks
        .iter()
        .zip(lines)
        .map(|((kind, span, label), line)| window(file, *kind, *span, label, &line))
        .collect()
}

/// A part of a long line around a mark.
fn window<'a>(
    file: &'a SourceFile,
    kind: AnnotationKind,
    span: Span,
    label: &'a str,
    line: &Range<usize>,
) -> Excerpt<'a> {
    let start = (span.start as usize)
        .saturating_sub(MAX_LINE / 3)
        .max(line.start);
    let start = boundary(&file.text, start);
    let end = boundary(&file.text, (start + MAX_LINE).min(line.end));
    let text = file.text.get(start..end).unwrap_or_default().to_owned();
    let mark = clip(&file.text, span, &(start..end), start);
    Excerpt {
        name: &file.name,
        text,
        first_line: line_number(&file.text, line.start),
        marks: vec![(kind, mark, label)],
    }
}

/// The nearest boundary between characters at or before `at`: marks inside a character cannot be drawn.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

/// A span relative to `base`, ending with its first line.
fn clip(text: &str, span: Span, line: &Range<usize>, base: usize) -> Range<usize> {
    let start = boundary(text, (span.start as usize).clamp(line.start, line.end));
    let end = boundary(text, (span.end as usize).clamp(start, line.end));
    start - base..end.max(start) - base
}

fn line_range(text: &str, at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let start = text
        .get(..at)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |n| n + 1);
    let end = text
        .get(at..)
        .and_then(|after| after.find('\n'))
        .map_or(text.len(), |n| at + n);
    let end = if text
        .get(start..end)
        .is_some_and(|line| line.ends_with('\r'))
    {
        end - 1
    } else {
        end
    };
    start..end.max(start)
}

fn line_number(text: &str, at: usize) -> usize {
    text.as_bytes()
        .get(..at)
        .unwrap_or_default()
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
        + 1
}

/// Diagnostics as a JSON array of objects with `level`, `code`, `message`, `file`, `line`, `column`, `label`, `notes`, `help`.
#[must_use]
pub fn to_json(diagnostics: &[Diagnostic], sources: &SourceMap) -> Value {
    diagnostics
        .iter()
        .map(|diagnostic| one_json(diagnostic, sources))
        .collect()
}

fn one_json(diagnostic: &Diagnostic, sources: &SourceMap) -> Value {
    let level = match diagnostic.level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    let place = diagnostic.span.map(|span| sources.place(span));
    let end = diagnostic.span.map(|span| {
        sources.place(Span {
            start: span.end,
            ..span
        })
    });
    let notes: Vec<Value> = diagnostic
        .notes
        .iter()
        .map(|(span, text)| {
            let place = sources.place(*span);
            json!({ "file": place.file, "line": place.line, "column": place.column, "message": text })
        })
        .collect();
    json!({
        "level": level,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "file": place.as_ref().map(|place| place.file.as_str()),
        "line": place.as_ref().map(|place| place.line),
        "column": place.as_ref().map(|place| place.column),
        "end_line": end.as_ref().map(|place| place.line),
        "end_column": end.as_ref().map(|place| place.column),
        "label": diagnostic.label,
        "notes": notes,
        "help": diagnostic.help,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::PathBuf;

    use super::*;

    fn shown(text: &str, range: Range<usize>) -> String {
        let mut sources = SourceMap::default();
        let file = sources
            .add("t.toml".to_owned(), PathBuf::new(), text.to_owned())
            .unwrap();
        let diagnostic = Diagnostic::error("code", "message").at(Span::new(file, range), "label");
        render(&[diagnostic], &sources, false)
    }

    #[test]
    fn marks_in_and_beyond_the_text_are_drawn_without_panic() {
        let text = "a = \"\u{1a60}é\"\r\nb";
        for start in 0..text.len() + 3 {
            for end in start..text.len() + 3 {
                assert!(shown(text, start..end).contains("label"));
            }
        }
        assert!(shown("", 0..0).contains("t.toml:1:1"));
    }

    #[test]
    fn of_a_long_line_only_the_part_around_the_mark_is_shown() {
        let text = format!("a = \"{}x{}\"", "é".repeat(100_000), "é".repeat(100_000));
        let shown = shown(&text, 200_005..200_006);
        assert!(shown.len() < 2_000, "{} bytes", shown.len());
        assert!(shown.contains('x'));
    }

    #[test]
    fn beyond_a_hundred_the_rest_is_counted() {
        let diagnostics = vec![Diagnostic::warning("code", "message"); 250];
        assert!(render(&diagnostics, &SourceMap::default(), false).ends_with("and 150 more\n"));
    }

    #[test]
    fn json_names_the_place_and_the_code() {
        let mut sources = SourceMap::default();
        let file = sources
            .add(
                "t.toml".to_owned(),
                PathBuf::new(),
                "a = 1\nb = 2\n".to_owned(),
            )
            .unwrap();
        let diagnostic = Diagnostic::error("some-code", "message")
            .at(Span::new(file, 6..7), "")
            .help("help");
        let json = to_json(&[diagnostic], &sources);
        let expected = json!([{
            "level": "error", "code": "some-code", "message": "message", "file": "t.toml", "line": 2, "column": 1,
            "end_line": 2, "end_column": 2, "label": "", "notes": [], "help": "help",
        }]);
        assert_eq!(json, expected);
    }
}
