//! What a reload would do, told without doing it, and what it can never do.

use std::path::PathBuf;
use std::sync::Arc;

use portcullis_config::Diagnostic;
use portcullis_plan::plan::Plan;

use super::PATIENCE;
use crate::check::check_by;
use crate::effects::{Effects, Running, Side};
use crate::lifecycle::Process;
use crate::recording::Recorder;

impl Process {
    /// What the configuration of the process, or of the file `path`, would change. Changes nothing.
    ///
    /// Of another file that is wrong only that is told: whoever may ask the process may not be allowed to read all that the
    /// process may.
    pub(crate) async fn plan(&mut self, path: Option<PathBuf>) -> Result<Effects, String> {
        let is_own = path.is_none();
        let source = path.map_or_else(|| self.source.clone(), |path| self.source.beside(path));
        let store = self.daemon.store.load_full();
        let previous = Arc::clone(&store);
        let checking = tokio::task::spawn_blocking(move || {
            check_by(Recorder::new(), &source, Some(&previous))
        });
        let mut checked = checking.await.map_err(|error| error.to_string())?;
        if self.strict {
            checked.be_strict();
        }
        if !checked.is_usable() && !is_own {
            return Err("error: the process cannot use that configuration; `portcullis check -c FILE` tells why, run as the process's user\n".to_owned());
        }
        let (Some(plan), Some(tls), true) = (&checked.plan, &checked.tls, checked.is_usable())
        else {
            return Err(checked.render(false));
        };
        let snapshot = self.daemon.snapshot();
        let busy = tokio::time::timeout(PATIENCE, self.workers.busy()).await;
        let running = Running {
            generation: snapshot.generation,
            busy: busy.unwrap_or_default(),
        };
        let old = Side {
            plan: &snapshot.plan,
            store: &store,
            hash: &self.made_from.hash,
        };
        let hash = checked.hash();
        let new = Side {
            plan,
            store: tls,
            hash: &hash,
        };
        let mut effects = Effects::of(old, new, Some((&snapshot.live, running)));
        effects.warnings = checked.render(false);
        Ok(effects)
    }
}

/// What only a new process can change, each an error that names it.
pub(crate) fn fixed_for_life(old: &Plan, new: &Plan) -> Vec<Diagnostic> {
    let (old, new) = (&old.process, &new.process);
    [
        ("global.threads", old.threads != new.threads),
        ("global.sandbox", old.sandbox != new.sandbox),
        ("global.user", old.user != new.user),
        ("global.group", old.group != new.group),
        ("admin.socket", old.admin_socket != new.admin_socket),
        ("admin.http", old.admin_http != new.admin_http),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(key, _)| {
        let message = format!("`{key}` cannot change while the process runs");
        Diagnostic::error("restart-needed", message)
            .help("restart portcullis, or take the change back")
    })
    .collect()
}
