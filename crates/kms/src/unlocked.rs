//! Keys that were read, verified and, if they are used, unwrapped: remembered for as long as what is kept of them is the
//! same.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use moho_os::LockedBytes;
use moho_terms::{Arn, KeyId, Timestamp};
use zeroize::Zeroizing;

use crate::asymmetric::PreparedKey;
use crate::error::KmsError;
use crate::kept::KeptKey;
use crate::key_id::{self, KEY_ID};
use crate::material::{Part, unwrap};
use crate::record::{KeyRecord, KeyState, MaterialId, MaterialState, verify};
use crate::root::RootKey;

/// How many keys are remembered at most: each that is used has a page of locked memory.
const REMEMBERED: usize = 1024;

/// A key whose record is true.
pub(crate) struct Unlocked {
    /// What it was read from.
    kept: Arc<KeptKey>,
    pub(crate) record: Arc<KeyRecord>,
    pub(crate) arn: Arn,
    /// Its id as ciphertext carries it.
    pub(crate) id: [u8; KEY_ID],
    materials: OnceLock<Materials>,
    prepared: OnceLock<PreparedKey>,
}

/// The unwrapped materials of one key, in one place.
struct Materials {
    bytes: LockedBytes,
    ranges: Vec<(MaterialId, Range<usize>)>,
    /// Which of them encrypts, if it is there.
    current: Option<usize>,
}

/// One material of a key, in locked memory.
#[derive(Clone, Copy)]
pub(crate) struct Opened<'a> {
    pub(crate) id: &'a MaterialId,
    pub(crate) bytes: &'a [u8],
}

impl Unlocked {
    fn read(kept: Arc<KeptKey>, root: &RootKey) -> Result<Self, KmsError> {
        let record = verify(&kept, root)?;
        let damaged = || KmsError::DamagedRecord(kept.key_id.clone());
        let arn = record.arn().map_err(|_no_arn| damaged())?;
        let id = key_id::to_bytes(&record.key_id).ok_or_else(damaged)?;
        Ok(Self {
            record: Arc::new(record),
            arn,
            id,
            materials: OnceLock::new(),
            prepared: OnceLock::new(),
            kept,
        })
    }

    /// Its state at `now`.
    pub(crate) fn state_at(&self, now: Timestamp) -> KeyState {
        self.record.state_at(now)
    }

    /// The material that encrypts.
    pub(crate) fn current(&self, root: &RootKey) -> Result<Opened<'_>, KmsError> {
        let materials = self.materials(root)?;
        materials
            .current
            .and_then(|current| materials.ranges.get(current))
            .and_then(|found| materials.opened(found))
            .ok_or_else(|| self.pending_import())
    }

    /// The key, ready to do what keys do that are not symmetric.
    pub(crate) fn prepared(&self, root: &RootKey) -> Result<&PreparedKey, KmsError> {
        if let Some(prepared) = self.prepared.get() {
            return Ok(prepared);
        }
        let material = self.current(root)?;
        let prepared = PreparedKey::from_material(self.record.spec, self.record.usage, material.bytes)?;
        Ok(self.prepared.get_or_init(|| prepared))
    }

    /// The first material that the key had. Sealed objects of version 1, which name none, are under it.
    pub(crate) fn first(&self, root: &RootKey) -> Result<Opened<'_>, KmsError> {
        let first = self.record.materials.first();
        let first = first.ok_or_else(|| self.pending_import())?;
        self.material(first.id.as_bytes(), root)?
            .ok_or_else(|| self.pending_import())
    }

    /// The material whose id begins with these bytes; `None` if the key has none such.
    pub(crate) fn material(&self, prefix: &[u8], root: &RootKey) -> Result<Option<Opened<'_>>, KmsError> {
        let materials = self.materials(root)?;
        let mut found = materials.ranges.iter();
        Ok(found
            .find(|(id, _)| id.as_bytes().starts_with(prefix))
            .and_then(|found| materials.opened(found)))
    }

    fn materials(&self, root: &RootKey) -> Result<&Materials, KmsError> {
        if let Some(materials) = self.materials.get() {
            return Ok(materials);
        }
        let opened = Materials::open(&self.record, root)?.ok_or_else(|| self.pending_import())?;
        Ok(self.materials.get_or_init(|| opened))
    }

    fn pending_import(&self) -> KmsError {
        KmsError::InvalidState(self.arn.clone(), "pending import")
    }
}

