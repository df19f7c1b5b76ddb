//! Making an object of parts: the checksum of the whole follows from what was checked of each.

use std::collections::BTreeMap;

use moho_iam::action::s3;
use moho_iam::authz::Permit;
use moho_store::objects::{
    Checksum, Completion, ListedPart, ObjectEncryption, ObjectError, ObjectMetadata, PartLayout,
};
use moho_terms::UploadId;
use s3s::dto::{self, CompletedPart};
use s3s::{S3Error, S3Response};

use super::super::listing::Names;
use super::super::{Replied, Summed, putting, reading};
use super::{Filling, checksum_type};
use crate::asking::{Asking, NamedObject};
use crate::checksum::{self, Algorithm, PartSum};
use crate::{failure, refusal, sealing, told};

/// Parts that are read at once.
const PAGE: usize = 1000;

pub(in crate::service) fn complete(
    asking: &Asking,
    input: &dto::CompleteMultipartUploadInput,
) -> Replied<dto::CompleteMultipartUploadOutput> {
    let object = NamedObject::new(&input.bucket, &input.key, None)?;
    let condition = putting::condition([input.if_match.as_ref(), input.if_none_match.as_ref()])?;
    let permit = super::allowed(asking, &object)?;
    let id = super::upload_id(&input.upload_id)?;
    let named = input
        .multipart_upload
        .as_ref()
        .and_then(|asked| asked.parts.as_ref());
    let named = named
        .filter(|parts| !parts.is_empty())
        .ok_or_else(failure::malformed_xml)?;
    let parts = named.iter().map(numbered).collect::<Result<Vec<_>, _>>()?;
    let upload = match asking.store().objects().upload(&permit, &id) {
        Ok(upload) => upload,
        // Whoever was not told that it is done asks again, and is.
        Err(ObjectError::NoSuchUpload) => return again(asking, input, (&permit, &id, &parts)),
        Err(error) => return Err(refusal::from_object(&error)),
    };
    let filling = Filling::begun(asking, permit, upload)?;
    let kept = kept_parts(asking, &filling)?;
    let sum = whole(asking, &filling, (named, &kept))?;
    check_whole(asking, &filling, &sum, parts.len())?;
    let metadata = ObjectMetadata {
        checksums: vec![sum],
        upload_checksum: None,
        layout: Some(layout(&parts, &kept)?),
        ..filling.metadata.clone()
    };
    let size = input.mpu_object_size.map(u64::try_from).transpose();
    let completion = Completion {
        upload: &filling.upload.upload_id,
        parts: &parts,
        metadata: filling.sealed(asking, &metadata)?,
        size: size.map_err(|_negative| {
            failure::invalid_request("Value for x-amz-mp-object-size header is invalid.")
        })?,
        condition,
    };
    let made = asking
        .store()
        .objects()
        .complete(&filling.permit, &completion, asking.moment());
    let stored = made.map_err(|error| refusal::from_object(&error))?;
    let sealed_by = (&filling.upload.encryption, &metadata);
    Ok(S3Response::new(dto::CompleteMultipartUploadOutput {
        e_tag: Some(told::etag(&stored.etag)),
        version_id: stored.version_id.map(|version| version.to_string()),
        ..output(asking, input, (sealed_by, parts.len()))
    }))
}

/// What was answered when the upload was completed.
fn again(
    asking: &Asking,
    input: &dto::CompleteMultipartUploadInput,
    (permit, upload, parts): (&Permit<s3::PutObject>, &UploadId, &[(u16, String)]),
) -> Replied<dto::CompleteMultipartUploadOutput> {
    let done = asking.store().objects().completed(permit, upload, parts);
    let done = done.map_err(|error| refusal::from_object(&error))?;
    let found = reading::opened(asking, done)?;
    let sealed_by = (&found.content.encryption, &found.metadata);
    Ok(S3Response::new(dto::CompleteMultipartUploadOutput {
        e_tag: Some(told::etag(&found.content.etag)),
        version_id: found.version.told_version().map(ToString::to_string),
        ..output(asking, input, (sealed_by, parts.len()))
    }))
}

/// What is answered, but for which version it is.
fn output(
    asking: &Asking,
    input: &dto::CompleteMultipartUploadInput,
    ((encryption, metadata), parts): ((&ObjectEncryption, &ObjectMetadata), usize),
) -> dto::CompleteMultipartUploadOutput {
    let (algorithm, key, bucket_key) = sealing::shown(encryption);
    let sums = Summed::of_parts(&metadata.checksums, parts);
    let composite = metadata.checksums.first().is_some_and(|sum| sum.composite);
    dto::CompleteMultipartUploadOutput {
        bucket: Some(input.bucket.clone()),
        bucket_key_enabled: bucket_key,
        checksum_crc32: sums.crc32,
        checksum_crc32c: sums.crc32c,
        checksum_crc64nvme: sums.crc64nvme,
        checksum_sha1: sums.sha1,
        checksum_sha256: sums.sha256,
        checksum_type: Some(checksum_type(composite)),
        key: Some(input.key.clone()).filter(|key| failure::is_xml(key)),
        location: asking.header("host").map(|host| location(host, input)),
        ssekms_key_id: key,
        server_side_encryption: Some(algorithm),
        ..dto::CompleteMultipartUploadOutput::default()
    }
}

