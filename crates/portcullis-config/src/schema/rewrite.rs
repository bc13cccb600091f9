//! `rewrite` of a route: what is changed on the way.

use super::{Context, Out, Shape, Val, Value, section};
use crate::diagnostic::Diagnostic;
use crate::tree::{Kind, Node};
use crate::values::{FieldName, PathPrefix, Template};

section! {
    /// What is changed on the way to the service and back.
    pub struct Rewrite {
        /// Take this prefix off the path; `true` takes the route's own.
        strip_prefix: optional StripPrefix,
        /// Put this in place of the route's prefix.
        replace_prefix: optional PathPrefix,
        /// The Host the service sees, instead of the client's.
        host: optional Template,
        /// Headers of the request.
        request_headers: optional HeaderEdits,
        /// Headers of the response.
        response_headers: optional HeaderEdits,
    }
    not yet: "path", "query", "regex";
}

section! {
    /// Changes to headers: first `remove`, then `set`, then `add`.
    pub struct HeaderEdits {
        /// Fields to have exactly this value.
        set: default Vec<(Val<FieldName>, Val<Template>)> = {},
        /// Fields to have this value besides the ones they have.
        add: default Vec<(Val<FieldName>, Val<Template>)> = {},
        /// Fields to take away.
        remove: default Vec<Val<FieldName>> = [],
    }
}

/// The prefix to take off a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StripPrefix {
    /// The one the route matches by.
    Matched,
    /// This one; the route must match by it or by something below it.
    Path(PathPrefix),
}

impl Value for StripPrefix {
    fn shape() -> Shape {
        Shape::AnyOf(vec![PathPrefix::shape(), Shape::Boolean])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Boolean(true) => Some(Self::Matched),
            Kind::Boolean(false) => {
                let diagnostic = Diagnostic::error(
                    "invalid-value",
                    "`strip_prefix` is true or a prefix, not false",
                )
                .at(node.span, "");
                cx.report(diagnostic.help("leave it out to keep the prefix"));
                None
            }
            _ => PathPrefix::decode(node, cx).map(Self::Path),
        }
    }

    fn write(&self) -> Out {
        match self {
            Self::Matched => Out::Inline("true".to_owned()),
            Self::Path(prefix) => prefix.write(),
        }
    }
}
