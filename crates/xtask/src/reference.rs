//! The pages of the book that the program's own tables give: the configuration's keys, the refusals of the HTTP engine.
//! A page made from the declarations that also do the work cannot say something else than the program does.

use anyhow::{Context, Result};
use portcullis_http1::Reject;
use portcullis_http2::{Refusal, Scope};
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

/// Each page below `docs/book/src`, and its text.
fn pages() -> [(&'static str, String); 2] {
    [
        ("reference.md", portcullis_config::reference()),
        ("refusals.md", refusals()),
    ]
}

const REFUSALS: &str = "# Refusals

<!-- Generated from crates/portcullis-http1/src/reject.rs by `cargo xtask reference`. Do not edit. -->

What the HTTP engine refuses, in both directions. The word is the `reason` of the access log and of the metrics. The status is what a
client gets for its request; a server's answer that is refused becomes 502, or a visible cut when it has begun.

| reason | status | rule | what was wrong |
| --- | --- | --- | --- |
";

const HTTP2: &str = "
## HTTP/2

<!-- Generated from crates/portcullis-http2/src/refusal.rs. -->

What ends a stream is answered with RST_STREAM and leaves the others alone; what ends the connection is answered with GOAWAY. The words that begin with
`h2-flood` are for peers that do what serves only to make us work.

| reason | ends | error | rule | what was wrong |
| --- | --- | --- | --- | --- |
";

fn http2_refusals(page: &mut String) {
    page.push_str(HTTP2);
    for refusal in Refusal::ALL {
        let ends = match refusal.scope() {
            Scope::Stream => "stream",
            Scope::Connection => "connection",
        };
        let _ = writeln!(
            page,
            "| `{}` | {ends} | {} | {} | {} |",
            refusal.code(),
            refusal.error().name(),
            refusal.rfc(),
            refusal.text()
        );
    }
}

fn refusals() -> String {
    let mut page = REFUSALS.to_owned();
    for reject in Reject::ALL {
        let (code, status) = (reject.code(), reject.status());
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{code}` | {status} | {} | {} |",
            reject.rfc(),
            reject.text()
        );
    }
    http2_refusals(&mut page);
    page
}

/// Writes the pages.
pub(crate) fn write(root: &Path) -> Result<ExitCode> {
    for (name, text) in pages() {
        let path = root.join("docs/book/src").join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        println!("wrote {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails when a page in the tree is not what the tables give.
pub(crate) fn check(root: &Path) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for (name, text) in pages() {
        let path = root.join("docs/book/src").join(name);
        let present = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        if present != text {
            println!("{} is out of date: run `make reference`", path.display());
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}
