//! What a trail is to be set to, and whether it could deliver so: its bucket and its key are asked, as CloudTrail.

use bytes::Bytes;
use moho_audit::cloudtrail::KeyScope;
use moho_audit::cloudtrail::names::KeyPrefix;
use moho_store::trails::{TrailBucket, TrailSettings};
use moho_terms::{AccountId, Arn, BucketName};
use moho_wire::Failure;

use super::shown::{self, service};
use crate::handlers::Asked;
use crate::trails::{Parcel, Undone, Whose};

/// A bucket by its name, of whom it belongs to now. Of one that is not there, that is said when it is asked.
pub(super) fn bucket(asked: &Asked, name: &str) -> Result<TrailBucket, Failure> {
    let name = bucket_name(name)?;
    let facts = asked.platform.store.bucket_facts(&name);
    let facts = facts.map_err(|error| crate::road::from_store(&error))?;
    Ok(TrailBucket {
        owner: facts.map_or(asked.account, |facts| facts.owner),
        name,
    })
}

fn bucket_name(name: &str) -> Result<BucketName, Failure> {
    name.parse().map_err(|error| {
        let name: String = name.chars().filter(char::is_ascii_graphic).take(63).collect();
        service(
            "InvalidS3BucketNameException",
            format!("{name} is no name of an S3 bucket: {error}"),
        )
    })
}

/// A prefix; none if it is empty.
pub(super) fn prefix(text: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let prefix = KeyPrefix::parse(text);
    let prefix = prefix.map_err(|error| service("InvalidS3PrefixException", error.to_string()))?;
    Ok(prefix.map(|prefix| prefix.as_str().to_owned()))
}

/// The organisation, for a trail that is to be of all its accounts.
pub(super) fn organization(asked: &Asked, wanted: bool) -> Result<Option<String>, Failure> {
    if !wanted {
        return Ok(None);
    }
    if asked.account != asked.platform.account {
        return Err(shown::not_management());
    }
    Ok(Some(asked.platform.organisation.id.clone()))
}

/// Refuses what does not go together.
pub(super) fn check_together(settings: &TrailSettings) -> Result<(), Failure> {
    if settings.multi_region && !settings.global_services {
        return Err(service(
            "InvalidParameterCombinationException",
            "Multi-Region trail must include global service events.",
        ));
    }
    Ok(())
}

/// Whether CloudTrail may do what it has to for a trail that is set so: it does it, and leaves two empty objects, as AWS's does.
pub(super) async fn check_delivery(
    asked: &Asked,
    (trail, account): (Arn, AccountId),
    settings: &TrailSettings,
) -> Result<(), Failure> {
    let (platform, whose) = (&asked.platform, Whose { trail, account });
    let bucket = &settings.bucket;
    let courier = &platform.courier;
    let known = courier.get_bucket_acl(&whose, bucket).await;
    known.map_err(|undone| bucket_refuses(&bucket.name, &undone))?;
    let prefix = settings.prefix.as_deref();
    let scope = KeyScope {
        prefix: prefix.and_then(|prefix| KeyPrefix::parse(prefix).ok().flatten()),
        organization: settings.organization.as_deref().and_then(|id| id.parse().ok()),
        account,
        region: platform.region.clone(),
    };
    // `…/CloudTrail/REGION/` is what there is in it; the folder stands before the region.
    let region = format!("{}/", platform.region);
    for folder in [scope.log_files(), scope.digests()] {
        let key = folder.strip_suffix(&region).unwrap_or(&folder).to_owned();
        if let Some(kms_key) = &settings.kms_key {
            check_key(asked, &whose, (bucket, &key), kms_key)?;
        }
        let parcel = Parcel {
            bucket: bucket.clone(),
            key,
            kms_key: settings.kms_key.clone(),
            body: Bytes::new(),
            metadata: Vec::new(),
            gzip: false,
        };
        let put = courier.put(&whose, parcel).await;
        put.map_err(|undone| bucket_refuses(&bucket.name, &undone))?;
    }
    Ok(())
}

fn check_key(
    asked: &Asked,
    whose: &Whose,
    place: (&TrailBucket, &str),
    kms_key: &Arn,
) -> Result<(), Failure> {
    let platform = &asked.platform;
    let leave = platform.courier.may_seal(whose, place, (kms_key, &asked.request));
    let permit = leave.map_err(|_refused| {
        service(
            "InsufficientEncryptionPolicyException",
            format!(
                "Insufficient permissions to access S3 bucket {} or KMS key {kms_key}.",
                place.0.name
            ),
        )
    })?;
    let usable = platform.kms.key(&permit);
    usable.map(|_key| ()).map_err(|_state| {
        service(
            "KmsKeyDisabledException",
            format!("The KMS key {kms_key} cannot be used in the state that it is in."),
        )
    })
}

fn bucket_refuses(bucket: &BucketName, undone: &Undone) -> Failure {
    match (undone.code.as_str(), undone.refused) {
        ("NoSuchBucket", _) => service(
            "S3BucketDoesNotExistException",
            format!("S3 bucket {bucket} does not exist!"),
        ),
        (_, true) => service(
            "InsufficientS3BucketPolicyException",
            format!(
                "Incorrect S3 bucket policy is detected for bucket: {bucket}. It and the policy of the KMS key that the bucket \
                 is sealed under have to let cloudtrail.amazonaws.com in."
            ),
        ),
        (_, false) => Failure::Unavailable,
    }
}
