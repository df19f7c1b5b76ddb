//! What buckets are set to: versioning, sealing, ownership, what blocks public access, tags.

use http::StatusCode;
use moho_iam::action::s3;
use moho_store::objects::{BucketEncryption, Ownership, PublicAccessBlock, SealingAlgorithm, Versioning};
use s3s::dto::{self, BucketVersioningStatus, ServerSideEncryption};
use s3s::{S3Error, S3Response};

use super::Replied;
use crate::asking::{Asking, bucket_name};
use crate::{failure, refusal, sealing, told};

pub(super) fn get_versioning(
    asking: &Asking,
    input: &dto::GetBucketVersioningInput,
) -> Replied<dto::GetBucketVersioningOutput> {
    let permit =
        asking.on_bucket::<s3::GetBucketVersioning>(&bucket_name(&input.bucket)?, &asking.context())?;
    let status = match asking.bucket(&permit)?.versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
    };
    Ok(S3Response::new(dto::GetBucketVersioningOutput {
        mfa_delete: None,
        status: status.map(BucketVersioningStatus::from_static),
    }))
}

pub(super) fn put_versioning(
    asking: &Asking,
    input: &dto::PutBucketVersioningInput,
) -> Replied<dto::PutBucketVersioningOutput> {
    let permit =
        asking.on_bucket::<s3::PutBucketVersioning>(&bucket_name(&input.bucket)?, &asking.context())?;
    asking.bucket(&permit)?;
    let asked = &input.versioning_configuration;
    if asked
        .mfa_delete
        .as_ref()
        .is_some_and(|asked| asked.as_str() != "Disabled")
    {
        return Err(failure::not_implemented("MFA delete is not implemented."));
    }
    let versioning = match asked.status.as_ref().map(BucketVersioningStatus::as_str) {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        Some(_) => return Err(failure::malformed_xml()),
        None => {
            return Err(failure::error(
                "IllegalVersioningConfigurationException",
                StatusCode::BAD_REQUEST,
                "The Versioning element must be specified",
            ));
        }
    };
    let set = asking.store().objects().set_versioning(&permit, versioning);
    set.map_err(|error| refusal::from_object(&error))?;
    Ok(S3Response::new(dto::PutBucketVersioningOutput {}))
}

pub(super) fn get_encryption(
    asking: &Asking,
    input: &dto::GetBucketEncryptionInput,
) -> Replied<dto::GetBucketEncryptionOutput> {
    let bucket = bucket_name(&input.bucket)?;
    let permit = asking.on_bucket::<s3::GetEncryptionConfiguration>(&bucket, &asking.context())?;
    let bucket = asking.bucket(&permit)?;
    let set = bucket.settings.encryption;
    let by_default = dto::ServerSideEncryptionByDefault {
        kms_master_key_id: set.key.filter(|_| set.algorithm == SealingAlgorithm::AwsKms),
        sse_algorithm: ServerSideEncryption::from_static(set.algorithm.as_str()),
    };
    let rule = dto::ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(by_default),
        bucket_key_enabled: Some(set.bucket_key),
    };
    Ok(S3Response::new(dto::GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(dto::ServerSideEncryptionConfiguration {
            rules: vec![rule],
        }),
    }))
}

pub(super) fn put_encryption(
    asking: &Asking,
    input: &dto::PutBucketEncryptionInput,
) -> Replied<dto::PutBucketEncryptionOutput> {
    let bucket = bucket_name(&input.bucket)?;
    let permit = asking.on_bucket::<s3::PutEncryptionConfiguration>(&bucket, &asking.context())?;
    asking.bucket(&permit)?;
    let [rule] = input.server_side_encryption_configuration.rules.as_slice() else {
        return Err(failure::malformed_xml());
    };
    let asked = rule.apply_server_side_encryption_by_default.as_ref();
    let encryption = match asked {
        Some(asked) => BucketEncryption {
            algorithm: sealing::algorithm(asked.sse_algorithm.as_str())?,
            key: asked.kms_master_key_id.clone().filter(|key| !key.is_empty()),
            bucket_key: rule.bucket_key_enabled.unwrap_or(false),
        },
        None if rule.bucket_key_enabled.is_none() => return Err(failure::malformed_xml()),
        None => BucketEncryption {
            bucket_key: rule.bucket_key_enabled.unwrap_or(false),
            ..BucketEncryption::default()
        },
    };
    if encryption.key.is_some() && encryption.algorithm == SealingAlgorithm::Aes256 {
        return Err(failure::invalid_argument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
        ));
    }
    let set = asking.store().objects().set_encryption(&permit, Some(encryption));
    set.map_err(|error| refusal::from_object(&error))?;
    Ok(S3Response::new(dto::PutBucketEncryptionOutput {}))
}

