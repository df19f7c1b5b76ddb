//! What goes wrong below, in S3's codes. What only an operator can mend goes to the log, without content.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use moho_kms::KmsError;
use moho_store::StoreError;
use moho_store::objects::{DocumentKind, ObjectError};
use moho_terms::{Timestamp, VersionId};
use s3s::S3Error;

use crate::call::Notes;
use crate::failure::{
    abandoned, access_denied, error, internal_error, invalid_argument, invalid_request, slow_down,
    unavailable,
};

/// What is wrong with a key, by KMS's names.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else goes wrong below is nothing that a caller could mend"
)]
pub(crate) fn from_kms(failed: &KmsError) -> S3Error {
    let code = match failed {
        KmsError::NotFound(_) | KmsError::NoSuchMaterial => "KMS.NotFoundException",
        KmsError::Disabled(_) => "KMS.DisabledException",
        KmsError::InvalidState(..) => "KMS.KMSInvalidStateException",
        KmsError::InvalidKeyUsage(..) | KmsError::IncompatibleAlgorithm(..) => "KMS.InvalidKeyUsageException",
        KmsError::UnsupportedOperation(..) => "KMS.UnsupportedOperationException",
        KmsError::Sealed(_) => return damaged(failed),
        _ => {
            tracing::error!(error = %failed, "a key of an object cannot be used");
            return internal_error();
        }
    };
    error(code, StatusCode::BAD_REQUEST, failed.to_string())
}

