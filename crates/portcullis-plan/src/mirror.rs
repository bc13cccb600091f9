//! Copies of a share of a route's requests for a second service, whose answers nobody gets.

use std::time::Duration;

use crate::ServiceId;

/// Which requests are copied, and to where.
#[derive(Clone, Debug, PartialEq)]
pub struct Mirror {
    /// The service that gets the copies.
    pub service: ServiceId,
    /// How many of a million requests are copied.
    pub share: u32,
    /// Requests with a larger body are not copied.
    pub body_limit: usize,
    /// Copies under way at once, per worker.
    pub max_in_flight: usize,
    /// From the copy begun to its answer read.
    pub timeout: Duration,
}
