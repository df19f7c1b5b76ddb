//! The gateway's answer as the rim sends it.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame};
use tokio::sync::mpsc;

use crate::access_logs::Pending;
use crate::net::{Body, Outbound, Piece};
use crate::telemetry::RequestSpan;

/// Pieces of an object that wait for the client, besides the one that it is being sent. Nothing is asked for before there is
/// room for it.
const IN_FLIGHT: usize = 1;

/// What ends with a reply: its span, and its line in an access log.
pub(super) type Measured = (RequestSpan, Option<Pending>);

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
    let headers = parts
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
            None => streamed(body, measured),
        }
    };
    Outbound {
        status: parts.status,
        headers,
        body,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "shutdown waits for the connection that reads these pieces, and the task ends when it is gone"
)]
fn streamed(body: s3s::Body, (span, logged): Measured) -> Body {
    let (pieces, receiver) = mpsc::channel(IN_FLIGHT);
    drop(tokio::spawn(async move {
        send(body, &pieces, logged.as_ref()).await;
        drop((span, logged));
    }));
    Body::Stream(receiver)
}

/// Sends a body to its end, or breaks it off where it breaks.
async fn send(mut body: s3s::Body, pieces: &mpsc::Sender<Piece>, logged: Option<&Pending>) {
    while let Ok(room) = pieces.reserve().await {
        let frame = tokio::select! {
            frame = next(&mut body) => frame,
            () = pieces.closed() => return,
        };
        match frame {
            Some(Ok(bytes)) => {
                if let Some(logged) = logged {
                    logged.sent(bytes.len());
                }
                room.send(Piece::More(bytes));
            }
            // Why, those who read it have told the log.
            Some(Err(_broken)) => return,
            None => return room.send(Piece::Last(Bytes::new())),
        }
    }
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
