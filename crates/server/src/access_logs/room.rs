//! Room for lines that wait: so much for all, and so much for the buckets of one account, so that nobody's requests silence
//! another's logs.

use moho_terms::AccountId;

use crate::net::pool::Pool;

/// Bytes of all lines that wait, in the queue and gathered for their targets.
const BYTES: usize = 32 << 20;
/// The part of one account's buckets, one in so many.
const SHARE: usize = 4;
/// What a line takes beside its text.
const BESIDES: usize = 128;

/// All the room that there is.
#[derive(Clone)]
pub(super) struct Room(Pool<AccountId>);

/// What some lines take of it, given back when dropped.
pub(super) struct Taken {
    room: Room,
    account: AccountId,
    bytes: usize,
}

impl Room {
    pub(super) fn new() -> Self {
        Self(Pool::new(BYTES, BYTES / SHARE))
    }

    /// Takes room for a line of a bucket of this account; `None` if there is none.
    pub(super) fn take(&self, account: AccountId, line: &str) -> Option<Taken> {
        let bytes = line.len().saturating_add(BESIDES);
        self.0.take(account, bytes).ok()?;
        Some(Taken {
            room: self.clone(),
            account,
            bytes,
        })
    }
}

impl Taken {
    /// The room of another line of the same account, beside this.
    pub(super) fn join(&mut self, mut other: Self) {
        if other.account == self.account {
            self.bytes = self.bytes.saturating_add(std::mem::take(&mut other.bytes));
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.0.give_back(&self.account, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_leaves_room_for_others() {
        let (one, other) = ("111111111111".parse().unwrap(), "222222222222".parse().unwrap());
        let room = Room::new();
        let line = "x".repeat((1 << 20) - BESIDES);
        let mut all = room.take(one, &line).unwrap();
        for _ in 1..8 {
            all.join(room.take(one, &line).unwrap());
        }
        assert!(room.take(one, "").is_none());
        assert!(room.take(other, &line).is_some());
        drop(all);
        assert!(room.take(one, &line).is_some(), "it was all given back");
    }
}