pub(super) fn delete_encryption(
    asking: &Asking,
    input: &dto::DeleteBucketEncryptionInput,
) -> Replied<dto::DeleteBucketEncryptionOutput> {
    let bucket = bucket_name(&input.bucket)?;
    let permit = asking.on_bucket::<s3::PutEncryptionConfiguration>(&bucket, &asking.context())?;
    asking.bucket(&permit)?;
    let set = asking.store().objects().set_encryption(&permit, None);
    set.map_err(|error| refusal::from_object(&error))?;
    Ok(no_content(dto::DeleteBucketEncryptionOutput {}))
}

/// A reply of 204.
pub(super) fn no_content<T>(output: T) -> S3Response<T> {
    S3Response::with_status(output, StatusCode::NO_CONTENT)
}

pub(super) fn get_ownership(
    asking: &Asking,
    input: &dto::GetBucketOwnershipControlsInput,
) -> Replied<dto::GetBucketOwnershipControlsOutput> {
    let bucket = bucket_name(&input.bucket)?;
    let permit = asking.on_bucket::<s3::GetBucketOwnershipControls>(&bucket, &asking.context())?;
    let set = asking.bucket(&permit)?.settings.ownership;
    let set = set.ok_or_else(|| refusal::no_such_document(moho_store::objects::DocumentKind::Ownership))?;
    let rule = dto::OwnershipControlsRule {
        object_ownership: dto::ObjectOwnership::from_static(set.as_str()),
    };
    Ok(S3Response::new(dto::GetBucketOwnershipControlsOutput {
        ownership_controls: Some(dto::OwnershipControls { rules: vec![rule] }),
    }))
}

pub(super) fn put_ownership(
    asking: &Asking,
    input: &dto::PutBucketOwnershipControlsInput,
) -> Replied<dto::PutBucketOwnershipControlsOutput> {
    let [rule] = input.ownership_controls.rules.as_slice() else {
        return Err(failure::malformed_xml());
    };
    let named = rule.object_ownership.as_str();
    set_ownership(asking, &input.bucket, || {
        super::buckets::ownership(named).map(Some)
    })?;
    Ok(S3Response::new(dto::PutBucketOwnershipControlsOutput {}))
}

pub(super) fn delete_ownership(
    asking: &Asking,
    input: &dto::DeleteBucketOwnershipControlsInput,
) -> Replied<dto::DeleteBucketOwnershipControlsOutput> {
    set_ownership(asking, &input.bucket, || Ok(None))?;
    Ok(no_content(dto::DeleteBucketOwnershipControlsOutput {}))
}

fn set_ownership(
    asking: &Asking,
    bucket: &str,
    asked: impl FnOnce() -> Result<Option<Ownership>, S3Error>,
) -> Result<(), S3Error> {
    let bucket = bucket_name(bucket)?;
    let permit = asking.on_bucket::<s3::PutBucketOwnershipControls>(&bucket, &asking.context())?;
    asking.bucket(&permit)?;
    let set = asking.store().objects().set_ownership(&permit, asked()?);
    set.map_err(|error| refusal::from_object(&error))
}

