//! The way out: one HTTP/1.1 exchange with one server that somebody named, within a bound of bytes.
//!
//! No redirect is ever followed, no proxy asked, nothing kept between exchanges. Who may be asked is for the caller to
//! know: nothing here reads an address out of an answer. Time is bounded by the caller, who drops what takes too long.

mod kept;
mod s3_connector;
mod url;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub(crate) use kept::{KeptConnections, Trouble, Waits};
pub use s3_connector::{S3Connector, S3ConnectorError};
pub use url::{HttpsUrl, Origin, OriginError, UrlError};

/// Where Linux distributions keep the authorities that they trust.
pub(crate) const SYSTEM_AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];
/// Bytes of an answer's head.
const LONGEST_HEAD: usize = 64 << 10;

/// Why nobody's certificate can be checked.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// Its file cannot be read.
    #[error("the file of authorities {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Nobody is to be trusted.
    #[error("there is no authority to trust: name a file of certificates in PEM")]
    None,
    /// The TLS library refuses.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// A connection, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Why an exchange had no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    #[error("it cannot be reached")]
    Io(#[from] io::Error),
    #[error("it does not speak HTTP")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be made")]
    Request(#[from] http::Error),
}

/// A server elsewhere.
pub(crate) struct Peer {
    host: String,
    port: u16,
    authority: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// What a server said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// `None` if it was longer than it may be, or broke off.
    pub(crate) body: Option<Bytes>,
}

impl Peer {
    /// A server that is spoken to in the clear.
    pub(crate) fn plain(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            authority: authority(host, port),
            tls: None,
        }
    }

    /// A server that has to prove its name, or its address, to `connector`.
    ///
    /// # Errors
    /// [`InvalidDnsNameError`] if no certificate can be for that.
    pub(crate) fn over_tls(
        host: &str,
        port: u16,
        connector: TlsConnector,
    ) -> Result<Self, InvalidDnsNameError> {
        let name = ServerName::try_from(host.to_owned())?;
        Ok(Self {
            tls: Some((connector, name)),
            ..Self::plain(host, port)
        })
    }

    /// Sends one request and takes an answer of at most `longest` bytes. `Host` and `User-Agent` are set here.
    pub(crate) async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        longest: usize,
    ) -> Result<Answer, ExchangeError> {
        let headers = request.headers_mut();
        let authority = HeaderValue::from_str(&self.authority).map_err(http::Error::from)?;
        headers.insert(HOST, authority);
        let agent = HeaderValue::from_static(concat!("moho/", env!("CARGO_PKG_VERSION")));
        headers.insert(USER_AGENT, agent);
        converse(self.connect().await?, request, longest).await
    }

    /// Connects, and has the server prove its name if it has to.
    pub(crate) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            Some((connector, name)) => Box::new(connector.connect(name.clone(), stream).await?),
            None => Box::new(stream),
        })
    }

    /// Host and port as a URL has them.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

async fn converse(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
    longest: usize,
) -> Result<Answer, ExchangeError> {
    let mut http = hyper::client::conn::http1::Builder::new();
    let (mut sender, connection) = http
        .max_buf_size(LONGEST_HEAD)
        .handshake(TokioIo::new(stream))
        .await?;
    let exchange = async move {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), longest).collect().await;
        Ok(Answer {
            status,
            body: body.ok().map(|body| body.to_bytes()),
        })
    };
    // The connection ends once the exchange has, which drops its sender.
    let (answer, _ended) = tokio::join!(exchange, connection);
    answer
}

/// Host and port as a URL has them.
pub(crate) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// What checks certificates by the authorities in a file, or by the system's.
pub(crate) fn connector(ca: Option<&Path>) -> Result<TlsConnector, AuthoritiesError> {
    let mut roots = RootCertStore::empty();
    let pem = match ca {
        Some(path) => std::fs::read(path).map_err(|source| AuthoritiesError::Unreadable {
            path: path.to_owned(),
            source,
        })?,
        None => SYSTEM_AUTHORITIES
            .iter()
            .find_map(|path| std::fs::read(path).ok())
            .ok_or(AuthoritiesError::None)?,
    };
    for certificate in CertificateDer::pem_slice_iter(&pem).flatten() {
        // A bundle may hold what rustls does not take; the others are still good.
        drop(roots.add(certificate));
    }
    if roots.is_empty() {
        return Err(AuthoritiesError::None);
    }
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(AuthoritiesError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(tls)))
}

#[cfg(test)]
mod tests;
