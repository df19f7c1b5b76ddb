//! Log groups and their tags.

use std::collections::BTreeMap;

use moho_iam::action::{kms, logs as action};
use moho_iam::authz::Permit;
use moho_store::StoreError;
use moho_store::logs::{
    GroupChange, GroupFacts, GroupMade, GroupSums, GroupsWanted, NewGroup, TagsChanged, log_name,
};
use moho_terms::KeyId;
use moho_watch::retention;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::logs::groups::{
    CreateLogGroup, DescribeLogGroups, DescribeLogGroupsReply, ListTagsForResourceReply, LogGroup,
    PutRetentionPolicy,
};
use moho_wire::{Failure, Reply};

use super::{Asked, after, listing, page_of, shown, stored, token};
use crate::startup::Platform;

const STANDARD: &str = "STANDARD";
/// Another class, of which AWS stores events in another way; here it is kept and told, and nothing else.
const INFREQUENT: &str = "INFREQUENT_ACCESS";

/// `CreateLogGroup`
pub(crate) async fn create(
    asked: &Asked,
    (permit, key): (
        Permit<action::CreateLogGroup>,
        Option<Permit<kms::GenerateDataKey>>,
    ),
    create: CreateLogGroup,
) -> Result<Reply, Failure> {
    if create.log_group_name.starts_with("aws/") {
        return Err(shown::invalid(
            "Log groups starting with AWS/ are reserved for AWS.",
        ));
    }
    let class = create.log_group_class.unwrap_or_else(|| STANDARD.to_owned());
    if class != STANDARD && class != INFREQUENT {
        return Err(shown::invalid(
            "Log groups of this class are not served. Use STANDARD or INFREQUENT_ACCESS.",
        ));
    }
    let tags = create.tags.unwrap_or_default();
    check_tags(&tags)?;
    let protected = create.deletion_protection_enabled.unwrap_or(false);
    let made = stored(asked, move |platform| {
        let id = key.as_ref().and_then(key_id);
        let new = NewGroup {
            class: &class,
            key: id.as_ref(),
            protected,
            tags: &tags,
        };
        platform
            .store
            .create_log_group(&permit, &new, platform.clock.now())
    });
    match made.await? {
        GroupMade::Done => Service::Logs.done("CreateLogGroup", &asked.request),
        GroupMade::Exists => Err(shown::service(
            "ResourceAlreadyExistsException",
            "The specified log group already exists",
        )),
        GroupMade::Full => Err(shown::service(
            "LimitExceededException",
            "Resource limit exceeded: an account has at most 10000 log groups.",
        )),
    }
}

/// The key that a permit is for.
fn key_id(key: &Permit<kms::GenerateDataKey>) -> Option<KeyId> {
    key.resource().resource().strip_prefix("key/")?.parse().ok()
}

/// Tags may not have AWS's own keys.
fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Failure> {
    let reserved = |key: &String| key.to_ascii_lowercase().starts_with("aws:");
    if tags.keys().any(reserved) {
        return Err(shown::invalid("Tag keys that begin with aws: are reserved."));
    }
    Ok(())
}

/// `DeleteLogGroup`
pub(crate) async fn delete(asked: &Asked, permit: Permit<action::DeleteLogGroup>) -> Result<Reply, Failure> {
    match stored(asked, move |platform| platform.store.delete_log_group(&permit)).await? {
        None => Err(shown::no_group()),
        Some(false) => Err(protected()),
        Some(true) => Service::Logs.done("DeleteLogGroup", &asked.request),
    }
}

/// That deletion protection is on.
pub(super) fn protected() -> Failure {
    shown::service(
        "ValidationException",
        "The log group has deletion protection enabled. Disable it with PutLogGroupDeletionProtection before deleting.",
    )
}