/// Where the object is, by the host that was asked: it may name the bucket.
fn location(host: &str, input: &dto::CompleteMultipartUploadInput) -> String {
    let key = Names::ENCODED.tell(&input.key);
    let of_bucket = format!("{}.s3.", input.bucket);
    match host.get(..of_bucket.len()) {
        Some(start) if start.eq_ignore_ascii_case(&of_bucket) => format!("https://{host}/{key}"),
        Some(_) | None => format!("https://{host}/{}/{key}", input.bucket),
    }
}

fn numbered(part: &CompletedPart) -> Result<(u16, String), S3Error> {
    let number = part.part_number.and_then(|number| u16::try_from(number).ok());
    let number = number
        .filter(|number| (1..=10_000).contains(number))
        .ok_or_else(failure::malformed_xml)?;
    let etag = part.e_tag.as_ref().ok_or_else(failure::malformed_xml)?;
    Ok((number, etag.value().to_owned()))
}

fn kept_parts(asking: &Asking, filling: &Filling) -> Result<BTreeMap<u16, ListedPart>, S3Error> {
    let mut kept = BTreeMap::new();
    let mut after = 0;
    loop {
        asking.left().check()?;
        let upload = &filling.upload.upload_id;
        let page = asking
            .store()
            .objects()
            .list_parts(&filling.permit, upload, after, PAGE);
        let (parts, more) = page.map_err(|error| refusal::from_object(&error))?;
        after = parts.last().map_or(after, |last| last.number);
        kept.extend(parts.into_iter().map(|part| (part.number, part)));
        if !more {
            return Ok(kept);
        }
    }
}

/// Where the parts will be. One that is put again from now on has another entity tag, and the completion fails.
fn layout(parts: &[(u16, String)], kept: &BTreeMap<u16, ListedPart>) -> Result<PartLayout, S3Error> {
    let lengths = parts.iter().map(|(number, etag)| {
        let found = kept.get(number).filter(|found| found.etag == *etag);
        let found = found.ok_or_else(|| refusal::from_object(&ObjectError::InvalidPart))?;
        Ok((*number, found.size))
    });
    Ok(PartLayout::of(lengths.collect::<Result<Vec<_>, S3Error>>()?))
}

/// The checksum of the whole. What the request says of parts has to be what was checked of them.
fn whole(
    asking: &Asking,
    filling: &Filling,
    (named, kept): (&[CompletedPart], &BTreeMap<u16, ListedPart>),
) -> Result<Checksum, S3Error> {
    let mut sums = Vec::with_capacity(named.len());
    for part in named {
        asking.left().check()?;
        let number = part.part_number.and_then(|number| u16::try_from(number).ok());
        let Some(found) = number.and_then(|number| kept.get(&number)) else {
            return Err(refusal::from_object(&ObjectError::InvalidPart));
        };
        let metadata = found
            .metadata
            .open(&filling.upload.encryption, (asking.kms(), &filling.open));
        let metadata = metadata.map_err(|error| refusal::from_object(&error))?;
        let name = filling.algorithm.as_str();
        let sum = metadata.checksums.iter().find(|sum| sum.algorithm == name);
        let sum = sum.ok_or_else(failure::internal_error)?;
        if said(part, filling.algorithm).is_some_and(|said| said != sum.value) {
            return Err(refusal::from_object(&ObjectError::InvalidPart));
        }
        sums.push(PartSum {
            value: filling
                .algorithm
                .value(&sum.value)
                .ok_or_else(failure::internal_error)?,
            size: found.size,
        });
    }
    let value = checksum::of_parts(filling.algorithm, filling.composite, &sums);
    Ok(checksum::kept(filling.algorithm, &value, filling.composite))
}

fn said(part: &CompletedPart, algorithm: Algorithm) -> Option<&str> {
    match algorithm {
        Algorithm::Crc32 => part.checksum_crc32.as_deref(),
        Algorithm::Crc32c => part.checksum_crc32c.as_deref(),
        Algorithm::Crc64Nvme => part.checksum_crc64nvme.as_deref(),
        Algorithm::Sha1 => part.checksum_sha1.as_deref(),
        Algorithm::Sha256 => part.checksum_sha256.as_deref(),
    }
}

/// What the request says of the whole has to be so.
fn check_whole(asking: &Asking, filling: &Filling, sum: &Checksum, parts: usize) -> Result<(), S3Error> {
    if let Some(kind) = asking.header("x-amz-checksum-type")
        && kind != checksum_type(filling.composite).as_str()
    {
        return Err(failure::invalid_request(&format!(
            "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
            checksum_type(filling.composite).as_str()
        )));
    }
    let Some(said) = asking.header(filling.algorithm.header()) else {
        return Ok(());
    };
    let expected = match filling.composite {
        true => format!("{}-{parts}", sum.value),
        false => sum.value.clone(),
    };
    if said == expected || said == sum.value {
        Ok(())
    } else {
        Err(checksum::mismatch(filling.algorithm))
    }
}
