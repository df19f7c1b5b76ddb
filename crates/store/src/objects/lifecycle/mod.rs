//! Lifecycle: what a bucket's rules say is to go, and the steps in which it goes.

mod looking;
mod rules;
mod step;

pub use rules::{
    Expiration, Lifecycle, LifecycleFilter, LifecycleRule, NoncurrentExpiration, RuleStatus, WhenExpired,
};
pub use step::{Damaged, Expired, LifecycleAction, LifecycleActionKind, Progress, WriteActions};

use moho_iam::action::s3;
use moho_iam::authz::Permit;

use super::within::incomplete;
use super::{DocumentKind, ObjectError, Objects, bucket_of, existing};

impl Objects<'_> {
    /// Keeps a bucket's lifecycle in place of the one that it has, or deletes it.
    ///
    /// # Errors
    /// [`ObjectError::MalformedDocument`], [`ObjectError::InvalidArgument`] or [`ObjectError::InvalidRequest`] if it is none.
    pub fn set_lifecycle(
        &self,
        permit: &Permit<s3::PutLifecycleConfiguration>,
        lifecycle: Option<&Lifecycle>,
    ) -> Result<(), ObjectError> {
        let name = bucket_of(permit)?;
        let Some(lifecycle) = lifecycle else {
            return self.set(&name, DocumentKind::Lifecycle, None);
        };
        lifecycle.check()?;
        let written = serde_json::to_string(lifecycle)
            .map_err(|_unwritable| incomplete("a lifecycle cannot be written"))?;
        self.set(&name, DocumentKind::Lifecycle, Some(&written))
    }

    /// A bucket's lifecycle.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchDocument`] if it has none.
    pub fn lifecycle(
        &self,
        permit: &Permit<s3::GetLifecycleConfiguration>,
    ) -> Result<Lifecycle, ObjectError> {
        let name = bucket_of(permit)?;
        self.look(|rows| {
            let bucket = existing(rows, &name)?;
            let kept = rows.document(bucket.id, DocumentKind::Lifecycle)?;
            let kept = kept.ok_or(ObjectError::NoSuchDocument(DocumentKind::Lifecycle))?;
            Ok(read(&kept)?)
        })
    }
}

pub(super) fn read(kept: &str) -> Result<Lifecycle, ObjectError> {
    serde_json::from_str(kept).map_err(|_unreadable| incomplete("a lifecycle is unreadable"))
}
