//! Tags, as requests bring them, and of what is there.

use moho_iam::action::organizations as action;
use moho_iam::authz::{Context, Permit};
use moho_store::organizations::{InvalidInput, OrganisationError, Tags};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::organizations::policies as ops;
use moho_wire::aws::ops::organizations::shapes::Tag;
use moho_wire::{Failure, Reply};

use super::{Asked, Asking, act, done, page, shown};

/// A request's tags.
///
/// # Errors
/// `DUPLICATE_TAG_KEY` if a key comes twice.
pub(super) fn of(tags: Option<Vec<Tag>>) -> Result<Tags, Failure> {
    let mut all = Tags::new();
    for tag in tags.unwrap_or_default() {
        if all.insert(tag.key, tag.value).is_some() {
            let twice = OrganisationError::InvalidInput(InvalidInput::DuplicateTagKey);
            return Err(shown::from_organisation(&twice));
        }
    }
    Ok(all)
}

/// What conditions can ask about a request's tags.
pub(crate) fn context(mut context: Context, tags: Option<&Vec<Tag>>) -> Context {
    let tags = tags.map_or(&[][..], Vec::as_slice);
    for tag in tags {
        context = context.with(&format!("aws:RequestTag/{}", tag.key), tag.value.clone());
    }
    if !tags.is_empty() {
        context.set("aws:TagKeys", tags.iter().map(|tag| tag.key.clone()).collect());
    }
    context
}

/// `TagResource`
pub(crate) async fn put(
    asked: &Asked,
    permit: Permit<action::TagResource>,
    request: ops::TagResource,
) -> Result<Reply, Failure> {
    let tags = of(Some(request.tags))?;
    act(asked, move |platform| {
        platform.store.tag_in_organisation(&permit, &tags)
    })
    .await?;
    done(asked, "TagResource")
}

/// `UntagResource`
pub(crate) async fn remove(
    asked: &Asked,
    permit: Permit<action::UntagResource>,
    request: ops::UntagResource,
) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        platform.store.untag_in_organisation(&permit, &request.tag_keys)
    })
    .await?;
    done(asked, "UntagResource")
}

/// `ListTagsForResource`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<action::ListTagsForResource>,
    request: ops::ListTagsForResource,
) -> Result<Reply, Failure> {
    let (tags, permit) = act(asked, move |platform| {
        Ok((platform.store.tags_in_organisation(&permit)?, permit))
    })
    .await?;
    let asking = Asking::all(request.next_token, None);
    let all = tags
        .into_iter()
        .map(|(key, value)| (key.clone(), Tag { key, value }));
    let (tags, next_token) = page(asked, &permit, &asking, all)?;
    let reply = ops::ListTagsForResourceResponse {
        tags: Some(tags),
        next_token,
    };
    reply.reply(Service::Organizations, "ListTagsForResource", &asked.request)
}
