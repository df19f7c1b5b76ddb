//! Prompts: templates that an account keeps, sealed, in a draft and in numbered versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use moho_iam::action::bedrock::{
    CreatePrompt, CreatePromptVersion, DeletePrompt, ListTagsForResource, TagResource, UntagResource,
    UpdatePrompt,
};
use moho_iam::action::{Action, kms};
use moho_iam::authz::Permit;
use moho_store::{
    NewPrompt, NewPromptVersion, PromptChange, PromptChanged, PromptFacts, PromptMade, PromptVersionMade,
    Tagged,
};
use moho_terms::{Content, ContentBytes, Timestamp};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::bedrock::Tag;
use moho_wire::aws::ops::bedrock_agent::{self as ops, DeletePromptReply, ListTagsForResourceReply};
use moho_wire::bedrock::{PromptArn, PromptBody, prompt_not_found};
use moho_wire::{Failure, Reply};

use super::{blocking, profile_tags};
use crate::handlers::Asked;
use crate::road::from_store;
use crate::startup::Platform;

/// Leave to seal a prompt, and whether its key was chosen or is the account's own.
pub(crate) struct Sealing {
    pub(crate) permit: Permit<kms::GenerateDataKey>,
    pub(crate) chosen: bool,
}

/// Leave to open a prompt: to read it, and the key it is sealed under.
pub(crate) struct Opening<A> {
    pub(crate) read: Arc<Permit<A>>,
    pub(crate) key: Permit<kms::Decrypt>,
    pub(crate) prompt: PromptArn,
}

/// Opens a prompt; `None` if it is not there any more, or not under that key.
pub(crate) async fn open<A: Action>(
    platform: &Arc<Platform>,
    opening: Opening<A>,
) -> Result<Option<PromptBody>, Failure> {
    let platform = Arc::clone(platform);
    blocking(move || {
        let Opening { read, key, prompt } = opening;
        let opened = platform
            .store
            .open_prompt((&read, &prompt.arn), &key, &platform.kms);
        let opened = opened.map_err(|error| from_store(&error))?;
        opened.map(|body| PromptBody::decode(&body)).transpose()
    })
    .await
}

/// `CreatePrompt`
pub(crate) async fn create(
    asked: &Asked,
    (permit, sealing): (Permit<CreatePrompt>, Sealing),
    (prompt, create): (PromptArn, ops::CreatePrompt),
) -> Result<Reply, Failure> {
    let key = shown_key(&sealing);
    let tags = tags_of(create.tags.as_ref())?;
    let body = PromptBody {
        name: create.name,
        description: create.description,
        default_variant: create.default_variant,
        variants: create.variants,
    };
    body.check()?;
    let name = body.name.expose().to_owned();
    let kept = Arc::new(body.encode()?);
    let digest = digest(asked, (&kept, key.as_deref()), &tags);
    let token = create.client_token.map(|token| token.expose().to_owned());
    let (platform, body, of) = (Arc::clone(&asked.platform), Arc::clone(&kept), prompt.clone());
    let made = blocking(move || {
        let new = NewPrompt {
            arn: &of.arn,
            name: &name,
            body: &body,
            key_chosen: sealing.chosen,
            tags: &tags,
            token: token.as_deref().map(|token| (token, digest)),
        };
        let now = platform.clock.now();
        let made = platform
            .store
            .create_prompt((&permit, &sealing.permit), &platform.kms, &new, now);
        made.map_err(|error| from_store(&error))
    });
    let (id, created) = match made.await? {
        PromptMade::There(id, created) => (id, created),
        PromptMade::Conflict => return Err(token_used()),
        PromptMade::NameTaken => return Err(name_taken()),
        PromptMade::Full => {
            let message = "The account has as many prompts as it may: 500. Delete some first.";
            return Err(service("ServiceQuotaExceededException", message, 402));
        }
    };
    let place = (prompt.arn.region(), prompt.arn.account());
    let prompt = PromptArn::new(place, id, None).ok_or(Failure::Internal)?;
    let shown = shown(&prompt, PromptBody::decode(&kept)?, (key, created, created));
    shown.reply(Service::BedrockAgent, "CreatePrompt", &asked.request)
}

