//! From the tree to typed values, reporting everything that is wrong on the way and going on.
//!
//! A value that cannot be read yields `None` after a diagnostic; its default or nothing takes its place, so that the
//! rest can still be checked. No caller ever sees such a configuration, because there was an error.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Description, Line, Out, Shape, Val, text_literal};
use crate::diagnostic::{Diagnostic, Findings, nearest};
use crate::source::{FileId, Loader, SourceMap, Span};
use crate::tree::{Entry, Kind, Node, Table};
use crate::values::{Invalid, parse_duration, quoted};

/// A type that a key can have.
pub(crate) trait Value: Sized {
    /// For schema and reference.
    fn shape() -> Shape;

    /// Reads it; `None` after at least one diagnostic.
    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self>;

    /// Writes it so that it reads back.
    fn write(&self) -> Out;
}

/// A table with declared keys. Implemented by `section!`.
pub(crate) trait Section: Sized {
    fn description() -> Description;

    fn read(reader: &mut Reader<'_>, cx: &mut Context<'_>) -> Option<Self>;

    fn lines(&self) -> Vec<Line>;

    /// What may be written instead of the table.
    fn shorthand() -> Option<Shorthand<Self>> {
        None
    }
}

/// The shape of a shorthand, and how it is read.
pub(crate) type Shorthand<T> = (Shape, fn(&Node, &mut Context<'_>) -> Option<T>);

impl<T: Section> Value for T {
    fn shape() -> Shape {
        let table = Shape::Table(T::description());
        match T::shorthand() {
            Some((shape, _)) => Shape::AnyOf(vec![shape, table]),
            None => table,
        }
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match (&node.kind, T::shorthand()) {
            (Kind::Table(table), _) => {
                let mut reader = Reader::new(table, node.span);
                let value = T::read(&mut reader, cx);
                reader.finish(cx);
                value
            }
            (_, Some((_, read))) => read(node, cx),
            (_, None) => {
                let first = T::description()
                    .fields
                    .first()
                    .map(|field| format!("a table: {{ {} = ... }}", field.key));
                cx.wrong_type(node, "a table", first.as_deref())
            }
        }
    }

    fn write(&self) -> Out {
        Out::Table(self.lines())
    }
}

/// What decoding needs to know and what it finds.
pub(crate) struct Context<'a> {
    pub(crate) sources: &'a SourceMap,
    pub(crate) loader: &'a dyn Loader,
    pub(crate) diagnostics: Findings,
}

impl<'a> Context<'a> {
    pub(crate) fn new(sources: &'a SourceMap, loader: &'a dyn Loader) -> Self {
        Self {
            sources,
            loader,
            diagnostics: Findings::default(),
        }
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports that a value has the wrong type.
    pub(crate) fn wrong_type<T>(
        &mut self,
        node: &Node,
        expected: &str,
        example: Option<&str>,
    ) -> Option<T> {
        let message = format!("expected {expected}, found {}", node.kind.describe());
        let diagnostic = Diagnostic::error("wrong-type", message)
            .at(node.span, format!("this is {}", node.kind.describe()));
        self.report(match example {
            Some(example) => diagnostic.help(format!("write it as {example}")),
            None => diagnostic,
        });
        None
    }

    /// Reports that a text is not what it should be, at the part that is to blame.
    pub(crate) fn invalid<T>(&mut self, node: &Node, text: &str, error: Invalid) -> Option<T> {
        let span = match (error.at, node.span) {
            (Some(range), Some(span)) => Some(self.inside(span, text, range)),
            (_, span) => span,
        };
        let diagnostic = Diagnostic::error("invalid-value", error.message).at(span, "");
        self.report(match error.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
        None
    }

    /// The span of some bytes of a string; of all of it when escapes make that unknowable.
    pub(crate) fn inside(&self, span: Span, text: &str, range: std::ops::Range<usize>) -> Span {
        let plain = self
            .sources
            .text(span)
            .get(1..)
            .is_some_and(|rest| rest.starts_with(text));
        let start = span.start as usize + 1;
        if plain && !range.is_empty() && text.get(range.clone()).is_some() {
            Span::new(span.file, start + range.start..start + range.end)
        } else {
            span
        }
    }

    /// The path a text means: relative ones start from the directory of the file that names them.
    pub(crate) fn path(&self, span: Option<Span>, text: &str) -> PathBuf {
        let directory = span
            .and_then(|span| self.sources.file(span.file))
            .map(|file| file.directory.as_path());
        directory.unwrap_or(Path::new("")).join(text)
    }
}

/// Takes the keys of one table, and afterwards knows which were not asked for.
pub(crate) struct Reader<'a> {
    table: &'a Table,
    pub(crate) span: Option<Span>,
    known: Vec<&'static str>,
    later: &'static [&'static str],
    absent: Vec<(&'static [&'static str], Diagnostic)>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(table: &'a Table, span: Option<Span>) -> Self {
        Self {
            table,
            span,
            known: Vec::new(),
            later: &[],
            absent: Vec::new(),
        }
    }

    /// The value of a key. Repeated keys (from merged files) have been reported before.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(crate) fn entry(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.known.push(key);
        self.table.entries.iter().find(|entry| entry.key == key)
    }

    /// Names keys of later versions, which are refused with their own message.
    pub(crate) fn later(&mut self, keys: &'static [&'static str]) {
        self.later = keys;
    }

    /// Reports that a key is missing.
    pub(crate) fn missing<T>(&mut self, keys: &'static [&'static str]) -> Option<T> {
        let key = keys.first().copied().unwrap_or_default();
        let diagnostic = Diagnostic::error("missing-key", format!("the key `{key}` is missing"))
            .at(self.span, format!("needs `{key}`"));
        self.lacks(keys, diagnostic);
        None
    }

    /// Reports that all of some keys are missing, unless one of them was misspelt or one of a later version is there instead:
    /// then the reason is reported already.
    pub(crate) fn lacks(&mut self, keys: &'static [&'static str], diagnostic: Diagnostic) {
        self.absent.push((keys, diagnostic));
    }

    /// Reports every key that nothing asked for.
    pub(crate) fn finish(self, cx: &mut Context<'_>) {
        let mut meant = Vec::new();
        let mut has_later = false;
        for entry in &self.table.entries {
            let key = entry.key.as_str();
            if self.known.contains(&key) || cx.diagnostics.is_full() {
                continue;
            }
            has_later |= self.later.contains(&key);
            let near = meant_key(key, &self.known);
            meant.extend(near);
            cx.report(self.unknown(entry, near));
        }
        for (keys, diagnostic) in self.absent {
            if !has_later && !keys.iter().any(|key| meant.contains(key)) {
                cx.report(diagnostic);
            }
        }
    }

    fn unknown(&self, entry: &Entry, near: Option<&str>) -> Diagnostic {
        let key = entry.key.as_str();
        if self.later.contains(&key) {
            return not_yet(&format!("`{key}`"), entry.key_span);
        }
        let diagnostic = Diagnostic::error("unknown-key", format!("unknown key {}", quoted(key)))
            .at(entry.key_span, "not known here");
        match near {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("the keys here are {}", self.known.join(", "))),
        }
    }
}

