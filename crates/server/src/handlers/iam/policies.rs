//! Managed policies and their versions.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_iam::policy::PolicyKind;
use moho_store::iam::{EntityFilter, EntityKind, IdKind, NewPolicy, PolicyEntity, PolicyFilter};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::{policies as ops, shapes};
use moho_wire::{Failure, Reply};

use super::listing::{Wanted, page};
use super::{act, carry_out, document, new_id, shown, tagged};
use crate::handlers::Asked;

/// The quota of a managed policy's bytes, as AWS calls it.
const SIZE: &str = "PolicySize";
/// What says that a policy is used as a boundary.
const BOUNDARY: &str = "PermissionsBoundary";

/// `CreatePolicy`
pub(crate) async fn create(
    asked: &Asked,
    permit: Permit<iam::CreatePolicy>,
    request: ops::CreatePolicy,
) -> Result<Reply, Failure> {
    let new = NewPolicy {
        id: new_id(asked, IdKind::Policy)?,
        document: document(PolicyKind::Identity, &request.policy_document, SIZE)?,
        description: request.description,
        tags: tagged::pairs(request.tags),
    };
    let made = act(asked, move |platform| {
        platform.store.create_policy(&permit, &new, platform.clock.now())
    })
    .await?;
    ops::CreatePolicyResponse {
        policy: Some(shown::policy(made.policy, Some(made.tags))),
    }
    .reply(Service::Iam, "CreatePolicy", &asked.request)
}

/// `GetPolicy`
pub(crate) async fn get(asked: &Asked, permit: Permit<iam::GetPolicy>) -> Result<Reply, Failure> {
    let found = act(asked, move |platform| platform.store.get_policy(&permit)).await?;
    ops::GetPolicyResponse {
        policy: Some(shown::policy(found.policy, Some(found.tags))),
    }
    .reply(Service::Iam, "GetPolicy", &asked.request)
}

/// `ListPolicies`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<iam::ListPolicies>,
    request: ops::ListPolicies,
) -> Result<Reply, Failure> {
    let scope = request.scope.unwrap_or_else(|| "All".to_owned());
    let usage = request.policy_usage_filter.unwrap_or_default();
    let filter = PolicyFilter {
        aws: scope != "Local",
        local: scope != "AWS",
        only_attached: request.only_attached.unwrap_or(false),
        usage_is_boundary: usage_is_boundary(&usage),
        prefix: request.path_prefix.unwrap_or_default(),
    };
    let attached = if filter.only_attached { "attached" } else { "" };
    let prefix = filter.prefix.clone();
    let wanted = Wanted::all(request.marker, request.max_items).only(&[&scope, attached, &usage, &prefix]);
    let page = page(asked, permit, wanted, move |store, permit, page| {
        store.list_policies(permit, &filter, page)
    })
    .await?;
    let policies = page.items.into_iter();
    ops::ListPoliciesResponse {
        policies: Some(policies.map(|policy| shown::policy(policy, None)).collect()),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListPolicies", &asked.request)
}

fn usage_is_boundary(usage: &str) -> Option<bool> {
    (!usage.is_empty()).then_some(usage == BOUNDARY)
}

/// `DeletePolicy`
pub(crate) async fn delete(asked: &Asked, permit: Permit<iam::DeletePolicy>) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| store.delete_policy(permit)).await
}

/// `CreatePolicyVersion`
pub(crate) async fn create_version(
    asked: &Asked,
    permit: Permit<iam::CreatePolicyVersion>,
    request: ops::CreatePolicyVersion,
) -> Result<Reply, Failure> {
    let document = document(PolicyKind::Identity, &request.policy_document, SIZE)?;
    let default = request.set_as_default.unwrap_or(false);
    let made = act(asked, move |platform| {
        let now = platform.clock.now();
        platform
            .store
            .create_policy_version(&permit, &document, default, now)
    })
    .await?;
    ops::CreatePolicyVersionResponse {
        policy_version: Some(shown::version(&made, false)),
    }
    .reply(Service::Iam, "CreatePolicyVersion", &asked.request)
}

/// `GetPolicyVersion`
pub(crate) async fn get_version(
    asked: &Asked,
    permit: Permit<iam::GetPolicyVersion>,
    request: ops::GetPolicyVersion,
) -> Result<Reply, Failure> {
    let version = number(&request.version_id);
    let found = act(asked, move |platform| {
        platform.store.get_policy_version(&permit, version)
    })
    .await?;
    ops::GetPolicyVersionResponse {
        policy_version: Some(shown::version(&found, true)),
    }
    .reply(Service::Iam, "GetPolicyVersion", &asked.request)
}

