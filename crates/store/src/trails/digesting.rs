//! Chains of digests: each digest is written down, signed, before it is put anywhere, and names the log files that were delivered
//! since the one before it.
//!
//! There is a next digest only when the one before it was delivered, and no log file of its account waits: so every log file whose
//! name is older than a digest is named in it or in an earlier one.

use moho_terms::{AccountId, Arn, BucketName, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Trail, TrailBucket};
use crate::Store;
use crate::database::{counted, micros, term, time};
use crate::error::StoreError;

/// How far the chain of an account has come, in the first span of a trail that has not ended wholly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// In which span.
    pub span: i64,
    /// Whose.
    pub account: AccountId,
    /// Where the next digest begins.
    pub begins_at: Timestamp,
    /// The last one that was delivered.
    pub previous: Option<PreviousOfChain>,
    /// Whether log files of this account wait for being delivered, by whichever process.
    pub waits: bool,
    /// Whether there will be no more log files: the next digest is the last.
    pub is_drained: bool,
    /// Whether the last digest of all was delivered.
    pub is_done: bool,
}

/// A digest that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousOfChain {
    /// The bucket.
    pub bucket: TrailBucket,
    /// The key.
    pub key: String,
    /// SHA-256 of what is packed.
    pub hash: [u8; 32],
    /// Its signature, in hexadecimal.
    pub signature: String,
}

/// A log file, as digests name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOfDigest {
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: String,
    /// SHA-256 of what is packed.
    pub hash: [u8; 32],
    /// When the oldest of its events was.
    pub oldest: Timestamp,
    /// When the newest of its events was.
    pub newest: Timestamp,
}

/// A digest, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDigest {
    /// When it ends.
    pub ends_at: Timestamp,
    /// Where it belongs, and what it comes to.
    pub place: PreviousOfChain,
    /// The KmsKey that it is sealed under, if that is the trail's to say.
    pub kms_key: Option<Arn>,
    /// Its bytes.
    pub body: Vec<u8>,
    /// Whether it is the last one of its chain.
    pub is_last: bool,
}

/// A digest that is written down, and not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestToDeliver {
    /// In which span.
    pub span: i64,
    /// Whose.
    pub account: AccountId,
    /// What it is.
    pub digest: NewDigest,
    /// Where the one before it is, if there is one.
    pub previous: Option<TrailBucket>,
    /// Whether it may be there already: a put was begun of which nobody knows whether it was done.
    pub unsure: bool,
}

/// Log files that one digest names at most.
pub const MOST_IN_DIGEST: usize = 1000;

const CHAINS: &str = "SELECT span, account_id, begins_at, bucket, bucket_owner, key, hash, signature, done,
        EXISTS (SELECT 1 FROM trail_log AS l WHERE l.trail_id = c.trail_id AND l.span = c.span
            AND l.account_id = c.account_id AND l.delivered_at IS NULL),
        NOT EXISTS (SELECT 1 FROM trail_span AS s WHERE s.trail_id = c.trail_id AND s.span = c.span AND s.ended_at IS NULL)
            AND NOT EXISTS (SELECT 1 FROM trail_cursor AS r WHERE r.trail_id = c.trail_id AND r.span = c.span)
            AND NOT EXISTS (SELECT 1 FROM trail_log AS l WHERE l.trail_id = c.trail_id AND l.span = c.span
                AND l.delivered_at IS NULL)
    FROM trail_chain AS c WHERE trail_id = ?1 AND span = (SELECT min(span) FROM trail_span WHERE trail_id = ?1)
    ORDER BY account_id";

