//! What a connection to a server was made under. It serves a request only if that asks for the same.

use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_plan::plan::ProxyVersion;

use super::tls::ServiceTls;

/// The client that a connection was introduced with by a PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Introduction {
    pub(crate) version: ProxyVersion,
    pub(crate) source: Option<SocketAddr>,
    pub(crate) destination: Option<SocketAddr>,
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
