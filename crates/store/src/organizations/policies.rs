//! Policies of the organisation, and what they are attached to.

use moho_iam::action::organizations;
use moho_iam::authz::Permit;
use moho_terms::{Entropy, Timestamp};
use rusqlite::params;

use super::error::Stopped;
use super::kinds::ContentRefused;
use super::tags::{check_tags, put_tags};
use super::{
    Constraint, InvalidInput, NodeId, Organisation, OrganisationError, OrganisationNames, PolicyId,
    PolicyType, Tags,
};
use crate::Store;
use crate::database::micros;

/// Policies of one type in an organisation.
const POLICIES: usize = 1000;

/// A policy that is to be.
#[derive(Debug, Clone)]
pub struct NewPolicy {
    /// Its type.
    pub kind: PolicyType,
    /// What it is to be called.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it says.
    pub content: String,
    /// Its tags.
    pub tags: Tags,
}

/// What is to become of a policy; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct PolicyChange {
    /// What it is to be called.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it says.
    pub content: Option<String>,
}

impl Store {
    /// Makes a policy, which is attached to nothing yet.
    ///
    /// # Errors
    /// [`OrganisationError`]; then nothing was made.
    pub fn create_organisation_policy(
        &self,
        _permit: &Permit<organizations::CreatePolicy>,
        new: &NewPolicy,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<PolicyId, OrganisationError> {
        check_content(new.kind, &new.content)?;
        self.change_organisation(|organisation, transaction| {
            is_free(organisation, new.kind, &new.name, None)?;
            if organisation.policies(new.kind).count() >= POLICIES {
                return Err(Constraint::Policies.into());
            }
            check_tags(&new.tags)?;
            let id = PolicyId::new(new.kind, entropy).map_err(OrganisationError::from)?;
            transaction.execute(
                "INSERT INTO organisation_policy VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
                params![
                    id.as_str(),
                    new.kind.as_str(),
                    new.name,
                    new.description,
                    new.content,
                    micros(now)
                ],
            )?;
            put_tags(transaction, id.as_str(), &Tags::new(), &new.tags)?;
            Ok(id)
        })
    }

    /// Changes the policy that the permit is for. What it is attached to is bound by the new content at once.
    ///
    /// # Errors
    /// [`OrganisationError`]; then it is as it was.
    pub fn update_organisation_policy(
        &self,
        permit: &Permit<organizations::UpdatePolicy>,
        change: &PolicyChange,
        now: Timestamp,
    ) -> Result<PolicyId, OrganisationError> {
        let id: PolicyId =
            OrganisationNames::named(permit.resource()).ok_or(OrganisationError::OtherPermit)?;
        self.change_organisation(|organisation, transaction| {
            let policy = of_customer(organisation, &id)?;
            if let Some(content) = &change.content {
                check_content(id.policy_type(), content)?;
            }
            if let Some(name) = &change.name {
                is_free(organisation, id.policy_type(), name, Some(&id))?;
            }
            transaction.execute(
                "UPDATE organisation_policy SET name = ?2, description = ?3, content = ?4, updated_at = ?5
                 WHERE policy_id = ?1",
                params![
                    id.as_str(),
                    change.name.as_ref().unwrap_or(&policy.name),
                    change.description.as_ref().unwrap_or(&policy.description),
                    change.content.as_ref().unwrap_or(&policy.content),
                    micros(now)
                ],
            )?;
            Ok(())
        })?;
        Ok(id)
    }

    /// Deletes the policy that the permit is for, if it is attached to nothing.
    ///
    /// # Errors
    /// [`OrganisationError`]; then it is still there.
    pub fn delete_organisation_policy(
        &self,
        permit: &Permit<organizations::DeletePolicy>,
    ) -> Result<(), OrganisationError> {
        let id: PolicyId =
            OrganisationNames::named(permit.resource()).ok_or(OrganisationError::OtherPermit)?;
        self.change_organisation(|organisation, transaction| {
            of_customer(organisation, &id)?;
            if !organisation.targets(&id).is_empty() {
                return Err(OrganisationError::PolicyInUse.into());
            }
            let tags = organisation.tags(id.as_str()).cloned().unwrap_or_default();
            put_tags(transaction, id.as_str(), &tags, &Tags::new())?;
            transaction.execute(
                "DELETE FROM organisation_policy WHERE policy_id = ?1",
                [id.as_str()],
            )?;
            Ok(())
        })
    }

    /// Attaches a policy to a root, a unit or an account; the permits are for the two. From now on it binds what is there
    /// and below.
    ///
    /// # Errors
    /// [`OrganisationError`]; then nothing is attached.
    pub fn attach_policy(
        &self,
        policy: &Permit<organizations::AttachPolicy>,
        target: &Permit<organizations::AttachPolicy>,
        now: Timestamp,
    ) -> Result<(), OrganisationError> {
        let (id, target) = named(policy, target)?;
        self.change_organisation(|organisation, transaction| {
            let kind = there(organisation, &id, &target)?;
            if organisation.attached(&target, kind).any(|policy| policy.id == id) {
                return Err(OrganisationError::DuplicatePolicyAttachment.into());
            }
            if organisation.attached(&target, kind).count() >= kind.attachments() {
                return Err(Constraint::Attachments.into());
            }
            transaction.execute(
                "INSERT INTO organisation_attachment VALUES (?1, ?2, ?3)",
                params![id.as_str(), target.as_str(), micros(now)],
            )?;
            Ok(())
        })
    }

    /// Detaches a policy from a root, a unit or an account; the permits are for the two.
    ///
    /// # Errors
    /// [`OrganisationError`]; then it is still attached.
    pub fn detach_policy(
        &self,
        policy: &Permit<organizations::DetachPolicy>,
        target: &Permit<organizations::DetachPolicy>,
    ) -> Result<(), OrganisationError> {
        let (id, target) = named(policy, target)?;
        self.change_organisation(|organisation, transaction| {
            let kind = there(organisation, &id, &target)?;
            if !organisation.attached(&target, kind).any(|policy| policy.id == id) {
                return Err(OrganisationError::PolicyNotAttached.into());
            }
            if Some(id.as_str()) == PolicyType::ResourceControl.full_access() {
                return Err(InvalidInput::NonDetachablePolicy.into());
            }
            // Without any, nothing would be allowed below. Types that decide nothing may have none.
            if kind.decides() && organisation.attached(&target, kind).count() <= 1 {
                return Err(Constraint::LastAttachment.into());
            }
            transaction.execute(
                "DELETE FROM organisation_attachment WHERE policy_id = ?1 AND node_id = ?2",
                params![id.as_str(), target.as_str()],
            )?;
            Ok(())
        })
    }

    /// Puts a type of policies into use for the root that the permit is for.
    ///
    /// # Errors
    /// [`OrganisationError`]; then it is as it was.
    pub fn enable_policy_type(
        &self,
        permit: &Permit<organizations::EnablePolicyType>,
        kind: PolicyType,
        now: Timestamp,
    ) -> Result<(), OrganisationError> {
        let root = OrganisationNames::named::<NodeId>(permit.resource());
        self.change_organisation(|organisation, transaction| {
            if root.as_ref() != Some(&organisation.names().root) {
                return Err(OrganisationError::RootNotFound.into());
            }
            if organisation.enabled().any(|enabled| enabled == kind) {
                return Err(OrganisationError::PolicyTypeAlreadyEnabled.into());
            }
            transaction.execute(
                "INSERT INTO organisation_policy_type VALUES (?1, ?2)",
                params![kind.as_str(), micros(now)],
            )?;
            if let Some(everything) = kind.full_access() {
                transaction.execute(
                    "INSERT INTO organisation_attachment SELECT ?1, node_id, ?2 FROM organisation_node",
                    params![everything, micros(now)],
                )?;
            }
            Ok(())
        })
    }
}

impl Store {
    /// Takes a type of policies out of use for the root that the permit is for: what is attached of it is detached
    /// everywhere, and binds nobody.
    ///
    /// # Errors
    /// [`OrganisationError`]; then it is as it was.
    pub fn disable_policy_type(
        &self,
        permit: &Permit<organizations::DisablePolicyType>,
        kind: PolicyType,
    ) -> Result<(), OrganisationError> {
        let root = OrganisationNames::named::<NodeId>(permit.resource());
        self.change_organisation(|organisation, transaction| {
            if root.as_ref() != Some(&organisation.names().root) {
                return Err(OrganisationError::RootNotFound.into());
            }
            if !organisation.enabled().any(|enabled| enabled == kind) {
                return Err(OrganisationError::PolicyTypeNotEnabled.into());
            }
            transaction.execute(
                "DELETE FROM organisation_attachment WHERE policy_id IN
                    (SELECT policy_id FROM organisation_policy WHERE type = ?1)",
                [kind.as_str()],
            )?;
            transaction.execute(
                "DELETE FROM organisation_policy_type WHERE type = ?1",
                [kind.as_str()],
            )?;
            Ok(())
        })
    }
}

/// The policy and the target that two permits are for.
fn named<A: moho_iam::action::Action>(
    policy: &Permit<A>,
    target: &Permit<A>,
) -> Result<(PolicyId, NodeId), OrganisationError> {
    OrganisationNames::named(policy.resource())
        .zip(OrganisationNames::named(target.resource()))
        .ok_or(OrganisationError::OtherPermit)
}

/// The type of a policy, if it, the target and the type are there.
fn there(
    organisation: &Organisation,
    id: &PolicyId,
    target: &NodeId,
) -> Result<PolicyType, OrganisationError> {
    let kind = id.policy_type();
    if organisation.policy(id).is_none() {
        Err(OrganisationError::PolicyNotFound)
    } else if !organisation.has(target) {
        Err(OrganisationError::TargetNotFound)
    } else if organisation.enabled().any(|enabled| enabled == kind) {
        Ok(kind)
    } else {
        Err(OrganisationError::PolicyTypeNotEnabled)
    }
}

/// A policy that may be changed.
fn of_customer<'a>(
    organisation: &'a Organisation,
    id: &PolicyId,
) -> Result<&'a super::OrganisationPolicy, Stopped> {
    let policy = organisation.policy(id).ok_or(OrganisationError::PolicyNotFound)?;
    if id.is_managed() {
        return Err(InvalidInput::ImmutablePolicy.into());
    }
    Ok(policy)
}

fn is_free(
    organisation: &Organisation,
    kind: PolicyType,
    name: &str,
    own: Option<&PolicyId>,
) -> Result<(), OrganisationError> {
    let mut others = organisation
        .policies(kind)
        .filter(|policy| Some(&policy.id) != own);
    if others.any(|policy| policy.name == name) {
        return Err(OrganisationError::DuplicatePolicy);
    }
    Ok(())
}

fn check_content(kind: PolicyType, content: &str) -> Result<(), OrganisationError> {
    kind.check(content).map_err(|refused| match refused {
        ContentRefused::TooLong => OrganisationError::Constraint(Constraint::Content),
        ContentRefused::Malformed(why) => OrganisationError::MalformedPolicyDocument(why),
    })
}
