//! How `object_store` comes to a server: over our own connections, to one host, whatever an answer says.
//!
//! Nothing that a server answers takes more memory than is foreseen here, and a head that the library would stumble over
//! does not reach it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::CONTENT_RANGE;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use rustls_pki_types::InvalidDnsNameError;

use super::{AuthoritiesError, KeptConnections, Origin, Peer, Trouble, Waits, connector};

/// Bytes of an answer that is no part of an object: a page of a list has a thousand keys of at most a KiB, written in XML.
const LONGEST_ANSWER: u64 = 8 << 20;

/// Why no server can be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum S3ConnectorError {
    /// Its certificate could not be checked.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// No certificate can be for its name.
    #[error("no certificate can be for that host")]
    Name(#[from] InvalidDnsNameError),
}

/// Somebody asked for a host that the settings do not name.
#[derive(Debug, thiserror::Error)]
#[error("this leads to another host")]
struct ElsewhereLed;

/// An answer that no server of S3 gives.
#[derive(Debug, thiserror::Error)]
#[error("a range that is none")]
struct NoRange;

/// Connects `object_store` with one server.
#[derive(Clone)]
pub struct S3Connector {
    connections: Arc<KeptConnections<HttpRequestBody>>,
    host: Arc<str>,
}

impl fmt::Debug for S3Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Connector").field(&self.host).finish()
    }
}

impl S3Connector {
    /// To a server that proves its name by the authorities in `ca`, or by the system's.
    ///
    /// # Errors
    /// [`S3ConnectorError`].
    pub fn over_tls(origin: &Origin, ca: Option<&Path>, stall: Duration) -> Result<Self, S3ConnectorError> {
        let peer = Peer::over_tls(&origin.host, origin.port, connector(ca)?)?;
        Ok(Self::new(peer, origin, stall))
    }

    /// To a server on this machine that is spoken to in the clear.
    #[must_use]
    pub fn plain(origin: &Origin, stall: Duration) -> Self {
        Self::new(Peer::plain(&origin.host, origin.port), origin, stall)
    }

    fn new(peer: Peer, origin: &Origin, stall: Duration) -> Self {
        let waits = Waits {
            connect: stall,
            stall,
        };
        Self {
            connections: Arc::new(KeptConnections::new(peer, waits)),
            host: origin.host.as_str().into(),
        }
    }
}

impl HttpConnector for S3Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for S3Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let host = request.uri().host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if !host.eq_ignore_ascii_case(&self.host) {
            return Err(HttpError::new(HttpErrorKind::Unknown, ElsewhereLed));
        }
        let sent = self.connections.send(request).await;
        let (head, mut body) = sent.map_err(told)?.into_parts();
        if head.status == StatusCode::PARTIAL_CONTENT {
            check_range(&head.headers)?;
        } else {
            body.limit(LONGEST_ANSWER);
        }
        let body = HttpResponseBody::new(body.map_err(told));
        Ok(HttpResponse::from_parts(head, body))
    }
}

/// The library adds one to the end of a range.
fn check_range(headers: &HeaderMap) -> Result<(), HttpError> {
    let range = headers.get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let end: Option<u64> = range.and_then(|range| range.split_once('-')?.1.split('/').next()?.parse().ok());
    match end {
        Some(end) if end < u64::MAX => Ok(()),
        Some(_) | None => Err(HttpError::new(HttpErrorKind::Decode, NoRange)),
    }
}

/// Which tells the library what is worth another try.
fn told(trouble: Trouble) -> HttpError {
    let kind = match &trouble {
        Trouble::Connect(_) => HttpErrorKind::Connect,
        Trouble::Slow => HttpErrorKind::Timeout,
        Trouble::Broken(error) if error.is_parse() => HttpErrorKind::Decode,
        // Whatever is asked of S3 here may be asked twice.
        Trouble::Broken(_) => HttpErrorKind::Request,
        Trouble::Request(_) => HttpErrorKind::Unknown,
        Trouble::Long => HttpErrorKind::Decode,
    };
    HttpError::new(kind, trouble)
}
