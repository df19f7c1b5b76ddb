//! Prompts: which action each operation takes, on what, and with which key.
//!
//! What a prompt says is read with leave for the prompt *and* for the key that it is sealed under. Listing needs no key, but
//! descriptions are told only to who may use the key of each.

use std::sync::Arc;

use moho_iam::action::bedrock::{self as action, TagResource, UntagResource};
use moho_iam::action::{Action, kms};
use moho_iam::authz::{Context, Permit};
use moho_store::{PromptFacts, prompt_context};
use moho_terms::{Arn, Content, ContentBytes, PromptId};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::bedrock_agent::{self as ops, Request};
use moho_wire::bedrock::{
    PromptArn, PromptBody, PromptVariables, PromptedConverse, RenderedPrompt, prompt_not_found,
};
use moho_wire::openai::responses::PromptedResponse;
use moho_wire::{Failure, Reply};

use super::{Trip, bedrock, failure};
use crate::handlers::bedrock::profile_tags;
use crate::handlers::bedrock::prompts::{self, Opening, Sealing};
use crate::handlers::paging::Listing;
use crate::net::Outbound;
use crate::road;

/// What prompts are called in an ARN that names none in particular.
const ANY: &str = "prompt/*";
/// Prompts in one page at most, as at AWS.
const PAGE: usize = 10;
/// How often a prompt is looked at that is sealed under another key each time.
const LOOKS: usize = 3;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    let reply = match request {
        Request::CreatePrompt(request) => create(trip, *request).await,
        Request::CreatePromptVersion(create) => create_version(trip, *create).await,
        Request::GetPrompt(request) => get(trip, &request).await,
        Request::ListPrompts(request) => list(trip, &request).await,
        Request::UpdatePrompt(request) => update(trip, *request).await,
        Request::DeletePrompt(delete) => {
            let prompt = trip.prompt(&delete.prompt_identifier, delete.prompt_version.as_deref())?;
            let permit = trip.permit::<action::DeletePrompt>(&prompt.arn)?;
            trip.here(&prompt)?;
            prompts::delete(&trip.asked(), permit, prompt).await
        }
        Request::TagResource(tag) => {
            let prompt = trip.taggable(&tag.resource_arn)?;
            let context = profile_tags::requested(&prompts::listed_tags(Some(&tag.tags)))?;
            let permit = trip.permit_with::<TagResource>(&prompt.arn, &context)?;
            trip.here(&prompt)?;
            prompts::tag(&trip.asked(), permit, tag.tags).await
        }
        Request::UntagResource(untag) => {
            let prompt = trip.taggable(&untag.resource_arn)?;
            let mut context = Context::new();
            context.set("aws:TagKeys", untag.tag_keys.clone());
            let permit = trip.permit_with::<UntagResource>(&prompt.arn, &context)?;
            trip.here(&prompt)?;
            prompts::untag(&trip.asked(), permit, untag.tag_keys).await
        }
        Request::ListTagsForResource(list) => {
            let prompt = trip.taggable(&list.resource_arn)?;
            let permit = trip.permit(&prompt.arn)?;
            trip.here(&prompt)?;
            prompts::list_tags(&trip.asked(), &permit)
        }
    };
    reply.map(road::whole)
}

async fn create(trip: &Trip<'_>, create: ops::CreatePrompt) -> Result<Reply, Failure> {
    let context = profile_tags::requested(&prompts::listed_tags(create.tags.as_ref()))?;
    let any = trip.arn("bedrock", ANY)?;
    let permit = trip.permit_with::<action::CreatePrompt>(&any, &context)?;
    if create.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
        trip.permit_with::<TagResource>(&any, &context)?;
    }
    let id = PromptId::random(&*trip.platform.entropy).map_err(|_none| Failure::Unavailable)?;
    let account = trip.caller.session().account();
    let place = (trip.platform.region.as_str(), account.as_str());
    let prompt = PromptArn::new(place, id, None).ok_or(Failure::Internal)?;
    let sealing = trip.sealing(create.customer_encryption_key_arn.as_ref(), &prompt)?;
    prompts::create(&trip.asked(), (permit, sealing), (prompt, create)).await
}

async fn create_version(trip: &Trip<'_>, create: ops::CreatePromptVersion) -> Result<Reply, Failure> {
    let prompt = trip.draft(&create.prompt_identifier)?;
    let tags = prompts::listed_tags(create.tags.as_ref());
    let context = profile_tags::requested(&tags)?;
    let permit = trip.permit_with::<action::CreatePromptVersion>(&prompt.arn, &context)?;
    if !tags.is_empty() {
        trip.permit_with::<TagResource>(&prompt.arn, &context)?;
    }
    trip.known(&permit, &prompt)?;
    let permit = match before(trip, permit, (&prompt, &create)).await? {
        Before::Asked(reply) => return Ok(reply),
        Before::New(permit) => permit,
    };
    let read = Arc::new(permit);
    let (facts, body) = trip.opened(&read, &prompt).await?;
    let next = prompt.at(Some(facts.last_version.saturating_add(1)));
    let next = next.ok_or(Failure::Internal)?;
    let sealing = Sealing {
        permit: trip.prompt_key(&facts, &next)?,
        chosen: facts.key_chosen,
    };
    let permit = Arc::into_inner(read).ok_or(Failure::Internal)?;
    prompts::create_version(&trip.asked(), (permit, sealing), (next, facts, body), create).await
}

