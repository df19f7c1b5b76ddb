//! Numbered versions of prompts: made of a draft, and never changed.

use std::collections::BTreeMap;

use moho_iam::action::bedrock::CreatePromptVersion;
use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_kms::Kms;
use moho_terms::{Arn, ContentBytes, Timestamp};
use rusqlite::params;

use super::{DRAFT, PromptFacts, key_id, named, prompt_context, prompt_of, tags};
use crate::Store;
use crate::database::{counted, integer, micros};
use crate::error::StoreError;

/// Versions of one prompt, as at AWS.
const MOST: u64 = 10;

/// A version to make.
pub struct NewPromptVersion<'a> {
    /// Its ARN, with the number after the last one.
    pub arn: &'a Arn,
    /// The draft that it is made of.
    pub draft: &'a PromptFacts,
    /// What it says, to be sealed.
    pub body: &'a ContentBytes,
    /// Its tags.
    pub tags: &'a BTreeMap<String, String>,
    /// The caller's token, and a keyed digest of what it asks for with it.
    pub token: Option<(&'a str, [u8; 32])>,
}

/// What came of making one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromptVersionMade {
    /// It is there.
    Done,
    /// There is no such prompt.
    Absent,
    /// Somebody else has made a version with this number, or with this token.
    Raced,
    /// The prompt has as many as it may.
    Full,
}

impl Store {
    /// The number of the version that was made with this token, and the digest of what was asked for with it.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn prompt_version_of_token(
        &self,
        permit: &Permit<CreatePromptVersion>,
        token: &str,
    ) -> Result<Option<(u32, Vec<u8>)>, StoreError> {
        let (account, id, _draft) = named(permit)?;
        self.database.find(|connection| {
            connection
                .prepare(
                    "SELECT version, asked FROM prompt_version
                     WHERE account_id = ?1 AND prompt_id = ?2 AND client_token = ?3",
                )?
                .query_row(params![account.as_str(), id.as_str(), token], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
        })
    }

    /// Seals a version under the key that the second permit is for and keeps it.
    ///
    /// # Errors
    /// [`StoreError`]; then none was made. [`StoreError::OtherPermit`] if the ARN is not one of a version of the prompt that
    /// the first permit is for.
    pub fn create_prompt_version(
        &self,
        (create, key): (&Permit<CreatePromptVersion>, &Permit<kms::GenerateDataKey>),
        kms: &Kms,
        new: &NewPromptVersion<'_>,
        now: Timestamp,
    ) -> Result<PromptVersionMade, StoreError> {
        let (account, id, _draft) = named(create)?;
        let number = match prompt_of(new.arn) {
            Some((of, number)) if of == id && number > DRAFT && new.arn.account() == account.as_str() => {
                number
            }
            _ => return Err(StoreError::OtherPermit),
        };
        let sealed = kms.seal(key, &prompt_context(new.arn)?, new.body)?;
        let (token, asked) = new.token.unzip();
        self.database.write(|transaction| {
            let prompt = params![account.as_str(), id.as_str()];
            let count = "SELECT count(*) FROM prompt_version WHERE account_id = ?1 AND prompt_id = ?2";
            match transaction.query_row(count, prompt, |row| counted(row, 0))? {
                0 => return Ok(PromptVersionMade::Absent),
                there if there > MOST => return Ok(PromptVersionMade::Full),
                _ => {}
            }
            let used = "SELECT count(*) FROM prompt_version
                WHERE account_id = ?1 AND prompt_id = ?2 AND client_token = ?3";
            let used = transaction.query_row(used, params![account.as_str(), id.as_str(), token], |row| {
                counted(row, 0)
            })?;
            let take = "UPDATE prompt SET last_version = ?3
                WHERE account_id = ?1 AND prompt_id = ?2 AND last_version = ?3 - 1";
            let next = params![account.as_str(), id.as_str(), number];
            if used > 0 || transaction.execute(take, next)? == 0 {
                return Ok(PromptVersionMade::Raced);
            }
            let size = integer(u64::try_from(new.body.len()).unwrap_or(u64::MAX));
            let insert =
                "INSERT INTO prompt_version (account_id, prompt_id, version, name, key_id, key_chosen,
                    created_at, updated_at, size, sealed, client_token, asked)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10, ?11)";
            let values = params![
                account.as_str(),
                id.as_str(),
                number,
                new.draft.name,
                key_id(key),
                new.draft.key_chosen,
                micros(now),
                size,
                sealed.as_bytes(),
                token,
                asked
            ];
            transaction.execute(insert, values)?;
            tags::put(transaction, (account, &id, number), new.tags)?;
            Ok(PromptVersionMade::Done)
        })
    }
}
