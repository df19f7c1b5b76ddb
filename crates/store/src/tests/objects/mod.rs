//! Buckets and objects, as S3 has them.

mod buckets;
mod garbage;
mod hostile;
mod lifecycle;
mod listing;
mod locks;
mod model;
mod put_and_found;
mod upgrade;
mod uploads;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moho_iam::Session;
use moho_iam::action::{Action, kms, s3};
use moho_iam::authn::Authenticated;
use moho_iam::authz::{Authorizer, Context, Permit, Policies, PolicySource, PolicyUnavailable};
use moho_terms::{Arn, BucketName, ObjectKey, Timestamp, UploadId, VersionId};

use super::{House, behind, region};
use crate::Store;
use crate::objects::*;

/// The store's policies, and every bucket, there or not, as the caller's own.
struct OwnBuckets(Arc<Store>);

impl PolicySource for OwnBuckets {
    fn policies(
        &self,
        session: &Session,
        action: &str,
        resource: &Arn,
    ) -> Result<Policies, PolicyUnavailable> {
        let mut policies = self.0.policies(session, action, resource)?;
        if resource.service() == "s3" {
            Arc::make_mut(&mut policies.resource_facts).account = Some(session.account());
        }
        Ok(policies)
    }
}

/// An account with buckets, and a clock that is set by hand.
struct Shop {
    house: House,
    caller: Authenticated,
    authorizer: Authorizer,
    /// Seconds since 1970.
    now: AtomicU64,
}

const START: u64 = 1_795_312_800;

impl Shop {
    fn open(directory: &Path) -> Self {
        Self::in_house(House::open(directory))
    }

    fn in_house(house: House) -> Self {
        let caller = house.session("Admin");
        let source = Arc::new(OwnBuckets(house.store.clone()));
        let authorizer = Authorizer::new(source, house.world.clone(), house.world.clone());
        Self {
            house,
            caller,
            authorizer,
            now: AtomicU64::new(START),
        }
    }