/// Whether a version was asked for before, with the same token.
enum Before {
    /// What was answered then.
    Asked(Reply),
    New(Permit<action::CreatePromptVersion>),
}

async fn before(
    trip: &Trip<'_>,
    permit: Permit<action::CreatePromptVersion>,
    (prompt, create): (&PromptArn, &ops::CreatePromptVersion),
) -> Result<Before, Failure> {
    let Some(token) = &create.client_token else {
        return Ok(Before::New(permit));
    };
    let store = &trip.platform.store;
    let earlier = store.prompt_version_of_token(&permit, token.expose());
    let Some((version, asked)) = earlier.map_err(|error| failure::from_store(&error))? else {
        return Ok(Before::New(permit));
    };
    if asked != prompts::version_digest(&trip.asked(), create)? {
        return Err(prompts::token_used());
    }
    let prompt = prompt.at(Some(version)).ok_or(Failure::Internal)?;
    let read = trip.permit::<action::GetPrompt>(&prompt.arn)?;
    let (facts, body) = trip.opened(&Arc::new(read), &prompt).await?;
    let key = trip.told_key(&facts)?;
    prompts::version_again(&trip.asked(), (&prompt, &facts), (key, body)).map(Before::Asked)
}

async fn get(trip: &Trip<'_>, get: &ops::GetPrompt) -> Result<Reply, Failure> {
    let prompt = trip.prompt(&get.prompt_identifier, get.prompt_version.as_deref())?;
    let read = trip.permit::<action::GetPrompt>(&prompt.arn)?;
    let (facts, body) = if get.included_data.as_deref() == Some("METADATA_ONLY") {
        (trip.known(&read, &prompt)?, None)
    } else {
        let (facts, body) = trip.opened(&Arc::new(read), &prompt).await?;
        (facts, Some(body))
    };
    let key = trip.told_key(&facts)?;
    prompts::get(&trip.asked(), (&prompt, facts), (key, body))
}

async fn list(trip: &Trip<'_>, list: &ops::ListPrompts) -> Result<Reply, Failure> {
    let of = list.prompt_identifier.as_deref();
    let of = of.map(|named| trip.prompt(named, None)).transpose()?;
    let resource = match &of {
        Some(prompt) => prompt.arn.clone(),
        None => trip.arn("bedrock", "*")?,
    };
    let read = Arc::new(trip.permit::<action::ListPrompts>(&resource)?);
    if let Some(prompt) = &of {
        trip.here(prompt)?;
    }
    let listing = Listing::of_permit(&read, &[]);
    let now = trip.platform.clock.now();
    let after = match &list.next_token {
        None => String::new(),
        Some(token) => trip.platform.paging.open(&listing, token, now).map_err(|_bad| {
            Failure::Validation(
                "The provided nextToken is invalid or has expired. Begin the list again.".to_owned(),
            )
        })?,
    };
    let most = list.max_results.and_then(|most| usize::try_from(most).ok());
    let page = most.unwrap_or(PAGE).clamp(1, PAGE);
    let mut found = trip.prompts_after((&read, of.as_ref()), &after, page.saturating_add(1))?;
    let more = found.len() > page;
    found.truncate(page);
    let place = |facts: &PromptFacts| match &of {
        None => facts.id.to_string(),
        Some(_) => facts.version.to_string(),
    };
    let next_token = match found.last().filter(|_| more) {
        Some(last) => {
            let sealed = trip
                .platform
                .paging
                .seal(&listing, &place(last), now, &*trip.platform.entropy);
            Some(sealed.map_err(|_none| Failure::Unavailable)?)
        }
        None => None,
    };
    let mut summaries = Vec::new();
    for facts in found {
        summaries.extend(summary(trip, &read, facts).await?);
    }
    ops::ListPromptsReply {
        prompt_summaries: Some(summaries),
        next_token,
    }
    .reply(Service::BedrockAgent, "ListPrompts", &trip.facts.request_id)
}

