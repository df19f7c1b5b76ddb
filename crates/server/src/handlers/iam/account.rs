//! An account seen as a whole: how much of what there is, and everything in detail.

use std::collections::BTreeMap;

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_store::iam::{
    EntityKind, IamError, IdentityDetails, LastAccess, Listed, Page, PolicyDetails, RoleDetails, quotas,
};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::{account as ops, shapes};
use moho_wire::{Failure, Reply};

use super::{act, shown};
use crate::handlers::Asked;
use crate::handlers::paging::{Asking, Listing};
use crate::startup::Platform;

/// `GetAccountSummary`
pub(crate) async fn summary(asked: &Asked, permit: Permit<iam::GetAccountSummary>) -> Result<Reply, Failure> {
    let counts = act(asked, move |platform| platform.store.account_counts(&permit)).await?;
    // What does not exist here is there none times; the rest are AWS's quotas, which hold here too.
    let fixed = [
        ("AccessKeysPerUserQuota", 2),
        ("AccountAccessKeysPresent", 0),
        ("AccountMFAEnabled", 0),
        ("AccountPasswordPresent", 0),
        ("AccountSigningCertificatesPresent", 0),
        ("AssumeRolePolicySizeQuota", 4096),
        ("AttachedPoliciesPerGroupQuota", 10),
        ("AttachedPoliciesPerUserQuota", 10),
        ("GlobalEndpointTokenVersion", 2),
        ("GroupPolicySizeQuota", 5120),
        ("GroupsPerUserQuota", 10),
        ("GroupsQuota", 300),
        ("MFADevices", 0),
        ("MFADevicesInUse", 0),
        ("PolicySizeQuota", 6144),
        ("RolePolicySizeQuota", 10_240),
        ("ServerCertificates", 0),
        ("ServerCertificatesQuota", 0),
        ("SigningCertificatesPerUserQuota", 0),
        ("UserPolicySizeQuota", 2048),
        ("UsersQuota", 5000),
        ("VersionsPerPolicyQuota", 5),
    ];
    let counted = [
        ("Groups", counts.groups),
        ("InstanceProfiles", counts.instance_profiles),
        ("Policies", counts.policies),
        ("PolicyVersionsInUse", counts.versions),
        ("Providers", counts.providers),
        ("Roles", counts.roles),
        ("Users", counts.users),
    ];
    let all = fixed.into_iter().chain(counted).chain(quotas());
    let map: BTreeMap<String, i64> = all
        .map(|(name, count)| (name.to_owned(), i64::from(count)))
        .collect();
    ops::GetAccountSummaryResponse {
        summary_map: Some(map),
    }
    .reply(Service::Iam, "GetAccountSummary", &asked.request)
}

/// The lists that the details are made of, in their order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Users,
    Groups,
    Roles,
    OwnPolicies,
    AwsPolicies,
}

impl Section {
    const ALL: [(Self, &'static str, char); 5] = [
        (Self::Users, "User", 'u'),
        (Self::Groups, "Group", 'g'),
        (Self::Roles, "Role", 'r'),
        (Self::OwnPolicies, "LocalManagedPolicy", 'l'),
        (Self::AwsPolicies, "AWSManagedPolicy", 'a'),
    ];
}

/// How many bytes of documents a page has before it ends, with the thing that came to as much.
const MOST_BYTES: usize = 1 << 20;

/// What was gathered of all sections.
#[derive(Default)]
struct Gathered {
    bytes: usize,
    users: Vec<IdentityDetails>,
    groups: Vec<IdentityDetails>,
    roles: Vec<(RoleDetails, Vec<LastAccess>)>,
    policies: Vec<PolicyDetails>,
}

impl Gathered {
    fn len(&self) -> usize {
        [
            self.users.len(),
            self.groups.len(),
            self.roles.len(),
            self.policies.len(),
        ]
        .iter()
        .sum()
    }

