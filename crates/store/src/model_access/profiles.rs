//! Application inference profiles: an account's own names for models, which tell apart what they are used for.

use std::collections::BTreeMap;

use moho_iam::action::bedrock::{CreateInferenceProfile, DeleteInferenceProfile, ListInferenceProfiles};
use moho_iam::authz::Permit;
use moho_terms::{AccountId, ModelId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::tags;
use crate::Store;
use crate::database::{counted, micros, term, time};
use crate::error::StoreError;

/// Profiles of one account, as at AWS.
const MOST: u64 = 1000;

const SELECT: &str = "SELECT profile_id, name, description, model_id, created_at FROM inference_profile";

/// A profile that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferenceProfile {
    /// Its id.
    pub id: ModelId,
    /// What its account calls it.
    pub name: String,
    /// What its account says of it.
    pub description: Option<String>,
    /// The model it leads to.
    pub model: ModelId,
    /// Since when it is there.
    pub created: Timestamp,
}

/// A profile to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInferenceProfile {
    /// Its id, drawn at random.
    pub id: ModelId,
    /// What its account calls it.
    pub name: String,
    /// What its account says of it.
    pub description: Option<String>,
    /// The model it leads to.
    pub model: ModelId,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The caller's token, and a digest of what it asks for with it.
    pub token: Option<(String, [u8; 32])>,
}

/// What came of making one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileMade {
    /// It is there, made now or by an earlier request with the same token.
    There(ModelId),
    /// The token was used for something else.
    Conflict,
    /// The account has as many as it may.
    Full,
}

impl Store {
    /// Makes a profile of the permit's account, or finds the one that was made with the same token.
    ///
    /// # Errors
    /// [`StoreError`]; then none was made.
    pub fn create_inference_profile(
        &self,
        permit: &Permit<CreateInferenceProfile>,
        new: &NewInferenceProfile,
        now: Timestamp,
    ) -> Result<ProfileMade, StoreError> {
        let account = permit.session().account();
        let made = self.database.write(|transaction| {
            if let Some(earlier) = earlier(transaction, account, new)? {
                return Ok(earlier);
            }
            let count = "SELECT count(*) FROM inference_profile WHERE account_id = ?1";
            let there = transaction.query_row(count, [account.as_str()], |row| counted(row, 0))?;
            if there >= MOST {
                return Ok(ProfileMade::Full);
            }
            insert(transaction, account, new, now)?;
            Ok(ProfileMade::There(new.id.clone()))
        })?;
        self.policies.forget();
        Ok(made)
    }

    /// A profile of an account; `None` if it has none of this id. Whoever asks has to hold a permit for its ARN.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn inference_profile(
        &self,
        account: AccountId,
        id: &ModelId,
    ) -> Result<Option<InferenceProfile>, StoreError> {
        self.database.find(|connection| {
            connection
                .prepare(&format!("{SELECT} WHERE account_id = ?1 AND profile_id = ?2"))?
                .query_row(params![account.as_str(), id.as_str()], profile)
        })
    }

    /// At most `most` profiles of the permit's account after one id, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn inference_profiles(
        &self,
        permit: &Permit<ListInferenceProfiles>,
        after: &str,
        most: usize,
    ) -> Result<Vec<InferenceProfile>, StoreError> {
        let account = permit.session().account();
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.database.read(|connection| {
            let select =
                format!("{SELECT} WHERE account_id = ?1 AND profile_id > ?2 ORDER BY profile_id LIMIT ?3");
            let mut select = connection.prepare(&select)?;
            let profiles = select.query_map(params![account.as_str(), after, most], profile)?;
            profiles.collect()
        })
    }

    /// Deletes a profile of the permit's account and its tags; `false` if there is none of this id.
    ///
    /// # Errors
    /// [`StoreError`]; then it is still there.
    pub fn delete_inference_profile(
        &self,
        permit: &Permit<DeleteInferenceProfile>,
        id: &ModelId,
    ) -> Result<bool, StoreError> {
        let account = permit.session().account();
        let deleted = self.database.write(|transaction| {
            transaction.execute(
                "DELETE FROM inference_profile WHERE account_id = ?1 AND profile_id = ?2",
                params![account.as_str(), id.as_str()],
            )
        })?;
        self.policies.forget();
        Ok(deleted > 0)
    }
}

/// What an earlier request with the same token made.
fn earlier(
    transaction: &Connection,
    account: AccountId,
    new: &NewInferenceProfile,
) -> rusqlite::Result<Option<ProfileMade>> {
    let Some((token, asked)) = &new.token else {
        return Ok(None);
    };
    let select =
        "SELECT profile_id, asked FROM inference_profile WHERE account_id = ?1 AND client_token = ?2";
    let found = transaction
        .prepare(select)?
        .query_row(params![account.as_str(), token], |row| {
            let before: Vec<u8> = row.get(1)?;
            Ok(if before == asked {
                ProfileMade::There(term(row, 0)?)
            } else {
                ProfileMade::Conflict
            })
        });
    found.optional()
}

fn insert(
    transaction: &Transaction<'_>,
    account: AccountId,
    new: &NewInferenceProfile,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let (token, asked) = match &new.token {
        Some((token, asked)) => (Some(token), Some(asked)),
        None => (None, None),
    };
    transaction.execute(
        "INSERT INTO inference_profile
            (account_id, profile_id, name, description, model_id, created_at, client_token, asked)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            account.as_str(),
            new.id.as_str(),
            new.name,
            new.description,
            new.model.as_str(),
            micros(now),
            token,
            asked
        ],
    )?;
    tags::put(transaction, (account, &new.id), &new.tags)
}

fn profile(row: &Row<'_>) -> rusqlite::Result<InferenceProfile> {
    Ok(InferenceProfile {
        id: term(row, 0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        model: term(row, 3)?,
        created: time(row, 4)?,
    })
}