/// The key that was meant: the nearest by spelling, or the one that does what a key of this name does in other proxies.
fn meant_key<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    const ELSEWHERE: &[(&str, &[&str])] = &[
        (
            "threads",
            &["worker_processes", "nbthread", "workers", "concurrency"],
        ),
        ("max_connections", &["maxconn", "worker_connections"]),
        (
            "shutdown_timeout",
            &["hard_stop_after", "grace_period", "drain_timeout"],
        ),
        ("bind", &["listen", "address", "addr", "port", "entrypoint"]),
        ("address", &["addr", "url", "host", "server"]),
        ("tls", &["ssl", "certificates", "https"]),
        ("cert", &["certificate", "crt", "ssl_certificate", "chain"]),
        ("key", &["private_key", "ssl_certificate_key"]),
        ("hosts", &["host", "server_name", "domain", "domains"]),
        ("path", &["location", "prefix", "path_prefix", "uri"]),
        (
            "service",
            &[
                "backend",
                "upstream",
                "proxy_pass",
                "proxy",
                "use_backend",
                "target",
            ],
        ),
        (
            "servers",
            &[
                "server",
                "upstreams",
                "endpoints",
                "backends",
                "targets",
                "addresses",
            ],
        ),
        ("balance", &["lb", "load_balancing", "algorithm", "policy"]),
        (
            "health",
            &["check", "healthcheck", "health_check", "option_httpchk"],
        ),
        ("respond", &["return", "response", "static_response"]),
        ("redirect", &["rewrite_to", "redirection", "redir"]),
        ("timeouts", &["timeout"]),
        ("trusted_proxies", &["set_real_ip_from", "real_ip"]),
        ("service", &["services"]),
        (
            "listener",
            &["listeners", "server", "frontend", "entrypoints"],
        ),
        ("service", &["backend", "upstream"]),
        ("defaults", &["timeouts"]),
    ];
    nearest(key, known.iter().copied()).or_else(|| {
        let plain = key.to_ascii_lowercase().replace('-', "_");
        let names = |(_, names): &&(&str, &[&str])| names.contains(&plain.as_str());
        let here = |meant: &str| known.iter().copied().find(|known| *known == meant);
        ELSEWHERE
            .iter()
            .filter(names)
            .find_map(|(meant, _)| here(meant))
    })
}

