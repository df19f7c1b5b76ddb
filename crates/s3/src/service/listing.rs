//! Lists of objects and their versions.

use moho_iam::action::s3;
use moho_iam::authz::Context;
use moho_store::objects::{ListRequest, ListedVersion, Listing, VersionsRequest};
use moho_terms::AccountId;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    CommonPrefix, DeleteMarkerEntry, EncodingType, ListObjectVersionsInput, ListObjectVersionsOutput,
    ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object, ObjectStorageClass,
    ObjectVersion, ObjectVersionStorageClass,
};
use s3s::{S3Error, S3Response};

use super::Replied;
use crate::asking::{Asking, bucket_name, version_id};
use crate::{failure, refusal, told};

/// Most things of one page.
pub(super) const MOST: i32 = 1000;

/// What keys in URLs keep: all else is encoded, as S3 encodes it.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b'/');

/// How names are told.
#[derive(Clone, Copy)]
pub(super) struct Names(bool);

impl Names {
    /// As they stand in URLs.
    pub(super) const ENCODED: Self = Self(true);

    pub(super) fn of(asked: Option<&EncodingType>) -> Result<Self, S3Error> {
        match asked.map(EncodingType::as_str) {
            None => Ok(Self(false)),
            Some("url") => Ok(Self(true)),
            Some(_) => Err(failure::invalid_argument(
                "Invalid Encoding Method specified in Request",
            )),
        }
    }

    pub(super) fn tell(self, name: &str) -> String {
        if self.0 {
            utf8_percent_encode(name, KEPT).to_string()
        } else {
            name.to_owned()
        }
    }

    pub(super) fn tell_if_any(self, name: Option<&String>) -> Option<String> {
        name.map(|name| self.tell(name))
    }

    pub(super) fn prefixes(self, prefixes: &[String]) -> Option<Vec<CommonPrefix>> {
        let told = prefixes.iter().map(|prefix| CommonPrefix {
            prefix: Some(self.tell(prefix)),
        });
        (!prefixes.is_empty()).then(|| told.collect())
    }
}

/// What conditions ask about a list.
pub(super) fn list_context(
    asking: &Asking,
    prefix: Option<&String>,
    delimiter: Option<&String>,
    max: Option<i32>,
) -> Context {
    let mut context = asking.context();
    if let Some(prefix) = prefix {
        context = context.with("s3:prefix", prefix.as_str());
    }
    if let Some(delimiter) = delimiter {
        context = context.with("s3:delimiter", delimiter.as_str());
    }
    if let Some(max) = max {
        context = context.with("s3:max-keys", max.to_string());
    }
    context
}

/// How many are asked for.
pub(super) fn limit(asked: Option<i32>) -> Result<(i32, usize), S3Error> {
    let asked = asked.unwrap_or(MOST);
    if asked < 0 {
        return Err(failure::invalid_argument(
            "Argument maxKeys must be an integer between 0 and 2147483647",
        ));
    }
    let limit = asked.min(MOST);
    Ok((limit, usize::try_from(limit).unwrap_or(0)))
}

fn object(listed: &ListedVersion, names: Names, owner: Option<AccountId>) -> Object {
    Object {
        e_tag: Some(told::etag(&listed.etag)),
        key: Some(names.tell(listed.key.as_str())),
        last_modified: Some(told::seconds(listed.modified_at)),
        owner: owner.map(told::owner),
        size: i64::try_from(listed.size).ok(),
        storage_class: Some(ObjectStorageClass::from_static(listed.storage_class.as_str())),
        ..Object::default()
    }
}

