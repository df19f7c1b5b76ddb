//! Conversations, and all that is kept: which action each operation takes, on what, and with which key.

use std::sync::Arc;

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
    self as wire, Request, Withheld, contents, conversation_not_found, retention_object,
};
use moho_wire::{Failure, Reply};

use super::{Trip, failure};
use crate::handlers::conversations::{self as handlers, Adding, Reading};
use crate::handlers::responses;
use crate::net::Outbound;
use crate::road;

/// Things that are looked for at once.
const TOGETHER: u32 = 50;
/// Bytes after which a page of an export ends.
const PAGE_BYTES: usize = 4 << 20;
/// Things after which it ends, whether the caller may read them or not: each takes decisions, which are journaled.
const PAGE_THINGS: usize = 500;

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
    let permit = Arc::new(permit);
    let (mut lines, mut length): (Vec<ContentBytes>, usize) = (Vec::new(), 0);
    loop {
        let found = kept(trip, &permit, (kind, &after)).await?;
        let last = found.is_empty();
        for kept in found {
            after.clone_from(&kept.id);
            let line = told(&kept, opened(trip, &kept).await);
            length = length.saturating_add(line.len());
            lines.push(line);
            if length >= PAGE_BYTES || lines.len() >= PAGE_THINGS {
                return Ok(exported(&lines, Some((kind, &after))));
            }
            // Where nothing is read, nothing else waits.
            tokio::task::yield_now().await;
        }
        if last {
            kind = match kind {
                KeptKind::Response => KeptKind::Conversation,
                KeptKind::Conversation => KeptKind::Prompt,
                KeptKind::Prompt => return Ok(exported(&lines, None)),
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

/// What is kept next.
async fn kept(
    trip: &Trip<'_>,
    permit: &Arc<Permit<ExportContent>>,
    (kind, after): (KeptKind, &str),
) -> Result<Vec<KeptContent>, Failure> {
    let (store, permit) = (Arc::clone(&trip.platform.store), Arc::clone(permit));
    let after = after.to_owned();
    let found =
        tokio::task::spawn_blocking(move || store.kept_content(&permit, (kind, &after), TOGETHER)).await;
    let found = found.map_err(|_stopped| Failure::Internal)?;
    found.map_err(|error| failure::from_store(&error))
}

fn exported(lines: &[ContentBytes], next: Option<(KeptKind, &str)>) -> Outbound {
    let last = match next {
        Some((kind, id)) => format!("{{\"kind\":\"more\",\"after\":\"{}/{id}\"}}\n", word(kind)),
        None => "{\"kind\":\"end\"}\n".to_owned(),
    };
    let lines = lines.iter().map(ContentBytes::expose).chain([last.as_bytes()]);
    // Made as long as it will be: nothing of it has to move.
    let whole = lines.collect::<Vec<&[u8]>>().concat();
    let reply = Reply {
        content_type: "application/jsonl",
        ..Reply::json(ContentBytes::new(whole))
    };
    road::whole(reply)
}

/// One thing that is kept, with what it holds if the caller may read it. What cannot be read is told as that: nobody's export
/// ends at it, nor is it passed over in silence.
fn told(
    kept: &KeptContent,
    opened: Result<(ContentBytes, Vec<wire::ConversationItem>), Failure>,
) -> ContentBytes {
    let named = (word(kept.kind), kept.id.as_str());
    match opened {
        Ok((object, items)) => contents(named, Ok(&object), &items),
        Err(Failure::AccessDenied(_) | Failure::Validation(_)) => contents(named, Err(Withheld::Denied), &[]),
        // It has gone meanwhile.
        Err(Failure::ResponseNotFound(_) | Failure::Service { status: 404, .. }) => {
            contents(named, Err(Withheld::Denied), &[])
        }
        Err(_cannot) => contents(named, Err(Withheld::Unreadable), &[]),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_ends_no_export() {
        let kept = KeptContent {
            kind: KeptKind::Prompt,
            id: "ABCDEFGHIJ".to_owned(),
        };
        let line = |failure| String::from_utf8(told(&kept, Err(failure)).expose().to_vec()).unwrap();
        let denied = line(Failure::AccessDenied(String::new()));
        assert_eq!(
            denied,
            "{\"kind\":\"prompt\",\"id\":\"ABCDEFGHIJ\",\"content\":null}\n"
        );
        for failure in [Failure::Internal, Failure::Unavailable] {
            assert_eq!(
                line(failure),
                denied.replace("null", "null,\"error\":\"unreadable\"")
            );
        }
    }
}
