//! Buckets: made, found, listed, set and deleted.

use moho_iam::action::{Action, s3};
use moho_iam::authz::Permit;
use moho_terms::Region;

use super::error::Found;
use super::rows::{From, ObjectRows};
use super::within::{Within, time_by};
use super::{
    Bucket, BucketEncryption, BucketId, BucketSettings, BucketsRequest, DefaultRetention, DocumentKind,
    Meant, Moment, NewBucket, ObjectError, Objects, Ownership, PublicAccessBlock, Versioning, bucket_of,
    existing, tags,
};

/// Most buckets of an account, as in S3.
const MOST: u64 = 10_000;

impl Objects<'_> {
    /// Makes the bucket that the permit names, for the caller's account.
    ///
    /// # Errors
    /// [`ObjectError::BucketAlreadyExists`], [`ObjectError::BucketAlreadyOwnedByYou`], [`ObjectError::TooManyBuckets`].
    pub fn create_bucket(
        &self,
        permit: &Permit<s3::CreateBucket>,
        new: &NewBucket,
        region: &Region,
        at: Moment<'_>,
    ) -> Result<Bucket, ObjectError> {
        let (name, owner) = (bucket_of(permit)?.name, permit.session().account());
        let tags = tags::write_bucket(&new.tags)?;
        let mut id = [0; 8];
        at.entropy.fill(&mut id)?;
        let made = self.change(|rows| {
            if let Some(there) = rows.bucket(name.as_str())? {
                let error = if there.owner == owner {
                    ObjectError::BucketAlreadyOwnedByYou(name)
                } else {
                    ObjectError::BucketAlreadyExists(name)
                };
                return Err(error.into());
            }
            if rows.count_buckets(owner)? >= MOST {
                return Err(ObjectError::TooManyBuckets.into());
            }
            let bucket = Bucket {
                name,
                id: BucketId(i64::from_be_bytes(id) & i64::MAX),
                owner,
                region: region.clone(),
                created_at: time_by(rows, at.now)?,
                versioning: if new.object_lock {
                    Versioning::Enabled
                } else {
                    Versioning::Never
                },
                object_lock: new.object_lock,
                settings: BucketSettings {
                    ownership: new.ownership.or(Some(Ownership::BucketOwnerEnforced)),
                    ..BucketSettings::default()
                },
            };
            rows.add_bucket(&bucket)?;
            if let Some(tags) = &tags {
                rows.set_document(bucket.id, DocumentKind::Tags, Some(tags))?;
            }
            Ok(bucket)
        });
        self.store.policies.forget();
        made
    }

    /// Deletes a bucket that has no objects, neither versions nor delete markers. Its uploads are aborted.
    ///
    /// # Errors
    /// [`ObjectError::BucketNotEmpty`].
    pub fn delete_bucket(
        &self,
        permit: &Permit<s3::DeleteBucket>,
        at: Moment<'_>,
    ) -> Result<(), ObjectError> {
        let name = bucket_of(permit)?;
        // One upload at a time, as each may have many parts.
        while !self.change(|rows| {
            let bucket = existing(rows, &name)?;
            if !rows.keys(bucket.id, &From::Key(String::new()), 1)?.is_empty() {
                return Err(ObjectError::BucketNotEmpty(bucket.name).into());
            }
            let Some(upload) = rows.uploads(bucket.id, &From::Key(String::new()), 1)?.pop() else {
                rows.remove_bucket(&bucket)?;
                return Ok(true);
            };
            let within = Within::of(rows, &bucket, &upload.key);
            within.abort(&upload, at.now)?;
            Ok(false)
        })? {}
        self.store.policies.forget();
        Ok(())
    }

    /// Buckets of the caller's account in the order of their names, and whether there are more.
    ///
    /// # Errors
    /// [`ObjectError::Store`].
    pub fn list_buckets(
        &self,
        permit: &Permit<s3::ListAllMyBuckets>,
        asked: BucketsRequest<'_>,
    ) -> Result<(Vec<Bucket>, bool), ObjectError> {
        let account = permit.session().account();
        let limit = asked.limit.saturating_add(1);
        let mut found = self.look(|rows| rows.buckets(account, BucketsRequest { limit, ..asked }))?;
        let more = found.len() > asked.limit;
        found.truncate(asked.limit);
        Ok((found, more))
    }

    /// The bucket that a permit names, or that the object is in that it names.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchBucket`].
    pub fn bucket<A: Action>(&self, permit: &Permit<A>) -> Result<Bucket, ObjectError> {
        let name = permit.resource().bucket().ok_or(ObjectError::OtherPermit)?;
        let id = permit.unique_id();
        self.look(|rows| existing(rows, &Meant { name, id }))
    }

    /// Begins or suspends to keep versions.
    ///
    /// # Errors
    /// [`ObjectError::InvalidBucketState`] if versions can be locked.
    pub fn set_versioning(
        &self,
        permit: &Permit<s3::PutBucketVersioning>,
        versioning: Versioning,
    ) -> Result<(), ObjectError> {
        self.alter(&bucket_of(permit)?, |bucket| {
            if versioning == Versioning::Never {
                return Err(ObjectError::MalformedDocument(
                    "The Versioning status is Enabled or Suspended",
                ));
            }
            if bucket.object_lock && versioning != Versioning::Enabled {
                return Err(ObjectError::InvalidBucketState(
                    "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
                ));
            }
            bucket.versioning = versioning;
            Ok(())
        })
    }

    /// Lets versions be locked, for good, and says how new ones are.
    ///
    /// # Errors
    /// [`ObjectError::InvalidBucketState`] if no versions are kept.
    pub fn set_object_lock(
        &self,
        permit: &Permit<s3::PutBucketObjectLockConfiguration>,
        retention: Option<DefaultRetention>,
    ) -> Result<(), ObjectError> {
        retention.map_or(Ok(()), |retention| retention.check())?;
        self.alter(&bucket_of(permit)?, |bucket| {
            if bucket.versioning != Versioning::Enabled {
                return Err(ObjectError::InvalidBucketState(
                    "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
                ));
            }
            bucket.object_lock = true;
            bucket.settings.default_retention = retention;
            Ok(())
        })
    }

    /// How new versions of a bucket are locked.
    ///
    /// # Errors
    /// [`ObjectError::ObjectLockConfigurationNotFound`] if they cannot be.
    pub fn object_lock(
        &self,
        permit: &Permit<s3::GetBucketObjectLockConfiguration>,
    ) -> Result<Option<DefaultRetention>, ObjectError> {
        let bucket = self.bucket(permit)?;
        if bucket.object_lock {
            Ok(bucket.settings.default_retention)
        } else {
            Err(ObjectError::ObjectLockConfigurationNotFound)
        }
    }

    /// Sets under what new objects are sealed; `None` is what buckets begin with.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchBucket`].
    pub fn set_encryption(
        &self,
        permit: &Permit<s3::PutEncryptionConfiguration>,
        encryption: Option<BucketEncryption>,
    ) -> Result<(), ObjectError> {
        self.alter(&bucket_of(permit)?, |bucket| {
            bucket.settings.encryption = encryption.unwrap_or_default();
            Ok(())
        })
    }

    /// Sets whose objects are.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchBucket`].
    pub fn set_ownership(
        &self,
        permit: &Permit<s3::PutBucketOwnershipControls>,
        ownership: Option<Ownership>,
    ) -> Result<(), ObjectError> {
        self.alter(&bucket_of(permit)?, |bucket| {
            bucket.settings.ownership = ownership;
            Ok(())
        })
    }

    /// Sets what keeps a bucket from being public.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchBucket`].
    pub fn set_public_access_block(
        &self,
        permit: &Permit<s3::PutBucketPublicAccessBlock>,
        block: Option<PublicAccessBlock>,
    ) -> Result<(), ObjectError> {
        self.alter(&bucket_of(permit)?, |bucket| {
            bucket.settings.public_access = block;
            Ok(())
        })
    }

    fn alter(
        &self,
        meant: &Meant,
        alter: impl FnOnce(&mut Bucket) -> Result<(), ObjectError>,
    ) -> Result<(), ObjectError> {
        let altered = self.change(|rows| {
            let mut bucket = existing(rows, meant)?;
            alter(&mut bucket)?;
            rows.replace_bucket(&bucket)
        });
        self.store.policies.forget();
        altered
    }

    /// Keeps a document with a bucket, or removes it.
    pub(super) fn set(
        &self,
        meant: &Meant,
        kind: DocumentKind,
        document: Option<&str>,
    ) -> Result<(), ObjectError> {
        let set = |rows: &dyn ObjectRows| -> Found<()> {
            let bucket = existing(rows, meant)?;
            rows.set_document(bucket.id, kind, document)
        };
        let set = self.change(set);
        self.store.policies.forget();
        set
    }
}
