//! Turns at work that keeps a processor busy: to make an RSA key takes seconds, and to use one takes milliseconds.
//!
//! Without turns, whoever asks for enough of it would hold every thread that may wait, and nobody else would get to the
//! disk. Who waits for a turn holds no thread. Each account waits for its own turn first, so that accounts take turns
//! with each other, however much one of them asks for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use moho_terms::AccountId;
use moho_wire::Failure;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// When who found no place should try again, in seconds.
const RETRY_AFTER: u64 = 1;

/// How many may wait or be at work.
#[derive(Clone, Copy)]
struct Places {
    of_account: usize,
    in_all: usize,
}

/// To make keys: seconds each.
const TO_MAKE: Places = Places {
    of_account: 16,
    in_all: 64,
};
/// To search log events, or the journal: a second each.
const TO_SEARCH: Places = Places {
    of_account: 64,
    in_all: 512,
};
/// To use them: milliseconds each.
const TO_USE: Places = Places {
    of_account: 256,
    in_all: 1024,
};

/// The turns at work with RSA's private keys.
pub(crate) struct RsaTurns {
    pub(super) making: Turns,
    pub(super) using: Turns,
}

impl RsaTurns {
    /// Half of so many cores for each kind of work, and at least one.
    pub(crate) fn new(cores: usize) -> Self {
        let at_once = (cores / 2).max(1);
        Self {
            making: Turns::new(at_once, TO_MAKE),
            using: Turns::new(at_once, TO_USE),
        }
    }
}

/// The turns at one kind of work.
pub(crate) struct Turns {
    /// As many as may be at work.
    work: Arc<Semaphore>,
    /// As many of one account.
    at_once_of_account: usize,
    places: Places,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    in_all: usize,
    by: HashMap<AccountId, OfAccount>,
}

/// What an account that waits or is at work has.
struct OfAccount {
    places: usize,
    work: Arc<Semaphore>,
}

/// A turn, until it is dropped: by the work, when that is done.
pub(crate) struct Turn {
    _work: OwnedSemaphorePermit,
    _of_account: OwnedSemaphorePermit,
    _place: Place,
}

/// A place, until it is dropped.
struct Place {
    account: AccountId,
    taken: Arc<Mutex<Taken>>,
}

impl Turns {
    /// At searches: as many as there are cores.
    pub(crate) fn of_searches(cores: usize) -> Self {
        Self::new(cores.max(2), TO_SEARCH)
    }

    fn new(at_once: usize, places: Places) -> Self {
        Self {
            work: Arc::new(Semaphore::new(at_once)),
            at_once_of_account: (at_once / 2).max(1),
            places,
            taken: Arc::default(),
        }
    }

    /// Waits for a turn of an account's.
    ///
    /// # Errors
    /// [`Failure::Throttled`] if too many wait already.
    pub(crate) async fn wait(&self, account: AccountId) -> Result<Turn, Failure> {
        let (place, of_account) = self.place(account)?;
        let of_account = of_account.acquire_owned().await;
        let work = Arc::clone(&self.work).acquire_owned().await;
        Ok(Turn {
            // They are never closed.
            _work: work.map_err(|_never| Failure::Internal)?,
            _of_account: of_account.map_err(|_never| Failure::Internal)?,
            _place: place,
        })
    }

    fn place(&self, account: AccountId) -> Result<(Place, Arc<Semaphore>), Failure> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_account = taken.by.get(&account).map_or(0, |of_account| of_account.places);
        if of_account >= self.places.of_account || taken.in_all >= self.places.in_all {
            return Err(Failure::Throttled {
                retry_after: RETRY_AFTER,
            });
        }
        taken.in_all = taken.in_all.saturating_add(1);
        let of_account = taken.by.entry(account).or_insert_with(|| OfAccount {
            places: 0,
            work: Arc::new(Semaphore::new(self.at_once_of_account)),
        });
        of_account.places = of_account.places.saturating_add(1);
        let place = Place {
            account,
            taken: Arc::clone(&self.taken),
        };
        Ok((place, Arc::clone(&of_account.work)))
    }
}

#[cfg(test)]
impl Turns {
    /// All places of an account, until that is dropped.
    pub(crate) fn all_places(&self, account: AccountId) -> impl Sized {
        std::iter::from_fn(|| self.place(account).ok()).collect::<Vec<_>>()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all = taken.in_all.saturating_sub(1);
        if let Entry::Occupied(mut of_account) = taken.by.entry(self.account) {
            let left = of_account.get().places.saturating_sub(1);
            of_account.get_mut().places = left;
            if left == 0 {
                of_account.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    const FEW: Places = Places {
        of_account: 3,
        in_all: 5,
    };

    fn account(number: u8) -> AccountId {
        format!("00000000000{number}").parse().unwrap()
    }

    fn polled<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn throttled(polled: &Poll<Result<Turn, Failure>>) -> bool {
        matches!(polled, Poll::Ready(Err(Failure::Throttled { .. })))
    }

    #[test]
    fn an_account_that_asks_for_much_waits_for_itself() {
        let turns = Turns::new(1, FEW);
        let [one, other] = [account(1), account(2)];
        let Poll::Ready(Ok(working)) = polled(pin!(turns.wait(one))) else {
            panic!("nobody works")
        };
        let (mut second, mut third) = (pin!(turns.wait(one)), pin!(turns.wait(one)));
        let mut others = pin!(turns.wait(other));
        assert!(polled(second.as_mut()).is_pending() && polled(third.as_mut()).is_pending());
        assert!(polled(others.as_mut()).is_pending());
        assert!(throttled(&polled(pin!(turns.wait(one)))), "it has its places");
        drop(working);
        assert!(polled(second.as_mut()).is_pending(), "the other account is first");
        let Poll::Ready(Ok(working)) = polled(others.as_mut()) else {
            panic!("it is the other account's turn")
        };
        drop(working);
        assert!(matches!(polled(second.as_mut()), Poll::Ready(Ok(_))));
    }

    #[test]
    fn places_are_bounded_and_come_back_with_whoever_leaves() {
        let turns = Turns::new(1, FEW);
        let mut waiting: Vec<_> = [1, 1, 1, 2, 2]
            .map(|number| Box::pin(turns.wait(account(number))))
            .into();
        let mut turn = polled(waiting[0].as_mut());
        assert!(matches!(turn, Poll::Ready(Ok(_))));
        assert!(
            waiting
                .iter_mut()
                .skip(1)
                .all(|wait| polled(wait.as_mut()).is_pending())
        );
        assert!(throttled(&polled(pin!(turns.wait(account(3))))));
        drop(waiting.pop());
        assert!(polled(pin!(turns.wait(account(3)))).is_pending());
        waiting.clear();
        turn = Poll::Pending;
        assert!(turn.is_pending());
        let taken = turns.taken.lock().unwrap();
        assert!(taken.in_all == 0 && taken.by.is_empty());
    }
}
