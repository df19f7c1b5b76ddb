//! Putting objects: what a request says of an object beside its bytes, and the leave that each of it takes.

use http::StatusCode;
use moho_iam::action::{kms, s3};
use moho_iam::authz::{Context, Permit};
use moho_store::objects::{
    AskedLock, Bucket, NewObject, ObjectEncryption, ObjectMetadata, Retention, RetentionMode, SealedMetadata,
    StorageClass, Stored, WriteCondition,
};
use moho_terms::Timestamp;
use s3s::dto::{self, ETagCondition};
use s3s::{S3Error, S3Request, S3Response};

use super::{Operations, Replied, acl, reading};
use crate::asking::{Asking, NamedObject, blocking};
use crate::bytes_in::{self, Arrived, Incoming};
use crate::checksum::Checks;
use crate::sealing::AskedSealing;
use crate::{failure, refusal, sealing, told};

/// Most bytes of user metadata.
const METADATA: usize = 2048;
const DAY: u64 = 86_400;

/// What is to be written, with the leave for it.
pub(super) struct Writing {
    pub(super) permit: Permit<s3::PutObject>,
    pub(super) seal: Permit<kms::GenerateDataKey>,
    pub(super) bucket: Bucket,
    pub(super) encryption: ObjectEncryption,
    pub(super) tags: Vec<(String, String)>,
    pub(super) lock: AskedLock,
}

/// A lock that headers ask for.
#[derive(Default)]
struct LockHeaders {
    retention: Option<Retention>,
    legal_hold: Option<bool>,
}

/// Asks for the leave that writing an object takes, by its headers. `tags` are those that it is to have.
pub(super) fn allowed(
    asking: &Asking,
    object: &NamedObject,
    (tags, context): (Vec<(String, String)>, Context),
) -> Result<Writing, S3Error> {
    let sealing = AskedSealing::of(asking)?;
    let lock = lock_headers(asking)?;
    let context = told::request_object_tags(sealing.told(context), &tags);
    let context = lock_context(context, &lock, asking.now());
    let permit = asking.on_object::<s3::PutObject>(object, &context)?;
    if !tags.is_empty() {
        asking.on_object::<s3::PutObjectTagging>(object, &context)?;
    }
    let mut asked = AskedLock::default();
    if let Some(retention) = lock.retention {
        let permit = asking.on_object::<s3::PutObjectRetention>(object, &context)?;
        asked = asked.with_retention(&permit, retention);
    }
    if let Some(hold) = lock.legal_hold {
        let permit = asking.on_object::<s3::PutObjectLegalHold>(object, &context)?;
        asked = asked.with_legal_hold(&permit, hold);
    }
    let bucket = asking.bucket(&permit)?;
    acl::check_object_headers(asking)?;
    check_storage_class(asking)?;
    let encryption = sealing.resolved(asking, &bucket, object)?;
    let seal = sealing::to_seal(asking, &encryption)?;
    Ok(Writing {
        permit,
        seal,
        bucket,
        encryption,
        tags,
        lock: asked,
    })
}

impl Writing {
    /// Refuses what would be refused once all of its bytes are there.
    pub(super) fn check_wanted(&self, asking: &Asking, condition: &WriteCondition) -> Result<(), S3Error> {
        let beside = (self.tags.as_slice(), &self.lock);
        let objects = asking.store().objects();
        let could = objects.check_put(&self.permit, beside, condition, asking.moment());
        could.map_err(|error| refusal::from_object(&error))
    }

    /// A place for the bytes.
    pub(super) fn incoming(&self, asking: &Asking, checks: Checks) -> Result<Incoming, S3Error> {
        let sealer = asking.kms().sealer(&self.seal, self.encryption.context());
        let sealer = sealer.map_err(|error| refusal::from_kms(&error))?;
        Ok(Incoming {
            writer: asking.store().segment_writer(sealer),
            checks,
        })
    }

    /// When what was put goes by itself.
    pub(super) fn expiration(&self, asking: &Asking, stored: &Stored) -> Option<String> {
        let (bucket, key) = self.permit.resource().object()?;
        asking.expiration((&bucket, &key), (stored.size, &self.tags), stored.modified_at)
    }

    /// What is put, but for its bytes.
    pub(super) fn new_object(
        &self,
        asking: &Asking,
        metadata: &ObjectMetadata,
    ) -> Result<NewObject, S3Error> {
        let metadata = SealedMetadata::seal(metadata, &self.encryption, (asking.kms(), &self.seal));
        Ok(NewObject {
            encryption: self.encryption.clone(),
            metadata: metadata.map_err(|error| refusal::from_object(&error))?,
            storage_class: StorageClass::Standard,
            tags: self.tags.clone(),
            lock: self.lock.clone(),
        })
    }
}

