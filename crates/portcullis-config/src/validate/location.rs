//! The hosts that redirects lead to: never one that a client can choose freely.

use super::Check;
use crate::diagnostic::Diagnostic;
use crate::schema::{Redirect, Val};
use crate::values::{Part, Template, Variable};

pub(super) fn check(check: &mut Check<'_>, redirect: &Redirect) {
    if let Some(to) = &redirect.to {
        let after_scheme = ["http://", "https://", "{scheme}://"]
            .iter()
            .find_map(|start| to.as_str().starts_with(start).then_some(start.len()));
        if let Some(begin) = after_scheme {
            host(check, to, begin);
        }
    }
    if let Some(own) = &redirect.host {
        host(check, own, 0);
    }
}

/// Reports the first variable within the host that a client can put anything into. The host begins at byte `begin` of the text and ends
/// at the first slash, question mark or hash.
fn host(check: &mut Check<'_>, template: &Val<Template>, begin: usize) {
    let text = template.as_str();
    let mut variables = template.variables().into_iter();
    for part in template.parts() {
        match part {
            Part::Text(text) if ends_host(text) => return,
            Part::Text(_) => {}
            Part::Variable(_) => {
                let Some((range, variable)) = variables.next() else {
                    return;
                };
                if range.start < begin {
                    continue;
                }
                match variable {
                    Variable::Path | Variable::Uri => return,
                    Variable::Host
                    | Variable::Port
                    | Variable::TlsName
                    | Variable::LocalIp
                    | Variable::LocalPort => {}
                    other => {
                        let at = check.inside(template.span, text, range);
                        return check.report(
                            Diagnostic::error(
                                "open-redirect",
                                format!("`{{{other}}}` would be part of the host of a redirect"),
                            )
                            .at(at, "a client could send others anywhere")
                            .help("a host is made of text and of {host}, {port}, {tls_name}, {local_ip}, {local_port}; begin the path with `/`"),
                        );
                    }
                }
            }
        }
    }
}

/// Whether a text has what ends a host, its scheme's own slashes apart.
fn ends_host(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.contains(['/', '?', '#'])
}
