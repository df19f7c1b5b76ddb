//! An account in detail: one list after the other, over as many pages as it takes.
//!
//! What one thing comes to on the wire, nobody can tell from what is stored: documents are escaped, and a role's trust
//! policy stands in each of its instance profiles again. So each thing is written to see how long it is, before it is put
//! on a page.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_store::iam::{EntityKind, IdentityDetails, LastAccess, Listed, Page, PolicyDetails, RoleDetails};
use moho_terms::RequestId;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::account::{self as ops, GetAccountAuthorizationDetailsResponse as Shown};
use moho_wire::aws::ops::iam::shapes;
use moho_wire::{Failure, Reply};

use super::{act, from_iam, shown};
use crate::handlers::Asked;
use crate::handlers::paging::{Asking, Listing};
use crate::startup::Platform;

/// The most bytes of a page. Only what is longer by itself makes a longer one, and then it is alone on it: a role in very
/// many instance profiles.
const MOST_BYTES: usize = 1 << 20;
/// Bytes that are left for where it goes on.
const MARKER: usize = 1024;

/// The lists that the details are made of, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// One thing of an account's, as replies show it.
#[derive(Clone)]
enum Thing {
    User(shapes::UserDetail),
    Group(shapes::GroupDetail),
    Role(shapes::RoleDetail),
    Policy(shapes::ManagedPolicyDetail),
}

impl Thing {
    fn show(self, shown: &mut Shown) {
        match self {
            Self::User(user) => shown.user_detail_list.get_or_insert_default().push(user),
            Self::Group(group) => shown.group_detail_list.get_or_insert_default().push(group),
            Self::Role(role) => shown.role_detail_list.get_or_insert_default().push(role),
            Self::Policy(policy) => shown.policies.get_or_insert_default().push(policy),
        }
    }

    /// How many bytes it takes on a page, at most.
    fn length(&self, request: &RequestId) -> Result<usize, Failure> {
        let mut alone = Shown::default();
        self.clone().show(&mut alone);
        let nothing = written(Shown::default(), request)?.body.len();
        Ok(written(alone, request)?.body.len().saturating_sub(nothing))
    }
}

fn written(shown: Shown, request: &RequestId) -> Result<Reply, Failure> {
    shown.reply(Service::Iam, "GetAccountAuthorizationDetails", request)
}

/// A page without anything on it.
fn empty() -> Shown {
    Shown {
        user_detail_list: Some(Vec::new()),
        group_detail_list: Some(Vec::new()),
        role_detail_list: Some(Vec::new()),
        policies: Some(Vec::new()),
        is_truncated: Some(true),
        marker: None,
    }
}

/// `GetAccountAuthorizationDetails`
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
    let id = asked.request.clone();
    let (shown, last) = act(asked, move |platform| {
        let next = |section: Section, after: Option<&str>| next(platform, &permit, section, after);
        Ok(gather(&wanted, (after.as_deref(), limit), next, &id))
    })
    .await??;
    let (is_truncated, marker) = page.next(&asked.platform, last.as_deref())?;
    let whole = Shown {
        is_truncated,
        marker,
        ..shown
    };
    written(whole, &asked.request)
}

/// A page of the wanted sections, and where it goes on: a section's mark and the last thing of it. `next` tells what of a
/// section comes after which, one by one.
fn gather(
    wanted: &[(Section, char)],
    (after, limit): (Option<&str>, usize),
    mut next: impl FnMut(Section, Option<&str>) -> Result<Listed<Thing>, Failure>,
    request: &RequestId,
) -> Result<(Shown, Option<String>), Failure> {
    let mut shown = empty();
    let mut bytes = written(shown.clone(), request)?.body.len().saturating_add(MARKER);
    let mut count = 0_usize;
    let mut begin = after.and_then(|after| Some((after.chars().next()?, after.get(1..)?)));
    for (section, mark) in wanted {
        let mut last = match begin {
            Some((at, _)) if at != *mark => continue,
            Some((_, after)) => Some(after.to_owned()).filter(|after| !after.is_empty()),
            None => None,
        };
        begin = None;
        loop {
            let goes_on =
                |last: &Option<String>| Some(format!("{mark}{}", last.as_deref().unwrap_or_default()));
            if count >= limit {
                return Ok((shown, goes_on(&last)));
            }
            let listed = next(*section, last.as_deref())?;
            for thing in listed.items {
                let length = thing.length(request)?;
                if count > 0 && bytes.saturating_add(length) > MOST_BYTES {
                    return Ok((shown, goes_on(&last)));
                }
                thing.show(&mut shown);
                bytes = bytes.saturating_add(length);
                count = count.saturating_add(1);
            }
            last = listed.last;
            if last.is_none() {
                break;
            }
        }
    }
    Ok((shown, None))
}