pub(super) fn get_public_access_block(
    asking: &Asking,
    input: &dto::GetPublicAccessBlockInput,
) -> Replied<dto::GetPublicAccessBlockOutput> {
    let bucket = bucket_name(&input.bucket)?;
    let permit = asking.on_bucket::<s3::GetBucketPublicAccessBlock>(&bucket, &asking.context())?;
    let set = asking.bucket(&permit)?.settings.public_access;
    let set =
        set.ok_or_else(|| refusal::no_such_document(moho_store::objects::DocumentKind::PublicAccessBlock))?;
    let told = dto::PublicAccessBlockConfiguration {
        block_public_acls: Some(set.block_public_acls),
        block_public_policy: Some(set.block_public_policy),
        ignore_public_acls: Some(set.ignore_public_acls),
        restrict_public_buckets: Some(set.restrict_public_buckets),
    };
    Ok(S3Response::new(dto::GetPublicAccessBlockOutput {
        public_access_block_configuration: Some(told),
    }))
}

pub(super) fn put_public_access_block(
    asking: &Asking,
    input: &dto::PutPublicAccessBlockInput,
) -> Replied<dto::PutPublicAccessBlockOutput> {
    let asked = &input.public_access_block_configuration;
    let block = PublicAccessBlock {
        block_public_acls: asked.block_public_acls == Some(true),
        ignore_public_acls: asked.ignore_public_acls == Some(true),
        block_public_policy: asked.block_public_policy == Some(true),
        restrict_public_buckets: asked.restrict_public_buckets == Some(true),
    };
    set_public_access_block(asking, &input.bucket, Some(block))?;
    Ok(S3Response::new(dto::PutPublicAccessBlockOutput {}))
}

pub(super) fn delete_public_access_block(
    asking: &Asking,
    input: &dto::DeletePublicAccessBlockInput,
) -> Replied<dto::DeletePublicAccessBlockOutput> {
    set_public_access_block(asking, &input.bucket, None)?;
    Ok(no_content(dto::DeletePublicAccessBlockOutput {}))
}

fn set_public_access_block(
    asking: &Asking,
    bucket: &str,
    block: Option<PublicAccessBlock>,
) -> Result<(), S3Error> {
    let bucket = bucket_name(bucket)?;
    let permit = asking.on_bucket::<s3::PutBucketPublicAccessBlock>(&bucket, &asking.context())?;
    asking.bucket(&permit)?;
    let set = asking.store().objects().set_public_access_block(&permit, block);
    set.map_err(|error| refusal::from_object(&error))
}

pub(super) fn get_tags(
    asking: &Asking,
    input: &dto::GetBucketTaggingInput,
) -> Replied<dto::GetBucketTaggingOutput> {
    let permit = asking.on_bucket::<s3::GetBucketTagging>(&bucket_name(&input.bucket)?, &asking.context())?;
    asking.bucket(&permit)?;
    let tags = asking.store().objects().bucket_tags(&permit);
    Ok(S3Response::new(dto::GetBucketTaggingOutput {
        tag_set: told::tags(tags.map_err(|error| refusal::from_object(&error))?),
    }))
}

pub(super) fn put_tags(
    asking: &Asking,
    input: &dto::PutBucketTaggingInput,
) -> Replied<dto::PutBucketTaggingOutput> {
    set_tags(asking, &input.bucket, &told::tags_read(&input.tagging.tag_set))?;
    Ok(no_content(dto::PutBucketTaggingOutput {}))
}

pub(super) fn delete_tags(
    asking: &Asking,
    input: &dto::DeleteBucketTaggingInput,
) -> Replied<dto::DeleteBucketTaggingOutput> {
    set_tags(asking, &input.bucket, &[])?;
    Ok(no_content(dto::DeleteBucketTaggingOutput {}))
}

fn set_tags(asking: &Asking, bucket: &str, tags: &[(String, String)]) -> Result<(), S3Error> {
    let context = told::request_tags(asking.context(), tags);
    let permit = asking.on_bucket::<s3::PutBucketTagging>(&bucket_name(bucket)?, &context)?;
    asking.bucket(&permit)?;
    let set = asking.store().objects().set_bucket_tags(&permit, tags);
    set.map_err(|error| refusal::from_object(&error))
}
