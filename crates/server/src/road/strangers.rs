//! How many failed authentications get an entry of their own in the journal: a stranger must not be able to fill the disk.
//!
//! The rest is told of together, by [`Unentered`]. And, apart from that, how many web identities each peer has failed to prove: whoever shares an address with others is
//! not slowed by what else they get wrong.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use moho_iam::authz::Journal;
use moho_terms::{RequestId, Timestamp};

use super::unentered::Unentered;
use crate::net::pool::Sharer;

/// Entries in one second for one peer, and for all of them.
const EACH: u32 = 20;
const ALL: u32 = 200;
/// Proofs that fail in one second before no more of a peer's are looked at.
const PROOFS: u32 = 20;
/// Tokens of a peer whose proofs have failed so often that are looked at in one second all the same, as others may share
/// its address: checking a signature takes some microseconds.
const SECOND_LOOKS: u32 = 500;
/// Peers whose failed proofs are counted in one second: more than can fail so often, in some megabytes.
const COUNTED_PEERS: usize = 1 << 16;

/// Counts failed authentications, second by second.
#[derive(Default)]
pub(crate) struct Strangers {
    journaled: Mutex<Second>,
    unentered: Unentered,
    proofs: Mutex<Proofs>,
}

#[derive(Default)]
struct Second {
    second: u64,
    /// Entries of each peer.
    entries: HashMap<Sharer, u32>,
    written: u32,
}

/// Failed proofs of web identities.
#[derive(Default)]
struct Proofs {
    second: u64,
    failed: HashMap<Sharer, Failed>,
}

/// What a peer has done in one second.
#[derive(Default)]
struct Failed {
    proofs: u32,
    /// Tokens that were looked at after that.
    second_looks: u32,
    /// Those of them that came to nothing all the same.
    in_vain: u32,
}

impl Strangers {
    /// Whether the failure of a request gets an entry of its own. One that gets none is counted.
    pub(super) fn gets_entry(&self, source: Sharer, request: &RequestId, now: Timestamp) -> bool {
        let gets = {
            let mut second = self.journaled.lock().unwrap_or_else(PoisonError::into_inner);
            if second.second != now.unix_seconds() {
                *second = Second {
                    second: now.unix_seconds(),
                    ..Second::default()
                };
            }
            second.take(source)
        };
        if !gets {
            self.unentered.count(source, request, now);
        }
        gets
    }

    /// Writes down the failures without entries of their own, once their time is over.
    pub(crate) fn settle(&self, journal: &dyn Journal, now: Timestamp) {
        self.unentered.settle(journal, now);
    }

    /// Writes them down a last time.
    pub(crate) fn end(&self, journal: &dyn Journal, now: Timestamp) {
        self.unentered.end(journal, now);
    }

    /// Counts a web identity that was not proved, or came to nothing; at the second look or the first.
    pub(super) fn proof_failed(&self, source: Sharer, at_second_look: bool, now: Timestamp) {
        let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        if proofs.second != now.unix_seconds() {
            *proofs = Proofs {
                second: now.unix_seconds(),
                failed: HashMap::new(),
            };
        }
        if proofs.failed.len() < COUNTED_PEERS || proofs.failed.contains_key(&source) {
            let failed = proofs.failed.entry(source).or_default();
            failed.proofs = failed.proofs.saturating_add(1);
            failed.in_vain = failed.in_vain.saturating_add(u32::from(at_second_look));
        }
    }

    /// Whether so many of this peer's proofs failed in the present second that no more are looked at.
    pub(super) fn has_failed_too_often(&self, source: Sharer, now: Timestamp) -> bool {
        let proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = proofs.failed.get(&source);
        proofs.second == now.unix_seconds() && failed.is_some_and(|failed| failed.proofs >= PROOFS)
    }

    /// Whether a token of a peer that has failed too often is looked at, to see if it is another's who shares its address.
    pub(super) fn gets_second_look(&self, source: Sharer, now: Timestamp) -> bool {
        let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        if proofs.second != now.unix_seconds() {
            return true;
        }
        proofs.failed.get_mut(&source).is_none_or(|failed| {
            failed.second_looks = failed.second_looks.saturating_add(1);
            failed.second_looks <= SECOND_LOOKS && failed.in_vain < PROOFS
        })
    }
}