/// The first thing of a section after another.
fn next(
    platform: &Platform,
    permit: &Permit<iam::GetAccountAuthorizationDetails>,
    section: Section,
    after: Option<&str>,
) -> Result<Listed<Thing>, Failure> {
    let (store, page) = (&platform.store, Page { after, limit: 1 });
    match section {
        Section::Users => {
            let users = store.identity_details(permit, EntityKind::User, page);
            each(users.map_err(|error| from_iam(&error))?, |details| {
                Ok(Thing::User(user(details)))
            })
        }
        Section::Groups => {
            let groups = store.identity_details(permit, EntityKind::Group, page);
            each(groups.map_err(|error| from_iam(&error))?, |details| {
                Ok(Thing::Group(group(details)))
            })
        }
        Section::Roles => {
            let roles = store.role_details(permit, page);
            each(roles.map_err(|error| from_iam(&error))?, |details| {
                let kept = &details.role.role;
                let uses = platform
                    .last_use
                    .of(permit, &format!("role/{}", kept.name), kept.created_at);
                role(details, uses.map_err(|error| from_iam(&error))?).map(Thing::Role)
            })
        }
        Section::OwnPolicies | Section::AwsPolicies => {
            let policies = store.policy_details(permit, section == Section::AwsPolicies, page);
            each(policies.map_err(|error| from_iam(&error))?, |details| {
                Ok(Thing::Policy(policy(details)))
            })
        }
    }
}

fn each<T>(
    listed: Listed<T>,
    show: impl FnMut(T) -> Result<Thing, Failure>,
) -> Result<Listed<Thing>, Failure> {
    Ok(Listed {
        items: listed.items.into_iter().map(show).collect::<Result<_, _>>()?,
        last: listed.last,
    })
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

fn role(details: RoleDetails, uses: Vec<LastAccess>) -> Result<shapes::RoleDetail, Failure> {
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
    use moho_terms::Timestamp;

    use super::*;

    fn request() -> RequestId {
        "11111111-2222-4333-8444-555555555555".parse().unwrap()
    }

    /// A role with so many instance profiles, each of which has the trust policy again.
    fn in_profiles(number: usize, profiles: usize) -> Thing {
        let (some, at) = (Some("some".to_owned()), Some(Timestamp::from_unix_seconds(0)));
        let within = shapes::InstanceProfile {
            path: some.clone(),
            instance_profile_name: some.clone(),
            instance_profile_id: some.clone(),
            arn: some.clone(),
            create_date: at,
            roles: Some(vec![shapes::Role {
                path: some.clone(),
                role_name: some.clone(),
                role_id: some.clone(),
                arn: some,
                create_date: at,
                assume_role_policy_document: Some("%7B".repeat(4096)),
                ..shapes::Role::default()
            }]),
            ..shapes::InstanceProfile::default()
        };
        Thing::Role(shapes::RoleDetail {
            role_name: Some(number.to_string()),
            instance_profile_list: Some(vec![within; profiles]),
            ..shapes::RoleDetail::default()
        })
    }

    /// The roles of each page, and how long it is; profiles of role by role.
    fn pages(profiles: &[usize], limit: usize) -> Vec<(usize, usize)> {
        let next = |section: Section, after: Option<&str>| {
            let at = after.map_or(0, |after| after.parse::<usize>().unwrap() + 1);
            let here = profiles.get(at).filter(|_| section == Section::Roles);
            Ok(Listed {
                items: here.map(|count| in_profiles(at, *count)).into_iter().collect(),
                last: here.filter(|_| at + 1 < profiles.len()).map(|_| at.to_string()),
            })
        };
        let wanted = [
            (Section::Users, 'u'),
            (Section::Roles, 'r'),
            (Section::AwsPolicies, 'a'),
        ];
        let (mut pages, mut after, mut seen) = (Vec::new(), None, 0);
        loop {
            let (shown, last) = gather(&wanted, (after.as_deref(), limit), next, &request()).unwrap();
            let roles = shown.role_detail_list.clone().unwrap();
            for role in &roles {
                assert_eq!(role.role_name, Some(seen.to_string()));
                seen += 1;
            }
            let marker = last.as_ref().map(|_| "m".repeat(MARKER / 2));
            let whole = Shown { marker, ..shown };
            pages.push((roles.len(), written(whole, &request()).unwrap().body.len()));
            match last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        assert_eq!(seen, profiles.len());
        pages
    }

    #[test]
    fn a_page_is_as_long_as_it_may_be_unless_one_thing_alone_is_longer() {
        let long = pages(&[20, 30, 30, 10, 200, 1, 80, 5], 100);
        let counts: Vec<usize> = long.iter().map(|(count, _)| *count).collect();
        assert_eq!(counts, [3, 1, 1, 2, 1]);
        for (count, length) in &long {
            assert!(*length <= MOST_BYTES || *count == 1, "{long:?}");
        }
        assert!(
            long[0].1 > MOST_BYTES / 10 * 9 && long[2].1 > 2 * MOST_BYTES,
            "{long:?}"
        );
    }

    #[test]
    fn a_page_has_as_many_things_as_were_asked_for() {
        let counts: Vec<usize> = pages(&[0, 1, 0, 2, 0], 2)
            .iter()
            .map(|(count, _)| *count)
            .collect();
        assert_eq!(counts, [2, 2, 1]);
    }
}
