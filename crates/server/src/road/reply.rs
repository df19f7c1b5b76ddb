//! From a handler's answer to what the rim sends.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use moho_terms::ContentBytes;
use moho_wire::openai::rate_limit::{self, RateLimit};
use moho_wire::{ErrorShape, Failure, Reply};
use tokio::sync::mpsc;

use super::objects;
use crate::invocations::{Invocation, Streaming};
use crate::net::{Body, Head, Outbound, Piece, reply_bytes};
use crate::quota::{Left, Standing};

/// Frames of a stream that the rim may hold before the handler waits for the client.
const FRAMES_IN_FLIGHT: usize = 16;

/// Where a handler puts the frames of its stream. One that is dropped without [`finish`](Self::finish) breaks the stream
/// off: a handler that panics or forgets never looks as if it had said everything.
pub(crate) struct Frames {
    pieces: mpsc::Sender<Piece>,
    /// What says nothing and keeps proxies from closing a quiet stream, if the protocol has such a thing.
    nothing: Option<&'static [u8]>,
    /// What is logged of the call, if anything is.
    invocation: Option<Invocation>,
}

/// The client has gone, or may have no more.
pub(crate) struct ClientGone;

impl Frames {
    /// Sends frames, waiting for the client to keep up. Nothing is sent of a call that is to be logged and cannot be.
    pub(crate) async fn send(&self, frames: ContentBytes) -> Result<(), ClientGone> {
        self.note(&frames)?;
        self.pieces
            .send(Piece::More(reply_bytes(frames)))
            .await
            .map_err(|_closed| ClientGone)
    }

    /// Says nothing, in a protocol that has a way to: server-sent events have comment lines, which clients skip. A quiet
    /// stream of any other sends nothing.
    pub(crate) async fn keep_alive(&self) -> Result<(), ClientGone> {
        let Some(nothing) = self.nothing else {
            return Ok(());
        };
        self.pieces
            .send(Piece::More(Bytes::from_static(nothing)))
            .await
            .map_err(|_closed| ClientGone)
    }

    /// Sends the last frames, and that they are the last, once what is logged of the call is kept; if that cannot be, the stream
    /// is broken off. A client that leaves before it reads them is not missed.
    pub(crate) async fn finish(self, last: ContentBytes) {
        if self.note(&last).is_ok() && self.conclude().await.is_ok() {
            drop(self.pieces.send(Piece::Last(reply_bytes(last))).await);
        }
    }

    /// The same after a failure, which the last frames tell of.
    pub(crate) async fn fail(self, failure: &Failure, last: ContentBytes) {
        if let Some(invocation) = &self.invocation {
            invocation.failed(failure);
        }
        self.finish(last).await;
    }

    /// Whether all that is sent is logged.
    pub(crate) fn is_logged(&self) -> bool {
        self.invocation.is_some()
    }

    /// Has frames logged that are sent later.
    pub(crate) fn note(&self, frames: &ContentBytes) -> Result<(), ClientGone> {
        let Some(invocation) = &self.invocation else {
            return Ok(());
        };
        let streaming = match self.nothing {
            Some(_) => Streaming::Lines,
            None => Streaming::Frames,
        };
        invocation
            .streamed(streaming, frames)
            .map_err(|_too_large| ClientGone)
    }

    /// Keeps what is logged of the call, of which nothing new comes. What is sent afterwards is not logged again.
    pub(crate) async fn conclude(&self) -> Result<(), ClientGone> {
        match &self.invocation {
            Some(invocation) => invocation.conclude().await.map_err(|_unkept| ClientGone),
            None => Ok(()),
        }
    }

    /// Resolves when the client has gone.
    pub(crate) async fn gone(&self) {
        self.pieces.closed().await;
    }
}

/// A reply of server-sent events, which `speak` puts where it is told.
pub(crate) fn event_stream<F: Future<Output = ()> + Send + 'static>(
    invocation: Option<Invocation>,
    speak: impl FnOnce(Frames) -> F,
) -> Outbound {
    let fixed = HeaderValue::from_static;
    let headers = vec![
        (CONTENT_TYPE, fixed("text/event-stream; charset=utf-8")),
        (CACHE_CONTROL, fixed("no-cache")),
        (HeaderName::from_static("x-accel-buffering"), fixed("no")),
    ];
    let nothing: &[u8] = b": keep-alive\n\n";
    stream(headers, (Some(nothing), invocation), speak)
}

