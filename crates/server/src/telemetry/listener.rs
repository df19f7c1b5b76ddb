//! The observers' own listener: plain HTTP/1.1, so that scrapers need no credentials and no trust in a certificate.
//!
//! It is apart from the requests' listener: whatever happens here takes no place there. A connection gets one answer,
//! and a few seconds for all of it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::observed::{Observed, Told};
use crate::net::{Listener, accept};

/// Connections at once; more wait in the system's queue.
const CONNECTIONS: usize = 16;
/// From a connection's beginning to its end.
const WHOLE: Duration = Duration::from_secs(10);
/// From a connection's beginning to the end of the head.
const HEAD_WAIT: Duration = Duration::from_secs(5);
/// Bytes of a head, and headers in it.
const HEAD: usize = 16 << 10;
const HEADERS: usize = 64;

/// The listener at work, until dropped.
pub struct MetricsListener {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl MetricsListener {
    /// Answers from now on.
    #[expect(
        clippy::disallowed_methods,
        reason = "it answers while requests drain, so shutdown ends it last, by dropping it"
    )]
    #[must_use]
    pub fn open(listener: Listener, observed: Arc<Observed>) -> Self {
        let address = listener.address();
        let accepting = tokio::spawn(accept_all(listener.into_socket(), observed));
        Self { address, accepting }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsListener {
    fn drop(&mut self) {
        // Ends its connections as well, which it owns.
        self.accepting.abort();
    }
}

async fn accept_all(socket: TcpListener, observed: Arc<Observed>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let (stream, _peer) = accept::next(|| socket.accept()).await;
        while connections.try_join_next().is_some() {}
        let observed = Arc::clone(&observed);
        connections.spawn(async move {
            // A connection that takes too long, or breaks the protocol, only ends itself.
            drop(tokio::time::timeout(WHOLE, serve(stream, observed)).await);
            drop(place);
        });
    }
}

async fn serve(stream: TcpStream, observed: Arc<Observed>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let observed = Arc::clone(&observed);
        async move { Ok::<_, Infallible>(answer(&request, &observed).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_headers(HEADERS)
        .max_buf_size(HEAD)
        .header_read_timeout(HEAD_WAIT)
        .serve_connection(TokioIo::new(stream), service);
    drop(connection.await);
}

async fn answer(request: &Request<Incoming>, observed: &Observed) -> Response<Full<Bytes>> {
    let told = observed.tell(request.uri().path()).await;
    let allowed = matches!(*request.method(), Method::GET | Method::HEAD);
    let plain = |status, body: &str| Told {
        status,
        content_type: "text/plain; charset=utf-8",
        body: body.to_owned(),
    };
    let told = match told {
        Some(told) if allowed => told,
        Some(_) => plain(StatusCode::METHOD_NOT_ALLOWED, "GET, please\n"),
        None => plain(StatusCode::NOT_FOUND, "here are /metrics, /healthz and /readyz\n"),
    };
    let mut response = Response::new(Full::new(Bytes::from(told.body)));
    *response.status_mut() = told.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(told.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if told.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}
