//! What S3's clients send beside bytes: however it is written, it says one thing, and no checksum is true of other bytes.

use moho_s3::hostile_input::{
    checksums, encryption_context, entity_tags, lifecycle, new_key, source_range, tags_of_bucket, target,
};

use super::event_stream::Even;

/// Headers with a checksum each, and what they say of no bytes at all.
const SUMS: [&str; 6] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "content-md5",
];

/// The bytes as a request: a line with method and target, one with a header's value, then a document.
pub fn s3_requests(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut line = || super::text(lines.next().unwrap_or_default());
    let (first, value) = (line(), line());
    let document = lines.next().unwrap_or_default();
    of_target(&first);
    of_tags(&value);
    let size = u64::try_from(document.len()).unwrap_or(u64::MAX);
    if let Some(range) = source_range(&value, size) {
        assert!(
            range.start < range.end && range.end <= size,
            "{range:?} of {size}"
        );
    }
    if let Some(pairs) = encryption_context(&value) {
        assert_eq!(encryption_context(&value), Some(pairs));
    }
    of_sums(&value, document);
    if let Some(tags) = tags_of_bucket(document) {
        assert!(!document.is_empty() || tags.is_empty());
    }
    if let Some(told) = lifecycle(document, &Even) {
        let again = lifecycle(&told, &Even);
        assert_eq!(again.as_ref(), Some(&told), "a lifecycle is told as it was told");
    }
    if let Some((key, _)) = new_key(document) {
        assert!(!key.is_empty());
    }
}

/// What is for a bucket or an object brings no document where it brings an object.
fn of_target(line: &str) {
    let (method, path) = line.split_once(' ').unwrap_or(("GET", line));
    let Some([document, makes, updates]) = target(method, path) else {
        return;
    };
    assert!(
        document || !(makes || updates),
        "`{line}` is one that brings a document"
    );
    assert!(!(makes && updates), "`{line}` is one of both");
}

/// Tags are the same again, written as they should be.
fn of_tags(header: &str) {
    let Some(tags) = entity_tags(header) else {
        return;
    };
    assert!(!tags.is_empty());
    let written: Vec<String> = tags.iter().map(|tag| format!("\"{tag}\"")).collect();
    assert_eq!(entity_tags(&written.join(", ")), Some(tags));
}

/// What is true of some bytes is not of others.
fn of_sums(value: &str, document: &[u8]) {
    for header in SUMS {
        let said = [(header, value)];
        if checksums(&said, document).is_some() {
            let mut others = document.to_vec();
            others.push(0);
            assert_eq!(checksums(&said, &others), None, "{header} of other bytes");
        }
    }
    let Some(sums) = checksums(&[], document) else {
        return;
    };
    for (algorithm, sum) in sums {
        let header = format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase());
        let said = [(header.as_str(), sum.as_str())];
        assert!(checksums(&said, document).is_some(), "{algorithm} as it was told");
    }
}
