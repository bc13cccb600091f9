//! The layout as a page of the book, from the same declarations that decode it.

use crate::schema::{Description, Field, Root, Section as _, Shape};
use crate::values::{Scope, Variable};

/// The reference page in Markdown.
#[must_use]
pub fn reference() -> String {
    let root = Root::description();
    let mut page = Page {
        text: String::from(OPENING),
    };
    page.section("The file", "", &root, 2);
    page.variables();
    page.text
}

const OPENING: &str = "# Configuration reference

<!-- Generated from the declarations in crates/portcullis-config/src/schema by `cargo xtask reference`. Do not edit. -->

Every key a configuration file can have, with its type, its default and what it does. `portcullis check` finds everything that is wrong
with a file at once; `portcullis check --dump` shows the effective value of every key and where it comes from.

How values are written:

| | |
| --- | --- |
| duration | a string of whole numbers with units `ms`, `s`, `m`, `h`, `d`: `\"250ms\"`, `\"1m30s\"` |
| size | a string with unit: `\"8KiB\"` and `\"1MiB\"` are powers of 1024, `\"64KB\"` and `\"1MB\"` of 1000, `\"512B\"` |
| rate | a string, how many in which time: `\"50/s\"`, `\"10/m\"`, `\"5/10s\"` |
| `\"off\"` | no such bound or function, where the type says so |
| list | an array; one value may be written without brackets |
| file path | relative ones start from the directory of the file that names them |
| name | letters, digits, `-`, `_`, `.`, `:`, `@` |

";

struct Page {
    text: String,
}

/// A table that gets a section of its own after the one that mentions it.
struct Later<'a> {
    path: String,
    description: &'a Description,
}

impl Page {
    fn section(&mut self, title: &str, path: &str, description: &Description, level: usize) {
        self.text.push_str(&format!(
            "{} {title}\n\n{}\n\n",
            "#".repeat(level),
            prose(description.doc)
        ));
        self.text
            .push_str("| key | type | default | |\n| --- | --- | --- | --- |\n");
        let mut later = Vec::new();
        for field in &description.fields {
            self.row(field);
            tables(&field.shape, &join(path, field), &mut later);
        }
        self.text.push('\n');
        self.words(&description.fields);
        for Later { path, description } in later {
            // Timeouts that can be overridden are those of the defaults; their table is not repeated.
            let title = format!("`{path}`");
            if path.ends_with(".timeouts]") && !path.starts_with("[defaults") {
                self.overrides(&title, description);
            } else {
                self.section(&title, &path, description, 3);
            }
        }
    }

    fn row(&mut self, field: &Field) {
        let default = match (&field.default, field.required) {
            (_, true) => "required".to_owned(),
            (Some(default), _) if default != "{}" => format!("`{}`", default.replace('|', "\\|")),
            _ => String::new(),
        };
        let kind = kind(&field.shape).replace('|', "\\|");
        self.text.push_str(&format!(
            "| `{}` | {kind} | {default} | {} |\n",
            field.key,
            prose(field.doc).replace('|', "\\|")
        ));
    }

    /// What each word of an enumeration means.
    fn words(&mut self, fields: &[Field]) {
        for field in fields {
            let words = words_of(&field.shape);
            if words.len() < 2 {
                continue;
            }
            self.text.push_str(&format!("`{}`:\n\n", field.key));
            for (word, meaning) in words {
                self.text
                    .push_str(&format!("- `\"{word}\"`: {}\n", prose(meaning)));
            }
            self.text.push('\n');
        }
    }

    fn overrides(&mut self, title: &str, description: &Description) {
        let keys: Vec<String> = description
            .fields
            .iter()
            .map(|field| format!("`{}`", field.key))
            .collect();
        self.text.push_str(&format!(
            "### {title}\n\n{} They mean what they mean in `[defaults.timeouts]`: {}.\n\n",
            prose(description.doc),
            keys.join(", ")
        ));
    }

