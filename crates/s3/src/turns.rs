//! Work that goes on by itself, through many bytes or thousands of parts, while nobody sends or reads them: a few at a time,
//! fewer for one account, and only as long as somebody waits for it. All else goes on beside it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use moho_terms::AccountId;
use s3s::S3Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::failure;

/// How long a request waits for its turn: no client takes its connection for dead before that.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much of one kind of work is done at once.
const AT_ONCE: usize = 8;
/// How much of it for one account.
pub(crate) const OF_ACCOUNT: usize = 4;
/// How many requests of one account are at work or wait to be.
pub(crate) const IN_LINE: usize = 64;

/// The kinds of work that are done in turn. What reads rows does not wait for what copies bytes.
#[derive(Default)]
pub(crate) struct LongWork {
    /// Copies, and sealing again.
    pub(crate) copies: Turns,
    /// Uploads of many parts that become objects.
    pub(crate) completions: Turns,
}

/// Turns at one kind of work.
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    /// Of those only who has a turn or waits for one.
    accounts: Mutex<HashMap<AccountId, Weak<Line>>>,
}

/// Who of an account is at work or waits.
struct Line {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// A turn. It ends when this is dropped.
pub(crate) struct Turn {
    _all: OwnedSemaphorePermit,
    _of_account: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
    _line: Arc<Line>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            accounts: Mutex::default(),
        }
    }
}

impl Turns {
    /// Waits for a turn; `SlowDown` if the account's line is full, or that takes too long.
    pub(crate) async fn turn(&self, account: AccountId) -> Result<Turn, S3Error> {
        let line = self.line(account);
        let place = Arc::clone(&line.places).try_acquire_owned();
        let place = place.map_err(|_full| failure::slow_down())?;
        let waiting = async {
            // In this order nobody keeps another account's turn while waiting for their own.
            let of_account = Arc::clone(&line.turns).acquire_owned().await.ok()?;
            let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some((of_account, all))
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        let (of_account, all) = waited.ok().flatten().ok_or_else(failure::slow_down)?;
        Ok(Turn {
            _all: all,
            _of_account: of_account,
            _place: place,
            _line: line,
        })
    }

    fn line(&self, account: AccountId) -> Arc<Line> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = accounts.get(&account).and_then(Weak::upgrade) {
            return line;
        }
        accounts.retain(|_, line| line.strong_count() > 0);
        let line = Arc::new(Line {
            places: Arc::new(Semaphore::new(IN_LINE)),
            turns: Arc::new(Semaphore::new(OF_ACCOUNT)),
        });
        accounts.insert(account, Arc::downgrade(&line));
        line
    }
}

/// Whether nobody waits any more for what a request asks for.
#[derive(Clone, Default)]
pub(crate) struct Left(Arc<AtomicBool>);

/// Somebody who waits for what a request asks for, until this is dropped.
pub(crate) struct Waiting(Left);

impl Left {
    /// From when on nobody waits is for the caller to say, by dropping what this returns.
    pub(crate) fn when_dropped(&self) -> Waiting {
        Waiting(self.clone())
    }

    /// Refuses to go on with what nobody waits for.
    pub(crate) fn check(&self) -> Result<(), S3Error> {
        if self.0.load(Ordering::Relaxed) {
            Err(failure::abandoned())
        } else {
            Ok(())
        }
    }

    /// The flag itself, for whoever knows no requests.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.0
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn is_waiting<T>(turn: &mut Pin<Box<impl Future<Output = T>>>) -> bool {
        matches!(
            turn.as_mut().poll(&mut Context::from_waker(Waker::noop())),
            Poll::Pending
        )
    }

    #[tokio::test]
    async fn an_account_gets_some_of_all_turns_and_its_line_ends() {
        let (one, other): (AccountId, AccountId) =
            ("111111111111".parse().unwrap(), "222222222222".parse().unwrap());
        let turns = Turns::default();
        let mut taken = Vec::new();
        for _ in 0..OF_ACCOUNT {
            taken.push(turns.turn(one).await.ok().unwrap());
        }
        let mut waiting: Vec<_> = (OF_ACCOUNT..IN_LINE).map(|_| Box::pin(turns.turn(one))).collect();
        assert!(waiting.iter_mut().all(is_waiting));
        let refused = turns.turn(one).await.err().unwrap();
        assert_eq!(refused.code().as_str(), "SlowDown");
        // Another account does not wait behind them, and gets no more than what is left of all.
        let others: Vec<_> = (0..OF_ACCOUNT).map(|_| turns.turn(other)).collect();
        for turn in others {
            taken.push(turn.await.ok().unwrap());
        }
        let mut third = Box::pin(turns.turn("333333333333".parse().unwrap()));
        assert!(is_waiting(&mut third));
        taken.pop();
        assert!(third.await.is_ok());
        // Who goes away leaves their place to others.
        drop(waiting.pop());
        let mut late = Box::pin(turns.turn(one));
        assert!(is_waiting(&mut late));
        taken.clear();
        assert!(waiting.swap_remove(0).await.is_ok());
    }

    #[test]
    fn nobody_waits_once_the_guard_is_gone() {
        let left = Left::default();
        let (copy, waiting) = (left.clone(), left.when_dropped());
        assert!(copy.check().is_ok());
        drop(waiting);
        assert!(copy.check().is_err() && left.flag().load(Ordering::Relaxed));
    }
}
