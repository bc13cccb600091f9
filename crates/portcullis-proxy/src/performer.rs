//! Exchanges run in coroutines that are lent, like the buffers they use.
//!
//! The state of an exchange is a few kilobytes; if it lay in the connection's own task, every idle connection would
//! carry it about. So a performer owns a desk and the state of one exchange, a worker keeps a few of them, and a
//! connection borrows one while a request is in flight. In steady state nothing is allocated for it.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use portcullis_plan::Moment;

use crate::client::Client;
use crate::desk::Desk;
use crate::exchange::{Next, exchange};
use crate::worker::Worker;

/// A request to serve.
pub(crate) struct Job {
    pub(crate) worker: Rc<Worker>,
    pub(crate) client: Box<Client>,
    /// When its first bytes were there to read.
    pub(crate) now: Moment,
    /// When its time began to count.
    pub(crate) started: Moment,
    /// When its head must be complete.
    pub(crate) head_by: Moment,
}

/// A request that was served.
pub(crate) struct Done {
    pub(crate) client: Box<Client>,
    pub(crate) next: Next,
    /// Bytes of the next request are here already: the same performer must go on.
    pub(crate) unread: bool,
    /// The beginning of a connection that goes on in HTTP/2.
    pub(crate) early: Vec<u8>,
}

enum Post {
    Empty,
    Job(Job),
    Done(Done),
}

/// One lent coroutine.
pub(crate) struct Performer {
    post: Rc<RefCell<Post>>,
    acts: Pin<Box<dyn Future<Output = Infallible>>>,
}

impl Performer {
    pub(crate) fn new() -> Self {
        let post = Rc::new(RefCell::new(Post::Empty));
        Self {
            acts: Box::pin(act(Rc::clone(&post))),
            post,
        }
    }

    /// Serves one request. If this is dropped before it is done, so must the performer be: the client is lost in it.
    pub(crate) async fn perform(&mut self, job: Job) -> Done {
        self.post.replace(Post::Job(job));
        poll_fn(|cx| {
            let Poll::Pending = self.acts.as_mut().poll(cx);
            let mut post = self.post.borrow_mut();
            match std::mem::replace(&mut *post, Post::Empty) {
                Post::Done(done) => Poll::Ready(done),
                other => {
                    *post = other;
                    Poll::Pending
                }
            }
        })
        .await
    }
}

async fn act(post: Rc<RefCell<Post>>) -> Infallible {
    let mut desk = Desk::default();
    loop {
        let job = poll_fn(|_| {
            let mut post = post.borrow_mut();
            match std::mem::replace(&mut *post, Post::Empty) {
                Post::Job(job) => Poll::Ready(job),
                other => {
                    *post = other;
                    Poll::Pending
                }
            }
        })
        .await;
        let Job {
            worker,
            mut client,
            now,
            started,
            head_by,
        } = job;
        let next = exchange(&worker, &mut client, &mut desk, now, started, head_by).await;
        let unread = next == Next::Request && !desk.input.is_empty();
        let early = match next {
            Next::Http2 => desk.input.filled().to_vec(),
            _ => Vec::new(),
        };
        if !unread {
            desk.reset();
        }
        post.replace(Post::Done(Done {
            client,
            next,
            unread,
            early,
        }));
    }
}
