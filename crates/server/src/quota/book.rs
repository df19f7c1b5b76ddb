//! Where the counters of a day are kept, so that a restart does not forget them.

use std::error::Error;
use std::sync::Arc;

use moho_store::{QuotaCounter, Store, StoreError};

use super::amounts::Amounts;
use super::rule::Key;

/// The counters cannot be kept, so nothing that they limit may begin.
#[derive(Debug, thiserror::Error)]
#[error("the counters of quotas cannot be kept")]
pub(crate) struct BookUnavailable(#[source] pub(crate) Box<dyn Error + Send + Sync>);

/// Keeps, for each counter and day, how much may have been used. Calls block.
pub(crate) trait DayBook: Send + Sync {
    /// What was written of a counter on a day; nothing if nothing was.
    fn read(&self, day: u64, key: Key) -> Result<Amounts, BookUnavailable>;

    /// Writes counters of one day down, and says for which there was no room. When it returns, the others are on the disk.
    fn write(&self, day: u64, counters: &[(Key, Amounts)]) -> Result<Vec<Key>, BookUnavailable>;

    /// Forgets what was written of earlier days, but for the last day before that has anything: should the clock have
    /// been ahead for a while, what was used until then is still known.
    fn forget(&self, day: u64) -> Result<(), BookUnavailable>;
}

impl From<StoreError> for BookUnavailable {
    fn from(error: StoreError) -> Self {
        Self(Box::new(error))
    }
}

impl DayBook for Arc<Store> {
    fn read(&self, day: u64, key: Key) -> Result<Amounts, BookUnavailable> {
        let counter = self.quota_counter(day, key.0)?;
        Ok(counter.map_or_else(Amounts::default, |counter| Amounts {
            requests: counter.requests,
            input: counter.input,
            output: counter.output,
        }))
    }

    fn write(&self, day: u64, counters: &[(Key, Amounts)]) -> Result<Vec<Key>, BookUnavailable> {
        let counters = counters.iter().map(|(key, amounts)| QuotaCounter {
            counter: key.0,
            requests: amounts.requests,
            input: amounts.input,
            output: amounts.output,
        });
        let counters: Vec<QuotaCounter> = counters.collect();
        let left_out = self.put_quota_counters(day, &counters)?;
        Ok(left_out.into_iter().map(Key).collect())
    }

    fn forget(&self, day: u64) -> Result<(), BookUnavailable> {
        Ok(self.forget_quota_counters(day)?)
    }
}
