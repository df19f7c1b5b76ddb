//! What of the journal is read, and the log files that come of it: written down before they are put anywhere.

use moho_terms::{AccountId, Arn, Timestamp};
use rusqlite::{Connection, Row, params};

use super::{Trail, TrailBucket};
use crate::Store;
use crate::database::{counted, integer, micros, term, time};
use crate::error::StoreError;

/// How far this process' journal was read for a span of a trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Which span.
    pub span: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// The last position that was read.
    pub position: u64,
    /// The last one that is to be read, if the span has ended.
    pub until: Option<u64>,
    /// Before when nothing is gathered.
    pub next_at: Timestamp,
}

/// A log file to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLog {
    /// Whose events.
    pub account: AccountId,
    /// Those behind this position.
    pub first_position: u64,
    /// And none behind this one.
    pub last_position: u64,
    /// What chose them, as JSON; none are all management events.
    pub selectors: Option<String>,
    /// Whether those of services without a region are among them.
    pub global_services: bool,
    /// The bucket.
    pub bucket: TrailBucket,
    /// The key.
    pub key: String,
    /// The KmsKey that it is sealed under, if that is the trail's to say.
    pub kms_key: Option<Arn>,
    /// SHA-256 of what is packed.
    pub hash: [u8; 32],
    /// When the oldest of its events was.
    pub oldest: Timestamp,
    /// When the newest of its events was.
    pub newest: Timestamp,
}

/// A log file that is written down, and not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogToDeliver {
    /// In which span.
    pub span: i64,
    /// What it is.
    pub planned: PlannedLog,
    /// Whether it may be there already: a put was begun of which nobody knows whether it was done.
    pub unsure: bool,
}

/// Whether a digest, written down or delivered, ends behind a time.
const DIGESTED: &str = "SELECT 1 FROM trail_chain
        WHERE trail_id = ?1 AND span = ?2 AND account_id = ?3 AND begins_at > ?4
    UNION ALL SELECT 1 FROM trail_digest
        WHERE trail_id = ?1 AND span = ?2 AND account_id = ?3 AND ends_at > ?4";

/// Whether a trail's reading is behind what it should read.
const MISSING: &str = "SELECT 1 FROM trail_span AS s WHERE trail_id = ?1
    AND ((ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM trail_cursor AS c
            WHERE c.trail_id = s.trail_id AND c.span = s.span AND c.node = ?2))
        OR (ended_at IS NOT NULL AND EXISTS (SELECT 1 FROM trail_cursor AS c
            WHERE c.trail_id = s.trail_id AND c.span = s.span AND c.node = ?2 AND c.until IS NULL))
        OR EXISTS (SELECT 1 FROM trail_cursor AS c WHERE c.trail_id = s.trail_id AND c.node = ?2
            AND c.journal IS NOT ?3))";

/// What another process has begun or ended since this one looked, or what came of another journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unjoined {
    /// The spans that go on and that it does not read yet, and when each began.
    pub spans: Vec<(i64, Timestamp)>,
    /// Whether the journal is another one than was read: what was written down of that and not delivered, nobody can make any more.
    pub is_other_journal: bool,
}

const UNREAD: &str = "SELECT span, started_at FROM trail_span AS s WHERE trail_id = ?1 AND ended_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM trail_cursor AS c
        WHERE c.trail_id = s.trail_id AND c.span = s.span AND c.node = ?2)";

