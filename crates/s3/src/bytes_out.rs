//! An object's bytes on their way out: a slice at a time, of a chunk that was proven to be the one that was written. The next
//! chunk is opened while the end of the one before it is sent.
//!
//! A client that takes nothing costs slices and no more: how many chunks are open is bounded for all ([`OpenChunks`]).

use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, ready};

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
use crate::call::Notes;
use crate::gateway::Backing;
use crate::open_chunks::{Chunk, OpenChunks, locked};
use crate::refusal;
use crate::service::Found;
use crate::wiped::Gathered;

/// Bytes that are given at once.
const SLICE: u64 = 64 << 10;
/// Chunks of a mebibyte that are open at once of objects that are being sent, and that are being opened.
static OPEN: OpenChunks<Reading> = OpenChunks::new(64, 32);

/// A range of an object's bytes that is being read.
pub(crate) struct Reading {
    backing: Arc<Backing>,
    permit: Permit<kms::Decrypt>,
    context: EncryptionContext,
    /// Held until all of them were read.
    pieces: Option<Pieces>,
    current: Option<(SegmentReader, Range<u64>)>,
    left: u64,
    notes: Notes,
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
            left,
            notes: asking.notes().clone(),
        };
        reading.open()?;
        Ok(reading)
    }

    /// The next bytes: at most a slice.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, S3Error> {
        self.open()?;
        Ok(self.opened())
    }

    /// Opens the chunk with the next bytes, if there are any and it is not open.
    fn open(&mut self) -> Result<(), S3Error> {
        let opened = self.open_next();
        // Once the reply has begun, nobody else hears why it is broken off.
        refusal::noting(opened, &self.notes)
    }

    fn open_next(&mut self) -> Result<(), S3Error> {
        loop {
            if let Some((reader, range)) = &mut self.current {
                if reader.is_open_at(range.start) && !range.is_empty() {
                    return Ok(());
                }
                let turn = OPEN.turn();
                let read = reader.read_range(range.clone());
                let is_over = read.map_err(|error| refusal::from_store(&error))?.is_empty();
                drop(turn);
                if !is_over {
                    return Ok(());
                }
            }
            let Some(piece) = self.pieces.as_mut().and_then(Iterator::next) else {
                self.current = None;
                return Ok(());
            };
            let store = &self.backing.store;
            let reader = store.segment_reader(piece.segment, &self.backing.kms, &self.permit, &self.context);
            let reader = reader.map_err(|error| refusal::from_store(&error))?;
            self.current = Some((reader, piece.range));
        }
    }

    /// A copy of the next bytes of the chunk that is open: it may be closed while they are sent.
    fn opened(&mut self) -> Option<Bytes> {
        let (reader, range) = self.current.as_mut()?;
        if !reader.is_open_at(range.start) {
            return None;
        }
        let end = range.end.min(range.start.saturating_add(SLICE));
        let read = reader.read_range(range.start..end).ok()?;
        let mut slice = Gathered::with_room(read.len());
        slice.append(read, read.len());
        range.start = range.start.saturating_add(read.len() as u64);
        self.left = self.left.saturating_sub(read.len() as u64);
        Some(slice.freeze()).filter(|slice| !slice.is_empty())
    }

    /// As the body of a reply.
    pub(crate) fn into_stream(self) -> StreamingBlob {
        let left = self.left;
        let reading = Arc::new(Mutex::new(self));
        OPEN.used(&reading);
        StreamingBlob::new(Outgoing {
            reading,
            left,
            opening: None,
        })
    }
}

impl Chunk for Reading {
    fn forget(&mut self) {
        if let Some((reader, _)) = &mut self.current {
            reader.forget();
        }
    }
}

/// The body of a reply. Dropping it ends the reading after the chunk that is being opened.
struct Outgoing {
    reading: Arc<Mutex<Reading>>,
    left: u64,
    opening: Option<JoinHandle<Result<(), S3Error>>>,
}

impl Outgoing {
    /// Has the next chunk opened where it may wait for the disk.
    fn open(&mut self) {
        let reading = Arc::clone(&self.reading);
        self.opening = Some(tokio::task::spawn_blocking(move || {
            let opened = locked(&reading).open();
            OPEN.used(&reading);
            opened
        }));
    }

    /// The next bytes of what is open. If they are its last ones, what is behind them is opened while they are sent.
    fn take(&mut self) -> Option<Bytes> {
        let mut reading = locked(&self.reading);
        let bytes = reading.opened()?;
        let is_open = reading
            .current
            .as_ref()
            .is_some_and(|(reader, range)| !range.is_empty() && reader.is_open_at(range.start));
        drop(reading);
        self.left = self.left.saturating_sub(bytes.len() as u64);
        if is_open {
            OPEN.used(&self.reading);
        } else if self.left > 0 {
            self.open();
        }
        Some(bytes)
    }
}

impl Stream for Outgoing {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        loop {
            if let Some(opening) = &mut self.opening {
                let opened = ready!(Pin::new(opening).poll(context));
                self.opening = None;
                match opened {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Poll::Ready(Some(Err(Box::new(error)))),
                    Err(stopped) => return Poll::Ready(Some(Err(Box::new(stopped)))),
                }
            }
            if let Some(bytes) = self.take() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if locked(&self.reading).current.is_none() {
                // There is less than was remembered: the reply is short, and so broken off.
                return Poll::Ready(None);
            }
            // It was never opened, or others needed its room.
            self.open();
        }
    }
}

impl ByteStream for Outgoing {
    fn remaining_length(&self) -> RemainingLength {
        RemainingLength::new_exact(usize::try_from(self.left).unwrap_or(usize::MAX))
    }
}
