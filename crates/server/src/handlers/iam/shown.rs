//! What the store has, as IAM's replies show it.

use moho_store::iam as kept;
use moho_wire::Failure;
use moho_wire::aws::ops::iam::shapes;

use super::encoded;
use crate::road::from_store;

/// A role; lists leave out its tags and boundary.
pub(super) fn role(role: kept::Role, tags: Option<Vec<kept::Tag>>) -> Result<shapes::Role, Failure> {
    let arn = role.arn().map_err(|error| from_store(&error))?;
    Ok(shapes::Role {
        path: Some(role.path),
        role_name: Some(role.name.as_str().to_owned()),
        role_id: Some(role.id),
        arn: Some(arn.as_str().to_owned()),
        create_date: Some(role.created_at),
        assume_role_policy_document: Some(encoded(&role.trust_policy)),
        description: role.description,
        max_session_duration: Some(i64::from(role.max_session_seconds)),
        permissions_boundary: role.boundary.filter(|_| tags.is_some()).map(boundary),
        tags: tags.filter(|tags| !tags.is_empty()).map(self::tags),
        ..shapes::Role::default()
    })
}

pub(super) fn boundary(arn: String) -> shapes::AttachedPermissionsBoundary {
    shapes::AttachedPermissionsBoundary {
        permissions_boundary_type: Some("Policy".to_owned()),
        permissions_boundary_arn: Some(arn),
    }
}

pub(super) fn tags(tags: Vec<kept::Tag>) -> Vec<shapes::Tag> {
    let tags = tags.into_iter();
    tags.map(|(key, value)| shapes::Tag { key, value }).collect()
}

/// A managed policy; lists leave out its description and tags.
pub(super) fn policy(policy: kept::ManagedPolicy, tags: Option<Vec<kept::Tag>>) -> shapes::Policy {
    shapes::Policy {
        policy_name: Some(policy.name),
        policy_id: Some(policy.id),
        arn: Some(policy.arn),
        path: Some(policy.path),
        default_version_id: Some(version_id(policy.default_version)),
        attachment_count: Some(i64::from(policy.attached)),
        permissions_boundary_usage_count: Some(i64::from(policy.bounding)),
        is_attachable: Some(policy.attachable),
        description: policy.description.filter(|_| tags.is_some()),
        create_date: Some(policy.created_at),
        update_date: Some(policy.updated_at),
        tags: tags.map(self::tags),
    }
}

/// A version of a managed policy; only some replies have its document.
pub(super) fn version(version: &kept::PolicyVersion, with_document: bool) -> shapes::PolicyVersion {
    shapes::PolicyVersion {
        document: with_document.then(|| encoded(&version.document)),
        version_id: Some(version_id(version.version)),
        is_default_version: Some(version.default),
        create_date: Some(version.created_at),
    }
}

pub(super) fn version_id(version: u32) -> String {
    format!("v{version}")
}

pub(super) fn attached(policies: Vec<kept::AttachedPolicy>) -> Vec<shapes::AttachedPolicy> {
    let policies = policies.into_iter().map(|policy| shapes::AttachedPolicy {
        policy_name: Some(policy.name),
        policy_arn: Some(policy.arn),
    });
    policies.collect()
}

pub(super) fn instance_profile(profile: kept::InstanceProfile) -> Result<shapes::InstanceProfile, Failure> {
    let roles = profile.role.into_iter().map(|tagged| role(tagged.role, None));
    Ok(shapes::InstanceProfile {
        path: Some(profile.path),
        instance_profile_name: Some(profile.name),
        instance_profile_id: Some(profile.id),
        arn: Some(profile.arn),
        create_date: Some(profile.created_at),
        roles: Some(roles.collect::<Result<_, _>>()?),
        tags: Some(profile.tags).filter(|tags| !tags.is_empty()).map(tags),
    })
}

pub(super) fn inline((name, document): (String, String)) -> shapes::PolicyDetail {
    shapes::PolicyDetail {
        policy_name: Some(name),
        policy_document: Some(encoded(&document)),
    }
}

/// When a role was last used for anything; empty if it never was.
pub(super) fn last_used(uses: Vec<kept::LastAccess>) -> shapes::RoleLastUsed {
    let last = uses.into_iter().max_by_key(|last| last.at);
    last.map_or_else(shapes::RoleLastUsed::default, |last| shapes::RoleLastUsed {
        last_used_date: Some(last.at),
        region: Some(last.region),
    })
}
