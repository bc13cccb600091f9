//! `[global]`: the process as a whole.

use std::time::Duration;

use super::{Context, Out, Shape, Value, section, text_literal};
use crate::tree::{Kind, Node};

section! {
    /// The process as a whole.
    pub struct Global {
        /// How many worker threads carry traffic: a number, or `"auto"` for one per available processor.
        threads: default Threads = "auto",
        /// The most client connections open at once, over all listeners. Beyond it new connections are closed and counted.
        max_connections: default u64 [1..=10_000_000] = 20000,
        /// How long a graceful stop waits for exchanges in progress before it ends them.
        shutdown_timeout: default Duration = "30s",
        /// How long the clients of a listener that a reload takes away are still served. Meanwhile their connections close one after the
        /// other, each with an answer or while it is idle; tunnels are ended when the time is over.
        drain_timeout: default Duration = "30s",
        /// Whether a change of the configuration, of a file it includes or of one dropped into an included folder is a reload, as if HUP had come.
        watch: default bool = false,
        /// How long before the end of a certificate there is a warning about it, at a start, a reload and by `portcullis check`. Its end is always a metric.
        certificate_warning: default Duration = "14d",
        /// How long a stopping process still serves as before while its health page already says that it stops, so that those in front
        /// of it send no more. Comes before `shutdown_timeout`.
        lame_duck: default Option<Duration> = "off",
        /// How long tunnels go on in a stop. WebSockets then get a close frame (1001, going away) as soon as no frame is under way;
        /// what is left at `shutdown_timeout` is cut. At the latest this is a second before `shutdown_timeout`.
        tunnel_drain: default Duration = "10s",
        /// Whom the process becomes once its sockets are bound, if root starts it: it then has no capability left and no way to get one.
        /// A reload cannot add a port below 1024 after that. Not needed under systemd, whose unit says it.
        user: optional String,
        /// The group that goes with `user`; else that user's own.
        group: optional String,
        /// Whether the process is confined, once everything is open, to the folders of the files that the configuration names, by Landlock
        /// (Linux 5.13). A reload that needs another folder fails and says so.
        sandbox: default bool = false,
    }
    not yet: "chroot", "pidfile", "pid_file";
}

/// A number of worker threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Threads {
    /// As many as there are processors this process may use.
    Auto,
    /// This many, from 1 to 1024.
    Count(u64),
}

impl Value for Threads {
    fn shape() -> Shape {
        Shape::AnyOf(vec![
            Shape::Words(vec![("auto", "One per available processor.")]),
            Shape::Integer { min: 1, max: 1024 },
        ])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text == "auto" => Some(Self::Auto),
            Kind::Integer(_) => {
                let count = u64::decode(node, cx)?;
                super::decode::in_range(count, &(1..=1024), node, cx).map(Self::Count)
            }
            _ => cx.wrong_type(
                node,
                "a number of threads or \"auto\"",
                Some("\"auto\" or 4"),
            ),
        }
    }

    fn write(&self) -> Out {
        match self {
            Self::Auto => Out::Inline(text_literal("auto")),
            Self::Count(count) => count.write(),
        }
    }
}
