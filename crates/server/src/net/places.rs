//! The places for requests in progress: so many in all, and so many for one peer, so that nobody takes them all.

use super::RimError;
use super::pool::{Exhausted, Pool, Sharer};

/// All places.
#[derive(Clone)]
pub(crate) struct Places(Pool);

/// One request's place, until dropped.
pub(crate) struct Place {
    places: Pool,
    peer: Sharer,
}

impl Places {
    /// As many as `most`, of which one peer gets `each`.
    pub(crate) fn new(most: usize, each: usize) -> Self {
        Self(Pool::new(most, each))
    }

    /// A place for one more request of `peer`.
    ///
    /// # Errors
    /// [`RimError::TooMany`] if the peer has its share, [`RimError::Full`] if all places are taken.
    pub(crate) fn take(&self, peer: Sharer) -> Result<Place, RimError> {
        self.0.take(peer, 1).map_err(|exhausted| match exhausted {
            Exhausted::Peer => RimError::TooMany,
            Exhausted::All => RimError::Full,
        })?;
        let places = self.0.clone();
        Ok(Place { places, peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.give_back(&self.peer, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::pool::one_peer;

    #[test]
    fn each_peer_has_its_share_and_all_have_theirs() {
        let places = Places::new(4, 2);
        let take = |address: &str| places.take(Sharer::Network(one_peer(address.parse().unwrap())));
        let held = [take("192.0.2.1"), take("::ffff:192.0.2.1")].map(Result::unwrap);
        assert_eq!(take("192.0.2.1").err(), Some(RimError::TooMany));
        let other = [take("2001:db8::1"), take("2001:db8::ffff:2")].map(Result::unwrap);
        let again = take("2001:db8::3");
        assert_eq!(again.err(), Some(RimError::TooMany), "one network is one peer");
        assert_eq!(take("2001:db8:0:1::3").err(), Some(RimError::Full));
        drop(held);
        assert!(take("2001:db8:0:1::3").is_ok());
        drop(other);
        assert_eq!(places.0.in_use(), (0, 0));
    }
}
