//! Data keys that are used again: for the next object of the same context, or to open the same object another time.
//!
//! This spares work, and never a decision: whoever uses a data key has a permit for its KmsKey and asked for the key's
//! record just before. A data key is remembered for that very revision of the KmsKey, so that disabling a key, or any other
//! change of it, ends its data keys with the next use; and no data key is used more often, for more bytes or for longer
//! than [`USES`], [`BYTES`] and [`AGE`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use moho_os::LockedBytes;
use moho_terms::{KeyId, Stopwatch};

use crate::record::KeyRecord;

/// How often one is used at most.
const USES: u32 = 1000;
/// For how many bytes, at most.
const BYTES: usize = 64 << 20;
/// For how long, at most.
const AGE: Duration = Duration::from_secs(60);
/// How many are remembered at most: a page of locked memory each.
const REMEMBERED: usize = 256;

/// A data key in locked memory, and what it is under its KmsKey.
pub(crate) struct DataKeyInUse {
    pub(crate) plain: LockedBytes,
    pub(crate) blob: Vec<u8>,
}

/// What a data key is remembered for: sealing under a key and a context, or opening a blob under a context.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Purpose([u8; 32]);

impl Purpose {
    pub(crate) fn seal(key: &KeyId, context: &[u8; 32]) -> Self {
        Self::of(b"seal", key.as_str().as_bytes(), context)
    }

    pub(crate) fn open(blob: &[u8], context: &[u8; 32]) -> Self {
        Self::of(b"open", blob, context)
    }

    /// Only the one in the middle has more than one length.
    fn of(what: &[u8; 4], which: &[u8], context: &[u8; 32]) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        for part in [what, which, context.as_slice()] {
            hash.update(part);
        }
        let mut sum = [0; 32];
        sum.copy_from_slice(hash.finish().as_ref());
        Self(sum)
    }
}

/// The data keys that are remembered: none without a stopwatch.
#[derive(Default)]
pub(crate) struct DataKeys {
    stopwatch: Option<Arc<dyn Stopwatch>>,
    known: Mutex<HashMap<Purpose, Remembered>>,
}

struct Remembered {
    key: Arc<DataKeyInUse>,
    of: KeyId,
    revision: u64,
    since: Duration,
    uses: u32,
    bytes: usize,
}

impl Remembered {
    /// Whether it may be used once more, for so many bytes.
    fn lasts(&self, record: &KeyRecord, bytes: usize, now: Duration) -> bool {
        let young = now.checked_sub(self.since).is_some_and(|age| age < AGE);
        let more = self.bytes.checked_add(bytes).is_some_and(|bytes| bytes <= BYTES);
        (&self.of, self.revision) == (&record.key_id, record.revision) && young && more && self.uses < USES
    }
}

impl DataKeys {
    pub(crate) fn timed_by(stopwatch: Arc<dyn Stopwatch>) -> Self {
        Self {
            stopwatch: Some(stopwatch),
            known: Mutex::default(),
        }
    }

    /// The data key for this, if there is one that may be used for so many bytes more. The use is counted.
    pub(crate) fn find(
        &self,
        purpose: &Purpose,
        record: &KeyRecord,
        bytes: usize,
    ) -> Option<Arc<DataKeyInUse>> {
        let now = self.stopwatch.as_ref()?.elapsed();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get_mut(purpose)?;
        if !found.lasts(record, bytes, now) {
            known.remove(purpose);
            return None;
        }
        found.uses = found.uses.saturating_add(1);
        found.bytes = found.bytes.saturating_add(bytes);
        Some(Arc::clone(&found.key))
    }

    /// Remembers a data key that was used for so many bytes just now, unless it may not be used for more.
    pub(crate) fn remember(
        &self,
        purpose: Purpose,
        record: &KeyRecord,
        (key, bytes): (Arc<DataKeyInUse>, usize),
    ) {
        let Some(stopwatch) = &self.stopwatch else { return };
        if bytes >= BYTES {
            return;
        }
        let now = stopwatch.elapsed();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.retain(|_, other| now.checked_sub(other.since).is_some_and(|age| age < AGE));
        }
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let remembered = Remembered {
            key,
            of: record.key_id.clone(),
            revision: record.revision,
            since: now,
            uses: 1,
            bytes,
        };
        known.insert(purpose, remembered);
    }

    /// Wipes the data keys of a KmsKey, as soon as nobody uses them any more.
    pub(crate) fn forget(&self, key_id: &KeyId) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, key| key.of != *key_id);
    }

    /// Wipes the data keys that may not be used any more because of their age, or for whose KmsKey and its revision
    /// `is_current` does not hold.
    pub(crate) fn retain(&self, is_current: impl Fn(&KeyId, u64) -> bool) {
        let Some(stopwatch) = &self.stopwatch else { return };
        let now = stopwatch.elapsed();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, key| {
            let young = now.checked_sub(key.since).is_some_and(|age| age < AGE);
            young && is_current(&key.of, key.revision)
        });
    }
}
