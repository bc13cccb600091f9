//! Families about the process: build, configuration and reloads, losses, name lookups.

use portcullis_plan::live::Live;
use portcullis_plan::plan::Plan;

use super::family::Family;
use crate::admin::Admin;

/// The version control revision, given by whoever packages.
const REVISION: &str = match option_env!("PORTCULLIS_REVISION") {
    Some(revision) => revision,
    None => "",
};
/// The compiler, given by whoever packages, else the oldest that would do.
const RUSTC: &str = match option_env!("PORTCULLIS_RUSTC") {
    Some(rustc) => rustc,
    None => env!("CARGO_PKG_RUST_VERSION"),
};

/// Families without labels, or with labels of their own.
pub(super) fn families(admin: &Admin, plan: &Plan, live: &Live) -> Vec<Family> {
    let process = &live.process;
    let count = |name, help, value| {
        let mut family = Family::counter(name, help);
        family.count([], value);
        family
    };
    let mut limit = Family::gauge(
        "portcullis_connections_limit",
        "Client connections allowed over all listeners",
    );
    limit.count(
        [],
        process.max_connections(plan.process.max_connections).into(),
    );
    let mut families = vec![
        limit,
        count(
            "portcullis_process_connections_over_limit_total",
            "Client connections closed at once because too many were open over all listeners",
            process.over_limit.total(),
        ),
        count(
            "portcullis_descriptors_exhausted_total",
            "Times that file descriptors ran out",
            process.descriptors_exhausted.total(),
        ),
        count(
            "portcullis_access_log_dropped_total",
            "Access log lines that were dropped",
            process.log_dropped.total(),
        ),
        count(
            "portcullis_panics_total",
            "Faults of ours, each of which ended the task it happened in",
            process.panics.total(),
        ),
        count(
            "portcullis_admin_connections_refused_total",
            "Clients of the admin socket and endpoint turned away for being too many",
            admin.refused.total(),
        ),
        build(),
        lookups(admin),
    ];
    families.extend(configuration(live));
    families.extend(certificates(admin, live));
    families
}

fn build() -> Family {
    let mut build = Family::gauge(
        "portcullis_build_info",
        "Version, revision and compiler; the value is always 1",
    );
    build.count(
        [
            ("version", env!("CARGO_PKG_VERSION")),
            ("revision", REVISION),
            ("rustc", RUSTC),
        ],
        1,
    );
    build
}

fn lookups(admin: &Admin) -> Family {
    let mut lookups = Family::counter(
        "portcullis_name_lookups_total",
        "Lookups of server host names by result",
    );
    lookups.count([("result", "ok")], admin.lookups.successes());
    lookups.count([("result", "failed")], admin.lookups.failures());
    lookups
}

fn certificates(admin: &Admin, live: &Live) -> [Family; 2] {
    let mut ends = Family::gauge(
        "portcullis_certificate_expiry_timestamp_seconds",
        "When each certificate ends, in seconds since 1970",
    );
    let store = admin.daemon.store.load();
    let mut seen = std::collections::BTreeSet::new();
    for (kind, name, facts) in store.certificates() {
        // One file may be named twice for different names.
        if seen.insert((kind, name, &facts.file)) {
            let labels = [
                ("kind", kind),
                ("name", &**name),
                ("certificate", &*facts.file),
            ];
            ends.add(labels, facts.expires as f64);
        }
    }
    let mut renewals = Family::counter(
        "portcullis_certificate_renewals_total",
        "Times that certificates changed without a reload, by whether they could be used",
    );
    renewals.count([("result", "renewed")], live.process.renewals.total());
    let rejected = live.process.renewals_rejected.total();
    renewals.count([("result", "rejected")], rejected);
    [ends, renewals]
}

fn configuration(live: &Live) -> [Family; 4] {
    let process = &live.process;
    let mut reloads = Family::counter(
        "portcullis_config_reloads_total",
        "Reloads of the configuration by result",
    );
    for (result, events) in [
        ("reloaded", &process.reloads),
        ("unchanged", &process.reloads_unchanged),
        ("rejected", &process.reloads_rejected),
        ("rolled_back", &process.guard_rollbacks),
    ] {
        reloads.count([("result", result)], events.total());
    }
    let mut successful = Family::gauge(
        "portcullis_config_last_reload_successful",
        "Whether the last reload was good; 1 before the first",
    );
    successful.count([], process.last_reload_ok().into());
    let mut timestamp = Family::gauge(
        "portcullis_config_last_reload_success_timestamp_seconds",
        "When the configuration in force was last confirmed, in seconds since 1970",
    );
    timestamp.add([], process.last_reload_wall_nanos() as f64 / 1e9);
    let mut info = Family::gauge(
        "portcullis_config_info",
        "Hash of the configuration in force; the value is always 1",
    );
    info.count([("hash", &format!("{:016x}", process.fingerprint()))], 1);
    [reloads, successful, timestamp, info]
}
