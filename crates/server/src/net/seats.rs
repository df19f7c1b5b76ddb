//! The seats for connections: so many in all, so many for one peer, and none kept by who does nothing.
//!
//! Once all are taken, a newcomer gets the seat of a connection that has no request which the road took in, the one that
//! has had none for longest: of its own peer if that has its share, else of the peer that has most. So idle connections,
//! half-sent heads, unfinished handshakes and unread refusals keep nobody out, and a crowd from one address costs that address first.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::activity::Activity;
use super::pool::Sharer;

/// For so many seats, one connection may take its time to leave after it lost its own.
const STANDING: usize = 64;

/// All seats.
#[derive(Clone)]
pub(crate) struct Seats {
    most: usize,
    each: usize,
    /// Connections without a seat that may take their time to leave; as many more are being ended.
    standing: usize,
    taken: Arc<Mutex<Taken>>,
    /// Told of each that has left.
    departure: Arc<Notify>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    next: u64,
    /// Those that lost their seat and have not left, by its number.
    leaving: BTreeMap<u64, Arc<Activity>>,
    /// How many of those were told to end at once.
    ending: usize,
    /// By peer, then by the number of the seat.
    peers: HashMap<Sharer, HashMap<u64, Arc<Activity>>>,
}

/// One connection's seat, until dropped.
pub(crate) struct Seat {
    seats: Seats,
    peer: Sharer,
    number: u64,
}

impl Seats {
    /// As many as `most`, of which one peer gets `each`.
    pub(crate) fn new(most: usize, each: usize) -> Self {
        Self {
            most,
            each,
            standing: most.div_ceil(STANDING),
            taken: Arc::default(),
            departure: Arc::default(),
        }
    }

    /// Resolves once fewer are being ended than may be at once. Newcomers wait for it rather than being turned away:
    /// when they come faster than anybody can leave, one of them may be honest. Ending takes no client's leave, so that
    /// nobody holds this up.
    pub(crate) async fn settled(&self) {
        loop {
            // It hears who leaves from here on.
            let departure = self.departure.notified();
            if self.taken().ending < self.standing {
                return;
            }
            departure.await;
        }
    }