/// Puts an object.
pub(super) async fn put(
    operations: &Operations,
    request: S3Request<dto::PutObjectInput>,
) -> Replied<dto::PutObjectOutput> {
    let (asking, mut input) = operations.asking(request)?;
    let announced = bytes_in::announced(&asking)?;
    let body = input.body.take();
    let prepared = asking.clone();
    let (writing, metadata, incoming, condition) = blocking(move || {
        let asking = prepared;
        if input.write_offset_bytes.is_some() {
            return Err(failure::not_implemented(
                "A header you provided implies functionality that is not implemented",
            ));
        }
        let object = NamedObject::new(&input.bucket, &input.key, None)?;
        let metadata = metadata(&asking, input.metadata.as_ref())?;
        let condition = condition([input.if_match.as_ref(), input.if_none_match.as_ref()])?;
        let tags = tags_of_header(&asking)?;
        let context = asking.context();
        let writing = allowed(&asking, &object, (tags, context))?;
        writing.check_wanted(&asking, &condition)?;
        let checks = Checks::of(asking.headers(), asking.trailers(), None)?;
        let incoming = writing.incoming(&asking, checks)?;
        Ok((writing, metadata, incoming, condition))
    })
    .await?;
    bytes_in::pump(incoming, body, announced, move |arrived| {
        finish(&asking, &writing, metadata, (arrived, &condition))
    })
    .await
}

fn finish(
    asking: &Asking,
    writing: &Writing,
    mut metadata: ObjectMetadata,
    (arrived, condition): (Arrived, &WriteCondition),
) -> Replied<dto::PutObjectOutput> {
    metadata.checksums = arrived.checksums;
    let new = writing.new_object(asking, &metadata);
    let new = asking.or_discard(new, &arrived.segment)?;
    let put = asking.store().objects().put(
        &writing.permit,
        new,
        (arrived.segment, condition),
        asking.moment(),
    );
    let stored = put.map_err(|error| refusal::from_object(&error))?;
    Ok(S3Response::new(dto::PutObjectOutput {
        expiration: writing.expiration(asking, &stored),
        ..output(writing, &metadata, &stored)
    }))
}

fn output(writing: &Writing, metadata: &ObjectMetadata, stored: &Stored) -> dto::PutObjectOutput {
    let (algorithm, key, bucket_key) = sealing::shown(&writing.encryption);
    let sum = |name: &str| {
        let found = metadata.checksums.iter().find(|sum| sum.algorithm == name);
        found.map(|sum| sum.value.clone())
    };
    dto::PutObjectOutput {
        bucket_key_enabled: bucket_key,
        checksum_crc32: sum("CRC32"),
        checksum_crc32c: sum("CRC32C"),
        checksum_crc64nvme: sum("CRC64NVME"),
        checksum_sha1: sum("SHA1"),
        checksum_sha256: sum("SHA256"),
        checksum_type: Some(dto::ChecksumType::from_static("FULL_OBJECT")),
        e_tag: Some(told::etag(&stored.etag)),
        ssekms_key_id: key,
        server_side_encryption: Some(algorithm),
        version_id: stored.version_id.as_ref().map(ToString::to_string),
        ..dto::PutObjectOutput::default()
    }
}

/// What has to hold for an object to be written.
pub(super) fn condition(
    [matches, none_matches]: [Option<&ETagCondition>; 2],
) -> Result<WriteCondition, S3Error> {
    match (matches, none_matches) {
        (None, None) => Ok(WriteCondition::None),
        (None, Some(ETagCondition::Any)) => Ok(WriteCondition::IfAbsent),
        (Some(tag), None) => Ok(WriteCondition::IfMatch(reading::tag(tag))),
        (Some(_), Some(_)) | (None, Some(ETagCondition::ETag(_))) => Err(failure::not_implemented(
            "A header you provided implies functionality that is not implemented",
        )),
    }
}

