//! An amount of something that is shared by peers: so much in all, and so much for one of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Peer;

/// Who has one share, however many connections and addresses it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Sharer {
    /// An address of the network (see [`one_peer`]).
    Network(IpAddr),
    /// A user of this machine, at a Unix socket.
    User(u32),
    /// Whoever is at the bootstrap door.
    Door,
}

impl Sharer {
    /// Whose share a peer has.
    pub(crate) fn of(peer: Peer) -> Self {
        match peer {
            Peer::Network(address) => Self::Network(one_peer(address.ip())),
            Peer::Local { uid } => Self::User(uid),
            Peer::Door { .. } => Self::Door,
        }
    }
}

/// All that there is, for peers or for whatever else has shares.
#[derive(Clone)]
pub(crate) struct Pool<K = Sharer> {
    most: usize,
    each: usize,
    taken: Arc<Mutex<Taken<K>>>,
}

struct Taken<K> {
    all: usize,
    peers: HashMap<K, usize>,
}

/// Why there is nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exhausted {
    /// The peer has its share.
    Peer,
    /// Others have the rest.
    All,
}

impl<K: Eq + Hash> Pool<K> {
    /// As much as `most`, of which one peer gets `each`.
    pub(crate) fn new(most: usize, each: usize) -> Self {
        Self {
            most,
            each,
            taken: Arc::new(Mutex::new(Taken {
                all: 0,
                peers: HashMap::new(),
            })),
        }
    }

    /// Takes `amount` more for a peer. It never waits: who waits while holding some can wait for ever.
    pub(crate) fn take(&self, peer: K, amount: usize) -> Result<(), Exhausted> {
        let mut taken = self.taken();
        let own = taken.peers.get(&peer).copied().unwrap_or_default();
        let (own, all) = (own.saturating_add(amount), taken.all.saturating_add(amount));
        if own > self.each {
            return Err(Exhausted::Peer);
        }
        if all > self.most {
            return Err(Exhausted::All);
        }
        taken.all = all;
        taken.peers.insert(peer, own);
        Ok(())
    }

    /// Gives back what a peer took.
    pub(crate) fn give_back(&self, peer: &K, amount: usize) {
        let mut taken = self.taken();
        taken.all = taken.all.saturating_sub(amount);
        match taken.peers.get_mut(peer) {
            Some(own) if *own > amount => *own = own.saturating_sub(amount),
            Some(_) | None => drop(taken.peers.remove(peer)),
        }
    }

    /// How much is taken, and by how many peers.
    #[cfg(test)]
    pub(super) fn in_use(&self) -> (usize, usize) {
        let taken = self.taken();
        (taken.all, taken.peers.len())
    }

    fn taken(&self) -> MutexGuard<'_, Taken<K>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn a_user_of_this_machine_is_one_peer() {
        let network = |address: &str| Sharer::of(Peer::Network(address.parse().unwrap()));
        assert_eq!(network("[2001:db8::1]:1"), network("[2001:db8::2]:2"));
        assert_ne!(network("127.0.0.1:1"), network("127.0.0.2:1"));
        let local = |uid| Sharer::of(Peer::Local { uid });
        assert_eq!(local(7), local(7));
        assert_ne!(local(7), local(8));
        let pool = Pool::new(3, 2);
        assert_eq!(pool.take(local(7), 2), Ok(()));
        assert_eq!(pool.take(local(7), 1), Err(Exhausted::Peer));
        assert_eq!(pool.take(local(8), 1), Ok(()));
        assert_eq!(pool.take(Sharer::Door, 1), Err(Exhausted::All));
    }
}
