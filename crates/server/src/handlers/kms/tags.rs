//! Tags of keys.

use moho_iam::action::kms as action;
use moho_iam::authz::Permit;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::kms::keys as ops;
use moho_wire::aws::ops::kms::shapes::Tag;
use moho_wire::{Failure, Reply};

use super::{Asked, Pace, Wanted, asking, carry_out, compute, keys, page};

/// `TagResource`
pub(crate) async fn put(
    asked: &Asked,
    permit: Permit<action::TagResource>,
    request: ops::TagResource,
) -> Result<Reply, Failure> {
    let tags = keys::pairs(&request.tags)?;
    carry_out(asked, permit, move |platform, permit| {
        platform.kms.tag(permit, &tags)
    })
    .await
}

/// `UntagResource`
pub(crate) async fn remove(
    asked: &Asked,
    permit: Permit<action::UntagResource>,
    request: ops::UntagResource,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |platform, permit| {
        platform.kms.untag(permit, &request.tag_keys)
    })
    .await
}

/// `ListResourceTags`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<action::ListResourceTags>,
    request: ops::ListResourceTags,
) -> Result<Reply, Failure> {
    let wanted = Wanted {
        filters: &[],
        marker: request.marker.as_deref(),
        limit: request.limit,
        sizes: (50, 50),
    };
    let asking = asking(asked, &permit, &wanted)?;
    let record = compute(asked, Pace::Slow, move |platform| platform.kms.key(&permit)).await?;
    let all = record.tags.iter().map(|(key, value)| {
        let tag = Tag {
            tag_key: key.clone(),
            tag_value: value.clone(),
        };
        (key.clone(), tag)
    });
    let page = page(asked, &asking, all)?;
    let reply = ops::ListResourceTagsResponse {
        tags: Some(page.items),
        next_marker: page.next_marker,
        truncated: page.truncated,
    };
    reply.reply(Service::Kms, "ListResourceTags", &asked.request)
}