/// The number in `v3`; 0, which no version has, if it is too great for one.
fn number(version: &str) -> u32 {
    let digits = version.trim_start_matches('v').split('.').next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// `ListPolicyVersions`
pub(crate) async fn list_versions(
    asked: &Asked,
    permit: Permit<iam::ListPolicyVersions>,
    request: ops::ListPolicyVersions,
) -> Result<Reply, Failure> {
    let wanted = Wanted::all(request.marker, request.max_items);
    let page = page(asked, permit, wanted, |store, permit, page| {
        store.list_policy_versions(permit, page)
    })
    .await?;
    let versions = page.items.into_iter();
    ops::ListPolicyVersionsResponse {
        versions: Some(versions.map(|version| shown::version(&version, false)).collect()),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListPolicyVersions", &asked.request)
}

/// `DeletePolicyVersion`
pub(crate) async fn delete_version(
    asked: &Asked,
    permit: Permit<iam::DeletePolicyVersion>,
    request: ops::DeletePolicyVersion,
) -> Result<Reply, Failure> {
    let version = number(&request.version_id);
    carry_out(asked, permit, move |store, permit| {
        store.delete_policy_version(permit, version)
    })
    .await
}

/// `SetDefaultPolicyVersion`
pub(crate) async fn set_default(
    asked: &Asked,
    permit: Permit<iam::SetDefaultPolicyVersion>,
    request: ops::SetDefaultPolicyVersion,
) -> Result<Reply, Failure> {
    let (version, now) = (number(&request.version_id), asked.platform.clock.now());
    carry_out(asked, permit, move |store, permit| {
        store.set_default_policy_version(permit, version, now)
    })
    .await
}

/// `ListEntitiesForPolicy`
pub(crate) async fn entities(
    asked: &Asked,
    permit: Permit<iam::ListEntitiesForPolicy>,
    request: ops::ListEntitiesForPolicy,
) -> Result<Reply, Failure> {
    let (kind, usage) = (
        request.entity_filter.unwrap_or_default(),
        request.policy_usage_filter.unwrap_or_default(),
    );
    let prefix = request.path_prefix.unwrap_or_default();
    // The model's other filters are for policies, none of which is an entity.
    let nobody = matches!(kind.as_str(), "LocalManagedPolicy" | "AWSManagedPolicy");
    let filter = EntityFilter {
        kind: match kind.as_str() {
            "Role" => Some(EntityKind::Role),
            "User" => Some(EntityKind::User),
            "Group" => Some(EntityKind::Group),
            _ => None,
        },
        prefix: prefix.clone(),
        usage_is_boundary: usage_is_boundary(&usage),
    };
    let wanted = Wanted::all(request.marker, request.max_items).only(&[&kind, &usage, &prefix]);
    let page = page(asked, permit, wanted, move |store, permit, page| {
        let mut listed = store.list_entities_for_policy(permit, &filter, page)?;
        if nobody {
            (listed.items, listed.last) = (Vec::new(), None);
        }
        Ok(listed)
    })
    .await?;
    ops::ListEntitiesForPolicyResponse {
        is_truncated: page.is_truncated,
        marker: page.marker,
        ..having(page.items)
    }
    .reply(Service::Iam, "ListEntitiesForPolicy", &asked.request)
}

fn having(entities: Vec<PolicyEntity>) -> ops::ListEntitiesForPolicyResponse {
    let (mut groups, mut users, mut roles) = (Vec::new(), Vec::new(), Vec::new());
    for entity in entities {
        let (name, id) = (Some(entity.name), Some(entity.id));
        match entity.kind {
            EntityKind::Group => groups.push(shapes::PolicyGroup {
                group_name: name,
                group_id: id,
            }),
            EntityKind::User => users.push(shapes::PolicyUser {
                user_name: name,
                user_id: id,
            }),
            EntityKind::Role => roles.push(shapes::PolicyRole {
                role_name: name,
                role_id: id,
            }),
        }
    }
    ops::ListEntitiesForPolicyResponse {
        policy_groups: Some(groups),
        policy_users: Some(users),
        policy_roles: Some(roles),
        is_truncated: None,
        marker: None,
    }
}

/// `TagPolicy`
pub(crate) async fn tag(
    asked: &Asked,
    permit: Permit<iam::TagPolicy>,
    request: ops::TagPolicy,
) -> Result<Reply, Failure> {
    let tags = tagged::pairs(Some(request.tags));
    carry_out(asked, permit, move |store, permit| {
        store.tag_policy(permit, &tags)
    })
    .await
}

/// `UntagPolicy`
pub(crate) async fn untag(
    asked: &Asked,
    permit: Permit<iam::UntagPolicy>,
    request: ops::UntagPolicy,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.untag_policy(permit, &request.tag_keys)
    })
    .await
}

/// `ListPolicyTags`
pub(crate) async fn list_tags(
    asked: &Asked,
    permit: Permit<iam::ListPolicyTags>,
    request: ops::ListPolicyTags,
) -> Result<Reply, Failure> {
    let wanted = Wanted::all(request.marker, request.max_items);
    let page = page(asked, permit, wanted, |store, permit, page| {
        store.list_policy_tags(permit, page)
    })
    .await?;
    ops::ListPolicyTagsResponse {
        tags: Some(shown::tags(page.items)),
        is_truncated: page.is_truncated,
        marker: page.marker,
    }
    .reply(Service::Iam, "ListPolicyTags", &asked.request)
}
