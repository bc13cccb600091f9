//! `when` of a route and `[condition.NAME]`: conditions within conditions.

use super::{Context, CookieMatch, HeaderMatch, Out, QueryMatch, Shape, Val, Value, section};
use crate::tree::Node;
use crate::values::{
    CookieName, FieldName, HostMatch, HostPattern, MethodName, Network, ParameterName, PathPattern,
};

section! {
    /// Conditions that must all hold. A text alone is the name of a `[condition.NAME]`.
    pub struct Condition {
        /// The `[condition.NAME]` that must hold.
        named: optional String,
        /// One of these hosts, as in a route.
        hosts: optional Vec<Val<HostMatch>>,
        /// This path, as in a route. It captures nothing.
        path: optional PathPattern,
        /// One of these methods.
        methods: optional Vec<Val<MethodName>>,
        /// Headers, as in a route.
        headers: default Vec<(Val<FieldName>, Val<HeaderMatch>)> = {},
        /// Parameters of the query, as in a route.
        query: default Vec<(Val<ParameterName>, Val<QueryMatch>)> = {},
        /// Cookies, as in a route.
        cookies: default Vec<(Val<CookieName>, Val<CookieMatch>)> = {},
        /// Networks of the client, as in a route.
        clients: optional Vec<Val<Network>>,
        /// Names asked for in the TLS handshake, as in a route.
        tls_names: optional Vec<Val<HostPattern>>,
        /// One of these listeners.
        listeners: optional Vec<Val<String>>,
        /// Every one of these must hold.
        all: optional Conditions,
        /// At least one of these must hold.
        any: optional Conditions,
        /// None of these may hold.
        not: optional Conditions,
    }
    shorthand: Shape::Text { what: "the name of a condition", example: "internal" }, named;
}

/// A name alone: `when = "internal"`.
fn named(node: &Node, cx: &mut Context<'_>) -> Option<Condition> {
    let name = String::decode(node, cx)?;
    Some(Condition {
        named: Some(Val::written(name, node.span)),
        hosts: None,
        path: None,
        methods: None,
        headers: Val::default_value(Vec::new()),
        query: Val::default_value(Vec::new()),
        cookies: Val::default_value(Vec::new()),
        clients: None,
        tls_names: None,
        listeners: None,
        all: None,
        any: None,
        not: None,
    })
}

impl Condition {
    /// Whether it says nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        let lists = [
            self.headers.is_empty(),
            self.query.is_empty(),
            self.cookies.is_empty(),
        ];
        let options = [
            self.named.is_none(),
            self.hosts.is_none(),
            self.path.is_none(),
            self.methods.is_none(),
            self.clients.is_none(),
            self.tls_names.is_none(),
            self.listeners.is_none(),
            self.all.is_none(),
            self.any.is_none(),
            self.not.is_none(),
        ];
        lists.into_iter().chain(options).all(|is_empty| is_empty)
    }

    /// The conditions directly within this one.
    pub(crate) fn inner(&self) -> impl Iterator<Item = &Val<Self>> {
        let groups = [&self.all, &self.any, &self.not];
        groups
            .into_iter()
            .flatten()
            .flat_map(|group| group.0.iter())
    }
}

/// Several conditions; one alone may stand without brackets.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions(pub Vec<Val<Condition>>);

impl Value for Conditions {
    fn shape() -> Shape {
        // A condition holds conditions, so its shape is named where it would never end.
        Shape::AnyOf(vec![
            Shape::Condition,
            Shape::List(Box::new(Shape::Condition)),
        ])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        Vec::decode(node, cx).map(Self)
    }

    fn write(&self) -> Out {
        let items = self.0.iter().filter_map(|item| item.value.write().inline());
        Out::Inline(format!("[{}]", items.collect::<Vec<_>>().join(", ")))
    }
}
