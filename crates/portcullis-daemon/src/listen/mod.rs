//! Listening sockets and what becomes of a connection until the data plane takes it.

pub(crate) mod bind;
pub(crate) mod descriptors;
mod holder;
mod socket_file;
