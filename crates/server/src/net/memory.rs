//! The memory that requests' bodies may take together, so that many large ones at once are refused, not swapped.
//!
//! One peer gets its share and no more, and a part is kept for small bodies: neither one client nor all who send large
//! ones can shut the others out. Nor can whoever knows an access key's id and has many addresses: until their signatures
//! are checked, the large bodies of all who claim to have one key share a part.

use moho_terms::AccessKeyId;

use super::pool::{Exhausted, Pool, Sharer};
use super::{Limits, RimError};

/// Bytes of a body that is small.
const SMALL: usize = 16 << 10;
/// The part of the memory that is kept for small bodies, one in so many.
const RESERVE: usize = 16;
/// The part of the rest that one access key gets for large bodies whose signatures are not checked yet, one in so many.
const CLAIMED: usize = 4;

/// Memory for bodies, shared by all connections.
#[derive(Clone)]
pub(crate) struct BodyMemory {
    /// For all bodies.
    common: Pool,
    /// For small ones, once the rest is taken.
    reserve: Pool,
    /// What large ones take on the strength of a claim; it is taken of the common part besides.
    claimed: Pool<AccessKeyId>,
}

/// A share of [`BodyMemory`], given back when dropped.
pub(crate) struct Share {
    memory: BodyMemory,
    peer: Sharer,
    bytes: usize,
    reserved: bool,
    /// The access key that whoever sends it claims to have, and what was taken on the strength of it.
    claim: Option<(AccessKeyId, usize)>,
}

impl BodyMemory {
    pub(crate) fn new(limits: &Limits) -> Self {
        let reserve = (limits.body_memory / RESERVE).min(limits.body_memory.saturating_sub(limits.body));
        let common = limits.body_memory.saturating_sub(reserve);
        Self {
            // A body of the greatest size that is allowed has to fit.
            common: Pool::new(common, limits.share_per_peer(common).max(limits.body)),
            reserve: Pool::new(reserve, limits.share_per_peer(reserve)),
            claimed: Pool::new(common, (common / CLAIMED).max(limits.body)),
        }
    }

    /// The same for bodies that are taken in pieces, of which only a part is in memory, but for long.
    pub(crate) fn of_streams(limits: &Limits) -> Self {
        Self::new(&Limits {
            body_memory: limits.stream_memory(),
            ..*limits
        })
    }

    /// A share of nothing, that can grow, for a body of `peer`, who may only claim to have an access key.
    pub(crate) fn share(&self, peer: Sharer, claims: Option<AccessKeyId>) -> Share {
        Share {
            memory: self.clone(),
            peer,
            bytes: 0,
            reserved: false,
            claim: claims.map(|key| (key, 0)),
        }
    }
}

impl Share {
    /// Takes `bytes` more. It never waits for others: who waits for memory while holding some can wait for ever.
    ///
    /// # Errors
    /// [`RimError::Busy`] if so much is not free, [`RimError::Unproven`] if too many claim to have the same access key.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), RimError> {
        let all = self.bytes.saturating_add(bytes);
        self.claim_for(all)?;
        let BodyMemory { common, reserve, .. } = &self.memory;
        if self.reserved && all <= SMALL {
            reserve.take(self.peer, bytes).map_err(busy)?;
        } else if self.reserved {
            common.take(self.peer, all).map_err(busy)?;
            reserve.give_back(&self.peer, self.bytes);
            self.reserved = false;
        } else if let Err(exhausted) = common.take(self.peer, bytes) {
            if all > SMALL {
                return Err(busy(exhausted));
            }
            reserve.take(self.peer, all).map_err(busy)?;
            common.give_back(&self.peer, self.bytes);
            self.reserved = true;
        }
        self.bytes = all;
        Ok(())
    }

    /// Has the claim bear a body of so many bytes. Small ones need none: the key's owner is not shut out by others.
    fn claim_for(&mut self, all: usize) -> Result<(), RimError> {
        if let Some((key, taken)) = &mut self.claim
            && all > SMALL
        {
            let claimed = &self.memory.claimed;
            let more = claimed.take(key.clone(), all.saturating_sub(*taken));
            more.map_err(|_exhausted| RimError::Unproven)?;
            *taken = all;
        }
        Ok(())
    }

    /// The body is whole, and goes where its signature is checked at once: it takes nothing more of the key's part.
    pub(crate) fn complete(&mut self) {
        if let Some((key, taken)) = self.claim.take() {
            self.memory.claimed.give_back(&key, taken);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.complete();
        let BodyMemory { common, reserve, .. } = &self.memory;
        let pool = if self.reserved { reserve } else { common };
        pool.give_back(&self.peer, self.bytes);
    }
}

