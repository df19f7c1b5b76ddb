//! Conversations: items one after the other, sealed each by itself under the conversation's KmsKey.
//!
//! A turn adds rows and rewrites none. All of a conversation is sealed under one context, so that one look at the key opens it;
//! that no item stands in another's place is seen by what is sealed with it, which whoever makes it has to put there: its id and
//! its place.

mod items;

use moho_iam::action::mantle::{CreateConversation, DeleteConversation, UpdateConversation};
use moho_iam::action::{Action, kms};
use moho_iam::authz::Permit;
use moho_kms::{EncryptionContext, Kms};
use moho_terms::{AccountId, ContentBytes, ConversationId, KeyId, Timestamp};
use rusqlite::{Connection, ToSql, params};

pub use items::{Appended, ItemPage, KeptItem, NewItem, NewTurn};

use crate::Store;
use crate::database::{counted, integer, micros, term, time};
use crate::error::StoreError;
use crate::retention::{after_days, kept_days};
use crate::sweeping::{self, ROWS, Room, STAYS};

/// A conversation to make.
pub struct NewConversation<'a> {
    /// Its id, drawn at random.
    pub id: &'a ConversationId,
    /// Its metadata, to be sealed.
    pub metadata: &'a ContentBytes,
    /// The days that it stays after its last turn, unless its account says fewer.
    pub days: u32,
}

/// What is known of a conversation without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationFacts {
    /// The account and the id of the key that it is sealed under.
    pub key: (AccountId, KeyId),
    /// Since when it is there.
    pub created: Timestamp,
    /// The place that its next item will have.
    pub next_position: u64,
}

/// What a conversation is sealed under. Permits for the key have to be asked for with its
/// [`condition_keys`](EncryptionContext::condition_keys).
///
/// # Errors
/// [`StoreError::Context`], which the terms' bounds rule out.
pub fn conversation_context(
    account: AccountId,
    conversation: &ConversationId,
) -> Result<EncryptionContext, StoreError> {
    let resource = format!("conversation/{conversation}");
    let pairs = [
        ("moho:account", account.as_str()),
        ("moho:resource", resource.as_str()),
        ("moho:version", "1"),
    ];
    Ok(EncryptionContext::from_pairs(pairs)?)
}

/// The conversation of the caller's account that a permit is for.
fn named<A: Action>(permit: &Permit<A>) -> Result<(AccountId, ConversationId), StoreError> {
    let (account, resource) = (permit.session().account(), permit.resource());
    let own = resource.service() == "bedrock-mantle" && resource.account() == account.as_str();
    let id = resource.resource().strip_prefix("conversation/");
    match id.and_then(|id| id.parse().ok()) {
        Some(conversation) if own => Ok((account, conversation)),
        _ => Err(StoreError::OtherPermit),
    }
}

