//! Which crate may depend on which, and which outside crates a layer must never know.
//! The table is the picture in the architecture page of the book; an arrow that is not here needs an argument, not a line.

use super::Finding;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::Path;
use toml::Table;

struct Layer {
    folder: &'static str,
    may_use: &'static [&'static str],
    must_never_know: &'static [&'static str],
}

const ASYNC_AND_TLS: &[&str] = &[
    "tokio",
    "tokio-rustls",
    "rustls",
    "pingora-core",
    "pingora-runtime",
    "mio",
    "socket2",
];
const PINGORA: &[&str] = &[
    "pingora-core",
    "pingora-runtime",
    "pingora-timeout",
    "pingora-pool",
];

const LAYERS: &[Layer] = &[
    Layer {
        folder: "crates/portcullis-config",
        may_use: &[],
        must_never_know: ASYNC_AND_TLS,
    },
    Layer {
        folder: "crates/portcullis-plan",
        may_use: &["portcullis-config"],
        must_never_know: ASYNC_AND_TLS,
    },
    Layer {
        folder: "crates/portcullis-http1",
        may_use: &[],
        must_never_know: ASYNC_AND_TLS,
    },
    Layer {
        folder: "crates/portcullis-http2",
        may_use: &["portcullis-http1"],
        must_never_know: ASYNC_AND_TLS,
    },
    Layer {
        folder: "crates/portcullis-proxy",
        may_use: &["portcullis-plan", "portcullis-http1", "portcullis-http2"],
        must_never_know: &["toml", "toml_edit", "clap"],
    },
    Layer {
        folder: "crates/portcullis-daemon",
        may_use: &[
            "portcullis-config",
            "portcullis-plan",
            "portcullis-http1",
            "portcullis-http2",
            "portcullis-proxy",
        ],
        must_never_know: PINGORA,
    },
    Layer {
        folder: "crates/portcullis",
        may_use: &[
            "portcullis-config",
            "portcullis-plan",
            "portcullis-http1",
            "portcullis-http2",
            "portcullis-proxy",
            "portcullis-daemon",
        ],
        must_never_know: PINGORA,
    },
    Layer {
        folder: "crates/xtask",
        may_use: &[
            "portcullis-config",
            "portcullis-http1",
            "portcullis-http2",
            "portcullis-plan",
        ],
        must_never_know: ASYNC_AND_TLS,
    },
    Layer {
        folder: "tests/harness",
        may_use: &[],
        must_never_know: PINGORA,
    },
    Layer {
        folder: "tests/e2e",
        may_use: &["portcullis-harness"],
        must_never_know: PINGORA,
    },
];

/// Every manifest against the table, and the table against the folders that exist.
pub(super) fn judge(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = unknown_folders(root)?;
    for layer in LAYERS {
        let place = format!("{}/Cargo.toml", layer.folder);
        let text = std::fs::read_to_string(root.join(&place)).with_context(|| place.clone())?;
        let manifest: Table = toml::from_str(&text).with_context(|| place.clone())?;
        findings.extend(judge_manifest(layer, &place, &manifest));
    }
    Ok(findings)
}

fn judge_manifest(layer: &Layer, place: &str, manifest: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in dependencies(manifest, "dependencies") {
        if name.starts_with("portcullis") && !layer.may_use.contains(&name) {
            findings.push(Finding::new(
                place,
                format!("must not depend on {name}: arrows point down"),
            ));
        }
        if layer.must_never_know.contains(&name) {
            findings.push(Finding::new(
                place,
                format!("this layer must never know {name}"),
            ));
        }
    }
    let inherits = manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"))
        .is_some_and(|value| value.as_bool() == Some(true));
    if !inherits {
        findings.push(Finding::new(
            place,
            "must say [lints] workspace = true (forbids unsafe code)",
        ));
    }
    findings
}

fn dependencies<'m>(manifest: &'m Table, section: &str) -> Vec<&'m str> {
    let table = manifest.get(section).and_then(|value| value.as_table());
    table
        .map(|table| table.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

/// A crate that the table does not know has no layer.
fn unknown_folders(root: &Path) -> Result<Vec<Finding>> {
    let known: BTreeSet<&str> = LAYERS.iter().map(|layer| layer.folder).collect();
    let mut findings = Vec::new();
    for entry in std::fs::read_dir(root.join("crates"))? {
        let folder = format!("crates/{}", entry?.file_name().to_string_lossy());
        if !known.contains(folder.as_str()) {
            findings.push(Finding::new(
                &folder,
                "has no layer in crates/xtask/src/tidy/layers.rs",
            ));
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PLAN: &Layer = &Layer {
        folder: "crates/portcullis-plan",
        may_use: &["portcullis-config"],
        must_never_know: ASYNC_AND_TLS,
    };

    fn rules(manifest: &str) -> Vec<String> {
        let manifest = toml::from_str(manifest).unwrap();
        judge_manifest(PLAN, "Cargo.toml", &manifest)
            .into_iter()
            .map(|finding| finding.rule)
            .collect()
    }

    #[test]
    fn an_arrow_that_points_down_is_fine() {
        let text = "[lints]\nworkspace = true\n[dependencies]\nportcullis-config.workspace = true\nipnet = \"2\"";
        assert_eq!(rules(text), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_that_points_up_is_found() {
        let text = "[lints]\nworkspace = true\n[dependencies]\nportcullis-proxy.workspace = true";
        assert_eq!(
            rules(text),
            ["must not depend on portcullis-proxy: arrows point down"]
        );
    }

    #[test]
    fn a_socket_library_in_the_plan_is_found() {
        let text = "[lints]\nworkspace = true\n[dependencies]\ntokio.workspace = true";
        assert_eq!(rules(text), ["this layer must never know tokio"]);
    }

    #[test]
    fn a_crate_without_the_workspace_lints_is_found() {
        assert_eq!(rules("[package]\nname = \"x\"").len(), 1);
    }
}
