//! Making prompts and changing their drafts.

use std::collections::BTreeMap;

use moho_iam::action::bedrock::{CreatePrompt, UpdatePrompt};
use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_kms::Kms;
use moho_terms::{AccountId, Arn, ContentBytes, PromptId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{DRAFT, key_id, named, prompt_context, prompt_of, tags};
use crate::Store;
use crate::database::{counted, integer, micros, term, time};
use crate::error::StoreError;

/// Prompts of one account, as at AWS.
const MOST: u64 = 500;

/// A prompt to make.
pub struct NewPrompt<'a> {
    /// Its ARN, with an id drawn at random.
    pub arn: &'a Arn,
    /// What its account calls it.
    pub name: &'a str,
    /// What it says, to be sealed.
    pub body: &'a ContentBytes,
    /// Whether the key was chosen by the caller.
    pub key_chosen: bool,
    /// Its tags.
    pub tags: &'a BTreeMap<String, String>,
    /// The caller's token, and a keyed digest of what it asks for with it.
    pub token: Option<(&'a str, [u8; 32])>,
}

/// What came of making one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromptMade {
    /// It is there, made now or by an earlier request with the same token.
    There(PromptId, Timestamp),
    /// The token was used for something else.
    Conflict,
    /// The account has another prompt of this name.
    NameTaken,
    /// The account has as many as it may.
    Full,
}

/// What a draft is to be instead.
pub struct PromptChange<'a> {
    /// What its account calls it.
    pub name: &'a str,
    /// What it says, to be sealed.
    pub body: &'a ContentBytes,
    /// Whether the key was chosen by the caller.
    pub key_chosen: bool,
}

/// What came of changing one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromptChanged {
    /// It was changed.
    Done,
    /// There is no such prompt.
    Absent,
    /// The account has another prompt of this name.
    NameTaken,
}

impl Store {
    /// Seals a prompt under the key that the second permit is for and keeps its draft, or finds the prompt that was made with
    /// the same token.
    ///
    /// # Errors
    /// [`StoreError`]; then none was made. [`StoreError::OtherPermit`] for another account's ARN.
    pub fn create_prompt(
        &self,
        (create, key): (&Permit<CreatePrompt>, &Permit<kms::GenerateDataKey>),
        kms: &Kms,
        new: &NewPrompt<'_>,
        now: Timestamp,
    ) -> Result<PromptMade, StoreError> {
        let account = create.session().account();
        let id = match prompt_of(new.arn) {
            Some((id, DRAFT)) if new.arn.account() == account.as_str() => id,
            _ => return Err(StoreError::OtherPermit),
        };
        let sealed = kms.seal(key, &prompt_context(new.arn)?, new.body)?;
        let made = self.database.write(|transaction| {
            if let Some(earlier) = earlier(transaction, account, new)? {
                return Ok(earlier);
            }
            let count = "SELECT count(*) FROM prompt WHERE account_id = ?1";
            if transaction.query_row(count, [account.as_str()], |row| counted(row, 0))? >= MOST {
                return Ok(PromptMade::Full);
            }
            if is_taken(transaction, (account, &id), new.name)? {
                return Ok(PromptMade::NameTaken);
            }
            insert(transaction, (account, &id), new)?;
            let draft = Draft {
                name: new.name,
                key: key_id(key),
                key_chosen: new.key_chosen,
                size: new.body.len(),
                sealed: sealed.as_bytes(),
            };
            draft.put(transaction, (account, &id), now)?;
            tags::put(transaction, (account, &id, DRAFT), new.tags)?;
            Ok(PromptMade::There(id.clone(), now))
        })?;
        self.policies.forget();
        Ok(made)
    }

