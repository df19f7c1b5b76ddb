//! What is being read: segments that stay though nobody needs them any more, until whoever is reading them is done.
//!
//! Of this process alone: another one's sweep knows nothing of it, and waits for a while only.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Piece, SegmentId};

/// Segments by how many readers they have.
#[derive(Default)]
pub(crate) struct Held(Mutex<HashMap<SegmentId, usize>>);

impl Held {
    fn counts(&self) -> MutexGuard<'_, HashMap<SegmentId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, segments: &[SegmentId]) {
        let mut counts = self.counts();
        for segment in segments {
            let count = counts.entry(*segment).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn release(&self, segments: &[SegmentId]) {
        let mut counts = self.counts();
        for segment in segments {
            let left = counts.get_mut(segment).map(|count| {
                *count = count.saturating_sub(1);
                *count
            });
            if left == Some(0) {
                counts.remove(segment);
            }
        }
    }

    /// Those that somebody is reading now.
    pub(crate) fn all(&self) -> HashSet<SegmentId> {
        self.counts().keys().copied().collect()
    }
}

/// The pieces that a range of an object's bytes consists of, in their order. What of them rests in files stays there until
/// this is dropped, even if the object is deleted.
pub struct Pieces {
    left: VecDeque<Piece>,
    segments: Vec<SegmentId>,
    held: Arc<Held>,
}

impl Pieces {
    pub(super) fn new(pieces: Vec<Piece>, held: &Arc<Held>) -> Self {
        let in_files = pieces.iter().filter(|piece| piece.segment.inline.is_none());
        let segments: Vec<SegmentId> = in_files.map(|piece| piece.segment.id()).collect();
        held.hold(&segments);
        Self {
            left: pieces.into(),
            segments,
            held: Arc::clone(held),
        }
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        self.left.pop_front()
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.held.release(&self.segments);
    }
}
