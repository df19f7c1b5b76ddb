//! Quotas: how many requests, tokens and sequences each principal, tag and model may have.
//!
//! Nothing is asked of the engine before there is room for what it may use: the prompt's tokens as they were counted,
//! and as many as the answer was said to have at most. An answer of no such limit begins with a piece of the room that is
//! left, sets more aside as it is written, and ends when there is no more: the engine is never ahead of what was set
//! aside, as it only generates what it has credit for. What is used is moved from what was set aside as it is used, and what is
//! left is given back when the sequence ends, however it ends: a crowd cannot pass a limit, and a client that leaves has
//! used what it used. Days are written down ahead of their use; if that cannot be done, nothing begins.

mod amounts;
mod bill;
mod book;
mod counter;
mod entrance;
mod ledger;
mod reservation;
mod rule;
#[cfg(test)]
pub(crate) mod tests;
mod window;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moho_terms::{Clock, ModelId, Timestamp};

pub(crate) use amounts::{Amounts, Caps, Limits, Measure};
pub(crate) use bill::{Bill, PIECE};
pub(crate) use book::{BookUnavailable, DayBook};
pub(crate) use counter::{Hit, Left, Limited, Window};
pub(crate) use entrance::Entrance;
pub(crate) use ledger::FEW;
pub(crate) use reservation::{Reservation, Standing};
pub(crate) use rule::{Asker, Key, Quota, Tag};

use self::ledger::{Applied, Demand, Ledger, Untaken};

/// How often a counter that was forgotten meanwhile is opened again before that is given up.
const TRIES: usize = 4;

/// All quotas, and what was used of them.
pub(crate) struct Quotas {
    quotas: Vec<Quota>,
    ledger: Mutex<Ledger>,
    book: Box<dyn DayBook>,
    /// Held while the book is written, so that what is written last is what holds. The day before which the book was last
    /// told to forget.
    writing: Mutex<Option<u64>>,
    clock: Arc<dyn Clock>,
}

/// Why something may not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAdmitted {
    /// A limit would be passed.
    #[error("a quota is used up")]
    Hit(Hit),
    /// There are more counters than can be kept in memory.
    #[error("too many principals are counted at once")]
    Full,
    /// The counters cannot be kept.
    #[error(transparent)]
    Book(#[from] BookUnavailable),
}

impl Quotas {
    /// These quotas, of which the book says what was used.
    pub(crate) fn new(quotas: Vec<Quota>, book: Box<dyn DayBook>, clock: Arc<dyn Clock>) -> Self {
        Self {
            quotas,
            ledger: Mutex::default(),
            book,
            writing: Mutex::default(),
            clock,
        }
    }

