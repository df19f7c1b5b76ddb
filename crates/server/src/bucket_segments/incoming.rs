//! A segment on its way to a bucket: gathered into parts, each of which is sent when it is full and more is to come.

use std::sync::Arc;

use bytes::Bytes;
use moho_store::StoreError;
use moho_store::objects::{IncomingSegment, SegmentId};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use super::Seat;
use super::drafts::{Draft, Drafts};

/// Bytes of a part. Services ask for at least 5 MiB, and take ten thousand of them.
pub(super) const PART: usize = 8 << 20;

/// A segment that is not kept yet. Dropped, it is given up.
pub(super) struct Incoming {
    seat: Seat,
    drafts: Drafts,
    id: SegmentId,
    path: Path,
    part: Vec<u8>,
    length: u64,
    sent: Sent,
}

/// What has become of the parts before.
enum Sent {
    /// There are none.
    Nothing,
    /// They wait for the rest.
    Parts(Upload),
    /// One of them could not be sent.
    Failed,
}

struct Upload {
    name: String,
    parts: Vec<PartId>,
    draft: Draft,
}

impl Incoming {
    pub(super) fn new(id: SegmentId, seat: Seat, drafts: Drafts) -> Self {
        let path = seat.0.path_of(id);
        Self {
            seat,
            drafts,
            id,
            path,
            part: Vec::new(),
            length: 0,
            sent: Sent::Nothing,
        }
    }

    /// Sends the part that was gathered.
    fn send(&mut self) -> Result<(), StoreError> {
        let mut upload = match std::mem::replace(&mut self.sent, Sent::Failed) {
            Sent::Failed => return Err(StoreError::SegmentUnfinished),
            Sent::Parts(upload) => upload,
            Sent::Nothing => self.begin()?,
        };
        let part = PutPayload::from(Bytes::from(std::mem::take(&mut self.part)));
        let (bucket, path) = (Arc::clone(&self.seat.0), self.path.clone());
        let (name, number) = (upload.name.clone(), upload.parts.len());
        let sent = self
            .seat
            .0
            .ask(async move { bucket.s3.put_part(&path, &name, number, part).await });
        match sent {
            Ok(part) => {
                upload.parts.push(part);
                self.sent = Sent::Parts(upload);
                Ok(())
            }
            Err(error) => {
                self.give_up(upload);
                Err(error)
            }
        }
    }

    fn begin(&self) -> Result<Upload, StoreError> {
        let (bucket, path) = (Arc::clone(&self.seat.0), self.path.clone());
        let name = self
            .seat
            .0
            .ask(async move { bucket.s3.create_multipart(&path).await })?;
        let draft = self.drafts.note(self.id, &name)?;
        Ok(Upload {
            name,
            parts: Vec::new(),
            draft,
        })
    }

    /// All of it at once, if there is no more than one part.
    fn put(&mut self) -> Result<(), StoreError> {
        let payload = PutPayload::from(Bytes::from(std::mem::take(&mut self.part)));
        let (bucket, path) = (Arc::clone(&self.seat.0), self.path.clone());
        self.seat
            .0
            .ask(async move { bucket.s3.put(&path, payload).await })
            .map(drop)
    }

    fn complete(&self, upload: Upload) -> Result<(), StoreError> {
        let (bucket, path, length) = (Arc::clone(&self.seat.0), self.path.clone(), self.length);
        let (name, parts) = (upload.name.clone(), upload.parts.clone());
        let completed = self.seat.0.ask(async move {
            match bucket.s3.complete_multipart(&path, &name, parts).await {
                Ok(_kept) => Ok(()),
                // Asked once more, it may have been completed by what was asked before.
                Err(error) => match bucket.s3.head(&path).await {
                    Ok(found) if found.size == length => Ok(()),
                    Ok(_) | Err(_) => Err(error),
                },
            }
        });
        match completed {
            Ok(()) => {
                upload.draft.forget();
                Ok(())
            }
            Err(error) => {
                self.give_up(upload);
                Err(error)
            }
        }
    }

    /// Has the parts thrown away. Nobody waits for it, as nobody may where this is dropped; if it cannot be done, it is done at
    /// the next start.
    fn give_up(&self, upload: Upload) {
        let (bucket, path) = (Arc::clone(&self.seat.0), self.path.clone());
        let whole = bucket.patience.whole;
        self.seat.0.courier.send_off(whole, async move {
            if bucket.s3.abort_multipart(&path, &upload.name).await.is_ok() {
                upload.draft.forget();
            }
        });
    }
}

impl IncomingSegment for Incoming {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.part.len() >= PART {
                self.send()?;
            }
            let room = PART.saturating_sub(self.part.len());
            let (now, after) = rest.split_at(rest.len().min(room));
            if self.part.capacity() < self.part.len().saturating_add(now.len()) {
                // Twice as much each time, but never more than a part.
                self.part.reserve_exact(now.len().max(self.part.len()).min(room));
            }
            self.part.extend_from_slice(now);
            self.length = self.length.saturating_add(now.len() as u64);
            rest = after;
        }
        if matches!(self.sent, Sent::Failed) {
            return Err(StoreError::SegmentUnfinished);
        }
        Ok(())
    }

    fn keep(mut self: Box<Self>) -> Result<(), StoreError> {
        match self.sent {
            Sent::Nothing => return self.put(),
            Sent::Parts(_) => self.send()?,
            Sent::Failed => return Err(StoreError::SegmentUnfinished),
        }
        match std::mem::replace(&mut self.sent, Sent::Failed) {
            Sent::Parts(upload) => self.complete(upload),
            Sent::Nothing | Sent::Failed => Err(StoreError::SegmentUnfinished),
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Sent::Parts(upload) = std::mem::replace(&mut self.sent, Sent::Failed) {
            self.give_up(upload);
        }
    }
}
