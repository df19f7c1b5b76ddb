//! Reading objects: which version, which of its bytes, and what replies tell of it.

use std::ops::Range;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use moho_iam::action::s3;
use moho_iam::authz::Context;
use moho_store::objects::{
    Checksum, ObjectContent, ObjectMetadata, ObjectVersion, ReadCondition, RetentionMode,
};
use s3s::dto::{self, ETagCondition};
use s3s::{S3Error, S3Response};

use super::{Conditions, Replied, locking};
use crate::asking::{Asking, NamedObject};
use crate::bytes_out::Reading;
use crate::{failure, refusal, sealing, told};

/// How often an object is looked for again that is replaced while it is read.
const AGAIN: u8 = 3;

/// What a request to read asks for.
pub(super) struct AskedReading<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) version: Option<&'a str>,
    pub(super) range: Option<dto::Range>,
    pub(super) part: Option<i32>,
    pub(super) condition: ReadCondition,
    pub(super) checksums: bool,
}

impl<'a> AskedReading<'a> {
    pub(super) fn of_get(input: &'a dto::GetObjectInput, tags: &Conditions) -> Self {
        Self {
            bucket: &input.bucket,
            key: &input.key,
            version: input.version_id.as_deref(),
            range: input.range,
            part: input.part_number,
            condition: ReadCondition {
                if_match: tags.if_match.clone(),
                if_none_match: tags.if_none_match.clone(),
                if_modified_since: input.if_modified_since.as_ref().and_then(told::moment),
                if_unmodified_since: input.if_unmodified_since.as_ref().and_then(told::moment),
            },
            checksums: is_enabled(input.checksum_mode.as_ref()),
        }
    }

    pub(super) fn of_head(input: &'a dto::HeadObjectInput, tags: &Conditions) -> Self {
        Self {
            bucket: &input.bucket,
            key: &input.key,
            version: input.version_id.as_deref(),
            range: input.range,
            part: input.part_number,
            condition: ReadCondition {
                if_match: tags.if_match.clone(),
                if_none_match: tags.if_none_match.clone(),
                if_modified_since: input.if_modified_since.as_ref().and_then(told::moment),
                if_unmodified_since: input.if_unmodified_since.as_ref().and_then(told::moment),
            },
            checksums: is_enabled(input.checksum_mode.as_ref()),
        }
    }
}

fn is_enabled(mode: Option<&dto::ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str().eq_ignore_ascii_case("ENABLED"))
}

/// What has to hold of a copy's source, as headers say it.
pub(super) fn condition(
    [matches, none_matches]: [Option<&ETagCondition>; 2],
    [modified, unmodified]: [Option<&dto::Timestamp>; 2],
) -> ReadCondition {
    let tags = |condition: &ETagCondition| vec![tag(condition)];
    ReadCondition {
        if_match: matches.map(tags),
        if_none_match: none_matches.map(tags),
        if_modified_since: modified.and_then(told::moment),
        if_unmodified_since: unmodified.and_then(told::moment),
    }
}

/// An entity tag without quotes; `*` is any.
pub(super) fn tag(condition: &ETagCondition) -> String {
    match condition {
        ETagCondition::ETag(tag) => tag.value().to_owned(),
        ETagCondition::Any => "*".to_owned(),
    }
}

/// An object that may be read.
pub(crate) struct Found {
    pub(crate) version: ObjectVersion,
    pub(crate) content: ObjectContent,
    pub(crate) metadata: ObjectMetadata,
    pub(crate) open: moho_iam::authz::Permit<moho_iam::action::kms::Decrypt>,
}

/// An object that was found, with leave to use the key that it is sealed under.
pub(super) fn opened(asking: &Asking, version: ObjectVersion) -> Result<Found, S3Error> {
    let content = version.content.clone().ok_or_else(failure::internal_error)?;
    let open = sealing::to_open(asking, &content.encryption)?;
    let metadata = content.metadata.open(&content.encryption, (asking.kms(), &open));
    Ok(Found {
        metadata: metadata.map_err(|error| refusal::from_object(&error))?,
        version,
        content,
        open,
    })
}