pub(super) fn second(asking: &Asking, input: &ListObjectsV2Input) -> Replied<ListObjectsV2Output> {
    let (prefix, delimiter) = (input.prefix.as_ref(), input.delimiter.as_ref());
    let context = list_context(asking, prefix, delimiter, input.max_keys);
    let names = Names::of(input.encoding_type.as_ref())?;
    let permit = asking.on_bucket::<s3::ListBucket>(&bucket_name(&input.bucket)?, &context)?;
    let bucket = asking.bucket(&permit)?;
    let (max_keys, limit) = limit(input.max_keys)?;
    let token = input.continuation_token.as_deref().map(token_read).transpose()?;
    let after = token
        .as_deref()
        .or(input.start_after.as_deref())
        .unwrap_or_default();
    let asked = ListRequest {
        prefix: prefix.map_or("", String::as_str),
        delimiter: delimiter.map_or("", String::as_str),
        after,
        limit,
    };
    let found = asking.store().objects().list(&permit, asked);
    let Listing {
        objects,
        common_prefixes,
        next,
    } = found.map_err(|error| refusal::from_object(&error))?;
    let count = objects.len().saturating_add(common_prefixes.len());
    let owner = (input.fetch_owner == Some(true)).then_some(bucket.owner);
    let contents: Vec<Object> = objects
        .iter()
        .map(|listed| object(listed, names, owner))
        .collect();
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket.clone()),
        prefix: Some(names.tell(asked.prefix)),
        max_keys: Some(max_keys),
        key_count: i32::try_from(count).ok(),
        continuation_token: input.continuation_token.clone(),
        is_truncated: Some(next.is_some()),
        next_continuation_token: next.as_deref().map(token_written),
        contents: (!contents.is_empty()).then_some(contents),
        common_prefixes: names.prefixes(&common_prefixes),
        delimiter: names.tell_if_any(delimiter),
        encoding_type: input.encoding_type.clone(),
        start_after: names.tell_if_any(input.start_after.as_ref()),
        request_charged: None,
    }))
}

pub(super) fn first(asking: &Asking, input: &ListObjectsInput) -> Replied<ListObjectsOutput> {
    let (prefix, delimiter) = (input.prefix.as_ref(), input.delimiter.as_ref());
    let context = list_context(asking, prefix, delimiter, input.max_keys);
    let names = Names::of(input.encoding_type.as_ref())?;
    let permit = asking.on_bucket::<s3::ListBucket>(&bucket_name(&input.bucket)?, &context)?;
    let bucket = asking.bucket(&permit)?;
    let (max_keys, limit) = limit(input.max_keys)?;
    let asked = ListRequest {
        prefix: prefix.map_or("", String::as_str),
        delimiter: delimiter.map_or("", String::as_str),
        after: input.marker.as_deref().unwrap_or_default(),
        limit,
    };
    let found = asking.store().objects().list(&permit, asked);
    let Listing {
        objects,
        common_prefixes,
        next,
    } = found.map_err(|error| refusal::from_object(&error))?;
    let told_next = next.as_deref().filter(|_| delimiter.is_some());
    let owner = Some(bucket.owner);
    let contents: Vec<Object> = objects
        .iter()
        .map(|listed| object(listed, names, owner))
        .collect();
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(input.bucket.clone()),
        prefix: Some(names.tell(asked.prefix)),
        marker: Some(names.tell(asked.after)),
        max_keys: Some(max_keys),
        is_truncated: Some(next.is_some()),
        next_marker: told_next.map(|next| names.tell(next)),
        contents: (!contents.is_empty()).then_some(contents),
        common_prefixes: names.prefixes(&common_prefixes),
        delimiter: names.tell_if_any(delimiter),
        encoding_type: input.encoding_type.clone(),
        request_charged: None,
    }))
}

