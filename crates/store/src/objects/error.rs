//! Why something about buckets and objects is refused: S3's own reasons, one variant each.

use moho_kms::KmsError;
use moho_terms::{ArnError, BucketName, EntropyUnavailable, Timestamp, VersionId};

use crate::StoreError;
use crate::database::Stopped;

/// Why not. Each variant says which of S3's errors it is; messages are for people and hold no content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// `NoSuchBucket` 404
    #[error("The specified bucket does not exist")]
    NoSuchBucket(BucketName),
    /// `NoSuchBucket` 404: what was decided about is not there any more, and what has its name is another bucket, or came
    /// only after that.
    #[error("The specified bucket does not exist")]
    BucketReplaced(BucketName),
    /// `BucketAlreadyExists` 409: it is another account's.
    #[error(
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again."
    )]
    BucketAlreadyExists(BucketName),
    /// `BucketAlreadyOwnedByYou` 409
    #[error("Your previous request to create the named bucket succeeded and you already own it.")]
    BucketAlreadyOwnedByYou(BucketName),
    /// `BucketNotEmpty` 409
    #[error("The bucket you tried to delete is not empty")]
    BucketNotEmpty(BucketName),
    /// `TooManyBuckets` 400
    #[error("You have attempted to create more buckets than allowed")]
    TooManyBuckets,
    /// `NoSuchKey` 404
    #[error("The specified key does not exist.")]
    NoSuchKey,
    /// `NoSuchKey` 404, with `x-amz-delete-marker: true` and the version id of the marker: it is the current version.
    #[error("The specified key does not exist.")]
    CurrentIsDeleteMarker {
        /// Of the marker; `None` in a bucket that never had versions.
        version_id: Option<VersionId>,
        /// When it was put.
        modified_at: Timestamp,
    },
    /// `MethodNotAllowed` 405, with `x-amz-delete-marker: true` and `Last-Modified`: the version asked for is one.
    #[error("The specified method is not allowed against this resource.")]
    VersionIsDeleteMarker {
        /// Of the marker.
        version_id: VersionId,
        /// When it was put.
        modified_at: Timestamp,
    },
    /// `NoSuchVersion` 404
    #[error("The specified version does not exist.")]
    NoSuchVersion,
    /// `NoSuchUpload` 404
    #[error(
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
    )]
    NoSuchUpload,
    /// `InvalidPart` 400
    #[error(
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
    )]
    InvalidPart,
    /// `InvalidPartOrder` 400
    #[error("The list of parts was not in ascending order. Parts must be ordered by part number.")]
    InvalidPartOrder,
    /// `EntityTooSmall` 400
    #[error("Your proposed upload is smaller than the minimum allowed size")]
    EntityTooSmall {
        /// Of which part.
        part: u16,
        /// Its bytes.
        size: u64,
    },
    /// `EntityTooLarge` 400
    #[error("Your proposed upload exceeds the maximum allowed size")]
    EntityTooLarge,
    /// `InvalidPartNumber` 416: a part was asked for that the object has not.
    #[error("The requested partnumber is not satisfiable")]
    InvalidPartNumber {
        /// How many parts it has.
        parts: u32,
    },
    /// `InvalidRange` 416
    #[error("The requested range is not satisfiable")]
    InvalidRange {
        /// Bytes of the whole.
        size: u64,
    },
    /// `PreconditionFailed` 412, and the condition that did not hold.
    #[error("At least one of the pre-conditions you specified did not hold")]
    PreconditionFailed(&'static str),
    /// 304
    #[error("not modified")]
    NotModified {
        /// Of what is there.
        etag: String,
        /// When that was put.
        modified_at: Timestamp,
    },
    /// `ConditionalRequestConflict` 409
    #[error("The conditional request cannot succeed due to a conflicting operation against this resource.")]
    ConditionalRequestConflict,
    /// `OperationAborted` 409
    #[error(
        "A conflicting conditional operation is currently in progress against this resource. Please try again."
    )]
    OperationAborted,
    /// `InvalidBucketState` 409
    #[error("{0}")]
    InvalidBucketState(&'static str),
    /// `ObjectLockConfigurationNotFoundError` 404
    #[error("Object Lock configuration does not exist for this bucket")]
    ObjectLockConfigurationNotFound,
    /// `NoSuchObjectLockConfiguration` 404
    #[error("The specified object does not have a ObjectLock configuration")]
    NoSuchObjectLockConfiguration,
    /// `InvalidRetentionPeriod` 400
    #[error("{0}")]
    InvalidRetentionPeriod(&'static str),
    /// `InvalidRequest` 400
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// `InvalidArgument` 400
    #[error("{0}")]
    InvalidArgument(&'static str),
    /// `MalformedXML` 400: a document says what it must not.
    #[error("{0}")]
    MalformedDocument(&'static str),
    /// `InvalidTag` 400
    #[error("{0}")]
    InvalidTag(&'static str),
    /// `BadRequest` 400
    #[error("{0}")]
    BadRequest(&'static str),
    /// `AccessDenied` 403: the version is locked.
    #[error("Access Denied because object protected by object lock.")]
    Locked,
    /// 404 of a configuration that the bucket has not; which error that is, the kind says.
    #[error("The bucket has no configuration of this kind")]
    NoSuchDocument(super::DocumentKind),
    /// `OperationAborted` 409, if deciding again does not help: it was allowed or refused by tags that the object has no more.
    #[error("The tags of the object changed while it was decided who may do this. Please try again.")]
    DecidedByOtherTags,
    /// Nobody waits for it any more, so it was not gone on with.
    #[error("nobody waits for it any more")]
    Abandoned,
    /// The permit is for something else than is asked for.
    #[error("the permit is not for that")]
    OtherPermit,
    /// What was sealed does not open, or the key cannot be used.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// It cannot be kept or found.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<EntropyUnavailable> for ObjectError {
    fn from(error: EntropyUnavailable) -> Self {
        Self::Store(error.into())
    }
}

impl From<ArnError> for ObjectError {
    fn from(error: ArnError) -> Self {
        Self::Store(error.into())
    }
}

impl From<ObjectError> for Stopped<ObjectError> {
    fn from(error: ObjectError) -> Self {
        Self::Refused(error)
    }
}

impl From<EntropyUnavailable> for Stopped<ObjectError> {
    fn from(error: EntropyUnavailable) -> Self {
        Self::Refused(error.into())
    }
}

/// What a query or a change gives.
pub(crate) type Found<T> = Result<T, Stopped<ObjectError>>;