    /// Lets a request in, if there is room for it and for so many sequences. A request that asks again was counted before.
    ///
    /// # Errors
    /// [`NotAdmitted`]; then nothing was taken.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        asker: &Asker,
        model: &ModelId,
        (request, sequences): (Amounts, u32),
    ) -> Result<Reservation, NotAdmitted> {
        let demand = Demand {
            amounts: request,
            sequences: sequences.into(),
        };
        let applied: Arc<[Applied]> = self.applied(asker, model).into();
        let mut reservation = Reservation::new(Arc::clone(self), applied);
        reservation.take(demand, 0).await?;
        Ok(reservation)
    }

    /// What is left for a question, of the quotas that are for it.
    pub(crate) fn standing(&self, asker: &Asker, model: &ModelId) -> Standing {
        let applied = self.applied(asker, model);
        let (requests, tokens) = self.ledger().left(&applied, self.now());
        Standing { requests, tokens }
    }

    /// Writes down what was used, exactly, and forgets who has not come for a while. Blocks.
    ///
    /// # Errors
    /// [`BookUnavailable`]; what was written ahead still holds.
    pub(crate) fn settle(&self) -> Result<(), BookUnavailable> {
        let mut forgotten = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = self.ledger().settle();
        let left_out = self.write(&counters).inspect_err(|_unavailable| {
            let keys = counters.iter().map(|(_, key, _)| *key);
            self.ledger().forget_written(keys);
        })?;
        let now = self.now();
        let today = window::day(now);
        let first = {
            let mut ledger = self.ledger();
            if !left_out.is_empty() {
                ledger.leave_out(&left_out);
            }
            let first = ledger.first_day().map_or(today, |first| first.min(today));
            ledger.forget_idle(now);
            first
        };
        if *forgotten != Some(first) {
            self.book.forget(first)?;
            *forgotten = Some(first);
        }
        Ok(())
    }

    /// The quotas that are for a question.
    fn applied(&self, asker: &Asker, model: &ModelId) -> Vec<Applied> {
        let applied = self.quotas.iter().filter_map(|quota| {
            Some(Applied {
                key: quota.key(asker, model)?,
                limits: quota.limits,
            })
        });
        applied.collect()
    }

    /// Takes what is demanded from all counters or nothing from any, and has it written down; of tokens of answers as many
    /// more as there are for it, up to `most` in all. It is added to what is `held`; how many tokens of answers it was.
    ///
    /// # Errors
    /// [`NotAdmitted`]; then nothing was taken, but that a request stays counted that could not be written down.
    async fn set_aside(
        self: &Arc<Self>,
        (applied, held): (&Arc<[Applied]>, &mut Demand),
        (demand, most): (Demand, u64),
    ) -> Result<u64, NotAdmitted> {
        let output = self.take(applied, (demand, most)).await?;
        // Nothing was waited for since it was taken: whoever stops waiting from here on gives it back.
        let taken = Demand {
            amounts: Amounts::tokens(demand.amounts.input, output),
            ..demand
        };
        held.amounts = held.amounts.plus(taken.amounts);
        held.sequences = held.sequences.saturating_add(taken.sequences);
        let written = self.have_written(applied).await;
        if written.is_err() {
            held.amounts = held.amounts.minus(taken.amounts);
            held.sequences = held.sequences.saturating_sub(taken.sequences);
            self.ledger().give_back(applied, taken);
        }
        Ok(written.map(|()| output)?)
    }

    /// Takes, but writes nothing down.
    async fn take(self: &Arc<Self>, applied: &[Applied], wanted: (Demand, u64)) -> Result<u64, NotAdmitted> {
        for _try in 0..TRIES {
            let taken = self.ledger().take(applied, wanted, self.now());
            match taken {
                Ok(output) => return Ok(output),
                Err(Untaken::Unopened(keys)) => self.open(keys).await?,
                Err(Untaken::Hit(hit)) => return Err(NotAdmitted::Hit(hit)),
                Err(Untaken::Full) => break,
            }
        }
        Err(NotAdmitted::Full)
    }

    /// Has what was taken written down, if that is not yet so.
    async fn have_written(self: &Arc<Self>, applied: &Arc<[Applied]>) -> Result<(), BookUnavailable> {
        if self.ledger().to_write(applied).is_empty() {
            return Ok(());
        }
        let (quotas, theirs) = (Arc::clone(self), Arc::clone(applied));
        blocking(move || quotas.write_ahead(&theirs)).await
    }

    /// Opens the counters of quotas for days, as the book has them.
    async fn open(self: &Arc<Self>, keys: Vec<Key>) -> Result<(), NotAdmitted> {
        let quotas = Arc::clone(self);
        blocking(move || {
            // Not beside a writer, whose exact numbers might be less than what is read.
            let _alone = quotas.writing.lock().unwrap_or_else(PoisonError::into_inner);
            for key in keys {
                let now = quotas.now();
                let written = quotas.book.read(window::day(now), key)?;
                let opened = quotas.ledger().open(key, written, true, now);
                opened.map_err(|_full| NotAdmitted::Full)?;
            }
            Ok(())
        })
        .await
    }

    /// Writes down what was taken, and a little more. Blocks.
    fn write_ahead(&self, applied: &[Applied]) -> Result<(), BookUnavailable> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = self.ledger().to_write(applied);
        let left_out = self.write(&counters)?;
        let mut ledger = self.ledger();
        for (day, key, amounts) in counters {
            if !left_out.contains(&key) {
                ledger.wrote(day, key, amounts);
            }
        }
        if left_out.is_empty() {
            Ok(())
        } else {
            Err(BookUnavailable("the day has too many counters".into()))
        }
    }

    /// Writes counters down, and says for which there was no room.
    fn write(&self, counters: &[(u64, Key, Amounts)]) -> Result<Vec<Key>, BookUnavailable> {
        let mut left_out = Vec::new();
        let mut days: Vec<u64> = counters.iter().map(|(day, ..)| *day).collect();
        days.sort_unstable();
        days.dedup();
        for day in days {
            let those = counters.iter().filter(|(of, ..)| *of == day);
            let those: Vec<(Key, Amounts)> = those.map(|(_, key, amounts)| (*key, *amounts)).collect();
            left_out.extend(self.book.write(day, &those)?);
        }
        Ok(left_out)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Runs what waits for the disk where it may wait.
async fn blocking<T: Send + 'static, E: From<BookUnavailable> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|ended| Err(BookUnavailable(Box::new(ended)).into()))
}
