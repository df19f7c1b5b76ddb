//! The observers' own listener: plain HTTP/1.1, so that scrapers need no credentials and no trust in a certificate.
//!
//! It is apart from the requests' listener: whatever happens here takes no place there. A connection gets one answer,
//! and a few seconds for all of it. Those that ask nothing keep nobody out: once there are too many connections, a
//! newcomer gets the place of one that has sent no whole head.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use super::observed::{Observed, Told};
use crate::net::{Listener, accept};

/// Connections at once; if all of them wait for their answer, more wait in the system's queue.
const CONNECTIONS: usize = 16;
/// From a connection's beginning to its end.
const WHOLE: Duration = Duration::from_secs(10);
/// From a connection's beginning to the end of the head.
const HEAD_WAIT: Duration = Duration::from_secs(2);
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
    let silent = Silent::default();
    loop {
        let (stream, peer) = accept::next(|| socket.accept()).await;
        while connections.try_join_next().is_some() {}
        if places.available_permits() == 0 {
            silent.make_room();
        }
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let (number, leave) = silent.add(peer.ip());
        let (silent, observed) = (silent.clone(), Arc::clone(&observed));
        connections.spawn(async move {
            let served = async {
                tokio::select! {
                    () = serve(stream, observed, (silent.clone(), number)) => {}
                    () = told(leave) => {}
                }
            };
            // A connection that takes too long, or breaks the protocol, only ends itself.
            drop(tokio::time::timeout(WHOLE, served).await);
            silent.remove(number);
            drop(place);
        });
    }
}

/// Resolves when the connection has to leave; never, once it has sent its head.
async fn told(leave: oneshot::Receiver<()>) {
    if leave.await.is_err() {
        std::future::pending().await
    }
}

/// The connections that have sent no whole head, the oldest first.
#[derive(Clone, Default)]
struct Silent(Arc<Mutex<Ring>>);

#[derive(Default)]
struct Ring {
    next: u64,
    connections: VecDeque<(u64, IpAddr, oneshot::Sender<()>)>,
}

impl Silent {
    /// One more; its number, and what tells it to leave.
    fn add(&self, peer: IpAddr) -> (u64, oneshot::Receiver<()>) {
        let (sender, leave) = oneshot::channel();
        let mut ring = self.ring();
        ring.next = ring.next.wrapping_add(1);
        let number = ring.next;
        ring.connections.push_back((number, peer, sender));
        (number, leave)
    }

    /// It has sent its head, or has gone.
    fn remove(&self, number: u64) {
        self.ring().connections.retain(|(one, ..)| *one != number);
    }

    /// Sends away the oldest of the peer that has most.
    fn make_room(&self) {
        let mut ring = self.ring();
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for (_, peer, _) in &ring.connections {
            let count = counts.entry(*peer).or_default();
            *count = count.saturating_add(1);
        }
        let most = counts.values().max().copied();
        let of_crowd = |(_, peer, _): &(u64, IpAddr, _)| counts.get(peer).copied() == most;
        let oldest = ring.connections.iter().position(of_crowd);
        let Some((.., leave)) = oldest.and_then(|oldest| ring.connections.remove(oldest)) else {
            return;
        };
        // If it has gone by itself, there is room as well.
        let _gone: Result<(), ()> = leave.send(());
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(stream: TcpStream, observed: Arc<Observed>, (silent, number): (Silent, u64)) {
    let service = service_fn(move |request: Request<Incoming>| {
        silent.remove(number);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_the_crowd_leaves_first() {
        let silent = Silent::default();
        let peer = |last: u8| IpAddr::from([192, 0, 2, last]);
        let (_, mut probe) = silent.add(peer(1));
        let (first, mut asked) = silent.add(peer(2));
        let (_, mut older) = silent.add(peer(2));
        let (_, mut newer) = silent.add(peer(2));
        silent.remove(first);
        silent.make_room();
        assert_eq!(older.try_recv(), Ok(()));
        assert!(probe.try_recv().is_err() && newer.try_recv().is_err());
        assert_eq!(asked.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        silent.make_room();
        assert_eq!(probe.try_recv(), Ok(()), "all have one: the oldest");
        silent.make_room();
        silent.make_room();
        assert_eq!(newer.try_recv(), Ok(()));
    }
}
