//! `[admin]`: how operators reach the running process.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Context, Shape, Val, Value as _, choice, section, text_value};
use crate::tree::{Kind, Node};
use crate::values::{Bind, Invalid, quoted};

section! {
    /// How operators reach the running process. Without these there is no administration at run time.
    pub struct Admin {
        /// A Unix socket that speaks HAProxy's runtime commands. A path alone means the defaults for the rest.
        socket: optional AdminSocket,
        /// Plain HTTP for metrics, health and statistics. Bind it to an address only operators reach.
        http: optional AdminHttp,
    }
}

section! {
    /// The administration socket.
    pub struct AdminSocket {
        /// Where it is.
        path: required PathBuf,
        /// Its permissions, as octal digits.
        mode: default FileMode = "0660",
        /// What a connection may do before it authenticates otherwise.
        level: default AdminLevel = "admin",
    }
    not yet: "group", "user";
    shorthand: Shape::Text { what: "a file path", example: "/run/portcullis/admin.sock" }, socket_path;
}

/// A path alone: `socket = "/run/portcullis/admin.sock"`.
fn socket_path(node: &Node, cx: &mut Context<'_>) -> Option<AdminSocket> {
    if !matches!(node.kind, Kind::Text(_)) {
        return cx.wrong_type(
            node,
            "a path or a table",
            Some("\"/run/portcullis/admin.sock\""),
        );
    }
    let path = PathBuf::decode(node, cx)?;
    Some(AdminSocket {
        path: Val::written(path, node.span),
        mode: Val::default_value(super::decode::default_value("\"0660\"")),
        level: Val::default_value(AdminLevel::Admin),
    })
}

section! {
    /// The administration pages over HTTP.
    pub struct AdminHttp {
        /// The address and port.
        bind: required Bind,
        /// Path of the Prometheus metrics.
        metrics: default String = "/metrics",
        /// Path that answers 200 while this process serves.
        health: default String = "/healthz",
        /// Path of the statistics page.
        stats: default String = "/stats",
    }
    not yet: "dashboard", "tls";
}

choice! {
    /// What a connection to the administration socket may do.
    pub enum AdminLevel {
        /// Look at statistics.
        User = "user",
        /// Look at everything.
        Operator = "operator",
        /// Change things.
        Admin = "admin",
    }
}

/// Permissions of a file, written as octal digits such as `"0660"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileMode(pub u32);

impl FromStr for FileMode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let octal =
            (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        let mode = octal
            .then(|| u32::from_str_radix(text, 8).ok())
            .flatten()
            .filter(|mode| *mode <= 0o777);
        mode.map(Self).ok_or_else(|| {
            Invalid::new(format!("{} is not a file mode", quoted(text)))
                .help("write octal digits such as \"0660\"")
        })
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

text_value!(FileMode, "a file mode as octal digits", "0660");
