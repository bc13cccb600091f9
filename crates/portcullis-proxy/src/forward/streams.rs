//! What is particular about an attempt over HTTP/2: a stream is opened, and a server that lets one wait too long is asked
//! whether it lives.

use std::future::poll_fn;
use std::task::Poll;

use portcullis_http1::Method;
use portcullis_http2::{Open, Scheme};
use portcullis_plan::Deadline;

use super::Attempt;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::io::ServerIo;
use crate::relay::Upload;
use crate::upstream::Upstream;
use crate::upstream::shared::Lease;

impl Attempt<'_> {
    /// Sends the request head that lies in the desk, and with it the end where nothing follows.
    pub(super) async fn open(
        &self,
        lease: &mut Lease,
        desk: &mut Desk,
        upload: &mut Upload,
        upgrade: bool,
    ) -> Result<(), Failure> {
        let is_tunnel = upgrade || desk.request.head.method() == Method::Connect;
        upload.frame_nothing(is_tunnel);
        let options = Open {
            scheme: match self.service.tls {
                Some(_) => Scheme::Https,
                None => Scheme::Http,
            },
            end: upload.is_received() && !is_tunnel,
            extended_connect: upgrade,
        };
        let text = &desk.to_server;
        let opened = poll_fn(|cx| Poll::Ready(lease.open(text, &options, cx.waker()))).await;
        desk.to_server.clear();
        opened
    }

    /// A request that got no answer in time says nothing about a connection of its own, which is closed. One that others
    /// share may be dead as well, and would let all of them wait.
    pub(super) fn doubt(&self, upstream: &Upstream, failure: Failure) {
        if let (ServerIo::Http2(lease), Some(Deadline::ResponseHeader | Deadline::ResponseIdle)) =
            (&upstream.io, failure.deadline)
        {
            lease.shared().suspect(self.worker.now());
        }
    }
}
