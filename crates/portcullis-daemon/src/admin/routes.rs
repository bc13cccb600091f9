//! `show routes`: what HAProxy has no word for. One line for each route, then one for requests that none took. Pure.

use std::fmt::Write as _;

use portcullis_plan::live::{Live, RouteLive};
use portcullis_plan::plan::{Action, Plan, Route};

use super::text::ascii;

const HEADER: &str = "# route place action target requests hrsp_1xx hrsp_2xx hrsp_3xx hrsp_4xx hrsp_5xx hrsp_other bytes_in bytes_out mean_ms\n";

/// The table.
pub(crate) fn render(plan: &Plan, live: &Live) -> String {
    let mut out = HEADER.to_owned();
    for (route, live) in plan.routes.iter().zip(&live.routes) {
        let (action, target) = action(plan, route);
        push_line(
            &mut out,
            [&word(route.name()), &word(route.place()), action, &target],
            live,
        );
    }
    push_line(&mut out, ["-", "-", "none", "-"], &live.unrouted);
    out
}

/// A text as one word of the table.
fn word(text: &str) -> String {
    ascii(text).replace(' ', "\\x20")
}

fn action(plan: &Plan, route: &Route) -> (&'static str, String) {
    match &route.action {
        Action::Forward(service) => (
            "service",
            plan.service(*service)
                .map_or_else(String::new, |service| word(&service.name)),
        ),
        Action::Split(split) => {
            let names = split.variants.iter().map(|variant| word(&variant.name));
            ("split", names.collect::<Vec<_>>().join(","))
        }
        Action::Redirect { status, .. } => ("redirect", status.to_string()),
        Action::Respond(response) => ("respond", response.status.to_string()),
    }
}

fn push_line(out: &mut String, labels: [&str; 4], live: &RouteLive) {
    let (mut classes, mut bytes_in, mut bytes_out, mut nanos) = ([0_u64; 6], 0_u64, 0_u64, 0_u64);
    for totals in live.totals() {
        for (sum, class) in classes.iter_mut().zip(&totals.duration) {
            *sum += class.count();
            nanos = nanos.saturating_add(class.sum_nanos);
        }
        bytes_in += totals.bytes_in;
        bytes_out += totals.bytes_out;
    }
    let [other, c1, c2, c3, c4, c5] = classes;
    let requests: u64 = classes.iter().sum();
    let mean_micros = nanos.checked_div(requests).unwrap_or(0) / 1_000;
    let labels = labels.join(" ");
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{labels} {requests} {c1} {c2} {c3} {c4} {c5} {other} {bytes_in} {bytes_out} {}.{:03}",
        mean_micros / 1_000,
        mean_micros % 1_000,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CONFIG, admin, record};

    #[test]
    fn every_route_has_a_line_and_so_do_requests_without_one() {
        let admin = admin(CONFIG);
        record(&admin, "GET", 200);
        record(&admin, "POST", 404);
        let snapshot = admin.daemon.snapshot();
        let text = render(&snapshot.plan, &snapshot.live);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(
            lines[1],
            "all test.toml:5 service app 2 0 1 0 1 0 0 200 400 4.000"
        );
        assert!(
            lines[2].starts_with("other test.toml:") && lines[2].contains(" service plain 0 "),
            "{}",
            lines[2]
        );
        assert_eq!(lines[3], "- - none - 0 0 0 0 0 0 0 0 0 0.000");
        let columns = lines[0].split(' ').count() - 1;
        assert!(
            lines[1..]
                .iter()
                .all(|line| line.split(' ').count() == columns)
        );
    }
}
