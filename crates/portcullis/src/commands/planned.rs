//! A configuration that requests are asked of: its plan, and the certificates that decide about handshakes.

use std::path::PathBuf;
use std::sync::Arc;

use portcullis_daemon::{Checked, ConfigSource};
use portcullis_plan::explain::{Explanation, Question};
use portcullis_plan::{Live, Moment, Plan};
use portcullis_proxy::rehearse;

use crate::output::{complain, is_coloured};

/// A configuration without errors.
pub(crate) struct Planned {
    checked: Checked,
    plan: Arc<Plan>,
}

impl Planned {
    /// Loads it; `None` if it cannot be used, which was said.
    pub(crate) fn load(path: PathBuf) -> Option<Self> {
        let mut checked = portcullis_daemon::check(&ConfigSource::File(path));
        let Some(plan) = checked.plan.take().map(Arc::new) else {
            complain(&checked.render(is_coloured()));
            return None;
        };
        Some(Self { checked, plan })
    }

    /// Asks a process that has just started, so that no question depends on another.
    pub(crate) fn ask(&self, question: &Question<'_>) -> Result<Explanation, String> {
        let live = Arc::new(Live::new(&self.plan, 1));
        let mut told = rehearse(&self.plan, &live, question, Moment::default())?;
        if let Some(name) = &told.tls_name {
            match self.checked.certificate(&told.listener, name) {
                Some(Ok(certificate)) => told.certificate = Some(certificate),
                Some(Err(why)) => told.refuse_handshake(&why),
                None => {}
            }
        }
        Ok(told)
    }
}
