//! What Portcullis intends ([`Plan`]), what it has observed ([`Live`]) and the
//! decisions between the two ([`decide`]).
//!
//! Nothing here opens a socket, spawns a task, reads a file or asks a clock: time
//! comes in as a [`Moment`], chance as a number. That is what lets `explain`, the
//! tests and the data plane run the very same code.

pub mod answer;
pub mod balance;
mod calendar;
pub mod captures;
pub mod cases;
pub mod chance;
pub mod compile;
pub mod decide;
pub mod diff;
mod digits;
pub mod domains;
pub mod explain;
pub mod facts;
pub mod fault;
#[cfg(test)]
mod fixture;
pub mod forwarded;
pub mod guard;
pub mod headers;
pub mod health;
mod ids;
pub mod limit;
pub mod live;
pub mod log_format;
pub mod maintenance;
pub mod map_back;
pub mod mirror;
mod moment;
pub mod networks;
pub mod normalize;
pub mod outcome;
pub mod plan;
pub mod proxy_protocol;
pub mod redirect;
pub mod regexes;
pub mod replay;
pub mod rewrite;
pub mod route;
pub mod split;
pub mod variables;

pub use chance::Chance;
pub use compile::{Machine, compile};
pub use decide::{Answer, Decision, Forward, Refusal, decide};
pub use facts::{Facts, Fields, Scheme, TlsFacts};
pub use ids::{LimitId, ListenerId, RouteId, ServerId, ServiceId, TlsPolicyId, WorkerId};
pub use live::Live;
pub use moment::Moment;
pub use networks::Networks;
pub use outcome::{Deadline, EndedBy, Outcome, Timings};
pub use plan::Plan;
