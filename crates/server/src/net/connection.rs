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
use tokio::time::Instant;

use super::activity::{Activity, Verdict};
use super::service::Rim;
use super::tasks::Tasks;
use super::{Limits, Peer, Road, Via};

/// Who is at the other end, by which listener it came in, and what TLS says of it.
pub(crate) type Client = (Peer, Via, Handshake);

/// What came of a TLS handshake, if there was one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Handshake {
    /// SHA-256 of the certificate that the client showed, if any.
    pub(crate) certificate: Option<[u8; 32]>,
    /// The version of TLS.
    pub(crate) version: Option<&'static str>,
    /// The cipher suite, as OpenSSL names it.
    pub(crate) cipher_suite: Option<&'static str>,
}

/// What a peer may send ahead on one HTTP/2 stream, and on the whole connection. Fixed: windows that adapt grow with what
/// the peer sends, up to megabytes.
const STREAM_WINDOW: u32 = 128 << 10;
const CONNECTION_WINDOW: u32 = 512 << 10;
/// The largest frame that is taken: the smallest that the protocol allows, as one frame is held as a whole. It also
/// bounds the CONTINUATION frames of one head, which the library counts by it.
const FRAME: u32 = 16 << 10;
/// The table of header fields that a peer can make us keep; the protocol's own default.
const HEADER_TABLE: u32 = 4 << 10;
/// How often a silent HTTP/2 peer is asked whether it lives, and how long it may take to answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_WAIT: Duration = Duration::from_secs(15);
/// Resets by the peer of streams that we have not begun on ("rapid reset", CVE-2023-44487), and errors by the peer that
/// we answered with a reset ("made you reset", CVE-2025-8671): more of either ends the connection. Resets of requests
/// that we did begin are counted by [`Activity`].
const PENDING_RESETS: usize = 32;
const LOCAL_RESETS: usize = 256;
/// The least that hyper takes for a buffer.
const SMALLEST_BUFFER: usize = 8 << 10;
/// Reply bytes buffered for one HTTP/2 stream. A stream of text is far slower than this, and a whole reply is handed
/// over in one piece, which is not copied.
const SEND_BUFFER: usize = 16 << 10;
/// How long a connection that has to go may be without a request; one whose seat somebody else has got may stay no
/// longer, whatever is on it.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

/// Serves HTTP/1.1 on `io` until its end.
pub(crate) async fn http1<R: Road>(
    rim: Arc<Rim<R>>,
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    (client, activity): (Client, Arc<Activity>),
) {
    let (limits, tasks) = (rim.settings.limits, rim.tasks.clone());
    let seen = Arc::clone(&activity);
    let service = service_fn(move |request: Request<Incoming>| {
        Arc::clone(&rim).answer(request, client.clone(), Arc::clone(&seen))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_headers(limits.headers)
        .max_header_size(limits.head)
        .max_buf_size(limits.head.max(SMALLEST_BUFFER))
        .header_read_timeout(limits.head_wait)
        .serve_connection(TokioIo::new(io), service);
    drive(connection, &activity, limits, &tasks).await;
}

/// Serves HTTP/2 on `io` until its end.
pub(crate) async fn http2<R: Road>(
    rim: Arc<Rim<R>>,
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    (client, activity): (Client, Arc<Activity>),
) {
    let (limits, tasks) = (rim.settings.limits, rim.tasks.clone());
    let seen = Arc::clone(&activity);
    let service = service_fn(move |request: Request<Incoming>| {
        Arc::clone(&rim).answer(request, client.clone(), Arc::clone(&seen))
    });
    let connection = http2::Builder::new(tasks.clone())
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
        .header_table_size(HEADER_TABLE)
        .max_frame_size(FRAME)
        .adaptive_window(false)
        .max_concurrent_streams(limits.streams)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(LOCAL_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_WAIT)
        .serve_connection(TokioIo::new(io), service);
    drive(connection, &activity, limits, &tasks).await;
}

/// Runs a connection to its end, and ends it when it is idle, its client takes nothing, or the server stops.
async fn drive<C: GracefulConnection>(connection: C, activity: &Activity, mut limits: Limits, tasks: &Tasks) {
    tokio::pin!(connection);
    let mut look = tokio::time::interval((limits.idle.min(limits.stall) / 4).max(Duration::from_millis(1)));
    let end = activity.told_to_end(GOODBYE);
    tokio::pin!(end);
    let mut leaving = false;
    loop {
        tokio::select! {
            // A protocol error of the peer, or its leaving, ends its own connection and interests nobody else.
            _ended = connection.as_mut() => return,
            () = tasks.draining(), if !leaving => leaving = true,
            () = activity.told_to_leave(), if !leaving => leaving = true,
            () = activity.abandoned_too_much() => return,
            () = end.as_mut() => return,
            _instant = look.tick() => match activity.verdict(&limits) {
                Verdict::Active => continue,
                Verdict::Idle if !leaving => leaving = true,
                Verdict::Idle | Verdict::Stalled => return,
            }
        }
        connection.as_mut().graceful_shutdown();
        // From now on, who has no request has no reason to stay: half a head keeps nobody here.
        look = tokio::time::interval_at(Instant::now() + GOODBYE, GOODBYE);
        limits.idle = limits.idle.min(GOODBYE);
    }
}