/// The error for what a later version will have.
pub(crate) fn not_yet(what: &str, span: Option<Span>) -> Diagnostic {
    Diagnostic::error(
        "not-yet",
        format!("{what} is not supported by this version"),
    )
    .at(span, "not supported yet")
    .help("remove it; what has no effect is refused rather than ignored")
}

/// Reads `key = default` as if the operator had written it, but without a place.
pub(crate) fn default_value<T: Value>(text: &str) -> T {
    let sources = SourceMap::default();
    let mut cx = Context::new(&sources, &crate::load::NoLoader);
    let (mut table, _) = crate::tree::parse(&format!("default = {text}"), FileId(0));
    let node = table.entries.pop().map(|entry| forget_places(entry.node));
    let value = node.and_then(|node| T::decode(&node, &mut cx));
    #[allow(
        clippy::expect_used,
        reason = "defaults are literals of this crate; a test decodes every one of them"
    )]
    value.expect("a default reads as its type")
}

fn forget_places(node: Node) -> Node {
    let kind = match node.kind {
        Kind::Array(items) => Kind::Array(items.into_iter().map(forget_places).collect()),
        Kind::Table(table) => Kind::Table(Table {
            entries: table
                .entries
                .into_iter()
                .map(|entry| Entry {
                    key: entry.key,
                    key_span: None,
                    node: forget_places(entry.node),
                })
                .collect(),
        }),
        other => other,
    };
    Node { span: None, kind }
}

/// A section that is not written at all.
pub(crate) fn absent<T: Section>(cx: &mut Context<'_>) -> Option<T> {
    let table = Table::default();
    let mut reader = Reader::new(&table, None);
    let value = T::read(&mut reader, cx);
    reader.finish(cx);
    value
}

pub(crate) fn in_range<T: TryInto<u64> + Copy>(
    value: T,
    range: &RangeInclusive<u64>,
    node: &Node,
    cx: &mut Context<'_>,
) -> Option<T> {
    let number = value.try_into().unwrap_or(u64::MAX);
    if range.contains(&number) {
        return Some(value);
    }
    let message = format!(
        "{number} is not between {} and {}",
        range.start(),
        range.end()
    );
    cx.report(Diagnostic::error("out-of-range", message).at(node.span, "out of range"));
    None
}

impl Value for u64 {
    fn shape() -> Shape {
        Shape::Integer {
            min: 0,
            max: i64::MAX as u64,
        }
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match node.kind {
            Kind::Integer(Some(number)) => u64::try_from(number).ok().or_else(|| {
                cx.report(
                    Diagnostic::error("out-of-range", format!("{number} is negative"))
                        .at(node.span, "must not be negative"),
                );
                None
            }),
            Kind::Integer(None) => {
                cx.report(
                    Diagnostic::error("out-of-range", "the number is too large")
                        .at(node.span, "out of range"),
                );
                None
            }
            _ => {
                let digits = match &node.kind {
                    Kind::Text(text) if text.len() < 20 && text.parse::<u64>().is_ok() => {
                        Some(format!("{text}, without quotes"))
                    }
                    _ => None,
                };
                cx.wrong_type(node, "an integer", digits.as_deref())
            }
        }
    }

