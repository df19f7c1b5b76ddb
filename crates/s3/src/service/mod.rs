//! S3's operations: each names what it is about, asks for its permits, and acts with them.
//!
//! The table below is all that there is: what is not in it is `NotImplemented`.

mod acl;
mod attributes;
mod buckets;
mod copying;
mod deleting;
mod documents;
mod lifecycle;
mod listing;
mod locking;
mod multipart;
mod putting;
mod reading;
mod resealing;
mod settings;
mod tagging;
#[cfg(test)]
mod tried;

use std::sync::Arc;

use moho_iam::authn::Authenticated;
use moho_iam::authz::RequestFacts;
use moho_store::objects::Checksum;
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, dto};

use crate::asking::{Asking, blocking, deciding_again};
use crate::call::{Notes, Proof, Trailers};
use crate::failure;
use crate::gateway::Backing;
use crate::refusal;
use crate::turns::{LongWork, Turns};

pub(crate) use lifecycle::told_again as lifecycle_told_again;
pub(crate) use multipart::source_range;
pub(crate) use reading::Found;
pub(crate) use resealing::new_key;

/// What an operation answers.
type Replied<T> = Result<S3Response<T>, S3Error>;
/// What an operation does.
type Act<I, O> = fn(&Asking, &I) -> Replied<O>;

/// Who asks, how that was shown, and what comes beside what s3s reads: it travels with the request through s3s.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) caller: Arc<Authenticated>,
    pub(crate) facts: Arc<RequestFacts>,
    pub(crate) proof: Proof,
    pub(crate) trailers: Trailers,
    /// The tags that a bucket is to be made with, which s3s does not read.
    pub(crate) tags_of_bucket: Arc<[(String, String)]>,
    /// What has to hold for an object to be read, of which s3s reads one entity tag at most.
    pub(crate) conditions: Arc<Conditions>,
    /// Where it is noted what is to be written down of it.
    pub(crate) notes: Notes,
}

/// Entity tags that a request to read names; `*` is any.
#[derive(Default)]
pub(crate) struct Conditions {
    pub(crate) if_match: Option<Vec<String>>,
    pub(crate) if_none_match: Option<Vec<String>>,
}

/// The operations, over what is kept.
#[derive(Clone)]
pub(crate) struct Operations {
    backing: Arc<Backing>,
    work: Arc<LongWork>,
}

impl Operations {
    pub(crate) fn new(backing: Arc<Backing>) -> Self {
        Self {
            backing,
            work: Arc::default(),
        }
    }

    /// What is done in turn.
    pub(crate) fn work(&self) -> &LongWork {
        &self.work
    }

    /// Who asks, and for what.
    fn asking<I>(&self, request: S3Request<I>) -> Result<(Asking, I), S3Error> {
        let asking = Asking::of(&self.backing, &request.extensions, request.headers)?;
        Ok((asking, request.input))
    }

    /// Does what takes no time but the disk's, or takes its turn. What nobody waits for any more is not begun.
    async fn act<I: Send + 'static, O: Send + 'static>(
        &self,
        request: S3Request<I>,
        (turns, act): (Option<&Turns>, Act<I, O>),
    ) -> S3Result<S3Response<O>> {
        let (asking, input) = self.asking(request)?;
        let turn = match turns {
            Some(turns) => Some(turns.turn(asking.account()).await?),
            None => None,
        };
        let _waiting = asking.left().when_dropped();
        blocking(move || {
            // It is over when the work is, not when the client has gone.
            let _turn = turn;
            let done = deciding_again(|| {
                asking.left().check()?;
                act(&asking, &input)
            });
            refusal::noting(done, asking.notes())
        })
        .await
    }
}

/// Where it is noted what is to be written down of a request.
fn notes_of<I>(request: &S3Request<I>) -> Notes {
    let caller = request.extensions.get::<Caller>();
    caller.map(|caller| caller.notes.clone()).unwrap_or_default()
}

/// Checksums by their algorithms, as replies tell them.
#[derive(Default)]
struct Summed {
    crc32: Option<String>,
    crc32c: Option<String>,
    crc64nvme: Option<String>,
    sha1: Option<String>,
    sha256: Option<String>,
}

impl Summed {
    fn of(checksums: &[Checksum]) -> Self {
        Self::by(checksums, |sum| sum.value.clone())
    }