/// `DescribeLogGroups`
pub(crate) async fn describe(
    asked: &Asked,
    permit: Permit<action::DescribeLogGroups>,
    request: DescribeLogGroups,
) -> Result<Reply, Failure> {
    if request.log_group_name_prefix.is_some() && request.log_group_name_pattern.is_some() {
        return Err(shown::invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let prefix = request.log_group_name_prefix.unwrap_or_default();
    let by_pattern = request.log_group_name_pattern.is_some();
    let pattern = request.log_group_name_pattern.unwrap_or_default();
    let class = request.log_group_class;
    let of = class.clone().unwrap_or_default();
    let listing = listing(&permit, &[&prefix, &pattern, &of]);
    let after = after(asked, &listing, request.next_token.as_ref())?.unwrap_or_default();
    let page = page_of(request.limit);
    let names = request.log_group_identifiers;
    let region = asked.platform.region.clone();
    let found = stored(asked, move |platform| {
        let wanted = GroupsWanted {
            prefix: &prefix,
            pattern: &pattern,
            class: class.as_deref(),
            after: &after,
            most: page.saturating_add(1),
        };
        let found = match names {
            None => platform.store.log_groups(&permit, &wanted)?,
            Some(names) => those_named(platform, &permit, (&names, wanted))?,
        };
        Ok((permit, found))
    });
    let (permit, mut found) = found.await?;
    let more = found.len() > page;
    found.truncate(page);
    let last = found.last().filter(|_| more).map(|group| group.0.name.clone());
    let next_token = last.map(|last| token(asked, &listing, &last)).transpose()?;
    let shown = found.into_iter().map(|facts| {
        let whole = shown::group(&permit, region.as_str(), facts);
        if by_pattern {
            LogGroup {
                log_group_name: whole.log_group_name,
                creation_time: whole.creation_time,
                arn: whole.arn,
                ..LogGroup::default()
            }
        } else {
            whole
        }
    });
    DescribeLogGroupsReply {
        log_groups: Some(shown.collect()),
        next_token,
    }
    .reply(Service::Logs, "DescribeLogGroups", &asked.request)
}

/// Those of some names or ARNs that there are.
fn those_named(
    platform: &Platform,
    permit: &Permit<action::DescribeLogGroups>,
    (names, wanted): (&[String], GroupsWanted<'_>),
) -> Result<Vec<(GroupFacts, GroupSums)>, StoreError> {
    let mut found = Vec::new();
    for name in names.iter().map(|name| named(name)) {
        let one = GroupsWanted {
            prefix: &name,
            most: 1,
            ..wanted
        };
        let same = platform.store.log_groups(permit, &one)?.into_iter();
        found.extend(same.filter(|group| group.0.name == name));
    }
    Ok(found)
}

/// The name in an identifier, which may be an ARN.
fn named(identifier: &str) -> String {
    let arn = identifier.parse().ok().and_then(|arn| log_name(&arn));
    arn.map_or_else(|| identifier.to_owned(), |name| name.group)
}

/// `PutRetentionPolicy`
pub(crate) async fn put_retention(
    asked: &Asked,
    permit: Permit<action::PutRetentionPolicy>,
    request: PutRetentionPolicy,
) -> Result<Reply, Failure> {
    let days = retention::days(request.retention_in_days).ok_or_else(|| {
        let listed: Vec<String> = retention::DAYS.iter().map(u32::to_string).collect();
        shown::invalid(&format!(
            "1 validation error detected: Value '{}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy \
             enum value set: [{}]",
            request.retention_in_days,
            listed.join(", ")
        ))
    })?;
    let changed = stored(asked, move |platform| {
        platform
            .store
            .change_log_group(&permit, GroupChange::Retention(Some(days)))
    });
    done(asked, "PutRetentionPolicy", changed.await?)
}

/// `DeleteRetentionPolicy`
pub(crate) async fn delete_retention(
    asked: &Asked,
    permit: Permit<action::DeleteRetentionPolicy>,
) -> Result<Reply, Failure> {
    let changed = stored(asked, move |platform| {
        platform
            .store
            .change_log_group(&permit, GroupChange::Retention(None))
    });
    done(asked, "DeleteRetentionPolicy", changed.await?)
}

/// `AssociateKmsKey`: the caller may seal under that key.
pub(crate) async fn associate(
    asked: &Asked,
    permit: Permit<action::AssociateKmsKey>,
    key: Permit<kms::GenerateDataKey>,
) -> Result<Reply, Failure> {
    let changed = stored(asked, move |platform| {
        let id = key_id(&key);
        platform
            .store
            .change_log_group(&permit, GroupChange::Key(id.as_ref()))
    });
    done(asked, "AssociateKmsKey", changed.await?)
}

/// `DisassociateKmsKey`
pub(crate) async fn disassociate(
    asked: &Asked,
    permit: Permit<action::DisassociateKmsKey>,
) -> Result<Reply, Failure> {
    let changed = stored(asked, move |platform| {
        platform.store.change_log_group(&permit, GroupChange::Key(None))
    });
    done(asked, "DisassociateKmsKey", changed.await?)
}

/// `PutLogGroupDeletionProtection`
pub(crate) async fn protect(
    asked: &Asked,
    permit: Permit<action::PutLogGroupDeletionProtection>,
    on: bool,
) -> Result<Reply, Failure> {
    let changed = stored(asked, move |platform| {
        platform
            .store
            .change_log_group(&permit, GroupChange::Protection(on))
    });
    done(asked, "PutLogGroupDeletionProtection", changed.await?)
}

fn done(asked: &Asked, operation: &str, there: bool) -> Result<Reply, Failure> {
    if there {
        Service::Logs.done(operation, &asked.request)
    } else {
        Err(shown::no_group())
    }
}

/// `TagResource`
pub(crate) async fn tag(
    asked: &Asked,
    permit: Permit<action::TagResource>,
    tags: BTreeMap<String, String>,
) -> Result<Reply, Failure> {
    check_tags(&tags)?;
    let changed = stored(asked, move |platform| {
        platform.store.change_log_tags(&permit, (&tags, &[]))
    });
    tagged(asked, "TagResource", changed.await?)
}

/// `UntagResource`
pub(crate) async fn untag(
    asked: &Asked,
    permit: Permit<action::UntagResource>,
    keys: Vec<String>,
) -> Result<Reply, Failure> {
    let changed = stored(asked, move |platform| {
        platform.store.change_log_tags(&permit, (&BTreeMap::new(), &keys))
    });
    tagged(asked, "UntagResource", changed.await?)
}

fn tagged(asked: &Asked, operation: &str, changed: TagsChanged) -> Result<Reply, Failure> {
    match changed {
        TagsChanged::Done => Service::Logs.done(operation, &asked.request),
        TagsChanged::Absent => Err(shown::no_group()),
        TagsChanged::TooMany => Err(shown::service(
            "TooManyTagsException",
            "A log group has at most 50 tags. Remove some first.",
        )),
    }
}

/// `ListTagsForResource`
pub(crate) async fn list_tags(
    asked: &Asked,
    permit: Permit<action::ListTagsForResource>,
) -> Result<Reply, Failure> {
    let tags = stored(asked, move |platform| platform.store.log_tags(&permit)).await?;
    ListTagsForResourceReply {
        tags: Some(tags.ok_or_else(shown::no_group)?),
    }
    .reply(Service::Logs, "ListTagsForResource", &asked.request)
}
