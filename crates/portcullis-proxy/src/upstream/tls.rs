//! TLS towards the servers of a service, as the daemon prepared it: authorities, client certificate and sessions to
//! resume lie in the configuration of rustls and are never shared between services.

use std::io;
use std::sync::Arc;

use portcullis_plan::ServiceId;
use portcullis_plan::plan::Address;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::io::Stream;

/// Bytes of plaintext and ciphertext that rustls may hold for one connection and direction.
const BUFFER_LIMIT: usize = 64 * 1024;

/// TLS towards the servers of one service. Connections made by one of these serve only requests that are to be sent
/// by the very same one; the daemon keeps it through a reload as long as nothing about it changes.
#[derive(Debug)]
pub struct ServiceTls {
    config: Arc<ClientConfig>,
    /// The same offering HTTP/1.1 alone.
    http1: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

impl ServiceTls {
    /// TLS by `config`. Servers are asked for `name` and verified by it; without it, by the host of their address.
    #[must_use]
    pub fn new(config: ClientConfig, name: Option<ServerName<'static>>) -> Self {
        let mut http1 = config.clone();
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            config: Arc::new(config),
            http1: Arc::new(http1),
            name,
        }
    }

    /// Shakes hands over `stream` with the server at `address`, offering the protocols of the service, or HTTP/1.1 alone;
    /// the caller bounds the time.
    ///
    /// # Errors
    /// What [`is_certificate_error`] tells apart: a certificate that does not prove who the server is, or anything else.
    pub async fn connect(
        &self,
        stream: Stream,
        address: &Address,
        http1_only: bool,
    ) -> io::Result<TlsStream<Stream>> {
        let name = self.server_name(address)?;
        let limit = |session: &mut rustls::ClientConnection| {
            session.set_buffer_limit(Some(BUFFER_LIMIT));
        };
        let config = if http1_only {
            &self.http1
        } else {
            &self.config
        };
        TlsConnector::from(Arc::clone(config))
            .connect_with(name, stream, limit)
            .await
    }

    fn server_name(&self, address: &Address) -> io::Result<ServerName<'static>> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        match address {
            Address::Tcp(address) => Ok(ServerName::from(address.ip())),
            Address::Name { host, .. } => {
                ServerName::try_from(host.to_string()).map_err(io::Error::other)
            }
            // Only where nothing is verified does a socket get this far without a name.
            Address::Unix(_) => ServerName::try_from("localhost").map_err(io::Error::other),
        }
    }
}

/// TLS of all services that speak it to their servers, by the ids of the plan beside it.
#[derive(Debug, Default)]
pub struct UpstreamTls(Box<[Option<Arc<ServiceTls>>]>);

impl UpstreamTls {
    /// One entry for each service of a plan, in its order.
    #[must_use]
    pub fn new(services: impl IntoIterator<Item = Option<Arc<ServiceTls>>>) -> Self {
        Self(services.into_iter().collect())
    }

    /// TLS towards the servers of this service.
    #[must_use]
    pub fn of(&self, service: ServiceId) -> Option<&Arc<ServiceTls>> {
        self.0.get(service.index())?.as_ref()
    }
}

/// Whether an error says that a server did not prove who it is.
#[must_use]
pub fn is_certificate_error(error: &io::Error) -> bool {
    matches!(
        rustls_error(error),
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
    )
}

/// The error of rustls inside, if TLS is what went wrong.
#[must_use]
pub fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
