//! Another root instead of the one there is, while everything goes on.
//!
//! 1. The new root comes into the file, before the old one. From here on whoever wraps anything wraps it by the new one,
//!    in every process, because of [`RootWriting`](crate::RootWriting).
//! 2. Every key that is under an older root is put under the new one, each by compare-and-swap. Who meets a key that is
//!    under a root it does not know reads the file again.
//! 3. When all of them were gone through and none was left, nor any material in them, the old root leaves the file.
//!
//! All that has been done is on the disk, in this order, and nothing else is needed to go on: whenever this was stopped,
//! doing it again finishes it.

#[cfg(test)]
mod stale;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;

use moho_terms::{Entropy, KeyId};

use super::{RootKey, RootKeyError, RootRing, StoreKey};
use crate::error::KmsError;
use crate::kept::{KeptKey, KeyRecords, RecordsUnavailable};
use crate::material::is_all_under;
use crate::record::{KeyRecord, encode, legacy_root, upgrade, verify};

/// How many keys are looked at together.
const BATCH: usize = 100;
/// How often keys that others change all the time are gone through at most.
const PASSES: usize = 100;

/// The root could not be rotated, or not to the end. Doing it again goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootRotationError {
    /// The root key file cannot be read, locked or written.
    #[error(transparent)]
    Root(#[from] RootKeyError),
    /// The keys cannot be read or written.
    #[error(transparent)]
    Records(#[from] RecordsUnavailable),
    /// A key cannot be put under the new root, though it is whole.
    #[error("the keys cannot be put under the new root")]
    Key(#[from] KmsError),
    /// Keys that are damaged, and may come back from a backup as long as the old root is there.
    #[error(
        "{} of the keys cannot be read ({}): bring them back from a backup and rotate again, or give them up; \
         until then the old root stays", .0.len(), listed(.0)
    )]
    Damaged(Vec<KeyId>),
    /// Others change the same keys without end.
    #[error("the keys are being changed all the time: rotate again")]
    Busy,
    /// Whoever watches did not want to go on.
    #[error("the rotation was stopped: rotate again to go on")]
    Stopped,
}

fn listed(keys: &[KeyId]) -> String {
    let some: Vec<&str> = keys.iter().take(5).map(KeyId::as_str).collect();
    let more = if keys.len() > some.len() { ", …" } else { "" };
    format!("{}{more}", some.join(", "))
}

/// How far a rotation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootRotationStep {
    /// The new root is in the file; `resumed` if an earlier rotation had brought it there.
    Begun {
        /// Whether it goes on with an earlier one.
        resumed: bool,
    },
    /// So many keys were put under the new root.
    Rewrapped {
        /// So far.
        keys: usize,
    },
    /// All keys were gone through, but others changed some of them meanwhile: once more, after a moment.
    Again,
    /// The old root has left the file.
    Ended,
}

/// What a rotation is to do besides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RootRotationWish {
    /// Whether the seed is new, too, which ends all sessions once every moho was restarted.
    pub new_seed: bool,
    /// Whether damaged keys are given up: no backup of them from before is of use any more.
    pub give_up_damaged: bool,
}

/// A rotation of the root of these keys.
pub struct RootRotation<'a> {
    root: &'a RootKey,
    /// What this rotation has put into the file, whatever others read there meanwhile.
    ring: Arc<RootRing>,
    records: &'a dyn KeyRecords,
    entropy: &'a dyn Entropy,
    rewrapped: usize,
}

/// What one look at all keys found.
#[derive(Default)]
struct Pass {
    /// Others were faster.
    conflicts: bool,
    damaged: Vec<KeyId>,
}

impl<'a> RootRotation<'a> {
    /// Of the root that all of `records` are under.
    #[must_use]
    pub fn new(root: &'a RootKey, records: &'a dyn KeyRecords, entropy: &'a dyn Entropy) -> Self {
        Self {
            root,
            ring: root.ring(),
            records,
            entropy,
            rewrapped: 0,
        }
    }

    /// Rotates, or goes on with a rotation that was stopped, and says how many keys it put under the new root. `watch`
    /// hears of each step when it is done, and may stop there.
    ///
    /// # Errors
    /// [`RootRotationError`]; then all keys can be used as before.
    pub fn run(
        mut self,
        wish: RootRotationWish,
        watch: &mut dyn FnMut(RootRotationStep) -> ControlFlow<()>,
    ) -> Result<usize, RootRotationError> {
        let _alone = self.root.rotating()?;
        self.ring = self.root.reload()?;
        let resumed = !self.ring.previous().is_empty();
        if !resumed || wish.new_seed {
            self.ring = self
                .root
                .replace(|ring| next(ring, wish, self.entropy), self.entropy)?;
        }
        told(watch, RootRotationStep::Begun { resumed })?;
        self.rewrap_all(wish, watch)?;
        self.rewrap_store_key()?;
        self.root
            .replace(|ring| Ok(ring.without_previous()), self.entropy)?;
        self.records.shred();
        told(watch, RootRotationStep::Ended)?;
        Ok(self.rewrapped)
    }

