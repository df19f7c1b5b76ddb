//! Lists of uploads and of their parts.

use moho_iam::action::s3;
use moho_store::objects::UploadsRequest;
use s3s::dto::{self, Initiator, Part};
use s3s::{S3Error, S3Response};

use super::super::{Replied, Summed, listing};
use super::upload_id;
use crate::asking::{Asking, NamedObject, bucket_name};
use crate::{failure, refusal, sealing, told};

pub(in crate::service) fn list_parts(
    asking: &Asking,
    input: &dto::ListPartsInput,
) -> Replied<dto::ListPartsOutput> {
    let object = NamedObject::new(&input.bucket, &input.key, None)?;
    let permit = asking.on_object::<s3::ListMultipartUploadParts>(&object, &asking.context())?;
    let bucket = asking.bucket(&permit)?;
    let id = upload_id(&input.upload_id)?;
    let upload = asking.store().objects().upload(&permit, &id);
    let upload = upload.map_err(|error| refusal::from_object(&error))?;
    let (max_parts, limit) = listing::limit(input.max_parts)?;
    let marker = input.part_number_marker.unwrap_or_default();
    let after = u16::try_from(marker).map_err(|_none| {
        failure::invalid_argument("Argument part-number-marker must be an integer between 0 and 2147483647")
    })?;
    let listed = asking.store().objects().list_parts(&permit, &id, after, limit);
    let (parts, more) = listed.map_err(|error| refusal::from_object(&error))?;
    // The checksums are sealed: who may not open them is told the rest.
    let open = sealing::to_open(asking, &upload.encryption).ok();
    let metadata = |sealed: &moho_store::objects::SealedMetadata| {
        let open = open.as_ref()?;
        sealed.open(&upload.encryption, (asking.kms(), open)).ok()
    };
    let asked = metadata(&upload.metadata).and_then(|metadata| metadata.upload_checksum);
    let last = parts.last().map(|part| i32::from(part.number));
    let told_parts: Vec<Part> = parts
        .into_iter()
        .map(|part| {
            let sums = metadata(&part.metadata).map(|metadata| Summed::of(&metadata.checksums));
            let sums = sums.unwrap_or_default();
            Part {
                checksum_crc32: sums.crc32,
                checksum_crc32c: sums.crc32c,
                checksum_crc64nvme: sums.crc64nvme,
                checksum_sha1: sums.sha1,
                checksum_sha256: sums.sha256,
                e_tag: Some(told::etag(&part.etag)),
                last_modified: Some(told::seconds(part.modified_at)),
                part_number: Some(i32::from(part.number)),
                size: i64::try_from(part.size).ok(),
            }
        })
        .collect();
    Ok(S3Response::new(dto::ListPartsOutput {
        bucket: Some(input.bucket.clone()),
        checksum_algorithm: asked
            .as_ref()
            .map(|(name, _)| dto::ChecksumAlgorithm::from(name.clone())),
        checksum_type: asked
            .as_ref()
            .map(|(_, composite)| super::checksum_type(*composite)),
        initiator: Some(initiator(upload.initiator.as_str())),
        is_truncated: Some(more),
        key: Some(input.key.clone()).filter(|key| failure::is_xml(key)),
        max_parts: Some(max_parts),
        next_part_number_marker: last.or(Some(marker)),
        owner: Some(told::owner(bucket.owner)),
        part_number_marker: Some(marker),
        parts: (!told_parts.is_empty()).then_some(told_parts),
        storage_class: Some(dto::StorageClass::from_static(upload.storage_class.as_str())),
        upload_id: Some(input.upload_id.clone()),
        ..dto::ListPartsOutput::default()
    }))
}

fn initiator(arn: &str) -> Initiator {
    Initiator {
        display_name: None,
        id: Some(arn.to_owned()),
    }
}

pub(in crate::service) fn list_uploads(
    asking: &Asking,
    input: &dto::ListMultipartUploadsInput,
) -> Replied<dto::ListMultipartUploadsOutput> {
    let (prefix, delimiter) = (input.prefix.as_ref(), input.delimiter.as_ref());
    let context = listing::list_context(asking, prefix, delimiter, None);
    let names = listing::Names::of(input.encoding_type.as_ref())?;
    let permit =
        asking.on_bucket::<s3::ListBucketMultipartUploads>(&bucket_name(&input.bucket)?, &context)?;
    let bucket = asking.bucket(&permit)?;
    let (max_uploads, limit) = listing::limit(input.max_uploads)?;
    let marker = input
        .upload_id_marker
        .as_deref()
        .filter(|marker| !marker.is_empty());
    let marker = marker.map(marker_id).transpose()?;
    let asked = UploadsRequest {
        prefix: prefix.map_or("", String::as_str),
        delimiter: delimiter.map_or("", String::as_str),
        key_marker: input.key_marker.as_deref().unwrap_or_default(),
        // Without a key, S3 takes no notice of it.
        upload_marker: marker
            .as_ref()
            .filter(|_| input.key_marker.as_ref().is_some_and(|key| !key.is_empty())),
        limit,
    };
    let found = asking.store().objects().list_uploads(&permit, asked);
    let found = found.map_err(|error| refusal::from_object(&error))?;
    let uploads: Vec<dto::MultipartUpload> = found
        .uploads
        .into_iter()
        .map(|upload| dto::MultipartUpload {
            initiated: Some(told::timestamp(upload.initiated_at)),
            initiator: Some(initiator(upload.initiator.as_str())),
            key: Some(names.tell(upload.key.as_str())),
            owner: Some(told::owner(bucket.owner)),
            storage_class: Some(dto::StorageClass::from_static(upload.storage_class.as_str())),
            upload_id: Some(upload.upload_id.to_string()),
            ..dto::MultipartUpload::default()
        })
        .collect();
    let more = found.next.is_some();
    let (next_key, next_upload) = found.next.unzip();
    Ok(S3Response::new(dto::ListMultipartUploadsOutput {
        bucket: Some(input.bucket.clone()),
        common_prefixes: names.prefixes(&found.common_prefixes),
        delimiter: names.tell_if_any(delimiter),
        encoding_type: input.encoding_type.clone(),
        is_truncated: Some(more),
        key_marker: Some(names.tell(asked.key_marker)),
        max_uploads: Some(max_uploads),
        next_key_marker: next_key.map(|key| names.tell(&key)),
        next_upload_id_marker: next_upload.flatten().map(|upload| upload.to_string()),
        prefix: Some(names.tell(asked.prefix)),
        upload_id_marker: input.upload_id_marker.clone().or_else(|| Some(String::new())),
        uploads: (!uploads.is_empty()).then_some(uploads),
        request_charged: None,
    }))
}

fn marker_id(text: &str) -> Result<moho_terms::UploadId, S3Error> {
    text.parse()
        .map_err(|_not_one| failure::invalid_argument("Invalid uploadId marker"))
}
