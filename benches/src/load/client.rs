//! Connections to the server, of either protocol version, and replies that are read to their end, a little or not.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// What all clients know of the server.
pub(crate) struct Server {
    address: SocketAddr,
    roots: RootCertStore,
    /// The model that is asked.
    pub(crate) model: String,
    key: String,
}

/// What is asked.
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: String,
    /// Whether it says who asks.
    pub(crate) signed: bool,
}

/// A connection; dropping it closes it.
pub(crate) struct Connection {
    sender: Sender,
    driver: JoinHandle<()>,
}

enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

/// A reply's status, whether it says when to try again, and its body, to be read.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: bool,
    body: Incoming,
}

impl Server {
    pub(crate) fn new(address: SocketAddr, authority: &Path, model: String, key: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(authority).context("cannot read the authority")? {
            roots.add(certificate.context("the authority is no certificate")?)?;
        }
        Ok(Self {
            address,
            roots,
            model,
            key: key.to_owned(),
        })
    }

    /// A new connection, of HTTP/2 if wanted.
    pub(crate) async fn connect(&self, second: bool) -> Result<Connection> {
        let tcp = TcpStream::connect(self.address).await.context("nobody listens")?;
        tcp.set_nodelay(true)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![if second {
            b"h2".to_vec()
        } else {
            b"http/1.1".to_vec()
        }];
        let tls = TlsConnector::from(Arc::new(config));
        let tls = tls
            .connect(ServerName::from(self.address.ip()), tcp)
            .await
            .context("no TLS")?;
        if second {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await?;
            Ok(Connection {
                sender: Sender::Two(sender),
                driver: drive(connection),
            })
        } else {
            let (sender, connection) = http1::handshake(TokioIo::new(tls)).await?;
            Ok(Connection {
                sender: Sender::One(sender),
                driver: drive(connection),
            })
        }
    }

    fn request(&self, ask: &Ask, second: bool) -> Result<Request<Full<Bytes>>> {
        let request = Request::builder()
            .method(&ask.method)
            .header(CONTENT_TYPE, "application/json");
        let mut request = if second {
            request.uri(format!("https://{}{}", self.address, ask.path))
        } else {
            request
                .uri(ask.path.as_str())
                .header(HOST, self.address.to_string())
        };
        if ask.signed {
            request = request.header(AUTHORIZATION, format!("Bearer {}", self.key));
        }
        request
            .body(Full::new(Bytes::from(ask.body.clone())))
            .context("no request")
    }
}

#[expect(clippy::disallowed_methods, reason = "aborted when its connection is dropped")]
fn drive<E>(connection: impl Future<Output = Result<(), E>> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(async move {
        // How a connection ends, its requests tell.
        connection.await.map_err(drop).unwrap_or_default();
    })
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Sends a request; the reply's head.
    pub(crate) async fn send(&mut self, server: &Server, ask: &Ask) -> Result<Reply> {
        let response: Response<Incoming> = match &mut self.sender {
            Sender::One(sender) => {
                sender.ready().await?;
                sender.send_request(server.request(ask, false)?).await?
            }
            Sender::Two(sender) => {
                sender.ready().await?;
                sender.send_request(server.request(ask, true)?).await?
            }
        };
        Ok(Reply {
            status: response.status().as_u16(),
            retry_after: response.headers().contains_key("retry-after"),
            body: response.into_body(),
        })
    }
}

impl Reply {
    /// The next piece of the body; `None` at its end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(piece) = frame?.into_data() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    /// The body to its end.
    pub(crate) async fn whole(&mut self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(piece) = self.piece().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }
}