    fn write(&self) -> Out {
        Out::Inline(self.to_string())
    }
}

impl Value for bool {
    fn shape() -> Shape {
        Shape::Boolean
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Boolean(value) => Some(*value),
            Kind::Text(text) => {
                let meant = match text.as_str() {
                    "true" | "on" | "yes" => Some("true, without quotes"),
                    "false" | "off" | "no" => Some("false, without quotes"),
                    _ => None,
                };
                cx.wrong_type(node, "true or false", meant)
            }
            _ => cx.wrong_type(node, "true or false", None),
        }
    }

    fn write(&self) -> Out {
        Out::Inline(self.to_string())
    }
}

/// A type written as a string.
pub(crate) trait Text: Sized {
    /// What it is, with an article.
    const WHAT: &'static str;
    /// One such, without quotes.
    const EXAMPLE: &'static str;
    /// The unit that a bare number lacks, if that is what it lacks.
    const UNIT: Option<&'static str> = None;

    fn parse(text: &str) -> Result<Self, Invalid>;

    fn print(&self) -> String;

    /// What to write instead of a bare number.
    fn instead_of(number: u64) -> Option<String> {
        Self::UNIT.map(|unit| format!("write \"{number}{unit}\" if that is what you mean"))
    }
}

/// Reads a [`Text`], with its own words for a bare number.
pub(crate) fn decode_text<T: Text>(node: &Node, cx: &mut Context<'_>) -> Option<T> {
    match &node.kind {
        Kind::Text(text) => T::parse(text).map_or_else(|error| cx.invalid(node, text, error), Some),
        Kind::Integer(Some(number)) => bare_number::<T>(node, *number, cx),
        _ => cx.wrong_type(node, T::WHAT, Some(&text_literal(T::EXAMPLE))),
    }
}

fn bare_number<T: Text>(node: &Node, number: i64, cx: &mut Context<'_>) -> Option<T> {
    let help = u64::try_from(number).ok().and_then(T::instead_of);
    let diagnostic = match T::UNIT {
        Some(_) => Diagnostic::error(
            "missing-unit",
            format!(
                "`{number}` has no unit; {} is written as a string with one",
                T::WHAT
            ),
        )
        .at(node.span, "a bare number"),
        None => Diagnostic::error(
            "wrong-type",
            format!("expected {}, found an integer", T::WHAT),
        )
        .at(node.span, "this is an integer"),
    };
    let example = || format!("write it as {}", text_literal(T::EXAMPLE));
    cx.report(diagnostic.help(help.unwrap_or_else(example)));
    None
}