    /// Of a whole, whose composite checksums say of how many parts they are.
    fn of_parts(checksums: &[Checksum], parts: usize) -> Self {
        Self::by(checksums, |sum| {
            if sum.composite {
                format!("{}-{parts}", sum.value)
            } else {
                sum.value.clone()
            }
        })
    }

    fn by(checksums: &[Checksum], tell: impl Fn(&Checksum) -> String) -> Self {
        let of = |name: &str| checksums.iter().find(|sum| sum.algorithm == name).map(&tell);
        Self {
            crc32: of("CRC32"),
            crc32c: of("CRC32C"),
            crc64nvme: of("CRC64NVME"),
            sha1: of("SHA1"),
            sha256: of("SHA256"),
        }
    }
}

macro_rules! operations {
    ($($name:ident: $input:ident => $output:ident = $act:path $(, in turn of $turns:ident)?;)+) => {
        /// The names of the operations that are served, as s3s calls them.
        #[cfg(test)]
        pub(crate) const SERVED: &[&str] = &[$(stringify!($name),)+ "get_object", "put_object", "upload_part", "update_object_encryption"];

        #[async_trait::async_trait]
        impl S3 for Operations {
            $(async fn $name(&self, request: S3Request<dto::$input>) -> S3Result<S3Response<dto::$output>> {
                let turns: &[&Turns] = &[$(&self.work.$turns)?];
                self.act(request, (turns.first().copied(), $act)).await
            })+

            async fn get_object(
                &self,
                request: S3Request<dto::GetObjectInput>,
            ) -> S3Result<S3Response<dto::GetObjectOutput>> {
                self.act(request, (None, reading::get)).await
            }

            async fn put_object(
                &self,
                request: S3Request<dto::PutObjectInput>,
            ) -> S3Result<S3Response<dto::PutObjectOutput>> {
                let notes = notes_of(&request);
                refusal::noting(putting::put(self, request).await, &notes)
            }

            async fn upload_part(
                &self,
                request: S3Request<dto::UploadPartInput>,
            ) -> S3Result<S3Response<dto::UploadPartOutput>> {
                let notes = notes_of(&request);
                refusal::noting(multipart::upload_part(self, request).await, &notes)
            }

            /// By default this would be `put_object`.
            async fn post_object(
                &self,
                _request: S3Request<dto::PostObjectInput>,
            ) -> S3Result<S3Response<dto::PostObjectOutput>> {
                Err(failure::not_implemented("Uploads by HTML forms are not implemented."))
            }
        }
    };
}

