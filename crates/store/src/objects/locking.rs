//! What keeps versions from being deleted: retention and legal holds. Compliance is never shortened, by nobody.

use moho_iam::action::{Action, s3};
use moho_iam::authz::Permit;
use moho_terms::{Timestamp, VersionId};

use super::deciding::Decided;
use super::error::Found;
use super::rows::VersionRow;
use super::within::{Within, time_by};
use super::{
    Bucket, Meant, Moment, ObjectError, ObjectLock, Objects, Retention, RetentionMode, existing, object_of,
};

/// The proofs that a retention is changed by: one to change it, and one to shorten what governance retains.
pub type RetentionPermits<'a> = (
    &'a Permit<s3::PutObjectRetention>,
    Option<&'a Permit<s3::BypassGovernanceRetention>>,
);

impl Objects<'_> {
    /// Retains a version until a time, or not any more.
    ///
    /// # Errors
    /// [`ObjectError::Locked`] if that would shorten or weaken what retains it: compliance for whomever, governance for who
    /// does not bypass it.
    pub fn set_retention(
        &self,
        (permit, bypass): RetentionPermits<'_>,
        version: Option<&VersionId>,
        retention: Option<Retention>,
        at: Moment<'_>,
    ) -> Result<(), ObjectError> {
        if bypass.is_some_and(|bypass| bypass.resource() != permit.resource()) {
            return Err(ObjectError::OtherPermit);
        }
        let bypass = bypass.is_some();
        let alter = |lock: &mut ObjectLock, now: Timestamp| {
            if retention.is_some_and(|retention| retention.until <= now) {
                return Err(ObjectError::InvalidArgument(
                    "The retain until date must be in the future!",
                ));
            }
            if !may_become(lock.retention, retention, (now, bypass)) {
                return Err(ObjectError::Locked);
            }
            lock.retention = retention;
            Ok(())
        };
        self.alter_lock(named(permit)?, version, at, alter)
    }

    /// Holds a version, or does not any more.
    ///
    /// # Errors
    /// [`ObjectError::InvalidRequest`] if versions of the bucket cannot be locked.
    pub fn set_legal_hold(
        &self,
        permit: &Permit<s3::PutObjectLegalHold>,
        version: Option<&VersionId>,
        hold: bool,
        at: Moment<'_>,
    ) -> Result<(), ObjectError> {
        let alter = |lock: &mut ObjectLock, _now| {
            lock.legal_hold = Some(hold);
            Ok(())
        };
        self.alter_lock(named(permit)?, version, at, alter)
    }

    /// What retains a version.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchObjectLockConfiguration`] if nothing does.
    pub fn retention(
        &self,
        permit: &Permit<s3::GetObjectRetention>,
        version: Option<&VersionId>,
    ) -> Result<Retention, ObjectError> {
        let lock = self.lock(named(permit)?, version)?;
        lock.retention.ok_or(ObjectError::NoSuchObjectLockConfiguration)
    }

    /// Whether a version is held.
    ///
    /// # Errors
    /// [`ObjectError::InvalidRequest`] if versions of the bucket cannot be locked;
    /// [`ObjectError::NoSuchObjectLockConfiguration`] if nobody ever said whether this one is held.
    pub fn legal_hold(
        &self,
        permit: &Permit<s3::GetObjectLegalHold>,
        version: Option<&VersionId>,
    ) -> Result<bool, ObjectError> {
        let lock = self.lock(named(permit)?, version)?;
        lock.legal_hold.ok_or(ObjectError::NoSuchObjectLockConfiguration)
    }

    fn lock(
        &self,
        (bucket, key, decided): Named,
        version: Option<&VersionId>,
    ) -> Result<ObjectLock, ObjectError> {
        self.look(|rows| {
            let bucket = existing(rows, &bucket)?;
            check_lockable(&bucket)?;
            let within = Within::of(rows, &bucket, &key);
            let (_, row) = within.meant(version)?;
            decided.check(Some(&row))?;
            Ok(lock_of(&row))
        })
    }

    fn alter_lock(
        &self,
        (bucket, key, decided): Named,
        version: Option<&VersionId>,
        at: Moment<'_>,
        alter: impl FnOnce(&mut ObjectLock, Timestamp) -> Result<(), ObjectError>,
    ) -> Result<(), ObjectError> {
        self.change(|rows| -> Found<()> {
            let bucket = existing(rows, &bucket)?;
            check_lockable(&bucket)?;
            let within = Within::of(rows, &bucket, &key);
            let (_, mut row) = within.meant(version)?;
            decided.check(Some(&row))?;
            let now = time_by(rows, at.now)?;
            rows.set_latest_time(now)?;
            if let Some(content) = &mut row.content {
                alter(&mut content.sealed.lock, now)?;
            }
            rows.replace_version(within.at(), &row)
        })
    }
}