    fn at(&self) -> Moment<'_> {
        Moment {
            now: Timestamp::from_unix_seconds(self.now.load(Ordering::SeqCst)),
            entropy: &*self.house.world,
        }
    }

    fn pass(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    fn objects(&self) -> Objects<'_> {
        self.house.store.objects()
    }

    fn leave<A: Action>(&self, resource: &Arn, context: &Context) -> Permit<A> {
        self.authorizer
            .authorize(&self.caller, &self.house.facts(), resource, context)
            .unwrap()
    }

    fn on<A: Action>(&self, bucket: &BucketName) -> Permit<A> {
        self.leave(&Arn::of_bucket(bucket).unwrap(), &Context::new())
    }

    fn of<A: Action>(&self, bucket: &BucketName, key: &str) -> Permit<A> {
        let arn = Arn::of_object(bucket, &object(key)).unwrap();
        self.leave(&arn, &Context::new())
    }

    fn bucket_with(&self, name: &str, new: &NewBucket) -> BucketName {
        let name: BucketName = name.parse().unwrap();
        self.objects()
            .create_bucket(&self.on(&name), new, &region(), self.at())
            .unwrap();
        name
    }

    fn bucket(&self, name: &str) -> BucketName {
        self.bucket_with(name, &NewBucket::default())
    }

    fn versioned(&self, name: &str) -> BucketName {
        let name = self.bucket(name);
        self.objects()
            .set_versioning(&self.on(&name), Versioning::Enabled)
            .unwrap();
        name
    }

    fn lockable(&self, name: &str) -> BucketName {
        let new = NewBucket {
            object_lock: true,
            ..NewBucket::default()
        };
        self.bucket_with(name, &new)
    }

    fn encryption(&self, bucket: &BucketName, key: &str) -> ObjectEncryption {
        let account_key = self.house.first.account_key.clone();
        let asked = (SealingAlgorithm::AwsKms, false);
        ObjectEncryption::new(asked, account_key, (bucket, &object(key)), BTreeMap::new()).unwrap()
    }

    fn key<A: Action>(&self, encryption: &ObjectEncryption) -> Permit<A> {
        self.leave(encryption.key(), &encryption.context().condition_keys())
    }

    fn sealed(&self, encryption: &ObjectEncryption, metadata: &ObjectMetadata) -> SealedMetadata {
        let permit: Permit<kms::GenerateDataKey> = self.key(encryption);
        SealedMetadata::seal(metadata, encryption, (&self.house.kms, &permit)).unwrap()
    }

    fn segment(&self, encryption: &ObjectEncryption, bytes: &[u8]) -> Segment {
        let permit: Permit<kms::GenerateDataKey> = self.key(encryption);
        let sealer = self.house.kms.sealer(&permit, encryption.context()).unwrap();
        let mut writer = self.house.store.segment_writer(sealer);
        writer.write(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn new_object(&self, bucket: &BucketName, key: &str) -> NewObject {
        let encryption = self.encryption(bucket, key);
        let metadata = ObjectMetadata {
            content_type: Some("text/plain".to_owned()),
            ..ObjectMetadata::default()
        };
        NewObject {
            metadata: self.sealed(&encryption, &metadata),
            encryption,
            storage_class: StorageClass::Standard,
            tags: Vec::new(),
            lock: AskedLock::default(),
        }
    }

    fn put_if(
        &self,
        bucket: &BucketName,
        key: &str,
        bytes: &[u8],
        condition: &WriteCondition,
    ) -> Result<Stored, ObjectError> {
        let new = self.new_object(bucket, key);
        self.put_new(bucket, key, new, (bytes, condition))
    }

    fn put_new(
        &self,
        bucket: &BucketName,
        key: &str,
        new: NewObject,
        (bytes, condition): (&[u8], &WriteCondition),
    ) -> Result<Stored, ObjectError> {
        let segment = self.segment(&new.encryption, bytes);
        self.objects()
            .put(&self.of(bucket, key), new, (segment, condition), self.at())
    }

    fn put(&self, bucket: &BucketName, key: &str, bytes: &[u8]) -> Stored {
        self.put_if(bucket, key, bytes, &WriteCondition::None).unwrap()
    }

    fn find(
        &self,
        bucket: &BucketName,
        key: &str,
        version: Option<&VersionId>,
    ) -> Result<ObjectVersion, ObjectError> {
        match version {
            None => self.objects().find(&self.of::<s3::GetObject>(bucket, key), None),
            Some(_) => self
                .objects()
                .find(&self.of::<s3::GetObjectVersion>(bucket, key), version),
        }
    }

    fn read(&self, version: &ObjectVersion, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
        let encryption = &version.content.as_ref().unwrap().encryption;
        let permit: Permit<kms::Decrypt> = self.key(encryption);
        let mut bytes = Vec::new();
        for piece in self.objects().pieces(version, None, range)? {
            let (store, kms) = (&self.house.store, &self.house.kms);
            let mut reader = store.segment_reader(piece.segment, kms, &permit, encryption.context())?;
            let mut at = piece.range.start;
            while at < piece.range.end {
                let read = reader.read_range(at..piece.range.end)?;
                assert!(!read.is_empty());
                bytes.extend_from_slice(read);
                at += read.len() as u64;
            }
        }
        Ok(bytes)
    }

    fn get(
        &self,
        bucket: &BucketName,
        key: &str,
        version: Option<&VersionId>,
    ) -> Result<Vec<u8>, ObjectError> {
        let found = self.find(bucket, key, version)?;
        let size = found.content.as_ref().unwrap().size;
        self.read(&found, 0..size)
    }

    fn delete(&self, bucket: &BucketName, key: &str) -> Result<Deleted, ObjectError> {
        let permit = self.of(bucket, key);
        self.objects()
            .delete(DeletePermit::Current(&permit), Deletion::default(), self.at())
    }

    fn delete_version(
        &self,
        bucket: &BucketName,
        key: &str,
        version: &VersionId,
    ) -> Result<Deleted, ObjectError> {
        let permit = self.of(bucket, key);
        let permit = DeletePermit::Version(&permit, version);
        self.objects().delete(permit, Deletion::default(), self.at())
    }

    fn upload(&self, bucket: &BucketName, key: &str) -> UploadId {
        let new = self.new_object(bucket, key);
        self.objects()
            .create_upload(&self.of(bucket, key), new, self.at())
            .unwrap()
    }

    fn part(
        &self,
        (bucket, key): (&BucketName, &str),
        upload: &UploadId,
        number: u16,
        bytes: &[u8],
    ) -> Result<ListedPart, ObjectError> {
        let encryption = self.encryption(bucket, key);
        let new = NewPart {
            upload,
            number,
            segment: self.segment(&encryption, bytes),
            metadata: self.sealed(&encryption, &ObjectMetadata::default()),
        };
        self.objects().put_part(&self.of(bucket, key), new, self.at())
    }

    fn complete(
        &self,
        (bucket, key): (&BucketName, &str),
        upload: &UploadId,
        parts: &[(u16, String)],
    ) -> Result<Stored, ObjectError> {
        let encryption = self.encryption(bucket, key);
        let completion = Completion {
            upload,
            parts,
            metadata: self.sealed(&encryption, &ObjectMetadata::default()),
            size: None,
            condition: WriteCondition::None,
        };
        self.objects()
            .complete(&self.of(bucket, key), &completion, self.at())
    }

    /// Files of segments.
    fn files(&self) -> usize {
        self.house.store.segments_present().count()
    }
}

fn object(key: &str) -> ObjectKey {
    key.parse().unwrap()
}

/// A count in the database, behind the store's back.
fn counted(directory: &Path, select: &str) -> i64 {
    behind(directory).query_row(select, [], |row| row.get(0)).unwrap()
}
