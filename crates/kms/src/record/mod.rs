//! A KmsKey as it rests: what it is for, who may use it, and its materials, wrapped by the root key.

mod codec;
mod legacy;
mod material;
mod state;
mod text;

use std::collections::BTreeMap;

use moho_terms::{AccountId, Arn, ArnError, KeyId, Region, Timestamp};
use serde::{Deserialize, Serialize};

pub use codec::{KeyToKeep, RecordError};
pub use legacy::{LegacyKey, LegacyState};
pub use material::{Material, MaterialId, MaterialIdError, MaterialState, Rotated, RotationType};
pub use state::KeyState;

#[cfg(test)]
pub(crate) use codec::written;
pub(crate) use codec::{encode, reprint, verify};
pub(crate) use legacy::{legacy_root, upgrade};
pub(crate) use material::Wrapped;

use crate::spec::{KeySpec, KeyUsage, Origin};
use text::{micros, named};

/// The key that a key is, without its secrets: what `DescribeKey`, policies and lists read.
///
/// Read by [`KeyRecord::peek`] it is what the disk says; [`Kms`](crate::Kms) alone knows whether that is true.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyRecord {
    /// Which key.
    pub key_id: KeyId,
    /// Whose.
    #[serde(with = "named")]
    pub account: AccountId,
    /// Where.
    #[serde(with = "named")]
    pub region: Region,
    /// What kind of material it holds.
    #[serde(with = "named")]
    pub spec: KeySpec,
    /// What it is for.
    #[serde(with = "named")]
    pub usage: KeyUsage,
    /// Where its material comes from.
    #[serde(with = "named")]
    pub origin: Origin,
    /// What its owner says of it.
    pub description: String,
    /// The key policy, as its author wrote it.
    pub policy: String,
    /// Whom it names, with the unique ids that they had when it was written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub principals: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    #[serde(with = "micros")]
    pub created_at: Timestamp,
    /// Whether it may be used, as was last said; [`state_at`](Self::state_at) also sees what time has done.
    pub state: KeyState,
    /// How often it was changed, from 1.
    pub revision: u64,
    /// Its materials, in the order in which they came to be.
    pub materials: Vec<Material>,
    /// Its automatic rotation, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// How often it was rotated on demand.
    pub on_demand_rotations: u32,
}

/// When a key rotates by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// How often, in days.
    pub period_days: u32,
    /// The next time.
    #[serde(with = "micros")]
    pub next_at: Timestamp,
}

impl Rotation {
    /// The next time after `now`, a whole number of periods after the last one.
    pub(crate) fn after(&self, now: Timestamp) -> Timestamp {
        let period = u64::from(self.period_days).saturating_mul(86_400).max(1);
        let late = now.unix_seconds().saturating_sub(self.next_at.unix_seconds());
        let periods = (late / period).saturating_add(1);
        self.next_at.plus_seconds(periods.saturating_mul(period))
    }
}

impl KeyRecord {
    /// `arn:aws:kms:REGION:ACCOUNT:key/ID`.
    ///
    /// # Errors
    /// Never, in fact: an account, a region and a key id always make an ARN.
    pub fn arn(&self) -> Result<Arn, ArnError> {
        Arn::of(
            "kms",
            self.region.as_str(),
            self.account.as_str(),
            &format!("key/{}", self.key_id),
        )
    }

    /// The material that encrypts; `None` for a key whose first material was not yet imported.
    #[must_use]
    pub fn current(&self) -> Option<&Material> {
        self.materials
            .iter()
            .find(|material| material.state == MaterialState::Current)
    }

    /// The material that waits to become the current one.
    #[must_use]
    pub fn pending(&self) -> Option<&Material> {
        self.materials
            .iter()
            .find(|material| material.state == MaterialState::PendingRotation)
    }

    /// Forgets material that was imported to rotate to and is not there any more: it has encrypted nothing, so that it is
    /// not missed, and other material can be imported in its place.
    pub(crate) fn forget_absent_pending(&mut self, now: Timestamp) {
        self.materials
            .retain(|material| material.state != MaterialState::PendingRotation || material.is_present(now));
    }

    /// The material of this id.
    #[must_use]
    pub fn material(&self, id: &MaterialId) -> Option<&Material> {
        self.materials.iter().find(|material| material.id == *id)
    }

    /// Whether the key has everything that it encrypts and decrypts with.
    #[must_use]
    pub fn is_complete(&self, now: Timestamp) -> bool {
        let mut used = self
            .materials
            .iter()
            .filter(|material| material.state != MaterialState::PendingRotation);
        self.current().is_some() && used.all(|material| material.is_present(now))
    }

    /// Whether the time of its deletion has come, so that there is no such key any more.
    #[must_use]
    pub fn is_gone(&self, now: Timestamp) -> bool {
        matches!(self.state, KeyState::PendingDeletion { at } if at <= now)
    }

    /// Its state at `now`: a key whose imported material has ended waits for it again.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> KeyState {
        let whole = matches!(self.state, KeyState::Enabled | KeyState::Disabled);
        if whole && !self.is_complete(now) {
            KeyState::PendingImport
        } else {
            self.state
        }
    }

    /// When something has to be done to it, if ever.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let deletion = match self.state {
            KeyState::PendingDeletion { at } => Some(at),
            KeyState::Enabled | KeyState::Disabled | KeyState::PendingImport => None,
        };
        let rotation = self.rotation.filter(|_| self.state == KeyState::Enabled);
        let ends = self
            .materials
            .iter()
            .filter(|material| material.wrapped.is_some());
        ends.filter_map(|material| material.valid_to)
            .chain(deletion)
            .chain(rotation.map(|rotation| rotation.next_at))
            .min()
    }
}