/// Whose share is used up is not told apart: either way there is room again once bodies have been dealt with.
fn busy(_exhausted: Exhausted) -> RimError {
    RimError::Busy
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory of 16 bodies, the common part of 15 MiB and a reserve of 1 MiB.
    fn memory() -> BodyMemory {
        BodyMemory::new(&Limits {
            body: 1 << 20,
            body_memory: 16 << 20,
            ..Limits::default()
        })
    }

    fn peer(last: u8) -> Sharer {
        Sharer::Network([192, 0, 2, last].into())
    }

    /// As many shares of `bytes` as the peer can get.
    fn fill(memory: &BodyMemory, peer: Sharer, bytes: usize) -> Vec<Share> {
        let mut shares = Vec::new();
        loop {
            let mut share = memory.share(peer, None);
            if share.grow(bytes).is_err() {
                return shares;
            }
            shares.push(share);
        }
    }

    #[test]
    fn one_peer_leaves_room_for_others() {
        let memory = memory();
        let greedy = fill(&memory, peer(1), 1 << 20);
        assert_eq!(greedy.len(), 7, "half");
        assert_eq!(fill(&memory, peer(2), 1 << 20).len(), 7);
        drop(greedy);
        assert_eq!(fill(&memory, peer(1), 1 << 20).len(), 7, "what was given back");
    }

    #[test]
    fn small_bodies_find_room_when_large_ones_have_taken_all() {
        let memory = memory();
        let _large: Vec<_> = (1..=3).map(|last| fill(&memory, peer(last), 1 << 20)).collect();
        assert_eq!(fill(&memory, peer(4), 1 << 20).len(), 0);
        let mut small = fill(&memory, peer(4), SMALL);
        assert_eq!(small.len(), 32, "half of the reserve");
        assert_eq!(small[0].grow(1), Err(RimError::Busy), "it is small no more");
        assert_eq!(fill(&memory, peer(5), SMALL).len(), 32);
        drop(small);
        assert_eq!(fill(&memory, peer(4), SMALL).len(), 32);
    }

    #[test]
    fn a_key_whose_id_is_known_opens_a_part_only_until_it_is_proven() {
        let memory = memory();
        let claiming = |last: u8, key: &str, bytes: usize| {
            let mut share = memory.share(peer(last), Some(key.parse().unwrap()));
            share.grow(bytes).map(|()| share)
        };
        let known = "AKIAEXAMPLEEXAMPLE23";
        let from_many = |last| claiming(last, known, 1 << 20);
        let mut held: Vec<_> = (1..=3).map(|last| from_many(last).ok().unwrap()).collect();
        assert_eq!(
            from_many(4).err(),
            Some(RimError::Unproven),
            "from wherever it comes"
        );
        assert!(
            claiming(4, known, SMALL).is_ok(),
            "the key's owner still sends small ones"
        );
        assert!(claiming(4, "AKIAEXAMPLEEXAMPLE24", 1 << 20).is_ok());
        let mut proven = memory.share(peer(1), None);
        assert_eq!(proven.grow(1 << 20), Ok(()));
        held[0].complete();
        held.push(from_many(4).ok().unwrap());
        assert_eq!(
            memory.claimed.in_use(),
            (3 << 20, 1),
            "and what was proven is held on"
        );
        assert_eq!(memory.common.in_use().0, 5 << 20);
        drop((held, proven));
        assert_eq!(memory.claimed.in_use(), (0, 0));
        assert_eq!(memory.common.in_use(), (0, 0));
    }

    #[test]
    fn what_grows_out_of_the_reserve_leaves_it() {
        let memory = memory();
        let mut large: Vec<_> = (1..=3)
            .flat_map(|last| fill(&memory, peer(last), 1 << 20))
            .collect();
        let mut share = memory.share(peer(4), None);
        assert_eq!(share.grow(SMALL), Ok(()));
        assert_eq!(memory.reserve.in_use().0, SMALL);
        drop(large.pop());
        assert_eq!(share.grow(1), Ok(()));
        assert_eq!((memory.reserve.in_use().0, share.reserved), (0, false));
        drop((share, large));
        assert_eq!(memory.common.in_use(), (0, 0));
    }
}
