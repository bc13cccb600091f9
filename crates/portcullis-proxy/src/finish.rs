//! The end of an exchange: its one record feeds counters and log.

use portcullis_plan::EndedBy;
use portcullis_plan::plan::LogTarget;

use crate::client::{Client, Who};
use crate::desk::{Desk, RequestPart, ResponsePart};
use crate::scene::{Scene, Story};
use crate::worker::Worker;

/// Closes the record. Called exactly once for every request, malformed ones included.
pub(crate) fn finish(
    worker: &Worker,
    scene: &Scene<'_>,
    client: &Client,
    desk: &Desk,
    story: &mut Story,
) {
    record(
        worker,
        scene,
        &client.who,
        &desk.request,
        &desk.response,
        story,
    );
}

fn record(
    worker: &Worker,
    scene: &Scene<'_>,
    who: &Who,
    request: &RequestPart,
    response: &ResponsePart,
    story: &mut Story,
) {
    story.timings.end = worker.now();
    story.timings.wall_nanos = worker.clock().wall_nanos(story.timings.end);
    let facts = scene.facts(who, request);
    let outcome = story.outcome(scene, response);
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

/// Records a request over HTTP/2 that was so malformed that there was nobody to answer; `reason` says how.
pub(crate) fn finish_refused(worker: &Worker, scene: &Scene<'_>, who: &Who, reason: &'static str) {
    let mut story = Story::begin(worker.recent());
    story.ended_by = Some(EndedBy::Client);
    story.reason = Some(reason);
    let request = RequestPart {
        http2: true,
        ..RequestPart::default()
    };
    let response = ResponsePart::default();
    record(worker, scene, who, &request, &response, &mut story);
}
