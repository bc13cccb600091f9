//! `health` of a service: how it is found out which servers work.

use std::time::Duration;

use super::{Context, Out, Shape, Value, section};
use crate::tree::{Kind, Node};
use crate::values::{Invalid, StatusSet, character, quoted};

section! {
    /// Regular checks of every server. One of `http` and `tcp` says how.
    pub struct Health {
        /// Ask for this path by HTTP.
        http: optional String,
        /// Connect, and no more.
        tcp: optional bool,
        /// The statuses of a healthy answer: `"2xx"`, 200, or a list of such.
        expect: default StatusSet = "2xx",
        /// The Host of the request; the server's address when absent.
        host: optional String,
        /// From one check to the next.
        interval: default Duration = "2s",
        /// How long one check may take.
        timeout: default Duration = "1s",
        /// How many good checks in a row make a server healthy again.
        rise: default u64 [1..=1_000] = 2,
        /// How many bad checks in a row make a server unhealthy.
        fall: default u64 [1..=1_000] = 3,
    }
    not yet: "port", "method", "headers", "grpc";
}

impl Value for StatusSet {
    fn shape() -> Shape {
        let one = || {
            vec![
                Shape::Integer { min: 100, max: 599 },
                Shape::Text {
                    what: "a class of statuses",
                    example: "2xx",
                },
            ]
        };
        let mut shapes = one();
        shapes.push(Shape::List(Box::new(Shape::AnyOf(one()))));
        Shape::AnyOf(shapes)
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let items = match &node.kind {
            Kind::Array(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let count = items.len();
        let ranges: Vec<_> = items.iter().filter_map(|item| range(item, cx)).collect();
        if count == 0 {
            return cx.invalid(
                node,
                "",
                Invalid::new("an empty list of statuses expects nothing"),
            );
        }
        Self::from_ranges(ranges)
    }

    fn write(&self) -> Out {
        let items = self
            .ranges()
            .iter()
            .map(|(first, last)| match first == last {
                true => first.to_string(),
                false => format!("\"{}xx\"", first / 100),
            });
        let items: Vec<String> = items.collect();
        Out::Inline(match items.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        })
    }
}

fn range(node: &Node, cx: &mut Context<'_>) -> Option<(u16, u16)> {
    let text = match &node.kind {
        Kind::Text(text) => text.clone(),
        Kind::Integer(Some(number)) => number.to_string(),
        _ => {
            return cx.wrong_type(
                node,
                "a status or a class of statuses",
                Some("200 or \"2xx\""),
            );
        }
    };
    crate::values::status_range(&text).map_or_else(|error| cx.invalid(node, &text, error), Some)
}

/// Whether `text` can be the target of a health check.
pub(crate) fn check_target(text: &str) -> Result<(), Invalid> {
    if !text.starts_with('/') {
        return Err(
            Invalid::new(format!("{} does not begin with `/`", quoted(text)))
                .help("write the path to ask for, such as \"/health\""),
        );
    }
    match text
        .char_indices()
        .find(|(_, c)| !c.is_ascii_graphic() || *c == '#')
    {
        Some((at, c)) => Err(Invalid::new(format!(
            "{} cannot be in a request target",
            character(c)
        ))
        .at(at..at + c.len_utf8())),
        None => Ok(()),
    }
}

/// Whether `text` can be sent as a Host.
pub(crate) fn check_host(text: &str) -> Result<(), Invalid> {
    let name = text
        .rsplit_once(':')
        .filter(|(_, port)| port.parse::<u16>().is_ok())
        .map_or(text, |(name, _)| name);
    match name.parse::<crate::values::HostPattern>()? {
        crate::values::HostPattern::Exact(_) => Ok(()),
        crate::values::HostPattern::Wildcard(_) => Err(Invalid::new(format!(
            "{} is a pattern, not a host",
            quoted(text)
        ))),
    }
}