impl Store {
    /// The chains of a trail's first span, of these accounts. A chain that is new begins with the span, or if that is long ago
    /// (`fresh` seconds), now. What another account had before ends as it is.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn chains(
        &self,
        trail: &Trail,
        accounts: &[AccountId],
        (now, fresh): (Timestamp, u64),
    ) -> Result<Vec<Chain>, StoreError> {
        if !trail.settings.validation {
            self.forget_chains(&trail.id)?;
            return Ok(Vec::new());
        }
        let mut found = self.known_chains(&trail.id)?;
        for chain in found.extract_if(.., |chain| !accounts.contains(&chain.account)) {
            self.drop_chain(&trail.id, &chain)?;
        }
        let is_known = |account: &AccountId| found.iter().any(|chain| chain.account == *account);
        let new: Vec<&AccountId> = accounts.iter().filter(|account| !is_known(account)).collect();
        if new.is_empty() {
            return Ok(found);
        }
        let long_ago = Timestamp::from_unix_seconds(now.unix_seconds().saturating_sub(fresh));
        let begin = "INSERT OR IGNORE INTO trail_chain (trail_id, span, account_id, begins_at)
            SELECT trail_id, span, ?2, CASE WHEN started_at > ?3 THEN started_at ELSE ?4 END FROM trail_span
            WHERE trail_id = ?1 ORDER BY span LIMIT 1";
        self.database.write(|transaction| {
            let mut begin = transaction.prepare(begin)?;
            for account in new {
                begin.execute(params![trail.id, account.as_str(), micros(long_ago), micros(now)])?;
            }
            Ok(())
        })?;
        self.known_chains(&trail.id)
    }

    /// Begins a chain anew, now, with no digest before its next one. `false` if it is not where it was, or a digest waits: then
    /// nothing has changed.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn begin_chain_anew(
        &self,
        (trail_id, chain): (&str, &Chain),
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let anew = "UPDATE trail_chain AS c SET begins_at = ?5, bucket = NULL, bucket_owner = NULL, key = NULL,
                hash = NULL, signature = NULL
            WHERE trail_id = ?1 AND span = ?2 AND account_id = ?3 AND begins_at = ?4 AND done = 0
                AND NOT EXISTS (SELECT 1 FROM trail_digest AS d WHERE d.trail_id = c.trail_id AND d.span = c.span
                    AND d.account_id = c.account_id)";
        self.database.write(|transaction| {
            let values = params![
                trail_id,
                chain.span,
                chain.account.as_str(),
                micros(chain.begins_at),
                micros(now),
            ];
            Ok(transaction.execute(anew, values)? > 0)
        })
    }

    /// The trail is not of this account any more.
    fn drop_chain(&self, trail_id: &str, chain: &Chain) -> Result<(), StoreError> {
        let place = params![trail_id, chain.span, chain.account.as_str()];
        let ended = "DELETE FROM trail_chain WHERE trail_id = ?1 AND span = ?2 AND account_id = ?3";
        let logs = "DELETE FROM trail_log
            WHERE trail_id = ?1 AND span = ?2 AND account_id = ?3 AND delivered_at IS NOT NULL";
        self.database.write(|transaction| {
            transaction.execute(ended, place)?;
            transaction.execute(logs, place).map(|_| ())
        })
    }

    fn known_chains(&self, trail_id: &str) -> Result<Vec<Chain>, StoreError> {
        self.database.read(|connection| {
            let mut select = connection.prepare(CHAINS)?;
            let found = select.query_map([trail_id], chain)?;
            found.collect()
        })
    }

    /// There are no digests: what was written down for them is forgotten.
    fn forget_chains(&self, trail_id: &str) -> Result<(), StoreError> {
        let there = "SELECT 1 FROM trail_chain WHERE trail_id = ?1
            UNION SELECT 1 FROM trail_log WHERE trail_id = ?1 AND delivered_at IS NOT NULL LIMIT 1";
        let any: Option<()> = self
            .database
            .find(|connection| connection.query_row(there, [trail_id], |_| Ok(())))?;
        if any.is_none() {
            return Ok(());
        }
        self.database.write(|transaction| {
            transaction.execute("DELETE FROM trail_chain WHERE trail_id = ?1", [trail_id])?;
            let logs = "DELETE FROM trail_log WHERE trail_id = ?1 AND delivered_at IS NOT NULL";
            transaction.execute(logs, [trail_id]).map(|_| ())
        })
    }

    /// The log files that the next digest of a chain has to name, in the order of their names: those that one can name
    /// ([`MOST_IN_DIGEST`]), and the first one behind them, which is the next one's to name.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn logs_of_digest(&self, trail_id: &str, chain: &Chain) -> Result<Vec<LogOfDigest>, StoreError> {
        let select = "SELECT bucket, key, hash, oldest, newest FROM trail_log
            WHERE trail_id = ?1 AND span = ?2 AND account_id = ?3 AND delivered_at IS NOT NULL
            ORDER BY key LIMIT ?4";
        let most = i64::try_from(MOST_IN_DIGEST.saturating_add(1)).unwrap_or(i64::MAX);
        self.database.read(|connection| {
            let mut select = connection.prepare(select)?;
            let place = params![trail_id, chain.span, chain.account.as_str(), most];
            let read = |row: &Row<'_>| {
                Ok(LogOfDigest {
                    bucket: term(row, 0)?,
                    key: row.get(1)?,
                    hash: row.get(2)?,
                    oldest: time(row, 3)?,
                    newest: time(row, 4)?,
                })
            };
            let found = select.query_map(place, read)?;
            found.collect()
        })
    }

    /// Writes down the next digest of a chain, which names `logs`. `false` if somebody else was faster, or other log files wait by
    /// now, or it is the last and there are more: then nothing has changed.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn plan_digest(
        &self,
        (trail_id, chain): (&str, &Chain),
        logs: &[LogOfDigest],
        new: &NewDigest,
    ) -> Result<bool, StoreError> {
        self.database.write(|transaction| {
            if !is_still(transaction, (trail_id, chain), (logs.len(), new.is_last))? {
                return Ok(false);
            }
            let last = logs.last().map_or("", |log| &log.key);
            let place = params![trail_id, chain.span, chain.account.as_str(), last];
            let is_named = "FROM trail_log WHERE trail_id = ?1 AND span = ?2 AND account_id = ?3
                AND delivered_at IS NOT NULL AND key <= ?4";
            let count = format!("SELECT count(*) {is_named}");
            if transaction.query_row(&count, place, |row| counted(row, 0))? != logs.len() as u64 {
                return Ok(false);
            }
            let insert = "INSERT INTO trail_digest (trail_id, span, account_id, ends_at, bucket, key, kms_key, body, hash,
                    signature, is_last, bucket_owner)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
            let values = params![
                trail_id,
                chain.span,
                chain.account.as_str(),
                micros(new.ends_at),
                new.place.bucket.name.as_str(),
                new.place.key,
                new.kms_key.as_ref().map(Arn::as_str),
                new.body,
                new.place.hash,
                new.place.signature,
                new.is_last,
                new.place.bucket.owner.as_str(),
            ];
            transaction.execute(insert, values)?;
            transaction.execute(&format!("DELETE {is_named}"), place)?;
            Ok(true)
        })
    }

    /// The digests of a trail that have to be delivered.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn undelivered_digests(&self, trail_id: &str) -> Result<Vec<DigestToDeliver>, StoreError> {
        let select = "SELECT d.span, d.account_id, d.ends_at, d.bucket, d.bucket_owner, d.key, d.kms_key, d.body, d.hash,
                d.signature, d.is_last, d.unsure, c.bucket, c.bucket_owner
            FROM trail_digest AS d JOIN trail_chain AS c USING (trail_id, span, account_id)
            WHERE d.trail_id = ?1 ORDER BY d.span, d.account_id";
        self.database.read(|connection| {
            let mut select = connection.prepare(select)?;
            let found = select.query_map([trail_id], digest)?;
            found.collect()
        })
    }

    /// Writes down whether a digest may be there without being known to be: before it is put, and once that was refused.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn digest_is_unsure(
        &self,
        trail_id: &str,
        sent: &DigestToDeliver,
        unsure: bool,
    ) -> Result<(), StoreError> {
        let set = "UPDATE trail_digest SET unsure = ?5
            WHERE trail_id = ?1 AND span = ?2 AND account_id = ?3 AND ends_at = ?4";
        let ends_at = micros(sent.digest.ends_at);
        self.database.write(|transaction| {
            let values = params![trail_id, sent.span, sent.account.as_str(), ends_at, unsure];
            transaction.execute(set, values).map(|_| ())
        })
    }

    /// Has a digest go elsewhere, signed anew: where it was to go it is refused, and it is not there.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn redirect_digest(
        &self,
        trail_id: &str,
        sent: &DigestToDeliver,
        (place, kms_key, body): (&PreviousOfChain, Option<&Arn>, &[u8]),
    ) -> Result<(), StoreError> {
        let redirect =
            "UPDATE trail_digest SET bucket = ?5, bucket_owner = ?6, key = ?7, kms_key = ?8, body = ?9,
                hash = ?10, signature = ?11, unsure = unsure AND bucket = ?5 AND key = ?7
            WHERE trail_id = ?1 AND span = ?2 AND account_id = ?3 AND ends_at = ?4";
        self.database.write(|transaction| {
            let values = params![
                trail_id,
                sent.span,
                sent.account.as_str(),
                micros(sent.digest.ends_at),
                place.bucket.name.as_str(),
                place.bucket.owner.as_str(),
                place.key,
                kms_key.map(Arn::as_str),
                body,
                place.hash,
                place.signature,
            ];
            transaction.execute(redirect, values).map(|_| ())
        })
    }

    /// Writes down that a digest is where it belongs: the next one follows it.
    ///
    /// # Errors
    /// [`StoreError`]; then it is delivered once more, the same in the same place.
    pub fn digest_delivered(
        &self,
        trail_id: &str,
        sent: &DigestToDeliver,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let delete =
            "DELETE FROM trail_digest WHERE trail_id = ?1 AND span = ?2 AND account_id = ?3 AND ends_at = ?4";
        let follow = "UPDATE trail_chain SET begins_at = ?4, bucket = ?5, key = ?6, hash = ?7, signature = ?8, done = ?9,
                bucket_owner = ?10
            WHERE trail_id = ?1 AND span = ?2 AND account_id = ?3";
        let told =
            "UPDATE trail_status SET digested_at = ?2, digest_error = NULL, failures = 0 WHERE trail_id = ?1";
        let (span, account, ends_at) = (sent.span, sent.account.as_str(), micros(sent.digest.ends_at));
        let place = &sent.digest.place;
        self.database.write(|transaction| {
            if transaction.execute(delete, params![trail_id, span, account, ends_at])? == 0 {
                return Ok(());
            }
            let values = params![
                trail_id,
                span,
                account,
                ends_at,
                place.bucket.name.as_str(),
                place.key,
                place.hash,
                place.signature,
                sent.digest.is_last,
                place.bucket.owner.as_str(),
            ];
            transaction.execute(follow, values)?;
            transaction
                .execute(told, params![trail_id, micros(now)])
                .map(|_| ())
        })
    }

    /// Ends spans of a trail of which everything is delivered, and forgets the trail if it was deleted.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn end_spans(&self, trail: &Trail) -> Result<(), StoreError> {
        let whole = "FROM trail_span AS s WHERE trail_id = ?1 AND ended_at IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM trail_cursor AS c WHERE c.trail_id = s.trail_id AND c.span = s.span)
            AND NOT EXISTS (SELECT 1 FROM trail_log AS l WHERE l.trail_id = s.trail_id AND l.span = s.span
                AND l.delivered_at IS NULL)
            AND (?2 = 0 OR (EXISTS (SELECT 1 FROM trail_chain AS h WHERE h.trail_id = s.trail_id AND h.span = s.span)
                AND NOT EXISTS (SELECT 1 FROM trail_chain AS h WHERE h.trail_id = s.trail_id AND h.span = s.span
                    AND h.done = 0)))";
        let values = params![trail.id, trail.settings.validation];
        let there: Option<()> = self.database.find(|connection| {
            connection.query_row(&format!("SELECT 1 {whole} LIMIT 1"), values, |_| Ok(()))
        })?;
        if there.is_none() {
            return Ok(());
        }
        self.database.write(|transaction| {
            let delete =
                format!("DELETE FROM trail_span WHERE trail_id = ?1 AND span IN (SELECT s.span {whole})");
            transaction.execute(&delete, values).map(|_| ())
        })?;
        self.sweep_trails()
    }
}

