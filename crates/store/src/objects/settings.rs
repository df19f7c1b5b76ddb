//! What a bucket is set to.

use std::fmt;

use moho_terms::{AccountId, BucketName, Region, Timestamp};
use serde::{Deserialize, Serialize};

use super::ObjectError;

/// A bucket, told from one that had its name before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketId(pub(crate) i64);

impl BucketId {
    /// As decisions know it.
    pub(crate) fn unique(self) -> u64 {
        self.0.cast_unsigned()
    }
}

impl fmt::Display for BucketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Whether a bucket keeps versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// It never did: replies tell no version ids.
    Never,
    /// It does.
    Enabled,
    /// It did, and keeps what it has.
    Suspended,
}

impl Versioning {
    /// As it is kept.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Never => "Never",
            Self::Enabled => "Enabled",
            Self::Suspended => "Suspended",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Never, Self::Enabled, Self::Suspended]
            .into_iter()
            .find(|own| own.as_str() == text)
    }
}

/// How firmly a version is retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetentionMode {
    /// Who may bypass governance can lift it.
    #[serde(rename = "GOVERNANCE")]
    Governance,
    /// Nobody can.
    #[serde(rename = "COMPLIANCE")]
    Compliance,
}

impl RetentionMode {
    /// As S3 writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Governance, Self::Compliance]
            .into_iter()
            .find(|own| own.as_str() == text)
    }
}

/// How long a new version is retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetentionPeriod {
    /// Days of 24 hours.
    Days(u32),
    /// Years of 365 days.
    Years(u32),
}

impl RetentionPeriod {
    /// Most days and years, as in S3.
    const MOST: (u32, u32) = (36_500, 100);

    pub(crate) fn days(self) -> u64 {
        match self {
            Self::Days(days) => u64::from(days),
            Self::Years(years) => u64::from(years).saturating_mul(365),
        }
    }
}

/// How new versions of a bucket are retained if nothing else is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultRetention {
    /// How firmly.
    pub mode: RetentionMode,
    /// How long.
    pub period: RetentionPeriod,
}

impl DefaultRetention {
    /// Checks that the period is one.
    pub(crate) fn check(&self) -> Result<(), ObjectError> {
        let (days, years) = RetentionPeriod::MOST;
        match self.period {
            RetentionPeriod::Days(0) | RetentionPeriod::Years(0) => Err(ObjectError::InvalidArgument(
                "Default retention period must be a positive integer value.",
            )),
            RetentionPeriod::Days(own) if own > days => Err(ObjectError::InvalidArgument(
                "Default retention period too large.",
            )),
            RetentionPeriod::Years(own) if own > years => Err(ObjectError::InvalidArgument(
                "Default retention period too large.",
            )),
            RetentionPeriod::Days(_) | RetentionPeriod::Years(_) => Ok(()),
        }
    }
}

/// How sealing was asked for. Everything is sealed under a KmsKey in the same way; this is what replies say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SealingAlgorithm {
    /// `AES256`: under the account's key.
    #[serde(rename = "AES256")]
    Aes256,
    /// `aws:kms`: under the key that is named, else the account's.
    #[serde(rename = "aws:kms")]
    AwsKms,
}

impl SealingAlgorithm {
    /// As S3 writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aes256 => "AES256",
            Self::AwsKms => "aws:kms",
        }
    }
}

/// What new objects are sealed under if their request does not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketEncryption {
    /// How it was asked for.
    pub algorithm: SealingAlgorithm,
    /// The key as it was named: an id, an ARN or an alias. `None` is the key of the bucket's account.
    pub key: Option<String>,
    /// Whether objects share data keys, so that their encryption context names the bucket.
    pub bucket_key: bool,
}

impl Default for BucketEncryption {
    fn default() -> Self {
        Self {
            algorithm: SealingAlgorithm::AwsKms,
            key: None,
            bucket_key: true,
        }
    }
}

/// Whose objects are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ownership {
    /// The bucket owner's; access control lists mean nothing.
    BucketOwnerEnforced,
    /// The bucket owner's if the request says so.
    BucketOwnerPreferred,
    /// Whoever's put them.
    ObjectWriter,
}

impl Ownership {
    /// As S3 writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BucketOwnerEnforced => "BucketOwnerEnforced",
            Self::BucketOwnerPreferred => "BucketOwnerPreferred",
            Self::ObjectWriter => "ObjectWriter",
        }
    }
}

/// What keeps a bucket from being public, whatever its policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicAccessBlock {
    /// Access control lists that make public are refused.
    pub block_public_acls: bool,
    /// They mean nothing.
    pub ignore_public_acls: bool,
    /// Policies that make public are refused.
    pub block_public_policy: bool,
    /// A policy that makes public lets in only the bucket's account and services.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// All four: what a bucket begins with.
    pub const ALL: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };
    /// None of them.
    pub const NONE: Self = Self {
        block_public_acls: false,
        ignore_public_acls: false,
        block_public_policy: false,
        restrict_public_buckets: false,
    };
}

/// What is set of a bucket beside its versioning and its lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketSettings {
    /// Sealing of new objects.
    pub encryption: BucketEncryption,
    /// `None` if it was deleted, which is as `ObjectWriter`.
    pub ownership: Option<Ownership>,
    /// `None` if it was deleted: nothing is blocked.
    pub public_access: Option<PublicAccessBlock>,
    /// Retention of new versions, where there is Object Lock.
    pub default_retention: Option<DefaultRetention>,
}

impl Default for BucketSettings {
    fn default() -> Self {
        Self {
            encryption: BucketEncryption::default(),
            ownership: Some(Ownership::BucketOwnerEnforced),
            public_access: Some(PublicAccessBlock::ALL),
            default_retention: None,
        }
    }
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// What it is called.
    pub name: BucketName,
    /// Which it is.
    pub id: BucketId,
    /// Whose.
    pub owner: AccountId,
    /// Where.
    pub region: Region,
    /// Since when.
    pub created_at: Timestamp,
    /// Whether it keeps versions.
    pub versioning: Versioning,
    /// Whether versions can be locked; that is for good.
    pub object_lock: bool,
    /// The rest.
    pub settings: BucketSettings,
}

impl Bucket {
    /// Whether replies tell version ids.
    #[must_use]
    pub fn tells_versions(&self) -> bool {
        self.versioning != Versioning::Never
    }
}

/// A bucket to be made. Its name is the permit's.
#[derive(Debug, Clone, Default)]
pub struct NewBucket {
    /// Whether versions can be locked: then they are kept, too.
    pub object_lock: bool,
    /// Whose objects are to be; by default the bucket owner's.
    pub ownership: Option<Ownership>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// A document that is kept with a bucket as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    /// `NoSuchBucketPolicy`
    Policy,
    /// `NoSuchLifecycleConfiguration`
    Lifecycle,
    /// `NoSuchTagSet`
    Tags,
    /// `NoSuchCORSConfiguration`
    Cors,
    /// An empty configuration.
    Logging,
    /// An empty configuration.
    Notification,
    /// `OwnershipControlsNotFoundError`
    Ownership,
    /// `NoSuchPublicAccessBlockConfiguration`
    PublicAccessBlock,
}

impl DocumentKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Lifecycle => "lifecycle",
            Self::Tags => "tags",
            Self::Cors => "cors",
            Self::Logging => "logging",
            Self::Notification => "notification",
            Self::Ownership => "ownership",
            Self::PublicAccessBlock => "public-access-block",
        }
    }
}
