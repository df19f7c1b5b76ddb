//! Uploads in parts: begun, filled, listed, and made an object or aborted.

use moho_iam::action::{kms, s3};
use moho_iam::authz::Permit;
use moho_store::objects::{Checksum, NewPart, ObjectMetadata, SealedMetadata, Upload};
use moho_terms::UploadId;
use s3s::dto;
use s3s::{S3Error, S3Request, S3Response};

use super::copying::{self, Sealing};
use super::{Operations, Replied, Summed, putting, reading, settings};
use crate::asking::{Asking, NamedObject, blocking};
use crate::bytes_in::{self, Arrived, Incoming};
use crate::checksum::{Algorithm, Checks};
use crate::{failure, refusal, sealing, told};

pub(super) fn create(
    asking: &Asking,
    input: &dto::CreateMultipartUploadInput,
) -> Replied<dto::CreateMultipartUploadOutput> {
    let object = NamedObject::new(&input.bucket, &input.key, None)?;
    let mut metadata = putting::metadata(asking, input.metadata.as_ref())?;
    let asked = (
        input
            .checksum_algorithm
            .as_ref()
            .map(dto::ChecksumAlgorithm::as_str),
        input.checksum_type.as_ref().map(dto::ChecksumType::as_str),
    );
    let (algorithm, composite) = checksum_asked(asked)?;
    metadata.upload_checksum = Some((algorithm.as_str().to_owned(), composite));
    let tags = putting::tags_of_header(asking)?;
    let writing = putting::allowed(asking, &object, (tags, asking.context()))?;
    let new = writing.new_object(asking, &metadata)?;
    let made = asking
        .store()
        .objects()
        .create_upload(&writing.permit, new, asking.moment());
    let upload = made.map_err(|error| refusal::from_object(&error))?;
    let (sealed_by, key, bucket_key) = sealing::shown(&writing.encryption);
    let told_checksum = input.checksum_algorithm.is_some();
    Ok(S3Response::new(dto::CreateMultipartUploadOutput {
        bucket: Some(writing.bucket.name.to_string()),
        bucket_key_enabled: bucket_key,
        checksum_algorithm: input.checksum_algorithm.clone(),
        checksum_type: told_checksum.then(|| checksum_type(composite)),
        key: Some(input.key.clone()),
        ssekms_key_id: key,
        server_side_encryption: Some(sealed_by),
        upload_id: Some(upload.to_string()),
        ..dto::CreateMultipartUploadOutput::default()
    }))
}

fn checksum_type(composite: bool) -> dto::ChecksumType {
    dto::ChecksumType::from_static(if composite { "COMPOSITE" } else { "FULL_OBJECT" })
}

/// What an upload's parts and whole are checked by.
fn checksum_asked((algorithm, kind): (Option<&str>, Option<&str>)) -> Result<(Algorithm, bool), S3Error> {
    let Some(algorithm) = algorithm else {
        return if kind.is_none() {
            Ok((Algorithm::Crc64Nvme, false))
        } else {
            Err(failure::invalid_request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            ))
        };
    };
    let algorithm = Algorithm::parse(algorithm).ok_or_else(|| {
        failure::invalid_request("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
    })?;
    let composite = match kind {
        None => algorithm != Algorithm::Crc64Nvme,
        Some("COMPOSITE") => true,
        Some("FULL_OBJECT") => false,
        Some(_) => {
            return Err(failure::invalid_request(
                "Value for x-amz-checksum-type header is invalid.",
            ));
        }
    };
    let fits = if composite {
        algorithm != Algorithm::Crc64Nvme
    } else {
        algorithm.is_crc()
    };
    if fits {
        return Ok((algorithm, composite));
    }
    Err(failure::invalid_request(&format!(
        "The {} checksum type cannot be used with the {} checksum algorithm.",
        checksum_type(composite).as_str(),
        algorithm.as_str().to_ascii_lowercase()
    )))
}

fn upload_id(text: &str) -> Result<UploadId, S3Error> {
    text.parse()
        .map_err(|_not_one| refusal::from_object(&moho_store::objects::ObjectError::NoSuchUpload))
}

/// An upload that may be written to.
struct Filling {
    permit: Permit<s3::PutObject>,
    seal: Permit<kms::GenerateDataKey>,
    upload: Upload,
    /// What its object is to have.
    metadata: ObjectMetadata,
    open: Permit<kms::Decrypt>,
    algorithm: Algorithm,
    composite: bool,
}

/// Leave to write to an upload of an object.
fn allowed(asking: &Asking, object: &NamedObject) -> Result<Permit<s3::PutObject>, S3Error> {
    sealing::check_customer_keys(asking)?;
    let permit = asking.on_object::<s3::PutObject>(object, &asking.context())?;
    asking.check_expected_owner(&permit)?;
    Ok(permit)
}

