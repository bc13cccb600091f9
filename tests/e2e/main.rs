//! The real binary between real clients and real servers, one module per feature.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a panic is a failed test"
)]

mod admin;
mod answers;
mod balance;
mod bodies;
mod broken_reload;
mod changing;
mod command;
mod demo;
mod examples;
mod forward;
mod forwarded;
mod guard;
mod handover;
mod health;
mod http2;
mod http2_limits;
mod keep_alive;
mod load;
mod logs;
mod metrics;
mod package;
mod privileges;
mod process;
mod proxy_protocol;
mod quota;
mod rate_limit;
mod real_app;
mod real_clients;
mod refusals;
mod rehearse;
mod reload;
mod removed_listener;
mod retry;
mod rewriting;
mod routing;
mod systemd;
mod timeouts;
mod tls;
mod traffic;
mod unbroken;
mod upstream_http2;
mod upstream_proxy_protocol;
mod upstream_tls;
mod websocket;