/// A reply in frames of AWS's event streams, which `speak` puts where it is told; `head` is all of it but the frames.
pub(crate) fn amazon_event_stream<F: Future<Output = ()> + Send + 'static>(
    head: Reply,
    invocation: Option<Invocation>,
    speak: impl FnOnce(Frames) -> F,
) -> Outbound {
    stream(whole(head).headers, (None, invocation), speak)
}

#[expect(
    clippy::disallowed_methods,
    reason = "shutdown waits for the connection that reads these frames, and `speak` ends when it is gone"
)]
fn stream<F: Future<Output = ()> + Send + 'static>(
    headers: Vec<(HeaderName, HeaderValue)>,
    (nothing, invocation): (Option<&'static [u8]>, Option<Invocation>),
    speak: impl FnOnce(Frames) -> F,
) -> Outbound {
    let (pieces, receiver) = mpsc::channel(FRAMES_IN_FLIGHT);
    drop(tokio::spawn(speak(Frames {
        pieces,
        nothing,
        invocation,
    })));
    Outbound {
        status: StatusCode::OK,
        headers,
        body: Body::Stream(receiver),
        told: None,
    }
}

/// A whole reply of content.
pub(crate) fn content(body: ContentBytes) -> Outbound {
    whole(Reply::json(body))
}

/// A whole reply as `wire` made it.
pub(crate) fn whole(reply: Reply) -> Outbound {
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
        told: reply.elements,
    }
}

/// A refusal in the protocol's own words.
pub(super) fn failure(failure: &Failure, shape: ErrorShape, head: &Head) -> Outbound {
    if shape == ErrorShape::S3 {
        return objects::refusal(failure, head);
    }
    whole(failure.reply(shape, &head.request_id))
}

/// Says how much is left of the caller's quotas, in OpenAI's headers.
pub(super) fn say_what_is_left(reply: &mut Outbound, standing: Standing) {
    let limit = |left: Left| RateLimit {
        limit: left.limit,
        remaining: left.remaining,
        reset: left.reset,
    };
    let headers = rate_limit::headers(standing.requests.map(limit), standing.tokens.map(limit));
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            reply.headers.push((HeaderName::from_static(name), value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn be_quiet(frames: Frames) {
        assert!(frames.keep_alive().await.is_ok());
        frames.finish(ContentBytes::new(b"end".to_vec())).await;
    }

    async fn said(reply: &mut Outbound) -> Vec<u8> {
        let mut said = Vec::new();
        if let Body::Stream(pieces) = &mut reply.body {
            while let Some(Piece::More(bytes) | Piece::Last(bytes)) = pieces.recv().await {
                said.extend_from_slice(&bytes);
            }
        }
        said
    }

    fn header<'a>(reply: &'a Outbound, name: &str) -> Option<&'a str> {
        let found = reply.headers.iter().find(|(known, _)| known == name)?;
        found.1.to_str().ok()
    }

    #[tokio::test]
    async fn only_server_sent_events_are_kept_alive_by_words() {
        let mut reply = event_stream(None, be_quiet);
        assert_eq!(
            header(&reply, "content-type"),
            Some("text/event-stream; charset=utf-8")
        );
        assert_eq!(header(&reply, "cache-control"), Some("no-cache"));
        assert_eq!(said(&mut reply).await, b": keep-alive\n\nend");

        let head = Reply {
            status: 200,
            content_type: "application/vnd.amazon.eventstream",
            headers: vec![("x-amzn-bedrock-content-type", "application/json".to_owned())],
            body: ContentBytes::new(Vec::new()),
            elements: None,
        };
        let mut reply = amazon_event_stream(head, None, be_quiet);
        assert_eq!(
            header(&reply, "content-type"),
            Some("application/vnd.amazon.eventstream")
        );
        assert_eq!(
            header(&reply, "x-amzn-bedrock-content-type"),
            Some("application/json")
        );
        assert_eq!(header(&reply, "cache-control"), None);
        assert_eq!(
            said(&mut reply).await,
            b"end",
            "bytes that are no frame would break the stream"
        );
    }
}
