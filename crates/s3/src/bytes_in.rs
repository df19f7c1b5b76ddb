//! Bytes on their way in: gathered to pieces while the piece before is hashed and sealed, where that may wait for the disk.
//! Memory is a piece and a chunk, whatever the length: [`GATHERED`].

use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;
use moho_kms::Sealer;
use moho_store::objects::{Checksum, Segment, SegmentWriter};
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3ErrorCode, StdError};

use crate::asking::{Asking, blocking};
use crate::checksum::Checks;
use crate::wiped::Gathered;
use crate::{failure, refusal};

/// Bytes that are hashed and handed on at once.
const PIECE: usize = 192 << 10;
/// The most that a body has at once which is read: so much is there room for beside the piece before.
const READ: usize = 64 << 10;
/// The most bytes of one request's body that are gathered: a piece, and the chunk that it is sealed in.
pub const GATHERED: usize = PIECE + READ + Sealer::CHUNK;
/// Most bytes of one request.
const LARGEST: u64 = 5 << 30;

/// Where bytes go.
pub(crate) struct Incoming {
    pub(crate) writer: SegmentWriter,
    pub(crate) checks: Checks,
}

/// Bytes that came in, and are what they were said to be.
pub(crate) struct Arrived {
    pub(crate) segment: Segment,
    pub(crate) checksums: Vec<Checksum>,
}

impl Incoming {
    fn take(&mut self, bytes: &[u8]) -> Result<(), S3Error> {
        self.checks.update(bytes);
        self.writer
            .write(bytes)
            .map_err(|error| refusal::from_store(&error))
    }

    fn finish(self) -> Result<Arrived, S3Error> {
        let checksums = self.checks.finish()?;
        let segment = self
            .writer
            .finish()
            .map_err(|error| refusal::from_store(&error))?;
        Ok(Arrived { segment, checksums })
    }
}

/// How many bytes a request says it brings.
pub(crate) fn announced(asking: &Asking) -> Result<u64, S3Error> {
    let length = asking
        .header("x-amz-decoded-content-length")
        .or_else(|| asking.header("content-length"));
    let length = length.ok_or_else(|| {
        failure::error(
            "MissingContentLength",
            StatusCode::LENGTH_REQUIRED,
            "You must provide the Content-Length HTTP header.",
        )
    })?;
    let length = length.parse().ok();
    let length: u64 = length.ok_or_else(|| failure::invalid_argument("The Content-Length is not valid."))?;
    if length > LARGEST {
        Err(too_large())
    } else {
        Ok(length)
    }
}

fn too_large() -> S3Error {
    failure::error(
        "EntityTooLarge",
        StatusCode::BAD_REQUEST,
        "Your proposed upload exceeds the maximum allowed size",
    )
}

fn incomplete() -> S3Error {
    failure::error(
        "IncompleteBody",
        StatusCode::BAD_REQUEST,
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
}

/// Takes all of a body, and then does `act` with it.
pub(crate) async fn pump<T: Send + 'static>(
    mut incoming: Incoming,
    body: Option<StreamingBlob>,
    announced: u64,
    act: impl FnOnce(Arrived) -> Result<T, S3Error> + Send + 'static,
) -> Result<T, S3Error> {
    let mut body = body;
    let mut left = announced;
    loop {
        let (piece, last) = gather(body.as_mut(), &mut left).await?;
        if last {
            return blocking(move || {
                incoming.take(&piece)?;
                act(incoming.finish()?)
            })
            .await;
        }
        // The next piece is gathered when this one is taken: whoever sends fast waits for the disk.
        incoming = blocking(move || {
            incoming.take(&piece)?;
            Ok(incoming)
        })
        .await?;
    }
}

/// The next piece, and whether it is the last one.
async fn gather(body: Option<&mut StreamingBlob>, left: &mut u64) -> Result<(Bytes, bool), S3Error> {
    let Some(body) = body else {
        return if *left == 0 {
            Ok((Bytes::new(), true))
        } else {
            Err(incomplete())
        };
    };
    let most = PIECE.saturating_add(READ);
    let mut gathered = Gathered::with_room(usize::try_from(*left).unwrap_or(most).min(most));
    loop {
        match next(body).await {
            None if *left == 0 => return Ok((gathered.freeze(), true)),
            None => return Err(incomplete()),
            Some(Err(error)) => return Err(broken(error)),
            Some(Ok(bytes)) => {
                *left = left.checked_sub(bytes.len() as u64).ok_or_else(incomplete)?;
                if gathered.is_empty() && bytes.len() >= PIECE {
                    return Ok((bytes, false));
                }
                gathered.append(&bytes, most);
                if gathered.len() >= PIECE {
                    return Ok((gathered.freeze(), false));
                }
            }
        }
    }
}

async fn next(body: &mut StreamingBlob) -> Option<Result<Bytes, StdError>> {
    std::future::poll_fn(|context| Pin::new(&mut *body).poll_next(context)).await
}

/// Who takes the body apart may say in S3's words what is wrong with it.
pub(crate) fn broken(error: StdError) -> S3Error {
    match error.downcast::<S3Error>() {
        Ok(error) => *error,
        Err(_other) => S3Error::with_message(
            S3ErrorCode::IncompleteBody,
            "The request body terminated unexpectedly",
        ),
    }
}
