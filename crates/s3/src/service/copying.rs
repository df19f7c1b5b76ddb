//! Copying objects: what is read is opened under the source's key and sealed again under the copy's, chunk by chunk.

use std::ops::Range;

use http::StatusCode;
use moho_iam::action::{kms, s3};
use moho_iam::authz::{Context, Permit};
use moho_store::objects::{Checksum, ObjectEncryption, ReadCondition, Segment, Stored, WriteCondition};
use s3s::dto::{self, CopySource, ETagCondition};
use s3s::{S3Error, S3ErrorCode, S3Response};

use super::putting::{self, Writing};
use super::reading::{self, Found};
use super::{Replied, Summed};
use crate::asking::{Asking, NamedObject};
use crate::bytes_out::Reading;
use crate::checksum::{self, Algorithm, Running};
use crate::{failure, refusal, sealing, told};

/// Most bytes of one copy.
const LARGEST: u64 = 5 << 30;

/// The source of a copy, which may be read.
pub(super) struct Source {
    pub(super) object: NamedObject,
    pub(super) context: Context,
    pub(super) found: Found,
}

pub(super) fn source(
    asking: &Asking,
    named: &CopySource,
    condition: &ReadCondition,
) -> Result<Source, S3Error> {
    let CopySource::Bucket {
        bucket,
        key,
        version_id,
    } = named
    else {
        return Err(failure::not_implemented("Access points are not implemented."));
    };
    let object = NamedObject::new(bucket, key, version_id.as_deref())?;
    let context = asking.object_context(&object);
    let version = asking
        .find_source::<s3::GetObject, s3::GetObjectVersion>(&object, &context)
        .map_err(of_marker)?;
    condition
        .check_source(&version)
        .map_err(|error| refusal::from_object(&error))?;
    let found = reading::opened(asking, version)?;
    Ok(Source {
        object,
        context,
        found,
    })
}

/// A delete marker has no bytes to copy: what reading it is refused with is another method's to say.
fn of_marker(refused: S3Error) -> S3Error {
    if *refused.code() == S3ErrorCode::MethodNotAllowed {
        return failure::invalid_request(
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        );
    }
    refused
}

/// Refuses to copy more than is copied at once.
pub(super) fn check_size(size: u64) -> Result<(), S3Error> {
    if size > LARGEST {
        return Err(failure::invalid_request(
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
        ));
    }
    Ok(())
}

/// Copies bytes to a new segment, and tells their checksum, unless nobody waits for it any more.
pub(super) fn bytes(
    asking: &Asking,
    found: Found,
    range: Range<u64>,
    (sealing, algorithm): (&Sealing<'_>, Algorithm),
) -> Result<(Segment, Checksum), S3Error> {
    check_size(range.end.saturating_sub(range.start))?;
    let mut running = Running::new(algorithm);
    let sealer = asking.kms().sealer(sealing.permit, sealing.encryption.context());
    let mut writer = asking
        .store()
        .segment_writer(sealer.map_err(|error| refusal::from_kms(&error))?);
    let mut reading = Reading::begin(asking, found, range)?;
    while let Some(bytes) = reading.next()? {
        asking.left().check()?;
        running.update(&bytes);
        writer
            .write(&bytes)
            .map_err(|error| refusal::from_store(&error))?;
    }
    let segment = writer.finish().map_err(|error| refusal::from_store(&error))?;
    Ok((segment, checksum::kept(algorithm, &running.finish(), false)))
}

/// Under what a copy is sealed, with the leave for it.
pub(super) struct Sealing<'a> {
    pub(super) permit: &'a Permit<kms::GenerateDataKey>,
    pub(super) encryption: &'a ObjectEncryption,
}

pub(super) fn copy(asking: &Asking, input: &dto::CopyObjectInput) -> Replied<dto::CopyObjectOutput> {
    sealing::check_customer_keys(asking)?;
    let condition = reading::condition(
        [
            input.copy_source_if_match.as_ref(),
            input.copy_source_if_none_match.as_ref(),
        ],
        [
            input.copy_source_if_modified_since.as_ref(),
            input.copy_source_if_unmodified_since.as_ref(),
        ],
    );
    let source = source(asking, &input.copy_source, &condition)?;
    let target = NamedObject::new(&input.bucket, &input.key, None)?;
    let replaces = is_replacing(asking, "x-amz-metadata-directive")?;
    check_itself(asking, &source, &target, replaces)?;
    check_size(source.found.content.size)?;
    let condition = target_condition(asking)?;
    let tags = tags(asking, &source)?;
    let writing = putting::allowed(asking, &target, (tags, asking.context()))?;
    writing.check_wanted(asking, &condition)?;
    let mut metadata = if replaces {
        putting::metadata(asking, input.metadata.as_ref())?
    } else {
        let mut kept = source.found.metadata.clone();
        kept.website_redirect = asking
            .header("x-amz-website-redirect-location")
            .map(str::to_owned);
        kept
    };
    metadata.upload_checksum = None;
    metadata.layout = None;
    let algorithm = algorithm(asking, &source.found)?;
    let source_version = source.found.version.told_version().map(ToString::to_string);
    let size = source.found.content.size;
    let (segment, sum) = bytes(asking, source.found, 0..size, (&sealing_of(&writing), algorithm))?;
    metadata.checksums = vec![sum];
    let new = asking.or_discard(writing.new_object(asking, &metadata), &segment)?;
    let put = asking
        .store()
        .objects()
        .put(&writing.permit, new, (segment, &condition), asking.moment());
    let stored = put.map_err(|error| refusal::from_object(&error))?;
    let expiration = writing.expiration(asking, &stored);
    Ok(S3Response::new(dto::CopyObjectOutput {
        expiration,
        ..output((&writing, &metadata.checksums), stored, source_version)
    }))
}

