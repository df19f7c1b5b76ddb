//! Uploads in parts.

use super::*;

const SMALLEST: usize = 5 << 20;

async fn begun(house: &House, headers: &[(&str, &str)]) -> String {
    house
        .done("POST", "/my-bucket/k?uploads", headers, b"")
        .await
        .element("UploadId")
}

async fn part(house: &House, upload: &str, number: u32, bytes: &[u8]) -> Reply {
    let path = format!("/my-bucket/k?partNumber={number}&uploadId={upload}");
    house.done("PUT", &path, &[], bytes).await
}

fn completion(parts: &[(u32, &str)]) -> Vec<u8> {
    let parts = parts.iter().map(|(number, etag)| {
        format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>",
            etag.replace('"', "&quot;")
        )
    });
    format!(
        "<CompleteMultipartUpload>{}</CompleteMultipartUpload>",
        parts.collect::<String>()
    )
    .into_bytes()
}

#[tokio::test]
async fn parts_become_an_object() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    for (headers, composite) in [
        (&[][..], false),
        (&[("x-amz-checksum-algorithm", "CRC32")][..], true),
        (
            &[
                ("x-amz-checksum-algorithm", "CRC32C"),
                ("x-amz-checksum-type", "FULL_OBJECT"),
            ],
            false,
        ),
        (&[("x-amz-checksum-algorithm", "SHA256")], true),
    ] {
        let upload = begun(&house, headers).await;
        let (first, second) = (vec![1; SMALLEST], vec![2; 77]);
        let one = part(&house, &upload, 1, &first).await;
        let two = part(&house, &upload, 7, &second).await;
        let listed = house
            .plain("GET", &format!("/my-bucket/k?uploadId={upload}&max-parts=1"))
            .await;
        assert_eq!(listed.elements("PartNumber"), ["1"]);
        assert_eq!(listed.element("IsTruncated"), "true");
        let etags = [(1, one.header("etag")), (7, two.header("etag"))];
        let path = format!("/my-bucket/k?uploadId={upload}");
        let made = house.done("POST", &path, &[], &completion(&etags)).await;
        assert!(made.element("ETag").contains("-2"), "{}", made.text());
        let asked = [("x-amz-checksum-mode", "ENABLED")];
        let got = house.done("GET", "/my-bucket/k", &asked, b"").await;
        assert!(got.bytes() == [first, second].concat());
        let kind = if composite { "COMPOSITE" } else { "FULL_OBJECT" };
        assert_eq!(got.header("x-amz-checksum-type"), kind);
        let single = house.done("GET", "/my-bucket/k?partNumber=7", &asked, b"").await;
        assert_eq!(single.status.as_u16(), 206);
        assert_eq!(
            (single.bytes(), single.header("x-amz-mp-parts-count")),
            (&[2; 77][..], "2")
        );
        let attributes = [(
            "x-amz-object-attributes",
            "ETag,Checksum,ObjectParts,ObjectSize,StorageClass",
        )];
        let told = house
            .done("GET", "/my-bucket/k?attributes", &attributes, b"")
            .await;
        assert_eq!(
            told.element("ObjectSize"),
            (SMALLEST + 77).to_string(),
            "{}",
            told.text()
        );
        assert_eq!(told.elements("PartNumber"), ["1", "7"]);
        // Without quotes.
        assert_eq!(told.element("ETag"), got.header("etag").trim_matches('"'));
        let absent = house.plain("GET", "/my-bucket/k?partNumber=3").await;
        assert_eq!(
            (absent.status.as_u16(), absent.code().as_str()),
            (416, "InvalidPartNumber")
        );
    }
}

