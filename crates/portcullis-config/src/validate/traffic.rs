//! Splits, faults and maintenance: shares that are none, answers that cannot be.

use std::time::Duration;

use super::Check;
use crate::diagnostic::Diagnostic;
use crate::schema::{
    Closed, Conditions, Fault, Maintenance, Mirror, Protocol, Route, RouteAction, Split, Sticky,
    Val,
};
use crate::source::Span;
use crate::values::Percent;

/// The longest delay that can be injected: longer ones would outlive everything that waits for them.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

pub(super) fn check(check: &mut Check<'_>, route: &Route) {
    if let RouteAction::Split(between) = &route.action {
        split(check, between);
    }
    if let Some(injected) = &route.fault {
        fault(check, injected);
    }
    if let Some(copies) = &route.mirror {
        mirror(check, copies, route);
    }
    maintenance(check, &route.maintenance);
}

fn mirror(check: &mut Check<'_>, mirror: &Val<Mirror>, route: &Route) {
    share(check, &mirror.share);
    if mirror.timeout.value.is_zero() {
        check.report(
            Diagnostic::error("out-of-range", "a copy that may take no time is never sent")
                .at(mirror.timeout.span, "write \"1s\" or more"),
        );
    }
    if let RouteAction::Service(name) = &route.action
        && name.value == mirror.service.value
    {
        let message = format!("the service `{}` would get every copy itself", name.value);
        check.report(
            Diagnostic::error("contradiction", message)
                .at(mirror.service.span, "gets the copies")
                .note(name.span, "gets the requests")
                .help("requests would be acted on twice; name another service"),
        );
    }
    let Some(service) = check.config.service(mirror.service.as_str()) else {
        return;
    };
    let protocols = &service.protocols;
    if !protocols.is_empty() && protocols.iter().all(|one| one.value == Protocol::Http2) {
        let message = format!(
            "copies cannot be sent to the servers of `{}`",
            mirror.service.value
        );
        check.report(
            Diagnostic::error("contradiction", message)
                .at(mirror.service.span, "copies are sent over HTTP/1.1")
                .note(protocols.span, "only HTTP/2 is spoken with them"),
        );
    }
}

/// Checks how a listener or a route is closed.
pub(super) fn maintenance(check: &mut Check<'_>, written: &Val<Maintenance>) {
    let Maintenance::On(Closed { retry_after, .. }) = &written.value else {
        return;
    };
    if let Some(after) = retry_after {
        whole_seconds(check, after, "retry_after");
    }
}

/// Reports a duration that a message could only tell wrong: the messages count whole seconds, and none at all means something else.
fn whole_seconds(check: &mut Check<'_>, duration: &Val<Duration>, key: &str) {
    if duration.subsec_nanos() > 0 || duration.is_zero() {
        check.report(
            Diagnostic::error("out-of-range", format!("`{key}` is told in whole seconds"))
                .at(duration.span, "")
                .help("write \"1s\" or more"),
        );
    }
}

fn split(check: &mut Check<'_>, split: &Val<Split>) {
    let services = &split.services;
    check.not_empty(services, "services", "name at least one");
    check.repeated(
        services.iter().map(|variant| &variant.service),
        |name, first| {
            let message = format!("the service `{}` is named twice", name.value);
            Diagnostic::error("duplicate-name", message)
                .at(name.span, "second time here")
                .note(first.span, "first time here")
                .help("give it the sum of the weights")
        },
    );
    let idle = services.iter().all(|variant| variant.weight.value == 0);
    if idle && !services.is_empty() && check.is_clean(split.span) {
        check.report(
            Diagnostic::error(
                "no-weight",
                "every weight is 0, so no service gets a request",
            )
            .at(services.span, "nothing to choose from"),
        );
    }
    for force in services.iter().filter_map(|variant| variant.force.as_ref()) {
        conditions(check, force, "force");
    }
    if let Some(Val {
        value: Sticky::By(by),
        span,
        ..
    }) = &split.sticky
    {
        let keys: Vec<Option<Span>> = [
            by.header.as_ref().map(|key| key.span),
            by.cookie.as_ref().map(|key| key.span),
            by.set_cookie.as_ref().map(|key| key.span),
        ]
        .into_iter()
        .flatten()
        .collect();
        match keys.as_slice() {
            [] if check.is_clean(*span) => check.report(
                Diagnostic::error("missing-key", "the table does not say by what")
                    .at(*span, "needs `header`, `cookie` or `set_cookie`"),
            ),
            [first, second, ..] => check.report(
                Diagnostic::error("contradiction", "a client is kept by one thing")
                    .at(*second, "second one")
                    .note(*first, "first one"),
            ),
            _ => {}
        }
        whole_seconds(check, &by.max_age, "max_age");
        if by.set_cookie.is_none() && by.max_age.is_written() {
            check.report(
                Diagnostic::warning("no-effect", "`max_age` has no effect without `set_cookie`")
                    .at(by.max_age.span, "no cookie is set"),
            );
        }
    }
}

fn fault(check: &mut Check<'_>, fault: &Val<Fault>) {
    if fault.delay.is_none() && fault.abort.is_none() && check.is_clean(fault.span) {
        check.report(
            Diagnostic::error("missing-key", "the fault is none")
                .at(fault.span, "needs `delay` or `abort`"),
        );
    }
    if let Some(delay) = &fault.delay {
        share(check, &delay.share);
        if delay.time.value > LONGEST_DELAY {
            check.report(
                Diagnostic::error("out-of-range", "the delay is longer than an hour")
                    .at(delay.time.span, "at most \"1h\""),
            );
        }
    }
    if let Some(abort) = &fault.abort {
        share(check, &abort.share);
    }
    if let Some(when) = &fault.when {
        conditions(check, when, "when");
    }
}

/// Reports a list of conditions without any: nothing could hold.
pub(super) fn conditions(check: &mut Check<'_>, list: &Val<Conditions>, key: &str) {
    if list.0.is_empty() && check.is_clean(list.span) {
        check.report(
            Diagnostic::error("empty-list", format!("`{key}` is empty"))
                .at(list.span, "nothing in it")
                .help("leave it out, or put conditions into it"),
        );
    }
}

/// Reports a share of nothing.
pub(super) fn share(check: &mut Check<'_>, share: &Val<Percent>) {
    if share.value.millionths() == 0 {
        check.report(
            Diagnostic::warning("no-effect", "a share of 0% is no request at all")
                .at(share.span, "nothing happens"),
        );
    }
}
