//! What a key can hold, as data: the source of the JSON Schema and the reference page.

/// A table: what it is for and which keys it has.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    pub(crate) doc: &'static str,
    pub(crate) fields: Vec<Field>,
}

/// One key of a table.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) key: &'static str,
    pub(crate) doc: &'static str,
    /// In TOML; `None` when absent means absent.
    pub(crate) default: Option<String>,
    pub(crate) required: bool,
    pub(crate) shape: Shape,
}

/// The values a key can hold.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// A string in some form: what it is with an article, and an example without quotes.
    Text {
        what: &'static str,
        example: &'static str,
    },
    /// One of some words.
    Words(Vec<(&'static str, &'static str)>),
    Integer {
        min: i64,
        max: i64,
    },
    Boolean,
    List(Box<Shape>),
    /// A table with keys of the operator's choice: what a key is, with an article.
    Map {
        key: &'static str,
        value: Box<Shape>,
    },
    Table(Description),
    AnyOf(Vec<Shape>),
    /// What a `[condition.NAME]` is; named, because conditions hold conditions.
    Condition,
}

impl Shape {
    /// The same shape with the bounds of its integer narrowed.
    pub(crate) fn within(self, range: &std::ops::RangeInclusive<u64>) -> Self {
        match self {
            Self::Integer { .. } => Self::Integer {
                min: i64::try_from(*range.start()).unwrap_or(i64::MAX),
                max: i64::try_from(*range.end()).unwrap_or(i64::MAX),
            },
            Self::AnyOf(shapes) => Self::AnyOf(
                shapes
                    .into_iter()
                    .map(|shape| shape.within(range))
                    .collect(),
            ),
            other => other,
        }
    }
}