    /// Seals what a draft is to be instead under the key that the second permit is for, and keeps that.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed. [`StoreError::OtherPermit`] if the permit is for a numbered version.
    pub fn update_prompt(
        &self,
        (update, key): (&Permit<UpdatePrompt>, &Permit<kms::GenerateDataKey>),
        kms: &Kms,
        change: &PromptChange<'_>,
        now: Timestamp,
    ) -> Result<PromptChanged, StoreError> {
        let (account, id, version) = named(update)?;
        if version != DRAFT {
            return Err(StoreError::OtherPermit);
        }
        let sealed = kms.seal(key, &prompt_context(update.resource())?, change.body)?;
        let changed = self.database.write(|transaction| {
            if is_taken(transaction, (account, &id), change.name)? {
                return Ok(PromptChanged::NameTaken);
            }
            let rename = "UPDATE prompt SET name = ?3 WHERE account_id = ?1 AND prompt_id = ?2";
            let there = transaction.execute(rename, params![account.as_str(), id.as_str(), change.name])?;
            if there == 0 {
                return Ok(PromptChanged::Absent);
            }
            let draft = Draft {
                name: change.name,
                key: key_id(key),
                key_chosen: change.key_chosen,
                size: change.body.len(),
                sealed: sealed.as_bytes(),
            };
            draft.put(transaction, (account, &id), now)?;
            Ok(PromptChanged::Done)
        })?;
        self.database.empty_log();
        Ok(changed)
    }
}

/// A draft as it rests.
struct Draft<'a> {
    name: &'a str,
    key: &'a str,
    key_chosen: bool,
    size: usize,
    sealed: &'a [u8],
}

impl Draft<'_> {
    fn put(
        &self,
        transaction: &Transaction<'_>,
        (account, id): (AccountId, &PromptId),
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        let put = "INSERT INTO prompt_version
                (account_id, prompt_id, version, name, key_id, key_chosen, created_at, updated_at, size, sealed)
            VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?6, ?7, ?8)
            ON CONFLICT (account_id, prompt_id, version) DO UPDATE SET
                name = excluded.name, key_id = excluded.key_id, key_chosen = excluded.key_chosen,
                updated_at = excluded.updated_at, size = excluded.size, sealed = excluded.sealed";
        let size = integer(u64::try_from(self.size).unwrap_or(u64::MAX));
        let values = params![
            account.as_str(),
            id.as_str(),
            self.name,
            self.key,
            self.key_chosen,
            micros(now),
            size,
            self.sealed
        ];
        transaction.execute(put, values).map(|_one| ())
    }
}

fn insert(
    transaction: &Transaction<'_>,
    (account, id): (AccountId, &PromptId),
    new: &NewPrompt<'_>,
) -> rusqlite::Result<()> {
    let (token, asked) = new.token.unzip();
    transaction.execute(
        "INSERT INTO prompt (account_id, prompt_id, name, last_version, client_token, asked)
         VALUES (?1, ?2, ?3, 0, ?4, ?5)",
        params![account.as_str(), id.as_str(), new.name, token, asked],
    )?;
    Ok(())
}

/// Whether another prompt of the account is called so.
fn is_taken(
    connection: &Connection,
    (account, id): (AccountId, &PromptId),
    name: &str,
) -> rusqlite::Result<bool> {
    let count = "SELECT count(*) FROM prompt WHERE account_id = ?1 AND prompt_id <> ?2 AND name = ?3";
    let others = connection.query_row(count, params![account.as_str(), id.as_str(), name], |row| {
        counted(row, 0)
    })?;
    Ok(others > 0)
}

/// What an earlier request with the same token made.
fn earlier(
    connection: &Connection,
    account: AccountId,
    new: &NewPrompt<'_>,
) -> rusqlite::Result<Option<PromptMade>> {
    let Some((token, asked)) = new.token else {
        return Ok(None);
    };
    let select = "SELECT prompt_id, prompt.asked, created_at FROM prompt JOIN prompt_version USING (account_id, prompt_id)
        WHERE account_id = ?1 AND prompt.client_token = ?2 AND version = 0";
    let found = connection
        .prepare(select)?
        .query_row(params![account.as_str(), token], |row| {
            let before: Vec<u8> = row.get(1)?;
            Ok(if before == asked {
                PromptMade::There(term(row, 0)?, time(row, 2)?)
            } else {
                PromptMade::Conflict
            })
        });
    found.optional()
}
