//! What the installation does to keys by itself, when its time has come, and once after an upgrade.

use std::sync::Arc;

use moho_terms::{Arn, KeyId, Timestamp};

use super::{Kms, TRIES};
use crate::error::KmsError;
use crate::record::{KeyRecord, KeyState, RotationType, encode, upgrade};

/// How many keys are looked at in one go.
const BATCH: usize = 1000;

/// What was done to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueKind {
    /// It got new material.
    Rotated,
    /// It was deleted, and all that is under it with it.
    Deleted,
    /// Imported material ended and was deleted.
    MaterialExpired,
}

/// What was done to one key, or why it was not.
#[derive(Debug)]
pub struct Due {
    /// Which.
    pub key_id: KeyId,
    /// Its name, if it could be read.
    pub key: Option<Arn>,
    /// What was done.
    pub done: Result<Vec<DueKind>, KmsError>,
}

impl Kms {
    /// Does what is due now: rotations, deletions, the end of imported material; and wipes what is remembered of keys
    /// that were changed elsewhere. What is late is not usable in the meantime. One key's failure is no other's: all that
    /// are due have their turn.
    ///
    /// # Errors
    /// [`KmsError::Records`] if nothing can be read.
    pub fn run_due(&self) -> Result<Vec<Due>, KmsError> {
        self.remembered.retain(|kept| {
            let now = self.records.get(&kept.key_id);
            matches!(now, Ok(Some(now)) if Arc::ptr_eq(&now, kept))
        });
        self.data_keys.retain(|key_id, revision| {
            let now = self.records.get(key_id);
            matches!(now, Ok(Some(now)) if now.revision == revision)
        });
        let done = self.run_all()?;
        let expired = |due: &Due| matches!(&due.done, Ok(kinds) if kinds.contains(&DueKind::MaterialExpired));
        if done.iter().any(expired) {
            self.records.shred();
        }
        Ok(done)
    }

    /// Has keys that are to be deleted before `until` wait until then: whoever has them in an earlier state back, such as from a
    /// backup, must have time to say that they are to stay. One key's failure is no other's. Gives how many there were.
    ///
    /// # Errors
    /// [`KmsError`] if nothing can be read, or of the first key that could not be postponed: then nothing may be done to keys.
    pub fn postpone_deletions(&self, until: Timestamp) -> Result<usize, KmsError> {
        let (mut after, mut postponed, mut failed) = (None, 0_usize, None);
        loop {
            let batch = self.records.due(until, after.as_ref(), BATCH)?;
            let Some(last) = batch.last() else {
                return failed.map_or(Ok(postponed), Err);
            };
            after = Some(last.clone());
            for (_, key_id) in batch {
                match self.postpone(&key_id, until) {
                    Ok(true) => postponed = postponed.saturating_add(1),
                    Ok(false) => {}
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
        }
    }

    fn postpone(&self, key_id: &KeyId, until: Timestamp) -> Result<bool, KmsError> {
        for _ in 0..TRIES {
            let Some(kept) = self.records.get(key_id)? else {
                return Ok(false);
            };
            let key = self.remembered.key(kept, &self.root)?;
            if !key.record.is_gone(until) || key.record.state == (KeyState::PendingDeletion { at: until }) {
                return Ok(false);
            }
            let mut record = KeyRecord::clone(&key.record);
            record.state = KeyState::PendingDeletion { at: until };
            if self.replace(record)? {
                return Ok(true);
            }
        }
        Err(KmsError::Conflict)
    }

    fn run_all(&self) -> Result<Vec<Due>, KmsError> {
        let (by, mut after, mut done) = (self.clock.now(), None, Vec::new());
        loop {
            let batch = match self.records.due(by, after.as_ref(), BATCH) {
                Ok(batch) => batch,
                // What was done has to be told.
                Err(_) if !done.is_empty() => return Ok(done),
                Err(error) => return Err(error.into()),
            };
            let Some(last) = batch.last() else {
                return Ok(done);
            };
            after = Some(last.clone());
            done.extend(batch.into_iter().map(|(_, key_id)| self.run_one(key_id)));
        }
    }

    fn run_one(&self, key_id: KeyId) -> Due {
        let mut key = None;
        let mut done = Err(KmsError::Conflict);
        for _ in 0..TRIES {
            match self.try_one(&key_id, &mut key) {
                Ok(None) => {}
                Ok(Some(kinds)) => {
                    done = Ok(kinds);
                    break;
                }
                Err(error) => {
                    done = Err(error);
                    break;
                }
            }
        }
        Due { key_id, key, done }
    }

    /// Does what is due to one key; `None` if it was changed meanwhile.
    fn try_one(&self, key_id: &KeyId, name: &mut Option<Arn>) -> Result<Option<Vec<DueKind>>, KmsError> {
        let now = self.clock.now();
        let Some(kept) = self.records.get(key_id)? else {
            return Ok(Some(Vec::new()));
        };
        let key = self.remembered.key(kept, &self.root)?;
        *name = Some(key.arn.clone());
        if key.record.is_gone(now) {
            let removed = self.records.remove(key_id, key.record.revision)?;
            self.remembered.forget(key_id);
            return Ok(removed.then(|| vec![DueKind::Deleted]));
        }
        let mut record = KeyRecord::clone(&key.record);
        let kinds = self.bring_up_to(&mut record, now)?;
        Ok((kinds.is_empty() || self.replace(record)?).then_some(kinds))
    }

    fn bring_up_to(&self, record: &mut KeyRecord, now: Timestamp) -> Result<Vec<DueKind>, KmsError> {
        let mut kinds = Vec::new();
        for material in &mut record.materials {
            if material.wrapped.is_some() && !material.is_present(now) {
                material.wrapped = None;
                material.valid_to = None;
                kinds.push(DueKind::MaterialExpired);
            }
        }
        record.forget_absent_pending(now);
        if record.state != KeyState::Enabled {
            return Ok(kinds);
        }
        if let Some(mut rotation) = record.rotation.filter(|rotation| rotation.next_at <= now) {
            self.rotate(record, RotationType::Automatic, now)?;
            rotation.next_at = rotation.after(now);
            record.rotation = Some(rotation);
            kinds.push(DueKind::Rotated);
        }
        Ok(kinds)
    }

    /// Brings the keys of older versions of moho into today's form, with the material that they have. To be called once,
    /// before anything is used; gives how many there were. It may be called again, and ended anywhere.
    ///
    /// # Errors
    /// [`KmsError`] for the first key that cannot be upgraded; those before it are.
    pub fn upgrade(&self) -> Result<usize, KmsError> {
        let (mut after, mut upgraded) = (None, 0_usize);
        loop {
            let batch = self.records.all(after.as_ref(), BATCH)?;
            let Some(last) = batch.last() else {
                return Ok(upgraded);
            };
            after = Some(last.key_id.clone());
            for kept in &batch {
                let Some(record) = upgrade(kept, &self.root, &*self.entropy)? else {
                    continue;
                };
                let key = encode(&record, (&self.root, &*self.entropy))?;
                if self.records.replace(&key, kept.revision)? {
                    upgraded = upgraded.saturating_add(1);
                }
            }
        }
    }
}
