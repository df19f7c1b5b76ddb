//! From a handler's answer to what the rim sends.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use moho_terms::ContentBytes;
use moho_wire::{ErrorShape, Failure, Reply};
use tokio::sync::mpsc;

use crate::net::{Body, Head, Outbound, Piece, reply_bytes};

/// Frames of a stream that the rim may hold before the handler waits for the client.
const FRAMES_IN_FLIGHT: usize = 16;

/// Where a handler puts the frames of its stream. One that is dropped without [`finish`](Self::finish) breaks the stream
/// off: a handler that panics or forgets never looks as if it had said everything.
pub(crate) struct Frames(mpsc::Sender<Piece>);

/// The client has gone.
pub(crate) struct ClientGone;

impl Frames {
    /// Sends frames, waiting for the client to keep up.
    pub(crate) async fn send(&self, frames: ContentBytes) -> Result<(), ClientGone> {
        self.0
            .send(Piece::More(reply_bytes(frames)))
            .await
            .map_err(|_closed| ClientGone)
    }

    /// A comment line, which clients skip: it keeps proxies from closing a quiet stream.
    pub(crate) async fn keep_alive(&self) -> Result<(), ClientGone> {
        self.0
            .send(Piece::More(Bytes::from_static(b": keep-alive\n\n")))
            .await
            .map_err(|_closed| ClientGone)
    }

    /// Sends the last frames, and that they are the last. A client that leaves before it reads them is not missed.
    pub(crate) async fn finish(self, last: ContentBytes) {
        drop(self.0.send(Piece::Last(reply_bytes(last))).await);
    }

    /// Resolves when the client has gone.
    pub(crate) async fn gone(&self) {
        self.0.closed().await;
    }
}

/// A reply of server-sent events, which `speak` puts where it is told.
#[expect(
    clippy::disallowed_methods,
    reason = "shutdown waits for the connection that reads these frames, and `speak` ends when it is gone"
)]
pub(crate) fn event_stream<F: Future<Output = ()> + Send + 'static>(
    speak: impl FnOnce(Frames) -> F,
) -> Outbound {
    let (frames, receiver) = mpsc::channel(FRAMES_IN_FLIGHT);
    drop(tokio::spawn(speak(Frames(frames))));
    let headers = vec![
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream; charset=utf-8"),
        ),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    Outbound {
        status: StatusCode::OK,
        headers,
        body: Body::Stream(receiver),
    }
}

/// A whole reply of content.
pub(crate) fn content(body: ContentBytes) -> Outbound {
    whole(Reply::json(body))
}

/// A whole reply as `wire` made it.
pub(super) fn whole(reply: Reply) -> Outbound {
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static(reply.content_type))];
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.push((HeaderName::from_static(name), value));
        }
    }
    Outbound {
        status: StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        headers,
        body: Body::Full(reply_bytes(reply.body)),
    }
}

/// A refusal in the protocol's own words.
pub(super) fn failure(failure: &Failure, shape: ErrorShape, head: &Head) -> Outbound {
    whole(failure.reply(shape, &head.request_id))
}
