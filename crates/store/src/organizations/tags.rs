//! Tags of roots, units, accounts and policies.

use std::collections::BTreeSet;

use moho_iam::action::organizations;
use moho_iam::authz::Permit;
use moho_terms::Arn;
use rusqlite::{Transaction, params};

use super::error::Stopped;
use super::{
    Constraint, InvalidInput, NodeId, Organisation, OrganisationError, OrganisationNames, PolicyId, Tags,
};
use crate::Store;

/// Tags of one thing.
const TAGS: usize = 50;

impl Store {
    /// Sets tags of what the permit is for; those with the same keys are replaced.
    ///
    /// # Errors
    /// [`OrganisationError`]; then none is set.
    pub fn tag_in_organisation(
        &self,
        permit: &Permit<organizations::TagResource>,
        tags: &Tags,
    ) -> Result<(), OrganisationError> {
        self.change_tags(permit.resource(), |own| own.extend(tags.clone()))
    }

    /// Removes tags of what the permit is for; those that are not there are none to remove.
    ///
    /// # Errors
    /// [`OrganisationError`]; then none is removed.
    pub fn untag_in_organisation(
        &self,
        permit: &Permit<organizations::UntagResource>,
        keys: &[String],
    ) -> Result<(), OrganisationError> {
        self.change_tags(permit.resource(), |own| own.retain(|key, _| !keys.contains(key)))
    }

    /// The tags of what the permit is for.
    ///
    /// # Errors
    /// [`OrganisationError`] if there is no such thing.
    pub fn tags_in_organisation(
        &self,
        permit: &Permit<organizations::ListTagsForResource>,
    ) -> Result<Tags, OrganisationError> {
        let organisation = self.organisation(permit)?;
        let id = tagged(&organisation, permit.resource())?;
        Ok(organisation.tags(&id).cloned().unwrap_or_default())
    }

    fn change_tags(&self, arn: &Arn, change: impl FnOnce(&mut Tags)) -> Result<(), OrganisationError> {
        self.change_organisation(|organisation, transaction| {
            let id = tagged(organisation, arn)?;
            let before = organisation.tags(&id).cloned().unwrap_or_default();
            let mut after = before.clone();
            change(&mut after);
            put_tags(transaction, &id, &before, &after)
        })
    }
}

/// What an ARN names, if it is there. What AWS made has no tags.
fn tagged(organisation: &Organisation, arn: &Arn) -> Result<String, OrganisationError> {
    if let Some(node) = OrganisationNames::named::<NodeId>(arn).filter(|node| organisation.has(node)) {
        return Ok(node.to_string());
    }
    match OrganisationNames::named::<PolicyId>(arn).filter(|id| organisation.policy(id).is_some()) {
        Some(policy) if !policy.is_managed() => Ok(policy.to_string()),
        Some(_) | None => Err(OrganisationError::TargetNotFound),
    }
}

/// Puts a thing's tags in place of those it had.
pub(super) fn put_tags(
    transaction: &Transaction<'_>,
    resource: &str,
    before: &Tags,
    after: &Tags,
) -> Result<(), Stopped> {
    if after.keys().any(|key| !before.contains_key(key)) {
        check_tags(after)?;
    }
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        transaction.execute(
            "DELETE FROM organisation_tag WHERE resource_id = ?1 AND key = ?2",
            params![resource, key],
        )?;
    }
    for (key, value) in after {
        transaction.execute(
            "INSERT INTO organisation_tag VALUES (?1, ?2, ?3)
             ON CONFLICT (resource_id, key) DO UPDATE SET value = excluded.value",
            params![resource, key, value],
        )?;
    }
    Ok(())
}

/// Whether a thing can have these tags. Asked before anything else of it is written.
pub(super) fn check_tags(tags: &Tags) -> Result<(), Stopped> {
    let is_system = |key: &String| {
        key.get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
    };
    if tags.len() > TAGS {
        return Err(Constraint::Tags.into());
    }
    if tags.keys().any(is_system) {
        return Err(InvalidInput::SystemTag.into());
    }
    // Conditions cannot tell such keys apart.
    let distinct: BTreeSet<String> = tags.keys().map(|key| key.to_lowercase()).collect();
    if distinct.len() < tags.len() {
        return Err(InvalidInput::DuplicateTagKey.into());
    }
    Ok(())
}
