//! Tags, as requests bring them.

use moho_iam::authz::Context;
use moho_store::iam::Tag;
use moho_wire::aws::ops::iam::shapes;

/// A request's tags.
pub(crate) fn pairs(tags: Option<Vec<shapes::Tag>>) -> Vec<Tag> {
    let tags = tags.unwrap_or_default().into_iter();
    tags.map(|tag| (tag.key, tag.value)).collect()
}

/// What conditions can ask about a request's tags: `aws:RequestTag/…` and `aws:TagKeys`.
pub(crate) fn context(mut context: Context, tags: &[Tag]) -> Context {
    for (key, value) in tags {
        context = context.with(&format!("aws:RequestTag/{key}"), value.clone());
    }
    keys(context, tags.iter().map(|(key, _)| key.clone()).collect())
}

/// What conditions can ask about the keys that a request takes away.
pub(crate) fn keys(mut context: Context, keys: Vec<String>) -> Context {
    if !keys.is_empty() {
        context.set("aws:TagKeys", keys);
    }
    context
}