/// `CreatePromptVersion`, of what was opened of the draft.
pub(crate) async fn create_version(
    asked: &Asked,
    (permit, sealing): (Permit<CreatePromptVersion>, Sealing),
    (prompt, draft, mut body): (PromptArn, PromptFacts, PromptBody),
    create: ops::CreatePromptVersion,
) -> Result<Reply, Failure> {
    let key = shown_key(&sealing);
    let tags = tags_of(create.tags.as_ref())?;
    let digest = version_digest(asked, &create)?;
    body.description = create.description;
    let kept = Arc::new(body.encode()?);
    let token = create.client_token.map(|token| token.expose().to_owned());
    let (platform, body, of) = (Arc::clone(&asked.platform), Arc::clone(&kept), prompt.clone());
    let now = platform.clock.now();
    let made = blocking(move || {
        let new = NewPromptVersion {
            arn: &of.arn,
            draft: &draft,
            body: &body,
            tags: &tags,
            token: token.as_deref().map(|token| (token, digest)),
        };
        let made = platform
            .store
            .create_prompt_version((&permit, &sealing.permit), &platform.kms, &new, now);
        made.map_err(|error| from_store(&error))
    });
    match made.await? {
        PromptVersionMade::Done => {}
        PromptVersionMade::Absent => return Err(prompt_not_found()),
        PromptVersionMade::Raced => {
            let message = "Another version of the prompt was made at the same time. Try again.";
            return Err(service("ConflictException", message, 409));
        }
        PromptVersionMade::Full => {
            let message = "The prompt has as many versions as it may: 10. Delete some first.";
            return Err(service("ServiceQuotaExceededException", message, 402));
        }
    }
    let shown = shown(&prompt, PromptBody::decode(&kept)?, (key, now, now));
    shown.reply(Service::BedrockAgent, "CreatePromptVersion", &asked.request)
}

/// What tells one request for a version from another that comes with the same token.
pub(crate) fn version_digest(asked: &Asked, create: &ops::CreatePromptVersion) -> Result<[u8; 32], Failure> {
    let description = create.description.as_ref().map_or("", Content::expose);
    let body = ContentBytes::new(description.as_bytes().to_vec());
    Ok(digest(asked, (&body, None), &tags_of(create.tags.as_ref())?))
}

/// `GetPrompt`, of what was opened; nothing was if only metadata are wanted.
pub(crate) fn get(
    asked: &Asked,
    (prompt, facts): (&PromptArn, PromptFacts),
    (key, body): (Option<String>, Option<PromptBody>),
) -> Result<Reply, Failure> {
    let body = body.unwrap_or(PromptBody {
        name: Content::new(facts.name),
        description: None,
        default_variant: None,
        variants: None,
    });
    let shown = shown(prompt, body, (key, facts.created, facts.updated));
    shown.reply(Service::BedrockAgent, "GetPrompt", &asked.request)
}

/// `CreatePromptVersion` that was asked before: what it made then.
pub(crate) fn version_again(
    asked: &Asked,
    (prompt, facts): (&PromptArn, &PromptFacts),
    (key, body): (Option<String>, PromptBody),
) -> Result<Reply, Failure> {
    let shown = shown(prompt, body, (key, facts.created, facts.updated));
    shown.reply(Service::BedrockAgent, "CreatePromptVersion", &asked.request)
}

/// `UpdatePrompt`
pub(crate) async fn update(
    asked: &Asked,
    (permit, sealing): (Permit<UpdatePrompt>, Sealing),
    (prompt, created): (PromptArn, Timestamp),
    update: ops::UpdatePrompt,
) -> Result<Reply, Failure> {
    let key = shown_key(&sealing);
    let body = PromptBody {
        name: update.name,
        description: update.description,
        default_variant: update.default_variant,
        variants: update.variants,
    };
    body.check()?;
    let name = body.name.expose().to_owned();
    let kept = Arc::new(body.encode()?);
    let (platform, body) = (Arc::clone(&asked.platform), Arc::clone(&kept));
    let now = platform.clock.now();
    let changed = blocking(move || {
        let change = PromptChange {
            name: &name,
            body: &body,
            key_chosen: sealing.chosen,
        };
        let changed = platform
            .store
            .update_prompt((&permit, &sealing.permit), &platform.kms, &change, now);
        changed.map_err(|error| from_store(&error))
    });
    match changed.await? {
        PromptChanged::Done => {
            let shown = shown(&prompt, PromptBody::decode(&kept)?, (key, created, now));
            shown.reply(Service::BedrockAgent, "UpdatePrompt", &asked.request)
        }
        PromptChanged::Absent => Err(prompt_not_found()),
        PromptChanged::NameTaken => Err(name_taken()),
    }
}

/// `DeletePrompt`: all of it, or one version.
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<DeletePrompt>,
    prompt: PromptArn,
) -> Result<Reply, Failure> {
    let platform = Arc::clone(&asked.platform);
    let deleted = blocking(move || {
        let deleted = platform.store.delete_prompt(&permit);
        deleted.map_err(|error| from_store(&error))
    });
    if !deleted.await? {
        return Err(prompt_not_found());
    }
    DeletePromptReply {
        id: Some(prompt.id.to_string()),
        version: prompt.version.map(|version| version.to_string()),
    }
    .reply(Service::BedrockAgent, "DeletePrompt", &asked.request)
}

