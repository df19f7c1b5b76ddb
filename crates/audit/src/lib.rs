//! The journal: every decision written down, in order, before anything happens.
//!
//! [`FileJournal`] is the only [`Journal`](moho_iam::authz::Journal) outside tests. It appends one line of JSON per
//! entry; each line carries the SHA-256 of itself, which covers that of the line before it, so that nothing can be
//! changed, left out or put in between without every later digest being wrong. Entries are content-free by type.
//!
//! What it promises: an entry that was acknowledged survives the process being killed at any moment, and within a second
//! a loss of power. What it does not promise yet: the chain alone does not show that its newest entries were cut off.
#![forbid(unsafe_code)]

mod blinding;
mod calls;
mod chain;
mod checkpoints;
pub mod cloudtrail;
mod committer;
mod error;
mod growing_up;
mod hashes;
mod holding;
#[doc(hidden)]
pub mod hostile_input;
mod interrupted;
mod journal;
mod log;
mod mark;
mod offsets;
mod records;
mod replay;
mod sealed_record;
mod search;
mod segment;
mod shown;
#[doc(hidden)]
pub mod synthetic;
#[cfg(test)]
mod tests;
mod tree;
mod verify;
mod whole;

pub use calls::{PastCall, PastCalls};
pub use checkpoints::{
    LogKeys, Prove, Published, Witnesses, begin_log_anew, begin_log_of_restored, log_named,
};
pub use error::AuditError;
pub use holding::{HeldLog, KeptCheckpoint, LogFault, hold, hold_range};
pub use interrupted::{DecidedThen, Interrupted, interrupted};
pub use journal::{FileJournal, Recovery};
pub use log::{ProvenHash, ProvenRecord, TransparencyLog};
pub use mark::Reached;
pub use replay::{Past, replay};
pub use sealed_record::{RecordSeal, SealError, Sealing};
pub use search::Search;
pub use shown::ShownRecord;
pub use verify::{Verified, verify};
pub use whole::{WholePart, whole_parts};
