//! What becomes of keys: enabled, disabled, described, tagged, given another policy, deleted in the end.

use std::collections::BTreeMap;

use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_terms::Timestamp;

use super::Kms;
use super::make::{check_description, check_policy};
use crate::error::KmsError;
use crate::policy::KeyPolicy;
use crate::record::KeyState;

/// How many days a key waits for its deletion, and how many if nobody says.
const WAITING: std::ops::RangeInclusive<u32> = 7..=30;
const WAITING_DEFAULT: u32 = 30;
/// Seconds of a day.
pub(super) const DAY: u64 = 86_400;
/// The most tags of a key.
const MOST_TAGS: usize = 50;

impl Kms {
    /// Lets a key be used again. Nothing happens to one that may be used.
    ///
    /// # Errors
    /// As of [`Self::key`]; [`KmsError::Conflict`]; or it cannot be kept.
    pub fn enable(&self, permit: &Permit<kms::EnableKey>) -> Result<(), KmsError> {
        self.change(permit, |record, _| {
            record.state = KeyState::Enabled;
            Ok(())
        })
    }

    /// Lets a key not be used until it is enabled again.
    ///
    /// # Errors
    /// As of [`Self::enable`].
    pub fn disable(&self, permit: &Permit<kms::DisableKey>) -> Result<(), KmsError> {
        self.change(permit, |record, _| {
            record.state = KeyState::Disabled;
            Ok(())
        })
    }

    /// Lets a key end after `days`, and all that is encrypted under it with it. Until then it can be had back, and not be
    /// used. Gives when.
    ///
    /// # Errors
    /// [`KmsError::Validation`] for other than 7 to 30 days; as of [`Self::enable`].
    pub fn schedule_deletion(
        &self,
        permit: &Permit<kms::ScheduleKeyDeletion>,
        days: Option<u32>,
    ) -> Result<Timestamp, KmsError> {
        let days = days.unwrap_or(WAITING_DEFAULT);
        if !WAITING.contains(&days) {
            return Err(KmsError::Validation(
                "PendingWindowInDays must be between 7 and 30.".to_owned(),
            ));
        }
        self.change(permit, |record, now| {
            let at = now.plus_seconds(DAY.saturating_mul(days.into()));
            record.state = KeyState::PendingDeletion { at };
            Ok(at)
        })
    }

    /// Has a key back that was to end. It is disabled.
    ///
    /// # Errors
    /// As of [`Self::enable`].
    pub fn cancel_deletion(&self, permit: &Permit<kms::CancelKeyDeletion>) -> Result<(), KmsError> {
        self.change(permit, |record, _| {
            // What is missing is seen without being written down, and is no way around enabling the key.
            record.state = if record.current().is_some() {
                KeyState::Disabled
            } else {
                KeyState::PendingImport
            };
            Ok(())
        })
    }

    /// Says something else of a key.
    ///
    /// # Errors
    /// [`KmsError::Validation`] if it is too long; [`KmsError::LimitExceeded`] if all that is said of the key is; as of
    /// [`Self::enable`].
    pub fn update_description(
        &self,
        permit: &Permit<kms::UpdateKeyDescription>,
        description: &str,
    ) -> Result<(), KmsError> {
        check_description(description)?;
        self.change(permit, |record, _| {
            description.clone_into(&mut record.description);
            record.check_room()
        })
    }

    /// Gives a key another policy. Whether that locks the caller out is for the caller to ask before.
    ///
    /// # Errors
    /// [`KmsError::MalformedPolicy`]; [`KmsError::LimitExceeded`] as of [`Self::update_description`]; as of [`Self::enable`].
    pub fn put_policy(&self, permit: &Permit<kms::PutKeyPolicy>, policy: &KeyPolicy) -> Result<(), KmsError> {
        check_policy(&policy.text)?;
        self.change(permit, |record, _| {
            policy.text.clone_into(&mut record.policy);
            policy.principals.clone_into(&mut record.principals);
            record.check_room()
        })
    }

    /// Gives a key tags, in place of those of the same names.
    ///
    /// # Errors
    /// [`KmsError::Tag`], [`KmsError::LimitExceeded`]; as of [`Self::enable`].
    pub fn tag(
        &self,
        permit: &Permit<kms::TagResource>,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), KmsError> {
        self.change(permit, |record, _| {
            record.tags.extend(tags.clone());
            check_tags(&record.tags)?;
            record.check_room()
        })
    }

    /// Takes tags from a key. Those that it does not have are no error.
    ///
    /// # Errors
    /// As of [`Self::enable`].
    pub fn untag(&self, permit: &Permit<kms::UntagResource>, names: &[String]) -> Result<(), KmsError> {
        self.change(permit, |record, _| {
            record.tags.retain(|name, _| !names.contains(name));
            Ok(())
        })
    }
}

/// Whether a key may have these tags.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), KmsError> {
    if tags.len() > MOST_TAGS {
        return Err(KmsError::LimitExceeded("A key has at most 50 tags.".to_owned()));
    }
    for (name, value) in tags {
        if !(1..=128).contains(&name.chars().count()) || value.chars().count() > 256 {
            return Err(KmsError::Tag(
                "A tag key has 1 to 128 characters, and a tag value at most 256.",
            ));
        }
        if name
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
        {
            return Err(KmsError::Tag("Tag keys that begin with aws: are reserved."));
        }
    }
    Ok(())
}
