//! The Conversations API: make, read, go on, delete; and all that an account keeps, taken out or erased.

use std::sync::Arc;

use moho_iam::action::mantle::{
    CreateConversation, DeleteConversation, EraseContent, GetConversation, UpdateConversation,
};
use moho_iam::action::{Action, kms};
use moho_iam::authz::Permit;
use moho_store::{
    Appended, ConversationFacts, ItemPage, KeptItem, NewConversation, NewItem, NewResponse, NewTurn,
};
use moho_terms::{ContentBytes, ConversationId, ItemId};
use moho_wire::Failure;
use moho_wire::openai::Turn;
use moho_wire::openai::conversations::{
    self as wire, ConversationItem, ListItems, Metadata, conversation_deleted, conversation_not_found,
    conversation_object, item_list, item_not_found, item_object,
};

use super::{Asked, blocking};
use crate::net::Outbound;
use crate::road::{content, from_store};
use crate::startup::Platform;

/// Items of one conversation at most, as the store has them.
const ALL: usize = 10_000;
/// How often items are given other places, if others were faster.
const TRIES: usize = 16;

/// Leave to read a conversation.
pub(crate) struct Reading<A> {
    pub(crate) read: Permit<A>,
    pub(crate) key: Permit<kms::Decrypt>,
    pub(crate) id: ConversationId,
    pub(crate) facts: ConversationFacts,
}

/// Leave to add to a conversation.
pub(crate) struct Adding<A> {
    pub(crate) update: Permit<A>,
    pub(crate) key: Permit<kms::GenerateDataKey>,
    pub(crate) id: ConversationId,
    /// Where its next item goes, unless others are faster.
    pub(crate) position: u64,
}

/// `POST /conversations`
pub(crate) async fn create(
    asked: &Asked,
    adding: Adding<CreateConversation>,
    (create, days): (wire::CreateConversation, u32),
) -> Result<Outbound, Failure> {
    let items = new_items(asked, create.items)?;
    let platform = Arc::clone(&asked.platform);
    let metadata = create.metadata;
    blocking(move || {
        let now = platform.clock.now();
        let new = NewConversation {
            id: &adding.id,
            metadata: metadata.json(),
            days,
        };
        let permits = (&adding.update, &adding.key);
        let made = platform
            .store
            .create_conversation(permits, &platform.kms, &new, now);
        made.map_err(|error| from_store(&error))?;
        add(&platform, &adding, (&items, None))?;
        Ok(content(conversation_object(&adding.id, now, &metadata)))
    })
    .await
}

/// `GET /conversations/{id}`
pub(crate) async fn get(asked: &Asked, reading: Reading<GetConversation>) -> Result<Outbound, Failure> {
    let platform = Arc::clone(&asked.platform);
    blocking(move || {
        let metadata = metadata(&platform, &reading)?;
        Ok(content(conversation_object(
            &reading.id,
            reading.facts.created,
            &metadata,
        )))
    })
    .await
}

/// `POST /conversations/{id}`
pub(crate) async fn update(
    asked: &Asked,
    (adding, facts): (Adding<UpdateConversation>, ConversationFacts),
    metadata: Metadata,
) -> Result<Outbound, Failure> {
    let platform = Arc::clone(&asked.platform);
    blocking(move || {
        let permits = (&adding.update, &adding.key);
        let changed = platform
            .store
            .put_conversation_metadata(permits, &platform.kms, metadata.json());
        if changed.map_err(|error| from_store(&error))? {
            Ok(content(conversation_object(&adding.id, facts.created, &metadata)))
        } else {
            Err(conversation_not_found(Some(&adding.id)))
        }
    })
    .await
}

/// `DELETE /conversations/{id}`
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<DeleteConversation>,
    id: ConversationId,
) -> Result<Outbound, Failure> {
    let platform = Arc::clone(&asked.platform);
    blocking(move || match platform.store.delete_conversation(&permit) {
        Ok(true) => Ok(content(conversation_deleted(&id))),
        Ok(false) => Err(conversation_not_found(Some(&id))),
        Err(error) => Err(from_store(&error)),
    })
    .await
}

/// `POST /conversations/{id}/items`
pub(crate) async fn create_items(
    asked: &Asked,
    adding: Adding<UpdateConversation>,
    turns: Vec<Turn>,
) -> Result<Outbound, Failure> {
    let items = new_items(asked, turns)?;
    let platform = Arc::clone(&asked.platform);
    blocking(move || {
        add(&platform, &adding, (&items, None))?;
        Ok(content(item_list(&items, false)))
    })
    .await
}

/// `GET /conversations/{id}/items`
pub(crate) async fn list_items(
    asked: &Asked,
    reading: Reading<GetConversation>,
    list: ListItems,
) -> Result<Outbound, Failure> {
    let platform = Arc::clone(&asked.platform);
    blocking(move || {
        let page = ItemPage {
            after: list.after.clone(),
            ascending: list.ascending,
            limit: list.limit.saturating_add(1),
        };
        let mut items = items(&platform, &reading, &page)?;
        let has_more = items.len() > list.limit;
        items.truncate(list.limit);
        Ok(content(item_list(&items, has_more)))
    })
    .await
}

/// `GET /conversations/{id}/items/{item}`
pub(crate) async fn get_item(
    asked: &Asked,
    reading: Reading<GetConversation>,
    item: ItemId,
) -> Result<Outbound, Failure> {
    let platform = Arc::clone(&asked.platform);
    blocking(move || {
        let found = platform
            .store
            .conversation_item(&reading.read, &reading.key, &platform.kms, &item);
        let found = found.map_err(|error| from_store(&error))?;
        let found = found.ok_or_else(|| item_not_found(Some(&item)))?;
        Ok(content(item_object(&decoded(found)?)))
    })
    .await
}