/// An object, and what was decided about it.
type Named = (Meant, moho_terms::ObjectKey, Decided);

fn named<A: Action>(permit: &Permit<A>) -> Result<Named, ObjectError> {
    let (bucket, key) = object_of(permit)?;
    Ok((bucket, key, Decided::by(permit)))
}

fn lock_of(row: &VersionRow) -> ObjectLock {
    row.content
        .as_ref()
        .map(|content| content.sealed.lock)
        .unwrap_or_default()
}

fn check_lockable(bucket: &Bucket) -> Result<(), ObjectError> {
    if bucket.object_lock {
        Ok(())
    } else {
        Err(ObjectError::InvalidRequest(
            "Bucket is missing Object Lock Configuration",
        ))
    }
}

/// Whether a retention may take the place of another.
fn may_become(was: Option<Retention>, new: Option<Retention>, (now, bypass): (Timestamp, bool)) -> bool {
    let Some(was) = was.filter(|was| was.until > now) else {
        return true;
    };
    let longer = new.is_some_and(|new| new.until >= was.until);
    let as_firm =
        new.is_some_and(|new| new.mode == RetentionMode::Compliance || was.mode == RetentionMode::Governance);
    match was.mode {
        RetentionMode::Compliance => longer && as_firm,
        RetentionMode::Governance => bypass || (longer && new.is_some_and(|new| new.mode == was.mode)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn retention(mode: RetentionMode, seconds: u64) -> Retention {
        Retention {
            mode,
            until: Timestamp::from_unix_seconds(seconds),
        }
    }

    #[test]
    fn compliance_only_grows_and_governance_takes_leave_to_shrink() {
        use RetentionMode::{Compliance, Governance};
        let now = Timestamp::from_unix_seconds(50);
        for (was, new, bypass, may) in [
            (None, Some((Governance, 60)), false, true),
            (Some((Governance, 100)), Some((Governance, 100)), false, true),
            (Some((Governance, 100)), Some((Governance, 101)), false, true),
            (Some((Governance, 100)), Some((Governance, 99)), false, false),
            (Some((Governance, 100)), Some((Governance, 99)), true, true),
            (Some((Governance, 100)), None, false, false),
            (Some((Governance, 100)), None, true, true),
            (Some((Governance, 100)), Some((Compliance, 200)), false, false),
            (Some((Governance, 100)), Some((Compliance, 200)), true, true),
            (Some((Compliance, 100)), Some((Compliance, 200)), false, true),
            (Some((Compliance, 100)), Some((Compliance, 99)), true, false),
            (Some((Compliance, 100)), Some((Governance, 200)), true, false),
            (Some((Compliance, 100)), None, true, false),
            (Some((Compliance, 50)), None, false, true),
            (Some((Compliance, 49)), Some((Governance, 60)), false, true),
        ] {
            let made = |of: Option<(RetentionMode, u64)>| of.map(|(mode, at)| retention(mode, at));
            assert_eq!(
                may_become(made(was), made(new), (now, bypass)),
                may,
                "{was:?} {new:?} {bypass}"
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_shortens_compliance(until in 51_u64..200, new in 0_u64..200, governance: bool, none: bool) {
            let now = Timestamp::from_unix_seconds(50);
            let mode = if governance { RetentionMode::Governance } else { RetentionMode::Compliance };
            let new = (!none).then(|| retention(mode, new));
            let was = retention(RetentionMode::Compliance, until);
            if may_become(Some(was), new, (now, true)) {
                let new = new.unwrap();
                prop_assert!(new.until >= was.until && new.mode == RetentionMode::Compliance);
            }
        }
    }
}
