//! Types that are written as a string, and their own words for what is written otherwise.

use std::time::Duration;

use super::decode::Context;
use super::write::text_literal;
use crate::diagnostic::Diagnostic;
use crate::tree::{Kind, Node};
use crate::values::{Invalid, parse_duration};

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
                $crate::schema::text::decode_text(node, cx)
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
text_value!(crate::values::CookieName, "a cookie name", "session");
text_value!(crate::values::CookieValue, "a cookie value", "beta");
text_value!(
    crate::values::ParameterName,
    "the name of a parameter",
    "version"
);
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
text_value!(crate::values::Regex, "a regular expression", "/old/(.*)");
text_value!(crate::values::Replacement, "a text with groups", "/new/$1");
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
