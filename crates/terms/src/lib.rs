//! The glossary as types.
//!
//! Everything the other crates speak about has its one word here: who ([`Arn`], [`AccountId`]), when ([`Timestamp`],
//! [`Clock`]), which ([`RequestId`], [`ModelId`], …) and, most of all, what may never be shown ([`Content`],
//! [`Secret`]). No I/O: time and randomness are traits, which `server` implements.
#![forbid(unsafe_code)]

mod arn;
pub mod hex;
mod ids;
mod object_key;
mod sealed;
mod time;

pub use arn::{AccountId, Arn, ArnError, Region};
pub use ids::{
    AccessKeyId, BucketName, ConversationId, EndpointId, IdError, ItemId, KeyId, ModelId, PromptId,
    RequestId, ResponseId, RoleName, SessionName, SourceIdentity, UploadId, UserName, VersionId, VpcId,
};
pub use object_key::{ObjectKey, ObjectKeyError};
pub use sealed::{Content, ContentBytes, Secret};
pub use time::{Clock, Stopwatch, Timestamp, TimestampError};

/// A source of unpredictable bytes. Randomness is an argument, so that pure code can be replayed.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with unpredictable bytes.
    ///
    /// # Errors
    /// [`EntropyUnavailable`] when the system gives none; the caller fails closed.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable>;
}

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct EntropyUnavailable;
