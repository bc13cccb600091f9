//! `[log]`: what is written about requests and about the process.

use std::path::PathBuf;

use super::{Context, Out, Shape, Value, choice, section, text_literal};
use crate::tree::{Kind, Node};
use crate::values::{Invalid, Template, quoted};

section! {
    /// What is written about the process and about requests.
    pub struct Log {
        /// How much the program log on standard error says.
        level: default LogLevel = "info",
        /// One record per request.
        access: table AccessLog,
    }
    not yet: "trace", "syslog", "journald";
}

section! {
    /// The access log.
    pub struct AccessLog {
        /// Where it goes: `"stdout"`, `"stderr"`, `"off"`, or the absolute path of a file. Files are opened again on USR1.
        to: default LogTarget = "stdout",
        /// The form of a record.
        format: default AccessFormat = "json",
        /// The text of a record; with `format = "template"` only, and needed there.
        template: optional Template,
    }
    not yet: "sample";
}

choice! {
    /// How much the program log says.
    pub enum LogLevel {
        /// What needs attention.
        Error = "error",
        /// And what may need some.
        Warn = "warn",
        /// And what happened: start, reload, health changes.
        Info = "info",
        /// And why.
        Debug = "debug",
        /// And every step.
        Trace = "trace",
    }
}

choice! {
    /// The form of an access log record.
    pub enum AccessFormat {
        /// One JSON object per line.
        Json = "json",
        /// The combined format of Apache and nginx.
        Combined = "combined",
        /// The format of HAProxy's `option httplog`.
        Haproxy = "haproxy",
        /// The text given as `template`.
        Template = "template",
    }
}

/// Where log records go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Nowhere.
    Off,
    /// A file, by absolute path.
    File(PathBuf),
}

impl Value for LogTarget {
    fn shape() -> Shape {
        Shape::AnyOf(vec![
            Shape::Words(vec![
                ("stdout", "Standard output."),
                ("stderr", "Standard error."),
                ("off", "Nowhere."),
            ]),
            Shape::Text {
                what: "an absolute file path",
                example: "/var/log/portcullis/access.log",
            },
        ])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let Kind::Text(text) = &node.kind else {
            return cx.wrong_type(
                node,
                "a log target",
                Some("\"stdout\", \"stderr\", \"off\" or \"/absolute/path\""),
            );
        };
        match text.as_str() {
            "stdout" => Some(Self::Stdout),
            "stderr" => Some(Self::Stderr),
            "off" => Some(Self::Off),
            path if path.starts_with('/') && !path.contains('\0') => {
                Some(Self::File(PathBuf::from(path)))
            }
            other => {
                let error = Invalid::new(format!("{} is not a log target", quoted(other)));
                cx.invalid(
                    node,
                    text,
                    error.help(
                        "write \"stdout\", \"stderr\", \"off\" or the absolute path of a file",
                    ),
                )
            }
        }
    }

    fn write(&self) -> Out {
        Out::Inline(match self {
            Self::Stdout => text_literal("stdout"),
            Self::Stderr => text_literal("stderr"),
            Self::Off => text_literal("off"),
            Self::File(path) => text_literal(&path.display().to_string()),
        })
    }
}
