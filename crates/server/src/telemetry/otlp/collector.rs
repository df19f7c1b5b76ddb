//! The way to the collector: HTTP/1.1 to one address, over TLS unless its URL says otherwise.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{OtlpError, protobuf};
use crate::config::OtlpConfig;

/// For one batch, from the connection to the answer.
const WHOLE: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const ANSWER: usize = 64 << 10;
/// Where Linux distributions keep the authorities that they trust.
const SYSTEM_AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// A collector.
pub(super) struct Collector {
    host: String,
    port: u16,
    path: String,
    authority: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// The collector has it, but for so many spans.
    Taken { rejected: u64 },
    /// It may take it later.
    Later(&'static str),
    /// It will not take it.
    Refused(StatusCode),
}

/// Why a batch did not get an answer.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("the collector cannot be reached")]
    Io(#[from] io::Error),
    #[error("the collector does not speak HTTP")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be made")]
    Request(#[from] http::Error),
}

impl Collector {
    /// The collector of the settings, with what vouches for it.
    pub(super) fn new(config: &OtlpConfig) -> Result<Self, OtlpError> {
        let tls = if config.tls {
            let name = ServerName::try_from(config.host.clone()).map_err(|_no_name| OtlpError::Name)?;
            Some((connector(config)?, name))
        } else {
            None
        };
        Ok(Self {
            host: config.host.clone(),
            port: config.port,
            path: config.path.clone(),
            authority: config.authority(),
            tls,
        })
    }

    /// Sends one batch, once.
    pub(super) async fn send(&self, batch: Bytes) -> Delivery {
        match tokio::time::timeout(WHOLE, self.exchange(batch)).await {
            Err(_elapsed) => Delivery::Later("the collector does not answer in time"),
            Ok(Err(SendError::Io(_))) => Delivery::Later("the collector cannot be reached"),
            Ok(Err(SendError::Http(_) | SendError::Request(_))) => {
                Delivery::Later("the collector does not speak HTTP")
            }
            Ok(Ok((status, answer))) => delivery(status, &answer),
        }
    }

    async fn exchange(&self, batch: Bytes) -> Result<(StatusCode, Bytes), SendError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await?;
                self.post(stream, batch).await
            }
            None => self.post(stream, batch).await,
        }
    }

    async fn post(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        batch: Bytes,
    ) -> Result<(StatusCode, Bytes), SendError> {
        let request = Request::post(&self.path)
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(USER_AGENT, concat!("moho/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(batch))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let exchange = async move {
            let response = sender.send_request(request).await?;
            let status = response.status();
            // An answer that is too long says no more than its status.
            let answer = Limited::new(response.into_body(), ANSWER).collect().await;
            Ok((status, answer.map(|body| body.to_bytes()).unwrap_or_default()))
        };
        // The connection ends once the exchange has, which drops its sender.
        let (answer, _ended) = tokio::join!(exchange, connection);
        answer
    }
}

/// As OTLP/HTTP says which answers are worth another try.
fn delivery(status: StatusCode, answer: &[u8]) -> Delivery {
    match status.as_u16() {
        200..=299 => Delivery::Taken {
            rejected: protobuf::rejected(answer),
        },
        429 | 502 | 503 | 504 => Delivery::Later("the collector is busy"),
        _ => Delivery::Refused(status),
    }
}

fn connector(config: &OtlpConfig) -> Result<TlsConnector, OtlpError> {
    let mut roots = RootCertStore::empty();
    let read = |path: &std::path::Path| {
        std::fs::read(path).map_err(|source| OtlpError::Authorities {
            path: path.to_owned(),
            source,
        })
    };
    let pem = match &config.ca {
        Some(path) => read(path)?,
        None => SYSTEM_AUTHORITIES
            .iter()
            .find_map(|path| std::fs::read(path).ok())
            .ok_or(OtlpError::NoAuthorities)?,
    };
    for certificate in CertificateDer::pem_slice_iter(&pem).flatten() {
        // A bundle may hold what rustls does not take; the others are still good.
        drop(roots.add(certificate));
    }
    if roots.is_empty() {
        return Err(OtlpError::NoAuthorities);
    }
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(OtlpError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(tls)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let of = |status: u16| delivery(StatusCode::from_u16(status).unwrap(), b"");
        assert_eq!(of(200), Delivery::Taken { rejected: 0 });
        assert!(matches!(of(503), Delivery::Later(_)) && matches!(of(429), Delivery::Later(_)));
        for final_word in [400, 401, 404, 413, 500] {
            assert!(matches!(of(final_word), Delivery::Refused(_)), "{final_word}");
        }
    }
}