/// Whether a chain is where it was, with as many log files to name, or more than one digest can, none of which waits.
fn is_still(
    connection: &Connection,
    (trail_id, chain): (&str, &Chain),
    (logs, is_last): (usize, bool),
) -> rusqlite::Result<bool> {
    let still = "SELECT (SELECT count(*) = ?5 OR (count(*) > ?5 AND ?5 >= ?6 AND NOT ?7) FROM trail_log AS l
                WHERE l.trail_id = c.trail_id AND l.span = c.span AND l.account_id = c.account_id)
            AND NOT EXISTS (SELECT 1 FROM trail_log AS l WHERE l.trail_id = c.trail_id AND l.span = c.span
                AND l.account_id = c.account_id AND l.delivered_at IS NULL)
            AND NOT EXISTS (SELECT 1 FROM trail_digest AS d WHERE d.trail_id = c.trail_id AND d.span = c.span
                AND d.account_id = c.account_id)
        FROM trail_chain AS c WHERE trail_id = ?1 AND span = ?2 AND account_id = ?3 AND begins_at = ?4 AND done = 0";
    let values = params![
        trail_id,
        chain.span,
        chain.account.as_str(),
        micros(chain.begins_at),
        i64::try_from(logs).unwrap_or(i64::MAX),
        i64::try_from(MOST_IN_DIGEST).unwrap_or(i64::MAX),
        is_last,
    ];
    let found: Option<bool> = connection.query_row(still, values, |row| row.get(0)).optional()?;
    Ok(found == Some(true))
}