    /// Goes through all keys until none is left that is under another root than the current one.
    fn rewrap_all(
        &mut self,
        wish: RootRotationWish,
        watch: &mut dyn FnMut(RootRotationStep) -> ControlFlow<()>,
    ) -> Result<(), RootRotationError> {
        for _ in 0..PASSES {
            let pass = self.pass(watch)?;
            if pass.conflicts {
                told(watch, RootRotationStep::Again)?;
            } else if pass.damaged.is_empty() || wish.give_up_damaged {
                return Ok(());
            } else {
                return Err(RootRotationError::Damaged(pass.damaged));
            }
        }
        Err(RootRotationError::Busy)
    }

    /// Puts the key that authenticates the store under the current root.
    fn rewrap_store_key(&self) -> Result<(), RootRotationError> {
        for _ in 0..PASSES {
            let Some(was) = self.records.store_key()? else {
                return Ok(());
            };
            let current = self.ring.current();
            if StoreKey::is_under(&was, current) {
                return Ok(());
            }
            let now = StoreKey::unwrap(&was, self.root)?.wrap(current, self.entropy)?;
            if self.records.replace_store_key(&was, &now)? {
                return Ok(());
            }
        }
        Err(RootRotationError::Busy)
    }

    fn pass(
        &mut self,
        watch: &mut dyn FnMut(RootRotationStep) -> ControlFlow<()>,
    ) -> Result<Pass, RootRotationError> {
        let mut pass = Pass::default();
        let mut after = None;
        loop {
            let batch = self.records.all(after.as_ref(), BATCH)?;
            let Some(last) = batch.last() else {
                return Ok(pass);
            };
            after = Some(last.key_id.clone());
            for kept in &batch {
                match self.rewrap(kept) {
                    Ok(Done::Already) => {}
                    Ok(Done::Rewrapped) => {
                        self.rewrapped = self.rewrapped.saturating_add(1);
                        let keys = self.rewrapped;
                        told(watch, RootRotationStep::Rewrapped { keys })?;
                    }
                    Ok(Done::Changed) => pass.conflicts = true,
                    Err(KmsError::DamagedRecord(key)) => pass.damaged.push(key),
                    // It was no key of this ring's to begin with, and this ring is not what is missing.
                    Err(KmsError::OtherRoot(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    /// Puts one key under the current root: its record, and all of its materials.
    fn rewrap(&self, kept: &Arc<KeptKey>) -> Result<Done, KmsError> {
        let Some(record) = self.record(kept)? else {
            return Ok(Done::Already);
        };
        let key = encode(&record, (self.root, self.entropy))?;
        let rewrapped = self.records.replace(&key, kept.revision)?;
        Ok(if rewrapped { Done::Rewrapped } else { Done::Changed })
    }

    /// What a key becomes; `None` if it is under the current root, and so is all that is wrapped in it.
    fn record(&self, kept: &Arc<KeptKey>) -> Result<Option<KeyRecord>, KmsError> {
        if legacy_root(kept).is_some() {
            return upgrade(kept, self.root, self.entropy);
        }
        let current = self.ring.current();
        let is_under = KeyRecord::root_of(&kept.record) == Ok(Some(current.fingerprint()));
        if is_under && KeyRecord::peek(&kept.record).is_ok_and(|record| is_all_under(&record, current)) {
            return Ok(None);
        }
        let mut record = verify(kept, self.root)?;
        record.revision = kept.revision.saturating_add(1);
        Ok(Some(record))
    }
}

/// What became of one key.
enum Done {
    /// It is under the current root.
    Already,
    /// It was put under it.
    Rewrapped,
    /// Somebody else changed it meanwhile.
    Changed,
}

fn next(ring: RootRing, wish: RootRotationWish, entropy: &dyn Entropy) -> Result<RootRing, RootKeyError> {
    let ring = if ring.previous().is_empty() {
        ring.with_new_root(entropy)?
    } else {
        ring
    };
    if wish.new_seed {
        ring.with_new_seed(entropy)
    } else {
        Ok(ring)
    }
}

fn told(
    watch: &mut dyn FnMut(RootRotationStep) -> ControlFlow<()>,
    step: RootRotationStep,
) -> Result<(), RootRotationError> {
    match watch(step) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(RootRotationError::Stopped),
    }
}
