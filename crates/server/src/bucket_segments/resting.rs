//! A segment that rests in a bucket, read in ranges. What is asked for somewhere is asked for exactly; what follows it is asked
//! for in ever longer ranges, of which no more is in memory than was asked for last.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use moho_kms::Sealer;
use moho_store::objects::{RestingSegment, SegmentId};
use moho_store::{PlaceProblem, StoreError};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore};

use super::Bucket;

/// Bytes of the first range: all of a small segment, and of a large one not so much that it is not read to its end.
const FIRST: u64 = 128 << 10;
/// Bytes of the longest range.
const LONGEST: u64 = 8 << 20;

type Pieces = Pin<Box<dyn Stream<Item = object_store::Result<Bytes>> + Send>>;

/// A segment of which at least the head was read.
pub(super) struct Resting {
    bucket: Arc<Bucket>,
    path: Path,
    length: u64,
    /// Its first bytes, for whoever begins again.
    head: Bytes,
    range: Option<Coming>,
    /// Where the last range ended, and how long it was.
    last: (u64, u64),
}

/// A range that comes in.
struct Coming {
    pieces: Pieces,
    /// What came and nobody has asked for yet.
    rest: Bytes,
    at: u64,
    end: u64,
}

impl Coming {
    async fn begin(
        bucket: &Bucket,
        path: &Path,
        range: std::ops::Range<u64>,
    ) -> object_store::Result<(Self, u64)> {
        let options = GetOptions::new().with_range(Some(range));
        let got = bucket.s3.get_opts(path, options).await?;
        let (size, range) = (got.meta.size, got.range.clone());
        let coming = Self {
            pieces: got.into_stream(),
            rest: Bytes::new(),
            at: range.start,
            end: range.end,
        };
        Ok((coming, size))
    }

    /// The next bytes, as many as are asked for, or as are left of the range. None, if the answer ends before the range.
    async fn take(mut self, most: u64) -> object_store::Result<Option<(Self, Vec<Bytes>)>> {
        let mut taken = Vec::new();
        let mut left = most.min(self.end.saturating_sub(self.at));
        while left > 0 {
            if self.rest.is_empty() {
                let next = std::future::poll_fn(|context| self.pieces.as_mut().poll_next(context));
                match next.await {
                    Some(piece) => self.rest = piece?,
                    None => return Ok(None),
                }
            }
            let many = usize::try_from(left).unwrap_or(usize::MAX).min(self.rest.len());
            let piece = self.rest.split_to(many);
            left = left.saturating_sub(piece.len() as u64);
            self.at = self.at.saturating_add(piece.len() as u64);
            taken.push(piece);
        }
        Ok(Some((self, taken)))
    }
}

impl Resting {
    pub(super) fn open(bucket: Arc<Bucket>, id: SegmentId) -> Result<Self, StoreError> {
        let path = bucket.path_of(id);
        let (asked, shared) = (path.clone(), Arc::clone(&bucket));
        let opened = bucket.carry(async move {
            let (coming, length) = Coming::begin(&shared, &asked, 0..FIRST).await?;
            let begun = coming.take(Sealer::HEAD_MAX as u64).await?;
            Ok(begun.map(|(coming, head)| (coming, head, length)))
        });
        let (coming, head, length) = match opened {
            Ok(Some(begun)) => begun,
            Ok(None) => return Err(bucket.problem(PlaceProblem::Nonsense)),
            Err(failure) if failure.absent => return Err(StoreError::SegmentAbsent(id)),
            // There is an object, and nothing in it.
            Err(failure) if failure.problem == PlaceProblem::Failed("InvalidRange".to_owned()) => {
                return Ok(Self::empty(bucket, path));
            }
            Err(failure) => return Err(bucket.failed(failure)),
        };
        Ok(Self {
            bucket,
            path,
            length,
            head: head.concat().into(),
            last: (coming.end, coming.end),
            range: Some(coming),
        })
    }

    fn empty(bucket: Arc<Bucket>, path: Path) -> Self {
        Self {
            bucket,
            path,
            length: 0,
            head: Bytes::new(),
            range: None,
            last: (0, 0),
        }
    }

    /// The bytes from `at` on, at most `most` of them and at least one.
    fn next(&mut self, at: u64, most: u64) -> Result<Vec<Bytes>, StoreError> {
        let coming = self.range.take_if(|coming| coming.at == at && at < coming.end);
        if let Some(left) = self.range.take() {
            self.leave(left);
        }
        let range = at..at.saturating_add(self.ahead(at, most)).min(self.length);
        if coming.is_none() {
            self.last = (range.end, range.end.saturating_sub(range.start));
        }
        let (bucket, path) = (Arc::clone(&self.bucket), self.path.clone());
        let taken = self.bucket.ask(async move {
            let coming = match coming {
                Some(coming) => coming,
                None => Coming::begin(&bucket, &path, range).await?.0,
            };
            coming.take(most).await
        })?;
        let Some((coming, pieces)) = taken else {
            return Err(self.bucket.problem(PlaceProblem::Nonsense));
        };
        self.range = Some(coming);
        Ok(pieces)
    }

    /// How much to ask for.
    fn ahead(&self, at: u64, most: u64) -> u64 {
        match self.last {
            (end, long) if end == at => most.max(long.saturating_mul(2).min(LONGEST)),
            _ => most,
        }
    }

    /// Leaves a range before its end: a short rest is read, so that the connection is of use again.
    fn leave(&self, coming: Coming) {
        let left = coming.end.saturating_sub(coming.at);
        if (1..=FIRST).contains(&left) {
            let whole = self.bucket.patience.whole;
            self.bucket
                .courier
                .send_off(whole, async move { drop(coming.take(left).await) });
        }
    }
}

impl RestingSegment for Resting {
    fn length(&self) -> u64 {
        self.length
    }

    fn read(&mut self, from: u64, into: &mut [u8]) -> Result<usize, StoreError> {
        let mut done = 0_usize;
        loop {
            let at = from.saturating_add(done as u64);
            let room = into.len().saturating_sub(done);
            if room == 0 || at >= self.length {
                return Ok(done);
            }
            let begun = usize::try_from(at).ok().and_then(|at| self.head.get(at..));
            let pieces = match begun {
                Some(head) if !head.is_empty() => vec![Bytes::copy_from_slice(head)],
                Some(_) | None => self.next(at, room as u64)?,
            };
            let before = done;
            for piece in &pieces {
                let place = into.get_mut(done..).unwrap_or_default();
                let many = piece.len().min(place.len());
                let (place, _) = place.split_at_mut(many);
                place.copy_from_slice(piece.get(..many).unwrap_or_default());
                done = done.saturating_add(many);
            }
            if done == before {
                return Err(self.bucket.problem(PlaceProblem::Nonsense));
            }
        }
    }
}

impl Drop for Resting {
    fn drop(&mut self) {
        if let Some(coming) = self.range.take() {
            self.leave(coming);
        }
    }
}