    /// Adds a page of a section; where that goes on.
    fn add(
        &mut self,
        section: Section,
        platform: &Platform,
        permit: &Permit<iam::GetAccountAuthorizationDetails>,
        page: Page<'_>,
    ) -> Result<Option<String>, IamError> {
        let store = &platform.store;
        match section {
            Section::Users => {
                let listed = store.identity_details(permit, EntityKind::User, page)?;
                self.count(&listed.items, |user| documents(&user.inline));
                Ok(put(&mut self.users, listed))
            }
            Section::Groups => {
                let listed = store.identity_details(permit, EntityKind::Group, page)?;
                self.count(&listed.items, |group| documents(&group.inline));
                Ok(put(&mut self.groups, listed))
            }
            Section::Roles => {
                let listed = store.role_details(permit, page)?;
                self.count(&listed.items, of_role);
                for details in listed.items {
                    let role = &details.role.role;
                    let whose = format!("role/{}", role.name);
                    let uses = platform.last_use.of(permit, &whose, role.created_at)?;
                    self.roles.push((details, uses));
                }
                Ok(listed.last)
            }
            Section::OwnPolicies | Section::AwsPolicies => {
                let listed = store.policy_details(permit, section == Section::AwsPolicies, page)?;
                self.count(&listed.items, of_policy);
                Ok(put(&mut self.policies, listed))
            }
        }
    }