    fn variables(&mut self) {
        self.text.push_str(
            "## Variables\n\nIn texts with variables, `{name}` stands for a value; a brace itself is written `{{` or `}}`.\n\n\
             | variable | where | |\n| --- | --- | --- |\n",
        );
        for (name, scope, meaning) in Variable::all() {
            self.text.push_str(&format!(
                "| `{{{name}}}` | {} | {meaning} |\n",
                place(scope)
            ));
        }
        self.text.push_str(&format!(
            "| `{{path.NAME}}` | {} | What the route's path captured under this name or number; see [routing](routing.md). |\n",
            place(Scope::Request)
        ));
        for (name, scope, what) in [
            ("request_header", Scope::Request, "request as received"),
            (
                "response_header",
                Scope::Response,
                "server's response, as received",
            ),
        ] {
            self.text.push_str(&format!(
                "| `{{{name}.NAME}}` | {} | This header of the {what}; empty when absent. |\n",
                place(scope)
            ));
        }
    }
}

fn place(scope: Scope) -> &'static str {
    match scope {
        Scope::Request => "everywhere",
        Scope::Response => "response headers, log",
        Scope::Log => "log",
    }
}

fn join(path: &str, field: &Field) -> String {
    let inner = path.trim_matches(['[', ']']);
    let own = match &field.shape {
        Shape::Map { .. } if inner.is_empty() => format!("{}.NAME", field.key),
        _ => field.key.to_owned(),
    };
    let path = if inner.is_empty() {
        own
    } else {
        format!("{inner}.{own}")
    };
    if is_many(&field.shape) {
        format!("[[{path}]]")
    } else {
        format!("[{path}]")
    }
}

/// Whether several tables can stand under one key, one after the other.
fn is_many(shape: &Shape) -> bool {
    match shape {
        Shape::List(_) => true,
        Shape::AnyOf(shapes) => {
            shapes.iter().any(|shape| matches!(shape, Shape::List(_))) && !is_shorthand(shapes)
        }
        _ => false,
    }
}

/// Whether a list among these shapes is short for a table that holds it: `split = [...]` for `split = { services = [...] }`.
fn is_shorthand(shapes: &[Shape]) -> bool {
    let lists = shapes
        .iter()
        .filter(|shape| matches!(shape, Shape::List(_)));
    let inner: Vec<&str> = lists.flat_map(table_docs).collect();
    let tables = shapes
        .iter()
        .filter(|shape| matches!(shape, Shape::Table(_)));
    let mut own = tables.flat_map(table_docs);
    !inner.is_empty() && own.any(|doc| !inner.contains(&doc))
}

fn table_docs(shape: &Shape) -> Vec<&'static str> {
    match shape {
        Shape::Table(description) => vec![description.doc],
        Shape::List(inner) => table_docs(inner),
        Shape::AnyOf(shapes) => shapes.iter().flat_map(table_docs).collect(),
        _ => Vec::new(),
    }
}

/// The tables inside a shape.
fn tables<'a>(shape: &'a Shape, path: &str, found: &mut Vec<Later<'a>>) {
    match shape {
        Shape::Table(description) => {
            if !found.iter().any(|later| later.path == path) {
                found.push(Later {
                    path: path.to_owned(),
                    description,
                });
            }
        }
        Shape::List(inner) => tables(inner, path, found),
        Shape::Map { value, .. } => tables(value, path, found),
        Shape::AnyOf(shapes) => {
            let short = is_shorthand(shapes);
            shapes
                .iter()
                .filter(|shape| !(short && matches!(shape, Shape::List(_))))
                .for_each(|shape| tables(shape, path, found));
        }
        Shape::Text { .. }
        | Shape::Words(_)
        | Shape::Integer { .. }
        | Shape::Boolean
        | Shape::Condition => {}
    }
}

