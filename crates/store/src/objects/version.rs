//! Versions of objects, as they are told, and what is asked of them.

use moho_iam::action::{Action, s3};
use moho_iam::authz::Permit;
use moho_terms::{Arn, ObjectKey, Timestamp, UploadId, VersionId};

use super::{ObjectEncryption, ObjectError, RetentionMode, SealedMetadata};

/// Where an object rests, as far as S3's clients know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StorageClass {
    /// The one there is.
    #[default]
    Standard,
}

impl StorageClass {
    /// As S3 writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        "STANDARD"
    }
}

/// Until when a version cannot be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How firmly.
    pub mode: RetentionMode,
    /// Until when.
    pub until: Timestamp,
}

/// What keeps a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ObjectLock {
    /// For a time.
    pub retention: Option<Retention>,
    /// Until it is lifted: whether it is held, if anybody ever said so.
    pub legal_hold: Option<bool>,
}

impl ObjectLock {
    /// Whether it is held.
    #[must_use]
    pub fn is_held(self) -> bool {
        self.legal_hold == Some(true)
    }
}

/// What is to keep a new version, by who may say so.
#[derive(Debug, Clone, Default)]
pub struct AskedLock {
    pub(super) retention: Option<(Retention, Arn)>,
    pub(super) legal_hold: Option<(bool, Arn)>,
}

impl AskedLock {
    /// And for a time.
    #[must_use]
    pub fn with_retention(mut self, permit: &Permit<s3::PutObjectRetention>, retention: Retention) -> Self {
        self.retention = Some((retention, permit.resource().clone()));
        self
    }

    /// And until it is lifted, or not.
    #[must_use]
    pub fn with_legal_hold(mut self, permit: &Permit<s3::PutObjectLegalHold>, hold: bool) -> Self {
        self.legal_hold = Some((hold, permit.resource().clone()));
        self
    }
}

/// A version of an object, or a delete marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// What it is called.
    pub key: ObjectKey,
    /// Which it is; `null` if it was put without versioning.
    pub version_id: VersionId,
    /// Whether replies tell that: the bucket has, or had, versions.
    pub tells_version: bool,
    /// Whether it is what is found without a version id.
    pub is_latest: bool,
    /// Since when.
    pub modified_at: Timestamp,
    /// What it holds; `None` of a delete marker.
    pub content: Option<ObjectContent>,
}

/// What a version holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectContent {
    /// Its bytes, opened.
    pub size: u64,
    /// 32 hexadecimal digits, and `-` and the number of parts if it was put in parts.
    pub etag: String,
    /// How many parts it was put in; `None` if at once.
    pub parts: Option<u32>,
    /// Where it rests.
    pub storage_class: StorageClass,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// What keeps it.
    pub lock: ObjectLock,
    /// Under what it is sealed.
    pub encryption: ObjectEncryption,
    /// Its headers, user metadata and checksums.
    pub metadata: SealedMetadata,
    pub(super) body: UploadId,
}

impl ObjectVersion {
    /// The version id that replies tell.
    #[must_use]
    pub fn told_version(&self) -> Option<&VersionId> {
        self.tells_version.then_some(&self.version_id)
    }
}

/// A version as lists tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVersion {
    /// What it is called.
    pub key: ObjectKey,
    /// Which it is.
    pub version_id: VersionId,
    /// Whether it is the current one.
    pub is_latest: bool,
    /// Since when.
    pub modified_at: Timestamp,
    /// Whether it says that the object was deleted; then the rest is empty.
    pub delete_marker: bool,
    /// Its bytes, opened.
    pub size: u64,
    /// Its entity tag.
    pub etag: String,
    /// Where it rests.
    pub storage_class: StorageClass,
}

/// What has to hold for an object to be written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WriteCondition {
    /// Nothing.
    #[default]
    None,
    /// `If-None-Match: *`: there is no such object.
    IfAbsent,
    /// `If-Match`: its entity tag, without quotes, or `*`.
    IfMatch(String),
}