/// Makes a type that reads from a string one that a key can have.
macro_rules! text_value {
    ($Type:ty, $what:literal, $example:literal $(, unit $unit:literal)? $(, number $number:expr)?) => {
        impl $crate::schema::Text for $Type {
            const WHAT: &'static str = $what;
            const EXAMPLE: &'static str = $example;
            $(const UNIT: Option<&'static str> = Some($unit);)?

            fn parse(text: &str) -> Result<Self, $crate::values::Invalid> {
                text.parse()
            }

            fn print(&self) -> String {
                self.to_string()
            }

            $(fn instead_of(number: u64) -> Option<String> {
                let instead: fn(u64) -> Option<String> = $number;
                instead(number)
            })?
        }

        $crate::schema::text_value!(@value $Type);
    };
    (@value $Type:ty) => {
        impl $crate::schema::Value for $Type {
            fn shape() -> $crate::schema::Shape {
                use $crate::schema::Text as _;
                $crate::schema::Shape::Text { what: Self::WHAT, example: Self::EXAMPLE }
            }

            fn decode(node: &$crate::tree::Node, cx: &mut $crate::schema::Context<'_>) -> Option<Self> {
                $crate::schema::decode::decode_text(node, cx)
            }

            fn write(&self) -> $crate::schema::Out {
                use $crate::schema::Text as _;
                $crate::schema::Out::Inline($crate::schema::text_literal(&self.print()))
            }
        }
    };
}
pub(crate) use text_value;

text_value!(crate::values::ByteSize, "a size", "8KiB", unit "B", number |number| {
    Some(format!("write \"{}\" if that is what you mean", crate::values::ByteSize(number)))
});
text_value!(crate::values::ByteRate, "a rate of bytes", "240B/s", unit "B/s");
text_value!(crate::values::Rate, "a rate", "50/s", unit "/s");
text_value!(crate::values::Percent, "a percentage", "20%", unit "%");
text_value!(crate::values::HostPattern, "a host", "api.example.com");
text_value!(crate::values::MethodName, "a method", "GET");
text_value!(crate::values::FieldName, "a header name", "x-request-id");
text_value!(crate::values::FieldValue, "a header value", "no-store");
text_value!(crate::values::Token, "a token", "websocket");
text_value!(
    crate::values::Bind,
    "an address to listen on",
    "0.0.0.0:80",
    number | number | {
        Some(format!(
            "write \":{number}\" to listen on this port of all addresses"
        ))
    }
);
text_value!(crate::values::Address, "an address", "127.0.0.1:8080");
text_value!(crate::values::Network, "a network", "10.0.0.0/8");
text_value!(
    crate::values::Template,
    "a text with variables",
    "https://{host}{path}"
);
text_value!(crate::values::PathPrefix, "a path", "/v1");
text_value!(
    crate::values::Secret,
    "the place of a secret",
    "env:API_KEY"
);

impl Text for Duration {
    const WHAT: &'static str = "a duration";
    const EXAMPLE: &'static str = "10s";
    const UNIT: Option<&'static str> = Some("s");

    fn parse(text: &str) -> Result<Self, Invalid> {
        parse_duration(text)
    }

    fn print(&self) -> String {
        crate::values::format_duration(*self)
    }

    fn instead_of(number: u64) -> Option<String> {
        let seconds = Self::from_secs(number.min(1 << 40)).print();
        Some(format!(
            "write \"{seconds}\" if that is in seconds, \"{number}ms\" if it is in milliseconds"
        ))
    }
}

text_value!(@value Duration);

impl Text for String {
    const WHAT: &'static str = "a string";
    const EXAMPLE: &'static str = "text";

    fn parse(text: &str) -> Result<Self, Invalid> {
        Ok(text.to_owned())
    }

    fn print(&self) -> String {
        self.clone()
    }
}

text_value!(@value String);

impl Value for PathBuf {
    fn shape() -> Shape {
        Shape::Text {
            what: "a file path",
            example: "site.pem",
        }
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text.is_empty() => {
                cx.invalid(node, text, Invalid::new("an empty string is not a path"))
            }
            Kind::Text(text) if text.contains('\0') => {
                cx.invalid(node, text, Invalid::new("a path must not hold a NUL"))
            }
            Kind::Text(text) => Some(cx.path(node.span, text)),
            _ => cx.wrong_type(node, "a file path", Some("\"site.pem\"")),
        }
    }

    fn write(&self) -> Out {
        Out::Inline(text_literal(&self.display().to_string()))
    }
}

/// `"off"`, or a value.
impl<T: Value> Value for Option<T> {
    fn shape() -> Shape {
        Shape::AnyOf(vec![T::shape(), Shape::Words(vec![("off", "None.")])])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text == "off" => Some(None),
            Kind::Boolean(false) => cx.wrong_type(node, "a value or \"off\"", Some("\"off\"")),
            _ => T::decode(node, cx).map(Some),
        }
    }

    fn write(&self) -> Out {
        self.as_ref()
            .map_or_else(|| Out::Inline("\"off\"".to_owned()), T::write)
    }
}

