//! Tags of trails.

use std::collections::BTreeMap;

use moho_audit::cloudtrail::names::{TrailArn, TrailRef};
use moho_iam::action::cloudtrail as action;
use moho_iam::authz::Permit;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::cloudtrail::{self as ops, Tag};
use moho_wire::{Failure, Reply};

use super::{act, shown, trails};
use crate::handlers::Asked;

/// The trail that a request names as a resource: by its ARN only.
pub(crate) fn trail(resource: &str) -> Result<TrailArn, Failure> {
    match resource.parse() {
        Ok(TrailRef::Arn(arn)) => Ok(arn),
        Ok(TrailRef::Name(_)) => {
            let resource: String = resource.chars().take(256).collect();
            Err(shown::service(
                "CloudTrailARNInvalidException",
                format!(
                    "`{resource}` is not a trail ARN: the format is arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME."
                ),
            ))
        }
        Err(error) => Err(shown::bad_ref(&error)),
    }
}

/// There is no such resource.
pub(crate) fn not_found(resource: &str) -> Failure {
    let resource: String = resource.chars().take(256).collect();
    shown::service(
        "ResourceNotFoundException",
        format!("The resource {resource} was not found."),
    )
}

/// Tags by their keys: none is given twice.
pub(super) fn of(list: &[Tag]) -> Result<BTreeMap<String, String>, Failure> {
    let mut tags = BTreeMap::new();
    for tag in list {
        let value = tag.value.clone().unwrap_or_default();
        if tag.key.starts_with("aws:") || tags.insert(tag.key.clone(), value).is_some() {
            return Err(shown::service(
                "InvalidTagParameterException",
                "Keys of tags are given once each, and do not begin with aws:.",
            ));
        }
    }
    Ok(tags)
}

/// `AddTags`
pub(crate) async fn add(
    asked: &Asked,
    permit: Permit<action::AddTags>,
    request: ops::AddTags,
) -> Result<Reply, Failure> {
    let tags = of(&request.tags_list)?;
    let (_trail, permit) = trails::own(asked, permit).await.map_err(as_resource)?;
    act(asked, move |platform| platform.store.tag_trail(&permit, &tags)).await?;
    Service::CloudTrail.done("AddTags", &asked.request)
}

/// `RemoveTags`
pub(crate) async fn remove(
    asked: &Asked,
    permit: Permit<action::RemoveTags>,
    request: ops::RemoveTags,
) -> Result<Reply, Failure> {
    let old = request.tags_list.into_iter().map(|tag| (tag.key, tag.value));
    let old: Vec<(String, Option<String>)> = old.collect();
    let (_trail, permit) = trails::own(asked, permit).await.map_err(as_resource)?;
    act(asked, move |platform| platform.store.untag_trail(&permit, &old)).await?;
    Service::CloudTrail.done("RemoveTags", &asked.request)
}

/// `ListTags`
pub(crate) async fn list(asked: &Asked, permits: Vec<Permit<action::ListTags>>) -> Result<Reply, Failure> {
    let mut all = Vec::new();
    for permit in permits {
        let (trail, permit) = trails::own(asked, permit).await.map_err(as_resource)?;
        let tags = act(asked, move |platform| platform.store.trail_tags(&permit)).await?;
        let tags = tags.into_iter().map(|(key, value)| Tag {
            key,
            value: Some(value),
        });
        all.push(ops::ResourceTag {
            resource_id: shown::arn(&trail),
            tags_list: Some(tags.collect()),
        });
    }
    ops::ListTagsResponse {
        resource_tag_list: Some(all),
        next_token: None,
    }
    .reply(Service::CloudTrail, "ListTags", &asked.request)
}

/// What names a resource that is not there.
fn as_resource(failure: Failure) -> Failure {
    if let Failure::Service {
        code: "TrailNotFoundException",
        message,
        ..
    } = failure
    {
        return shown::service("ResourceNotFoundException", message);
    }
    failure
}
