//! Counters of quotas for days. They are numbers under names that tell nothing. Each process counts for itself.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Transaction, params};

use crate::Store;
use crate::database::{counted, integer};
use crate::error::StoreError;

/// Counters of one day: far beyond the principals there can be. One has about 60 bytes on the disk.
const COUNTERS: u64 = 1_000_000;
/// Of those, the ones of one group: whoever uses up its own leaves room for others.
const OF_ONE_GROUP: u64 = COUNTERS / 4;
/// Bytes that begin the names of all counters of a group.
const GROUP: usize = 4;

const UPDATE: &str = "UPDATE quota_counter SET requests = ?3, input = ?4, output = ?5 WHERE node = ?6 AND day = ?1 AND counter = ?2";
const INSERT: &str =
    "INSERT INTO quota_counter (day, counter, requests, input, output, node) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// What one counter of a day says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaCounter {
    /// Its name, whose first four bytes are those of its group.
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
            let select = "SELECT requests, input, output FROM quota_counter
                WHERE node = ?3 AND day = ?1 AND counter = ?2";
            connection
                .prepare(select)?
                .query_row(params![integer(day), counter, self.node], |row| {
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

    /// Sets counters of a day, and says for which there was no room: the day would have more than a million of them, or a
    /// group more than a quarter of that. When it returns, the others are on the disk.
    ///
    /// # Errors
    /// [`StoreError`]; then none is set.
    pub fn put_quota_counters(
        &self,
        day: u64,
        counters: &[QuotaCounter],
    ) -> Result<Vec<[u8; 16]>, StoreError> {
        self.put_counters(day, counters, (COUNTERS, OF_ONE_GROUP))
    }

    pub(crate) fn put_counters(
        &self,
        day: u64,
        counters: &[QuotaCounter],
        most: (u64, u64),
    ) -> Result<Vec<[u8; 16]>, StoreError> {
        self.database.write(|transaction| {
            let mut room = Room {
                node: &self.node,
                day,
                most,
                there: HashMap::new(),
            };
            let mut left_out = Vec::new();
            let mut update = transaction.prepare(UPDATE)?;
            let mut insert = transaction.prepare(INSERT)?;
            for counter in counters {
                let [requests, input, output] =
                    [counter.requests, counter.input, counter.output].map(integer);
                let values = params![integer(day), counter.counter, requests, input, output, self.node];
                if update.execute(values)? > 0 {
                    continue;
                }
                if room.has_one(transaction, counter.counter)? {
                    insert.execute(values)?;
                } else {
                    left_out.push(counter.counter);
                }
            }
            Ok(left_out)
        })
    }

    /// Forgets the counters of earlier days, but for the last day before that has any: should the clock have been ahead
    /// for a while, what was counted until then is still there. So it is with those of other processes, too, as one of
    /// them may never come again.
    ///
    /// # Errors
    /// [`StoreError`]; then none is forgotten.
    pub fn forget_quota_counters(&self, day: u64) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            let delete = "DELETE FROM quota_counter
                WHERE day < (SELECT max(day) FROM quota_counter AS own WHERE day < ?1 AND own.node = quota_counter.node)";
            transaction.execute(delete, [integer(day)]).map(|_deleted| ())
        })
    }
}

/// How many counters of a day there are, in all (under an empty name) and in each group that is asked for. Nobody counts
/// them before there is a new one: that is seldom, and they are many.
struct Room<'a> {
    node: &'a str,
    day: u64,
    most: (u64, u64),
    there: HashMap<Vec<u8>, u64>,
}

impl Room<'_> {
    /// Whether there is room for a new one, which is counted then.
    fn has_one(&mut self, transaction: &Transaction<'_>, counter: [u8; 16]) -> rusqlite::Result<bool> {
        let group = counter.get(..GROUP).unwrap_or_default();
        let (in_all, of_group) = self.most;
        let both = [(&[][..], in_all), (group, of_group)];
        for (beginning, most) in both {
            if self.there(transaction, beginning, most)? >= most {
                return Ok(false);
            }
        }
        for (beginning, _) in both {
            if let Some(there) = self.there.get_mut(beginning) {
                *there = there.saturating_add(1);
            }
        }
        Ok(true)
    }

    fn there(&mut self, transaction: &Transaction<'_>, beginning: &[u8], most: u64) -> rusqlite::Result<u64> {
        if let Some(there) = self.there.get(beginning) {
            return Ok(*there);
        }
        let count = "SELECT count(*) FROM (SELECT 1 FROM quota_counter
            WHERE node = ?5 AND day = ?1 AND counter BETWEEN ?2 AND ?3 LIMIT ?4)";
        let mut last = [u8::MAX; 16];
        last.iter_mut().zip(beginning).for_each(|(to, from)| *to = *from);
        let between = params![integer(self.day), beginning, last, integer(most), self.node];
        let there = transaction.query_row(count, between, |row| counted(row, 0))?;
        self.there.insert(beginning.to_vec(), there);
        Ok(there)
    }
}