impl Filling {
    fn of(asking: &Asking, object: &NamedObject, upload: &str) -> Result<Self, S3Error> {
        let permit = allowed(asking, object)?;
        let upload = asking.store().objects().upload(&permit, &upload_id(upload)?);
        Self::begun(
            asking,
            permit,
            upload.map_err(|error| refusal::from_object(&error))?,
        )
    }

    fn begun(asking: &Asking, permit: Permit<s3::PutObject>, upload: Upload) -> Result<Self, S3Error> {
        let open = sealing::to_open(asking, &upload.encryption)?;
        let metadata = upload.metadata.open(&upload.encryption, (asking.kms(), &open));
        let metadata = metadata.map_err(|error| refusal::from_object(&error))?;
        let kept = metadata.upload_checksum.as_ref();
        let (algorithm, composite) = kept
            .and_then(|(name, composite)| Some((Algorithm::parse(name)?, *composite)))
            .unwrap_or((Algorithm::Crc64Nvme, false));
        Ok(Self {
            seal: sealing::to_seal(asking, &upload.encryption)?,
            permit,
            upload,
            metadata,
            open,
            algorithm,
            composite,
        })
    }

    fn sealed(&self, asking: &Asking, metadata: &ObjectMetadata) -> Result<SealedMetadata, S3Error> {
        let sealed = SealedMetadata::seal(metadata, &self.upload.encryption, (asking.kms(), &self.seal));
        sealed.map_err(|error| refusal::from_object(&error))
    }

    /// Adds a part.
    fn put(
        &self,
        asking: &Asking,
        number: u16,
        arrived: Arrived,
    ) -> Result<(moho_store::objects::ListedPart, Vec<Checksum>), S3Error> {
        let metadata = ObjectMetadata {
            checksums: arrived.checksums,
            ..ObjectMetadata::default()
        };
        let sealed = asking.or_discard(self.sealed(asking, &metadata), &arrived.segment)?;
        let new = NewPart {
            upload: &self.upload.upload_id,
            number,
            segment: arrived.segment,
            metadata: sealed,
        };
        let put = asking
            .store()
            .objects()
            .put_part(&self.permit, new, asking.moment());
        Ok((
            put.map_err(|error| refusal::from_object(&error))?,
            metadata.checksums,
        ))
    }
}

fn part_number(number: i32) -> Result<u16, S3Error> {
    let number = u16::try_from(number)
        .ok()
        .filter(|number| (1..=10_000).contains(number));
    number.ok_or_else(|| {
        failure::invalid_argument("Part number must be an integer between 1 and 10000, inclusive")
    })
}

pub(super) async fn upload_part(
    operations: &Operations,
    request: S3Request<dto::UploadPartInput>,
) -> Replied<dto::UploadPartOutput> {
    let (asking, mut input) = operations.asking(request)?;
    let announced = bytes_in::announced(&asking)?;
    let body = input.body.take();
    let number = part_number(input.part_number)?;
    let prepared = asking.clone();
    let (filling, incoming) = blocking(move || {
        let asking = prepared;
        let object = NamedObject::new(&input.bucket, &input.key, None)?;
        let filling = Filling::of(&asking, &object, &input.upload_id)?;
        let checks = Checks::of(asking.headers(), asking.trailers(), Some(filling.algorithm))?;
        check_algorithm(&filling, &checks)?;
        let sealer = asking
            .kms()
            .sealer(&filling.seal, filling.upload.encryption.context());
        let sealer = sealer.map_err(|error| refusal::from_kms(&error))?;
        let incoming = Incoming {
            writer: asking.store().segment_writer(sealer),
            checks,
        };
        Ok((filling, incoming))
    })
    .await?;
    bytes_in::pump(incoming, body, announced, move |arrived| {
        let (part, checksums) = filling.put(&asking, number, arrived)?;
        let (algorithm, key, bucket_key) = sealing::shown(&filling.upload.encryption);
        let sums = Summed::of(&checksums);
        Ok(S3Response::new(dto::UploadPartOutput {
            bucket_key_enabled: bucket_key,
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            e_tag: Some(told::etag(&part.etag)),
            ssekms_key_id: key,
            server_side_encryption: Some(algorithm),
            ..dto::UploadPartOutput::default()
        }))
    })
    .await
}

/// Parts are checked by the algorithm that their upload was begun with. One that was begun without takes any.
fn check_algorithm(filling: &Filling, checks: &Checks) -> Result<(), S3Error> {
    let expected = filling.algorithm;
    match checks.algorithm() {
        Some(said) if expected != Algorithm::Crc64Nvme && said != expected => {
            Err(failure::invalid_request(&format!(
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                expected.as_str().to_ascii_lowercase(),
                said.as_str().to_ascii_lowercase()
            )))
        }
        _ => Ok(()),
    }
}

