//! Counters of quotas for days. They are numbers under names that tell nothing.

use rusqlite::{OptionalExtension, params};

use crate::Store;
use crate::database::{counted, integer};
use crate::error::StoreError;

/// Counters of one day: far beyond the principals there can be. One has about 60 bytes on the disk.
const COUNTERS: u64 = 1_000_000;

const UPDATE: &str =
    "UPDATE quota_counter SET requests = ?3, input = ?4, output = ?5 WHERE day = ?1 AND counter = ?2";
const INSERT: &str =
    "INSERT INTO quota_counter (day, counter, requests, input, output) VALUES (?1, ?2, ?3, ?4, ?5)";

/// What one counter of a day says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaCounter {
    /// Its name.
    pub counter: [u8; 16],
    /// Requests.
    pub requests: u64,
    /// Tokens of prompts.
    pub input: u64,
    /// Tokens of answers.
    pub output: u64,
}

impl Store {
    /// A counter of a day, in days of UTC since 1970; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn quota_counter(&self, day: u64, counter: [u8; 16]) -> Result<Option<QuotaCounter>, StoreError> {
        self.database.read(|connection| {
            let select = "SELECT requests, input, output FROM quota_counter WHERE day = ?1 AND counter = ?2";
            connection
                .prepare(select)?
                .query_row(params![integer(day), counter], |row| {
                    Ok(QuotaCounter {
                        counter,
                        requests: counted(row, 0)?,
                        input: counted(row, 1)?,
                        output: counted(row, 2)?,
                    })
                })
                .optional()
        })
    }

    /// Sets counters of a day, and forgets those of earlier days. When it returns, they are on the disk.
    ///
    /// # Errors
    /// [`StoreError`]; then some may be set. [`StoreError::Full`] if the day would have more than a million.
    pub fn put_quota_counters(&self, day: u64, counters: &[QuotaCounter]) -> Result<(), StoreError> {
        let put = self.database.write(|transaction| {
            let day = integer(day);
            transaction.execute("DELETE FROM quota_counter WHERE day < ?1", [day])?;
            let count = "SELECT count(*) FROM (SELECT 1 FROM quota_counter WHERE day = ?1 LIMIT ?2)";
            let mut there = transaction.query_row(count, [day, integer(COUNTERS)], |row| counted(row, 0))?;
            let mut update = transaction.prepare(UPDATE)?;
            let mut insert = transaction.prepare(INSERT)?;
            for counter in counters {
                let [requests, input, output] =
                    [counter.requests, counter.input, counter.output].map(integer);
                let values = params![day, counter.counter, requests, input, output];
                if update.execute(values)? == 0 {
                    if there >= COUNTERS {
                        return Ok(false);
                    }
                    insert.execute(values)?;
                    there = there.saturating_add(1);
                }
            }
            Ok(true)
        })?;
        put.then_some(()).ok_or(StoreError::Full("counters of quotas"))
    }
}
