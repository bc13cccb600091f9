//! The hosts that redirects lead to: never one that a client can choose freely, and never none. Browsers read `https:///evil.example/x`
//! as `https://evil.example/x`, so where the host comes out empty, the path names it.

use std::ops::Range;

use super::Check;
use super::rewrite::is_authority;
use crate::diagnostic::Diagnostic;
use crate::schema::{Redirect, Val};
use crate::values::{Part, Template, Variable, quoted};

pub(super) fn check(check: &mut Check<'_>, redirect: &Redirect) {
    if let Some(to) = &redirect.to {
        let after_scheme = ["http://", "https://", "{scheme}://"]
            .iter()
            .find_map(|start| to.as_str().starts_with(start).then_some(start.len()));
        if let Some(begin) = after_scheme {
            host(check, to, &address(to, begin));
        }
    }
    if let Some(own) = &redirect.host {
        host(check, own, &pieces(own));
    }
}

/// A piece of a host, a variable with the place it is written in.
enum Piece<'a> {
    Text(&'a str),
    Variable(Range<usize>, &'a Variable),
}

fn pieces(template: &Template) -> Vec<Piece<'_>> {
    let mut variables = template.variables().into_iter();
    let mut found = Vec::new();
    for part in template.parts() {
        match part {
            Part::Text(text) => found.push(Piece::Text(text)),
            Part::Variable(_) => found.extend(
                variables
                    .next()
                    .map(|(range, variable)| Piece::Variable(range, variable)),
            ),
        }
    }
    found
}

/// The host of a whole address: what stands behind the scheme, whose text is `begin` bytes long, and before the first slash, question
/// mark or hash, or the variable that begins with a slash.
fn address(template: &Template, begin: usize) -> Vec<Piece<'_>> {
    let mut host = Vec::new();
    let mut is_begun = false;
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => {
                let own = if is_begun {
                    text
                } else {
                    text.split_once("://").map_or("", |(_, rest)| rest)
                };
                is_begun = true;
                let end = own.find(['/', '?', '#']);
                let own = own.get(..end.unwrap_or(own.len())).unwrap_or_default();
                if !own.is_empty() {
                    host.push(Piece::Text(own));
                }
                if end.is_some() {
                    break;
                }
            }
            Piece::Variable(range, _) if range.start < begin => {}
            Piece::Variable(_, Variable::Path | Variable::Uri) => break,
            variable => host.push(variable),
        }
    }
    host
}

/// Reports a host that a client can put anything into, that may be empty, or that is none.
fn host(check: &mut Check<'_>, template: &Val<Template>, host: &[Piece<'_>]) {
    let text = template.as_str();
    for piece in host {
        if let Piece::Variable(range, variable) = piece
            && sample(variable).is_none()
        {
            let at = check.inside(template.span, text, range.clone());
            return check.report(
                Diagnostic::error(
                    "open-redirect",
                    format!("`{{{variable}}}` would be part of the host of a redirect"),
                )
                .at(at, "a client could send others anywhere")
                .help("a host is made of text and of {host}, {port}, {tls_name}, {local_ip}, {local_port}; begin the path with `/`"),
            );
        }
    }
    match host.first() {
        None => check.report(
            Diagnostic::error("open-redirect", "the address of the redirect has no host")
                .at(template.span, "browsers would take the path for the host")
                .help(ADVICE),
        ),
        // Routes that redirect to {host} refuse requests that name none.
        Some(Piece::Variable(range, variable)) if **variable != Variable::Host => {
            let at = check.inside(template.span, text, range.clone());
            check.report(
                Diagnostic::error(
                    "open-redirect",
                    format!(
                        "the host of a redirect begins with `{{{variable}}}`, which may be empty"
                    ),
                )
                .at(at, "browsers would take the path for the host")
                .help(ADVICE),
            );
        }
        Some(_) => whole(check, template, host),
    }
}

const ADVICE: &str = "begin the host with text, such as \"www.example.com\", or with {host}";

/// Reports what is no host whatever the values of its variables are.
fn whole(check: &mut Check<'_>, template: &Val<Template>, host: &[Piece<'_>]) {
    let shape = |piece: &Piece<'_>| match piece {
        Piece::Text(text) => (*text).to_owned(),
        Piece::Variable(_, variable) => sample(variable).unwrap_or_default().to_owned(),
    };
    let written = |piece: &Piece<'_>| match piece {
        Piece::Text(text) => (*text).to_owned(),
        Piece::Variable(_, variable) => format!("{{{variable}}}"),
    };
    if !is_authority(&host.iter().map(shape).collect::<String>()) {
        let host: String = host.iter().map(written).collect();
        check.report(
            Diagnostic::error("redirect-host", format!("{} is not a host", quoted(&host)))
                .at(template.span, "")
                .help("write a name or an address, with a port where it needs one"),
        );
    }
}

/// What a variable that may be part of a host looks like; `None` for those that may not.
fn sample(variable: &Variable) -> Option<&'static str> {
    match variable {
        Variable::Host | Variable::TlsName => Some("h"),
        Variable::Port | Variable::LocalIp | Variable::LocalPort => Some("1"),
        _ => None,
    }
}
