//! Connections to servers: making, keeping and judging them.

pub(crate) mod connect;
pub(crate) mod pool;

use portcullis_plan::Moment;

use crate::io::Stream;

/// A connection to a server between or during exchanges.
pub(crate) struct Upstream {
    pub(crate) io: Stream,
    /// When it was made.
    pub(crate) born: Moment,
}
