//! While a process serves: one thing after the other, as signals, the admin socket and changed files ask for it.

use std::sync::Arc;
use std::time::Duration;

use portcullis_plan::guard::Worse;
use portcullis_proxy::{caught, contained};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::admin_doors::AdminDoors;
use super::drain::After;
use super::handover::{self, Successor};
use super::signals::{Signal, Signals};
use super::{MadeFrom, Process};
use crate::daemon::{Asker, Order, Request};
use crate::report::counted;

impl Process {
    /// Until a signal says to stop, or a successor serves.
    pub(super) async fn serve(
        &mut self,
        signals: &mut Signals,
        asked: &mut mpsc::Receiver<Request>,
        admin: &AdminDoors,
    ) -> After {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Where a signal asks, nobody waits for the answer; the log has it.
            let request = tokio::select! {
                _ = second.tick() => match caught(|| self.tick()).flatten() {
                    Some(worse) => Request::Conclude(worse),
                    None => continue,
                },
                Some(request) = asked.recv() => request,
                signal = signals.next() => match signal {
                    Signal::Reload => Request::Reload(Order::by(Asker::Signal), oneshot::channel().0),
                    Signal::HandOver => Request::HandOver(oneshot::channel().0),
                    Signal::Reopen => {
                        self.access_log.reopen();
                        continue;
                    }
                    Signal::Stop(name) => {
                        tracing::info!(signal = name, "stopping");
                        return After::Nobody;
                    }
                },
            };
            let finished = tokio::select! {
                // A fault in answering one question must not end the process that answers.
                after = contained(self.answer(request, admin)) => after.flatten(),
                name = signals.stop() => {
                    tracing::info!(signal = name, "stopping, what was under way is abandoned");
                    self.notifier.main_process(std::process::id());
                    Some(After::Nobody)
                }
            };
            if let Some(after) = finished {
                return after;
            }
        }
    }

    /// What is done every second; gives what a change under guard has made worse.
    fn tick(&mut self) -> Option<Vec<Worse>> {
        let snapshot = self.daemon.snapshot();
        snapshot.live.tick(&snapshot.plan, self.daemon.clock.now());
        self.retired.let_go();
        self.verdict()
    }

    /// Does what is asked for; whoever asked may have left. Tells if a successor serves now. May be dropped while it waits: then
    /// nothing has changed.
    async fn answer(&mut self, request: Request, admin: &AdminDoors) -> Option<After> {
        match request {
            Request::Reload(order, answer) => self.reload_and_answer(&order, answer).await,
            Request::Conclude(worse) => self.conclude(worse).await,
            Request::Plan(path, answer) => {
                let _ = answer.send(self.plan(path).await);
            }
            Request::Rollback(to, answer) => {
                let _ = answer.send(Arc::new(self.roll_back(to).await));
            }
            Request::Generations(answer) => {
                let _ = answer.send((self.history.text(), self.history.json()));
            }
            Request::Config(answer) => {
                let MadeFrom {
                    config, sources, ..
                } = &self.made_from;
                let _ = answer.send(portcullis_config::dump(config, sources));
            }
            Request::Renew(answer) => {
                let _ = answer.send(Arc::new(self.renew().await));
            }
            Request::HandOver(answer) => {
                let result = self.hand_over(admin).await;
                match &result {
                    Ok(text) => tracing::info!("{text}"),
                    Err(reason) => {
                        tracing::error!("no hand-over, everything stays as it was: {reason}");
                    }
                }
                let after = result.is_ok().then_some(After::Successor);
                let _ = answer.send(result);
                return after;
            }
        }
        None
    }

    /// Lets a new process of this program take over; says why it did not.
    async fn hand_over(&mut self, admin: &AdminDoors) -> Result<String, String> {
        if self.probation.is_some() {
            return Err(
                "a guarded change is not judged yet: wait for that, or go back with `rollback`"
                    .to_owned(),
            );
        }
        let caller = self
            .caller
            .as_ref()
            .ok_or("how it was called is not known")?;
        let mut sockets = self.sockets.hand_out().map_err(|error| error.to_string())?;
        sockets.extend(admin.hand_out().map_err(|error| error.to_string())?);
        let successor = Successor::start(caller).map_err(|error| error.to_string())?;
        let pid = successor.pid();
        tracing::info!("handing over to process {pid}");
        let learnt = handover::learnt(
            &self.daemon.snapshot(),
            &self.daemon.store.load(),
            self.daemon.clock.now(),
        );
        successor.prepare(sockets, learnt).await?;
        // Before it speaks for itself: the manager listens to nobody else.
        self.notifier.main_process(pid);
        if let Err(reason) = successor.release().await {
            self.notifier.main_process(std::process::id());
            return Err(reason);
        }
        successor.leave();
        Ok(format!("handed over to process {pid}"))
    }

    /// How things are, for the service manager.
    pub(crate) fn status(&self) -> String {
        let plan = &self.daemon.snapshot().plan;
        let listeners = counted(plan.listeners.len(), "listener");
        format!(
            "serving, {listeners}, {}",
            counted(plan.servers.len(), "server")
        )
    }
}
