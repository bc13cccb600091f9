//! Whether a request became what a case of `portcullis test` expects; each disappointment is a diagnostic at the expectation.

use std::fmt::Display;

use portcullis_config::{Case, Diagnostic, FieldName, HeaderMatch, Regex, Val};

use crate::explain::Explanation;
use crate::regexes::Regexes;

/// Everything in which `told` is not what `case` expects; nothing if it passes.
#[must_use]
pub fn judge(case: &Case, told: &Explanation) -> Vec<Diagnostic> {
    let expect = &case.expect.value;
    let forwarding = told.forwarding.as_ref();
    let status = told.status.map(|status| status.to_string());
    let location = field(&told.answer, "location");
    let mut judge = Judge {
        case: &case.name.value,
        told,
        found: Vec::new(),
    };
    judge.route(expect.route.as_ref());
    judge.text(
        "service",
        expect.service.as_ref(),
        forwarding.map(|to| &*to.service),
    );
    judge.text("status", expect.status.as_ref(), status.as_deref());
    judge.text("location", expect.location.as_ref(), location);
    judge.text(
        "target",
        expect.target.as_ref(),
        forwarding.map(|to| &*to.target),
    );
    judge.text("host", expect.host.as_ref(), forwarding.map(|to| &*to.host));
    judge.fields(
        "the server gets",
        &expect.request_headers.value,
        forwarding.map(|to| &*to.sent),
    );
    let answer = told.status.is_some().then_some(&*told.answer);
    judge.fields("the answer has", &expect.response_headers.value, answer);
    judge.found
}

/// The verdict for a case whose request could not be asked at all.
#[must_use]
pub fn unasked(case: &Case, reason: &str) -> Diagnostic {
    let message = format!("`{}`: {reason}", case.name.value);
    Diagnostic::error("case-unasked", message).at(case.request.span, "this request")
}

fn field<'f>(fields: &'f [(String, String)], name: &str) -> Option<&'f str> {
    let found = fields
        .iter()
        .find(|(own, _)| own.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

struct Judge<'j> {
    case: &'j str,
    told: &'j Explanation,
    found: Vec<Diagnostic>,
}

impl Judge<'_> {
    fn fail<T: Display>(&mut self, what: &str, expected: &Val<T>, instead: &str) {
        let message = format!("`{}`: the {what} is {instead}", self.case);
        let diagnostic = Diagnostic::error("case-failed", message)
            .at(expected.span, format!("expected `{}`", expected.value))
            .help(self.told.verdict.clone());
        self.found.push(diagnostic);
    }

    fn text<T: Display>(&mut self, what: &str, expected: Option<&Val<T>>, found: Option<&str>) {
        let Some(expected) = expected else { return };
        match found {
            Some(found) if expected.value.to_string() == found => {}
            Some(found) => self.fail(what, expected, &format!("`{found}`")),
            None => self.fail(what, expected, "not there"),
        }
    }

    /// A route that was expected and lost says why.
    fn route(&mut self, expected: Option<&Val<String>>) {
        let Some(expected) = expected else { return };
        let found = self.told.route.as_deref();
        if found.unwrap_or("none") == expected.value {
            return;
        }
        let instead = found.map_or("none".to_owned(), |route| format!("`{route}`"));
        self.fail("route", expected, &instead);
        let candidates = &self.told.candidates;
        let lost = candidates
            .iter()
            .find(|candidate| candidate.route == expected.value);
        let help = lost.map(|lost| format!("`{}` ({}): {}", lost.route, lost.place, lost.reason));
        if let (Some(diagnostic), Some(help)) = (self.found.last_mut(), help) {
            diagnostic.help = Some(help);
        }
    }

    fn fields(
        &mut self,
        whose: &str,
        expected: &[(Val<FieldName>, Val<HeaderMatch>)],
        found: Option<&[(String, String)]>,
    ) {
        for (name, wanted) in expected {
            let value = found.and_then(|found| field(found, name.value.as_str()));
            let is_met = found.is_some() && meets(&wanted.value, value);
            if !is_met {
                let instead = value.map_or("none".to_owned(), |value| format!("`{value}`"));
                let message = format!(
                    "`{}`: of `{}`, {whose} {instead}",
                    self.case,
                    name.value.as_str()
                );
                let diagnostic = Diagnostic::error("case-failed", message)
                    .at(wanted.span, "expected otherwise")
                    .help(self.told.verdict.clone());
                self.found.push(diagnostic);
            }
        }
    }
}

fn meets(wanted: &HeaderMatch, value: Option<&str>) -> bool {
    match wanted {
        HeaderMatch::Value(wanted) => value == Some(wanted.as_str()),
        HeaderMatch::Regex(wanted) => value.is_some_and(|value| expression_matches(wanted, value)),
        HeaderMatch::Present => value.is_some(),
        HeaderMatch::Absent => value.is_none(),
    }
}

fn expression_matches(wanted: &Regex, value: &str) -> bool {
    Regexes::new([wanted]).is_some_and(|expression| expression.is_match(value.as_bytes()))
}