impl Store {
    /// What this process has not joined in yet of a trail's spans, reading this journal, by its name; `None` if there is nothing.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn unjoined(&self, trail_id: &str, journal: &str) -> Result<Option<Unjoined>, StoreError> {
        let place = params![trail_id, self.node, journal];
        let other = "SELECT EXISTS (SELECT 1 FROM trail_cursor AS c
            WHERE c.trail_id = ?1 AND c.node = ?2 AND c.journal <> ?3)";
        self.database.read(|connection| {
            if !connection.prepare_cached(MISSING)?.exists(place)? {
                return Ok(None);
            }
            let is_other_journal = connection.query_row(other, place, |row| row.get(0))?;
            let mut spans = connection.prepare_cached(UNREAD)?;
            let spans = spans.query_map(params![trail_id, self.node], |row| {
                Ok((row.get(0)?, time(row, 1)?))
            })?;
            Ok(Some(Unjoined {
                spans: spans.collect::<Result<_, _>>()?,
                is_other_journal,
            }))
        })
    }

    /// How far this process' journal was read for a trail: the first span that it has something to read of and has joined in.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn reading(&self, trail_id: &str) -> Result<Option<Reading>, StoreError> {
        let select = "SELECT c.span, s.started_at, c.position, c.until, c.next_at FROM trail_cursor AS c
            JOIN trail_span AS s ON s.trail_id = c.trail_id AND s.span = c.span
            WHERE c.trail_id = ?1 AND c.node = ?2 ORDER BY c.span LIMIT 1";
        self.database
            .find(|connection| connection.query_row(select, params![trail_id, self.node], reading))
    }

    /// Joins in what another process has begun or ended: `end` is how far the journal goes; of a span that this one has never read,
    /// it reads what comes behind the position beside it. Another journal than before, by its name, is read from its beginning for the
    /// span that goes on, and not at all for those that have ended; what is written down of the one before and not delivered is forgotten.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn join_spans(
        &self,
        trail_id: &str,
        (journal, end): (&str, u64),
        spans: &[(i64, u64)],
    ) -> Result<(), StoreError> {
        let lost =
            "DELETE FROM trail_log WHERE trail_id = ?1 AND node = ?2 AND delivered_at IS NULL AND EXISTS
            (SELECT 1 FROM trail_cursor AS c WHERE c.trail_id = ?1 AND c.node = ?2 AND c.journal <> ?3)";
        // Nobody knows where a span that has ended would end in this one.
        let ended = "DELETE FROM trail_cursor WHERE trail_id = ?1 AND node = ?2 AND journal <> ?3 AND span IN
            (SELECT span FROM trail_span WHERE trail_id = ?1 AND ended_at IS NOT NULL)";
        let anew = "UPDATE trail_cursor SET position = 0, until = NULL, next_at = 0, journal = ?3
            WHERE trail_id = ?1 AND node = ?2 AND journal <> ?3";
        let named =
            "UPDATE trail_cursor SET journal = ?3 WHERE trail_id = ?1 AND node = ?2 AND journal IS NULL";
        let begin = "INSERT OR IGNORE INTO trail_cursor (trail_id, span, node, position, next_at, journal)
            SELECT trail_id, span, ?2, ?5, 0, ?3 FROM trail_span WHERE trail_id = ?1 AND span = ?4";
        let last = "UPDATE trail_cursor SET until = max(position, ?3), next_at = 0
            WHERE trail_id = ?1 AND node = ?2 AND until IS NULL AND span IN
                (SELECT span FROM trail_span WHERE trail_id = ?1 AND ended_at IS NOT NULL)";
        let (place, end) = (params![trail_id, self.node, journal], integer(end));
        self.database.write(|transaction| {
            for change in [lost, ended, anew, named] {
                transaction.execute(change, place)?;
            }
            for (span, position) in spans {
                let values = params![trail_id, self.node, journal, span, integer(*position)];
                transaction.execute(begin, values)?;
            }
            transaction
                .execute(last, params![trail_id, self.node, end])
                .map(|_| ())
        })
    }

    /// Writes down what is to be delivered of what was read from `reading` to `position`, and that the next look is at `next_at`.
    /// Each log file comes with the time of its name. `false` if somebody else has read meanwhile, or a digest reaches beyond one of
    /// those times, which would have to name it: then nothing has changed.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn plan_logs(
        &self,
        (trail_id, reading): (&str, &Reading),
        logs: &[(PlannedLog, Timestamp)],
        (position, next_at): (u64, Timestamp),
    ) -> Result<bool, StoreError> {
        let read = "UPDATE trail_cursor SET position = ?4, next_at = ?5
            WHERE trail_id = ?1 AND span = ?2 AND node = ?3 AND position = ?6";
        self.database.write(|transaction| {
            let values = params![
                trail_id,
                reading.span,
                self.node,
                integer(position),
                micros(next_at),
                integer(reading.position),
            ];
            for (log, time) in logs {
                let place = params![trail_id, reading.span, log.account.as_str(), micros(*time)];
                if transaction.prepare_cached(DIGESTED)?.exists(place)? {
                    return Ok(false);
                }
            }
            if transaction.execute(read, values)? == 0 {
                return Ok(false);
            }
            for (log, _time) in logs {
                insert(transaction, (trail_id, reading.span, &self.node), log)?;
            }
            Ok(true)
        })
    }

    /// The log files of a trail that this process has to deliver, oldest first, at most `most`.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn undelivered_logs(&self, trail_id: &str, most: u32) -> Result<Vec<LogToDeliver>, StoreError> {
        let select = "SELECT span, account_id, first_position, last_position, selectors, global_services, bucket, key, kms_key,
                hash, oldest, newest, bucket_owner, unsure
            FROM trail_log WHERE trail_id = ?1 AND node = ?2 AND delivered_at IS NULL
            ORDER BY span, last_position, account_id LIMIT ?3";
        self.database.read(|connection| {
            let mut select = connection.prepare(select)?;
            let found = select.query_map(params![trail_id, self.node, most], log)?;
            found.collect()
        })
    }

    /// Writes down that a log file is where it belongs. The next digest names it, if there are digests.
    ///
    /// # Errors
    /// [`StoreError`]; then it is delivered once more, the same in the same place.
    pub fn log_delivered(&self, trail: &Trail, log: &LogToDeliver, now: Timestamp) -> Result<(), StoreError> {
        let place = params![
            trail.id,
            log.span,
            self.node,
            log.planned.account.as_str(),
            integer(log.planned.last_position),
            micros(now),
        ];
        let delivered = "UPDATE trail_log SET delivered_at = ?6, selectors = NULL
            WHERE trail_id = ?1 AND span = ?2 AND node = ?3 AND account_id = ?4 AND last_position = ?5";
        let told = "UPDATE trail_status SET attempted_at = ?2, delivered_at = ?2, error = NULL, failures = 0
            WHERE trail_id = ?1";
        let unnamed = "DELETE FROM trail_log WHERE trail_id = ?1 AND delivered_at IS NOT NULL
            AND (SELECT validation FROM trail WHERE trail.trail_id = ?1) = 0";
        self.database.write(|transaction| {
            transaction.execute(delivered, place)?;
            transaction.execute(unnamed, [&trail.id])?;
            transaction
                .execute(told, params![trail.id, micros(now)])
                .map(|_| ())
        })
    }

    /// Gives a log file up that nobody can make any more.
    ///
    /// # Errors
    /// [`StoreError`]; then it is still written down.
    pub fn give_up_log(&self, trail_id: &str, log: &LogToDeliver) -> Result<(), StoreError> {
        let forget = "DELETE FROM trail_log WHERE trail_id = ?1 AND span = ?2
            AND node = ?3 AND account_id = ?4 AND last_position = ?5 AND delivered_at IS NULL";
        self.database.write(|transaction| {
            let place = params![
                trail_id,
                log.span,
                self.node,
                log.planned.account.as_str(),
                integer(log.planned.last_position),
            ];
            transaction.execute(forget, place).map(|_| ())
        })
    }

    /// Writes down that a log file comes to something else than it did, as the same records are written in another way by now.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn log_changed(&self, trail_id: &str, log: &LogToDeliver) -> Result<(), StoreError> {
        let change =
            "UPDATE trail_log SET hash = ?6, oldest = ?7, newest = ?8 WHERE trail_id = ?1 AND span = ?2
            AND node = ?3 AND account_id = ?4 AND last_position = ?5 AND delivered_at IS NULL";
        self.database.write(|transaction| {
            let values = params![
                trail_id,
                log.span,
                self.node,
                log.planned.account.as_str(),
                integer(log.planned.last_position),
                log.planned.hash,
                micros(log.planned.oldest),
                micros(log.planned.newest),
            ];
            transaction.execute(change, values).map(|_| ())
        })
    }

    /// Writes down whether a log file may be there without being known to be: before it is put, and once that was refused.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn log_is_unsure(&self, trail_id: &str, log: &LogToDeliver, unsure: bool) -> Result<(), StoreError> {
        let set = "UPDATE trail_log SET unsure = ?6 WHERE trail_id = ?1 AND span = ?2
            AND node = ?3 AND account_id = ?4 AND last_position = ?5 AND delivered_at IS NULL";
        self.database.write(|transaction| {
            let values = params![
                trail_id,
                log.span,
                self.node,
                log.planned.account.as_str(),
                integer(log.planned.last_position),
                unsure,
            ];
            transaction.execute(set, values).map(|_| ())
        })
    }

    /// Has a log file go elsewhere: where it was to go it is refused, and it is not there.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn redirect_log(
        &self,
        trail_id: &str,
        log: &LogToDeliver,
        (bucket, key, kms_key): (&TrailBucket, &str, Option<&Arn>),
    ) -> Result<(), StoreError> {
        let redirect = "UPDATE trail_log SET bucket = ?6, key = ?7, kms_key = ?8, bucket_owner = ?9,
                unsure = unsure AND bucket = ?6 AND key = ?7 WHERE trail_id = ?1
            AND span = ?2 AND node = ?3 AND account_id = ?4 AND last_position = ?5 AND delivered_at IS NULL";
        self.database.write(|transaction| {
            let values = params![
                trail_id,
                log.span,
                self.node,
                log.planned.account.as_str(),
                integer(log.planned.last_position),
                bucket.name.as_str(),
                key,
                kms_key.map(Arn::as_str),
                bucket.owner.as_str(),
            ];
            transaction.execute(redirect, values).map(|_| ())
        })
    }

    /// Ends the reading of spans of which this process has read and delivered all there is.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn end_readings(&self, trail_id: &str) -> Result<(), StoreError> {
        let whole = "FROM trail_cursor AS c WHERE trail_id = ?1 AND node = ?2 AND position >= until AND NOT EXISTS
            (SELECT 1 FROM trail_log AS l WHERE l.trail_id = c.trail_id AND l.span = c.span AND l.node = c.node
                AND l.delivered_at IS NULL)";
        let there: Option<()> = self.database.find(|connection| {
            let select = format!("SELECT 1 {whole} LIMIT 1");
            connection.query_row(&select, params![trail_id, self.node], |_| Ok(()))
        })?;
        if there.is_none() {
            return Ok(());
        }
        self.database.write(|transaction| {
            let delete = format!(
                "DELETE FROM trail_cursor WHERE trail_id = ?1 AND node = ?2 AND span IN (SELECT c.span {whole})"
            );
            transaction
                .execute(&delete, params![trail_id, self.node])
                .map(|_| ())
        })
    }
}

