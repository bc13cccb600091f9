//! Types that cannot be wrong: once a value of one of these exists, it is valid.
//!
//! Each is read from text by [`FromStr`](std::str::FromStr) with an [`Invalid`] that says what is wrong and what to
//! write instead, and printed by [`Display`](std::fmt::Display) in a form that reads back to the same value.

mod address;
mod host;
mod http;
mod path;
mod path_template;
mod quantity;
mod regex;
mod replacement;
mod secret;
mod template;

pub use address::{Address, Bind, Network};
pub use host::{HostMatch, HostPattern};
pub(crate) use http::status_range;
pub use http::{
    CookieName, CookieValue, FieldName, FieldValue, MethodName, ParameterName, Status, StatusSet,
    Token,
};
pub use path::{PathPattern, PathPrefix};
pub use path_template::{PathTemplate, Segment};
pub use quantity::{ByteRate, ByteSize, Percent, Rate, format_duration, parse_duration};
pub use regex::{MAX_GROUPS, Regex};
pub use replacement::{Replacement, ReplacementPart};
pub use secret::Secret;
pub use template::{Part, Scope, Template, Variable};

/// Why a text is not a value of some type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong, in words that name the value.
    pub message: String,
    /// What to write instead, where that can be said.
    pub help: Option<String>,
    /// The bytes of the text that are to blame; `None` for all of it.
    pub at: Option<std::ops::Range<usize>>,
}

impl Invalid {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            at: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn at(mut self, range: std::ops::Range<usize>) -> Self {
        self.at = Some(range);
        self
    }
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Invalid {}

/// A character as one would call it.
pub(crate) fn character(c: char) -> String {
    match c {
        ' ' => "a space".to_owned(),
        '\t' => "a tab".to_owned(),
        '\n' | '\r' => "a line break".to_owned(),
        c if c.is_control() => format!("the control character U+{:04X}", u32::from(c)),
        c => format!("`{c}`"),
    }
}

/// A value shortened for a message: whole when short, else its beginning; controls are escaped.
pub(crate) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    let dots = if text.chars().count() > 60 { "..." } else { "" };
    format!(
        "`{}{dots}`",
        shown.replace("\\\"", "\"").replace("\\'", "'")
    )
}
