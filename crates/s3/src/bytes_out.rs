//! An object's bytes on their way out: one chunk is opened while the one before it is sent, and none is sent before it is
//! proven to be the one that was written.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_kms::EncryptionContext;
use moho_store::objects::{Pieces, SegmentReader};
use s3s::dto::StreamingBlob;
use s3s::stream::{ByteStream, RemainingLength};
use s3s::{S3Error, StdError};
use tokio::task::JoinHandle;

use crate::asking::Asking;
use crate::gateway::Backing;
use crate::refusal;
use crate::service::Found;

/// A range of an object's bytes that is being read.
pub(crate) struct Reading {
    backing: Arc<Backing>,
    permit: Permit<kms::Decrypt>,
    context: EncryptionContext,
    /// Held until all of them were read.
    pieces: Option<Pieces>,
    current: Option<(SegmentReader, Range<u64>)>,
    first: Option<Bytes>,
    left: u64,
}

impl Reading {
    /// Begins to read, and opens the first bytes: if they are damaged, that is an error still.
    pub(crate) fn begin(asking: &Asking, found: Found, range: Range<u64>) -> Result<Self, S3Error> {
        let left = range.end.saturating_sub(range.start);
        let pieces = if range.is_empty() {
            None
        } else {
            let layout = found.metadata.layout.as_ref();
            let pieces = asking.store().objects().pieces(&found.version, layout, range);
            Some(pieces.map_err(|error| refusal::from_object(&error))?)
        };
        let mut reading = Self {
            backing: asking.shared_backing(),
            permit: found.open,
            context: found.content.encryption.context().clone(),
            pieces,
            current: None,
            first: None,
            left,
        };
        reading.first = reading.next()?;
        Ok(reading)
    }

    /// The next bytes: at most a chunk.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, S3Error> {
        loop {
            if let Some((reader, range)) = &mut self.current {
                let read = reader.read_range(range.clone());
                let read = read.map_err(|error| refusal::from_store(&error))?;
                if !read.is_empty() {
                    let bytes = Bytes::copy_from_slice(read);
                    range.start = range.start.saturating_add(read.len() as u64);
                    return Ok(Some(bytes));
                }
            }
            let Some(piece) = self.pieces.as_mut().and_then(Iterator::next) else {
                self.current = None;
                return Ok(None);
            };
            let store = &self.backing.store;
            let reader = store.segment_reader(piece.segment, &self.backing.kms, &self.permit, &self.context);
            let reader = reader.map_err(|error| refusal::from_store(&error))?;
            self.current = Some((reader, piece.range));
        }
    }

    /// Takes what was opened first.
    pub(crate) fn take_first(&mut self) -> Option<Bytes> {
        self.first.take()
    }

    /// As the body of a reply.
    pub(crate) fn into_stream(mut self) -> StreamingBlob {
        let (first, left) = (self.first.take(), self.left);
        let ahead = first.is_some().then(|| self.read_ahead());
        StreamingBlob::new(Outgoing { first, left, ahead })
    }

    fn read_ahead(mut self) -> JoinHandle<Ahead> {
        tokio::task::spawn_blocking(move || {
            let next = self.next();
            (self, next)
        })
    }
}

type Ahead = (Reading, Result<Option<Bytes>, S3Error>);

/// The body of a reply. Dropping it ends the reading after the chunk that is being opened.
struct Outgoing {
    first: Option<Bytes>,
    left: u64,
    ahead: Option<JoinHandle<Ahead>>,
}

impl Outgoing {
    fn taken(&mut self, bytes: Bytes) -> Poll<Option<Result<Bytes, StdError>>> {
        self.left = self.left.saturating_sub(bytes.len() as u64);
        Poll::Ready(Some(Ok(bytes)))
    }
}

impl Stream for Outgoing {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return self.taken(first);
        }
        let Some(ahead) = &mut self.ahead else {
            return Poll::Ready(None);
        };
        let done = ready!(Pin::new(ahead).poll(context));
        self.ahead = None;
        match done {
            Ok((reading, Ok(Some(bytes)))) => {
                self.ahead = Some(reading.read_ahead());
                self.taken(bytes)
            }
            Ok((_, Ok(None))) => Poll::Ready(None),
            Ok((_, Err(error))) => Poll::Ready(Some(Err(Box::new(error)))),
            Err(stopped) => Poll::Ready(Some(Err(Box::new(stopped)))),
        }
    }
}

impl ByteStream for Outgoing {
    fn remaining_length(&self) -> RemainingLength {
        RemainingLength::new_exact(usize::try_from(self.left).unwrap_or(usize::MAX))
    }
}
