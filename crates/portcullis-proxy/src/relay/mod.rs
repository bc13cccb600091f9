//! Both directions of one attempt, driven together by the connection's one task.
//!
//! No task is spawned, no channel lies between the two sides, and a direction that waits holds no more
//! than what it could not yet hand on. Deadlines are armed when a wait begins and move with every byte.

mod download;
mod upload;

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use portcullis_http1::{BodyFraming, Method, Version};
use portcullis_plan::{Deadline, Moment};

pub(crate) use download::Download;
use download::{DownloadWait, HeadEvent};
pub(crate) use upload::Upload;
use upload::UploadWait;

use crate::buffer::Buffer;
use crate::client::{Client, Who};
use crate::deadline::{Slot, Timer};
use crate::desk::{Desk, RequestPart};
use crate::failure::Failure;
use crate::heads::{self, ResponseOptions};
use crate::io::ServerIo;
use crate::scene::{Scene, Story};
use crate::wire::HeadKind;
use crate::worker::Worker;

/// How long an upload may be slower than its least rate before that counts.
const RATE_GRACE: Duration = Duration::from_secs(5);
/// How long a server may take to answer `Expect: 100-continue` before we do (RFC 9110 10.1.1).
const CONTINUE_AFTER: Duration = Duration::from_secs(1);

/// One attempt in motion.
pub(crate) struct Transfer<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) scene: Scene<'a>,
    pub(crate) client: &'a mut Client,
    pub(crate) server: &'a mut ServerIo,
    pub(crate) desk: &'a mut Desk,
    pub(crate) story: &'a mut Story,
    pub(crate) upload: &'a mut Upload,
    pub(crate) download: Download,
    /// The protocol an upgrade was asked for, as it went to the server.
    pub(crate) upgrade: bool,
    /// The client may send another request after this one.
    pub(crate) keep_alive: bool,
    armed: (UploadWait, Option<DownloadWait>),
    /// Since when the server takes no byte of the body, and how long that was in all. A client is not slow while its server is.
    server_full: (Option<Moment>, Duration),
}

/// The proper end of an attempt.
pub(crate) enum Finished {
    /// The whole response is with the client.
    Response {
        /// The server's connection can serve again.
        reusable: bool,
        /// The client's connection can.
        keep_alive: bool,
    },
    /// A tunnel begins; the buffer holds what the server sent behind its head.
    Tunnel(Option<Buffer>),
}

