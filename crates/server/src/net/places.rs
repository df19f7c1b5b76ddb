//! How many of the connections one peer may have, so that nobody takes them all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What each peer has.
#[derive(Clone)]
pub(crate) struct PeerPlaces {
    most: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection of one peer, until dropped.
pub(crate) struct PeerPlace {
    places: PeerPlaces,
    peer: IpAddr,
}

impl PeerPlaces {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            taken: Arc::new(Mutex::new(HashMap::new())),
        }
    }

    /// A place for one more connection of `address`; `None` if that would be too many.
    pub(crate) fn take(&self, address: IpAddr) -> Option<PeerPlace> {
        let peer = one_peer(address);
        let mut taken = self.taken();
        let count = taken.get(&peer).copied().unwrap_or_default();
        if count >= self.most {
            return None;
        }
        taken.insert(peer, count.saturating_add(1));
        Some(PeerPlace {
            places: self.clone(),
            peer,
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PeerPlace {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        match taken.get_mut(&self.peer) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            Some(_) | None => drop(taken.remove(&self.peer)),
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
    fn each_peer_has_its_share() {
        let places = PeerPlaces::new(2);
        let take = |address: &str| places.take(address.parse().unwrap());
        let held = [take("192.0.2.1").unwrap(), take("::ffff:192.0.2.1").unwrap()];
        assert!(take("192.0.2.1").is_none());
        let other = [take("2001:db8::1").unwrap(), take("2001:db8::ffff:2").unwrap()];
        assert!(take("2001:db8::3").is_none(), "one network is one peer");
        assert!(take("2001:db8:0:1::3").is_some());
        drop(held);
        assert!(take("192.0.2.1").is_some());
        drop(other);
        assert!(places.taken().is_empty());
    }
}
