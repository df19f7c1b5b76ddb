//! Rotation: a key gets new material to encrypt with, and keeps the old to decrypt.

use std::sync::Arc;

use moho_iam::action::{Action, kms};
use moho_iam::authz::Permit;
use moho_terms::Timestamp;

use super::Kms;
use super::control::DAY;
use crate::error::KmsError;
use crate::record::{KeyRecord, KeyState, MaterialState, Rotated, Rotation, RotationType};
use crate::spec::{KeySpec, Origin};

/// Days between two rotations, and how many if nobody says.
const PERIOD: std::ops::RangeInclusive<u32> = 90..=2560;
const PERIOD_DEFAULT: u32 = 365;
/// How often a key can be rotated on demand.
const MOST_ON_DEMAND: u32 = 25;

impl Kms {
    /// Lets a key rotate by itself, from now on every so many days.
    ///
    /// # Errors
    /// [`KmsError::UnsupportedOperation`] if it is not symmetric or its material is imported; [`KmsError::Validation`]
    /// for other than 90 to 2560 days; as of [`Self::enable`].
    pub fn enable_rotation(
        &self,
        permit: &Permit<kms::EnableKeyRotation>,
        days: Option<u32>,
    ) -> Result<(), KmsError> {
        let days = days.unwrap_or(PERIOD_DEFAULT);
        if !PERIOD.contains(&days) {
            return Err(KmsError::Validation(
                "RotationPeriodInDays must be between 90 and 2560.".to_owned(),
            ));
        }
        self.rotating(permit)?;
        self.change(permit, |record, now| {
            record.rotation = Some(Rotation {
                period_days: days,
                next_at: now.plus_seconds(DAY.saturating_mul(days.into())),
            });
            Ok(())
        })
    }

    /// Lets a key not rotate by itself.
    ///
    /// # Errors
    /// As of [`Self::enable_rotation`].
    pub fn disable_rotation(&self, permit: &Permit<kms::DisableKeyRotation>) -> Result<(), KmsError> {
        self.rotating(permit)?;
        self.change(permit, |record, _| {
            record.rotation = None;
            Ok(())
        })
    }

    /// Whether and when a key rotates by itself. One that is to end does not.
    ///
    /// # Errors
    /// [`KmsError::UnsupportedOperation`] if it is not symmetric; as of [`Self::key`].
    pub fn rotation_status(
        &self,
        permit: &Permit<kms::GetKeyRotationStatus>,
    ) -> Result<Option<Rotation>, KmsError> {
        let record = self.symmetric(permit)?;
        let ends = matches!(record.state, KeyState::PendingDeletion { .. });
        Ok(record.rotation.filter(|_| !ends))
    }

    /// A key with all its materials, of which those that were made current by a rotation have [`Rotated`].
    ///
    /// # Errors
    /// As of [`Self::rotation_status`].
    pub fn rotations(&self, permit: &Permit<kms::ListKeyRotations>) -> Result<Arc<KeyRecord>, KmsError> {
        self.symmetric(permit)
    }

    /// Rotates a key now: to new material, or, if its material is imported, to that which was imported for this.
    ///
    /// # Errors
    /// [`KmsError::LimitExceeded`] after 25 times; [`KmsError::InvalidState`] if no material was imported for it;
    /// [`KmsError::UnsupportedOperation`] if it is not symmetric; as of [`Self::enable`].
    pub fn rotate_on_demand(&self, permit: &Permit<kms::RotateKeyOnDemand>) -> Result<(), KmsError> {
        let arn = permit.resource();
        self.symmetric(permit)?;
        self.change(permit, |record, now| {
            if record.on_demand_rotations >= MOST_ON_DEMAND {
                return Err(KmsError::LimitExceeded(format!(
                    "{arn} was rotated on demand {MOST_ON_DEMAND} times, and cannot be any more."
                )));
            }
            record.on_demand_rotations = record.on_demand_rotations.saturating_add(1);
            match record.origin {
                Origin::AwsKms => self.rotate(record, RotationType::OnDemand, now),
                Origin::External if record.pending().is_some_and(|next| next.is_present(now)) => {
                    make_current(record, RotationType::OnDemand, now);
                    Ok(())
                }
                Origin::External => Err(KmsError::InvalidState(
                    arn.clone(),
                    "without key material that is pending rotation",
                )),
            }
        })
    }

    /// Gives a key new material.
    pub(super) fn rotate(
        &self,
        record: &mut KeyRecord,
        kind: RotationType,
        now: Timestamp,
    ) -> Result<(), KmsError> {
        let next = self.new_material(record, MaterialState::PendingRotation, now)?;
        record.materials.push(next);
        make_current(record, kind, now);
        Ok(())
    }

    /// The key that the permit is for, if it is symmetric.
    fn symmetric<A: Action>(&self, permit: &Permit<A>) -> Result<Arc<KeyRecord>, KmsError> {
        let record = self.key(permit)?;
        if record.spec == KeySpec::SymmetricDefault {
            return Ok(record);
        }
        Err(KmsError::UnsupportedOperation(
            permit.resource().clone(),
            format!("key spec is {}", record.spec),
        ))
    }

    /// The key that the permit is for, if it can rotate by itself.
    fn rotating<A: Action>(&self, permit: &Permit<A>) -> Result<(), KmsError> {
        match self.symmetric(permit)?.origin {
            Origin::AwsKms => Ok(()),
            Origin::External => Err(KmsError::UnsupportedOperation(
                permit.resource().clone(),
                "origin is EXTERNAL".to_owned(),
            )),
        }
    }
}

/// Makes the material that waits for it the current one.
fn make_current(record: &mut KeyRecord, kind: RotationType, at: Timestamp) {
    for material in &mut record.materials {
        match material.state {
            MaterialState::Current => material.state = MaterialState::NonCurrent,
            MaterialState::NonCurrent => {}
            MaterialState::PendingRotation => {
                material.state = MaterialState::Current;
                material.rotated = Some(Rotated { kind, at });
            }
        }
    }
}
