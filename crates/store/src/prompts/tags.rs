//! Tags of prompts, and of their versions.

use std::collections::BTreeMap;

use moho_iam::action::Action;
use moho_iam::action::bedrock::{TagResource, UntagResource};
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Arn, PromptId};
use rusqlite::{Connection, params};

use super::{named, prompt_of};
use crate::database::counted;
use crate::error::StoreError;
use crate::{Store, Tagged};

/// Tags of one prompt, as at AWS.
const MOST: usize = 50;

/// Which version of which prompt.
type Place<'a> = (AccountId, &'a PromptId, u32);

impl Store {
    /// The tags of the prompt, or the version of it, that the permit is for; `None` if there is none such.
    ///
    /// # Errors
    /// [`StoreError::OtherPermit`] if it is for no prompt of its account.
    pub fn prompt_tags<A: Action>(
        &self,
        permit: &Permit<A>,
    ) -> Result<Option<BTreeMap<String, String>>, StoreError> {
        let (account, id, version) = named(permit)?;
        self.database.read(|connection| {
            let place = (account, &id, version);
            Ok(if exists(connection, place)? {
                Some(tags(connection, place)?)
            } else {
                None
            })
        })
    }

    /// The tags that conditions on a prompt see; none if there is no such prompt.
    pub(crate) fn tags_of_prompt(&self, prompt: &Arn) -> Result<BTreeMap<String, String>, StoreError> {
        match (prompt.account().parse(), prompt_of(prompt)) {
            (Ok(account), Some((id, version))) => self
                .database
                .read(|connection| tags(connection, (account, &id, version))),
            _ => Ok(BTreeMap::new()),
        }
    }

    /// Sets tags of the prompt that the permit is for.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn tag_prompt(
        &self,
        permit: &Permit<TagResource>,
        new: &BTreeMap<String, String>,
    ) -> Result<Tagged, StoreError> {
        let (account, id, version) = named(permit)?;
        let place = (account, &id, version);
        let tagged = self.database.write(|transaction| {
            if !exists(transaction, place)? {
                return Ok(Tagged::Absent);
            }
            let mut all = tags(transaction, place)?;
            let differs = |key: &String| {
                let same = |one: &String| one != key && one.to_lowercase() == key.to_lowercase();
                all.keys().any(same)
            };
            if new.keys().any(differs) {
                return Ok(Tagged::OtherCase);
            }
            all.extend(new.clone());
            if all.len() > MOST {
                return Ok(Tagged::TooMany);
            }
            put(transaction, place, new)?;
            Ok(Tagged::Done)
        })?;
        self.policies.forget();
        Ok(tagged)
    }

    /// Takes tags off the prompt that the permit is for; `false` if there is none such.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn untag_prompt(&self, permit: &Permit<UntagResource>, keys: &[String]) -> Result<bool, StoreError> {
        let (account, id, version) = named(permit)?;
        let there = self.database.write(|transaction| {
            if !exists(transaction, (account, &id, version))? {
                return Ok(false);
            }
            let mut delete = transaction.prepare(
                "DELETE FROM prompt_tag WHERE account_id = ?1 AND prompt_id = ?2 AND version = ?3 AND key = ?4",
            )?;
            for key in keys {
                delete.execute(params![account.as_str(), id.as_str(), version, key])?;
            }
            Ok(true)
        })?;
        self.policies.forget();
        Ok(there)
    }
}

/// Sets tags of a prompt that is there.
pub(super) fn put(
    connection: &Connection,
    (account, id, version): Place<'_>,
    tags: &BTreeMap<String, String>,
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare(
        "INSERT INTO prompt_tag (account_id, prompt_id, version, key, value) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (account_id, prompt_id, version, key) DO UPDATE SET value = excluded.value",
    )?;
    for (key, value) in tags {
        insert.execute(params![account.as_str(), id.as_str(), version, key, value])?;
    }
    Ok(())
}

fn exists(connection: &Connection, (account, id, version): Place<'_>) -> rusqlite::Result<bool> {
    let count =
        "SELECT count(*) FROM prompt_version WHERE account_id = ?1 AND prompt_id = ?2 AND version = ?3";
    let there = connection.query_row(count, params![account.as_str(), id.as_str(), version], |row| {
        counted(row, 0)
    })?;
    Ok(there > 0)
}

fn tags(
    connection: &Connection,
    (account, id, version): Place<'_>,
) -> rusqlite::Result<BTreeMap<String, String>> {
    let select =
        "SELECT key, value FROM prompt_tag WHERE account_id = ?1 AND prompt_id = ?2 AND version = ?3";
    let mut select = connection.prepare(select)?;
    let rows = select.query_map(params![account.as_str(), id.as_str(), version], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    rows.collect()
}
