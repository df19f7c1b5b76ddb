//! Where the events of calls come from.

use std::error::Error;

use moho_audit::cloudtrail::record::Record;
use moho_terms::{AccountId, Timestamp};

/// An event, as one account sees it.
pub(crate) struct CallEvent {
    /// Where it stands in the journal. Several have the same place if a call is told to several accounts.
    pub(crate) position: u64,
    /// Whom it is told to.
    pub(crate) account: AccountId,
    /// What is told.
    pub(crate) record: Record,
}

/// Some events, in the order of the journal.
pub(crate) struct CallPage {
    /// All there are up to `end`, but for those before the page.
    pub(crate) events: Vec<CallEvent>,
    /// The last position that was looked at.
    pub(crate) end: u64,
}

/// The journal cannot be read now. No content.
pub(crate) type Unreadable = Box<dyn Error + Send + Sync>;

/// The events of the calls that are in this process' journal, on the disk. What is derived from a position is always the same.
pub(crate) trait CallEvents: Send + Sync {
    /// Some events behind `position`: all of each position or none. The page's `end` is behind `position` unless there is nothing
    /// more on the disk.
    ///
    /// # Errors
    /// [`Unreadable`]: the same is asked for again later.
    fn after(&self, position: u64) -> Result<CallPage, Unreadable>;

    /// The name of the journal that positions are of: another one has another name.
    fn journal(&self) -> String;

    /// The last position before the first one that is as late as a time.
    ///
    /// # Errors
    /// [`Unreadable`]: the same is asked for again later.
    fn since(&self, time: Timestamp) -> Result<u64, Unreadable>;

    /// When what stands first behind a position was written; `None` if there is nothing, or it does not say.
    ///
    /// # Errors
    /// [`Unreadable`]: the same is asked for again later.
    fn written_after(&self, position: u64) -> Result<Option<Timestamp>, Unreadable>;

    /// The last position that is on the disk.
    fn durable_end(&self) -> u64;
}