/// What is answered, but for the bytes.
pub(super) struct Answer {
    pub(super) found: Found,
    pub(super) range: Range<u64>,
    /// Whether only a part is answered.
    partial: bool,
    parts: Option<u32>,
    checksums: Vec<Checksum>,
    shown: Shown,
    /// When it goes by itself.
    expiration: Option<String>,
}

/// What who asks may see beside the object.
#[derive(Default)]
struct Shown {
    tags: Option<usize>,
    retention: bool,
    legal_hold: Option<bool>,
}

pub(super) fn answer(asking: &Asking, asked: &AskedReading<'_>) -> Result<Answer, S3Error> {
    let object = NamedObject::new(asked.bucket, asked.key, asked.version)?;
    if asked.range.is_some() && asked.part.is_some() {
        return Err(failure::invalid_request(
            "Cannot specify both Range header and partNumber query parameter",
        ));
    }
    let context = asking.object_context(&object);
    let version = asking.find::<s3::GetObject, s3::GetObjectVersion>(&object, &context)?;
    sealing::check_not_customers(asking)?;
    asked
        .condition
        .check(&version)
        .map_err(|error| told_of(refusal::from_object(&error), &version))?;
    let found = opened(asking, version)?;
    let shown = shown(asking, &object, &context, &found);
    let size = found.content.size;
    let expiration = if found.version.is_latest {
        let about = (size, found.content.tags.as_slice());
        asking.expiration((&object.bucket, &object.key), about, found.version.modified_at)
    } else {
        None
    };
    let mut answer = Answer {
        range: 0..size,
        partial: false,
        parts: None,
        checksums: found.metadata.checksums.clone(),
        shown,
        expiration,
        found,
    };
    if let Some(number) = asked.part {
        of_part(asking, &mut answer, number)?;
    }
    if let Some(range) = asked.range {
        answer.range = satisfied(range, size)
            .ok_or_else(|| refusal::from_object(&moho_store::objects::ObjectError::InvalidRange { size }))?;
        answer.partial = true;
        answer.checksums.clear();
    }
    if !asked.checksums {
        answer.checksums.clear();
    }
    Ok(answer)
}

/// The version that did not fulfil a condition is told.
fn told_of(mut refused: S3Error, version: &ObjectVersion) -> S3Error {
    if let (Some(id), Some(headers)) = (version.told_version(), refused.headers()) {
        let mut headers = headers.clone();
        if let Ok(id) = HeaderValue::from_str(id.as_str()) {
            headers.insert("x-amz-version-id", id);
        }
        refused.set_headers(headers);
    }
    refused
}

fn of_part(asking: &Asking, answer: &mut Answer, number: i32) -> Result<(), S3Error> {
    let number = u16::try_from(number)
        .ok()
        .filter(|number| (1..=10_000).contains(number));
    let number = number.ok_or_else(|| {
        failure::invalid_argument("Part number must be an integer between 1 and 10000, inclusive")
    })?;
    let layout = answer.found.metadata.layout.as_ref();
    let place = asking
        .store()
        .objects()
        .part(&answer.found.version, layout, number);
    let place = place.map_err(|error| refusal::from_object(&error))?;
    let encryption = &answer.found.content.encryption;
    if place.parts.is_some() {
        let metadata = place
            .metadata
            .open(encryption, (asking.kms(), &answer.found.open));
        answer.checksums = metadata.map_err(|error| refusal::from_object(&error))?.checksums;
    }
    answer.range = place.range;
    answer.parts = place.parts;
    answer.partial = true;
    Ok(())
}

/// The bytes of a range that an object of this size has; `None` if it has none of them.
pub(super) fn satisfied(range: dto::Range, size: u64) -> Option<Range<u64>> {
    match range {
        dto::Range::Int { first, last } => {
            let end = last.map_or(size, |last| last.saturating_add(1).min(size));
            (first < end).then_some(first..end)
        }
        dto::Range::Suffix { length } => {
            let length = length.min(size);
            (length > 0).then(|| size.saturating_sub(length)..size)
        }
    }
}