impl<'a> Transfer<'a> {
    #[allow(
        clippy::too_many_arguments,
        reason = "the parts of an attempt, named at the one place that joins them"
    )]
    pub(crate) fn new(
        worker: &'a Worker,
        scene: Scene<'a>,
        client: &'a mut Client,
        server: &'a mut ServerIo,
        desk: &'a mut Desk,
        story: &'a mut Story,
        upload: &'a mut Upload,
        upgrade: bool,
        keep_alive: bool,
    ) -> Self {
        let armed = (UploadWait::Nothing, None);
        Self {
            worker,
            scene,
            client,
            server,
            desk,
            story,
            upload,
            download: Download::new(),
            upgrade,
            keep_alive,
            armed,
            server_full: (None, Duration::ZERO),
        }
    }

    /// Runs to the end of the response, or to the first failure.
    pub(crate) async fn run(mut self) -> Result<Finished, Failure> {
        if self.desk.request.expects_continue()
            && !self.upload.is_received()
            && !self.story.continued
        {
            self.client.timer.arm(
                Slot::Continue,
                None,
                self.worker.recent().plus(CONTINUE_AFTER),
            );
        }
        let result = poll_fn(|cx| self.poll(cx)).await;
        for slot in [Slot::Upload, Slot::Download, Slot::Continue] {
            self.client.timer.disarm(slot);
        }
        match result {
            Ok(DownloadWait::Tunnel) => Ok(Finished::Tunnel(self.download.into_buffer())),
            Ok(_) => Ok(Finished::Response {
                reusable: self.download.leaves_reusable()
                    && self.upload.is_complete(&self.desk.to_server)
                    && self.desk.response.head.keep_alive(),
                keep_alive: self.keep_alive,
            }),
            Err(failure) => {
                let untouched = self.download.is_untouched();
                self.download.abandon(&self.worker.relay_buffers);
                let stale = failure == Failure::CLOSED_EARLY
                    && untouched
                    && self.story.reused
                    && self.upload.is_repeatable();
                Err(if stale { Failure::STALE } else { failure })
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<DownloadWait, Failure>> {
        if self.client.wire.is_gone() {
            return Poll::Ready(Err(Failure::CLIENT_GONE));
        }
        loop {
            let (upload, sent) = match self.poll_upload(cx) {
                Ok(progress) => progress,
                // What the client did wrong with its body is moot once the whole answer is there.
                Err(failure) => return Poll::Ready(Err(failure)),
            };
            let (download, received) = match self.poll_download(cx) {
                Ok(progress) => progress,
                Err(failure) => return Poll::Ready(Err(failure)),
            };
            if matches!(download, DownloadWait::Done | DownloadWait::Tunnel) {
                return Poll::Ready(Ok(download));
            }
            self.arm(upload, sent, download, received);
            match self.check_deadlines() {
                Ok(false) => return Poll::Pending,
                Ok(true) => {} // something was written for the client
                Err(failure) => return Poll::Ready(Err(failure)),
            }
        }
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(UploadWait, bool), Failure> {
        let Desk {
            input,
            to_server,
            request,
            tee,
            ..
        } = &mut *self.desk;
        let mut sides = upload::Sides {
            tee,
            client: &mut self.client.wire,
            server: self.server,
            input,
            to_server,
            trailers: &mut request.trailers,
            story: self.story,
        };
        let progress = self.upload.poll(cx, &mut sides);
        self.desk.tee.ended = self.upload.is_received();
        progress
    }

    fn poll_download(&mut self, cx: &mut Context<'_>) -> Result<(DownloadWait, bool), Failure> {
        let Desk {
            request,
            response,
            to_client,
            ..
        } = &mut *self.desk;
        let mut sides = download::Sides {
            client: &mut self.client.wire,
            server: self.server,
            buffers: &self.worker.relay_buffers,
            to_client,
            request,
            response,
            listener: self.scene.listener,
            story: self.story,
        };
        let mut writer = HeadWriter {
            worker: self.worker,
            scene: self.scene,
            who: &self.client.who,
            timer: &mut self.client.timer,
            upgrade: self.upgrade,
            received: self.upload.is_received(),
            keep_alive: &mut self.keep_alive,
        };
        self.download
            .poll(cx, &mut sides, &mut |sides| writer.write(sides))
    }

    /// Arms the deadlines of what is waited for, anew after every movement.
    fn arm(&mut self, upload: UploadWait, sent: bool, download: DownloadWait, received: bool) {
        let timeouts = self.scene.timeouts;
        if sent || upload != self.armed.0 {
            let full = (upload == UploadWait::Server).then(|| self.worker.recent());
            if let Some(since) = std::mem::replace(&mut self.server_full.0, full) {
                self.server_full.1 += self.worker.recent().since(since);
            }
            match upload {
                UploadWait::Nothing if self.armed.0 == UploadWait::Nothing => {}
                UploadWait::Nothing => self.client.timer.disarm(Slot::Upload),
                UploadWait::Client => {
                    let (name, at) = self.body_deadline();
                    self.client.timer.arm(Slot::Upload, Some(name), at);
                }
                UploadWait::Server => {
                    let at = self.worker.recent().plus(timeouts.response_idle);
                    self.client
                        .timer
                        .arm(Slot::Upload, Some(Deadline::ResponseIdle), at);
                }
            }
            self.armed.0 = upload;
        }
        if received || Some(download) != self.armed.1 {
            let (name, after) = match download {
                // The time of the head counts from the end of the request.
                DownloadWait::Head if upload != UploadWait::Nothing => return,
                DownloadWait::Head => (Deadline::ResponseHeader, timeouts.response_header),
                DownloadWait::Body => (Deadline::ResponseIdle, timeouts.response_idle),
                DownloadWait::Client => (Deadline::ClientWrite, timeouts.client_write),
                DownloadWait::Done | DownloadWait::Tunnel => return,
            };
            self.client
                .timer
                .arm(Slot::Download, Some(name), self.worker.recent().plus(after));
            self.armed.1 = Some(download);
        }
    }

    /// When an upload that brings no byte from now on has failed: it was silent for too long, or its average fell too low.
    fn body_deadline(&self) -> (Deadline, Moment) {
        let timeouts = self.scene.timeouts;
        let idle = self.worker.recent().plus(timeouts.client_body_idle);
        let slow = timeouts
            .client_body_rate
            .filter(|rate| *rate > 0)
            .map(|rate| {
                let earned = Duration::from_secs_f64(self.story.body_in as f64 / rate as f64);
                self.upload
                    .started
                    .plus(RATE_GRACE + self.server_full.1)
                    .plus(earned)
            });
        match slow {
            Some(slow) if slow < idle => (Deadline::ClientBodyRate, slow),
            _ => (Deadline::ClientBodyIdle, idle),
        }
    }

    /// `Ok(true)` if there is something new to write, `Err` if a deadline has passed.
    fn check_deadlines(&mut self) -> Result<bool, Failure> {
        if !self.client.timer.fired() {
            return Ok(false);
        }
        match self.client.timer.passed(self.worker.now()) {
            Some((Slot::Continue, _)) => {
                self.client.timer.disarm(Slot::Continue);
                if self.story.answered || self.story.continued {
                    return Ok(false);
                }
                self.story.continued = true;
                let to_client = &mut self.desk.to_client;
                let from = to_client.len();
                to_client.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                self.client
                    .wire
                    .pass_head(to_client, from..to_client.len(), HeadKind::Interim)
                    .map_err(|_| Failure::CLIENT_GONE)?;
                Ok(true)
            }
            Some((slot, Some(deadline))) => Err(Failure::deadline(
                deadline,
                slot != Slot::Upload && self.armed.0 != UploadWait::Client,
            )),
            Some((_, None)) | None => Ok(false),
        }
    }
}

/// Writes the client's head when the server's is complete.
struct HeadWriter<'a> {
    worker: &'a Worker,
    scene: Scene<'a>,
    who: &'a Who,
    timer: &'a mut Timer,
    upgrade: bool,
    /// The client has sent its whole request.
    received: bool,
    keep_alive: &'a mut bool,
}

impl HeadWriter<'_> {
    fn write(&mut self, sides: &mut download::Sides<'_>) -> Result<HeadEvent, Failure> {
        let head = &sides.response.head;
        let method = sides.request.head.method();
        let tunnel = head.status() == 101
            || method == Method::Connect && (200..300).contains(&head.status());
        if head.status() == 101 && !self.is_asked_upgrade(sides) {
            return Err(Failure::UNASKED_UPGRADE);
        }
        // A tunnel over HTTP/2 begins with any success, which therefore has to mean what the client asked for.
        if sides.request.tunnel && !tunnel && (200..300).contains(&head.status()) {
            return Err(Failure::UPGRADE_IGNORED);
        }
        let is_11 = sides.request.head.version() == Version::Http11;
        let unbounded = matches!(
            head.framing(),
            BodyFraming::Chunked | BodyFraming::UntilClose
        ) && !tunnel
            && !sides.response.whole;
        *self.keep_alive &= self.received && (is_11 || !unbounded) && !self.worker.is_draining();

        let now = self.worker.now();
        self.timer.disarm(Slot::Continue);
        sides.story.timings.response = Some(now);
        sides.story.status = match (sides.request.http2, head.status()) {
            (true, 101) => 200, // as the client sees it
            (_, status) => status,
        };
        sides.story.from_server = true;
        sides.story.until_close = unbounded && !is_11;
        let options = ResponseOptions {
            chunked: unbounded && is_11 && !sides.request.http2,
            trailers: unbounded && is_11,
            empty: sides.response.whole && !sides.request.http2,
            keep_alive: *self.keep_alive,
            upgrade: head.status() == 101,
        };
        let facts = self.scene.facts(self.who, sides.request);
        let outcome = sides.story.outcome(&self.scene, sides.response);
        let date = self.worker.date(now);
        heads::response(
            sides.to_client,
            sides.response,
            sides.request,
            &facts,
            &outcome,
            options,
            &date,
        );
        Ok(HeadEvent {
            chunked: options.chunked,
            tunnel,
        })
    }

    /// A 101 must name the one protocol that was asked for (RFC 9110 7.8).
    fn is_asked_upgrade(&self, sides: &download::Sides<'_>) -> bool {
        let asked = sides
            .request
            .head
            .upgrade()
            .map(|span| span.of(&sides.request.bytes));
        let given = sides
            .response
            .head
            .upgrade()
            .map(|span| span.of(&sides.response.bytes));
        self.upgrade
            && matches!((asked, given), (Some(asked), Some(given)) if asked.eq_ignore_ascii_case(given))
    }
}

/// The protocol of an upgrade request that the route allows: a single one, on a request without body.
pub(crate) fn allowed_upgrade(request: &RequestPart, allowed: &[Box<str>]) -> bool {
    request.framing == BodyFraming::None
        && request.head.upgrade().is_some_and(|asked| {
            let asked = asked.of(&request.bytes);
            allowed
                .iter()
                .any(|protocol| protocol.as_bytes().eq_ignore_ascii_case(asked))
        })
}
