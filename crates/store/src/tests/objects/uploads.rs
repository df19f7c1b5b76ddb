//! Uploads in parts.

use super::*;

const FIVE: usize = 5 << 20;

fn bytes(of: u8, size: usize) -> Vec<u8> {
    vec![of; size]
}

#[test]
fn parts_become_an_object_in_their_order_and_nothing_is_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.versioned("parts");
    let at = (&bucket, "big");
    let upload = shop.upload(&bucket, "big");
    let third = shop.part(at, &upload, 9, b"the end").unwrap();
    let dropped = shop.part(at, &upload, 5, &bytes(5, 100_000)).unwrap();
    let first = shop.part(at, &upload, 1, &bytes(1, FIVE)).unwrap();
    let second = shop.part(at, &upload, 2, &bytes(2, FIVE)).unwrap();
    assert!(matches!(
        shop.find(&bucket, "big", None),
        Err(ObjectError::NoSuchKey)
    ));
    let files = shop.files();
    let parts = [(1, first.etag), (2, second.etag), (9, third.etag)];
    let stored = shop.complete(at, &upload, &parts).unwrap();
    assert!(stored.etag.ends_with("-3"), "{}", stored.etag);
    assert_eq!(stored.size, 2 * FIVE as u64 + 7);
    assert_eq!(shop.files(), files);
    let found = shop.find(&bucket, "big", None).unwrap();
    let whole = shop.get(&bucket, "big", None).unwrap();
    assert_eq!(
        whole,
        [bytes(1, FIVE), bytes(2, FIVE), b"the end".to_vec()].concat()
    );
    let across = shop.read(&found, FIVE as u64 - 1..2 * FIVE as u64 + 2).unwrap();
    assert_eq!(across, [bytes(1, 1), bytes(2, FIVE), b"th".to_vec()].concat());
    // By its number, and by all of them.
    let place = shop.objects().part(&found, None, 9).unwrap();
    assert_eq!(place.range, 2 * FIVE as u64..stored.size);
    assert_eq!(place.parts, Some(3));
    assert!(matches!(
        shop.objects().part(&found, None, 5),
        Err(ObjectError::InvalidPartNumber { parts: 3 })
    ));
    let (listed, more) = shop.objects().parts(&found, 1, 1).unwrap();
    assert_eq!((listed[0].number, listed[0].size, more), (2, FIVE as u64, true));
    // The part that was not chosen is garbage, and again is the same.
    assert_eq!(
        counted(directory.path(), "SELECT count(*) FROM segment_garbage"),
        1
    );
    assert_eq!(shop.complete(at, &upload, &parts).unwrap(), stored);
    let others = shop.complete(at, &upload, &[(5, dropped.etag)]);
    assert!(others.is_err());
    assert!(matches!(
        shop.upload_of(&bucket, &upload),
        Err(ObjectError::NoSuchUpload)
    ));
}

#[test]
fn a_layout_leads_where_all_parts_lead() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("layouts");
    let at = (&bucket, "big");
    let upload = shop.upload(&bucket, "big");
    let parts = [(1, bytes(1, FIVE)), (2, bytes(2, FIVE)), (9, b"the end".to_vec())];
    let parts = parts.map(|(number, part)| (number, shop.part(at, &upload, number, &part).unwrap().etag));
    shop.complete(at, &upload, &parts).unwrap();
    let found = shop.find(&bucket, "big", None).unwrap();
    let layout = PartLayout::of([(1, FIVE as u64), (2, FIVE as u64), (9, 7)]);
    let range = FIVE as u64 - 1..2 * FIVE as u64 + 2;
    let (with, without) = (Some(&layout), None);
    let named = |layout| {
        let pieces = shop.objects().pieces(&found, layout, range.clone()).unwrap();
        pieces
            .map(|piece| (piece.segment.id(), piece.range))
            .collect::<Vec<_>>()
    };
    assert_eq!(named(with), named(without));
    for number in [1, 2, 5, 9] {
        let place = |layout| shop.objects().part(&found, layout, number).ok();
        assert_eq!(place(with), place(without));
    }
    for other in [
        PartLayout::of([(1, FIVE as u64), (2, FIVE as u64), (9, 8)]),
        PartLayout::of([(1, FIVE as u64), (2, FIVE as u64 + 7)]),
        PartLayout::of([(1, FIVE as u64 + 1), (2, FIVE as u64 - 1), (9, 7)]),
        PartLayout::of([(1, FIVE as u64), (3, FIVE as u64), (9, 7)]),
    ] {
        let refused = shop.objects().pieces(&found, Some(&other), range.clone());
        assert!(matches!(refused, Err(ObjectError::Store(_))));
    }
}

impl Shop {
    fn upload_of(&self, bucket: &BucketName, upload: &UploadId) -> Result<Upload, ObjectError> {
        let permit: Permit<s3::PutObject> = self.of(bucket, "big");
        self.objects().upload(&permit, upload)
    }
}