/// What a list says of one prompt: its description only if the caller may use its key. Nothing if it was deleted meanwhile.
async fn summary(
    trip: &Trip<'_>,
    read: &Arc<Permit<action::ListPrompts>>,
    mut facts: PromptFacts,
) -> Result<Option<ops::PromptSummary>, Failure> {
    let account = trip.caller.session().account();
    let version = (facts.version > 0).then_some(facts.version);
    let place = (trip.platform.region.as_str(), account.as_str());
    let prompt = PromptArn::new(place, facts.id.clone(), version).ok_or(Failure::Internal)?;
    let mut looks = 0..LOOKS;
    let description = loop {
        let key = match trip.prompt_key::<kms::Decrypt>(&facts, &prompt) {
            Ok(key) => key,
            Err(Failure::AccessDenied(_) | Failure::Validation(_)) => break None,
            Err(failure) => return Err(failure),
        };
        let opening = Opening {
            read: Arc::clone(read),
            key,
            prompt: prompt.clone(),
        };
        if let Some(body) = prompts::open(trip.platform, opening).await? {
            break body.description;
        }
        looks.next().ok_or(Failure::Unavailable)?;
        let now = trip
            .platform
            .store
            .prompt_versions(read, (&facts.id, facts.version), 1)
            .map_err(|error| failure::from_store(&error))?;
        match now.into_iter().find(|now| now.version == facts.version) {
            Some(now) => facts = now,
            None => return Ok(None),
        }
    };
    Ok(Some(ops::PromptSummary {
        name: Some(facts.name),
        description,
        id: Some(facts.id.to_string()),
        arn: Some(prompt.arn.to_string()),
        version: Some(prompt.version()),
        created_at: Some(facts.created),
        updated_at: Some(facts.updated),
    }))
}

async fn update(trip: &Trip<'_>, update: ops::UpdatePrompt) -> Result<Reply, Failure> {
    let prompt = trip.draft(&update.prompt_identifier)?;
    let permit = trip.permit::<action::UpdatePrompt>(&prompt.arn)?;
    let facts = trip.known(&permit, &prompt)?;
    let sealing = trip.sealing(update.customer_encryption_key_arn.as_ref(), &prompt)?;
    let of = (prompt, facts.created);
    prompts::update(&trip.asked(), (permit, sealing), of, update).await
}

/// `Converse` and `ConverseStream` with a prompt: leave for the prompt and its key, and then for the model that it names.
pub(super) async fn converse(trip: &Trip<'_>, prompted: PromptedConverse) -> Result<Outbound, Failure> {
    let rendered = trip.rendered(&prompted.prompt, &prompted.variables).await?;
    let stream = prompted.stream;
    let converse = prompted.with(rendered)?;
    if stream {
        bedrock::converse_stream(trip, converse).await
    } else {
        bedrock::converse(trip, converse).await
    }
}

/// `POST /responses` with a prompt.
pub(super) async fn respond(trip: &Trip<'_>, prompted: PromptedResponse) -> Result<Outbound, Failure> {
    let rendered = match trip.prompt(&prompted.id, prompted.version.as_deref()) {
        Ok(prompt) => trip.rendered(&prompt, &prompted.variables).await,
        Err(_of_no_prompts_form) => Err(prompt_not_found()),
    };
    let rendered = rendered.map_err(in_openai_words)?;
    super::create_response(trip, prompted.with(rendered)?).await
}

/// What is wrong with a prompt, as users of OpenAI's SDKs hear it.
fn in_openai_words(failure: Failure) -> Failure {
    if let Failure::Validation(message) = failure {
        return Failure::Invalid {
            message,
            param: Some("prompt".to_owned()),
            code: Some("invalid_prompt"),
        };
    }
    if failure != prompt_not_found() {
        return failure;
    }
    Failure::Service {
        code: "prompt_not_found",
        message: "Prompt not found. Name one of this account by its id or ARN, and a version that it has."
            .to_owned(),
        status: 404,
    }
}

