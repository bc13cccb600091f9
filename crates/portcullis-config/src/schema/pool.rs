//! `pool` and `retry` of a service: connections kept, attempts made.

use std::time::Duration;

use super::{Val, choice, section};

section! {
    /// Connections to servers that are kept for the next request.
    pub struct Pool {
        /// The most unused connections kept per server and worker thread; 0 keeps none.
        max_idle: default u64 [0..=100_000] = 128,
        /// A connection older than this is not used again.
        max_age: default Option<Duration> = "off",
    }
}

section! {
    /// When a request is tried again, at another server if there is one.
    pub struct Retry {
        /// How many tries in all; 1 is no retry.
        attempts: default u64 [1..=10] = 2,
        /// What is worth another try.
        on: default Vec<Val<RetryCause>> = ["connect", "reset"],
        /// Which requests may be sent twice.
        methods: default RetryMethods = "idempotent",
    }
    not yet: "budget", "backoff";
}

choice! {
    /// A failure that is worth another try.
    pub enum RetryCause {
        /// The connection could not be made; nothing was sent.
        Connect = "connect",
        /// A kept connection died before any byte of the response.
        Reset = "reset",
    }
}

choice! {
    /// Which requests may be sent twice. A failure to connect is retried for all, because nothing was sent.
    pub enum RetryMethods {
        /// GET, HEAD, OPTIONS, TRACE, PUT and DELETE (RFC 9110 section 9.2.2).
        Idempotent = "idempotent",
        /// All of them.
        All = "all",
    }
}
