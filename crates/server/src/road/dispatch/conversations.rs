//! Conversations, and all that is kept: which action each operation takes, on what, and with which key.

use moho_iam::action::bedrock::{GetAccountDataRetention, PutAccountDataRetention};
use moho_iam::action::mantle::{
    CreateConversation, DeleteConversation, EraseContent, ExportContent, GetConversation, UpdateConversation,
};
use moho_iam::action::{Action, kms};
use moho_iam::authz::Permit;
use moho_store::{ConversationFacts, KeptContent, KeptKind, conversation_context};
use moho_terms::{Arn, ContentBytes, ConversationId};
use moho_wire::bedrock::PromptArn;
use moho_wire::openai::conversations::{
    self as wire, Request, contents, conversation_not_found, retention_object,
};
use moho_wire::{Failure, Reply};

use super::{Trip, failure};
use crate::handlers::conversations::{self as handlers, Adding, Reading};
use crate::handlers::responses;
use crate::net::Outbound;
use crate::road;

/// Things in one page of an export.
const PAGE: u32 = 50;
/// Bytes after which a page of an export ends.
const PAGE_BYTES: usize = 4 << 20;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    let asked = trip.asked();
    match request {
        Request::Create(request) => create(trip, request).await,
        Request::Get(id) => handlers::get(&asked, trip.reading(&id)?).await,
        Request::Update(id, metadata) => {
            let adding = trip.adding_with_facts(&id)?;
            handlers::update(&asked, adding, metadata).await
        }
        Request::Delete(id) => {
            let permit = trip.permit::<DeleteConversation>(&trip.conversation_arn(&id)?)?;
            handlers::delete(&asked, permit, id).await
        }
        Request::CreateItems(create) => {
            let (adding, _facts) = trip.adding_with_facts(&create.id)?;
            handlers::create_items(&asked, adding, create.items).await
        }
        Request::ListItems(list) => handlers::list_items(&asked, trip.reading(&list.id)?, list).await,
        Request::GetItem(id, item) => handlers::get_item(&asked, trip.reading(&id)?, item).await,
        Request::DeleteItem(id, item) => {
            let permit = trip.permit::<UpdateConversation>(&trip.conversation_arn(&id)?)?;
            handlers::delete_item(&asked, permit, (trip.reading(&id)?, item)).await
        }
        Request::Export(after) => export(trip, after.as_deref()).await,
        Request::Erase => {
            let permit = trip.permit::<EraseContent>(&trip.arn("bedrock-mantle", "project/default")?)?;
            handlers::erase(&asked, permit).await
        }
        Request::GetRetention => {
            let permit = trip.permit::<GetAccountDataRetention>(&trip.arn("bedrock", "*")?)?;
            let kept = trip.platform.store.own_retention(&permit);
            let kept = kept.map_err(|error| failure::from_store(&error))?;
            Ok(road::content(retention_object(kept.keeps, kept.days)))
        }
        Request::PutRetention(days) => {
            let permit = trip.permit::<PutAccountDataRetention>(&trip.arn("bedrock", "*")?)?;
            let now = trip.platform.clock.now();
            let kept = trip.platform.store.put_retention_days(&permit, days, now);
            let kept = kept.map_err(|error| failure::from_store(&error))?;
            Ok(road::content(retention_object(kept.keeps, kept.days)))
        }
    }
}

async fn create(trip: &Trip<'_>, create: wire::CreateConversation) -> Result<Outbound, Failure> {
    let days = trip.kept_days(create.days)?;
    let days = days.ok_or_else(|| failure::keeps_nothing("conversation", "Conversations"))?;
    let id = ConversationId::random(&*trip.platform.entropy).map_err(|_none| Failure::Unavailable)?;
    let update = trip.permit::<CreateConversation>(&trip.conversation_arn(&id)?)?;
    let context = trip.context_of(&id)?;
    let key = trip.chosen_key(create.key.as_deref(), &context)?;
    let adding = Adding {
        update,
        key,
        id,
        position: 1,
    };
    handlers::create(&trip.asked(), adding, (create, days)).await
}

