//! The properties that the fuzz targets check, one module for each parser.

pub mod config;
pub mod forwarded;
pub mod http1;
pub mod http2;
pub mod path;
pub mod proxy_protocol;