/// Tags are counted, and locks told, for who may ask for them.
fn shown(asking: &Asking, object: &NamedObject, context: &Context, found: &Found) -> Shown {
    let content = &found.content;
    let count = content.tags.len();
    let tags = count > 0
        && (if object.version.is_none() {
            asking.on_object::<s3::GetObjectTagging>(object, context).is_ok()
        } else {
            asking
                .on_object::<s3::GetObjectVersionTagging>(object, context)
                .is_ok()
        });
    Shown {
        tags: tags.then_some(count),
        retention: content.lock.retention.is_some()
            && asking
                .on_object::<s3::GetObjectRetention>(object, context)
                .is_ok(),
        legal_hold: content.lock.legal_hold.filter(|_| {
            asking
                .on_object::<s3::GetObjectLegalHold>(object, context)
                .is_ok()
        }),
    }
}

impl Answer {
    fn status(&self) -> Option<StatusCode> {
        // A part that is all there is is still told as one.
        self.partial.then_some(StatusCode::PARTIAL_CONTENT)
    }

    fn content_range(&self) -> Option<String> {
        let size = self.found.content.size;
        let last = self.range.end.checked_sub(1).filter(|_| self.partial)?;
        Some(format!("bytes {}-{last}/{size}", self.range.start))
    }

    fn length(&self) -> Option<i64> {
        i64::try_from(self.range.end.saturating_sub(self.range.start)).ok()
    }

    fn checksum(&self, algorithm: &str) -> Option<String> {
        let found = self.checksums.iter().find(|sum| sum.algorithm == algorithm)?;
        // A composite one says of how many parts it is; of a part it is the part's own.
        Some(match self.found.content.parts.filter(|_| found.composite) {
            Some(parts) => format!("{}-{parts}", found.value),
            None => found.value.clone(),
        })
    }

    fn checksum_type(&self) -> Option<dto::ChecksumType> {
        let first = self.checksums.first()?;
        let name = if first.composite {
            "COMPOSITE"
        } else {
            "FULL_OBJECT"
        };
        Some(dto::ChecksumType::from_static(name))
    }

    fn user_metadata(&self) -> Option<dto::Metadata> {
        let pairs = self.found.metadata.user.iter();
        let pairs: dto::Metadata = pairs.map(|(name, value)| (name.clone(), value.clone())).collect();
        (!pairs.is_empty()).then_some(pairs)
    }

