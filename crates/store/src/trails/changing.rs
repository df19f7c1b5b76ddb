//! Making trails, changing and deleting them.

use std::collections::BTreeMap;

use moho_iam::action::cloudtrail::{CreateTrail, DeleteTrail, PutEventSelectors, UpdateTrail};
use moho_iam::authz::Permit;
use moho_terms::Timestamp;
use rusqlite::{Connection, params};

use super::{MOST, MOST_TAGS, Named, Trail, TrailError, TrailSettings, spans, tags};
use crate::Store;
use crate::database::{Stopped, integer, micros};
use crate::error::StoreError;

impl Store {
    /// Makes the trail that the permit names, with an id that no other trail ever had.
    ///
    /// # Errors
    /// [`TrailError`]; then none was made.
    pub fn create_trail(
        &self,
        permit: &Permit<CreateTrail>,
        (id, settings): (&str, &TrailSettings),
        new_tags: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<Trail, TrailError> {
        let named = Named::by(permit)?;
        if new_tags.len() > MOST_TAGS {
            return Err(TrailError::TooManyTags);
        }
        let made = self.database.change(|transaction| {
            if named.find(transaction)?.is_some() {
                return Err(Stopped::Refused(TrailError::AlreadyExists));
            }
            // One that is deleted and still delivers is work like another.
            let count = "SELECT max(sum(deleted_at IS NULL), sum(deleted_at IS NOT NULL)) FROM trail
                WHERE account_id = ?1 AND home_region = ?2";
            let place = params![named.account.as_str(), named.region];
            let there: Option<i64> = transaction.query_row(count, place, |row| row.get(0))?;
            if there.unwrap_or(0) >= integer(MOST as u64) {
                return Err(Stopped::Refused(TrailError::TooMany));
            }
            let insert = "INSERT INTO trail (trail_id, account_id, name, home_region, bucket, bucket_owner,
                    multi_region, global_services, validation, created_at, logging)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0, ?7, 0)";
            let values = params![
                id,
                named.account.as_str(),
                named.name,
                named.region,
                settings.bucket.name.as_str(),
                settings.bucket.owner.as_str(),
                micros(now),
            ];
            transaction.execute(insert, values)?;
            transaction.execute("INSERT INTO trail_status (trail_id) VALUES (?1)", [id])?;
            set(transaction, id, settings)?;
            tags::put(transaction, id, new_tags)?;
            found(&named, transaction)
        })?;
        self.policies.forget();
        Ok(made)
    }

    /// Sets the trail that the permit names to something else. What is not delivered yet goes where it was to go, unless that
    /// is refused.
    ///
    /// # Errors
    /// [`TrailError`]; then nothing has changed.
    pub fn update_trail(
        &self,
        permit: &Permit<UpdateTrail>,
        settings: &TrailSettings,
    ) -> Result<Trail, TrailError> {
        let named = Named::by(permit)?;
        self.database.change(|transaction| {
            let before = found(&named, transaction)?;
            set(transaction, &before.id, settings)?;
            // It is tried at once: what was wrong may be mended by this.
            let again = "UPDATE trail_status SET again_at = NULL WHERE trail_id = ?1";
            transaction.execute(again, [&before.id])?;
            found(&named, transaction)
        })
    }

    /// Has the trail that the permit names select other events from now on: those behind the permit's place in the journal, and
    /// what was not read yet.
    ///
    /// # Errors
    /// [`TrailError`]; then nothing has changed.
    pub fn put_event_selectors(
        &self,
        permit: &Permit<PutEventSelectors>,
        selectors: Option<&str>,
    ) -> Result<Trail, TrailError> {
        let named = Named::by(permit)?;
        self.database.change(|transaction| {
            let trail = found(&named, transaction)?;
            let set = "UPDATE trail SET selectors = ?2 WHERE trail_id = ?1";
            transaction.execute(set, params![trail.id, selectors])?;
            found(&named, transaction)
        })
    }

    /// Deletes the trail that the permit names. What happened before is still delivered, with a last digest; nobody sees the trail
    /// any more.
    ///
    /// # Errors
    /// [`TrailError`]; then nothing has changed.
    pub fn delete_trail(&self, permit: &Permit<DeleteTrail>, now: Timestamp) -> Result<(), TrailError> {
        let named = Named::by(permit)?;
        let until = permit.position().0;
        self.database.change(|transaction| {
            let trail = found(&named, transaction)?;
            spans::end(transaction, (&trail.id, &self.node), until, now)?;
            let delete = "UPDATE trail SET deleted_at = ?2, logging = 0 WHERE trail_id = ?1";
            transaction.execute(delete, params![trail.id, micros(now)])?;
            Ok::<_, Stopped<TrailError>>(())
        })?;
        self.sweep_trails()?;
        self.policies.forget();
        Ok(())
    }

    /// Forgets a trail that was deleted before `long_ago`, whatever it still has to deliver, and how far any process has come with
    /// it. `false` if it was not.
    ///
    /// # Errors
    /// [`StoreError`]; then it is still there.
    pub fn give_up_deleted_trail(&self, trail_id: &str, long_ago: Timestamp) -> Result<bool, StoreError> {
        let delete = "DELETE FROM trail WHERE trail_id = ?1 AND deleted_at < ?2";
        let values = params![trail_id, micros(long_ago)];
        self.database
            .write(|transaction| Ok(transaction.execute(delete, values)? > 0))
    }

    /// Whether a trail was deleted before a time, and is not forgotten yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn was_deleted_before(&self, trail_id: &str, long_ago: Timestamp) -> Result<bool, StoreError> {
        let select = "SELECT 1 FROM trail WHERE trail_id = ?1 AND deleted_at < ?2";
        let values = params![trail_id, micros(long_ago)];
        self.database
            .read(|connection| connection.prepare_cached(select)?.exists(values))
    }

    /// Forgets deleted trails that have nothing more to deliver.
    pub(super) fn sweep_trails(&self) -> Result<(), StoreError> {
        let delete = "DELETE FROM trail WHERE deleted_at IS NOT NULL
            AND trail_id NOT IN (SELECT trail_id FROM trail_span)";
        self.database
            .write(|transaction| transaction.execute(delete, []).map(|_| ()))
    }
}

/// The trail, which has to be there.
pub(super) fn found(named: &Named<'_>, connection: &Connection) -> Result<Trail, Stopped<TrailError>> {
    named
        .find(connection)?
        .ok_or(Stopped::Refused(TrailError::NotFound))
}

fn set(connection: &Connection, id: &str, settings: &TrailSettings) -> rusqlite::Result<()> {
    let update =
        "UPDATE trail SET bucket = ?2, prefix = ?3, kms_key = ?4, multi_region = ?5, global_services = ?6,
        organization = ?7, validation = ?8, bucket_owner = ?9 WHERE trail_id = ?1";
    let values = params![
        id,
        settings.bucket.name.as_str(),
        settings.prefix,
        settings.kms_key.as_ref().map(moho_terms::Arn::as_str),
        settings.multi_region,
        settings.global_services,
        settings.organization,
        settings.validation,
        settings.bucket.owner.as_str(),
    ];
    connection.execute(update, values).map(|_| ())
}
