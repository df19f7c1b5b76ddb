//! The memory that requests' bodies may take together, so that many large ones at once are refused, not swapped.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::RimError;

/// Memory for bodies, shared by all connections. One permit is one byte.
#[derive(Clone)]
pub(crate) struct BodyMemory(Arc<Semaphore>);

/// A share of [`BodyMemory`], given back when dropped.
pub(crate) struct Share {
    memory: BodyMemory,
    held: Option<OwnedSemaphorePermit>,
}

impl BodyMemory {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// A share of nothing, that can grow.
    pub(crate) fn share(&self) -> Share {
        Share {
            memory: self.clone(),
            held: None,
        }
    }
}

impl Share {
    /// Takes `bytes` more. It never waits for others: who waits for memory while holding some can wait for ever.
    ///
    /// # Errors
    /// [`RimError::Busy`] if so much is not free.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), RimError> {
        let bytes = u32::try_from(bytes).map_err(|_too_many| RimError::Busy)?;
        let memory = Arc::clone(&self.memory.0);
        let more = memory
            .try_acquire_many_owned(bytes)
            .map_err(|_not_free| RimError::Busy)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_share_is_free_again() {
        let memory = BodyMemory::new(100);
        let (mut first, mut second) = (memory.share(), memory.share());
        assert_eq!(first.grow(60), Ok(()));
        assert_eq!(first.grow(30), Ok(()));
        assert_eq!(second.grow(11), Err(RimError::Busy));
        drop(first);
        assert_eq!(second.grow(100), Ok(()));
    }
}
