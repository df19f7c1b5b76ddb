//! Objects: sealed segments of bytes, and what is known of them.
//!
//! Names rest in the clear: buckets, keys, tags, sizes, times, ids. Everything else of an object is sealed: its bytes in
//! segments, and its headers, user metadata and checksums in one document beside them. Each method takes the proof that its
//! caller may do that, and finds the bucket and the object by what the proof is for.

mod asked;
mod buckets;
mod copying;
mod deciding;
mod deleting;
mod documents;
mod error;
mod facts;
mod garbage;
mod held;
mod layout;
pub mod lifecycle;
mod listing;
mod locking;
mod logging;
mod putting;
mod reading;
mod resealing;
mod rows;
mod scrubbing;
mod sealing;
mod segments;
mod settings;
mod tags;
mod uploads;
mod version;
mod within;

pub use asked::{
    BucketsRequest, Completion, DeletePermit, Deleted, Deletion, ListRequest, ListedPart, Listing, Moment,
    NewObject, NewPart, PartPlace, Piece, Stored, Upload, UploadListing, UploadsRequest, VersionListing,
    VersionsRequest,
};
pub use copying::Copying;
pub use documents::{ReadsDocument, WritesDocument};
pub use error::ObjectError;
pub use facts::BucketFacts;
pub use garbage::{Orphans, Swept};
pub(crate) use held::Held;
pub use held::Pieces;
pub use layout::PartLayout;
pub use locking::RetentionPermits;
pub use logging::{AccessLogging, LogKeyFormat};
pub use resealing::Resealing;
pub use scrubbing::{Finding, Pace, Scrubbed};
pub use sealing::{Checksum, ObjectEncryption, ObjectMetadata, SealedMetadata};
pub use segments::{
    IncomingSegment, LocalSegments, PresentSegment, RestingSegment, Segment, SegmentId, SegmentIdError,
    SegmentReader, SegmentWriter, Segments,
};
pub use settings::{
    Bucket, BucketEncryption, BucketId, BucketSettings, DefaultRetention, DocumentKind, NewBucket, Ownership,
    PublicAccessBlock, RetentionMode, RetentionPeriod, SealingAlgorithm, Versioning,
};
pub use uploads::ReadsParts;
pub use version::{
    AskedLock, ListedVersion, Names, ObjectContent, ObjectLock, ObjectVersion, ReadCondition, ReadsObject,
    Retention, StorageClass, WriteCondition, WritesTags,
};

use moho_iam::action::Action;
use moho_iam::authz::Permit;
use moho_terms::{BucketName, ObjectKey};

use crate::database::Stopped;
use crate::{Store, StoreError};
use error::Found;
use rows::{ObjectRows, SqliteRows};

/// The buckets of a store, and what is in them.
#[derive(Clone, Copy)]
pub struct Objects<'a> {
    store: &'a Store,
}

impl Store {
    /// Buckets and objects.
    #[must_use]
    pub fn objects(&self) -> Objects<'_> {
        Objects { store: self }
    }
}

impl Objects<'_> {
    /// Changes everything, or nothing if it is refused; when it returns, the change is on the disk.
    fn change<T>(&self, change: impl FnOnce(&dyn ObjectRows) -> Found<T>) -> Result<T, ObjectError> {
        let done = self.store.database.change_grouped(|connection| {
            change(&SqliteRows {
                connection,
                checked_by: None,
            })
        });
        self.noticed(done)
    }

    /// The same for what goes on by itself: if it cannot be done, nobody else's change is taken back with it.
    fn change_alone<T>(&self, change: impl FnOnce(&dyn ObjectRows) -> Found<T>) -> Result<T, ObjectError> {
        self.store.database.change(|transaction| {
            change(&SqliteRows {
                connection: transaction,
                checked_by: None,
            })
        })
    }

    /// Why something ended early, as it is told.
    fn told(&self, stopped: Stopped<ObjectError>) -> ObjectError {
        match stopped {
            Stopped::Refused(refused) => refused,
            Stopped::Failed(error) => StoreError::from_sqlite(self.store.database.path(), error).into(),
        }
    }

    /// Reads one consistent state.
    fn look<T>(&self, query: impl FnOnce(&dyn ObjectRows) -> Found<T>) -> Result<T, ObjectError> {
        let database = &self.store.database;
        let found =
            database.look_at_objects(|connection| query(&SqliteRows::checked_by(database, connection)));
        self.noticed(found)
    }

    /// Where a decision was about a bucket that is another one by now, what is remembered of buckets is behind: the next
    /// decision is about the one that is there.
    fn noticed<T>(&self, done: Result<T, ObjectError>) -> Result<T, ObjectError> {
        if let Err(ObjectError::BucketReplaced(_)) = &done {
            self.store.policies.forget();
        }
        done
    }
}

/// The bucket that was decided about: whatever gets its name later is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Meant {
    name: BucketName,
    /// `None` if there was none of that name.
    id: Option<u64>,
}

/// The bucket that a permit is for, and nothing in it.
fn bucket_of<A: Action>(permit: &Permit<A>) -> Result<Meant, ObjectError> {
    let arn = permit.resource();
    let whole = !arn.resource().contains('/');
    let name = arn.bucket().filter(|_| whole).ok_or(ObjectError::OtherPermit)?;
    let id = permit.unique_id();
    Ok(Meant { name, id })
}

/// The object that a permit is for.
fn object_of<A: Action>(permit: &Permit<A>) -> Result<(Meant, ObjectKey), ObjectError> {
    let (name, key) = permit.resource().object().ok_or(ObjectError::OtherPermit)?;
    let id = permit.unique_id();
    Ok((Meant { name, id }, key))
}

/// The bucket that is meant.
fn existing(rows: &dyn ObjectRows, meant: &Meant) -> Found<Bucket> {
    match rows.bucket(meant.name.as_str())? {
        Some(found) if meant.id == Some(found.id.unique()) => Ok(found),
        Some(_) => Err(ObjectError::BucketReplaced(meant.name.clone()).into()),
        None => Err(ObjectError::NoSuchBucket(meant.name.clone()).into()),
    }
}
