//! `GetObjectAttributes`: what of an object is asked for, and no more.

use moho_iam::action::s3;
use s3s::dto::{
    self, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts, ObjectPart,
};
use s3s::{S3Error, S3Response};

use super::reading::{self, Found};
use super::{Replied, Summed, listing};
use crate::asking::{Asking, NamedObject};
use crate::{failure, refusal, sealing, told};

/// What there is to ask for.
const KNOWN: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

pub(super) fn get(asking: &Asking, input: &GetObjectAttributesInput) -> Replied<GetObjectAttributesOutput> {
    let object = NamedObject::new(&input.bucket, &input.key, input.version_id.as_deref())?;
    let context = asking.object_context(&object);
    // S3 asks for both: what is told are the object's attributes, and they say something of its content.
    if object.version.is_none() {
        asking.on_object::<s3::GetObject>(&object, &context)?;
    } else {
        asking.on_object::<s3::GetObjectVersion>(&object, &context)?;
    }
    let version =
        asking.find::<s3::GetObjectAttributes, s3::GetObjectVersionAttributes>(&object, &context)?;
    sealing::check_not_customers(asking)?;
    let named = named(&input.object_attributes)?;
    let wants = |name: &str| named.contains(&name);
    let found = reading::opened(asking, version)?;
    let object_parts = if wants("ObjectParts") {
        parts(asking, input, &found)?
    } else {
        None
    };
    let content = &found.content;
    Ok(S3Response::new(GetObjectAttributesOutput {
        checksum: wants("Checksum").then(|| checksum(&found)).flatten(),
        e_tag: wants("ETag").then(|| told::etag(&content.etag)),
        last_modified: Some(told::seconds(found.version.modified_at)),
        object_parts,
        object_size: wants("ObjectSize")
            .then(|| i64::try_from(content.size).ok())
            .flatten(),
        storage_class: wants("StorageClass")
            .then(|| dto::StorageClass::from_static(content.storage_class.as_str())),
        version_id: found.version.told_version().map(ToString::to_string),
        ..GetObjectAttributesOutput::default()
    }))
}

/// The attributes asked for: in a header each, or with commas in one.
fn named(asked: &[dto::ObjectAttributes]) -> Result<Vec<&str>, S3Error> {
    let named: Vec<&str> = asked
        .iter()
        .flat_map(|names| names.as_str().split(','))
        .map(str::trim)
        .collect();
    if named.is_empty() || !named.iter().all(|name| KNOWN.contains(name)) {
        return Err(failure::invalid_argument("Invalid attribute name specified."));
    }
    Ok(named)
}

fn checksum(found: &Found) -> Option<dto::Checksum> {
    let first = found.metadata.checksums.first()?;
    let parts = found.content.parts.and_then(|parts| usize::try_from(parts).ok());
    let sums = Summed::of_parts(&found.metadata.checksums, parts.unwrap_or(1));
    let kind = if first.composite {
        "COMPOSITE"
    } else {
        "FULL_OBJECT"
    };
    Some(dto::Checksum {
        checksum_crc32: sums.crc32,
        checksum_crc32c: sums.crc32c,
        checksum_crc64nvme: sums.crc64nvme,
        checksum_sha1: sums.sha1,
        checksum_sha256: sums.sha256,
        checksum_type: Some(dto::ChecksumType::from_static(kind)),
    })
}

fn parts(
    asking: &Asking,
    input: &GetObjectAttributesInput,
    found: &Found,
) -> Result<Option<GetObjectAttributesParts>, S3Error> {
    let Some(total) = found.content.parts else {
        return Ok(None);
    };
    let (max_parts, limit) = listing::limit(input.max_parts)?;
    let marker = input.part_number_marker.unwrap_or_default();
    let after = u16::try_from(marker)
        .map_err(|_none| failure::invalid_argument("The part number marker is not valid"))?;
    let listed = asking.store().objects().parts(&found.version, after, limit);
    let (parts, more) = listed.map_err(|error| refusal::from_object(&error))?;
    let last = parts.last().map(|part| i32::from(part.number));
    let mut told = Vec::new();
    for part in parts {
        let encryption = &found.content.encryption;
        let metadata = part.metadata.open(encryption, (asking.kms(), &found.open));
        let sums = Summed::of(&metadata.map_err(|error| refusal::from_object(&error))?.checksums);
        told.push(ObjectPart {
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            part_number: Some(i32::from(part.number)),
            size: i64::try_from(part.size).ok(),
        });
    }
    Ok(Some(GetObjectAttributesParts {
        is_truncated: Some(more),
        max_parts: Some(max_parts),
        next_part_number_marker: last.or(Some(marker)),
        part_number_marker: Some(marker),
        parts: (!told.is_empty()).then_some(told),
        total_parts_count: i32::try_from(total).ok(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_named_in_one_header_or_in_several() {
        let of = |names: &[&str]| {
            let asked: Vec<_> = names
                .iter()
                .map(|name| dto::ObjectAttributes::from((*name).to_owned()))
                .collect();
            named(&asked).map(|named| named.join(" ")).ok()
        };
        assert_eq!(of(&["ETag", "ObjectSize"]).as_deref(), Some("ETag ObjectSize"));
        assert_eq!(
            of(&["ETag,ObjectSize, Checksum"]).as_deref(),
            Some("ETag ObjectSize Checksum")
        );
        for wrong in [&[][..], &[""], &["ETag,"], &["etag"], &["ETag", "Other"]] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }
}
