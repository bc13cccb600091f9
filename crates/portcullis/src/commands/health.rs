//! `portcullis health`: whether the running process serves, for a container's HEALTHCHECK, keepalived and scripts.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use portcullis_daemon::ConfigSource;

use super::asking::converse;
use super::{Result, config_file, success};
use crate::cli::HealthArgs;
use crate::output::{complain, is_coloured, print};

/// The most that is waited for each step of an answer: who asks has a deadline of its own, commonly a few seconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// The most that is read of an answer.
const ANSWER: u64 = 64 * 1024;
/// Where the health page is unless the address says otherwise.
const PAGE: &str = "/healthz";

/// Whom to ask.
enum Whom {
    Page { address: String, path: String },
    Socket(PathBuf),
}

/// Tells whether the running process serves.
pub(crate) fn health(config: Option<PathBuf>, arguments: &HealthArgs) -> Result {
    let answer = match whom(config, arguments)? {
        Whom::Page { address, path } => ask_page(&address, &path)
            .with_context(|| format!("nobody answers at http://{address}{path}"))?,
        Whom::Socket(path) => ask_socket(&path)
            .with_context(|| format!("nobody answers at the admin socket `{}`", path.display()))?,
    };
    match answer.as_deref() {
        None => print("serving\n")?,
        Some(instead) => complain(&format!("{instead}\n")),
    }
    Ok(success(answer.is_none()))
}

fn whom(config: Option<PathBuf>, arguments: &HealthArgs) -> anyhow::Result<Whom> {
    if let Some(socket) = &arguments.socket {
        return Ok(Whom::Socket(socket.clone()));
    }
    if let Some(http) = &arguments.http {
        let place = http.strip_prefix("http://").unwrap_or(http);
        let (address, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        let path = if path.is_empty() { PAGE } else { path };
        return Ok(Whom::Page {
            address: address.to_owned(),
            path: path.to_owned(),
        });
    }
    configured(&config_file(config)?)
}

fn configured(path: &Path) -> anyhow::Result<Whom> {
    let checked = portcullis_daemon::check(&ConfigSource::File(path.to_owned()));
    let Some(plan) = &checked.plan else {
        complain(&checked.render(is_coloured()));
        bail!(
            "the configuration is wrong, so it does not tell whom to ask; use --http or --socket"
        );
    };
    match (&plan.process.admin_http, &plan.process.admin_socket) {
        (Some(http), _) => Ok(Whom::Page {
            address: reachable(http.bind).to_string(),
            path: http.health.to_string(),
        }),
        (None, Some(socket)) => Ok(Whom::Socket(socket.path.clone())),
        (None, None) => bail!("`{}` names no admin endpoint", path.display()),
    }
}

/// Where to reach what is bound there: every address means this machine.
fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

/// Why it does not serve, if it does not.
fn ask_page(address: &str, path: &str) -> anyhow::Result<Option<String>> {
    let to = address
        .to_socket_addrs()?
        .next()
        .context("the name has no address")?;
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.lines().next().unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").unwrap_or_default().1.trim();
    Ok(match status.split_whitespace().nth(1) {
        Some("200") => None,
        Some("503") if body == "draining" => Some(body.to_owned()),
        _ => Some(format!("the health page answered `{status}`")),
    })
}

/// Why it does not serve, if it does not.
fn ask_socket(path: &Path) -> anyhow::Result<Option<String>> {
    let answer = converse(path, "show info", PATIENCE)?;
    let stopping = answer
        .lines()
        .find_map(|line| line.strip_prefix("Stopping:"));
    Ok(match stopping.map(str::trim) {
        Some("0") => None,
        Some(_) => Some("draining".to_owned()),
        None => Some("the process does not tell whether it serves".to_owned()),
    })
}
