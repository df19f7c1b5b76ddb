//! What came of delivering, as `GetTrailStatus` tells it.

use moho_iam::action::cloudtrail::GetTrailStatus;
use moho_iam::authz::Permit;
use moho_terms::Timestamp;
use rusqlite::{Row, params};

use super::{Trail, perhaps_time};
use crate::Store;
use crate::database::{counted, micros};
use crate::error::StoreError;

/// What came of delivering.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrailStatus {
    /// When a log file was last tried to be delivered.
    pub attempted_at: Option<Timestamp>,
    /// When one was delivered.
    pub delivered_at: Option<Timestamp>,
    /// S3's code for why the last try failed.
    pub error: Option<String>,
    /// When a digest was delivered.
    pub digested_at: Option<Timestamp>,
    /// S3's code for why the last try of that failed.
    pub digest_error: Option<String>,
    /// How often in a row delivery has failed.
    pub failures: u64,
    /// Before when it is not tried again, if it failed.
    pub again_at: Option<Timestamp>,
}

const SELECT: &str = "SELECT attempted_at, delivered_at, error, digested_at, digest_error, failures, again_at
    FROM trail_status WHERE trail_id = ?1";

impl Store {
    /// What came of delivering for a trail that the permit's account sees.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn trail_status(
        &self,
        _permit: &Permit<GetTrailStatus>,
        trail: &Trail,
    ) -> Result<TrailStatus, StoreError> {
        self.delivery_status(&trail.id)
    }

    /// What came of delivering.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn delivery_status(&self, trail_id: &str) -> Result<TrailStatus, StoreError> {
        let found = self
            .database
            .find(|connection| connection.query_row(SELECT, [trail_id], status))?;
        // It may be gone by now.
        Ok(found.unwrap_or_default())
    }

    /// Has a trail be tried at once.
    ///
    /// # Errors
    /// [`StoreError`]; then it is tried when it would have been.
    pub fn try_again(&self, trail_id: &str) -> Result<(), StoreError> {
        let again = "UPDATE trail_status SET again_at = NULL WHERE trail_id = ?1";
        self.database
            .write(|transaction| transaction.execute(again, [trail_id]).map(|_| ()))
    }

    /// Writes down that something could not be delivered, by S3's code for it, and when it is tried again.
    ///
    /// # Errors
    /// [`StoreError`]; then it is tried again at once.
    pub fn note_undelivered(
        &self,
        trail_id: &str,
        (error, of_digest): (&str, bool),
        (now, again_at): (Timestamp, Timestamp),
    ) -> Result<(), StoreError> {
        let note = if of_digest {
            "UPDATE trail_status SET digest_error = ?2, failures = failures + 1, again_at = ?4
                WHERE trail_id = ?1 AND ?3 IS NOT NULL"
        } else {
            "UPDATE trail_status SET error = ?2, attempted_at = ?3, failures = failures + 1, again_at = ?4
                WHERE trail_id = ?1"
        };
        self.database.write(|transaction| {
            let values = params![trail_id, error, micros(now), micros(again_at)];
            transaction.execute(note, values).map(|_| ())
        })
    }
}

/// How far a trail's delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrailProgress {
    /// The last position in this process' journal up to which all is delivered or passed over; `None` if there is nothing left.
    pub position: Option<u64>,
    /// Whether the last try to deliver failed.
    pub fails: bool,
}

impl Store {
    /// How far a trail's delivery is.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn trail_progress(&self, trail_id: &str) -> Result<TrailProgress, StoreError> {
        let select = "SELECT (SELECT min(position) FROM
                (SELECT first_position AS position FROM trail_log
                    WHERE trail_id = ?1 AND node = ?2 AND delivered_at IS NULL
                UNION ALL SELECT position FROM trail_cursor
                    WHERE trail_id = ?1 AND node = ?2 AND (until IS NULL OR position < until))),
            EXISTS (SELECT 1 FROM trail_status WHERE trail_id = ?1 AND failures > 0)";
        self.database.read(|connection| {
            connection.query_row(select, params![trail_id, self.node], |row| {
                let position: Option<i64> = row.get(0)?;
                Ok(TrailProgress {
                    position: position.map(|_| counted(row, 0)).transpose()?,
                    fails: row.get(1)?,
                })
            })
        })
    }
}

fn status(row: &Row<'_>) -> rusqlite::Result<TrailStatus> {
    Ok(TrailStatus {
        attempted_at: perhaps_time(row, 0)?,
        delivered_at: perhaps_time(row, 1)?,
        error: row.get(2)?,
        digested_at: perhaps_time(row, 3)?,
        digest_error: row.get(4)?,
        failures: counted(row, 5)?,
        again_at: perhaps_time(row, 6)?,
    })
}