fn chain(row: &Row<'_>) -> rusqlite::Result<Chain> {
    let bucket = perhaps_bucket(row, 3)?;
    Ok(Chain {
        span: row.get(0)?,
        account: term(row, 1)?,
        begins_at: time(row, 2)?,
        previous: match bucket {
            Some(bucket) => Some(PreviousOfChain {
                bucket,
                key: row.get(5)?,
                hash: row.get(6)?,
                signature: row.get(7)?,
            }),
            None => None,
        },
        is_done: row.get(8)?,
        waits: row.get(9)?,
        is_drained: row.get(10)?,
    })
}

/// A bucket whose name is in this column and its owner in the next one.
fn perhaps_bucket(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<TrailBucket>> {
    let name: Option<String> = row.get(column)?;
    let found = name.map(|_| {
        Ok(TrailBucket {
            name: term(row, column)?,
            owner: term(row, column.saturating_add(1))?,
        })
    });
    found.transpose()
}

fn digest(row: &Row<'_>) -> rusqlite::Result<DigestToDeliver> {
    let key: Option<String> = row.get(6)?;
    Ok(DigestToDeliver {
        span: row.get(0)?,
        account: term(row, 1)?,
        digest: NewDigest {
            ends_at: time(row, 2)?,
            place: PreviousOfChain {
                bucket: TrailBucket {
                    name: term(row, 3)?,
                    owner: term(row, 4)?,
                },
                key: row.get(5)?,
                hash: row.get(8)?,
                signature: row.get(9)?,
            },
            kms_key: key.map(|_| term(row, 6)).transpose()?,
            body: row.get(7)?,
            is_last: row.get(10)?,
        },
        unsure: row.get(11)?,
        previous: perhaps_bucket(row, 12)?,
    })
}