operations! {
    create_bucket: CreateBucketInput => CreateBucketOutput = buckets::create;
    delete_bucket: DeleteBucketInput => DeleteBucketOutput = buckets::delete;
    head_bucket: HeadBucketInput => HeadBucketOutput = buckets::head;
    list_buckets: ListBucketsInput => ListBucketsOutput = buckets::list;
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput = buckets::location;
    get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput = settings::get_versioning;
    put_bucket_versioning: PutBucketVersioningInput => PutBucketVersioningOutput = settings::put_versioning;
    get_bucket_encryption: GetBucketEncryptionInput => GetBucketEncryptionOutput = settings::get_encryption;
    put_bucket_encryption: PutBucketEncryptionInput => PutBucketEncryptionOutput = settings::put_encryption;
    delete_bucket_encryption: DeleteBucketEncryptionInput => DeleteBucketEncryptionOutput = settings::delete_encryption;
    get_bucket_ownership_controls: GetBucketOwnershipControlsInput => GetBucketOwnershipControlsOutput = settings::get_ownership;
    put_bucket_ownership_controls: PutBucketOwnershipControlsInput => PutBucketOwnershipControlsOutput = settings::put_ownership;
    delete_bucket_ownership_controls: DeleteBucketOwnershipControlsInput => DeleteBucketOwnershipControlsOutput = settings::delete_ownership;
    get_public_access_block: GetPublicAccessBlockInput => GetPublicAccessBlockOutput = settings::get_public_access_block;
    put_public_access_block: PutPublicAccessBlockInput => PutPublicAccessBlockOutput = settings::put_public_access_block;
    delete_public_access_block: DeletePublicAccessBlockInput => DeletePublicAccessBlockOutput = settings::delete_public_access_block;
    get_bucket_tagging: GetBucketTaggingInput => GetBucketTaggingOutput = settings::get_tags;
    put_bucket_tagging: PutBucketTaggingInput => PutBucketTaggingOutput = settings::put_tags;
    delete_bucket_tagging: DeleteBucketTaggingInput => DeleteBucketTaggingOutput = settings::delete_tags;
    get_bucket_policy: GetBucketPolicyInput => GetBucketPolicyOutput = documents::get_policy;
    put_bucket_policy: PutBucketPolicyInput => PutBucketPolicyOutput = documents::put_policy;
    delete_bucket_policy: DeleteBucketPolicyInput => DeleteBucketPolicyOutput = documents::delete_policy;
    get_bucket_policy_status: GetBucketPolicyStatusInput => GetBucketPolicyStatusOutput = documents::policy_status;
    get_bucket_lifecycle_configuration: GetBucketLifecycleConfigurationInput => GetBucketLifecycleConfigurationOutput = lifecycle::get;
    put_bucket_lifecycle_configuration: PutBucketLifecycleConfigurationInput => PutBucketLifecycleConfigurationOutput = lifecycle::put;
    delete_bucket_lifecycle: DeleteBucketLifecycleInput => DeleteBucketLifecycleOutput = lifecycle::delete;
    get_bucket_cors: GetBucketCorsInput => GetBucketCorsOutput = documents::get_cors;
    put_bucket_cors: PutBucketCorsInput => PutBucketCorsOutput = documents::put_cors;
    delete_bucket_cors: DeleteBucketCorsInput => DeleteBucketCorsOutput = documents::delete_cors;
    get_bucket_logging: GetBucketLoggingInput => GetBucketLoggingOutput = documents::get_logging;
    put_bucket_logging: PutBucketLoggingInput => PutBucketLoggingOutput = documents::put_logging;
    get_bucket_notification_configuration: GetBucketNotificationConfigurationInput => GetBucketNotificationConfigurationOutput = documents::get_notification;
    put_bucket_notification_configuration: PutBucketNotificationConfigurationInput => PutBucketNotificationConfigurationOutput = documents::put_notification;
    get_bucket_acl: GetBucketAclInput => GetBucketAclOutput = acl::get_of_bucket;
    put_bucket_acl: PutBucketAclInput => PutBucketAclOutput = acl::put_of_bucket;
    get_object_acl: GetObjectAclInput => GetObjectAclOutput = acl::get_of_object;
    put_object_acl: PutObjectAclInput => PutObjectAclOutput = acl::put_of_object;
    list_objects: ListObjectsInput => ListObjectsOutput = listing::first;
    list_objects_v2: ListObjectsV2Input => ListObjectsV2Output = listing::second;
    list_object_versions: ListObjectVersionsInput => ListObjectVersionsOutput = listing::versions;
    head_object: HeadObjectInput => HeadObjectOutput = reading::head;
    get_object_attributes: GetObjectAttributesInput => GetObjectAttributesOutput = attributes::get;
    delete_object: DeleteObjectInput => DeleteObjectOutput = deleting::one;
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput = deleting::several;
    copy_object: CopyObjectInput => CopyObjectOutput = copying::copy, in turn of copies;
    get_object_tagging: GetObjectTaggingInput => GetObjectTaggingOutput = tagging::get;
    put_object_tagging: PutObjectTaggingInput => PutObjectTaggingOutput = tagging::put;
    delete_object_tagging: DeleteObjectTaggingInput => DeleteObjectTaggingOutput = tagging::delete;
    get_object_lock_configuration: GetObjectLockConfigurationInput => GetObjectLockConfigurationOutput = locking::get_configuration;
    put_object_lock_configuration: PutObjectLockConfigurationInput => PutObjectLockConfigurationOutput = locking::put_configuration;
    get_object_retention: GetObjectRetentionInput => GetObjectRetentionOutput = locking::get_retention;
    put_object_retention: PutObjectRetentionInput => PutObjectRetentionOutput = locking::put_retention;
    get_object_legal_hold: GetObjectLegalHoldInput => GetObjectLegalHoldOutput = locking::get_legal_hold;
    put_object_legal_hold: PutObjectLegalHoldInput => PutObjectLegalHoldOutput = locking::put_legal_hold;
    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput = multipart::create;
    upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput = multipart::upload_part_copy, in turn of copies;
    complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput = multipart::complete, in turn of completions;
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput = multipart::abort;
    list_parts: ListPartsInput => ListPartsOutput = multipart::list_parts;
    list_multipart_uploads: ListMultipartUploadsInput => ListMultipartUploadsOutput = multipart::list_uploads;
}
