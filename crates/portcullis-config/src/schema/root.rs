//! The file as a whole.

use std::fmt;
use std::str::FromStr;

use super::{
    Admin, Condition, Errors, Global, Listener, Log, Route, Service, Timeouts, Val, section,
    text_value,
};
use crate::values::{Invalid, character, quoted};

section! {
    /// The file as a whole. Strings are quoted; durations and sizes are strings with units; a list of one value may be written as the
    /// value alone. Unknown keys are errors.
    pub(crate) struct Root {
        /// More files to read: paths or patterns such as `"conf.d/*.toml"`, relative to this file, in order of name. Their tables are
        /// merged with this file's; what is written twice is an error. Their routes come after this file's.
        include: default Vec<Val<String>> = [],
        /// The process as a whole.
        global: table Global,
        /// How operators reach the running process.
        admin: table Admin,
        /// What is written about the process and about requests.
        log: table Log,
        /// Error pages by status: the file whose content replaces the built-in page. Its ending (.html, .json, .txt) decides the content type.
        errors: default Errors = {},
        /// What listeners, services and routes start from.
        defaults: table Defaults,
        /// Where clients come in, by name: `[listener.web]`.
        listener: default Vec<(Val<Name>, Val<Listener>)> = {},
        /// Which requests, and what becomes of them: one `[[route]]` each.
        route: default Vec<Val<Route>> = [],
        /// Conditions by name, for `when` of several routes: `[condition.internal]`.
        condition: default Vec<(Val<Name>, Val<Condition>)> = {},
        /// The servers that do the work, by name: `[service.app]`.
        service: default Vec<(Val<Name>, Val<Service>)> = {},
    }
    not yet: "plugin", "cache", "acme", "kubernetes", "discovery";
}

section! {
    /// What listeners, services and routes start from.
    pub(crate) struct Defaults {
        /// Deadlines, each by its own name.
        timeouts: table Timeouts,
    }
}

/// The name of a listener, route, service or server: it is used in logs, metrics and commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(pub(crate) String);

impl FromStr for Name {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.:@".contains(c);
        if let Some((at, c)) = text.char_indices().find(|(_, c)| !allowed(*c)) {
            return Err(Invalid::new(format!("{} is not a name: {} is not allowed in one", quoted(text), character(c)))
                .help("names are made of letters, digits, `-`, `_`, `.`, `:` and `@`, because commands and metrics carry them")
                .at(at..at + c.len_utf8()));
        }
        match text.len() {
            0 => Err(Invalid::new("an empty string is not a name")),
            1..=128 => Ok(Self(text.to_owned())),
            length => Err(
                Invalid::new(format!("a name of {length} characters is too long"))
                    .help("at most 128"),
            ),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_value!(Name, "a name", "web");