    /// Headers that s3s has no text for.
    fn headers(&self, overrides: &[(&'static str, Option<&str>)]) -> HeaderMap {
        let expires = ("expires", self.found.metadata.expires.as_deref());
        let pairs = [expires].into_iter().chain(overrides.iter().copied());
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        headers
    }
}

macro_rules! output {
    ($answer:ident, $output:ident { $($more:ident),* }) => {{
        let (content, metadata) = (&$answer.found.content, &$answer.found.metadata);
        let (algorithm, key, bucket_key) = sealing::shown(&content.encryption);
        let retention = content.lock.retention.filter(|_| $answer.shown.retention);
        dto::$output {
            accept_ranges: Some("bytes".to_owned()),
            bucket_key_enabled: bucket_key,
            cache_control: metadata.cache_control.clone(),
            checksum_crc32: $answer.checksum("CRC32"),
            checksum_crc32c: $answer.checksum("CRC32C"),
            checksum_crc64nvme: $answer.checksum("CRC64NVME"),
            checksum_sha1: $answer.checksum("SHA1"),
            checksum_sha256: $answer.checksum("SHA256"),
            checksum_type: $answer.checksum_type(),
            content_disposition: metadata.content_disposition.clone(),
            content_encoding: metadata.content_encoding.clone(),
            content_language: metadata.content_language.clone(),
            content_length: $answer.length(),
            content_range: $answer.content_range(),
            content_type: metadata.content_type.clone().or_else(|| Some("binary/octet-stream".to_owned())),
            e_tag: Some(told::etag(&content.etag)),
            expiration: $answer.expiration.clone(),
            last_modified: Some(told::seconds($answer.found.version.modified_at)),
            metadata: $answer.user_metadata(),
            object_lock_legal_hold_status: $answer
                .shown
                .legal_hold
                .map(|held| dto::ObjectLockLegalHoldStatus::from_static(locking::on_or_off(held))),
            object_lock_mode: retention
                .map(|retention| dto::ObjectLockMode::from_static(RetentionMode::as_str(retention.mode))),
            object_lock_retain_until_date: retention.map(|retention| told::timestamp(retention.until)),
            parts_count: $answer.parts.and_then(|parts| i32::try_from(parts).ok()),
            ssekms_key_id: key,
            server_side_encryption: Some(algorithm),
            version_id: $answer.found.version.told_version().map(ToString::to_string),
            website_redirect_location: metadata.website_redirect.clone(),
            $($more,)*
            ..dto::$output::default()
        }
    }};
}

/// The answer to `GET`, whose first bytes are opened before anything of it is sent.
pub(super) fn get(asking: &Asking, input: &dto::GetObjectInput) -> Replied<dto::GetObjectOutput> {
    let mut left = AGAIN;
    loop {
        let answer = answer(asking, &AskedReading::of_get(input, asking.conditions()))?;
        let tag_count = answer.shown.tags.and_then(|count| i32::try_from(count).ok());
        let mut output = output!(answer, GetObjectOutput { tag_count });
        let mut response = S3Response::with_headers((), answer.headers(&[]));
        response.status = answer.status();
        match Reading::begin(asking, answer.found, answer.range) {
            Ok(reading) => {
                output.body = Some(reading.into_stream());
                return Ok(response.map_output(|()| output));
            }
            // What was found was replaced before its bytes were looked for: it is looked for again.
            Err(refused) if left > 0 && refused.code().as_str() == "NoSuchKey" => {
                left = left.saturating_sub(1)
            }
            Err(refused) => return Err(refused),
        }
    }
}

/// The answer to `HEAD`.
pub(super) fn head(asking: &Asking, input: &dto::HeadObjectInput) -> Replied<dto::HeadObjectOutput> {
    let answer = answer(asking, &AskedReading::of_head(input, asking.conditions()))?;
    let output = output!(answer, HeadObjectOutput {});
    let tags = answer.shown.tags.map(|count| count.to_string());
    let headers = answer.headers(&[
        ("x-amz-tagging-count", tags.as_deref()),
        ("cache-control", input.response_cache_control.as_deref()),
        (
            "content-disposition",
            input.response_content_disposition.as_deref(),
        ),
        ("content-encoding", input.response_content_encoding.as_deref()),
        ("content-language", input.response_content_language.as_deref()),
        ("content-type", input.response_content_type.as_deref()),
    ]);
    let mut response = S3Response::with_headers(output, headers);
    response.status = answer.status();
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_that_the_object_has() {
        let int = |first, last| dto::Range::Int { first, last };
        let suffix = |length| dto::Range::Suffix { length };
        assert_eq!(satisfied(int(0, Some(0)), 10), Some(0..1));
        assert_eq!(satisfied(int(3, None), 10), Some(3..10));
        assert_eq!(satisfied(int(3, Some(u64::MAX)), 10), Some(3..10));
        assert_eq!(satisfied(int(9, Some(20)), 10), Some(9..10));
        assert_eq!(satisfied(int(10, Some(20)), 10), None);
        assert_eq!(satisfied(int(0, None), 0), None);
        assert_eq!(satisfied(suffix(3), 10), Some(7..10));
        assert_eq!(satisfied(suffix(30), 10), Some(0..10));
        assert_eq!(satisfied(suffix(0), 10), None);
        assert_eq!(satisfied(suffix(1), 0), None);
    }
}