/// What has to hold for an object to be read. Entity tags are without quotes; `*` is any.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadCondition {
    /// `If-Match`
    pub if_match: Option<Vec<String>>,
    /// `If-None-Match`
    pub if_none_match: Option<Vec<String>>,
    /// `If-Modified-Since`
    pub if_modified_since: Option<Timestamp>,
    /// `If-Unmodified-Since`
    pub if_unmodified_since: Option<Timestamp>,
}

impl ReadCondition {
    /// Whether a version may be read, in the order of RFC 9110. Times are compared by the second.
    ///
    /// # Errors
    /// [`ObjectError::PreconditionFailed`] or [`ObjectError::NotModified`].
    pub fn check(&self, version: &ObjectVersion) -> Result<(), ObjectError> {
        self.check_with(version, || ObjectError::NotModified {
            etag: version.etag().to_owned(),
            modified_at: version.modified_at,
        })
    }

    /// The same for the source of a copy, which is refused wherever reading says that nothing has changed.
    ///
    /// # Errors
    /// [`ObjectError::PreconditionFailed`].
    pub fn check_source(&self, version: &ObjectVersion) -> Result<(), ObjectError> {
        self.check_with(version, || {
            ObjectError::PreconditionFailed(if self.if_none_match.is_some() {
                "x-amz-copy-source-If-None-Match"
            } else {
                "x-amz-copy-source-If-Modified-Since"
            })
        })
    }

    fn check_with(
        &self,
        version: &ObjectVersion,
        unchanged: impl Fn() -> ObjectError,
    ) -> Result<(), ObjectError> {
        let names = |tags: &[String]| tags.iter().any(|tag| tag == "*" || tag == version.etag());
        let modified = version.modified_at.unix_seconds();
        match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) if !names(tags) => return Err(ObjectError::PreconditionFailed("If-Match")),
            (None, Some(since)) if modified > since.unix_seconds() => {
                return Err(ObjectError::PreconditionFailed("If-Unmodified-Since"));
            }
            (Some(_) | None, _) => {}
        }
        match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) if names(tags) => Err(unchanged()),
            (None, Some(since)) if modified <= since.unix_seconds() => Err(unchanged()),
            (Some(_) | None, _) => Ok(()),
        }
    }
}

impl ObjectVersion {
    /// Its entity tag; empty of a delete marker.
    #[must_use]
    pub fn etag(&self) -> &str {
        self.content.as_ref().map_or("", |content| &content.etag)
    }
}

/// Which versions an action is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// The current one, which the request does not name.
    Current,
    /// The one that the request names.
    Version,
    /// Either.
    Either,
}

/// An action that reads something of an object.
pub trait ReadsObject: Action {
    /// Of which versions.
    const NAMES: Names;
}

macro_rules! reads {
    ($($action:ident: $names:ident),+ $(,)?) => {
        $(impl ReadsObject for s3::$action { const NAMES: Names = Names::$names; })+
    };
}
reads!(
    GetObject: Current,
    GetObjectVersion: Version,
    GetObjectAttributes: Current,
    GetObjectVersionAttributes: Version,
    GetObjectTagging: Current,
    GetObjectVersionTagging: Version,
    GetObjectAcl: Current,
    GetObjectVersionAcl: Version,
    GetObjectRetention: Either,
    GetObjectLegalHold: Either,
    PutObjectAcl: Current,
    PutObjectVersionAcl: Version,
    UpdateObjectEncryption: Either,
);

/// An action that changes an object's tags.
pub trait WritesTags: Action {
    /// Of which versions.
    const NAMES: Names;
}

macro_rules! tags {
    ($($action:ident: $names:ident),+ $(,)?) => {
        $(impl WritesTags for s3::$action { const NAMES: Names = Names::$names; })+
    };
}
tags!(
    PutObjectTagging: Current,
    PutObjectVersionTagging: Version,
    DeleteObjectTagging: Current,
    DeleteObjectVersionTagging: Version,
);