/// One page of all that the account keeps: a line each, and at its end where to go on, or that this is all. What the caller may
/// not read is named and no more.
async fn export(trip: &Trip<'_>, after: Option<&str>) -> Result<Outbound, Failure> {
    let permit = trip.permit::<ExportContent>(&trip.arn("bedrock-mantle", "project/default")?)?;
    let (mut kind, mut after) = beginning(after)?;
    let mut lines = zeroize::Zeroizing::new(Vec::new());
    loop {
        let found = trip.platform.store.kept_content(&permit, (kind, &after), PAGE);
        let found = found.map_err(|error| failure::from_store(&error))?;
        let last = found.is_empty();
        for kept in found {
            after.clone_from(&kept.id);
            lines.extend_from_slice(line(trip, &kept).await?.expose());
            if lines.len() >= PAGE_BYTES {
                return Ok(exported(lines, Some((kind, &after))));
            }
        }
        if last {
            kind = match kind {
                KeptKind::Response => KeptKind::Conversation,
                KeptKind::Conversation => KeptKind::Prompt,
                KeptKind::Prompt => return Ok(exported(lines, None)),
            };
            after.clear();
        }
    }
}

fn word(kind: KeptKind) -> &'static str {
    match kind {
        KeptKind::Response => "response",
        KeptKind::Conversation => "conversation",
        KeptKind::Prompt => "prompt",
    }
}

/// Where an export goes on.
fn beginning(after: Option<&str>) -> Result<(KeptKind, String), Failure> {
    let Some(after) = after else {
        return Ok((KeptKind::Response, String::new()));
    };
    let kinds = [KeptKind::Response, KeptKind::Conversation, KeptKind::Prompt];
    let read = after.split_once('/').and_then(|(named, id)| {
        let kind = kinds.into_iter().find(|kind| word(*kind) == named)?;
        Some((kind, id.to_owned()))
    });
    read.ok_or_else(|| Failure::Invalid {
        message: "Invalid 'after': expected what a page of an export ended with.".to_owned(),
        param: Some("after".to_owned()),
        code: Some("invalid_value"),
    })
}

fn exported(mut lines: zeroize::Zeroizing<Vec<u8>>, next: Option<(KeptKind, &str)>) -> Outbound {
    let last = match next {
        Some((kind, id)) => format!("{{\"kind\":\"more\",\"after\":\"{}/{id}\"}}\n", word(kind)),
        None => "{\"kind\":\"end\"}\n".to_owned(),
    };
    lines.extend_from_slice(last.as_bytes());
    let reply = Reply {
        content_type: "application/jsonl",
        ..Reply::json(ContentBytes::new(std::mem::take(&mut *lines)))
    };
    road::whole(reply)
}

/// One thing that is kept, with what it holds if the caller may read it.
async fn line(trip: &Trip<'_>, kept: &KeptContent) -> Result<ContentBytes, Failure> {
    let named = (word(kept.kind), kept.id.as_str());
    let nothing = || Ok(contents(named, None, &[]));
    match opened(trip, kept).await {
        Ok((object, items)) => Ok(contents(named, Some(&object), &items)),
        Err(Failure::AccessDenied(_) | Failure::Validation(_)) => nothing(),
        // It has gone meanwhile.
        Err(Failure::ResponseNotFound(_) | Failure::Service { status: 404, .. }) => nothing(),
        Err(failure) => Err(failure),
    }
}

