//! The end of an exchange: its one record feeds counters and log.

use portcullis_plan::plan::LogTarget;

use crate::client::Who;
use crate::desk::Desk;
use crate::scene::{Scene, Story};
use crate::worker::Worker;

/// Closes the record. Called exactly once for every request, malformed ones included.
pub(crate) fn finish(
    worker: &Worker,
    scene: &Scene<'_>,
    who: &Who,
    desk: &Desk,
    story: &mut Story,
) {
    story.timings.end = worker.now();
    story.timings.wall_nanos = worker.clock().wall_nanos(story.timings.end);
    let facts = scene.facts(who, &desk.request);
    let outcome = story.outcome(scene, &desk.response);
    let (plan, live) = (&scene.snapshot.plan, &scene.snapshot.live);
    live.record(plan, worker.id(), &facts, &outcome);
    if plan.access_log.to != LogTarget::Off {
        worker.log_line(&mut |line| {
            plan.access_log
                .format
                .write_line(plan, live, &facts, &outcome, line);
        });
    }
}
