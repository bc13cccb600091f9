//! Listeners and routes that are closed, but for those who work on them.

use crate::Facts;
use crate::networks::Networks;
use crate::plan::Page;

/// How requests are turned away.
#[derive(Clone, Debug, PartialEq)]
pub struct Maintenance {
    /// Status of the answer.
    pub status: u16,
    /// Its body; the error page of the status if there is none.
    pub page: Option<Page>,
    /// Seconds after which clients may ask again.
    pub retry_after: Option<u32>,
    /// Clients that are served all the same.
    pub allow: Networks,
    /// `file:line` of the key.
    pub place: Box<str>,
}

impl Maintenance {
    /// Whether this request is turned away.
    #[must_use]
    pub fn refuses(&self, facts: &Facts<'_>) -> bool {
        match facts.client {
            Some(client) => !self.allow.contains(client),
            None => !self.allow.contains_unix(),
        }
    }

    /// Whether the two say the same, wherever they are written.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let Self {
            status,
            page,
            retry_after,
            allow,
            place: _,
        } = self;
        *status == other.status
            && *page == other.page
            && *retry_after == other.retry_after
            && *allow == other.allow
    }
}