/// `TagResource`
pub(crate) async fn tag(
    asked: &Asked,
    permit: Permit<TagResource>,
    tags: BTreeMap<String, Content>,
) -> Result<Reply, Failure> {
    let (platform, tags) = (Arc::clone(&asked.platform), tags_of(Some(&tags))?);
    let tagged = blocking(move || {
        let tagged = platform.store.tag_prompt(&permit, &tags);
        tagged.map_err(|error| from_store(&error))
    });
    match tagged.await? {
        Tagged::Done => Service::BedrockAgent.done("TagResource", &asked.request),
        Tagged::Absent => Err(prompt_not_found()),
        Tagged::TooMany => Err(too_many_tags()),
        Tagged::OtherCase => Err(profile_tags::twice()),
    }
}

/// `UntagResource`
pub(crate) async fn untag(
    asked: &Asked,
    permit: Permit<UntagResource>,
    keys: Vec<String>,
) -> Result<Reply, Failure> {
    let platform = Arc::clone(&asked.platform);
    let there = blocking(move || {
        let there = platform.store.untag_prompt(&permit, &keys);
        there.map_err(|error| from_store(&error))
    });
    if there.await? {
        Service::BedrockAgent.done("UntagResource", &asked.request)
    } else {
        Err(prompt_not_found())
    }
}

/// `ListTagsForResource`
pub(crate) fn list_tags(asked: &Asked, permit: &Permit<ListTagsForResource>) -> Result<Reply, Failure> {
    let tags = asked.platform.store.prompt_tags(permit);
    let tags = tags.map_err(|error| from_store(&error))?;
    ListTagsForResourceReply {
        tags: Some(tags.ok_or_else(prompt_not_found)?),
    }
    .reply(Service::BedrockAgent, "ListTagsForResource", &asked.request)
}

/// The tags of a request, as profiles' tags are given.
pub(crate) fn listed_tags(tags: Option<&BTreeMap<String, Content>>) -> Vec<Tag> {
    let tags = tags.into_iter().flatten();
    tags.map(|(key, value)| Tag {
        key: key.clone(),
        value: value.expose().to_owned(),
    })
    .collect()
}

fn tags_of(tags: Option<&BTreeMap<String, Content>>) -> Result<BTreeMap<String, String>, Failure> {
    let tags = profile_tags::by_key(&listed_tags(tags))?;
    if tags.len() > profile_tags::MOST {
        return Err(too_many_tags());
    }
    Ok(tags)
}

fn too_many_tags() -> Failure {
    let message = "A prompt has at most 50 tags. Remove some first.";
    service("ServiceQuotaExceededException", message, 402)
}

/// The key that a prompt was sealed under, as it is told: only one that was chosen.
fn shown_key(sealing: &Sealing) -> Option<String> {
    sealing.chosen.then(|| sealing.permit.resource().to_string())
}

fn shown(
    prompt: &PromptArn,
    body: PromptBody,
    (key, created, updated): (Option<String>, Timestamp, Timestamp),
) -> ops::Prompt {
    ops::Prompt {
        name: Some(body.name.expose().to_owned()),
        description: body.description,
        customer_encryption_key_arn: key,
        default_variant: body.default_variant,
        variants: body.variants,
        id: Some(prompt.id.to_string()),
        arn: Some(prompt.arn.to_string()),
        version: Some(prompt.version()),
        created_at: Some(created),
        updated_at: Some(updated),
    }
}

fn digest(
    asked: &Asked,
    (body, key): (&ContentBytes, Option<&str>),
    tags: &BTreeMap<String, String>,
) -> [u8; 32] {
    let tags = tags
        .iter()
        .flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()]);
    let parts = [body.expose(), key.unwrap_or_default().as_bytes()];
    asked.platform.asked_before.digest(parts.into_iter().chain(tags))
}

/// The caller's token was used for something else.
pub(crate) fn token_used() -> Failure {
    let message = "The clientToken was used for another request. Use a new one for each prompt and version.";
    service("ConflictException", message, 409)
}

fn name_taken() -> Failure {
    let message = "A prompt with this name exists already. Use another name.";
    service("ConflictException", message, 409)
}

fn service(code: &'static str, message: &str, status: u16) -> Failure {
    Failure::Service {
        code,
        message: message.to_owned(),
        status,
    }
}
