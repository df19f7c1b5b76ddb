//! Room for what is gathered of calls.

use std::sync::Arc;

use moho_terms::AccountId;

use super::InvocationLog;

/// What one call takes of the room, given back when dropped.
pub(super) struct Taken {
    log: Arc<InvocationLog>,
    account: AccountId,
    bytes: usize,
}

impl Taken {
    /// Nothing yet.
    pub(super) fn new(log: &Arc<InvocationLog>, account: AccountId) -> Self {
        Self {
            log: Arc::clone(log),
            account,
            bytes: 0,
        }
    }

    /// Takes more; `false` if there is no more.
    pub(super) fn more(&mut self, bytes: usize) -> bool {
        let took = self.log.room.take(self.account, bytes).is_ok();
        if took {
            self.bytes = self.bytes.saturating_add(bytes);
        }
        took
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.log.room.give_back(&self.account, self.bytes);
    }
}