impl Store {
    /// Seals a conversation's metadata under the key that the second permit is for and keeps it, without an item.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is kept. [`StoreError::KeepsNothing`] if the account keeps none by now.
    pub fn create_conversation(
        &self,
        (create, key): (&Permit<CreateConversation>, &Permit<kms::GenerateDataKey>),
        kms: &Kms,
        new: &NewConversation<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let account = create.session().account();
        let sealed = kms.seal(key, &conversation_context(account, new.id)?, new.metadata)?;
        let key = key.resource().resource().trim_start_matches("key/");
        self.database.change(|transaction| {
            let days = kept_days(transaction, (account, new.days))?;
            transaction
                .execute(
                    "INSERT INTO conversation (account_id, conversation_id, key_id, created_at, expires_at, days,
                        next_position, size, sealed)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?8)",
                    params![
                        account.as_str(),
                        new.id.as_str(),
                        key,
                        micros(now),
                        micros(after_days(now, days)),
                        days,
                        integer(u64::try_from(new.metadata.len()).unwrap_or(u64::MAX)),
                        sealed.as_bytes()
                    ],
                )
                .map(|_one| ())
                .map_err(Into::into)
        })
    }

    /// What is known of the conversation that a permit is for; `None` if its account has none of this id.
    ///
    /// # Errors
    /// [`StoreError::OtherPermit`] if the permit is for no conversation of its account.
    pub fn conversation_facts<A: Action>(
        &self,
        permit: &Permit<A>,
    ) -> Result<Option<ConversationFacts>, StoreError> {
        let (account, conversation) = named(permit)?;
        self.database.find(|connection| {
            self.check_conversation(connection, (account, &conversation))?;
            connection
                .prepare(&format!(
                    "SELECT kms_key.account_id, c.key_id, created_at, next_position FROM conversation AS c
                     JOIN kms_key ON kms_key.key_id = c.key_id WHERE c.account_id = ?1 AND conversation_id = ?2 AND {STAYS}"
                ))?
                .query_row(params![account.as_str(), conversation.as_str()], |row| {
                    Ok(ConversationFacts {
                        key: (term(row, 0)?, term(row, 1)?),
                        created: time(row, 2)?,
                        next_position: counted(row, 3)?,
                    })
                })
        })
    }

    /// Opens the metadata of the conversation that `read` is for; `None` if its account has none of this id.
    ///
    /// # Errors
    /// [`StoreError::Kms`] if it does not open under the key that `key` is for.
    pub fn conversation_metadata<A: Action>(
        &self,
        read: &Permit<A>,
        key: &Permit<kms::Decrypt>,
        kms: &Kms,
    ) -> Result<Option<ContentBytes>, StoreError> {
        let (account, conversation) = named(read)?;
        let sealed: Option<Vec<u8>> = self.database.find(|connection| {
            self.check_conversation(connection, (account, &conversation))?;
            connection
                .prepare(&format!(
                    "SELECT sealed FROM conversation AS c WHERE account_id = ?1 AND conversation_id = ?2 AND {STAYS}"
                ))?
                .query_row(params![account.as_str(), conversation.as_str()], |row| row.get(0))
        })?;
        let Some(sealed) = sealed else { return Ok(None) };
        let context = conversation_context(account, &conversation)?;
        Ok(Some(kms.open(key, &context, &sealed)?))
    }

    /// Seals other metadata of the conversation that the permit is for; `false` if its account has none of this id.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn put_conversation_metadata(
        &self,
        (update, key): (&Permit<UpdateConversation>, &Permit<kms::GenerateDataKey>),
        kms: &Kms,
        metadata: &ContentBytes,
    ) -> Result<bool, StoreError> {
        let (account, conversation) = named(update)?;
        let sealed = kms.seal(key, &conversation_context(account, &conversation)?, metadata)?;
        let size = integer(u64::try_from(metadata.len()).unwrap_or(u64::MAX));
        // Only under the key that its items are under, too.
        let key = key.resource().resource().trim_start_matches("key/");
        let changed = self.database.write(|transaction| {
            transaction.execute(
                &format!(
                    "UPDATE conversation AS c SET size = ?4, sealed = ?5
                     WHERE account_id = ?1 AND conversation_id = ?2 AND key_id = ?3 AND {STAYS}"
                ),
                params![
                    account.as_str(),
                    conversation.as_str(),
                    key,
                    size,
                    sealed.as_bytes()
                ],
            )
        })?;
        Ok(changed > 0)
    }

    /// Whether a conversation's row is the one that was written last.
    fn check_conversation(
        &self,
        connection: &Connection,
        (account, conversation): (AccountId, &ConversationId),
    ) -> rusqlite::Result<()> {
        let key: [&dyn ToSql; 2] = [&account.as_str(), &conversation.as_str()];
        self.database.check(connection, "conversation", &key)
    }

    /// Deletes the conversation that the permit is for, with its items; `false` if its account has none of this id. Its sealed
    /// bytes are overwritten, in the write-ahead log, too. Nobody reads it from the first of several transactions on.
    ///
    /// # Errors
    /// [`StoreError`]; then it is still there, or it goes when it is next looked what is due.
    pub fn delete_conversation(&self, permit: &Permit<DeleteConversation>) -> Result<bool, StoreError> {
        let (account, conversation) = named(permit)?;
        let whose = (account.as_str(), conversation.as_str());
        let mut gone = self.database.write(|transaction| {
            if !sweeping::mark(transaction, whose)? {
                return Ok(None);
            }
            sweeping::sweep(transaction, whose, &mut Room::of(ROWS)).map(Some)
        })?;
        while gone == Some(false) {
            gone = self
                .database
                .write(|transaction| sweeping::sweep(transaction, whose, &mut Room::of(ROWS)).map(Some))?;
        }
        if gone.is_some() {
            self.database.empty_log();
        }
        Ok(gone.is_some())
    }
}
