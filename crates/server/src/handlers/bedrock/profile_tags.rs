//! Tags of inference profiles: what they are used for, as their account says it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use moho_iam::action::Action;
use moho_iam::action::bedrock::{ListTagsForResource, TagResource, UntagResource};
use moho_iam::authz::{Context, Permit};
use moho_store::Tagged;
use moho_terms::ModelId;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::bedrock::{ListTagsForResourceReply, Tag};
use moho_wire::bedrock::{ProfileArn, ProfileKind};
use moho_wire::{Failure, Reply};

use super::{blocking, profile_names};
use crate::handlers::Asked;
use crate::road::from_store;
use crate::startup::Platform;

/// Tags of one profile, as at AWS.
pub(super) const MOST: usize = 50;

/// Tags by their keys, each of which is given once, in whatever case, and is not AWS's own.
pub(super) fn by_key(tags: &[Tag]) -> Result<BTreeMap<String, String>, Failure> {
    let (mut by_key, mut folded) = (BTreeMap::new(), BTreeSet::new());
    for tag in tags {
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            let message = "Tag keys that begin with aws: are reserved.";
            return Err(Failure::Validation(message.to_owned()));
        }
        if !folded.insert(tag.key.to_lowercase()) {
            return Err(twice());
        }
        by_key.insert(tag.key.clone(), tag.value.clone());
    }
    Ok(by_key)
}

/// What conditions see of the tags in a request.
pub(crate) fn requested(tags: &[Tag]) -> Result<Context, Failure> {
    let tags = by_key(tags)?;
    let mut context = Context::new();
    if !tags.is_empty() {
        context.set("aws:TagKeys", tags.keys().cloned().collect());
    }
    for (key, value) in tags {
        context.set(&format!("aws:RequestTag/{key}"), vec![value]);
    }
    Ok(context)
}

/// `TagResource`
pub(crate) async fn tag(
    asked: &Asked,
    permit: Permit<TagResource>,
    tags: Vec<Tag>,
) -> Result<Reply, Failure> {
    let id = own(&asked.platform, &permit)?;
    let tags = by_key(&tags)?;
    let platform = Arc::clone(&asked.platform);
    let tagged = blocking(move || {
        let tagged = platform.store.tag_inference_profile(&permit, &id, &tags);
        tagged.map_err(|error| from_store(&error))
    });
    match tagged.await? {
        Tagged::Done => Service::Bedrock.done("TagResource", &asked.request),
        Tagged::Absent => Err(absent()),
        Tagged::TooMany => Err(too_many()),
        Tagged::OtherCase => Err(twice()),
    }
}

/// `UntagResource`
pub(crate) async fn untag(
    asked: &Asked,
    permit: Permit<UntagResource>,
    keys: Vec<String>,
) -> Result<Reply, Failure> {
    let id = own(&asked.platform, &permit)?;
    let platform = Arc::clone(&asked.platform);
    let there = blocking(move || {
        let there = platform.store.untag_inference_profile(&permit, &id, &keys);
        there.map_err(|error| from_store(&error))
    });
    if there.await? {
        Service::Bedrock.done("UntagResource", &asked.request)
    } else {
        Err(absent())
    }
}

/// `ListTagsForResource`
pub(crate) fn list(asked: &Asked, permit: &Permit<ListTagsForResource>) -> Result<Reply, Failure> {
    let id = own(&asked.platform, permit)?;
    let account = permit.session().account();
    let tags = asked.platform.store.inference_profile_tags(account, &id);
    let tags = tags.map_err(|error| from_store(&error))?.ok_or_else(absent)?;
    let tags = tags.into_iter().map(|(key, value)| Tag { key, value });
    ListTagsForResourceReply {
        tags: Some(tags.collect()),
    }
    .reply(Service::Bedrock, "ListTagsForResource", &asked.request)
}

/// The id of the own profile that a permit is for: one that an application has made, as only those have tags.
fn own<A: Action>(platform: &Platform, permit: &Permit<A>) -> Result<ModelId, Failure> {
    let profile =
        ProfileArn::of(permit.resource()).filter(|profile| profile.kind == ProfileKind::Application);
    let profile = profile.ok_or_else(absent)?;
    let account = permit.session().account();
    let own = profile_names::arn(&platform.region, account, profile.kind, profile.id.as_str())?;
    if own == profile.arn {
        Ok(profile.id)
    } else {
        Err(absent())
    }
}

fn absent() -> Failure {
    Failure::Service {
        code: "ResourceNotFoundException",
        message: "The resource was not found. Application inference profiles can be tagged; `aws bedrock \
                  list-inference-profiles --type-equals APPLICATION` lists them."
            .to_owned(),
        status: 404,
    }
}

pub(super) fn twice() -> Failure {
    Failure::Validation(
        "A tag key is given twice: keys that differ in case only are the same key.".to_owned(),
    )
}

pub(super) fn too_many() -> Failure {
    Failure::Service {
        code: "TooManyTagsException",
        message: format!("A resource has at most {MOST} tags. Remove some first."),
        status: 400,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_differ_in_case_only_are_given_twice() {
        let tag = |key: &str| Tag {
            key: key.to_owned(),
            value: "v".to_owned(),
        };
        assert_eq!(by_key(&[tag("Team"), tag("Cost")]).unwrap().len(), 2);
        for keys in [["Team", "Team"], ["Team", "tEAM"]] {
            let both = keys.map(tag);
            assert!(matches!(by_key(&both), Err(Failure::Validation(_))), "{keys:?}");
            assert!(requested(&both).is_err(), "{keys:?}");
        }
    }
}
