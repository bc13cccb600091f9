//! Every deadline of an exchange, declared once with the places that may override it.
//!
//! `[defaults.timeouts]` holds all of them; tables named `timeouts` in a listener, service or route override those that make sense
//! there. A route wins over its service, a service over the listener, a listener over the defaults.

use std::ops::Deref;
use std::sync::LazyLock;
use std::time::Duration;

use super::decode::{default_value, not_yet};
use super::{Context, Description, Field, Line, Origin, Out, Reader, Section, Shape, Val, Value};
use crate::diagnostic::{Diagnostic, nearest};
use crate::tree::{Kind, Node, Table};
use crate::values::ByteRate;

/// A place that can override timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Listener,
    Service,
    Route,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Service => "service",
            Self::Route => "route",
        }
    }
}

macro_rules! timeouts {
    ($($(#[doc = $doc:literal])+ $field:ident : $Type:ty = $default:literal at $($level:ident)+;)+) => {
        /// All timeouts, each with a value. `None` is `"off"`.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Timeouts {
            $($(#[doc = $doc])+ pub $field: Val<Option<$Type>>,)+
        }

        /// The timeouts written in one listener, service or route.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct TimeoutOverrides {
            $($(#[doc = $doc])+ pub $field: Option<Val<Option<$Type>>>,)+
        }

        /// The places that may override each timeout.
        const LEVELS: &[(&str, &[Level])] = &[$((stringify!($field), &[$(Level::$level),+]),)+];

        fn fields() -> Vec<Field> {
            vec![$(Field {
                key: stringify!($field),
                doc: concat!($($doc, "\n"),+),
                default: Some(stringify!($default).to_owned()),
                required: false,
                shape: <Option<$Type> as Value>::shape(),
            }),+]
        }

        impl Section for Timeouts {
            fn description() -> Description {
                Description { doc: "What every listener, service and route starts from.", fields: fields() }
            }

            fn read(reader: &mut Reader<'_>, cx: &mut Context<'_>) -> Option<Self> {
                Some(Self { $($field: {
                    let written = reader.take(stringify!($field)).and_then(|node| {
                        Some(Val::written(Value::decode(node, cx)?, node.span))
                    });
                    written.unwrap_or_else(|| Val::default_value(default_value(stringify!($default))))
                },)+ })
            }

            fn lines(&self) -> Vec<Line> {
                vec![$(Line::of(stringify!($field), &self.$field, self.$field.value.write())),+]
            }
        }

        impl Timeouts {
            /// These, seen from a more special place.
            fn inherited(&self) -> Self {
                Self { $($field: inherit(&self.$field),)+ }
            }

            /// The lines of those that can be overridden at a place.
            pub(crate) fn only(&self, level: Level) -> Vec<Line> {
                let mut lines = self.lines();
                lines.retain(|line| LEVELS.iter().any(|(key, levels)| *key == line.key && levels.contains(&level)));
                lines
            }

            /// These, with what is written in `overrides` in their place.
            pub(crate) fn with(&self, overrides: &TimeoutOverrides) -> Self {
                let mut result = self.inherited();
                $(if let Some(written) = &overrides.$field {
                    result.$field = written.clone();
                })+
                result
            }
        }

        impl TimeoutOverrides {
            fn read_all(reader: &mut Reader<'_>, cx: &mut Context<'_>) -> Self {
                Self { $($field: reader.take(stringify!($field)).and_then(|node| {
                    Some(Val::written(Value::decode(node, cx)?, node.span))
                }),)+ }
            }

            fn lines(&self) -> Vec<Line> {
                let mut lines = Vec::new();
                $(if let Some(written) = &self.$field {
                    lines.push(Line::of(stringify!($field), written, written.value.write()));
                })+
                lines
            }
        }

    };
}

timeouts! {
    /// The TLS handshake and the PROXY protocol header together.
    handshake: Duration = "5s" at Listener;
    /// The whole head of a request, from its first byte; for the first one from the accept.
    client_header: Duration = "10s" at Listener;
    /// Between two requests of a connection.
    client_idle: Duration = "60s" at Listener;
    /// No byte of the request body arrives.
    client_body_idle: Duration = "30s" at Listener Route;
    /// The least average rate of an upload, measured after its first five seconds.
    client_body_rate: ByteRate = "240B/s" at Listener Route;
    /// The client takes no byte of the response.
    client_write: Duration = "30s" at Listener Route;
    /// Connecting to a server.
    connect: Duration = "3s" at Service Route;
    /// From the request sent to the head of the final response.
    response_header: Duration = "60s" at Service Route;
    /// No byte of the response body arrives from the server.
    response_idle: Duration = "60s" at Service Route;
    /// The whole exchange.
    request: Duration = "off" at Listener Service Route;
    /// No byte either way through an upgraded connection.
    tunnel_idle: Duration = "1h" at Listener Service Route;
    /// How long an unused connection to a server is kept.
    upstream_idle: Duration = "30s" at Service;
    /// A client connection older than this is closed at the next pause between requests.
    connection_age: Duration = "off" at Listener;
}

fn inherit<T: Clone>(value: &Val<T>) -> Val<T> {
    let mut value = value.clone();
    if value.origin == Origin::Written {
        value.origin = Origin::Inherited;
    }
    value
}

/// Reads overrides at one place and refuses those that have no meaning there.
fn read_at(level: Level, table: &Table, node: &Node, cx: &mut Context<'_>) -> TimeoutOverrides {
    let mut reader = Reader::new(table, node.span);
    let overrides = TimeoutOverrides::read_all(&mut reader, cx);
    for entry in &table.entries {
        let Some((_, levels)) = LEVELS.iter().find(|(key, _)| *key == entry.key) else {
            cx.report(unknown(&entry.key, level, entry.key_span));
            continue;
        };
        if !levels.contains(&level) {
            let places: Vec<String> = levels
                .iter()
                .map(|level| format!("a {}", level.name()))
                .collect();
            cx.report(
                Diagnostic::error(
                    "misplaced-timeout",
                    format!("`{}` has no meaning in a {}", entry.key, level.name()),
                )
                .at(entry.key_span, "does nothing here")
                .help(format!(
                    "set it in the `timeouts` of {}, or in [defaults.timeouts]",
                    places.join(" or ")
                )),
            );
        }
    }
    overrides
}

fn unknown(key: &str, level: Level, span: Option<crate::source::Span>) -> Diagnostic {
    if key == "queue" {
        return not_yet("`queue`", span);
    }
    let here = || {
        LEVELS
            .iter()
            .filter(|(_, levels)| levels.contains(&level))
            .map(|(key, _)| *key)
    };
    let diagnostic = Diagnostic::error(
        "unknown-key",
        format!("unknown timeout {}", crate::values::quoted(key)),
    )
    .at(span, "not known here");
    match nearest(key, LEVELS.iter().map(|(key, _)| *key)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!(
            "the timeouts of a {} are {}",
            level.name(),
            here().collect::<Vec<_>>().join(", ")
        )),
    }
}

static NO_OVERRIDES: LazyLock<TimeoutOverrides> = LazyLock::new(TimeoutOverrides::default);

macro_rules! overrides_at {
    ($($(#[doc = $doc:literal])+ $Name:ident, $level:ident;)+) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $Name(Option<Box<TimeoutOverrides>>);

        impl $Name {
            /// These overrides; none of them take no memory.
            #[must_use]
            pub fn new(overrides: TimeoutOverrides) -> Self {
                Self((overrides != *NO_OVERRIDES).then(|| Box::new(overrides)))
            }
        }

        impl Deref for $Name {
            type Target = TimeoutOverrides;

            fn deref(&self) -> &TimeoutOverrides {
                self.0.as_deref().unwrap_or(&NO_OVERRIDES)
            }
        }

        impl Value for $Name {
            fn shape() -> Shape {
                let here = |field: &Field| LEVELS.iter().any(|(key, levels)| *key == field.key && levels.contains(&Level::$level));
                let absent = |field| Field { default: None, ..field };
                let fields = fields().into_iter().filter(here).map(absent).collect();
                Shape::Table(Description { doc: concat!($($doc, "\n"),+), fields })
            }

            fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
                match &node.kind {
                    Kind::Table(table) => Some(Self::new(read_at(Level::$level, table, node, cx))),
                    _ => cx.wrong_type(node, "a table", Some("{ request = \"5s\" }")),
                }
            }

            fn write(&self) -> Out {
                match self.lines() {
                    lines if lines.is_empty() => Out::Nothing,
                    lines => Out::Table(lines),
                }
            }
        }
    )+ };
}

overrides_at! {
    /// The timeouts a listener overrides.
    ListenerTimeouts, Listener;
    /// The timeouts a service overrides.
    ServiceTimeouts, Service;
    /// The timeouts a route overrides.
    RouteTimeouts, Route;
}
