//! Where blocks come from: the store, with leave for the keys that they are sealed under.

use std::sync::Arc;

use moho_iam::action::{Action, kms};
use moho_iam::authz::Permit;
use moho_kms::Kms;
use moho_store::logs::{BlockFacts, LogEvent, OpenedBlock};
use moho_store::{Store, StoreError};
use thiserror::Error;

use super::Position;
use crate::pattern::RequiredLiterals;

/// What is known of a block before it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// The earliest time of its events.
    pub first_time: i64,
    /// The latest.
    pub last_time: i64,
    /// The number of its stream.
    pub stream: u64,
    /// What that is called.
    pub stream_name: Arc<str>,
    /// The number of its first event.
    pub sequence: u64,
    /// How many it has.
    pub events: u64,
    /// Its bytes.
    pub size: usize,
}

impl Extent {
    /// Where the earliest of its events can be.
    #[must_use]
    pub fn earliest(&self) -> Position {
        Position {
            time: self.first_time,
            stream: self.stream,
            sequence: self.sequence,
        }
    }

    /// Where the latest can be.
    #[must_use]
    pub fn latest(&self) -> Position {
        Position {
            time: self.last_time,
            stream: self.stream,
            sequence: self.sequence.saturating_add(self.events).saturating_sub(1),
        }
    }
}

/// Blocks that can be opened.
pub trait Blocks {
    /// Why one cannot.
    type Error;

    /// What is known of all of them.
    fn extents(&self) -> Vec<Extent>;

    /// Tells the events of the block in this place, in the order of their times, until `each` says that it is enough. Nothing
    /// is told of one that has certainly no event with what is required.
    ///
    /// # Errors
    /// The block does not open.
    fn tell(
        &self,
        block: usize,
        required: Option<&RequiredLiterals>,
        each: &mut dyn FnMut(&LogEvent<'_>) -> bool,
    ) -> Result<(), Self::Error>;
}

/// Why events could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The store says why.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A block is sealed under a key that there is no leave for, by now.
    #[error("a block is sealed under another key")]
    OtherKey,
}

/// Blocks of the store.
pub struct KeptBlocks<'a, A> {
    /// Where they are.
    pub store: &'a Store,
    /// What opens them.
    pub kms: &'a Kms,
    /// Leave to read them.
    pub permit: &'a Permit<A>,
    /// Leave for all keys that they are sealed under.
    pub keys: &'a [Permit<kms::Decrypt>],
    /// Which they are.
    pub blocks: Vec<BlockFacts>,
}

impl<A: Action> KeptBlocks<'_, A> {
    /// Whether a block may have what is required, by its summary.
    fn may_have(&self, facts: &BlockFacts, required: &RequiredLiterals) -> Result<bool, SearchError> {
        let id = facts.key.1.as_str();
        let key = self
            .keys
            .iter()
            .find(|key| key.resource().resource().strip_prefix("key/") == Some(id));
        let (true, Some(key)) = (facts.is_summed_up, key) else {
            return Ok(true);
        };
        let summary = self.store.log_summary((self.permit, facts), key, self.kms)?;
        Ok(summary.is_none_or(|summary| {
            let all = |set: &Vec<String>| set.iter().all(|literal| summary.may_have(literal));
            required.sets().iter().any(all)
        }))
    }
}

impl<A: Action> Blocks for KeptBlocks<'_, A> {
    type Error = SearchError;

    fn extents(&self) -> Vec<Extent> {
        let extent = |facts: &BlockFacts| Extent {
            first_time: facts.first_time,
            last_time: facts.last_time,
            stream: facts.stream,
            stream_name: Arc::clone(&facts.stream_name),
            sequence: facts.sequence,
            events: facts.events,
            size: usize::try_from(facts.size).unwrap_or(usize::MAX),
        };
        self.blocks.iter().map(extent).collect()
    }

    fn tell(
        &self,
        block: usize,
        required: Option<&RequiredLiterals>,
        each: &mut dyn FnMut(&LogEvent<'_>) -> bool,
    ) -> Result<(), SearchError> {
        let Some(facts) = self.blocks.get(block) else {
            return Ok(());
        };
        if let Some(required) = required
            && !self.may_have(facts, required)?
        {
            return Ok(());
        }
        match self
            .store
            .open_log_block((self.permit, facts), self.keys, self.kms)?
        {
            OpenedBlock::Gone => Ok(()),
            OpenedBlock::OtherKey => Err(SearchError::OtherKey),
            OpenedBlock::There(opened) => {
                if required.is_some_and(|required| !required.are_in(opened.text())) {
                    return Ok(());
                }
                let _enough = opened.events().all(|event| each(&event));
                Ok(())
            }
        }
    }
}
