//! What is asked of objects, and what is told in reply.

use std::ops::Range;

use moho_iam::action::s3;
use moho_iam::authz::Permit;
use moho_terms::{Arn, BucketName, Entropy, ObjectKey, Timestamp, UploadId, VersionId};

use super::{
    AskedLock, ListedVersion, ObjectContent, ObjectEncryption, SealedMetadata, Segment, StorageClass,
    WriteCondition,
};

/// When something is done, and by which randomness.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// The clock's time. What locks versions takes it for no earlier than the latest that was ever told.
    pub now: Timestamp,
    /// Where ids and entity tags come from.
    pub entropy: &'a dyn Entropy,
}

/// Which buckets of the account a list is of.
#[derive(Debug, Clone, Copy)]
pub struct BucketsRequest<'a> {
    /// Those whose name begins so.
    pub prefix: &'a str,
    /// Those of this region.
    pub region: Option<&'a str>,
    /// Those after this one.
    pub after: Option<&'a BucketName>,
    /// At most so many.
    pub limit: usize,
}

/// An object to be put, but for its bytes.
#[derive(Debug, Clone)]
pub struct NewObject {
    /// Under what its segments and metadata are sealed.
    pub encryption: ObjectEncryption,
    /// Its headers, user metadata and checksums.
    pub metadata: SealedMetadata,
    /// Where it is to rest.
    pub storage_class: StorageClass,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// What is to keep it.
    pub lock: AskedLock,
}

/// An object that was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Which version it is, if replies tell that.
    pub version_id: Option<VersionId>,
    /// Its entity tag.
    pub etag: String,
    /// When it was put.
    pub modified_at: Timestamp,
    /// Its bytes, opened.
    pub size: u64,
}

/// What is to be deleted of an object.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deletion<'a> {
    /// Only if the current version has this entity tag, without quotes; `*` is any.
    pub if_match: Option<&'a str>,
    /// Leave to bypass governance, for that very object.
    pub bypass: Option<&'a Permit<s3::BypassGovernanceRetention>>,
}

/// Leave to delete an object, or one version of it.
#[derive(Debug, Clone, Copy)]
pub enum DeletePermit<'a> {
    /// What is current: where there are versions, a delete marker takes its place.
    Current(&'a Permit<s3::DeleteObject>),
    /// One version, for good.
    Version(&'a Permit<s3::DeleteObjectVersion>, &'a VersionId),
}

/// What was deleted, or is as if it had been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// Of the version that was deleted, or of the delete marker that was made.
    pub version_id: Option<VersionId>,
    /// Whether that is a delete marker.
    pub delete_marker: bool,
}

/// Which keys a list is of.
#[derive(Debug, Clone, Copy)]
pub struct ListRequest<'a> {
    /// Those that begin so.
    pub prefix: &'a str,
    /// What ends the part, behind the prefix, that is told once for all keys that have it.
    pub delimiter: &'a str,
    /// Only what comes after this text: a marker, `start-after`, or [`Listing::next`].
    pub after: &'a str,
    /// At most so many keys and common prefixes.
    pub limit: usize,
}

/// A page of a list of objects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Current versions in the order of their keys.
    pub objects: Vec<ListedVersion>,
    /// Common prefixes in their order.
    pub common_prefixes: Vec<String>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// Which versions a list is of.
#[derive(Debug, Clone, Copy)]
pub struct VersionsRequest<'a> {
    /// Those whose keys begin so.
    pub prefix: &'a str,
    /// As of [`ListRequest::delimiter`].
    pub delimiter: &'a str,
    /// Only what comes after this key, or, with a version, after that version of it.
    pub key_marker: &'a str,
    /// That version.
    pub version_marker: Option<&'a VersionId>,
    /// At most so many versions and common prefixes.
    pub limit: usize,
}

/// A page of a list of versions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VersionListing {
    /// Versions and delete markers, in the order of their keys, the newest of each first.
    pub versions: Vec<ListedVersion>,
    /// Common prefixes in their order.
    pub common_prefixes: Vec<String>,
    /// The markers of the next page, if there is one.
    pub next: Option<(String, Option<VersionId>)>,
}

/// An upload that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Which.
    pub upload_id: UploadId,
    /// Of which object.
    pub key: ObjectKey,
    /// When it was begun.
    pub initiated_at: Timestamp,
    /// Whose session did.
    pub initiator: Arn,
    /// Where its object is to rest.
    pub storage_class: StorageClass,
    /// Under what its parts and metadata are sealed.
    pub encryption: ObjectEncryption,
    /// What its object is to have, and what its parts are to be checked by.
    pub metadata: SealedMetadata,
}

/// Which uploads a list is of.
#[derive(Debug, Clone, Copy)]
pub struct UploadsRequest<'a> {
    /// Those whose keys begin so.
    pub prefix: &'a str,
    /// As of [`ListRequest::delimiter`].
    pub delimiter: &'a str,
    /// Only what comes after this key, or, with an upload, after that upload of it.
    pub key_marker: &'a str,
    /// That upload.
    pub upload_marker: Option<&'a UploadId>,
    /// At most so many uploads and common prefixes.
    pub limit: usize,
}

/// A page of a list of uploads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UploadListing {
    /// In the order of their keys, the first begun of each first.
    pub uploads: Vec<Upload>,
    /// Common prefixes in their order.
    pub common_prefixes: Vec<String>,
    /// The markers of the next page, if there is one.
    pub next: Option<(String, Option<UploadId>)>,
}

/// A part that was uploaded.
pub struct NewPart<'a> {
    /// To which upload.
    pub upload: &'a UploadId,
    /// Which part: 1 to 10000.
    pub number: u16,
    /// Its bytes.
    pub segment: Segment,
    /// Its checksums, sealed under what the upload is sealed under.
    pub metadata: SealedMetadata,
}

/// A part as lists tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPart {
    /// Which.
    pub number: u16,
    /// Its entity tag.
    pub etag: String,
    /// Its bytes, opened.
    pub size: u64,
    /// When it was uploaded.
    pub modified_at: Timestamp,
    /// Its checksums.
    pub metadata: SealedMetadata,
}

/// What makes parts an object.
#[derive(Debug, Clone)]
pub struct Completion<'a> {
    /// Which upload.
    pub upload: &'a UploadId,
    /// Numbers and entity tags, without quotes, in ascending order.
    pub parts: &'a [(u16, String)],
    /// Its headers, user metadata and the checksums of the whole, sealed as the upload's were.
    pub metadata: SealedMetadata,
    /// How many bytes the parts must have together, if the request says so.
    pub size: Option<u64>,
    /// What has to hold.
    pub condition: WriteCondition,
}

/// Bytes of a segment that a range of an object consists of.
pub struct Piece {
    /// The segment, to be opened by [`Store::segment_reader`](crate::Store::segment_reader).
    pub segment: Segment,
    /// Which of its bytes.
    pub range: Range<u64>,
}

/// Where a part of an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartPlace {
    /// Which of the object's bytes.
    pub range: Range<u64>,
    /// How many parts there are; `None` if it was not put in parts.
    pub parts: Option<u32>,
    /// The part's checksums; of an object that was not put in parts, they are its own.
    pub metadata: SealedMetadata,
}

impl ObjectContent {
    /// How many parts it has, where one that was put at once has one.
    #[must_use]
    pub fn part_count(&self) -> u32 {
        self.parts.unwrap_or(1)
    }
}
