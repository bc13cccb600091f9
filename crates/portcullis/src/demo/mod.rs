//! What `portcullis demo` needs besides a configuration: apps, a certificate, a folder, and a guide.

pub(crate) mod apps;
pub(crate) mod certificate;
pub(crate) mod config;
pub(crate) mod folder;
pub(crate) mod guide;
mod page;
mod websocket;
