//! Failed authentications that get no entry of their own in the journal: counted, and told of in one entry for each peer and
//! minute. So a stranger cannot fill the disk, and is told of. What is slowed before anybody looks at it (429) is no failure
//! yet: metrics count it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use moho_iam::authz::{Entry, FurtherFailures, Journal, RequestFacts};
use moho_terms::{RequestId, Timestamp};

use super::failure::chain;
use crate::net::pool::Sharer;

/// Seconds for which failures are gathered.
const WINDOW: u64 = 60;
/// Peers that are counted apart. All others are counted together, and told of without an address.
const PEERS: usize = 1024;

/// What was counted and not written down.
#[derive(Default)]
pub(super) struct Unentered(Mutex<Window>);

#[derive(Default)]
struct Window {
    /// Since when it is gathered, if anything is.
    began: Option<Timestamp>,
    peers: HashMap<Sharer, Counted>,
    others: Option<Counted>,
}

/// Failures of a peer.
#[derive(Clone)]
struct Counted {
    /// The first of them.
    request: RequestId,
    further: FurtherFailures,
}

impl Unentered {
    /// Counts a failure.
    pub(super) fn count(&self, peer: Sharer, request: &RequestId, now: Timestamp) {
        let mut window = self.window();
        window.began.get_or_insert(now);
        let request = request.clone();
        let further = FurtherFailures { count: 1, since: now };
        window.add(Some(peer), Counted { request, further });
    }

    /// Writes down what was gathered, once its time is over.
    pub(super) fn settle(&self, journal: &dyn Journal, now: Timestamp) {
        let over = {
            let mut window = self.window();
            let began = window.began;
            let is_over = began.is_some_and(|began| began.abs_diff_seconds(now) >= WINDOW);
            is_over.then(|| std::mem::take(&mut *window))
        };
        if let Some(over) = over {
            self.write(over, journal, now);
        }
    }

    /// Writes down what was gathered so far.
    pub(super) fn end(&self, journal: &dyn Journal, now: Timestamp) {
        let rest = std::mem::take(&mut *self.window());
        if rest.began.is_some() {
            self.write(rest, journal, now);
        }
    }

    /// Writes, and says so in the log. What the journal does not take is gathered further.
    fn write(&self, window: Window, journal: &dyn Journal, now: Timestamp) {
        let (all, since) = (window.all(), window.began.unwrap_or(now));
        tracing::warn!(
            count = all,
            %since,
            "authentications failed, and were refused, too often for an entry each in the journal"
        );
        let peers = window
            .peers
            .into_iter()
            .map(|(peer, counted)| (Some(peer), counted));
        let mut left = peers.chain(window.others.map(|counted| (None, counted)));
        for (peer, counted) in left.by_ref() {
            let first = facts(peer, counted.request.clone());
            let entry = Entry::of_further_failures(&first, counted.further, now);
            if let Err(unavailable) = journal.record(&entry) {
                tracing::error!(error = %chain(&unavailable), "the journal cannot be written: they are not told of there yet");
                let mut window = self.window();
                window.began.get_or_insert(now);
                window.add(peer, counted);
                left.for_each(|(peer, counted)| window.add(peer, counted));
                return;
            }
        }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    /// Adds what was counted to what is known of the peer; of `None`, to what the others did.
    fn add(&mut self, peer: Option<Sharer>, more: Counted) {
        let full = self.peers.len() >= PEERS;
        let known = peer.filter(|peer| !full || self.peers.contains_key(peer));
        let Some(peer) = known else {
            match &mut self.others {
                Some(others) => others.add(more),
                None => self.others = Some(more),
            }
            return;
        };
        match self.peers.get_mut(&peer) {
            Some(counted) => counted.add(more),
            None => drop(self.peers.insert(peer, more)),
        }
    }

    fn all(&self) -> u64 {
        let counted = self.peers.values().chain(&self.others);
        counted.fold(0, |sum, counted| sum.saturating_add(counted.further.count))
    }
}

impl Counted {
    fn add(&mut self, more: Self) {
        let count = self.further.count.saturating_add(more.further.count);
        if more.further.since.unix_seconds() < self.further.since.unix_seconds() {
            *self = more;
        }
        self.further.count = count;
    }
}

/// What is known of all failures of a peer.
fn facts(peer: Option<Sharer>, request: RequestId) -> RequestFacts {
    let mut facts = RequestFacts::new(request);
    match peer {
        Some(Sharer::Network(address)) => facts.source_ip = Some(address),
        Some(Sharer::User(uid)) => facts.peer_uid = Some(uid),
        Some(Sharer::Door) | None => {}
    }
    facts
}

#[cfg(test)]
mod tests {
    use moho_iam::authz::{JournalUnavailable, Outcome, Position};

