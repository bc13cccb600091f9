//! What a connection to a server was made under. It serves a request only if that asks for the same.

use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_plan::plan::{ProxyVersion, Service};

use super::tls::ServiceTls;
use crate::client::Client;
use crate::desk::RequestPart;

/// The client that a connection was introduced with by a PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Introduction {
    pub(crate) version: ProxyVersion,
    pub(crate) source: Option<SocketAddr>,
    pub(crate) destination: Option<SocketAddr>,
}

impl Introduction {
    /// How a client is introduced to the servers of `service`, if they want that.
    pub(crate) fn of(service: &Service, client: &Client, request: &RequestPart) -> Option<Self> {
        service.proxy_protocol.map(|version| Self {
            version,
            source: request
                .client
                .map(|ip| SocketAddr::new(ip, request.client_port.unwrap_or(0)))
                .or(client.who.peer),
            destination: client.who.local,
        })
    }
}

/// What a request asks of its connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) tls: Option<&'a Arc<ServiceTls>>,
    pub(crate) introduction: Option<Introduction>,
    /// Only HTTP/1.1 will do.
    pub(crate) http1_only: bool,
    /// It is to become a tunnel.
    pub(crate) tunnel: bool,
    /// A server has refused it already: of a shared connection it is to be known how many requests the server takes.
    pub(crate) settled: bool,
}

/// What a connection was made under.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    tls: Option<Arc<ServiceTls>>,
    introduction: Option<Introduction>,
}

/// How a connection suits a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It may serve it.
    Fits,
    /// It belongs to another client, which may come back.
    OtherClient,
    /// It was made under a configuration that is no longer in force.
    Outdated,
}

impl Terms {
    /// Whether only requests of one client may use the connection.
    pub(crate) fn is_of_one_client(&self) -> bool {
        self.introduction.is_some()
    }

    pub(crate) fn fit(&self, wanted: &Wanted<'_>) -> Fit {
        let same_tls = match (&self.tls, wanted.tls) {
            (None, None) => true,
            (Some(mine), Some(wanted)) => Arc::ptr_eq(mine, wanted),
            _ => false,
        };
        match (self.introduction, wanted.introduction) {
            _ if !same_tls => Fit::Outdated,
            (None, None) => Fit::Fits,
            (Some(mine), Some(wanted)) if mine == wanted => Fit::Fits,
            (Some(mine), Some(wanted)) if mine.version == wanted.version => Fit::OtherClient,
            _ => Fit::Outdated,
        }
    }
}

impl From<Wanted<'_>> for Terms {
    fn from(wanted: Wanted<'_>) -> Self {
        Self {
            tls: wanted.tls.map(Arc::clone),
            introduction: wanted.introduction,
        }
    }
}
