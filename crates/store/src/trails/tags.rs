//! Tags of trails.

use std::collections::BTreeMap;

use moho_iam::action::Action;
use moho_iam::action::cloudtrail::{AddTags, RemoveTags};
use moho_iam::authz::Permit;
use moho_terms::Arn;
use rusqlite::{Connection, params};

use super::changing::found;
use super::{MOST_TAGS, Named, TrailError};
use crate::Store;
use crate::database::Stopped;
use crate::error::StoreError;

impl Store {
    /// Sets tags of the trail that the permit names.
    ///
    /// # Errors
    /// [`TrailError`]; then nothing has changed.
    pub fn tag_trail(
        &self,
        permit: &Permit<AddTags>,
        new: &BTreeMap<String, String>,
    ) -> Result<(), TrailError> {
        let named = Named::by(permit)?;
        self.database.change(|transaction| {
            let trail = found(&named, transaction)?;
            let mut all = tags(transaction, &trail.id)?;
            all.extend(new.clone());
            if all.len() > MOST_TAGS {
                return Err(Stopped::Refused(TrailError::TooManyTags));
            }
            put(transaction, &trail.id, new)?;
            Ok(())
        })?;
        self.policies.forget();
        Ok(())
    }

    /// Takes tags off the trail that the permit names: each by its key, and if it has one by its value, too.
    ///
    /// # Errors
    /// [`TrailError`]; then nothing has changed.
    pub fn untag_trail(
        &self,
        permit: &Permit<RemoveTags>,
        old: &[(String, Option<String>)],
    ) -> Result<(), TrailError> {
        let named = Named::by(permit)?;
        self.database.change(|transaction| {
            let trail = found(&named, transaction)?;
            let delete =
                "DELETE FROM trail_tag WHERE trail_id = ?1 AND key = ?2 AND (?3 IS NULL OR value = ?3)";
            let mut delete = transaction.prepare(delete)?;
            for (key, value) in old {
                delete.execute(params![trail.id, key, value])?;
            }
            Ok::<_, Stopped<TrailError>>(())
        })?;
        self.policies.forget();
        Ok(())
    }

    /// The tags of the trail that the permit names.
    ///
    /// # Errors
    /// [`TrailError`] if there is none.
    pub fn trail_tags<A: Action>(&self, permit: &Permit<A>) -> Result<BTreeMap<String, String>, TrailError> {
        let named = Named::by(permit)?;
        self.database.look(|connection| {
            let trail = found(&named, connection)?;
            Ok(tags(connection, &trail.id)?)
        })
    }

    /// The tags that conditions on a trail see; none if there is no such trail.
    pub(crate) fn tags_of_trail(&self, trail: &Arn) -> Result<BTreeMap<String, String>, StoreError> {
        let select = "SELECT trail_id FROM trail
            WHERE account_id = ?1 AND home_region = ?2 AND name = ?3 AND deleted_at IS NULL";
        let Some(name) = trail.resource().strip_prefix("trail/") else {
            return Ok(BTreeMap::new());
        };
        let id: Option<String> = self.database.find(|connection| {
            let named = params![trail.account(), trail.region(), name];
            connection.query_row(select, named, |row| row.get(0))
        })?;
        match id {
            Some(id) => self.database.read(|connection| tags(connection, &id)),
            None => Ok(BTreeMap::new()),
        }
    }
}

/// Sets tags of a trail that is there.
pub(super) fn put(
    connection: &Connection,
    id: &str,
    tags: &BTreeMap<String, String>,
) -> rusqlite::Result<()> {
    let insert = "INSERT INTO trail_tag (trail_id, key, value) VALUES (?1, ?2, ?3)
        ON CONFLICT (trail_id, key) DO UPDATE SET value = excluded.value";
    let mut insert = connection.prepare(insert)?;
    for (key, value) in tags {
        insert.execute(params![id, key, value])?;
    }
    Ok(())
}

fn tags(connection: &Connection, id: &str) -> rusqlite::Result<BTreeMap<String, String>> {
    let select = "SELECT key, value FROM trail_tag WHERE trail_id = ?1";
    let mut select = connection.prepare(select)?;
    let found = select.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    found.collect()
}
