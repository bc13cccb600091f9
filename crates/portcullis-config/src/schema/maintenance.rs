//! `maintenance` of a listener or a route: closed, but for those who work on it.

use std::time::Duration;

use super::{Context, LoadedFile, Out, Shape, Val, Value, section};
use crate::tree::{Kind, Node};
use crate::values::{Network, Status};

/// Whether requests are turned away.
#[derive(Clone, Debug, PartialEq)]
pub enum Maintenance {
    /// They are not.
    Off,
    /// They are, so.
    On(Closed),
}

section! {
    /// How requests are turned away.
    pub struct Closed {
        /// The file that is the answer's body; the error page of the status when absent.
        page: optional LoadedFile,
        /// The status of the answer, an error.
        status: default Status [400..=599] = 503,
        /// When clients may ask again; not told when absent.
        retry_after: optional Duration,
        /// Networks of clients that are served all the same; `"unix"` for those on a Unix socket.
        allow: default Vec<Val<Network>> = [],
    }
}

impl Value for Maintenance {
    fn shape() -> Shape {
        Shape::AnyOf(vec![Shape::Boolean, Closed::shape()])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Boolean(false) => Some(Self::Off),
            Kind::Boolean(true) => super::decode::absent::<Closed>(cx).map(Self::On),
            Kind::Table(_) => Closed::decode(node, cx).map(Self::On),
            _ => cx.wrong_type(
                node,
                "true, false or a table",
                Some("true or { page = \"pages/closed.html\" }"),
            ),
        }
    }

    fn write(&self) -> Out {
        match self {
            Self::Off => Out::Inline("false".to_owned()),
            Self::On(closed) => closed.write(),
        }
    }
}