pub(super) fn versions(
    asking: &Asking,
    input: &ListObjectVersionsInput,
) -> Replied<ListObjectVersionsOutput> {
    let (prefix, delimiter) = (input.prefix.as_ref(), input.delimiter.as_ref());
    let context = list_context(asking, prefix, delimiter, input.max_keys);
    let names = Names::of(input.encoding_type.as_ref())?;
    let permit = asking.on_bucket::<s3::ListBucketVersions>(&bucket_name(&input.bucket)?, &context)?;
    let bucket = asking.bucket(&permit)?;
    let (max_keys, limit) = limit(input.max_keys)?;
    let marker = input
        .version_id_marker
        .as_deref()
        .filter(|marker| !marker.is_empty());
    let marker = marker.map(version_id).transpose()?;
    let asked = VersionsRequest {
        prefix: prefix.map_or("", String::as_str),
        delimiter: delimiter.map_or("", String::as_str),
        key_marker: input.key_marker.as_deref().unwrap_or_default(),
        version_marker: marker.as_ref(),
        limit,
    };
    let found = asking.store().objects().list_versions(&permit, asked);
    let found = found.map_err(|error| refusal::from_object(&error))?;
    let mut output = ListObjectVersionsOutput {
        common_prefixes: names.prefixes(&found.common_prefixes),
        delimiter: names.tell_if_any(delimiter),
        encoding_type: input.encoding_type.clone(),
        is_truncated: Some(found.next.is_some()),
        key_marker: Some(names.tell(asked.key_marker)),
        max_keys: Some(max_keys),
        name: Some(input.bucket.clone()),
        prefix: Some(names.tell(asked.prefix)),
        version_id_marker: input.version_id_marker.clone().or_else(|| Some(String::new())),
        ..ListObjectVersionsOutput::default()
    };
    if let Some((key, version)) = found.next {
        output.next_key_marker = Some(names.tell(&key));
        output.next_version_id_marker = version.map(|version| version.to_string());
    }
    for listed in found.versions {
        if listed.delete_marker {
            let marker = marker_entry(&listed, names, bucket.owner);
            output.delete_markers.get_or_insert_default().push(marker);
        } else {
            let version = version_entry(&listed, names, bucket.owner);
            output.versions.get_or_insert_default().push(version);
        }
    }
    Ok(S3Response::new(output))
}

fn marker_entry(listed: &ListedVersion, names: Names, owner: AccountId) -> DeleteMarkerEntry {
    DeleteMarkerEntry {
        is_latest: Some(listed.is_latest),
        key: Some(names.tell(listed.key.as_str())),
        last_modified: Some(told::seconds(listed.modified_at)),
        owner: Some(told::owner(owner)),
        version_id: Some(listed.version_id.to_string()),
    }
}

fn version_entry(listed: &ListedVersion, names: Names, owner: AccountId) -> ObjectVersion {
    ObjectVersion {
        e_tag: Some(told::etag(&listed.etag)),
        is_latest: Some(listed.is_latest),
        key: Some(names.tell(listed.key.as_str())),
        last_modified: Some(told::seconds(listed.modified_at)),
        owner: Some(told::owner(owner)),
        size: i64::try_from(listed.size).ok(),
        storage_class: Some(ObjectVersionStorageClass::from_static(
            listed.storage_class.as_str(),
        )),
        version_id: Some(listed.version_id.to_string()),
        ..ObjectVersion::default()
    }
}

/// A continuation token: where the next page begins. Names of keys are no secret of who may list them.
fn token_written(after: &str) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(after)
}

fn token_read(token: &str) -> Result<String, S3Error> {
    use base64::Engine as _;
    let bytes = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| failure::invalid_argument("The continuation token provided is incorrect"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_urls_come_back_as_they_were() {
        for name in ["a b", "a/b+c", "\u{202e}x", "a\0b", "..//..", "*~%"] {
            let told = Names(true).tell(name);
            let read = percent_encoding::percent_decode_str(&told).decode_utf8().unwrap();
            assert_eq!(read, name);
            assert!(told.bytes().all(|byte| byte.is_ascii_graphic()), "{told}");
        }
        assert_eq!(Names(true).tell("a/b c"), "a/b%20c");
    }

    #[test]
    fn tokens_say_where_the_next_page_begins() {
        for after in ["a", "a\0b", "\u{1f980}"] {
            assert_eq!(token_read(&token_written(after)).unwrap(), after);
        }
        assert!(token_read("not a token").is_err());
        assert!(token_read("_w").is_err());
    }

    #[test]
    fn a_page_has_at_most_a_thousand_things() {
        assert_eq!(limit(None).unwrap(), (1000, 1000));
        assert_eq!(limit(Some(7)).unwrap(), (7, 7));
        assert_eq!(limit(Some(0)).unwrap(), (0, 0));
        assert_eq!(limit(Some(i32::MAX)).unwrap(), (1000, 1000));
        assert!(limit(Some(-1)).is_err());
    }
}
