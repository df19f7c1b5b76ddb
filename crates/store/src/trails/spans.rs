//! Logging, begun and ended.

use moho_iam::action::cloudtrail::{StartLogging, StopLogging};
use moho_iam::authz::Permit;
use moho_terms::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::changing::found;
use super::{Named, TrailError};
use crate::Store;
use crate::database::{Stopped, integer, micros};

impl Store {
    /// Has the trail that the permit names deliver what happens from now on: what stands in the journal behind this decision. A
    /// new chain of digests begins.
    ///
    /// # Errors
    /// [`TrailError`]; then nothing has changed.
    pub fn start_logging(&self, permit: &Permit<StartLogging>, now: Timestamp) -> Result<(), TrailError> {
        let named = Named::by(permit)?;
        let from = permit.position().0;
        self.database.change(|transaction| {
            let trail = found(&named, transaction)?;
            if trail.logging {
                return Ok(());
            }
            let set = "UPDATE trail SET logging = 1, started_at = ?2 WHERE trail_id = ?1";
            transaction.execute(set, params![trail.id, micros(now)])?;
            let begin = "INSERT INTO trail_span (trail_id, span, started_at)
                SELECT ?1, coalesce(max(span), 0) + 1, ?2 FROM trail_span WHERE trail_id = ?1 RETURNING span";
            let span: i64 = transaction.query_row(begin, params![trail.id, micros(now)], |row| row.get(0))?;
            let read = "INSERT INTO trail_cursor (trail_id, span, node, position, next_at) VALUES (?1, ?2, ?3, ?4, 0)";
            transaction.execute(read, params![trail.id, span, self.node, integer(from)])?;
            Ok(())
        })
    }

    /// Has the trail that the permit names deliver no more than what stands in the journal before this decision, with a last
    /// digest.
    ///
    /// # Errors
    /// [`TrailError`]; then nothing has changed.
    pub fn stop_logging(&self, permit: &Permit<StopLogging>, now: Timestamp) -> Result<(), TrailError> {
        let named = Named::by(permit)?;
        let until = permit.position().0;
        self.database.change(|transaction| {
            let trail = found(&named, transaction)?;
            if !trail.logging {
                return Ok(());
            }
            let set = "UPDATE trail SET logging = 0, stopped_at = ?2 WHERE trail_id = ?1";
            transaction.execute(set, params![trail.id, micros(now)])?;
            end(transaction, (&trail.id, &self.node), until, now)?;
            Ok::<_, Stopped<TrailError>>(())
        })
    }
}

/// Ends the span that has not ended: at `until` in this process' journal. Every other process finds the end of its own.
pub(super) fn end(
    connection: &Connection,
    (id, node): (&str, &str),
    until: u64,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let end = "UPDATE trail_span SET ended_at = ?2 WHERE trail_id = ?1 AND ended_at IS NULL RETURNING span";
    let span: Option<i64> = connection
        .query_row(end, params![id, micros(now)], |row| row.get(0))
        .optional()?;
    let Some(span) = span else { return Ok(()) };
    // What the span has is delivered at once.
    let last = "UPDATE trail_cursor SET until = max(position, ?4), next_at = 0
        WHERE trail_id = ?1 AND span = ?2 AND node = ?3";
    connection.execute(last, params![id, span, node, integer(until)])?;
    Ok(())
}
