//! Listening sockets, and what becomes of a connection until the data plane takes it: caps, PROXY header, handshake.

pub(crate) mod accept;
pub(crate) mod admit;
pub(crate) mod bind;
pub(crate) mod descriptors;
pub(crate) mod door;
mod holder;
pub(crate) mod passed;
mod proxy_header;
pub(crate) mod set;
mod socket_file;