/// What has to hold for the copy to be written; s3s does not read it.
fn target_condition(asking: &Asking) -> Result<WriteCondition, S3Error> {
    let said = |name: &str| {
        let value = asking.headers().get(name);
        let read = value.map(|value| ETagCondition::parse_http_header(value.as_bytes()));
        let read = read.transpose();
        read.map_err(|_malformed| failure::invalid_argument("The entity tag of the condition is not valid."))
    };
    let (matches, none_matches) = (said("if-match")?, said("if-none-match")?);
    putting::condition([matches.as_ref(), none_matches.as_ref()])
}

fn output(
    (writing, checksums): (&Writing, &[Checksum]),
    stored: Stored,
    source_version: Option<String>,
) -> dto::CopyObjectOutput {
    let (algorithm, key, bucket_key) = sealing::shown(&writing.encryption);
    let sums = Summed::of(checksums);
    dto::CopyObjectOutput {
        bucket_key_enabled: bucket_key,
        copy_object_result: Some(dto::CopyObjectResult {
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            checksum_type: Some(dto::ChecksumType::from_static("FULL_OBJECT")),
            e_tag: Some(told::etag(&stored.etag)),
            last_modified: Some(told::timestamp(stored.modified_at)),
        }),
        copy_source_version_id: source_version,
        ssekms_key_id: key,
        server_side_encryption: Some(algorithm),
        version_id: stored.version_id.map(|version| version.to_string()),
        ..dto::CopyObjectOutput::default()
    }
}

fn sealing_of(writing: &Writing) -> Sealing<'_> {
    Sealing {
        permit: &writing.seal,
        encryption: &writing.encryption,
    }
}

/// The algorithm that is asked for, else the one of the source's checksum.
pub(super) fn algorithm(asking: &Asking, found: &Found) -> Result<Algorithm, S3Error> {
    match asking.header("x-amz-checksum-algorithm") {
        Some(text) => Algorithm::parse(text).ok_or_else(|| {
            failure::invalid_request("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
        }),
        None => {
            let sums = found.metadata.checksums.first();
            Ok(sums.and_then(|sum| Algorithm::parse(&sum.algorithm)).unwrap_or(Algorithm::Crc64Nvme))
        }
    }
}

/// Whether a directive says to replace what the source has.
fn is_replacing(asking: &Asking, header: &str) -> Result<bool, S3Error> {
    match asking.header(header) {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(_) if header.contains("metadata") => {
            Err(failure::invalid_argument("Unknown metadata directive."))
        }
        Some(_) => Err(failure::invalid_argument("Unknown tagging directive.")),
    }
}

/// The tags of the copy: those of the source take leave to read them.
fn tags(asking: &Asking, source: &Source) -> Result<Vec<(String, String)>, S3Error> {
    if is_replacing(asking, "x-amz-tagging-directive")? {
        return putting::tags_of_header(asking);
    }
    let tags = &source.found.content.tags;
    if !tags.is_empty() {
        if source.object.version.is_none() {
            asking.on_object::<s3::GetObjectTagging>(&source.object, &source.context)?;
        } else {
            asking.on_object::<s3::GetObjectVersionTagging>(&source.object, &source.context)?;
        }
    }
    Ok(tags.clone())
}

/// A copy of an object to itself has to change something.
fn check_itself(
    asking: &Asking,
    source: &Source,
    target: &NamedObject,
    replaces: bool,
) -> Result<(), S3Error> {
    let itself = source.object.bucket == target.bucket
        && source.object.key == target.key
        && source.object.version.is_none();
    let changes = replaces
        || [
            "x-amz-server-side-encryption",
            "x-amz-storage-class",
            "x-amz-website-redirect-location",
        ]
        .iter()
        .any(|header| asking.headers().contains_key(*header));
    if itself && !changes {
        return Err(failure::error(
            "InvalidRequest",
            StatusCode::BAD_REQUEST,
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_five_gibibytes_are_not_copied_at_once() {
        assert!(check_size(LARGEST).is_ok());
        let refused = check_size(LARGEST + 1).err().unwrap();
        assert_eq!(refused.code().as_str(), "InvalidRequest");
    }
}
