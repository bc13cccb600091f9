//! `rewrite` of a route: what is changed on the way.

use super::{Conditions, Context, Out, Shape, Val, Value, section};
use crate::diagnostic::Diagnostic;
use crate::tree::{Kind, Node};
use crate::values::{FieldName, FieldValue, PathPrefix, Regex, Replacement, StatusSet, Template};

section! {
    /// What is changed on the way to the service and back.
    pub struct Rewrite {
        /// Take this prefix off the path; `true` takes the route's own.
        strip_prefix: optional StripPrefix,
        /// Put this in place of the route's prefix.
        replace_prefix: optional PathPrefix,
        /// The whole path anew: a text with variables, or `{ regex = '^/old/(.*)$', to = '/new/$1' }`, which leaves a path alone that
        /// the expression does not match.
        path: optional PathChange,
        /// The query: `{ set = { ... }, remove = [...] }`, or a whole one as a text with variables.
        query: optional QueryEdits,
        /// The Host the service sees, instead of the client's.
        host: optional Template,
        /// Map Location, Content-Location, Refresh and the Domain and Path of Set-Cookie back to the host and prefix that the client knows.
        map_back: default bool = false,
        /// Headers of the request: changes, or a list of changes that are made one after the other, each under conditions of its own.
        request_headers: optional Vec<Val<HeaderEdits>>,
        /// Headers of the response, in the same way.
        response_headers: optional Vec<Val<HeaderEdits>>,
    }
}

impl Rewrite {
    /// Whether it changes nothing and maps nothing back.
    pub(crate) fn is_empty(&self) -> bool {
        let options = [
            self.strip_prefix.is_none(),
            self.replace_prefix.is_none(),
            self.path.is_none(),
            self.query.is_none(),
            self.host.is_none(),
            self.request_headers.is_none(),
            self.response_headers.is_none(),
            !self.map_back.is_written(),
        ];
        options.into_iter().all(|is_none| is_none)
    }
}

section! {
    /// Changes to the parameters of the query: first `keep` or `remove`, then `set`, then `add`. Names are compared decoded; parameters that
    /// are not named stay as they came.
    pub struct QueryEdits {
        /// The whole query instead; no query when it comes out empty.
        to: optional Template,
        /// Parameters to keep; all others are taken away.
        keep: optional Vec<Val<String>>,
        /// Parameters to take away.
        remove: default Vec<Val<String>> = [],
        /// Parameters to have exactly this value.
        set: default Vec<(Val<String>, Val<Template>)> = {},
        /// Parameters to have this value besides the ones they have.
        add: default Vec<(Val<String>, Val<Template>)> = {},
    }
    shorthand: Shape::Text { what: "a text with variables", example: "user={request_header.x-user}&{query}" }, whole_query;
}

/// A query alone: `query = "v=2&{query}"`.
fn whole_query(node: &Node, cx: &mut Context<'_>) -> Option<QueryEdits> {
    let to = Template::decode(node, cx)?;
    Some(QueryEdits {
        to: Some(Val::written(to, node.span)),
        keep: None,
        remove: Val::default_value(Vec::new()),
        set: Val::default_value(Vec::new()),
        add: Val::default_value(Vec::new()),
    })
}

section! {
    /// A regular expression for the whole value, and what is put in its place.
    pub struct Substitution {
        /// The expression. Where it does not match, nothing is changed.
        regex: required Regex,
        /// What is put there: `$1` and `${name}` stand for groups, `$$` for a dollar sign.
        to: required Replacement,
    }
}

/// What becomes of a path as a whole.
#[derive(Clone, Debug, PartialEq)]
pub enum PathChange {
    /// It is this, with variables filled in.
    Template(Template),
    /// It is this where the expression matches it.
    Substitution(Substitution),
}

impl Value for PathChange {
    fn shape() -> Shape {
        Shape::AnyOf(vec![Template::shape(), Substitution::shape()])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Table(_) => Substitution::decode(node, cx).map(Self::Substitution),
            _ => Template::decode(node, cx).map(Self::Template),
        }
    }

    fn write(&self) -> Out {
        match self {
            Self::Template(template) => template.write(),
            Self::Substitution(substitution) => substitution.write(),
        }
    }
}

section! {
    /// Changes to the headers that would be sent without them, those that Portcullis writes itself among them: first `remove` and `replace`,
    /// then `set`, then `add` and `set_if_absent`.
    pub struct HeaderEdits {
        /// Only for requests for which one of these conditions holds; all when absent.
        when: optional Conditions,
        /// Only for responses of these statuses: `500`, `"5xx"`, or a list. Not for requests.
        status: optional StatusSet,
        /// Only for responses of servers with one of these content types, such as `"text/html"` or `"image/*"`. Not for requests.
        content_type: optional Vec<Val<FieldValue>>,
        /// Fields to have exactly this value.
        set: default Vec<(Val<FieldName>, Val<Template>)> = {},
        /// Fields to have this value besides the ones they have.
        add: default Vec<(Val<FieldName>, Val<Template>)> = {},
        /// Fields to have this value where there is none of that name.
        set_if_absent: default Vec<(Val<FieldName>, Val<Template>)> = {},
        /// Values to change: `{ regex = '...', to = '...' }`, for each value of the field as a whole.
        replace: default Vec<(Val<FieldName>, Val<Substitution>)> = {},
        /// Fields to take away.
        remove: default Vec<Val<FieldName>> = [],
    }
}

impl HeaderEdits {
    /// Whether no header is other than before.
    pub(crate) fn changes_nothing(&self) -> bool {
        let written = [&self.set, &self.add, &self.set_if_absent];
        written.into_iter().all(|list| list.is_empty())
            && self.replace.is_empty()
            && self.remove.is_empty()
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