    fn count<T>(&mut self, items: &[T], bytes: impl Fn(&T) -> usize) {
        self.bytes = items
            .iter()
            .fold(self.bytes, |sum, item| sum.saturating_add(bytes(item)));
    }
}

fn documents(inline: &[(String, String)]) -> usize {
    inline.iter().map(|(_, document)| document.len()).sum()
}

/// Each instance profile shows its role again.
fn of_role(role: &RoleDetails) -> usize {
    let shown = role.instance_profiles.len().saturating_add(1);
    let trust = role.role.role.trust_policy.len();
    documents(&role.inline).saturating_add(trust.saturating_mul(shown))
}

fn of_policy(policy: &PolicyDetails) -> usize {
    let versions = policy.versions.iter();
    versions.map(|version| version.document.len()).sum()
}

fn put<T>(all: &mut Vec<T>, listed: Listed<T>) -> Option<String> {
    all.extend(listed.items);
    listed.last
}

/// `GetAccountAuthorizationDetails`: one list after the other, over as many pages as it takes.
pub(crate) async fn details(
    asked: &Asked,
    permit: Permit<iam::GetAccountAuthorizationDetails>,
    request: ops::GetAccountAuthorizationDetails,
) -> Result<Reply, Failure> {
    let filter = request.filter.unwrap_or_default();
    let filters: Vec<&str> = filter.iter().map(String::as_str).collect();
    let listing = Listing::of_permit(&permit, &filters);
    let page = Asking::of_iam(
        &asked.platform,
        listing,
        request.marker.as_deref(),
        request.max_items,
    )?;
    let wanted = Section::ALL
        .into_iter()
        .filter(|(_, name, _)| filter.is_empty() || filter.iter().any(|wanted| wanted == name));
    let wanted: Vec<(Section, char)> = wanted.map(|(section, _, mark)| (section, mark)).collect();
    let (after, limit) = (page.after.clone(), page.limit);
    let (gathered, last) = act(asked, move |platform| {
        gather(platform, &permit, &wanted, (after.as_deref(), limit))
    })
    .await?;
    let (is_truncated, marker) = page.next(&asked.platform, last.as_deref())?;
    let roles = gathered.roles.into_iter().map(role);
    ops::GetAccountAuthorizationDetailsResponse {
        user_detail_list: Some(gathered.users.into_iter().map(user).collect()),
        group_detail_list: Some(gathered.groups.into_iter().map(group).collect()),
        role_detail_list: Some(roles.collect::<Result<_, _>>()?),
        policies: Some(gathered.policies.into_iter().map(policy).collect()),
        is_truncated,
        marker,
    }
    .reply(Service::Iam, "GetAccountAuthorizationDetails", &asked.request)
}

/// A page of the wanted sections, and where it goes on: a section's mark and the last thing of it. It is gathered one by
/// one, for it ends when there are many, and when they are large.
fn gather(
    platform: &Platform,
    permit: &Permit<iam::GetAccountAuthorizationDetails>,
    wanted: &[(Section, char)],
    (after, limit): (Option<&str>, usize),
) -> Result<(Gathered, Option<String>), IamError> {
    let mut gathered = Gathered::default();
    let begun = after.and_then(|after| Some((after.chars().next()?, after.get(1..)?)));
    let mut begin = begun;
    for (section, mark) in wanted {
        let mut last = match begin {
            Some((at, _)) if at != *mark => continue,
            Some((_, after)) => Some(after.to_owned()).filter(|after| !after.is_empty()),
            None => None,
        };
        begin = None;
        loop {
            if gathered.len() >= limit || gathered.bytes >= MOST_BYTES {
                let last = last.unwrap_or_default();
                return Ok((gathered, Some(format!("{mark}{last}"))));
            }
            let page = Page {
                after: last.as_deref(),
                limit: 1,
            };
            last = gathered.add(*section, platform, permit, page)?;
            if last.is_none() {
                break;
            }
        }
    }
    Ok((gathered, None))
}

fn user(details: IdentityDetails) -> shapes::UserDetail {
    shapes::UserDetail {
        path: Some(details.path),
        user_name: Some(details.name),
        user_id: Some(details.id),
        arn: Some(details.arn),
        create_date: Some(details.created_at),
        user_policy_list: Some(details.inline.into_iter().map(shown::inline).collect()),
        group_list: Some(details.groups),
        attached_managed_policies: Some(shown::attached(details.attached)),
        permissions_boundary: details.boundary.map(shown::boundary),
        tags: Some(shown::tags(details.tags)),
    }
}

fn group(details: IdentityDetails) -> shapes::GroupDetail {
    shapes::GroupDetail {
        path: Some(details.path),
        group_name: Some(details.name),
        group_id: Some(details.id),
        arn: Some(details.arn),
        create_date: Some(details.created_at),
        group_policy_list: Some(details.inline.into_iter().map(shown::inline).collect()),
        attached_managed_policies: Some(shown::attached(details.attached)),
    }
}

fn role((details, uses): (RoleDetails, Vec<LastAccess>)) -> Result<shapes::RoleDetail, Failure> {
    let profiles = details.instance_profiles.into_iter().map(shown::instance_profile);
    let role = shown::role(details.role.role, Some(details.role.tags))?;
    Ok(shapes::RoleDetail {
        path: role.path,
        role_name: role.role_name,
        role_id: role.role_id,
        arn: role.arn,
        create_date: role.create_date,
        assume_role_policy_document: role.assume_role_policy_document,
        instance_profile_list: Some(profiles.collect::<Result<_, _>>()?),
        role_policy_list: Some(details.inline.into_iter().map(shown::inline).collect()),
        attached_managed_policies: Some(shown::attached(details.attached)),
        permissions_boundary: role.permissions_boundary,
        tags: Some(role.tags.unwrap_or_default()),
        role_last_used: Some(shown::last_used(uses)),
    })
}

fn policy(details: PolicyDetails) -> shapes::ManagedPolicyDetail {
    let policy = shown::policy(details.policy, None);
    let versions = details.versions.into_iter();
    shapes::ManagedPolicyDetail {
        policy_name: policy.policy_name,
        policy_id: policy.policy_id,
        arn: policy.arn,
        path: policy.path,
        default_version_id: policy.default_version_id,
        attachment_count: policy.attachment_count,
        permissions_boundary_usage_count: policy.permissions_boundary_usage_count,
        is_attachable: policy.is_attachable,
        description: None,
        create_date: policy.create_date,
        update_date: policy.update_date,
        policy_version_list: Some(versions.map(|version| shown::version(&version, true)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_large_is_counted_as_large() {
        let mut gathered = Gathered::default();
        let inline = vec![
            ("a".to_owned(), "x".repeat(600)),
            ("b".to_owned(), "y".repeat(400)),
        ];
        gathered.count(&[inline.clone(), inline], |inline| documents(inline));
        assert_eq!(gathered.bytes, 2000);
    }
}