impl Second {
    fn take(&mut self, source: Sharer) -> bool {
        if self.written >= ALL {
            return false;
        }
        let entries = self.entries.entry(source).or_default();
        if *entries >= EACH {
            return false;
        }
        *entries = entries.saturating_add(1);
        self.written = self.written.saturating_add(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemEntropy;

    fn request() -> RequestId {
        RequestId::random(&SystemEntropy::default()).unwrap()
    }

    #[test]
    fn nobody_writes_more_than_its_share_and_all_together_not_more_than_theirs() {
        let strangers = Strangers::default();
        let entries = |address: [u8; 4], second: u64| {
            let now = Timestamp::from_unix_seconds(second);
            let tries = 0..EACH * 2;
            tries
                .filter(|_| strangers.gets_entry(Sharer::Network(address.into()), &request(), now))
                .count()
        };
        assert_eq!(entries([192, 0, 2, 1], 1), 20);
        assert_eq!(entries([192, 0, 2, 2], 1), 20, "another's failures are told");
        let others: usize = (3..50).map(|last| entries([192, 0, 2, last], 1)).sum();
        assert_eq!(others, 160);
        assert_eq!(entries([192, 0, 2, 1], 2), 20, "the next second is another");
    }

    #[test]
    fn only_proofs_that_fail_slow_a_peer_and_however_many_others_fail() {
        let strangers = Strangers::default();
        let peer = |last: u8| Sharer::Network([192, 0, 2, last].into());
        let now = Timestamp::from_unix_seconds(1);
        for junk in 0..1000 {
            strangers.gets_entry(peer(u8::try_from(junk % 200).unwrap()), &request(), now);
        }
        assert!(!strangers.has_failed_too_often(peer(1), now), "none was a proof");
        for last in 1..=100 {
            for _ in 0..PROOFS - 1 {
                strangers.proof_failed(peer(last), false, now);
            }
            assert!(!strangers.has_failed_too_often(peer(last), now), "{last}");
            strangers.proof_failed(peer(last), false, now);
            assert!(strangers.has_failed_too_often(peer(last), now), "{last}");
        }
        assert!(!strangers.has_failed_too_often(peer(101), now));
        let next = Timestamp::from_unix_seconds(2);
        assert!(!strangers.has_failed_too_often(peer(1), next));
        strangers.proof_failed(peer(1), false, next);
        assert!(!strangers.has_failed_too_often(peer(1), next));
        assert_eq!(strangers.proofs.lock().unwrap().failed.len(), 1, "nobody is kept");
    }

    #[test]
    fn whoever_failed_too_often_gets_so_many_second_looks_and_no_more() {
        let strangers = Strangers::default();
        let (one, other) = (Sharer::User(1), Sharer::User(2));
        let looks = |peer: Sharer, second: u64| {
            let now = Timestamp::from_unix_seconds(second);
            for _ in 0..PROOFS {
                strangers.proof_failed(peer, false, now);
            }
            let tries = 0..SECOND_LOOKS * 2;
            tries.filter(|_| strangers.gets_second_look(peer, now)).count()
        };
        assert_eq!(looks(one, 1), 500);
        assert_eq!(looks(other, 1), 500);
        assert_eq!(looks(one, 1), 0);
        assert_eq!(looks(one, 2), 500);
        let now = Timestamp::from_unix_seconds(2);
        assert!(strangers.gets_second_look(other, now), "who has not failed");
        for _ in 0..PROOFS {
            strangers.proof_failed(other, false, now);
        }
        for _ in 0..PROOFS {
            assert!(strangers.gets_second_look(other, now));
            strangers.proof_failed(other, true, now);
        }
        assert!(
            !strangers.gets_second_look(other, now),
            "its good tokens come to nothing"
        );
    }

    #[test]
    fn what_is_counted_is_bounded() {
        let strangers = Strangers::default();
        let now = Timestamp::from_unix_seconds(1);
        for number in 0..u32::try_from(COUNTED_PEERS).unwrap() + 10 {
            strangers.proof_failed(Sharer::User(number), false, now);
        }
        assert_eq!(strangers.proofs.lock().unwrap().failed.len(), COUNTED_PEERS);
        for _ in 0..PROOFS {
            strangers.proof_failed(Sharer::User(0), false, now);
        }
        assert!(strangers.has_failed_too_often(Sharer::User(0), now));
    }
}
