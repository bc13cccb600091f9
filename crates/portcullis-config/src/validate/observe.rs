//! The process, logs, administration and time-outs.

use super::Check;
use crate::diagnostic::Diagnostic;
use crate::schema::{AccessFormat, Val};

pub(super) fn check(check: &mut Check<'_>) {
    group_of_nobody(check);
    access_log(check);
    admin_paths(check);
    deadlines(check);
}

fn group_of_nobody(check: &mut Check<'_>) {
    let global = &check.config.global;
    if let (Some(group), None) = (&global.group, &global.user) {
        check.report(
            Diagnostic::error("contradiction", "`group` has no effect without `user`")
                .at(group.span, "would not be used")
                .help("name the user as well: user = \"portcullis\""),
        );
    }
}

fn access_log(check: &mut Check<'_>) {
    let access = &check.config.log.access;
    match (access.format.value, &access.template) {
        (AccessFormat::Template, None) if check.is_clean(access.span) => check.report(
            Diagnostic::error("missing-key", "the format \"template\" needs a `template`")
                .at(access.format.span, "without a template")
                .help("write template = \"{client_ip} {method} {uri} {status}\""),
        ),
        (format, Some(template)) if format != AccessFormat::Template => check.report(
            Diagnostic::error(
                "contradiction",
                format!("`template` has no effect with the format \"{format}\""),
            )
            .at(template.span, "would not be used")
            .note(access.format.span, "because of this format")
            .help("write format = \"template\""),
        ),
        _ => {}
    }
}

fn admin_paths(check: &mut Check<'_>) {
    let Some(http) = &check.config.admin.http else {
        return;
    };
    let paths = [
        (&http.metrics, "metrics"),
        (&http.health, "health"),
        (&http.stats, "stats"),
    ];
    for (index, (path, key)) in paths.iter().enumerate() {
        if let Err(error) = crate::values::PathPattern::exact(&path.value) {
            check.report(
                Diagnostic::error("invalid-value", error.message)
                    .at(path.span, "")
                    .help("write a path such as \"/metrics\""),
            );
        }
        if let Some((first, first_key)) = paths
            .iter()
            .take(index)
            .find(|(first, _)| first.value == path.value)
        {
            let message = format!(
                "`{first_key}` and `{key}` have the same path `{}`",
                path.value
            );
            check.report(
                Diagnostic::error("contradiction", message)
                    .at(path.span.or(first.span), "")
                    .note(first.span.filter(|_| path.span.is_some()), "first one here"),
            );
        }
    }
}

/// A deadline of zero would fire before anything happened.
fn deadlines(check: &mut Check<'_>) {
    let config = check.config;
    let places = std::iter::once(crate::schema::Line::of(
        "",
        &Val::default_value(()),
        crate::schema::Value::write(&config.timeouts),
    ));
    let overrides = config
        .listeners
        .iter()
        .map(|l| crate::schema::Value::write(&l.timeouts.value))
        .chain(
            config
                .services
                .iter()
                .map(|s| crate::schema::Value::write(&s.timeouts.value)),
        )
        .chain(
            config
                .routes
                .iter()
                .map(|r| crate::schema::Value::write(&r.timeouts.value)),
        );
    for out in places.map(|line| line.out).chain(overrides) {
        let crate::schema::Out::Table(lines) = out else {
            continue;
        };
        for line in lines {
            if matches!(&line.out, crate::schema::Out::Inline(text) if text == "\"0s\"") {
                check.report(
                    Diagnostic::error(
                        "out-of-range",
                        format!("`{}` is zero, so it would fire at once", line.key),
                    )
                    .at(line.span, "no time at all")
                    .help("write \"off\" for no deadline"),
                );
            }
        }
    }
}
