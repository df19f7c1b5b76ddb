//! What decisions ask about buckets.

use std::collections::BTreeMap;
use std::sync::Arc;

use moho_iam::policy::PolicyDocument;
use moho_terms::{AccountId, BucketName, ObjectKey, Region};

use super::lifecycle::{self, Lifecycle};
use super::rows::{At, ObjectRows, SqliteRows};
use super::{
    AccessLogging, BucketEncryption, BucketId, DocumentKind, ObjectError, Ownership, PublicAccessBlock,
    Versioning, deciding, tags,
};
use crate::Store;
use crate::error::StoreError;

/// A bucket as decisions see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketFacts {
    /// Which it is, whatever had its name before.
    pub id: BucketId,
    /// Whose.
    pub owner: AccountId,
    /// Where.
    pub region: Region,
    /// Its policy.
    pub policy: Option<Arc<PolicyDocument>>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What keeps it from being public; nothing, if that was deleted.
    pub public_access: PublicAccessBlock,
    /// Whose objects are, if that was not deleted.
    pub ownership: Option<Ownership>,
    /// Whether it keeps versions.
    pub versioning: Versioning,
    /// What new objects are sealed under if their request does not say.
    pub encryption: BucketEncryption,
    /// Where access to it is logged to.
    pub logging: Option<Arc<AccessLogging>>,
    /// When what is in it goes by itself.
    pub lifecycle: Option<Arc<Lifecycle>>,
}

impl Store {
    /// What decisions ask about a bucket; `None` if there is none of this name. From memory, half a second behind what another
    /// process did at most.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn bucket_facts(&self, name: &BucketName) -> Result<Option<Arc<BucketFacts>>, StoreError> {
        self.remembered(
            name.clone(),
            |cached| &mut cached.buckets,
            |cached| &cached.buckets,
            |name| self.read_bucket_facts(name),
        )
    }

    /// Whether anything stands under a key, a version that is not current or a mark of deletion among it. It is for moho itself, to learn
    /// whether it has put something: nobody is told.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn stands(&self, bucket: &BucketFacts, key: &ObjectKey) -> Result<bool, StoreError> {
        let found = self.database.look(|connection| {
            let rows = SqliteRows::checked_by(&self.database, connection);
            let at = At {
                bucket: bucket.id,
                key: key.as_str(),
            };
            Ok(rows.head(at)?.is_some())
        });
        found.map_err(|error| self.of_objects(error))
    }

    fn of_objects(&self, error: ObjectError) -> StoreError {
        if let ObjectError::Store(error) = error {
            return error;
        }
        self.database.damaged(error)
    }

    fn read_bucket_facts(&self, name: &BucketName) -> Result<Option<Arc<BucketFacts>>, StoreError> {
        let found = self.database.look(|connection| {
            let rows = SqliteRows::checked_by(&self.database, connection);
            let Some(bucket) = rows.bucket(name.as_str())? else {
                return Ok(None);
            };
            let policy = rows.document(bucket.id, DocumentKind::Policy)?;
            let kept_tags = rows.document(bucket.id, DocumentKind::Tags)?;
            Ok(Some(Arc::new(BucketFacts {
                id: bucket.id,
                owner: bucket.owner,
                region: bucket.region,
                policy: policy.as_deref().map(deciding::decided).transpose()?,
                tags: tags::read(kept_tags.as_deref())?.into_iter().collect(),
                public_access: bucket.settings.public_access.unwrap_or(PublicAccessBlock::NONE),
                ownership: bucket.settings.ownership,
                versioning: bucket.versioning,
                encryption: bucket.settings.encryption.clone(),
                logging: logging(rows.document(bucket.id, DocumentKind::Logging)?.as_deref())?,
                lifecycle: rows
                    .document(bucket.id, DocumentKind::Lifecycle)?
                    .map(|kept| lifecycle::read(&kept).map(Arc::new))
                    .transpose()?,
            })))
        });
        found.map_err(|error| self.of_objects(error))
    }
}

/// Where access is logged to, as the bucket's document says.
fn logging(kept: Option<&str>) -> Result<Option<Arc<AccessLogging>>, ObjectError> {
    let read = |text: &str| serde_json::from_str(text).map(Arc::new);
    kept.map(read)
        .transpose()
        .map_err(|_unreadable| ObjectError::MalformedDocument("where access is logged to cannot be read"))
}