#[tokio::test]
async fn what_cannot_be_completed_goes_on() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let upload = begun(&house, &[]).await;
    let (one, two) = (
        part(&house, &upload, 1, b"small").await,
        part(&house, &upload, 2, b"end").await,
    );
    let (one, two) = (one.header("etag").to_owned(), two.header("etag").to_owned());
    let path = format!("/my-bucket/k?uploadId={upload}");
    for (parts, code) in [
        (&[(1, one.as_str()), (2, &two)][..], "EntityTooSmall"),
        (&[(2, &two), (1, &one)], "InvalidPartOrder"),
        (&[(1, "\"other\"")], "InvalidPart"),
        (&[(3, &one)], "InvalidPart"),
        (&[], "MalformedXML"),
    ] {
        let refused = house.ask(request("POST", &path, &[], &completion(parts))).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, code));
    }
    for number in ["0", "10001", "99999999999", "-1", "x"] {
        let path = format!("/my-bucket/k?partNumber={number}&uploadId={upload}");
        let refused = house.ask(request("PUT", &path, &[], b"x")).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (400, "InvalidArgument"),
            "{number}"
        );
    }
    let uploads = house.plain("GET", "/my-bucket?uploads").await;
    assert_eq!(uploads.elements("UploadId"), std::slice::from_ref(&upload));
    assert_eq!(house.plain("DELETE", &path).await.status.as_u16(), 204);
    let gone = house.plain("GET", &path).await;
    assert_eq!(
        (gone.status.as_u16(), gone.code().as_str()),
        (404, "NoSuchUpload")
    );
    let odd = house.plain("DELETE", "/my-bucket/k?uploadId=nonsense").await;
    assert_eq!(odd.code(), "NoSuchUpload");
}

#[tokio::test]
async fn a_part_is_copied_of_another_object() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    house.done("PUT", "/my-bucket/source", &[], b"0123456789").await;
    let upload = begun(&house, &[]).await;
    let path = format!("/my-bucket/k?partNumber=1&uploadId={upload}");
    let headers = [
        ("x-amz-copy-source", "my-bucket/source"),
        ("x-amz-copy-source-range", "bytes=2-5"),
    ];
    let copied = house.done("PUT", &path, &headers, b"").await;
    let etag = copied.element("ETag").replace("&quot;", "\"");
    let path = format!("/my-bucket/k?uploadId={upload}");
    house.done("POST", &path, &[], &completion(&[(1, &etag)])).await;
    assert_eq!(house.plain("GET", "/my-bucket/k").await.bytes(), b"2345");
}

#[tokio::test]
async fn a_checksum_said_in_completing_is_of_the_whole() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let kind = [
        ("x-amz-checksum-algorithm", "CRC32"),
        ("x-amz-checksum-type", "FULL_OBJECT"),
    ];
    let upload = begun(&house, &kind).await;
    let etag = part(&house, &upload, 1, b"123456789")
        .await
        .header("etag")
        .to_owned();
    let path = format!("/my-bucket/k?uploadId={upload}");
    let document = completion(&[(1, &etag)]);
    let wrong = [("x-amz-checksum-crc32", "AAAAAA==")];
    let refused = house.ask(request("POST", &path, &wrong, &document)).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (400, "BadDigest")
    );
    let right = [("x-amz-checksum-crc32", "y/Q5Jg==")];
    let made = house.done("POST", &path, &right, &document).await;
    assert_eq!(made.element("ChecksumCRC32"), "y/Q5Jg==");
}

#[tokio::test]
async fn what_was_completed_is_completed_again() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let versioned = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    house.done("PUT", "/my-bucket?versioning", &[], versioned).await;
    let upload = begun(&house, &[("x-amz-checksum-algorithm", "CRC32")]).await;
    let one = part(&house, &upload, 1, b"one").await;
    let etags = [(1, one.header("etag"))];
    let path = format!("/my-bucket/k?uploadId={upload}");
    let first = house.done("POST", &path, &[], &completion(&etags)).await;
    house.done("PUT", "/my-bucket/k", &[], b"newer").await;
    let again = house.done("POST", &path, &[], &completion(&etags)).await;
    assert_eq!(again.text(), first.text());
    for name in ["x-amz-version-id", "x-amz-server-side-encryption-aws-kms-key-id"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
        assert_ne!(again.header(name), "");
    }
    assert_eq!(house.plain("GET", "/my-bucket/k").await.bytes(), b"newer");
    for parts in [&[(1, "\"other\"")][..], &[(1, one.header("etag")), (2, "\"x\"")]] {
        let other = house.ask(request("POST", &path, &[], &completion(parts))).await;
        assert!(other.status.is_client_error(), "{parts:?} {}", other.text());
    }
    let gone = format!("/my-bucket/k?versionId={}", first.header("x-amz-version-id"));
    house.done("DELETE", &gone, &[], b"").await;
    let after = house.ask(request("POST", &path, &[], &completion(&etags))).await;
    assert_eq!(
        (after.status.as_u16(), after.code().as_str()),
        (404, "NoSuchUpload")
    );
}