async fn opened(
    trip: &Trip<'_>,
    kept: &KeptContent,
) -> Result<(ContentBytes, Vec<wire::ConversationItem>), Failure> {
    let invalid = |_never| Failure::Internal;
    match kept.kind {
        KeptKind::Response => {
            let id = kept.id.parse().map_err(invalid)?;
            responses::whole(&trip.asked(), trip.read(id)?).await
        }
        KeptKind::Conversation => {
            let id = kept.id.parse().map_err(invalid)?;
            handlers::whole(trip.platform, trip.reading(&id)?).await
        }
        KeptKind::Prompt => {
            let account = trip.caller.session().account();
            let arn = Arn::of(
                "bedrock",
                trip.platform.region.as_str(),
                account.as_str(),
                &format!("prompt/{}", kept.id),
            );
            let prompt = PromptArn::of(&arn.map_err(|_never| Failure::Internal)?).ok_or(Failure::Internal)?;
            Ok((trip.whole_prompt(&prompt).await?, Vec::new()))
        }
    }
}

/// Leave to go on from a conversation, and to add to it.
pub(super) struct Continuing {
    pub(super) reading: Reading<GetConversation>,
    pub(super) adding: Adding<UpdateConversation>,
}

impl Trip<'_> {
    fn conversation_arn(&self, id: &ConversationId) -> Result<Arn, Failure> {
        self.arn("bedrock-mantle", &format!("conversation/{id}"))
    }

    fn context_of(&self, id: &ConversationId) -> Result<moho_kms::EncryptionContext, Failure> {
        let context = conversation_context(self.caller.session().account(), id);
        context.map_err(|error| failure::from_store(&error))
    }

    fn known_conversation<A: Action>(
        &self,
        permit: &Permit<A>,
        id: &ConversationId,
    ) -> Result<ConversationFacts, Failure> {
        let facts = self.platform.store.conversation_facts(permit);
        let facts = facts.map_err(|error| failure::from_store(&error))?;
        facts.ok_or_else(|| conversation_not_found(Some(id)))
    }

    fn conversation_key<A: Action>(
        &self,
        facts: &ConversationFacts,
        id: &ConversationId,
    ) -> Result<Permit<A>, Failure> {
        let (account, key) = &facts.key;
        let key = self.key_arn(*account, key)?;
        self.key_for(&key, &self.context_of(id)?, self.own_service())
    }

    /// Leave to read a conversation: for it, and for the key that it is sealed under.
    fn reading(&self, id: &ConversationId) -> Result<Reading<GetConversation>, Failure> {
        let read = self.permit::<GetConversation>(&self.conversation_arn(id)?)?;
        let facts = self.known_conversation(&read, id)?;
        let key = self.conversation_key::<kms::Decrypt>(&facts, id)?;
        Ok(Reading {
            read,
            key,
            id: id.clone(),
            facts,
        })
    }

    /// Leave to change a conversation or to add to it.
    fn adding_with_facts(
        &self,
        id: &ConversationId,
    ) -> Result<(Adding<UpdateConversation>, ConversationFacts), Failure> {
        let update = self.permit::<UpdateConversation>(&self.conversation_arn(id)?)?;
        let facts = self.known_conversation(&update, id)?;
        if self.kept_days(None)?.is_none() {
            return Err(failure::keeps_nothing("conversation", "Conversations"));
        }
        let key = self.conversation_key::<kms::GenerateDataKey>(&facts, id)?;
        let adding = Adding {
            update,
            key,
            id: id.clone(),
            position: facts.next_position,
        };
        Ok((adding, facts))
    }

    /// Leave for a response that is part of a conversation.
    pub(super) fn continuing(&self, id: &ConversationId) -> Result<Continuing, Failure> {
        let reading = self.reading(id)?;
        let (adding, _facts) = self.adding_with_facts(id)?;
        Ok(Continuing { reading, adding })
    }

    /// For how many days what the caller's account keeps may stay; `None` if it keeps nothing.
    pub(super) fn kept_days(&self, wanted: Option<u32>) -> Result<Option<u32>, Failure> {
        let retention = self.platform.store.retention(self.caller.session().account());
        let retention = retention.map_err(|error| failure::from_store(&error))?;
        let days = wanted.unwrap_or(retention.days).min(retention.days);
        Ok(retention.keeps.then_some(days))
    }
}