    /// A seat for one more connection of `peer`; `None` if everybody who could make room for it has a request that the road took in.
    pub(crate) fn take(&self, peer: Sharer, activity: &Arc<Activity>) -> Option<Seat> {
        let mut taken = self.taken();
        taken.hurry(self.standing);
        let own = taken.of(peer);
        if own >= self.each {
            taken.make_room(peer)?;
        } else if taken.all >= self.most {
            let (crowd, count) = taken.crowd()?;
            // Whoever has as many as the crowd is no better than the crowd.
            taken.make_room(if own >= count { peer } else { crowd })?;
        }
        taken.next = taken.next.wrapping_add(1);
        taken.all = taken.all.saturating_add(1);
        let number = taken.next;
        let of_peer = taken.peers.entry(peer).or_default();
        of_peer.insert(number, Arc::clone(activity));
        Some(Seat {
            seats: self.clone(),
            peer,
            number,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn of(&self, peer: Sharer) -> usize {
        self.peers.get(&peer).map_or(0, HashMap::len)
    }

    /// The peer that has most.
    fn crowd(&self) -> Option<(Sharer, usize)> {
        let counts = self.peers.iter().map(|(peer, seats)| (*peer, seats.len()));
        counts.max_by_key(|(_, count)| *count)
    }

    /// Sends away the connection of `peer` that has been useless for longest; its seat is free at once.
    fn make_room(&mut self, peer: Sharer) -> Option<()> {
        let seats = self.peers.get(&peer)?.iter();
        let idle = seats.filter_map(|(number, activity)| Some((activity.useless_for()?, *number)));
        let (_, number) = idle.max()?;
        let activity = self.free(peer, number)?;
        activity.leave();
        self.leaving.insert(number, activity);
        Some(())
    }

    /// Ends the oldest of those that are leaving, if so many stand about already.
    fn hurry(&mut self, standing: usize) {
        if self.leaving.len() >= standing
            && let Some((_, oldest)) = self.leaving.pop_first()
        {
            oldest.end();
            self.ending = self.ending.saturating_add(1);
        }
    }

    /// Somebody has left, who may have lost the seat before.
    fn left(&mut self, peer: Sharer, number: u64) {
        let known = self.free(peer, number).is_some() || self.leaving.remove(&number).is_some();
        if !known {
            self.ending = self.ending.saturating_sub(1);
        }
    }

    fn free(&mut self, peer: Sharer, number: u64) -> Option<Arc<Activity>> {
        let seats = self.peers.get_mut(&peer)?;
        let activity = seats.remove(&number)?;
        if seats.is_empty() {
            self.peers.remove(&peer);
        }
        self.all = self.all.saturating_sub(1);
        Some(activity)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().left(self.peer, self.number);
        self.seats.departure.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn connection() -> Arc<Activity> {
        Arc::new(Activity::new())
    }

    fn address(text: &str) -> Sharer {
        Sharer::Network(text.parse().unwrap())
    }

    #[test]
    fn a_newcomer_gets_the_seat_that_was_idle_for_longest() {
        let seats = Seats::new(8, 2);
        let (first, second, third) = (connection(), connection(), connection());
        let here = address("192.0.2.1");
        let _held = [seats.take(here, &first), seats.take(here, &second)].map(Option::unwrap);
        let (busy, _refused) = (first.begin().work(), second.begin());
        let _third = seats.take(here, &third).unwrap();
        assert!(second.was_told_to_leave() && !first.was_told_to_leave());
        let (_busy, _busy_too) = (busy, third.begin().work());
        assert!(seats.take(here, &connection()).is_none(), "all have requests");
        assert!(seats.take(address("192.0.2.2"), &connection()).is_some());
    }

    #[test]
    fn the_crowd_makes_room_first() {
        let seats = Seats::new(3, 2);
        let crowd = [connection(), connection()];
        let _crowd = crowd
            .each_ref()
            .map(|one| seats.take(address("192.0.2.1"), one).unwrap());
        let other = connection();
        let _other = seats.take(address("192.0.2.2"), &other).unwrap();
        let _third = seats.take(address("192.0.2.3"), &connection()).unwrap();
        assert_eq!(crowd.iter().filter(|one| one.was_told_to_leave()).count(), 1);
        assert!(!other.was_told_to_leave());
        // Now all have one each: who wants a second gives up its own.
        let _second = seats.take(address("192.0.2.2"), &connection()).unwrap();
        assert!(other.was_told_to_leave());
    }

    #[test]
    fn a_seat_that_was_lost_is_not_given_back_twice() {
        let seats = Seats::new(1, 1);
        let here = address("192.0.2.1");
        let first = seats.take(here, &connection()).unwrap();
        let second = seats.take(here, &connection()).unwrap();
        drop(first);
        assert_eq!(seats.taken().all, 1);
        drop(second);
        let taken = seats.taken();
        assert_eq!((taken.all, taken.ending), (0, 0));
        assert!(taken.peers.is_empty() && taken.leaving.is_empty());
    }

    #[test]
    fn who_lost_a_seat_counts_until_it_has_left() {
        let seats = Seats::new(1, 1);
        let here = address("192.0.2.1");
        let is_settled = || pin!(seats.settled()).poll(&mut Context::from_waker(Waker::noop()));
        let connections: [_; 3] = std::array::from_fn(|_| connection());
        let mut held = Vec::new();
        for one in &connections {
            assert!(is_settled().is_ready());
            held.push(seats.take(here, one).unwrap());
        }
        let ended = connections.each_ref().map(|one| one.was_told_to_end());
        assert_eq!(
            ended,
            [true, false, false],
            "one is being ended, one stands, one sits"
        );
        let mut context = Context::from_waker(Waker::noop());
        let mut newcomer = pin!(seats.settled());
        assert!(newcomer.as_mut().poll(&mut context).is_pending());
        drop(held.remove(0));
        assert!(
            newcomer.poll(&mut context).is_ready(),
            "it hears of the departure"
        );
        assert!(seats.take(here, &connection()).is_some());
    }
}
