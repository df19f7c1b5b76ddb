//! The places for requests in progress: so many in all, and so many for one peer, so that nobody takes them all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::RimError;

/// All places.
#[derive(Clone)]
pub(crate) struct Places {
    most: usize,
    each: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    peers: HashMap<IpAddr, usize>,
}

/// One request's place, until dropped.
pub(crate) struct Place {
    places: Places,
    peer: IpAddr,
}

impl Places {
    /// As many as `most`, of which one peer gets `each`.
    pub(crate) fn new(most: usize, each: usize) -> Self {
        Self {
            most,
            each,
            taken: Arc::default(),
        }
    }

    /// A place for one more request of `address`. It never waits: who waits holds memory.
    ///
    /// # Errors
    /// [`RimError::TooMany`] if the peer has its share, [`RimError::Full`] if all places are taken.
    pub(crate) fn take(&self, address: IpAddr) -> Result<Place, RimError> {
        let peer = one_peer(address);
        let mut taken = self.taken();
        let count = taken.peers.get(&peer).copied().unwrap_or_default();
        if count >= self.each {
            return Err(RimError::TooMany);
        }
        if taken.all >= self.most {
            return Err(RimError::Full);
        }
        taken.all = taken.all.saturating_add(1);
        taken.peers.insert(peer, count.saturating_add(1));
        Ok(Place {
            places: self.clone(),
            peer,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(1);
        match taken.peers.get_mut(&self.peer) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            Some(_) | None => drop(taken.peers.remove(&self.peer)),
        }
    }
}

/// The peer that an address stands for: with IPv6, one network has 2⁶⁴ of them.
pub(crate) fn one_peer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_has_its_share_and_all_have_theirs() {
        let places = Places::new(4, 2);
        let take = |address: &str| places.take(address.parse().unwrap());
        let held = [take("192.0.2.1"), take("::ffff:192.0.2.1")].map(Result::unwrap);
        assert_eq!(take("192.0.2.1").err(), Some(RimError::TooMany));
        let other = [take("2001:db8::1"), take("2001:db8::ffff:2")].map(Result::unwrap);
        let again = take("2001:db8::3");
        assert_eq!(again.err(), Some(RimError::TooMany), "one network is one peer");
        assert_eq!(take("2001:db8:0:1::3").err(), Some(RimError::Full));
        drop(held);
        assert!(take("2001:db8:0:1::3").is_ok());
        drop(other);
        assert!(places.taken().peers.is_empty());
        assert_eq!(places.taken().all, 0);
    }
}
