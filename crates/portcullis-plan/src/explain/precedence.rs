//! Why one matching route comes after another: the rules of `route`, in words.

use portcullis_config::{HostMatch, HostPattern, PathPattern, Segment};

use crate::regexes::Regexes;
use crate::route::Entry;

/// The first rule that puts `winner` before `entry` for a request to `host`.
pub(super) fn lost_by(entry: &Entry, winner: &Entry, host: &str) -> String {
    if entry.priority != winner.priority {
        return format!("priority {} is below {}", entry.priority, winner.priority);
    }
    let (own, other) = (host_of(entry, host), host_of(winner, host));
    if own.map(|own| host_rank(own)) != other.map(|other| host_rank(other)) {
        return match own {
            Some(Some(own)) => format!("host `{own}` is less specific"),
            _ => "any host is less specific".to_owned(),
        };
    }
    if let (Some(Some(HostMatch::Regex(own))), Some(Some(HostMatch::Regex(other)))) = (own, other)
        && own != other
    {
        return format!("the host expression `{own}` comes later in the files");
    }
    if let Some(reason) = path_reason(entry.path.as_ref(), winner.path.as_ref()) {
        return reason;
    }
    if entry.rule.methods().is_empty() != winner.rule.methods().is_empty() {
        return "it names no methods".to_owned();
    }
    let kinds = [
        "header conditions",
        "query conditions",
        "cookie conditions",
        "other conditions",
    ];
    let counts = entry.rule.counts().into_iter().zip(winner.rule.counts());
    match kinds
        .iter()
        .zip(counts)
        .find(|(_, (own, other))| own != other)
    {
        Some((kind, _)) => format!("it has fewer {kind}"),
        None => "it comes later in the files".to_owned(),
    }
}

/// The most specific host of a route that matches: `None` if none does, an inner `None` for a route without hosts.
pub(super) fn host_of<'e>(entry: &'e Entry, host: &str) -> Option<Option<&'e HostMatch>> {
    if entry.hosts.is_empty() {
        return Some(None);
    }
    let matching = entry.hosts.iter().filter(|own| takes_host(own, host));
    // The first of several expressions is the one that comes first in the files.
    let first_best = |best: &'e HostMatch, next: &'e HostMatch| {
        if host_rank(Some(next)) > host_rank(Some(best)) {
            next
        } else {
            best
        }
    };
    matching.reduce(first_best).map(Some)
}

fn takes_host(own: &HostMatch, host: &str) -> bool {
    match own {
        HostMatch::Name(pattern) => pattern.takes(host),
        HostMatch::Regex(regex) => {
            !host.is_empty()
                && Regexes::new([regex]).is_some_and(|set| set.is_match(host.as_bytes()))
        }
    }
}

fn host_rank(host: Option<&HostMatch>) -> (u8, usize) {
    match host {
        Some(HostMatch::Name(HostPattern::Exact(_))) => (3, 0),
        Some(HostMatch::Name(HostPattern::Wildcard(suffix))) => (2, suffix.len()),
        Some(HostMatch::Regex(_)) => (1, 0),
        None => (0, 0),
    }
}

fn path_reason(own: Option<&PathPattern>, other: Option<&PathPattern>) -> Option<String> {
    let less = || match own {
        None => "any path is less specific".to_owned(),
        Some(PathPattern::Template(own)) => format!("template `{own}` is less specific"),
        Some(PathPattern::Regex(own)) => format!("expression `{own}` is less specific"),
        Some(own) => format!("path `{own}` is less specific"),
    };
    if path_rank(own) != path_rank(other) {
        return Some(less());
    }
    match (own, other) {
        (Some(PathPattern::Template(own)), Some(PathPattern::Template(other))) => {
            let same = own.segments().len() == other.segments().len()
                && own
                    .segments()
                    .iter()
                    .zip(other.segments())
                    .all(|(a, b)| is_same_segment(a, b));
            (!same).then(less)
        }
        (Some(PathPattern::Regex(own)), Some(PathPattern::Regex(other))) if own != other => Some(
            format!("the path expression `{own}` comes later in the files"),
        ),
        _ => None,
    }
}

fn is_same_segment(own: &Segment, other: &Segment) -> bool {
    match (own, other) {
        (Segment::Literal(own), Segment::Literal(other)) => own == other,
        (Segment::One(_), Segment::One(_)) | (Segment::Rest(_), Segment::Rest(_)) => true,
        _ => false,
    }
}

fn path_rank(path: Option<&PathPattern>) -> (u8, usize) {
    match path {
        Some(PathPattern::Exact(_)) => (3, 0),
        Some(PathPattern::Template(_)) => (2, 0),
        Some(PathPattern::Regex(_)) => (1, 0),
        Some(PathPattern::Prefix(path)) => (0, path.trim_end_matches('/').len()),
        None => (0, 0),
    }
}
