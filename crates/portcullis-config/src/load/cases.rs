//! Files of cases for `portcullis test`.

use std::path::Path;

use super::{files, merge, noise};
use crate::diagnostic::Diagnostic;
use crate::schema::{Case, CaseFile, Context, Reader, Section as _, Val};
use crate::source::{Loader, SourceMap};
use crate::tree::Table;

/// What came of loading a file of cases.
#[derive(Debug)]
pub struct LoadedCases {
    /// The cases; `None` when there was any error.
    pub cases: Option<Vec<Val<Case>>>,
    /// The files that were read, for showing places.
    pub sources: SourceMap,
    /// Everything that was found.
    pub diagnostics: Vec<Diagnostic>,
}

/// Loads the cases of a file and everything it includes. Never panics and never stops at the first problem. No case at
/// all is an error: it would be a test that cannot fail.
#[must_use]
pub fn load_cases(path: &Path, loader: &dyn Loader) -> LoadedCases {
    let mut files = files::Files::new(loader);
    files.root(path);
    let files::Files {
        sources,
        mut diagnostics,
        trees,
        ..
    } = files;
    let mut cases = Vec::new();
    if !trees.is_empty() {
        let (tree, clashes) = merge::merge(trees);
        diagnostics.extend(clashes);
        let (decoded, found) = decode(&tree, &sources, loader);
        cases = decoded;
        diagnostics.extend(found);
        diagnostics.extend(idle(&cases, &diagnostics));
        noise::drop_echoes(&mut diagnostics, &sources);
        diagnostics.sort_by_key(|diagnostic| diagnostic.span);
    }
    let is_usable = !diagnostics.iter().any(Diagnostic::is_error);
    LoadedCases {
        cases: is_usable.then_some(cases),
        sources,
        diagnostics,
    }
}

fn decode(
    tree: &Table,
    sources: &SourceMap,
    loader: &dyn Loader,
) -> (Vec<Val<Case>>, Vec<Diagnostic>) {
    let mut cx = Context::new(sources, loader);
    let mut reader = Reader::new(tree, None);
    let file = CaseFile::read(&mut reader, &mut cx);
    reader.finish(&mut cx);
    let mut cases = file.map_or(Vec::new(), |file| file.case.value);
    for (case, position) in cases.iter_mut().zip(1..) {
        if !case.name.is_written() {
            case.value.name.value = format!("case-{position}");
        }
    }
    (cases, cx.diagnostics.into_vec())
}

/// What tests nothing.
fn idle(cases: &[Val<Case>], so_far: &[Diagnostic]) -> Vec<Diagnostic> {
    if cases.is_empty() && !so_far.iter().any(Diagnostic::is_error) {
        let diagnostic = Diagnostic::error("no-cases", "there is no case to test");
        return vec![diagnostic.help("write one: [[case]] with `request` and `expect`")];
    }
    let expects_nothing = |case: &&Val<Case>| case.expect.is_empty();
    let report = |case: &Val<Case>| {
        Diagnostic::error(
            "expects-nothing",
            format!("the case `{}` expects nothing", case.name.value),
        )
        .at(case.expect.span, "nothing could go wrong")
        .help("expect a `route`, `service`, `status`, `location`, `target`, `host` or header")
    };
    cases.iter().filter(expects_nothing).map(report).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io;
    use std::path::PathBuf;

    struct OneFile(&'static str);

    impl Loader for OneFile {
        fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
            Ok(self.0.into())
        }

        fn glob(&self, _: &Path, _: &str) -> io::Result<Vec<PathBuf>> {
            Ok(Vec::new())
        }

        fn env(&self, _: &str) -> Option<String> {
            None
        }
    }

    fn codes(text: &'static str) -> Vec<&'static str> {
        let loaded = load_cases(Path::new("x.test.toml"), &OneFile(text));
        assert_eq!(loaded.cases.is_none(), !loaded.diagnostics.is_empty());
        loaded.diagnostics.iter().map(|found| found.code).collect()
    }

    #[test]
    fn cases_have_names_requests_and_expectations() {
        let text = r#"
[[case]]
request = "GET https://a.example/x"
headers = { "X-A" = "1" }
from = "203.0.113.9"
expect = { route = "a", status = 404, request_headers = { "x-b" = false } }
[[case]]
name = "own"
request = "POST http://b/"
expect = { service = "s" }
"#;
        let loaded = load_cases(Path::new("x.test.toml"), &OneFile(text));
        let cases = loaded.cases.unwrap();
        let names: Vec<_> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names, ["case-1", "own"]);
        assert_eq!(cases[0].request.value.url, "https://a.example/x");
    }

    #[test]
    fn what_is_wrong_is_found_all_at_once() {
        let text = r#"
[[case]]
request = "https://a.example/x"
expect = { rout = "a" }
[[case]]
request = "get http://a/"
from = "nowhere"
expect = {}
"#;
        let found = codes(text);
        for code in ["unknown-key", "invalid-value"] {
            assert!(found.contains(&code), "{code} is missing in {found:?}");
        }
        assert!(found.len() >= 4, "{found:?}");
    }

    #[test]
    fn a_case_or_file_that_could_not_fail_is_refused() {
        assert_eq!(codes(""), ["no-cases"]);
        assert_eq!(
            codes("[[case]]\nrequest = \"GET http://a/\"\nexpect = {}\n"),
            ["expects-nothing"]
        );
    }
}