/// A list; one value alone stands for a list of one.
impl<T: Value> Value for Vec<Val<T>> {
    fn shape() -> Shape {
        Shape::AnyOf(vec![T::shape(), Shape::List(Box::new(T::shape()))])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let item = |node: &Node, cx: &mut Context<'_>| {
            T::decode(node, cx).map(|value| match node.span {
                Some(span) => Val::written(value, Some(span)),
                None => Val::default_value(value),
            })
        };
        match &node.kind {
            // Broken items are left out, not the list: the others still want checking.
            Kind::Array(items) => {
                let mut list = Vec::new();
                for node in items {
                    if cx.diagnostics.is_full() {
                        break;
                    }
                    list.extend(item(node, cx));
                }
                Some(list)
            }
            _ => item(node, cx).map(|value| vec![value]),
        }
    }

    fn write(&self) -> Out {
        let mut tables = Vec::new();
        let mut inline = Vec::new();
        for item in self {
            match item.value.write() {
                Out::Table(lines) => tables.push((item.span, lines)),
                other => inline.extend(other.inline()),
            }
        }
        if tables.is_empty() {
            Out::Inline(format!("[{}]", inline.join(", ")))
        } else {
            Out::Tables(tables)
        }
    }
}

/// A table whose keys are the operator's.
impl<K: Text, V: Value> Value for Vec<(Val<K>, Val<V>)> {
    fn shape() -> Shape {
        Shape::Map {
            key: K::WHAT,
            value: Box::new(V::shape()),
        }
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let Kind::Table(table) = &node.kind else {
            let example = format!("a table: {{ {} = ... }}", K::EXAMPLE);
            return cx.wrong_type(node, "a table", Some(&example));
        };
        let mut found: Self = Vec::new();
        // Keys that print alike are the same key, such as a header in two cases.
        let mut places: HashMap<String, Option<Span>> = HashMap::new();
        for entry in &table.entries {
            let key_node = Node {
                span: entry.key_span,
                kind: Kind::Text(entry.key.clone()),
            };
            let key = K::parse(&entry.key)
                .map_or_else(|error| cx.invalid(&key_node, &entry.key, error), Some);
            let value = V::decode(&entry.node, cx);
            let (Some(key), Some(value)) = (key, value) else {
                continue;
            };
            if let Some(first) = places.get(&key.print()) {
                let message = format!("{} is written twice", quoted(&key.print()));
                cx.report(
                    Diagnostic::error("duplicate-key", message)
                        .at(entry.key_span, "second time here")
                        .note(*first, "first time here"),
                );
                continue;
            }
            places.insert(key.print(), entry.key_span);
            found.push((
                Val::written(key, entry.key_span),
                Val::written(value, entry.node.span),
            ));
        }
        Some(found)
    }

    fn write(&self) -> Out {
        Out::Table(
            self.iter()
                .map(|(key, value)| Line::of(key.print(), value, value.value.write()))
                .collect(),
        )
    }
}