fn words_of(shape: &Shape) -> Vec<(&'static str, &'static str)> {
    match shape {
        Shape::Words(words) => words.clone(),
        Shape::List(inner) => words_of(inner),
        Shape::AnyOf(shapes) => shapes
            .iter()
            .map(words_of)
            .max_by_key(Vec::len)
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// A shape in a few words.
fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Text { what, .. } => what
            .trim_start_matches("an ")
            .trim_start_matches("a ")
            .to_owned(),
        Shape::Words(words) => words
            .iter()
            .map(|(word, _)| format!("`\"{word}\"`"))
            .collect::<Vec<_>>()
            .join(", "),
        Shape::Integer { min, max } if *max == i64::MAX => {
            if *min == 0 {
                "integer".to_owned()
            } else {
                format!("integer from {min}")
            }
        }
        Shape::Integer { min, max } => format!("integer {min} to {max}"),
        Shape::Boolean => "boolean".to_owned(),
        Shape::Condition => "condition".to_owned(),
        Shape::List(inner) => format!("list: {}", kind(inner)),
        Shape::Map { key, value, .. } => format!(
            "table: {} to {}",
            key.trim_start_matches("an ").trim_start_matches("a "),
            kind(value)
        ),
        Shape::Table(_) => "table".to_owned(),
        Shape::AnyOf(shapes) => match shapes.as_slice() {
            // "one value may be written without brackets" is said once, above.
            [one, Shape::List(many)] if kind(one) == kind(many) => {
                format!("list: {}", kind(many))
            }
            [one @ .., Shape::List(many)] if joined(one) == kind(many) => {
                format!("{}; or a list of such", kind(many))
            }
            shapes => joined(shapes),
        },
    }
}

fn joined(shapes: &[Shape]) -> String {
    shapes.iter().map(kind).collect::<Vec<_>>().join(" or ")
}

/// Doc text on one line.
fn prose(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;
    use crate::load::NoLoader;
    use crate::schema::Line;
    use crate::{load_text, schema};

    #[test]
    fn every_section_is_on_the_page() {
        let page = reference();
        for section in [
            "[global]",
            "[listener.NAME]",
            "[listener.NAME.tls]",
            "[[listener.NAME.tls.certificates]]",
            "[[route]]",
            "[route.rewrite]",
            "[[service.NAME.servers]]",
            "[route.split]",
            "[[route.split.services]]",
            "[route.split.sticky]",
        ] {
            assert!(
                page.contains(&format!("`{section}`")),
                "{section} is missing in\n{page}"
            );
        }
    }

    #[test]
    fn rows_have_as_many_columns_as_their_table() {
        for line in reference().lines().filter(|line| line.starts_with("| `")) {
            let columns = line.replace("\\|", "").matches('|').count();
            assert!((3..=5).contains(&columns), "{line}");
        }
    }

    /// A documented default is what a configuration without the key gets.
    #[test]
    fn documented_defaults_are_what_is_decoded() {
        let text = "[listener.web]\nbind = ':1'\n[[route]]\nservice = 'app'\n[service.app]\nservers = ['[::1]:1']\n";
        let config = load_text("t.toml", text, &NoLoader)
            .config
            .unwrap_or_else(|| panic!("the least configuration loads"));
        let root = Root::description();
        let mut checked = 0;
        compare(
            &root,
            "global",
            schema::Section::lines(&config.global.value),
            &mut checked,
        );
        compare(
            &root,
            "log",
            schema::Section::lines(&config.log.value),
            &mut checked,
        );
        compare(
            &root,
            "listener",
            schema::Section::lines(&config.listeners[0].value),
            &mut checked,
        );
        compare(
            &root,
            "route",
            schema::Section::lines(&config.routes[0].value),
            &mut checked,
        );
        compare(
            &root,
            "service",
            schema::Section::lines(&config.services[0].value),
            &mut checked,
        );
        assert!(checked > 15, "only {checked} defaults were compared");
    }

    fn compare(root: &Description, key: &str, lines: Vec<Line>, checked: &mut usize) {
        let mut found = Vec::new();
        root.fields
            .iter()
            .filter(|field| field.key == key)
            .for_each(|field| tables(&field.shape, "", &mut found));
        let fields = found
            .first()
            .map(|later| later.description.fields.as_slice())
            .unwrap_or_default();
        for line in lines {
            let Some(field) = fields.iter().find(|field| field.key == line.key) else {
                continue;
            };
            let Some(default) = field.default.as_deref().filter(|default| *default != "{}") else {
                continue;
            };
            if line.origin == crate::Origin::Default {
                assert_eq!(
                    line.out.inline().as_deref(),
                    Some(default),
                    "{key}.{}",
                    line.key
                );
                *checked += 1;
            }
        }
    }
}