    use super::*;
    use crate::system::SystemEntropy;

    /// Keeps so many entries more.
    struct Pages(Mutex<(usize, Vec<Entry>)>);

    impl Journal for Pages {
        fn record(&self, entry: &Entry) -> Result<Position, JournalUnavailable> {
            let mut pages = self.0.lock().unwrap();
            if pages.0 == 0 {
                return Err(JournalUnavailable::new("full"));
            }
            pages.0 -= 1;
            pages.1.push(entry.clone());
            Ok(Position(1))
        }

        fn record_event(&self, _event: &moho_iam::authz::Event) -> Result<Position, JournalUnavailable> {
            Ok(Position(1))
        }
    }

    fn pages(room: usize) -> Pages {
        Pages(Mutex::new((room, Vec::new())))
    }

    impl Pages {
        fn read(&self) -> Vec<Entry> {
            self.0.lock().unwrap().1.clone()
        }
    }

    fn at(second: u64) -> Timestamp {
        Timestamp::from_unix_seconds(second)
    }

    fn request() -> RequestId {
        RequestId::random(&SystemEntropy::default()).unwrap()
    }

    fn peer(number: u32) -> Sharer {
        Sharer::Network(std::net::Ipv4Addr::from_bits(number).into())
    }

    #[test]
    fn each_peer_has_one_entry_for_each_minute() {
        let (unentered, journal, first) = (Unentered::default(), pages(9), request());
        unentered.count(peer(1), &first, at(100));
        for second in 101..130 {
            unentered.count(peer(1), &request(), at(second));
        }
        unentered.count(Sharer::User(7), &request(), at(130));
        unentered.settle(&journal, at(159));
        assert!(journal.read().is_empty(), "more may come");
        unentered.settle(&journal, at(160));
        let mut read = journal.read();
        read.sort_by_key(|entry| entry.peer_uid);
        let [one, other] = read.as_slice() else {
            panic!("{read:?}")
        };
        let (count, since) = (30, at(100));
        assert_eq!(one.further, Some(FurtherFailures { count, since }));
        assert_eq!(
            (one.outcome, one.reason),
            (Outcome::Unauthenticated, "further-failures")
        );
        assert_eq!((&one.request_id, one.time), (&first, at(160)));
        assert_eq!(one.source_ip, Some("0.0.0.1".parse().unwrap()));
        let (count, since) = (1, at(130));
        assert_eq!(other.further, Some(FurtherFailures { count, since }));
        assert_eq!((other.source_ip, other.peer_uid), (None, Some(7)));
        unentered.settle(&journal, at(1000));
        unentered.end(&journal, at(1000));
        assert_eq!(journal.read().len(), 2, "told once");
    }

    #[test]
    fn the_end_does_not_wait_for_the_minute() {
        let (unentered, journal) = (Unentered::default(), pages(9));
        unentered.count(peer(1), &request(), at(100));
        unentered.end(&journal, at(101));
        assert_eq!(journal.read().len(), 1);
    }

    #[test]
    fn a_crowd_is_told_of_together() {
        let (unentered, journal) = (Unentered::default(), pages(PEERS * 2));
        let crowd = u32::try_from(PEERS).unwrap() + 10;
        for number in 0..crowd {
            unentered.count(peer(number), &request(), at(100));
        }
        unentered.count(peer(0), &request(), at(101));
        unentered.end(&journal, at(101));
        let read = journal.read();
        assert_eq!(read.len(), PEERS + 1);
        let counted = |entry: &Entry| entry.further.unwrap().count;
        assert_eq!(read.iter().map(counted).sum::<u64>(), u64::from(crowd) + 1);
        let others: Vec<_> = read.iter().filter(|entry| entry.source_ip.is_none()).collect();
        assert_eq!(
            others.iter().map(|entry| counted(entry)).collect::<Vec<_>>(),
            [10]
        );
    }

    #[test]
    fn what_the_journal_does_not_take_is_told_later() {
        let (unentered, journal) = (Unentered::default(), pages(1));
        for number in 0..3 {
            unentered.count(peer(number), &request(), at(100));
        }
        unentered.settle(&journal, at(160));
        assert_eq!(journal.read().len(), 1);
        for number in 0..3 {
            unentered.count(peer(number), &request(), at(170));
        }
        journal.0.lock().unwrap().0 = 9;
        unentered.settle(&journal, at(219));
        assert_eq!(journal.read().len(), 1);
        unentered.settle(&journal, at(220));
        let mut told: Vec<_> = journal.read()[1..]
            .iter()
            .filter_map(|entry| entry.further)
            .map(|further| (further.count, further.since.unix_seconds()))
            .collect();
        told.sort_unstable();
        assert_eq!(told, [(1, 170), (2, 100), (2, 100)]);
    }
}
