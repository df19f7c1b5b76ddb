//! One connection, from its first byte to its last: the protocol's own limits, idleness, the end.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};

use super::activity::{Activity, Verdict};
use super::service::Rim;
use super::tasks::Tasks;
use super::{Limits, Peer, Road};

/// What a peer may send ahead on one HTTP/2 stream, and on the whole connection.
const STREAM_WINDOW: u32 = 128 << 10;
const CONNECTION_WINDOW: u32 = 512 << 10;
/// How often a silent HTTP/2 peer is asked whether it lives, and how long it may take to answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_WAIT: Duration = Duration::from_secs(15);
/// Resets by the peer that have not been accepted yet, and errors by the peer that we answered with a reset: more of
/// either ends the connection ("rapid reset").
const PENDING_RESETS: usize = 32;
const LOCAL_RESETS: usize = 256;
/// The least that hyper takes for a buffer.
const SMALLEST_BUFFER: usize = 8 << 10;
/// Reply bytes buffered for one HTTP/2 stream.
const SEND_BUFFER: usize = 64 << 10;

/// Serves HTTP/1.1 on `io` until its end.
pub(crate) async fn http1<R: Road>(
    rim: Arc<Rim<R>>,
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: Peer,
) {
    let (limits, tasks, activity) = (rim.settings.limits, rim.tasks.clone(), Arc::new(Activity::new()));
    let seen = Arc::clone(&activity);
    let service = service_fn(move |request: Request<Incoming>| {
        Arc::clone(&rim).answer(request, peer, Arc::clone(&seen))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_headers(limits.headers)
        .max_header_size(limits.head)
        .max_buf_size(limits.head.max(SMALLEST_BUFFER))
        .header_read_timeout(limits.head_wait)
        .serve_connection(TokioIo::new(io), service);
    drive(connection, &activity, &limits, &tasks).await;
}

/// Serves HTTP/2 on `io` until its end.
pub(crate) async fn http2<R: Road>(
    rim: Arc<Rim<R>>,
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: Peer,
) {
    let (limits, tasks, activity) = (rim.settings.limits, rim.tasks.clone(), Arc::new(Activity::new()));
    let seen = Arc::clone(&activity);
    let service = service_fn(move |request: Request<Incoming>| {
        Arc::clone(&rim).answer(request, peer, Arc::clone(&seen))
    });
    let connection = http2::Builder::new(tasks.clone())
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.streams)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(LOCAL_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_WAIT)
        .serve_connection(TokioIo::new(io), service);
    drive(connection, &activity, &limits, &tasks).await;
}

/// Runs a connection to its end, and ends it when it is idle, its client takes nothing, or the server stops.
async fn drive<C: GracefulConnection>(connection: C, activity: &Activity, limits: &Limits, tasks: &Tasks) {
    tokio::pin!(connection);
    let mut look = tokio::time::interval((limits.idle.min(limits.stall) / 4).max(Duration::from_millis(1)));
    let mut leaving = false;
    loop {
        tokio::select! {
            // A protocol error of the peer, or its leaving, ends its own connection and interests nobody else.
            _ended = connection.as_mut() => return,
            () = tasks.draining(), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            _instant = look.tick() => match activity.verdict(limits) {
                Verdict::Active => {}
                Verdict::Idle if !leaving => {
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
                Verdict::Idle | Verdict::Stalled => return,
            }
        }
    }
}
