//! The target and the Host that servers see, where a route changes them by more than a prefix.
//!
//! What a template or an expression produces is checked like what a client sends: values are
//! percent-encoded, the path is normalised by the listener's own rules, and a result that could be
//! understood in two ways, or that a value made climb, is refused instead of sent.

pub(crate) mod encode;
mod query;
mod substitution;

use portcullis_config::Variable;

use crate::Facts;
use crate::headers::{Part, Template};
use crate::normalize;
use crate::plan::Conduct;

pub use query::QueryEdits;
pub use substitution::Substitution;

/// What becomes of the path as a whole.
#[derive(Clone, Debug, PartialEq)]
pub enum PathChange {
    /// It is this, with variables filled in.
    Template(Template),
    /// It is this where the expression matches.
    Substitution(Substitution),
}

/// Changes of the target that need the request's values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetRewrite {
    /// The whole path, instead of a prefix of it.
    pub path: Option<PathChange>,
    /// The query.
    pub query: Option<QueryEdits>,
}

/// Why what a rewrite produced is not sent; each is answered 400, because a value of the request made it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewriteRefusal {
    /// The path is one that the listener would refuse from a client.
    Path,
    /// A value put a dot segment into the path.
    DotSegment,
    /// The Host is no host.
    Host,
}

impl RewriteRefusal {
    /// A stable kebab-case word for logs and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Path => "rewritten-path",
            Self::DotSegment => "rewritten-dot-segment",
            Self::Host => "rewritten-host",
        }
    }
}

/// Whether [`prepare`] has anything to do for requests of this route.
#[must_use]
pub fn is_needed(conduct: &Conduct) -> bool {
    conduct.target().is_some() || unsure_host(conduct).is_some()
}

/// The Host template whose value is not known before there is a request.
fn unsure_host(conduct: &Conduct) -> Option<&Template> {
    conduct
        .host
        .as_ref()
        .filter(|host| host.as_constant().is_none())
}

/// Checks the Host that the server will see, and appends the target that it will see if the route changes it by more than a prefix:
/// otherwise nothing is appended, and [`PathRewrite::write`](crate::plan::PathRewrite::write) is the whole story.
///
/// # Errors
/// When the request's values would make a Host or a path that must not be sent.
pub fn prepare(
    conduct: &Conduct,
    facts: &Facts<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RewriteRefusal> {
    if let Some(host) = unsure_host(conduct) {
        let begin = out.len();
        host.render_field_value(facts, None, out);
        let valid = normalize::is_authority(out.get(begin..).unwrap_or_default());
        out.truncate(begin);
        if !valid {
            return Err(RewriteRefusal::Host);
        }
    }
    match conduct.target() {
        // `OPTIONS *` and CONNECT have no path to change.
        Some(rewrite) if facts.path.first() == Some(&b'/') => target(rewrite, conduct, facts, out),
        _ => Ok(()),
    }
}

fn target(
    rewrite: &TargetRewrite,
    conduct: &Conduct,
    facts: &Facts<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RewriteRefusal> {
    match &rewrite.path {
        Some(change) => path(change, facts, out)?,
        None => conduct.path.write(facts.path, out),
    }
    match &rewrite.query {
        Some(edits) => edits.write(facts, out),
        None => Part::Query.write(facts, None, out),
    }
    Ok(())
}

fn path(change: &PathChange, facts: &Facts<'_>, out: &mut Vec<u8>) -> Result<(), RewriteRefusal> {
    let begin = out.len();
    match change {
        PathChange::Template(template) => encode::path(template, facts, out),
        PathChange::Substitution(substitution) => {
            if !substitution.write(facts.path, out) {
                out.extend_from_slice(facts.path);
                return Ok(());
            }
        }
    }
    if out.get(begin) != Some(&b'/') {
        out.insert(begin, b'/');
    }
    let raw = out.get(begin..).unwrap_or_default();
    if has_dot_segment(raw) {
        return Err(RewriteRefusal::DotSegment);
    }
    let mut scratch = Vec::new();
    let normal = normalize::path(raw, &facts.listener.paths, &mut scratch)
        .map_err(|_| RewriteRefusal::Path)?;
    if normal != raw {
        let normal = normal.to_vec();
        out.truncate(begin);
        out.extend_from_slice(&normal);
    }
    Ok(())
}

/// Whether a segment is `.` or `..`, also encoded or with parameters. The operator's own text has none, so a value brought it.
fn has_dot_segment(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/').any(|segment| {
        let end = segment.iter().position(|&byte| byte == b';');
        let mut name = segment
            .get(..end.unwrap_or(segment.len()))
            .unwrap_or_default();
        let mut dots = 0;
        loop {
            name = match name {
                [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
                [] => return matches!(dots, 1 | 2),
                _ => return false,
            };
            dots += 1;
        }
    })
}

/// Whether the value of a variable is percent-encoded as it stands: it is part of the normalised path.
const fn is_encoded_path(variable: &Variable) -> bool {
    matches!(variable, Variable::Path | Variable::PathCapture(_))
}

#[cfg(test)]
mod tests;
