//! `rate_limit`: how often one client may ask.

use super::{Context, Out, Shape, Value, section, text_literal};
use crate::diagnostic::{Diagnostic, nearest};
use crate::tree::{Kind, Node, Table};
use crate::values::{FieldName, Rate, Status, quoted};

section! {
    /// How often one client may ask. Exact: no more than `burst` at once and `rate` over time.
    pub struct RateLimit {
        /// What tells clients apart: `"client_ip"`, or `{ header = "x-api-key" }`. A request without the header counts for its client's address.
        key: default RateKey = "client_ip",
        /// How many in which time.
        rate: required Rate,
        /// How many at once after a pause; as many as `rate` counts when absent.
        burst: optional u64 [1..=1_000_000],
        /// The status of the refusal, an error.
        status: default Status [400..=599] = 429,
        /// The most clients remembered at once; the longest quiet ones are forgotten first.
        max_keys: default u64 [1..=10_000_000] = 100000,
    }
}

impl RateLimit {
    /// How many at once: `burst`, or the count of `rate`.
    #[must_use]
    pub fn burst(&self) -> u64 {
        self.burst
            .as_ref()
            .map_or(self.rate.count, |burst| burst.value)
    }
}

/// What tells clients apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RateKey {
    /// The client's address.
    ClientIp,
    /// The value of this request header.
    Header(FieldName),
}

impl Value for RateKey {
    fn shape() -> Shape {
        let header = super::Field {
            key: "header",
            doc: "The header whose value tells clients apart.",
            default: None,
            required: true,
            shape: FieldName::shape(),
        };
        Shape::AnyOf(vec![
            Shape::Words(vec![("client_ip", "The client's address.")]),
            Shape::Table(super::Description {
                doc: "A request header.",
                fields: vec![header],
            }),
        ])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text == "client_ip" => Some(Self::ClientIp),
            Kind::Text(text) => {
                let diagnostic = Diagnostic::error(
                    "invalid-value",
                    format!("{} is not a key for rate limits", quoted(text)),
                )
                .at(node.span, "");
                let near =
                    nearest(text, ["client_ip"]).map(|near| format!("did you mean \"{near}\"?"));
                cx.report(diagnostic.help(near.unwrap_or_else(|| {
                    format!("write \"client_ip\", or {{ header = \"{text}\" }} for a header")
                })));
                None
            }
            Kind::Table(table) => header(table, node, cx),
            _ => cx.wrong_type(
                node,
                "\"client_ip\" or a table",
                Some("\"client_ip\" or { header = \"x-api-key\" }"),
            ),
        }
    }

    fn write(&self) -> Out {
        Out::Inline(match self {
            Self::ClientIp => text_literal("client_ip"),
            Self::Header(name) => format!("{{ header = {} }}", text_literal(name.as_str())),
        })
    }
}

fn header(table: &Table, node: &Node, cx: &mut Context<'_>) -> Option<RateKey> {
    let mut reader = super::Reader::new(table, node.span);
    let key = match reader.take("header") {
        Some(node) => FieldName::decode(node, cx).map(RateKey::Header),
        None => reader.missing(&["header"]),
    };
    reader.finish(cx);
    key
}