impl Trip<'_> {
    /// Prompts after one of them, or versions of one prompt after one of those.
    fn prompts_after(
        &self,
        (read, of): (&Permit<action::ListPrompts>, Option<&PromptArn>),
        after: &str,
        most: usize,
    ) -> Result<Vec<PromptFacts>, Failure> {
        let store = &self.platform.store;
        let found = match of {
            None => store.prompts(read, after, most),
            Some(prompt) => {
                let from = after.parse::<u32>().map_or(0, |last| last.saturating_add(1));
                store.prompt_versions(read, (&prompt.id, from), most)
            }
        };
        let found = found.map_err(|error| failure::from_store(&error))?;
        if found.is_empty() && of.is_some() && after.is_empty() {
            return Err(prompt_not_found());
        }
        Ok(found)
    }

    /// The prompt that an id or ARN names.
    fn prompt(&self, identifier: &str, version: Option<&str>) -> Result<PromptArn, Failure> {
        let account = self.caller.session().account();
        PromptArn::parse(identifier, version, (&self.platform.region, account.as_str()))
    }

    /// The draft that an id or ARN names: a numbered version cannot be changed.
    fn draft(&self, identifier: &str) -> Result<PromptArn, Failure> {
        let prompt = self.prompt(identifier, None)?;
        if prompt.version.is_some() {
            let message =
                "The prompt identifier names a version, which never changes. Name the prompt without one.";
            return Err(Failure::Validation(message.to_owned()));
        }
        Ok(prompt)
    }

    /// The prompt that an ARN names to be tagged.
    fn taggable(&self, arn: &str) -> Result<PromptArn, Failure> {
        let message = "The provided resource ARN is invalid. Name a prompt by its ARN.";
        if arn.starts_with("arn:") {
            self.prompt(arn, None)
                .map_err(|_other| Failure::Validation(message.to_owned()))
        } else {
            Err(Failure::Validation(message.to_owned()))
        }
    }

    /// Whether a prompt's ARN is of the caller's account, and of this region: there are no others.
    fn here(&self, prompt: &PromptArn) -> Result<(), Failure> {
        let account = self.caller.session().account();
        let own = prompt.arn.account() == account.as_str();
        if own && prompt.arn.region() == self.platform.region.as_str() {
            Ok(())
        } else {
            Err(prompt_not_found())
        }
    }

    /// What is known of a prompt without opening it.
    fn known<A: Action>(&self, permit: &Permit<A>, prompt: &PromptArn) -> Result<PromptFacts, Failure> {
        self.here(prompt)?;
        let facts = self.platform.store.prompt_facts(permit);
        let facts = facts.map_err(|error| failure::from_store(&error))?;
        facts.ok_or_else(prompt_not_found)
    }

    /// The use of the key that a prompt is sealed under.
    fn prompt_key<A: Action>(&self, facts: &PromptFacts, prompt: &PromptArn) -> Result<Permit<A>, Failure> {
        let (account, key) = &facts.key;
        self.prompt_key_of(&self.key_arn(*account, key)?, prompt)
    }

    fn prompt_key_of<A: Action>(&self, key: &Arn, prompt: &PromptArn) -> Result<Permit<A>, Failure> {
        let context = prompt_context(&prompt.arn).map_err(|error| failure::from_store(&error))?;
        self.key_for(key, &context, "bedrock")
    }

    /// The key that a prompt is sealed under, if somebody chose it.
    fn told_key(&self, facts: &PromptFacts) -> Result<Option<String>, Failure> {
        let (account, key) = &facts.key;
        let arn = facts
            .key_chosen
            .then(|| self.key_arn(*account, key))
            .transpose()?;
        Ok(arn.map(|arn| arn.to_string()))
    }

    /// What is known of a prompt, and what it says. Whoever changes it meanwhile may seal it under another key: then leave for
    /// that one is asked for.
    async fn opened<A: Action>(
        &self,
        read: &Arc<Permit<A>>,
        prompt: &PromptArn,
    ) -> Result<(PromptFacts, PromptBody), Failure> {
        for _look in 0..LOOKS {
            let facts = self.known(read, prompt)?;
            let opening = Opening {
                read: Arc::clone(read),
                key: self.prompt_key(&facts, prompt)?,
                prompt: prompt.clone(),
            };
            if let Some(body) = prompts::open(self.platform, opening).await? {
                return Ok((facts, body));
            }
        }
        Err(Failure::Unavailable)
    }

    /// Leave to seal a prompt under the key that was chosen, or else under the account's own.
    fn sealing(&self, chosen: Option<&Content>, prompt: &PromptArn) -> Result<Sealing, Failure> {
        let key = match chosen {
            Some(chosen) => chosen.expose().parse().map_err(|_no_arn| {
                Failure::Validation("The provided customerEncryptionKeyArn is invalid.".to_owned())
            })?,
            None => self.account_key()?,
        };
        if key.region() != self.platform.region.as_str() {
            let message = "The provided customerEncryptionKeyArn is of another region.";
            return Err(Failure::Validation(message.to_owned()));
        }
        Ok(Sealing {
            permit: self.prompt_key_of(&key, prompt)?,
            chosen: chosen.is_some(),
        })
    }

    /// A prompt as it is kept, for an export.
    pub(super) async fn whole_prompt(&self, prompt: &PromptArn) -> Result<ContentBytes, Failure> {
        let read = self.permit::<action::GetPrompt>(&prompt.arn)?;
        let (_facts, body) = self.opened(&Arc::new(read), prompt).await?;
        body.encode()
    }

    /// What a prompt asks with these values.
    async fn rendered(
        &self,
        prompt: &PromptArn,
        variables: &PromptVariables,
    ) -> Result<RenderedPrompt, Failure> {
        let read = self.permit::<action::RenderPrompt>(&prompt.arn)?;
        let (_facts, body) = self.opened(&Arc::new(read), prompt).await?;
        body.render(variables)
    }
}
