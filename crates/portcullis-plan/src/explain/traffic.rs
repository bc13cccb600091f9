//! What is done with shares of a route's requests: splits and faults.

use crate::decide::Forward;
use crate::fault::Fault;
use crate::plan::Plan;
use crate::route::Condition;
use crate::split::{Chosen, Split, Sticky};

/// Each line with the place of what it tells about.
pub(super) fn lines(plan: &Plan, forward: &Forward<'_>) -> Vec<String> {
    let conduct = forward.conduct;
    let mut lines = Vec::new();
    let mut tell = |key: &str, line: String| {
        let place = conduct.key_place(key).unwrap_or_default();
        lines.push(format!("{line}  ({place})"));
    };
    if let (Some(split), Some((at, why))) = (conduct.action.split(), forward.chosen) {
        tell("split", split_line(split, at, why));
    }
    if let Some(mirror) = conduct.mirror() {
        let service = plan.service(mirror.service);
        let name = service.map_or("?", |service| &service.name);
        tell(
            "mirror",
            format!(
                "mirror: `{name}` gets a copy of {} of the requests",
                percent(mirror.share)
            ),
        );
    }
    for line in conduct.fault().map(fault_lines).unwrap_or_default() {
        tell("fault", line);
    }
    lines
}

fn split_line(split: &Split, at: usize, why: Chosen) -> String {
    let shares = split.variants.iter().map(|variant| {
        let forced = if variant.force.is_empty() {
            ""
        } else {
            ", or forced"
        };
        format!(
            "`{}` {} of {}{forced}",
            variant.name, variant.weight, split.total
        )
    });
    let shares: Vec<_> = shares.collect();
    let name = split.variants.get(at).map_or("", |variant| &variant.name);
    let why = match why {
        Chosen::Forced => format!("`{name}` is forced by this request"),
        Chosen::Kept => format!(
            "`{name}` by {}",
            split.sticky.as_ref().map_or(String::new(), by)
        ),
        Chosen::Chance => format!("by chance, shown is `{name}`"),
    };
    format!("split {}: {why}", shares.join(", "))
}

fn by(sticky: &Sticky) -> String {
    match sticky {
        Sticky::ClientIp => "the client's address".to_owned(),
        Sticky::Header(name) => format!("the header `{name}`"),
        Sticky::Cookie(name) | Sticky::SetCookie { name, .. } => format!("the cookie `{name}`"),
    }
}

fn fault_lines(fault: &Fault) -> Vec<String> {
    let whose = if fault.when.is_empty() {
        "the requests".to_owned()
    } else {
        format!(
            "the requests that fit the condition at {}",
            places(&fault.when)
        )
    };
    let delay = fault.delay.map(|(time, share)| {
        let time = portcullis_config::values::format_duration(time);
        format!("fault: {} of {whose} wait {time}", percent(share))
    });
    let abort = fault
        .abort
        .map(|(status, share)| format!("fault: {} of {whose} get {status}", percent(share)));
    delay.into_iter().chain(abort).collect()
}

fn places(conditions: &[Condition]) -> String {
    let places: Vec<_> = conditions.iter().map(|one| &*one.place).collect();
    places.join(" or ")
}

/// A share of a million in percent.
fn percent(millionths: u32) -> String {
    let (whole, rest) = (millionths / 10_000, millionths % 10_000);
    if rest == 0 {
        return format!("{whole} %");
    }
    format!("{whole}.{} %", format!("{rest:04}").trim_end_matches('0'))
}
