//! Tags of inference profiles.

use std::collections::BTreeMap;

use moho_iam::action::bedrock::{TagResource, UntagResource};
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Arn, ModelId};
use rusqlite::{Connection, params};

use crate::Store;
use crate::database::counted;
use crate::error::StoreError;

/// Tags of one profile, as at AWS.
const MOST: u64 = 50;

/// What came of tagging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    /// It has the tags.
    Done,
    /// There is no such profile.
    Absent,
    /// It would have more tags than it may; nothing has changed.
    TooMany,
    /// It would have keys that differ in case only, which conditions cannot tell apart; nothing has changed.
    OtherCase,
}

impl Store {
    /// The tags of a profile; `None` if the account has none of this id. Whoever asks has to hold a permit for its ARN.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn inference_profile_tags(
        &self,
        account: AccountId,
        id: &ModelId,
    ) -> Result<Option<BTreeMap<String, String>>, StoreError> {
        self.database.read(|connection| {
            if !exists(connection, (account, id))? {
                return Ok(None);
            }
            let select =
                "SELECT key, value FROM inference_profile_tag WHERE account_id = ?1 AND profile_id = ?2";
            let mut select = connection.prepare(select)?;
            let tags = select.query_map(params![account.as_str(), id.as_str()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            tags.collect::<rusqlite::Result<_>>().map(Some)
        })
    }

    /// The tags that conditions on a profile see; none if there is no such profile.
    pub(crate) fn profile_tags(
        &self,
        profile: &Arn,
        id: &str,
    ) -> Result<BTreeMap<String, String>, StoreError> {
        let (Ok(account), Ok(id)) = (profile.account().parse(), id.parse()) else {
            return Ok(BTreeMap::new());
        };
        Ok(self.inference_profile_tags(account, &id)?.unwrap_or_default())
    }

    /// Sets tags of a profile of the permit's account.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn tag_inference_profile(
        &self,
        permit: &Permit<TagResource>,
        id: &ModelId,
        tags: &BTreeMap<String, String>,
    ) -> Result<Tagged, StoreError> {
        let profile = (permit.session().account(), id);
        let tagged = self.database.write(|transaction| {
            if !exists(transaction, profile)? {
                return Ok(Tagged::Absent);
            }
            let before = keys(transaction, profile)?;
            let differs = |key: &String| {
                let same = |one: &String| one != key && one.to_lowercase() == key.to_lowercase();
                before.iter().chain(tags.keys()).any(same)
            };
            if tags.keys().any(differs) {
                return Ok(Tagged::OtherCase);
            }
            let new = tags.keys().filter(|key| !before.contains(key)).count();
            if before.len().saturating_add(new) > usize::try_from(MOST).unwrap_or(usize::MAX) {
                return Ok(Tagged::TooMany);
            }
            put(transaction, profile, tags)?;
            Ok(Tagged::Done)
        })?;
        self.policies.forget();
        Ok(tagged)
    }

    /// Takes tags off a profile of the permit's account; `false` if there is no such profile.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn untag_inference_profile(
        &self,
        permit: &Permit<UntagResource>,
        id: &ModelId,
        keys: &[String],
    ) -> Result<bool, StoreError> {
        let account = permit.session().account();
        let there = self.database.write(|transaction| {
            if !exists(transaction, (account, id))? {
                return Ok(false);
            }
            let mut delete = transaction.prepare(
                "DELETE FROM inference_profile_tag WHERE account_id = ?1 AND profile_id = ?2 AND key = ?3",
            )?;
            for key in keys {
                delete.execute(params![account.as_str(), id.as_str(), key])?;
            }
            Ok(true)
        })?;
        self.policies.forget();
        Ok(there)
    }
}

/// Sets tags of a profile that is there.
pub(super) fn put(
    connection: &Connection,
    (account, id): (AccountId, &ModelId),
    tags: &BTreeMap<String, String>,
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare(
        "INSERT INTO inference_profile_tag (account_id, profile_id, key, value) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (account_id, profile_id, key) DO UPDATE SET value = excluded.value",
    )?;
    for (key, value) in tags {
        insert.execute(params![account.as_str(), id.as_str(), key, value])?;
    }
    Ok(())
}

fn exists(connection: &Connection, (account, id): (AccountId, &ModelId)) -> rusqlite::Result<bool> {
    let count = "SELECT count(*) FROM inference_profile WHERE account_id = ?1 AND profile_id = ?2";
    let there = connection.query_row(count, params![account.as_str(), id.as_str()], |row| {
        counted(row, 0)
    })?;
    Ok(there > 0)
}

fn keys(connection: &Connection, (account, id): (AccountId, &ModelId)) -> rusqlite::Result<Vec<String>> {
    let select = "SELECT key FROM inference_profile_tag WHERE account_id = ?1 AND profile_id = ?2";
    let mut select = connection.prepare(select)?;
    let keys = select.query_map(params![account.as_str(), id.as_str()], |row| row.get(0))?;
    keys.collect()
}