/// What headers say of an object.
pub(super) fn metadata(asking: &Asking, user: Option<&dto::Metadata>) -> Result<ObjectMetadata, S3Error> {
    let text = |name: &str| {
        asking
            .header(name)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let user: std::collections::BTreeMap<String, String> = user
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    let size: usize = user
        .iter()
        .map(|(name, value)| name.len().saturating_add(value.len()))
        .sum();
    if size > METADATA {
        return Err(failure::error(
            "MetadataTooLarge",
            StatusCode::BAD_REQUEST,
            "Your metadata headers exceed the maximum allowed metadata size",
        ));
    }
    Ok(ObjectMetadata {
        content_type: text("content-type"),
        content_encoding: text("content-encoding").and_then(|text| without_chunks(&text)),
        content_language: text("content-language"),
        content_disposition: text("content-disposition"),
        cache_control: text("cache-control"),
        expires: text("expires"),
        website_redirect: text("x-amz-website-redirect-location"),
        user,
        ..ObjectMetadata::default()
    })
}

/// How the bytes came is not what they are.
fn without_chunks(encoding: &str) -> Option<String> {
    let others = encoding
        .split(',')
        .map(str::trim)
        .filter(|name| !name.eq_ignore_ascii_case("aws-chunked"));
    let others = others.collect::<Vec<_>>().join(",");
    (!others.is_empty()).then_some(others)
}

/// The tags of `x-amz-tagging`.
pub(super) fn tags_of_header(asking: &Asking) -> Result<Vec<(String, String)>, S3Error> {
    let Some(text) = asking.header("x-amz-tagging") else {
        return Ok(Vec::new());
    };
    let pairs: Vec<(String, String)> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
    if pairs.iter().any(|(key, _)| key.is_empty()) {
        return Err(failure::invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
        ));
    }
    Ok(pairs)
}

fn check_storage_class(asking: &Asking) -> Result<(), S3Error> {
    match asking.header("x-amz-storage-class") {
        None | Some("STANDARD") => Ok(()),
        Some(_) => Err(failure::error(
            "InvalidStorageClass",
            StatusCode::BAD_REQUEST,
            "The storage class you specified is not valid",
        )),
    }
}

fn lock_headers(asking: &Asking) -> Result<LockHeaders, S3Error> {
    let mode = asking.header("x-amz-object-lock-mode");
    let until = asking.header("x-amz-object-lock-retain-until-date");
    let retention = match (mode, until) {
        (None, None) => None,
        (Some(mode), Some(until)) => {
            let until = dto::Timestamp::parse(dto::TimestampFormat::DateTime, until).ok();
            let until = until.as_ref().and_then(told::moment);
            let until = until.ok_or_else(|| {
                failure::invalid_argument("The retain until date must be provided in ISO 8601 format")
            })?;
            Some(Retention {
                mode: retention_mode(mode)?,
                until,
            })
        }
        (Some(_), None) | (None, Some(_)) => {
            return Err(failure::invalid_argument(
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
            ));
        }
    };
    let legal_hold = match asking.header("x-amz-object-lock-legal-hold") {
        None => None,
        Some("ON") => Some(true),
        Some("OFF") => Some(false),
        Some(_) => {
            return Err(failure::invalid_argument(
                "Legal Hold must be either of 'ON' or 'OFF'",
            ));
        }
    };
    Ok(LockHeaders {
        retention,
        legal_hold,
    })
}

pub(super) fn retention_mode(text: &str) -> Result<RetentionMode, S3Error> {
    match text {
        "GOVERNANCE" => Ok(RetentionMode::Governance),
        "COMPLIANCE" => Ok(RetentionMode::Compliance),
        _ => Err(failure::invalid_argument("Unknown wormMode directive.")),
    }
}

fn lock_context(context: Context, lock: &LockHeaders, now: Timestamp) -> Context {
    let context = match lock.retention {
        Some(retention) => retention_context(context, retention, now),
        None => context,
    };
    match lock.legal_hold {
        Some(hold) => context.with("s3:object-lock-legal-hold", if hold { "ON" } else { "OFF" }),
        None => context,
    }
}

/// What conditions ask about a retention.
pub(super) fn retention_context(context: Context, retention: Retention, now: Timestamp) -> Context {
    let seconds = retention.until.unix_seconds().saturating_sub(now.unix_seconds());
    context
        .with("s3:object-lock-mode", retention.mode.as_str())
        .with("s3:object-lock-retain-until-date", retention.until.to_string())
        .with(
            "s3:object-lock-remaining-retention-days",
            seconds.div_ceil(DAY).to_string(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_bytes_came_is_no_encoding_of_an_object() {
        assert_eq!(without_chunks("aws-chunked"), None);
        assert_eq!(without_chunks("aws-chunked,gzip").as_deref(), Some("gzip"));
        assert_eq!(without_chunks("gzip, br").as_deref(), Some("gzip,br"));
    }

    #[test]
    fn only_what_can_be_decided_is_a_condition() {
        let tag = ETagCondition::ETag(dto::ETag::Strong("a".to_owned()));
        assert_eq!(condition([None, None]).unwrap(), WriteCondition::None);
        assert_eq!(
            condition([None, Some(&ETagCondition::Any)]).unwrap(),
            WriteCondition::IfAbsent
        );
        assert_eq!(
            condition([Some(&tag), None]).unwrap(),
            WriteCondition::IfMatch("a".to_owned())
        );
        assert!(condition([None, Some(&tag)]).is_err());
        assert!(condition([Some(&tag), Some(&ETagCondition::Any)]).is_err());
    }
}