/// `DELETE /conversations/{id}/items/{item}`: what is told is the conversation, as at OpenAI.
pub(crate) async fn delete_item(
    asked: &Asked,
    permit: Permit<UpdateConversation>,
    (reading, item): (Reading<GetConversation>, ItemId),
) -> Result<Outbound, Failure> {
    let platform = Arc::clone(&asked.platform);
    blocking(move || {
        let metadata = metadata(&platform, &reading)?;
        match platform.store.delete_conversation_item(&permit, &item) {
            Ok(true) => Ok(content(conversation_object(
                &reading.id,
                reading.facts.created,
                &metadata,
            ))),
            Ok(false) => Err(item_not_found(Some(&item))),
            Err(error) => Err(from_store(&error)),
        }
    })
    .await
}

/// `DELETE /content`
pub(crate) async fn erase(asked: &Asked, permit: Permit<EraseContent>) -> Result<Outbound, Failure> {
    let platform = Arc::clone(&asked.platform);
    blocking(move || {
        let erased = platform.store.erase_content(&permit);
        let erased = erased.map_err(|error| from_store(&error))?;
        Ok(content(wire::erased_object([
            ("responses", erased.responses),
            ("conversations", erased.conversations),
            ("prompts", erased.prompts),
        ])))
    })
    .await
}

/// What a conversation holds: its metadata and all its items, oldest first.
pub(crate) async fn whole<A: Action>(
    platform: &Arc<Platform>,
    reading: Reading<A>,
) -> Result<(ContentBytes, Vec<ConversationItem>), Failure> {
    let platform = Arc::clone(platform);
    blocking(move || {
        let metadata = metadata(&platform, &reading)?;
        let told = conversation_object(&reading.id, reading.facts.created, &metadata);
        Ok((told, items(&platform, &reading, &everything())?))
    })
    .await
}

/// The turns of a conversation, as the context of a response.
pub(crate) async fn context(
    platform: &Arc<Platform>,
    reading: Reading<GetConversation>,
) -> Result<Vec<Turn>, Failure> {
    let platform = Arc::clone(platform);
    blocking(move || {
        let items = items(&platform, &reading, &everything())?;
        Ok(items.into_iter().map(|item| item.turn).collect())
    })
    .await
}

fn everything() -> ItemPage {
    ItemPage {
        after: None,
        ascending: true,
        limit: ALL,
    }
}

/// Turns of a request as items with ids of their own.
fn new_items(asked: &Asked, turns: Vec<Turn>) -> Result<Vec<ConversationItem>, Failure> {
    let item = |turn| {
        let id = ItemId::random(&*asked.platform.entropy).map_err(|_none| Failure::Unavailable)?;
        let complete = true;
        Ok(ConversationItem { id, complete, turn })
    };
    turns.into_iter().map(item).collect()
}

/// Adds items to a conversation, together with the response that they are of, if that is kept; waits for the disk.
pub(crate) fn add<A: Action>(
    platform: &Platform,
    adding: &Adding<A>,
    (items, response): (&[ConversationItem], Option<&NewResponse<'_>>),
) -> Result<(), Failure> {
    let mut position = adding.position;
    if items.is_empty() && response.is_none() {
        return Ok(());
    }
    for _try in 0..TRIES {
        let new: Vec<NewItem> = (position..)
            .zip(items)
            .map(|(place, item)| NewItem {
                id: item.id.clone(),
                body: item.encode(place),
            })
            .collect();
        let turn = NewTurn {
            position,
            items: &new,
            response,
        };
        let permits = (&adding.update, &adding.key);
        let now = platform.clock.now();
        let added = platform.store.append_turn(permits, &platform.kms, &turn, now);
        match added.map_err(|error| from_store(&error))? {
            Appended::Done => return Ok(()),
            Appended::Absent => return Err(conversation_not_found(Some(&adding.id))),
            Appended::Full => return Err(full()),
            Appended::Twice => return Err(Failure::Internal),
            Appended::Raced => {
                let facts = platform.store.conversation_facts(&adding.update);
                let facts = facts.map_err(|error| from_store(&error))?;
                position = facts
                    .ok_or_else(|| conversation_not_found(Some(&adding.id)))?
                    .next_position;
            }
        }
    }
    Err(Failure::Overloaded { retry_after: 1 })
}

fn full() -> Failure {
    Failure::Invalid {
        message: "The conversation has as many items as it may: 10000, or 16 MiB together. Begin a new one, or delete some."
            .to_owned(),
        param: Some("conversation".to_owned()),
        code: Some("conversation_full"),
    }
}

fn metadata<A: Action>(platform: &Platform, reading: &Reading<A>) -> Result<Metadata, Failure> {
    let kept = platform
        .store
        .conversation_metadata(&reading.read, &reading.key, &platform.kms);
    let kept = kept.map_err(|error| from_store(&error))?;
    Metadata::kept(kept.ok_or_else(|| conversation_not_found(Some(&reading.id)))?)
}

fn items<A: Action>(
    platform: &Platform,
    reading: &Reading<A>,
    page: &ItemPage,
) -> Result<Vec<ConversationItem>, Failure> {
    let found = platform
        .store
        .conversation_items(&reading.read, &reading.key, &platform.kms, page);
    let found = found.map_err(|error| from_store(&error))?;
    let found = found.ok_or_else(|| item_not_found(page.after.as_ref()))?;
    found.into_iter().map(decoded).collect()
}

/// An item that is not the one that was put there is one that somebody altered.
fn decoded(kept: KeptItem) -> Result<ConversationItem, Failure> {
    ConversationItem::decode(&kept.body, kept.id, kept.position).map_err(|_altered| {
        tracing::error!("an item of a conversation is not the one that was kept in its place");
        Failure::Internal
    })
}
