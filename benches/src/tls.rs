//! A client's TLS connections, trusting one authority.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What makes the connections.
#[derive(Clone)]
pub struct Tls(TlsConnector);

impl Tls {
    /// Trusts the certificates in this file, in PEM.
    ///
    /// # Errors
    /// If there are none.
    pub fn trusting(authority: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(authority).context("cannot read the authority")? {
            roots.add(certificate.context("the authority is no certificate")?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// A connection for HTTP/1.1, which ends with the program's runtime.
    ///
    /// # Errors
    /// If nobody listens at `address`, or somebody else than is trusted.
    pub async fn connect(&self, address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
        let tcp = TcpStream::connect(address).await.context("nobody listens")?;
        tcp.set_nodelay(true)?;
        let name = ServerName::from(address.ip());
        let tls = self.0.connect(name, tcp).await.context("no TLS")?;
        let (sender, connection) = handshake(TokioIo::new(tls)).await?;
        #[expect(clippy::disallowed_methods, reason = "ends with the program's only runtime")]
        let _ends_with_the_connection = tokio::spawn(connection);
        Ok(sender)
    }
}