/// What cannot be read as it was written: it is said, and nothing of it is given.
fn damaged(failed: &(dyn std::error::Error + 'static)) -> S3Error {
    tracing::error!(error = %failed, "an object is damaged");
    let mut told = error(
        "InternalError",
        StatusCode::INTERNAL_SERVER_ERROR,
        format!("The object is damaged and was not read: {failed}."),
    );
    told.set_source(Box::new(Damage(failed.to_string())));
    told
}

/// What is not as it was written: it stands behind an error that only says that it failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Damage(String);

/// What came of something; if it was refused as something is damaged, that is noted.
pub(crate) fn noting<T>(done: Result<T, S3Error>, notes: &Notes) -> Result<T, S3Error> {
    done.inspect_err(|error| {
        let damage = error.source().and_then(|source| source.downcast_ref::<Damage>());
        if let Some(Damage(what)) = damage {
            notes.noted().damage = Some(what.clone());
        }
    })
}

/// What is wrong with what is kept.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else goes wrong below is nothing that a caller could mend"
)]
pub(crate) fn from_store(failed: &StoreError) -> S3Error {
    match failed {
        StoreError::Kms(error) => from_kms(error),
        StoreError::SegmentAbsent(..)
        | StoreError::SegmentDamaged { .. }
        | StoreError::ChunkDamaged { .. } => damaged(failed),
        StoreError::DiskFull(_) => {
            tracing::error!(error = %failed, "nothing can be kept");
            error(
                "ServiceUnavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "There is no room left to store this. Please reduce what is stored, or try again later.",
            )
        }
        StoreError::Elsewhere { .. } => {
            tracing::error!(error = %failed, "the bytes of an object cannot be kept or read");
            error(
                "ServiceUnavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "Where objects rest cannot be reached. Please try again.",
            )
        }
        StoreError::Busy(_) => slow_down(),
        StoreError::OtherPermit => access_denied(),
        StoreError::Entropy(_) => unavailable(),
        StoreError::Altered(_)
        | StoreError::RolledBack { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Incomplete(_)
        | StoreError::UnreadableMetadata => {
            tracing::error!(error = %failed, "the store is damaged");
            let mut told = internal_error();
            told.set_source(Box::new(Damage(failed.to_string())));
            told
        }
        _ => {
            tracing::error!(error = %failed, "the store failed");
            internal_error()
        }
    }
}

/// What was decided about is not there any more as it was: it stands behind an error that only says that it failed.
#[derive(Debug, thiserror::Error)]
#[error("decided by other tags")]
struct Overtaken;

/// Whether something was refused only because it is to be decided again.
pub(crate) fn is_overtaken(refused: &S3Error) -> bool {
    refused.source().is_some_and(|source| source.is::<Overtaken>())
}

/// What is refused of a bucket or an object.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all others have one code and one status"
)]
pub(crate) fn from_object(failed: &ObjectError) -> S3Error {
    match failed {
        ObjectError::InvalidRequest(message) => invalid_request(message),
        ObjectError::InvalidArgument(message) => invalid_argument(message),
        ObjectError::NoSuchDocument(kind) => no_such_document(*kind),
        ObjectError::OtherPermit => access_denied(),
        ObjectError::Abandoned => abandoned(),
        ObjectError::DecidedByOtherTags => {
            let mut refused = error("OperationAborted", StatusCode::CONFLICT, failed.to_string());
            refused.set_source(Box::new(Overtaken));
            refused
        }
        ObjectError::Kms(failed) => from_kms(failed),
        ObjectError::Store(failed) => from_store(failed),
        other => {
            let (code, status) = code_of(other);
            let mut refused = error(code, status, other.to_string());
            if let Some(told) = told_beside(other) {
                refused.set_headers(told);
            }
            refused
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not known here is nobody's fault who asks"
)]
fn code_of(failed: &ObjectError) -> (&'static str, StatusCode) {
    use ObjectError as E;
    match failed {
        E::NoSuchBucket(_) | E::BucketReplaced(_) => ("NoSuchBucket", StatusCode::NOT_FOUND),
        E::BucketAlreadyExists(_) => ("BucketAlreadyExists", StatusCode::CONFLICT),
        E::BucketAlreadyOwnedByYou(_) => ("BucketAlreadyOwnedByYou", StatusCode::CONFLICT),
        E::BucketNotEmpty(_) => ("BucketNotEmpty", StatusCode::CONFLICT),
        E::TooManyBuckets => ("TooManyBuckets", StatusCode::BAD_REQUEST),
        E::NoSuchKey | E::CurrentIsDeleteMarker { .. } => ("NoSuchKey", StatusCode::NOT_FOUND),
        E::VersionIsDeleteMarker { .. } => ("MethodNotAllowed", StatusCode::METHOD_NOT_ALLOWED),
        E::NoSuchVersion => ("NoSuchVersion", StatusCode::NOT_FOUND),
        E::NoSuchUpload => ("NoSuchUpload", StatusCode::NOT_FOUND),
        E::InvalidPart => ("InvalidPart", StatusCode::BAD_REQUEST),
        E::InvalidPartOrder => ("InvalidPartOrder", StatusCode::BAD_REQUEST),
        E::EntityTooSmall { .. } => ("EntityTooSmall", StatusCode::BAD_REQUEST),
        E::EntityTooLarge => ("EntityTooLarge", StatusCode::BAD_REQUEST),
        E::InvalidPartNumber { .. } => ("InvalidPartNumber", StatusCode::RANGE_NOT_SATISFIABLE),
        E::InvalidRange { .. } => ("InvalidRange", StatusCode::RANGE_NOT_SATISFIABLE),
        E::PreconditionFailed(_) => ("PreconditionFailed", StatusCode::PRECONDITION_FAILED),
        E::NotModified { .. } => ("NotModified", StatusCode::NOT_MODIFIED),
        E::ConditionalRequestConflict => ("ConditionalRequestConflict", StatusCode::CONFLICT),
        E::OperationAborted => ("OperationAborted", StatusCode::CONFLICT),
        E::InvalidBucketState(_) => ("InvalidBucketState", StatusCode::CONFLICT),
        E::ObjectLockConfigurationNotFound => ("ObjectLockConfigurationNotFoundError", StatusCode::NOT_FOUND),
        E::NoSuchObjectLockConfiguration => ("NoSuchObjectLockConfiguration", StatusCode::NOT_FOUND),
        E::InvalidRetentionPeriod(_) => ("InvalidRetentionPeriod", StatusCode::BAD_REQUEST),
        E::MalformedDocument(_) => ("MalformedXML", StatusCode::BAD_REQUEST),
        E::BadRequest(_) => ("BadRequest", StatusCode::BAD_REQUEST),
        E::InvalidTag(_) => ("InvalidTag", StatusCode::BAD_REQUEST),
        E::Locked => ("AccessDenied", StatusCode::FORBIDDEN),
        _ => ("InternalError", StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// What headers tell beside an error.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others tell nothing more")]
fn told_beside(failed: &ObjectError) -> Option<HeaderMap> {
    match failed {
        ObjectError::CurrentIsDeleteMarker {
            version_id,
            modified_at,
        } => Some(of_marker(version_id.as_ref(), *modified_at)),
        ObjectError::VersionIsDeleteMarker {
            version_id,
            modified_at,
        } => Some(of_marker(Some(version_id), *modified_at)),
        ObjectError::InvalidRange { size } => Some(headers([("content-range", format!("bytes */{size}"))])),
        ObjectError::NotModified { etag, modified_at } => Some(headers([
            ("etag", format!("\"{etag}\"")),
            ("last-modified", modified_at.http_date()),
        ])),
        _ => None,
    }
}

pub(crate) fn no_such_document(kind: DocumentKind) -> S3Error {
    let (code, message) = match kind {
        DocumentKind::Policy => ("NoSuchBucketPolicy", "The bucket policy does not exist"),
        DocumentKind::Lifecycle => (
            "NoSuchLifecycleConfiguration",
            "The lifecycle configuration does not exist",
        ),
        DocumentKind::Tags => ("NoSuchTagSet", "The TagSet does not exist"),
        DocumentKind::Cors => ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
        DocumentKind::Ownership => (
            "OwnershipControlsNotFoundError",
            "The bucket ownership controls were not found",
        ),
        DocumentKind::PublicAccessBlock => (
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        ),
        DocumentKind::Logging | DocumentKind::Notification => (
            "NoSuchConfiguration",
            "The specified configuration does not exist.",
        ),
    };
    error(code, StatusCode::NOT_FOUND, message)
}

fn of_marker(version: Option<&VersionId>, modified_at: Timestamp) -> HeaderMap {
    let told = [
        ("x-amz-delete-marker", "true".to_owned()),
        ("last-modified", modified_at.http_date()),
    ];
    let version = version.map(|version| ("x-amz-version-id", version.to_string()));
    headers(told.into_iter().chain(version))
}

/// Headers of an error, which has a document still.
fn headers(pairs: impl IntoIterator<Item = (&'static str, String)>) -> HeaderMap {
    let document = [("content-type", "application/xml".to_owned())];
    let pairs = document.into_iter().chain(pairs);
    pairs
        .into_iter()
        .filter_map(|(name, value)| {
            Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?))
        })
        .collect()
}