fn insert(
    connection: &Connection,
    (trail_id, span, node): (&str, i64, &str),
    log: &PlannedLog,
) -> rusqlite::Result<()> {
    let insert =
        "INSERT INTO trail_log (trail_id, span, node, account_id, first_position, last_position, selectors,
            global_services, bucket, key, kms_key, hash, oldest, newest, bucket_owner)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    let values = params![
        trail_id,
        span,
        node,
        log.account.as_str(),
        integer(log.first_position),
        integer(log.last_position),
        log.selectors,
        log.global_services,
        log.bucket.name.as_str(),
        log.key,
        log.kms_key.as_ref().map(Arn::as_str),
        log.hash,
        micros(log.oldest),
        micros(log.newest),
        log.bucket.owner.as_str(),
    ];
    connection.execute(insert, values).map(|_| ())
}

fn reading(row: &Row<'_>) -> rusqlite::Result<Reading> {
    let until: Option<i64> = row.get(3)?;
    Ok(Reading {
        span: row.get(0)?,
        started_at: time(row, 1)?,
        position: counted(row, 2)?,
        until: until.map(|_| counted(row, 3)).transpose()?,
        next_at: time(row, 4)?,
    })
}

fn log(row: &Row<'_>) -> rusqlite::Result<LogToDeliver> {
    let key: Option<String> = row.get(8)?;
    Ok(LogToDeliver {
        span: row.get(0)?,
        planned: PlannedLog {
            account: term(row, 1)?,
            first_position: counted(row, 2)?,
            last_position: counted(row, 3)?,
            selectors: row.get(4)?,
            global_services: row.get(5)?,
            bucket: TrailBucket {
                name: term(row, 6)?,
                owner: term(row, 12)?,
            },
            key: row.get(7)?,
            kms_key: key.map(|_| term(row, 8)).transpose()?,
            hash: row.get(9)?,
            oldest: time(row, 10)?,
            newest: time(row, 11)?,
        },
        unsure: row.get(13)?,
    })
}
