//! What of a route's `rewrite` few routes have: changes of path and query by values, and the way back.

use portcullis_config as config;

use super::Compiler;
use super::route::path_rewrite;
use crate::headers::Template;
use crate::map_back::MapBack;
use crate::plan::{Extras, PathRewrite};
use crate::rewrite::{PathChange, QueryEdits, Substitution, TargetRewrite};

impl Compiler<'_> {
    /// What few routes have.
    pub(super) fn extras(&mut self, written: &config::Route) -> Extras {
        let rewrite = written.rewrite.as_ref();
        let spans = [
            ("rewrite", rewrite.map(|rewrite| rewrite.span)),
            ("fault", written.fault.as_ref().map(|fault| fault.span)),
            ("mirror", written.mirror.as_ref().map(|mirror| mirror.span)),
            ("split", split_span(&written.action)),
        ];
        let places: Vec<_> = spans
            .into_iter()
            .filter_map(|(key, span)| Some((key, self.place(span?))))
            .collect();
        Extras {
            target: rewrite.and_then(|rewrite| self.target(rewrite)),
            map_back: rewrite
                .filter(|rewrite| rewrite.map_back.value)
                .map(|rewrite| map_back(rewrite, written)),
            maintenance: self.maintenance(&written.maintenance),
            mirror: written.mirror.as_ref().map(|mirror| self.mirror(mirror)),
            fault: written.fault.as_ref().map(|fault| self.fault(fault)),
            places: places.into(),
        }
    }

    fn target(&mut self, rewrite: &config::Rewrite) -> Option<TargetRewrite> {
        let path = rewrite.path.as_ref().and_then(|path| match &path.value {
            config::PathChange::Template(template) => {
                Some(PathChange::Template(Template::from(template)))
            }
            config::PathChange::Substitution(one) => {
                self.substitution(one).map(PathChange::Substitution)
            }
        });
        let query = rewrite.query.as_ref().map(|query| query_edits(query));
        (path.is_some() || query.is_some()).then_some(TargetRewrite { path, query })
    }

    /// The substitution. Its expression was built before, when it was checked.
    pub(super) fn substitution(&mut self, written: &config::Substitution) -> Option<Substitution> {
        let made = Substitution::new(&written.regex, &written.to);
        if made.is_none() {
            let problem = config::Diagnostic::error(
                "invalid-value",
                "the regular expression cannot be prepared",
            );
            self.diagnostics.push(problem.at(written.regex.span, ""));
        }
        made
    }
}

/// Where a split is written, if the route has one.
fn split_span(action: &config::RouteAction) -> Option<Option<config::Span>> {
    match action {
        config::RouteAction::Split(split) => Some(split.span),
        _ => None,
    }
}

fn query_edits(written: &config::QueryEdits) -> QueryEdits {
    if let Some(whole) = &written.to {
        return QueryEdits::whole(Template::from(&whole.value));
    }
    let names = |list: &[config::Val<String>]| -> Vec<Box<str>> {
        list.iter().map(|name| name.as_str().into()).collect()
    };
    let parameters = |list: &[(config::Val<String>, config::Val<config::Template>)]| {
        list.iter()
            .map(|(name, value)| (name.as_str().into(), Template::from(&value.value)))
            .collect()
    };
    QueryEdits::new(
        written.keep.as_ref().map(|keep| names(&keep.value)),
        names(&written.remove.value),
        parameters(&written.set.value),
        parameters(&written.add.value),
    )
}

/// Which prefix of the client's side stands for which of the server's.
fn map_back(rewrite: &config::Rewrite, route: &config::Route) -> MapBack {
    match path_rewrite(rewrite, route.path.as_deref()) {
        PathRewrite::Keep => MapBack::default(),
        PathRewrite::ReplacePrefix { length, with } => MapBack {
            outer: route
                .path
                .as_ref()
                .and_then(|path| path.as_str().get(..length))
                .unwrap_or_default()
                .into(),
            inner: with,
        },
    }
}
