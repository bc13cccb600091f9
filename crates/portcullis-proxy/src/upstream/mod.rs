//! Connections to servers: making, keeping and judging them.

pub(crate) mod carry;
pub(crate) mod connect;
pub(crate) mod pool;
pub(crate) mod shared;
pub(crate) mod shelf;
pub(crate) mod terms;
pub(crate) mod tls;
mod websocket;

use portcullis_plan::Moment;

use crate::io::ServerIo;
use terms::Terms;

/// A connection to a server between or during exchanges.
pub(crate) struct Upstream {
    pub(crate) io: ServerIo,
    /// When it was made.
    pub(crate) born: Moment,
    /// What it was made under.
    pub(crate) terms: Terms,
}
