//! Values that are one of some words.

use super::decode::Context;
use super::meant::meant_word;
use crate::diagnostic::Diagnostic;
use crate::tree::{Kind, Node};
use crate::values::quoted;

/// Declares an enum written as one of some words.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])+
        pub enum $Name:ident { $($(#[doc = $word_doc:literal])+ $Variant:ident = $word:literal,)+ }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $Name { $($(#[doc = $word_doc])+ $Variant,)+ }

        impl $Name {
            /// The word it is written as.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$Variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::schema::Value for $Name {
            fn shape() -> $crate::schema::Shape {
                $crate::schema::Shape::Words(vec![$(($word, concat!($($word_doc),+).trim_ascii())),+])
            }

            fn decode(node: &$crate::tree::Node, cx: &mut $crate::schema::Context<'_>) -> Option<Self> {
                match $crate::schema::choice::word(node, &[$($word),+], cx)? {
                    $($word => Some(Self::$Variant),)+
                    _ => None,
                }
            }

            fn write(&self) -> $crate::schema::Out {
                $crate::schema::Out::Inline($crate::schema::text_literal(self.as_str()))
            }
        }
    };
}
pub(crate) use choice;

/// Reads one of some words.
pub(crate) fn word(
    node: &Node,
    words: &[&'static str],
    cx: &mut Context<'_>,
) -> Option<&'static str> {
    let list = words
        .iter()
        .map(|word| format!("\"{word}\""))
        .collect::<Vec<_>>()
        .join(", ");
    let Kind::Text(text) = &node.kind else {
        return cx.wrong_type(node, &format!("one of {list}"), None);
    };
    let found = words.iter().copied().find(|word| word == text);
    if found.is_none() {
        let diagnostic = Diagnostic::error(
            "invalid-value",
            format!("{} is not one of {list}", quoted(text)),
        )
        .at(node.span, "");
        cx.report(match meant_word(text, words) {
            Some(near) => diagnostic.help(format!("did you mean \"{near}\"?")),
            None => diagnostic,
        });
    }
    found
}
