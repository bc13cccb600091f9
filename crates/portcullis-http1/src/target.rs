//! The four forms of a request target (RFC 9112 section 3.2).

use crate::bytes::{percents_are_whole, target_class};
use crate::{Authority, Method, Reject, Span};

/// The form that a request target was sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TargetForm {
    /// `/path?query`
    #[default]
    Origin,
    /// `http://host/path?query` or the same with https.
    Absolute,
    /// `host:port`, only with CONNECT.
    Authority,
    /// `*`, only with OPTIONS.
    Asterisk,
}

/// A request target taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Target {
    pub(crate) form: TargetForm,
    /// Path and query; empty for an absolute form without a path and for the authority form.
    pub(crate) origin: Span,
    /// Empty for the origin and asterisk forms.
    pub(crate) authority: Span,
    /// What a missing port means.
    pub(crate) default_port: u16,
}

impl Target {
    /// Takes apart the target at `span`, whose characters are of `classes`.
    #[inline]
    pub(crate) fn read(
        method: Method,
        buf: &[u8],
        span: Span,
        classes: u8,
    ) -> Result<Self, Reject> {
        let text = span.of(buf);
        if classes & target_class::PERCENT != 0 && !percents_are_whole(text) {
            return Err(Reject::TargetPercent);
        }
        if method == Method::Connect {
            return Self::connect(text, span);
        }
        let target = match text {
            [b'/', ..] => Self {
                origin: span,
                ..Self::default()
            },
            b"*" if method == Method::Options => Self {
                form: TargetForm::Asterisk,
                origin: span,
                ..Self::default()
            },
            b"*" => return Err(Reject::TargetAsterisk),
            _ => Self::absolute(text, span)?,
        };
        if classes & target_class::BRACKET != 0 && has_bracket_in_path(target.origin.of(buf)) {
            return Err(Reject::TargetInvalid);
        }
        Ok(target)
    }

    /// `host:port`; a port must be there (RFC 9110 section 9.3.6).
    fn connect(text: &[u8], span: Span) -> Result<Self, Reject> {
        match Authority::parse(text) {
            Some(Authority { port: Some(_), .. }) => Ok(Self {
                form: TargetForm::Authority,
                authority: span,
                ..Self::default()
            }),
            _ => Err(Reject::TargetConnect),
        }
    }

    fn absolute(text: &[u8], span: Span) -> Result<Self, Reject> {
        let (scheme, default_port) = scheme_of(text).ok_or(Reject::TargetForm)?;
        let rest = text.get(scheme..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|byte| matches!(byte, b'/' | b'?'))
            .unwrap_or(rest.len());
        // A query without a path cannot be shown as a part of the buffer in origin form; nobody sends it.
        if rest.get(length) == Some(&b'?') {
            return Err(Reject::TargetForm);
        }
        if Authority::parse(rest.get(..length).unwrap_or_default()).is_none() {
            return Err(Reject::HostInvalid);
        }
        let start = span.start as usize + scheme;
        Ok(Self {
            form: TargetForm::Absolute,
            origin: Span::new(start + length, span.end as usize),
            authority: Span::new(start, start + length),
            default_port,
        })
    }
}

/// The bytes of `http://` or `https://`, in any case, and the port that it implies.
fn scheme_of(text: &[u8]) -> Option<(usize, u16)> {
    let begins = |scheme: &[u8]| {
        text.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    if begins(b"http://") {
        Some((7, 80))
    } else if begins(b"https://") {
        Some((8, 443))
    } else {
        None
    }
}

/// Browsers send `[` and `]` raw in queries (`?id[]=1`); in a path no URI has them.
fn has_bracket_in_path(origin: &[u8]) -> bool {
    origin
        .iter()
        .take_while(|&&byte| byte != b'?')
        .any(|byte| matches!(byte, b'[' | b']'))
}
