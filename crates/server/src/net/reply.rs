//! From the road's reply to hyper's: the headers every reply has, and a body that keeps its own pace.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, DATE, HeaderName};
use http::{HeaderValue, Response};
use hyper::body::{Frame, SizeHint};
use moho_terms::{RequestId, Timestamp};
use tokio::sync::mpsc;

use super::activity::{Exchange, Work};
use super::memory::Share;
use super::places::Place;
use super::{Body, Outbound, Piece};

/// The request id as OpenAI's clients look for it.
const OPENAI_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The request id as AWS's clients look for it.
const AWS_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// What can be proven about this server.
const ATTESTATION: HeaderName = HeaderName::from_static("moho-attestation");

/// The most that HTTP/2 gets at once. It takes a piece as soon as the client has room for its first byte, and keeps the
/// rest, so this is also the most that it keeps.
const PIECE: usize = 16 << 10;

/// A reply's body on its way; the [`Exchange`] ends with it.
pub(crate) struct ReplyBody {
    rest: Rest,
    exchange: Exchange,
    /// Given back with the reply's end.
    _held: Option<Held>,
}

/// What a request takes of what all requests share.
pub(crate) struct Held {
    /// The memory of its body.
    pub(crate) _body: Share,
    /// Its place among the requests in progress; the door has places of its own.
    pub(crate) _place: Option<Place>,
    /// The connection's seat, which it keeps meanwhile.
    pub(crate) _work: Work,
}

enum Rest {
    Nothing,
    All(Bytes),
    /// More pieces, what is left of the one before, and how many bytes the reply's head says are still to come.
    Pieces(mpsc::Receiver<Piece>, Bytes, Option<u64>),
}

/// The reply was broken off before its end; hyper then resets the stream, or cuts the connection of HTTP/1.1.
#[derive(Debug, thiserror::Error)]
#[error("the reply was not finished")]
pub(crate) struct BrokenOff;

/// Puts the reply together.
pub(crate) fn response(reply: Outbound, exchange: Exchange, held: Option<Held>) -> Response<ReplyBody> {
    let rest = match reply.body {
        Body::Empty => Rest::Nothing,
        Body::Full(bytes) if bytes.is_empty() => Rest::Nothing,
        Body::Full(bytes) => Rest::All(bytes),
        Body::Stream(pieces) => Rest::Pieces(pieces, Bytes::new(), said_length(&reply.headers)),
    };
    let mut exchange = exchange;
    if matches!(rest, Rest::Nothing) {
        exchange.answered();
    }
    let mut response = Response::new(ReplyBody {
        rest,
        exchange,
        _held: held,
    });
    *response.status_mut() = reply.status;
    for (name, value) in reply.headers {
        response.headers_mut().append(name, value);
    }
    response
}

impl Rest {
    /// What is given next; `None` at the end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BrokenOff>> {
        let (mut bytes, is_all) = match self {
            Self::Nothing => return Poll::Ready(Ok(None)),
            Self::All(bytes) => (std::mem::take(bytes), true),
            Self::Pieces(_, rest, _) if !rest.is_empty() => return Poll::Ready(Ok(Some(next_piece(rest)))),
            Self::Pieces(pieces, _, left) => {
                let (bytes, is_last) = match pieces.poll_recv(cx) {
                    Poll::Ready(Some(Piece::More(bytes))) => (bytes, false),
                    Poll::Ready(Some(Piece::Last(bytes))) => (bytes, true),
                    Poll::Ready(None) => return Poll::Ready(Err(BrokenOff)),
                    Poll::Pending => return Poll::Pending,
                };
                *left = less(*left, &bytes)?;
                if is_last && left.is_some_and(|left| left > 0) {
                    return Poll::Ready(Err(BrokenOff));
                }
                (bytes, is_last || *left == Some(0))
            }
        };
        if let (Self::Pieces(_, rest, _), false) = (&mut *self, is_all) {
            let piece = next_piece(&mut bytes);
            *rest = bytes;
            return Poll::Ready(Ok(Some(piece)));
        }
        let piece = (!bytes.is_empty()).then(|| last_pieces(&mut bytes));
        *self = if bytes.is_empty() {
            Self::Nothing
        } else {
            Self::All(bytes)
        };
        Poll::Ready(Ok(piece))
    }
}

/// The length that a reply says it has.
fn said_length(headers: &[(HeaderName, HeaderValue)]) -> Option<u64> {
    let (_, length) = headers.iter().find(|(name, _)| name == CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// Adds what every reply has. `Date` is the rim's own, as clients set their clocks by it.
pub(crate) fn label(
    response: &mut Response<ReplyBody>,
    request_id: Option<&RequestId>,
    now: Timestamp,
    attestation: &HeaderValue,
) {
    let headers = response.headers_mut();
    if let Ok(date) = HeaderValue::from_str(&now.http_date()) {
        headers.insert(DATE, date);
    }
    if let Some(Ok(id)) = request_id.map(|id| HeaderValue::from_str(id.as_str())) {
        headers.insert(OPENAI_REQUEST_ID, id.clone());
        headers.insert(AWS_REQUEST_ID, id);
    }
    headers.insert(ATTESTATION, attestation.clone());
}

impl hyper::body::Body for ReplyBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = &mut *self;
        this.exchange.taken();
        let piece = match this.rest.poll_piece(cx) {
            Poll::Ready(Ok(piece)) => piece,
            Poll::Ready(Err(broken)) => return Poll::Ready(Some(Err(broken))),
            Poll::Pending => return Poll::Pending,
        };
        if matches!(this.rest, Rest::Nothing) {
            this.exchange.answered();
        }
        if piece.is_some() {
            this.exchange.given();
        }
        Poll::Ready(piece.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.rest, Rest::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.rest {
            Rest::Nothing => SizeHint::with_exact(0),
            Rest::All(bytes) => SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            Rest::Pieces(_, rest, Some(left)) => {
                let rest = u64::try_from(rest.len()).unwrap_or(u64::MAX);
                SizeHint::with_exact(left.saturating_add(rest))
            }
            Rest::Pieces(_, _, None) => SizeHint::default(),
        }
    }
}

/// What is left of the length that a reply said, after these bytes.
fn less(left: Option<u64>, bytes: &Bytes) -> Result<Option<u64>, BrokenOff> {
    let Some(left) = left else { return Ok(None) };
    let here = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    left.checked_sub(here).map(Some).ok_or(BrokenOff)
}

/// Cuts off what is given to the protocol at once.
fn next_piece(bytes: &mut Bytes) -> Bytes {
    bytes.split_to(bytes.len().min(PIECE))
}

/// Cuts off what is given at once of a reply's end. The last byte goes alone: HTTP/2 takes it only once the client has
/// room for all before it, and so a reply is not over while its client has still to make room.
fn last_pieces(bytes: &mut Bytes) -> Bytes {
    let before_last = bytes.len().saturating_sub(1).max(1);
    bytes.split_to(before_last.min(PIECE).min(bytes.len()))
}