pub(super) fn upload_part_copy(
    asking: &Asking,
    input: &dto::UploadPartCopyInput,
) -> Replied<dto::UploadPartCopyOutput> {
    let number = part_number(input.part_number)?;
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
    sealing::check_customer_keys(asking)?;
    let source = copying::source(asking, &input.copy_source, &condition)?;
    let object = NamedObject::new(&input.bucket, &input.key, None)?;
    let filling = Filling::of(asking, &object, &input.upload_id)?;
    let size = source.found.content.size;
    let range = match input.copy_source_range.as_deref() {
        None => 0..size,
        Some(text) => source_range(text, size)?,
    };
    let source_version = source.found.version.told_version().map(ToString::to_string);
    let under = Sealing {
        permit: &filling.seal,
        encryption: &filling.upload.encryption,
    };
    let (segment, sum) = copying::bytes(asking, source.found, range, (&under, filling.algorithm))?;
    let arrived = Arrived {
        segment,
        checksums: vec![sum],
    };
    let (part, checksums) = filling.put(asking, number, arrived)?;
    let (algorithm, key, bucket_key) = sealing::shown(&filling.upload.encryption);
    let sums = Summed::of(&checksums);
    Ok(S3Response::new(dto::UploadPartCopyOutput {
        bucket_key_enabled: bucket_key,
        copy_part_result: Some(dto::CopyPartResult {
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            e_tag: Some(told::etag(&part.etag)),
            last_modified: Some(told::timestamp(part.modified_at)),
        }),
        copy_source_version_id: source_version,
        ssekms_key_id: key,
        server_side_encryption: Some(algorithm),
        ..dto::UploadPartCopyOutput::default()
    }))
}

/// `bytes=first-last`, both of which the source has.
pub(crate) fn source_range(text: &str, size: u64) -> Result<std::ops::Range<u64>, S3Error> {
    let invalid = || {
        failure::invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
        )
    };
    let (first, last) = text
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
        .ok_or_else(invalid)?;
    let number = |text: &str| text.parse::<u64>().map_err(|_none| invalid());
    let (first, last) = (number(first)?, number(last)?);
    if first > last || last >= size {
        return Err(failure::invalid_argument(
            "Range specified is not valid for source object of size",
        ));
    }
    Ok(first..last.saturating_add(1))
}

pub(super) fn abort(
    asking: &Asking,
    input: &dto::AbortMultipartUploadInput,
) -> Replied<dto::AbortMultipartUploadOutput> {
    let object = NamedObject::new(&input.bucket, &input.key, None)?;
    let permit = asking.on_object::<s3::AbortMultipartUpload>(&object, &asking.context())?;
    asking.check_expected_owner(&permit)?;
    let upload = upload_id(&input.upload_id)?;
    let aborted = asking.store().objects().abort(&permit, &upload, asking.moment());
    aborted.map_err(|error| refusal::from_object(&error))?;
    Ok(settings::no_content(dto::AbortMultipartUploadOutput::default()))
}

mod complete;
mod list;

pub(super) use complete::complete;
pub(super) use list::{list_parts, list_uploads};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_uploads_are_those_that_s3_has() {
        let asked = |algorithm, kind| checksum_asked((algorithm, kind)).ok();
        assert_eq!(asked(None, None), Some((Algorithm::Crc64Nvme, false)));
        assert_eq!(asked(Some("CRC32"), None), Some((Algorithm::Crc32, true)));
        assert_eq!(
            asked(Some("CRC32"), Some("FULL_OBJECT")),
            Some((Algorithm::Crc32, false))
        );
        assert_eq!(asked(Some("SHA256"), None), Some((Algorithm::Sha256, true)));
        assert_eq!(
            asked(Some("CRC64NVME"), None),
            Some((Algorithm::Crc64Nvme, false))
        );
        for (algorithm, kind) in [
            (Some("SHA256"), Some("FULL_OBJECT")),
            (Some("CRC64NVME"), Some("COMPOSITE")),
            (Some("CRC32"), Some("WHOLE")),
            (Some("MD5"), None),
            (None, Some("COMPOSITE")),
        ] {
            assert_eq!(asked(algorithm, kind), None, "{algorithm:?} {kind:?}");
        }
    }

    #[test]
    fn a_source_has_the_range_that_is_copied() {
        assert_eq!(source_range("bytes=0-9", 10).unwrap(), 0..10);
        assert_eq!(source_range("bytes=3-3", 10).unwrap(), 3..4);
        for text in [
            "bytes=0-10",
            "bytes=5-4",
            "bytes=-5",
            "bytes=5-",
            "0-1",
            "bytes=a-b",
            "bytes=1-2,4-5",
        ] {
            assert!(source_range(text, 10).is_err(), "{text}");
        }
    }
}