/// Declares an enum written as one of some words.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])+
        pub enum $Name:ident { $($(#[doc = $word_doc:literal])+ $Variant:ident = $word:literal,)+ }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $Name { $($(#[doc = $word_doc])+ $Variant,)+ }

        impl $Name {
            /// The word it is written as.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$Variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::schema::Value for $Name {
            fn shape() -> $crate::schema::Shape {
                $crate::schema::Shape::Words(vec![$(($word, concat!($($word_doc),+).trim_ascii())),+])
            }

            fn decode(node: &$crate::tree::Node, cx: &mut $crate::schema::Context<'_>) -> Option<Self> {
                match $crate::schema::decode::word(node, &[$($word),+], cx)? {
                    $($word => Some(Self::$Variant),)+
                    _ => None,
                }
            }

            fn write(&self) -> $crate::schema::Out {
                $crate::schema::Out::Inline($crate::schema::text_literal(self.as_str()))
            }
        }
    };
}
pub(crate) use choice;

/// Reads one of some words.
pub(crate) fn word(
    node: &Node,
    words: &[&'static str],
    cx: &mut Context<'_>,
) -> Option<&'static str> {
    let list = words
        .iter()
        .map(|word| format!("\"{word}\""))
        .collect::<Vec<_>>()
        .join(", ");
    let Kind::Text(text) = &node.kind else {
        return cx.wrong_type(node, &format!("one of {list}"), None);
    };
    let found = words.iter().copied().find(|word| word == text);
    if found.is_none() {
        let diagnostic = Diagnostic::error(
            "invalid-value",
            format!("{} is not one of {list}", quoted(text)),
        )
        .at(node.span, "");
        cx.report(match meant_word(text, words) {
            Some(near) => diagnostic.help(format!("did you mean \"{near}\"?")),
            None => diagnostic,
        });
    }
    found
}

/// The word that was meant: the nearest by spelling, or the one other proxies have another word for.
fn meant_word(text: &str, words: &[&'static str]) -> Option<&'static str> {
    const ELSEWHERE: &[(&str, &[&str])] = &[
        (
            "least-requests",
            &[
                "leastconn",
                "least_conn",
                "least-connections",
                "least_request",
            ],
        ),
        ("round-robin", &["rr", "static-rr"]),
        ("debug", &["verbose", "notice"]),
        (
            "error",
            &["err", "crit", "critical", "emerg", "alert", "fatal"],
        ),
        ("warn", &["warning"]),
        ("haproxy", &["httplog"]),
        ("combined", &["common", "clf", "apache", "nginx", "main"]),
        ("required", &["require", "on", "always", "verify"]),
        ("optional", &["optional_no_ca", "request"]),
        (
            "1.2",
            &["TLSv1.2", "tls1.2", "TLS1.2", "tlsv1.2", "1.1", "1.0"],
        ),
        ("1.3", &["TLSv1.3", "tls1.3", "TLS1.3", "tlsv1.3"]),
        ("connect", &["conn-failure", "connect-failure", "error"]),
        ("reset", &["empty-response", "refused-stream"]),
        (
            "http/1.1",
            &["http1", "http/1", "h1", "http", "HTTP/1.1", "1.1"],
        ),
    ];
    let here = |meant: &str| words.iter().copied().find(|word| *word == meant);
    let other = ELSEWHERE
        .iter()
        .filter(|(_, names)| names.contains(&text))
        .find_map(|(meant, _)| here(meant));
    other.or_else(|| nearest(text, words.iter().copied()))
}

/// Declares a table: each key once, with text, type, bounds and default.
///
/// The modes of a key: `default T = literal`, `optional T`, `required T`, `table T` (a section with defaults of its
/// own), `named String` (a name made up when it is absent), `key String` (the key this table is under), `group T` (several keys read together).
macro_rules! section {
    (
        $(#[doc = $doc:literal])+
        $vis:vis struct $Name:ident {
            $($(#[doc = $field_doc:literal])+ $field:ident : $mode:ident $Type:ty $([$range:expr])? $(= $default:expr)?,)*
        }
        $(not yet: $($later:literal),+;)?
        $(shorthand: $shape:expr, $shorthand:path;)?
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $Name {
            $($(#[doc = $field_doc])+ pub $field: $crate::schema::section!(@type $mode $Type),)*
        }

        impl $crate::schema::Section for $Name {
            #[allow(clippy::vec_init_then_push, reason = "some keys add none or several")]
            fn description() -> $crate::schema::Description {
                let mut fields = Vec::new();
                $($crate::schema::section!(@describe fields $mode $field ($Type) concat!($($field_doc, "\n"),+), ($($range)?) ($($default)?));)*
                $crate::schema::Description { doc: concat!($($doc, "\n"),+), fields }
            }

            fn read(reader: &mut $crate::schema::Reader<'_>, cx: &mut $crate::schema::Context<'_>) -> Option<Self> {
                $(reader.later(&[$($later),+]);)?
                $(let $field = $crate::schema::section!(@read reader cx $mode $field ($Type) ($($range)?) ($($default)?));)*
                Some(Self { $($field: $field?,)* })
            }

            #[allow(clippy::vec_init_then_push, reason = "some keys add none or several")]
            fn lines(&self) -> Vec<$crate::schema::Line> {
                let mut lines = Vec::new();
                $($crate::schema::section!(@lines lines self $mode $field);)*
                lines
            }

            $(fn shorthand() -> Option<$crate::schema::decode::Shorthand<Self>> {
                Some(($shape, $shorthand))
            })?
        }
    };

    (@type default $Type:ty) => { $crate::schema::Val<$Type> };
    (@type required $Type:ty) => { $crate::schema::Val<$Type> };
    (@type table $Type:ty) => { $crate::schema::Val<$Type> };
    (@type key $Type:ty) => { $crate::schema::Val<$Type> };
    (@type named $Type:ty) => { $crate::schema::Val<$Type> };
    (@type optional $Type:ty) => { Option<$crate::schema::Val<$Type>> };
    (@type group $Type:ty) => { $Type };

    (@describe $fields:ident key $field:ident ($Type:ty) $doc:expr, () ()) => {};
    (@describe $fields:ident group $field:ident ($Type:ty) $doc:expr, () ()) => { $fields.extend(<$Type>::fields()) };
    (@describe $fields:ident $mode:ident $field:ident ($Type:ty) $doc:expr, ($($range:expr)?) ($($default:expr)?)) => {
        $fields.push($crate::schema::Field {
            key: stringify!($field),
            doc: $doc,
            default: $crate::schema::section!(@default $($default)?),
            required: stringify!($mode) == "required",
            shape: <$Type as $crate::schema::Value>::shape()$(.within(&$range))?,
        })
    };
    (@default) => { None };
    (@default $default:expr) => { Some(stringify!($default).to_owned()) };

    (@read $reader:ident $cx:ident key $field:ident ($Type:ty) () ()) => {
        Some($crate::schema::Val::default_value(<$Type>::default()))
    };
    (@read $reader:ident $cx:ident group $field:ident ($Type:ty) () ()) => { Some(<$Type>::read_group($reader, $cx)) };
    (@read $reader:ident $cx:ident named $field:ident ($Type:ty) () ()) => {
        Some($reader.take(stringify!($field)).and_then(|node| {
            let value = <$Type as $crate::schema::Value>::decode(node, $cx)?;
            Some($crate::schema::Val::written(value, node.span))
        }).unwrap_or_else(|| $crate::schema::Val::default_value(<$Type>::default())))
    };
    (@read $reader:ident $cx:ident table $field:ident ($Type:ty) () ()) => {
        $reader.entry(stringify!($field)).and_then(|entry| {
            let value = <$Type as $crate::schema::Value>::decode(&entry.node, $cx)?;
            Some($crate::schema::Val::written(value, entry.key_span))
        }).or_else(|| $crate::schema::decode::absent::<$Type>($cx).map($crate::schema::Val::default_value))
    };
    (@read $reader:ident $cx:ident default $field:ident ($Type:ty) ($($range:expr)?) ($default:expr)) => {{
        let written = $reader.take(stringify!($field)).and_then(|node| {
            let value = <$Type as $crate::schema::Value>::decode(node, $cx)?;
            $(let value = $crate::schema::decode::in_range(value, &$range, node, $cx)?;)?
            Some($crate::schema::Val::written(value, node.span))
        });
        Some(written.unwrap_or_else(|| $crate::schema::Val::default_value(
            $crate::schema::decode::default_value::<$Type>(stringify!($default)))))
    }};
    (@read $reader:ident $cx:ident optional $field:ident ($Type:ty) ($($range:expr)?) ()) => {
        Some($reader.take(stringify!($field)).and_then(|node| {
            let value = <$Type as $crate::schema::Value>::decode(node, $cx)?;
            $(let value = $crate::schema::decode::in_range(value, &$range, node, $cx)?;)?
            Some($crate::schema::Val::written(value, node.span))
        }))
    };
    (@read $reader:ident $cx:ident required $field:ident ($Type:ty) ($($range:expr)?) ()) => {
        match $reader.take(stringify!($field)) {
            Some(node) => <$Type as $crate::schema::Value>::decode(node, $cx)
                $(.and_then(|value| $crate::schema::decode::in_range(value, &$range, node, $cx)))?
                .map(|value| $crate::schema::Val::written(value, node.span)),
            None => $reader.missing(&[stringify!($field)]),
        }
    };

    (@lines $lines:ident $self:ident key $field:ident) => {};
    (@lines $lines:ident $self:ident group $field:ident) => { $lines.extend($self.$field.group_lines()) };
    (@lines $lines:ident $self:ident optional $field:ident) => {
        if let Some(value) = &$self.$field {
            $lines.push($crate::schema::Line::of(stringify!($field), value, $crate::schema::Value::write(&value.value)));
        }
    };
    (@lines $lines:ident $self:ident $mode:ident $field:ident) => {
        $lines.push($crate::schema::Line::of(stringify!($field), &$self.$field, $crate::schema::Value::write(&$self.$field.value)))
    };
}
pub(crate) use section;