impl Materials {
    /// Those that are there of what the key encrypts and decrypts with; `None` if there are none.
    fn open(record: &KeyRecord, root: &RootKey) -> Result<Option<Self>, KmsError> {
        let mut plain = Vec::with_capacity(record.materials.len());
        let mut current = None;
        for material in &record.materials {
            let Some(wrapped) = &material.wrapped else {
                continue;
            };
            match material.state {
                MaterialState::Current => current = Some(plain.len()),
                MaterialState::NonCurrent => {}
                MaterialState::PendingRotation => continue,
            }
            plain.push((
                material.id,
                unwrap(record, (Part::Material, &material.id), wrapped, root)?,
            ));
        }
        if plain.is_empty() {
            return Ok(None);
        }
        let bytes = LockedBytes::zeroed(plain.iter().map(|(_, plain)| plain.len()).sum())?;
        let gathered = Self::gather(bytes, &plain, current);
        gathered
            .map(Some)
            .ok_or_else(|| KmsError::DamagedRecord(record.key_id.clone()))
    }

    fn gather(
        mut bytes: LockedBytes,
        plain: &[(MaterialId, Zeroizing<Vec<u8>>)],
        current: Option<usize>,
    ) -> Option<Self> {
        let mut ranges = Vec::with_capacity(plain.len());
        let mut start = 0_usize;
        for (id, plain) in plain {
            let range = start..start.checked_add(plain.len())?;
            bytes.expose_mut().get_mut(range.clone())?.copy_from_slice(plain);
            start = range.end;
            ranges.push((*id, range));
        }
        Some(Self {
            bytes,
            ranges,
            current,
        })
    }

    fn opened<'a>(&'a self, (id, range): &'a (MaterialId, Range<usize>)) -> Option<Opened<'a>> {
        self.bytes
            .expose()
            .get(range.clone())
            .map(|bytes| Opened { id, bytes })
    }
}

/// The keys that are remembered.
#[derive(Default)]
pub(crate) struct Remembered(RwLock<HashMap<KeyId, Arc<Unlocked>>>);

impl Remembered {
    /// The key that is kept as `kept`: remembered, if it was read from this very thing, or read anew.
    pub(crate) fn key(&self, kept: Arc<KeptKey>, root: &RootKey) -> Result<Arc<Unlocked>, KmsError> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known
            .get(&kept.key_id)
            .filter(|key| Arc::ptr_eq(&key.kept, &kept))
        {
            return Ok(Arc::clone(key));
        }
        drop(known);
        let key_id = kept.key_id.clone();
        let read = Unlocked::read(kept, root).map(Arc::new);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Ok(key) = &read else {
            known.remove(&key_id);
            return read;
        };
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key_id, Arc::clone(key));
        read
    }

    /// Wipes what is remembered of a key, as soon as nobody uses it any more.
    pub(crate) fn forget(&self, key_id: &KeyId) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.remove(key_id);
    }

    /// Wipes the keys for which `is_current` does not hold.
    pub(crate) fn retain(&self, is_current: impl Fn(&Arc<KeptKey>) -> bool) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<_> = known.values().map(|key| Arc::clone(&key.kept)).collect();
        drop(known);
        // Whoever keeps the keys is asked without a lock in hand.
        for kept in all.iter().filter(|kept| !is_current(kept)) {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if known
                .get(&kept.key_id)
                .is_some_and(|key| Arc::ptr_eq(&key.kept, kept))
            {
                known.remove(&kept.key_id);
            }
        }
    }
}
