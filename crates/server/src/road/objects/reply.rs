//! The gateway's answer as the rim sends it.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame};
use moho_iam::authz::Delivery;
use tokio::sync::mpsc;

use crate::net::{Body, Outbound, Piece};
use crate::object_calls::ObjectCall;
use crate::road::chain;
use crate::telemetry::RequestSpan;

/// Pieces of an object that wait for the client, besides the one that it is being sent. Nothing is asked for before there is
/// room for it.
const IN_FLIGHT: usize = 1;

/// What ends with a reply: its span, and what is observed of its call.
pub(super) type Measured = (RequestSpan, ObjectCall);

/// A reply that is sent as fast as the client takes it. What cannot be told any more once it has begun breaks it off.
pub(super) fn outbound(response: Response<s3s::Body>, is_head: bool, measured: Measured) -> Outbound {
    let (parts, body) = response.into_parts();
    let bodiless = matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    // The length is of what `HEAD` asks about, of which nothing is sent; of nothing else that is not sent.
    let left_out = |name| {
        name == DATE
            || name == CONNECTION
            || name == TRANSFER_ENCODING
            || (bodiless && name == CONTENT_LENGTH)
    };
    let headers: Vec<_> = parts
        .headers
        .iter()
        .filter(|(name, _)| !left_out(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let body = if is_head || bodiless || body.is_end_stream() {
        Body::Empty
    } else {
        match body.bytes() {
            Some(bytes) => Body::Full(bytes),
            None => {
                measured.1.replied(parts.status, &headers, None);
                streamed(body, said_length(&headers), measured)
            }
        }
    };
    Outbound {
        status: parts.status,
        headers,
        body,
        told: None,
    }
}

/// The length that a reply says it has.
fn said_length(headers: &[(HeaderName, HeaderValue)]) -> Option<u64> {
    let (_, length) = headers.iter().find(|(name, _)| name == CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "shutdown waits for the connection that reads these pieces, and the task ends when it is gone"
)]
fn streamed(body: s3s::Body, length: Option<u64>, (span, call): Measured) -> Body {
    let (pieces, receiver) = mpsc::channel(IN_FLIGHT);
    drop(tokio::spawn(async move {
        let delivery = send(body, length, &pieces, &call).await;
        if let Some(delivery) = delivery
            && let Err(error) = call.finish(delivery)
        {
            tracing::error!(error = %chain(&error), "a reply that was broken off is not in the journal");
        }
        drop((span, call));
    }));
    Body::Stream(receiver)
}

/// Sends a body to its end, or breaks it off where it breaks, and then says why. The last piece is only sent once the journal
/// has it that the call was answered.
async fn send(
    mut body: s3s::Body,
    mut left: Option<u64>,
    pieces: &mpsc::Sender<Piece>,
    call: &ObjectCall,
) -> Option<Delivery> {
    while let Ok(room) = pieces.reserve().await {
        let frame = tokio::select! {
            frame = next(&mut body) => frame,
            () = pieces.closed() => break,
        };
        match frame {
            Some(Ok(bytes)) => {
                call.sent(bytes.len());
                left = left.map(|left| left.saturating_sub(bytes.len() as u64));
                if left == Some(0) && call.complete().await.is_err() {
                    return Some(Delivery::BrokenOff);
                }
                room.send(Piece::More(bytes));
            }
            // Why, those who read it have noted.
            Some(Err(_broken)) => return Some(Delivery::BrokenOff),
            None if call.complete().await.is_err() => return Some(Delivery::BrokenOff),
            None => {
                room.send(Piece::Last(Bytes::new()));
                return None;
            }
        }
    }
    Some(Delivery::Abandoned)
}

/// The next bytes of a body.
async fn next(body: &mut s3s::Body) -> Option<Result<Bytes, s3s::StdError>> {
    loop {
        match body.frame().await?.map(Frame::into_data) {
            Ok(Ok(bytes)) if !bytes.is_empty() => return Some(Ok(bytes)),
            Ok(_nothing) => {}
            Err(broken) => return Some(Err(broken)),
        }
    }
}
