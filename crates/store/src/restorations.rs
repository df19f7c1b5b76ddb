//! That the store was restored from a backup, and whether a customer has accepted that.
//!
//! As long as nobody has, nothing is served of it but this. The row is written by `moho restore` before anybody serves from
//! what was restored, and accepted on the strength of a permit.

use moho_iam::action::moho;
use moho_iam::authz::Permit;
use moho_terms::{Arn, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::Store;
use crate::database::{counted, integer, micros, term, time};
use crate::error::StoreError;

/// A restoration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoration {
    /// Its id.
    pub id: String,
    /// When it was done.
    pub restored_at: Timestamp,
    /// When the backup was made.
    pub made_at: Timestamp,
    /// How many changes the backup knows of.
    pub epoch: u64,
    /// How many changes were known to have been made before; `None` if nothing knew of any.
    pub known_epoch: Option<u64>,
    /// When it was accepted, and by whom.
    pub accepted: Option<(Timestamp, Arn)>,
}

const LATEST: &str =
    "SELECT restore_id, restored_at, made_at, epoch, known_epoch, accepted_at, accepted_by FROM restoration
    ORDER BY accepted_at IS NOT NULL, restored_at DESC, restore_id LIMIT 1";
const BY_ID: &str =
    "SELECT restore_id, restored_at, made_at, epoch, known_epoch, accepted_at, accepted_by FROM restoration
    WHERE restore_id = ?1";

/// What is restored, as policies name it: of the account that manages the organisation.
///
/// # Errors
/// [`StoreError::Name`] if the id is none.
pub fn restoration_arn(region: &str, account: &str, id: &str) -> Result<Arn, StoreError> {
    Ok(Arn::of("moho", region, account, &format!("restore/{id}"))?)
}

impl Store {
    /// The last restoration that nobody has accepted, whatever the clock said at the time; without such the last one, if there
    /// ever was one.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said: then nothing may be served.
    pub fn restoration(&self) -> Result<Option<Restoration>, StoreError> {
        self.database
            .find(|connection| connection.query_row(LATEST, [], read))
    }

    /// Whether a restoration waits for being accepted.
    ///
    /// # Errors
    /// As of [`Self::restoration`].
    pub fn awaits_acceptance(&self) -> Result<bool, StoreError> {
        Ok(self.restoration()?.is_some_and(|last| last.accepted.is_none()))
    }

    /// Accepts the restoration that the permit is for; `None` if there is none such. Once it is accepted, it stays so.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is accepted.
    pub fn accept_restoration(
        &self,
        permit: &Permit<moho::AcceptRestore>,
        now: Timestamp,
    ) -> Result<Option<Restoration>, StoreError> {
        let id = permit.resource().resource().strip_prefix("restore/");
        let id = id.ok_or(StoreError::OtherPermit)?;
        let by = permit.session().principal_arn().as_str();
        self.database.write(|transaction| {
            let accept = "UPDATE restoration SET accepted_at = ?2, accepted_by = ?3
                WHERE restore_id = ?1 AND accepted_at IS NULL";
            transaction.execute(accept, params![id, micros(now), by])?;
            Ok(())
        })?;
        self.database
            .find(|connection| connection.query_row(BY_ID, [id], read))
    }

    /// How far a job has come, as it has written that down.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn job_place(&self, job: &str) -> Result<Option<String>, StoreError> {
        let select = "SELECT place FROM job_place WHERE job = ?1";
        self.database
            .find(|connection| connection.query_row(select, [job], |row| row.get(0)))
    }

    /// Writes down how far a job has come.
    ///
    /// # Errors
    /// [`StoreError`]; then it will begin where it began before.
    pub fn set_job_place(&self, job: &str, place: &str, now: Timestamp) -> Result<(), StoreError> {
        let set = "INSERT INTO job_place (job, place, at) VALUES (?1, ?2, ?3)
            ON CONFLICT (job) DO UPDATE SET place = excluded.place, at = excluded.at";
        self.database.write(|transaction| {
            transaction
                .execute(set, params![job, place, micros(now)])
                .map(|_| ())
        })
    }
}

/// Writes down a restoration that nobody has accepted.
pub(crate) fn insert(connection: &Connection, restoration: &Restoration) -> rusqlite::Result<()> {
    let insert = "INSERT INTO restoration (restore_id, restored_at, made_at, epoch, known_epoch)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    let values = params![
        restoration.id,
        micros(restoration.restored_at),
        micros(restoration.made_at),
        integer(restoration.epoch),
        restoration.known_epoch.map(integer),
    ];
    connection.execute(insert, values).map(|_| ())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Restoration> {
    let known: Option<i64> = row.get(4)?;
    let accepted: Option<i64> = row.get(5)?;
    Ok(Restoration {
        id: row.get(0)?,
        restored_at: time(row, 1)?,
        made_at: time(row, 2)?,
        epoch: counted(row, 3)?,
        known_epoch: known.map(|_| counted(row, 4)).transpose()?,
        accepted: match accepted {
            Some(_) => Some((time(row, 5)?, term(row, 6)?)),
            None => None,
        },
    })
}