#[test]
fn what_is_no_list_of_the_parts_completes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("wrong");
    let at = (&bucket, "big");
    let upload = shop.upload(&bucket, "big");
    let one = shop.part(at, &upload, 1, &bytes(1, FIVE - 1)).unwrap().etag;
    let two = shop.part(at, &upload, 2, b"2").unwrap().etag;
    let complete = |parts: &[(u16, &str)]| {
        let parts: Vec<_> = parts
            .iter()
            .map(|(number, etag)| (*number, (*etag).to_owned()))
            .collect();
        shop.complete(at, &upload, &parts)
    };
    assert!(matches!(complete(&[]), Err(ObjectError::MalformedDocument(_))));
    assert!(matches!(
        complete(&[(2, &two), (1, &one)]),
        Err(ObjectError::InvalidPartOrder)
    ));
    assert!(matches!(
        complete(&[(1, &one), (1, &one)]),
        Err(ObjectError::InvalidPartOrder)
    ));
    assert!(matches!(complete(&[(1, &two)]), Err(ObjectError::InvalidPart)));
    assert!(matches!(
        complete(&[(1, &one), (3, &two)]),
        Err(ObjectError::InvalidPart)
    ));
    assert!(matches!(
        complete(&[(1, &one), (2, &two)]),
        Err(ObjectError::EntityTooSmall { part: 1, .. })
    ));
    for number in [0, 10_001] {
        let refused = shop.part(at, &upload, number, b"x");
        assert!(matches!(refused, Err(ObjectError::InvalidArgument(_))));
    }
    // What was overwritten is not the part any more.
    let again = shop.part(at, &upload, 2, b"two").unwrap().etag;
    assert!(matches!(complete(&[(2, &two)]), Err(ObjectError::InvalidPart)));
    let encryption = shop.encryption(&bucket, "big");
    let completion = Completion {
        upload: &upload,
        parts: &[(2, again.clone())],
        metadata: shop.sealed(&encryption, &ObjectMetadata::default()),
        size: Some(4),
        condition: WriteCondition::None,
    };
    let wrong = shop
        .objects()
        .complete(&shop.of(&bucket, "big"), &completion, shop.at());
    assert!(matches!(wrong, Err(ObjectError::InvalidRequest(_))));
    complete(&[(2, &again)]).unwrap();
    assert_eq!(shop.get(&bucket, "big", None).unwrap(), b"two");
}

#[test]
fn an_upload_is_one_objects_and_ends_once() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("ends");
    let upload = shop.upload(&bucket, "big");
    let other = shop.part((&bucket, "other"), &upload, 1, b"x");
    assert!(matches!(other, Err(ObjectError::NoSuchUpload)));
    let kept = shop
        .part((&bucket, "big"), &upload, 1, &bytes(1, 100_000))
        .unwrap();
    let permit = shop.of(&bucket, "big");
    let abort = || shop.objects().abort(&permit, &upload, shop.at());
    abort().unwrap();
    assert!(matches!(abort(), Err(ObjectError::NoSuchUpload)));
    let late = shop.part((&bucket, "big"), &upload, 1, b"x");
    assert!(matches!(late, Err(ObjectError::NoSuchUpload)));
    let late = shop.complete((&bucket, "big"), &upload, &[(1, kept.etag)]);
    assert!(matches!(late, Err(ObjectError::NoSuchUpload)));
    assert_eq!(
        counted(directory.path(), "SELECT count(*) FROM segment_garbage"),
        1
    );
    assert_eq!(
        counted(directory.path(), "SELECT count(*) FROM object_segment"),
        0
    );
}

#[test]
fn uploads_are_listed_by_key_and_then_by_their_beginning() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("listed");
    let mut all = Vec::new();
    for key in ["b", "a/1", "b", "a/2", "c"] {
        shop.pass(1);
        all.push((key, shop.upload(&bucket, key)));
    }
    let (mut seen, mut markers) = (Vec::new(), (String::new(), None));
    loop {
        let asked = UploadsRequest {
            prefix: "",
            delimiter: "/",
            key_marker: &markers.0,
            upload_marker: markers.1.as_ref(),
            limit: 1,
        };
        let page = shop.objects().list_uploads(&shop.on(&bucket), asked).unwrap();
        seen.extend(page.common_prefixes);
        seen.extend(page.uploads.iter().map(|one| one.upload_id.to_string()));
        match page.next {
            Some(next) => markers = next,
            None => break,
        }
    }
    let id = |at: usize| all[at].1.to_string();
    assert_eq!(seen, ["a/".to_owned(), id(0), id(2), id(4)]);
    let (parts, more) = shop
        .objects()
        .list_parts::<s3::ListMultipartUploadParts>(&shop.of(&bucket, "c"), &all[4].1, 0, 10)
        .unwrap();
    assert!(parts.is_empty() && !more);
}
