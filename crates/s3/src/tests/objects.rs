//! Objects: put, read, listed, copied, deleted.
#![expect(
    clippy::too_many_lines,
    reason = "each is what one client asks for, in its order"
)]

use super::*;

#[tokio::test]
async fn an_object_is_read_as_it_was_put() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let headers = [
        ("content-type", "text/plain"),
        ("content-encoding", "aws-chunked,gzip"),
        ("cache-control", "no-store"),
        ("content-disposition", "inline"),
        ("content-language", "de"),
        ("expires", "Thu, 01 Dec 2050 16:00:00 GMT"),
        ("x-amz-meta-Colour", "red"),
        ("x-amz-tagging", "a=1&b=2%203"),
    ];
    let put = house
        .done("PUT", "/my-bucket/a%20b/..%2Fc", &headers, b"some words")
        .await;
    let etag = put.header("etag").to_owned();
    assert_eq!(etag.len(), 34);
    assert_ne!(etag, "\"9c22f0e0bcfe8b8a1ecd1d3b1d8ef8c1\"");
    assert_eq!(put.header("x-amz-server-side-encryption"), "aws:kms");
    assert_eq!(
        put.header("x-amz-server-side-encryption-aws-kms-key-id"),
        house.first.account_key.as_str()
    );
    assert_eq!(
        put.header("x-amz-server-side-encryption-bucket-key-enabled"),
        "true"
    );
    assert_eq!(put.header("x-amz-checksum-type"), "FULL_OBJECT");
    assert!(!put.header("x-amz-checksum-crc64nvme").is_empty());
    assert!(!put.header("x-amz-request-id").is_empty());
    for method in ["GET", "HEAD"] {
        let asked = [("x-amz-checksum-mode", "ENABLED")];
        let got = house.done(method, "/my-bucket/a%20b/..%2Fc", &asked, b"").await;
        assert_eq!(
            got.bytes(),
            if method == "GET" { &b"some words"[..] } else { b"" }
        );
        for (name, value) in [
            ("content-type", "text/plain"),
            ("content-encoding", "gzip"),
            ("cache-control", "no-store"),
            ("content-disposition", "inline"),
            ("content-language", "de"),
            ("expires", "Thu, 01 Dec 2050 16:00:00 GMT"),
            ("x-amz-meta-colour", "red"),
            ("content-length", "10"),
            ("accept-ranges", "bytes"),
            ("etag", &etag),
            ("last-modified", "Mon, 23 Nov 2026 02:00:00 GMT"),
            ("x-amz-version-id", ""),
            ("x-amz-checksum-crc64nvme", put.header("x-amz-checksum-crc64nvme")),
        ] {
            let found = got.header(name);
            if name != "last-modified" {
                assert_eq!(found, value, "{method} {name}");
            }
        }
        assert_eq!(got.header("x-amz-tagging-count"), "2");
    }
    let listed = house.done("GET", "/my-bucket?list-type=2", &[], b"").await;
    assert_eq!(listed.elements("Key"), ["a b/../c"]);
    assert_eq!(listed.element("KeyCount"), "1");
    assert_eq!(listed.element("Size"), "10");
}

#[tokio::test]
async fn any_bytes_are_a_key_and_come_back_as_they_were() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let keys = [
        "%00",
        "..",
        "../../etc/passwd",
        "%E2%80%AEgpj.exe",
        "/",
        "//a",
        "a%0D%0Ab",
        "%3Fx=1%23y",
        "+",
        "%25",
    ];
    for key in keys {
        house
            .done("PUT", &format!("/my-bucket/{key}"), &[], key.as_bytes())
            .await;
    }
    for key in keys {
        let got = house.done("GET", &format!("/my-bucket/{key}"), &[], b"").await;
        assert_eq!(got.bytes(), key.as_bytes(), "{key}");
    }
    let listed = house
        .done("GET", "/my-bucket?list-type=2&encoding-type=url", &[], b"")
        .await;
    let mut told = listed.elements("Key");
    told.sort();
    let mut expected = keys.map(|key| key.replace('=', "%3D").replace('+', "%2B"));
    expected.sort();
    assert_eq!(told, expected);
    let long = "k".repeat(1025);
    let refused = house
        .ask(request("PUT", &format!("/my-bucket/{long}"), &[], b"x"))
        .await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (400, "KeyTooLongError")
    );
    assert_eq!(refused.element("Message"), "Your key is too long");
    house
        .done("PUT", &format!("/my-bucket/{}", "k".repeat(1024)), &[], b"x")
        .await;
}

#[tokio::test]
async fn ranges_and_conditions_are_as_http_has_them() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let put = house.done("PUT", "/my-bucket/k", &[], b"0123456789").await;
    let etag = put.header("etag").to_owned();
    for (range, status, bytes, told) in [
        ("bytes=0-3", 206, "0123", "bytes 0-3/10"),
        ("bytes=4-", 206, "456789", "bytes 4-9/10"),
        ("bytes=-2", 206, "89", "bytes 8-9/10"),
        ("bytes=8-100", 206, "89", "bytes 8-9/10"),
        ("bytes=0-1,4-5", 200, "0123456789", ""),
        ("lines=1-2", 200, "0123456789", ""),
    ] {
        let got = house
            .ask(request("GET", "/my-bucket/k", &[("range", range)], b""))
            .await;
        assert_eq!(got.status.as_u16(), status, "{range} {}", got.text());
        assert_eq!(got.text(), bytes, "{range}");
        assert_eq!(got.header("content-range"), told, "{range}");
        assert_eq!(got.header("content-length"), bytes.len().to_string(), "{range}");
    }
    let beyond = house
        .ask(request("GET", "/my-bucket/k", &[("range", "bytes=10-")], b""))
        .await;
    assert_eq!(
        (beyond.status.as_u16(), beyond.code().as_str()),
        (416, "InvalidRange")
    );
    assert_eq!(beyond.header("content-range"), "bytes */10");
    for (name, value, status) in [
        ("if-match", etag.as_str(), 200),
        ("if-match", "\"other\"", 412),
        ("if-none-match", &etag, 304),
        ("if-none-match", "\"other\"", 200),
        ("if-modified-since", "Thu, 01 Dec 2050 16:00:00 GMT", 304),
        ("if-unmodified-since", "Sat, 29 Oct 1994 19:43:31 GMT", 412),
    ] {
        let got = house
            .ask(request("GET", "/my-bucket/k", &[(name, value)], b""))
            .await;
        assert_eq!(got.status.as_u16(), status, "{name}: {value}");
        if status == 304 {
            assert_eq!(got.bytes(), b"");
            assert_eq!(got.header("etag"), etag);
        }
    }
    for (name, value, status) in [
        ("if-none-match", "*", 412),
        ("if-match", "\"other\"", 412),
        ("if-match", etag.as_str(), 200),
    ] {
        let put = house
            .ask(request("PUT", "/my-bucket/k", &[(name, value)], b"new"))
            .await;
        assert_eq!(put.status.as_u16(), status, "{name}: {value}");
    }
    let absent = house
        .ask(request(
            "PUT",
            "/my-bucket/absent",
            &[("if-match", &etag)],
            b"new",
        ))
        .await;
    assert_eq!(
        (absent.status.as_u16(), absent.code().as_str()),
        (404, "NoSuchKey")
    );
    let overridden = "/my-bucket/k?response-content-type=text%2Fcsv&response-cache-control=private";
    let got = house.done("GET", overridden, &[], b"").await;
    assert_eq!(
        (got.header("content-type"), got.header("cache-control")),
        ("text/csv", "private")
    );
}

#[tokio::test]
async fn versions_stay_until_they_are_deleted() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let enabled = b"<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>";
    house.done("PUT", "/my-bucket?versioning", &[], enabled).await;
    assert_eq!(
        house
            .plain("GET", "/my-bucket?versioning")
            .await
            .element("Status"),
        "Enabled"
    );
    let first = house.done("PUT", "/my-bucket/k", &[], b"first").await;
    let first = first.header("x-amz-version-id").to_owned();
    house.done("PUT", "/my-bucket/k", &[], b"second").await;
    let got = house
        .done("GET", &format!("/my-bucket/k?versionId={first}"), &[], b"")
        .await;
    assert_eq!(
        (got.bytes(), got.header("x-amz-version-id")),
        (&b"first"[..], first.as_str())
    );
    let deleted = house.done("DELETE", "/my-bucket/k", &[], b"").await;
    assert_eq!(deleted.status.as_u16(), 204);
    assert_eq!(deleted.header("x-amz-delete-marker"), "true");
    let marker = deleted.header("x-amz-version-id").to_owned();
    let gone = house.plain("GET", "/my-bucket/k").await;
    assert_eq!((gone.status.as_u16(), gone.code().as_str()), (404, "NoSuchKey"));
    assert_eq!(gone.header("x-amz-delete-marker"), "true");
    assert_eq!(gone.element("Key"), "k");
    let of_marker = house
        .plain("GET", &format!("/my-bucket/k?versionId={marker}"))
        .await;
    assert_eq!(
        (of_marker.status.as_u16(), of_marker.code().as_str()),
        (405, "MethodNotAllowed")
    );
    let source = format!("my-bucket/k?versionId={marker}");
    let headers = [("x-amz-copy-source", source.as_str())];
    let copied = house.ask(request("PUT", "/my-bucket/copy", &headers, b"")).await;
    assert_eq!(
        (copied.status.as_u16(), copied.code().as_str()),
        (400, "InvalidRequest")
    );
    let listed = house.plain("GET", "/my-bucket?versions").await;
    assert_eq!(listed.elements("VersionId").len(), 3, "{}", listed.text());
    assert!(listed.text().contains("<DeleteMarker>"));
    house
        .done("DELETE", &format!("/my-bucket/k?versionId={marker}"), &[], b"")
        .await;
    assert_eq!(house.plain("GET", "/my-bucket/k").await.bytes(), b"second");
    let unknown = house.plain("GET", "/my-bucket/k?versionId=nonsense").await;
    assert_eq!(
        (unknown.status.as_u16(), unknown.code().as_str()),
        (400, "InvalidArgument")
    );
}

#[tokio::test]
async fn a_copy_has_what_the_directives_say() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    house.done("PUT", "/other-bucket", &[], b"").await;
    let headers = [
        ("x-amz-meta-a", "1"),
        ("x-amz-tagging", "t=1"),
        ("content-type", "text/plain"),
    ];
    house.done("PUT", "/my-bucket/k%20%2B", &headers, b"words").await;
    let source = ("x-amz-copy-source", "/my-bucket/k%20%2B");
    let copied = house.done("PUT", "/other-bucket/copy", &[source], b"").await;
    assert!(
        copied.element("ETag").contains('"') || copied.element("ETag").contains("quot"),
        "{}",
        copied.text()
    );
    let got = house.done("GET", "/other-bucket/copy", &[], b"").await;
    assert_eq!((got.bytes(), got.header("x-amz-meta-a")), (&b"words"[..], "1"));
    assert_eq!(got.header("content-type"), "text/plain");
    assert_eq!(
        house
            .plain("GET", "/other-bucket/copy?tagging")
            .await
            .element("Value"),
        "1"
    );
    let replacing = [
        source,
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-tagging-directive", "REPLACE"),
        ("x-amz-meta-b", "2"),
    ];
    house.done("PUT", "/other-bucket/copy", &replacing, b"").await;
    let got = house.done("GET", "/other-bucket/copy", &[], b"").await;
    assert_eq!(
        (got.header("x-amz-meta-a"), got.header("x-amz-meta-b")),
        ("", "2")
    );
    assert_eq!(got.header("x-amz-tagging-count"), "");
    let itself = house
        .ask(request("PUT", "/my-bucket/k%20%2B", &[source], b""))
        .await;
    assert_eq!(
        (itself.status.as_u16(), itself.code().as_str()),
        (400, "InvalidRequest")
    );
    for (name, value, status) in [
        ("x-amz-copy-source-if-match", "\"other\"", 412),
        ("x-amz-copy-source-if-none-match", "\"other\"", 200),
        (
            "x-amz-copy-source-if-modified-since",
            "Thu, 01 Dec 2050 16:00:00 GMT",
            412,
        ),
    ] {
        let copied = house
            .ask(request("PUT", "/other-bucket/c", &[source, (name, value)], b""))
            .await;
        assert_eq!(copied.status.as_u16(), status, "{name} {}", copied.text());
    }
    for (name, value, status) in [
        ("if-none-match", "*", 412),
        ("if-match", "\"other\"", 412),
        ("if-none-match", "\"other\"", 501),
        ("if-match", "*", 200),
    ] {
        let copied = house
            .ask(request("PUT", "/other-bucket/c", &[source, (name, value)], b""))
            .await;
        assert_eq!(copied.status.as_u16(), status, "{name} {}", copied.text());
    }
    let absent = [("x-amz-copy-source", "my-bucket/absent")];
    let absent = house.ask(request("PUT", "/other-bucket/c", &absent, b"")).await;
    assert_eq!(absent.code(), "NoSuchKey");
}

#[tokio::test]
async fn several_are_deleted_each_for_itself() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    for key in ["a", "b", "c"] {
        house.done("PUT", &format!("/my-bucket/{key}"), &[], b"x").await;
    }
    let document = b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object><Object><Key>absent</Key></Object></Delete>";
    let deleted = house.done("POST", "/my-bucket?delete", &[], document).await;
    assert_eq!(deleted.elements("Key"), ["a", "b", "absent"]);
    let noted = |reply: &Reply| -> Vec<(String, Option<String>)> {
        let notes = reply.noted.deleted.iter();
        notes
            .map(|note| (note.key.clone(), note.error_code.clone()))
            .collect()
    };
    let told = |code: Option<&str>| ["a", "b", "absent"].map(|key| (key.to_owned(), code.map(str::to_owned)));
    assert_eq!(noted(&deleted), told(None));
    let quiet = [b"<Delete><Quiet>true</Quiet>".as_slice(), &document[8..]].concat();
    let developer = house.session("Developer");
    let denied = house
        .ask_as(&developer, request("POST", "/my-bucket?delete", &[], &quiet))
        .await;
    assert_eq!(noted(&denied), told(Some("AccessDenied")));
    let head = house.ask(request("HEAD", "/my-bucket/absent", &[], b"")).await;
    assert_eq!(
        head.noted.error_code.as_deref(),
        Some("NoSuchKey"),
        "its reply does not say so"
    );
    let listed = house.plain("GET", "/my-bucket").await;
    assert_eq!(listed.elements("Key"), ["c"]);
    let damaged = [("content-md5", "CY9rzUYh03PK3k6DJie09g==")];
    let refused = house
        .ask(request("POST", "/my-bucket?delete", &damaged, document))
        .await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (400, "BadDigest")
    );
}

#[tokio::test]
async fn tags_are_set_read_and_deleted() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    house.done("PUT", "/my-bucket/k", &[], b"x").await;
    let document = b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
    for path in ["/my-bucket/k?tagging", "/my-bucket?tagging"] {
        house.done("PUT", path, &[], document).await;
        let got = house.done("GET", path, &[], b"").await;
        assert_eq!(
            (got.element("Key").as_str(), got.element("Value").as_str()),
            ("a", "1")
        );
        assert_eq!(house.done("DELETE", path, &[], b"").await.status.as_u16(), 204);
    }
    let none = house.plain("GET", "/my-bucket?tagging").await;
    assert_eq!(
        (none.status.as_u16(), none.code().as_str()),
        (404, "NoSuchTagSet")
    );
    assert_eq!(
        house
            .plain("GET", "/my-bucket/k?tagging")
            .await
            .elements("Tag")
            .len(),
        0
    );
    let reserved = b"<Tagging><TagSet><Tag><Key>aws:x</Key><Value>1</Value></Tag></TagSet></Tagging>";
    let refused = house
        .ask(request("PUT", "/my-bucket/k?tagging", &[], reserved))
        .await;
    assert_eq!(refused.code(), "InvalidTag");
}

#[tokio::test]
async fn conditions_to_read_name_one_tag_or_several() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let put = house.done("PUT", "/my-bucket/k", &[], b"x").await;
    let etag = put.header("etag").to_owned();
    let bare = etag.trim_matches('"').to_owned();
    let several = format!(r#""other", {etag}"#);
    let weak = format!(r#"W/"other",W/{etag}"#);
    for (name, value, status) in [
        ("if-match", etag.as_str(), 200),
        ("if-match", &bare, 200),
        ("if-match", &several, 200),
        ("if-match", "*", 200),
        ("if-match", r#""other", "another""#, 412),
        ("if-none-match", &etag, 304),
        ("if-none-match", &bare, 304),
        ("if-none-match", &several, 304),
        ("if-none-match", &weak, 304),
        ("if-none-match", "*", 304),
        ("if-none-match", r#""other", "another""#, 200),
    ] {
        for method in ["GET", "HEAD"] {
            let reply = house
                .ask(request(method, "/my-bucket/k", &[(name, value)], b""))
                .await;
            assert_eq!(reply.status.as_u16(), status, "{method} {name}: {value}");
        }
    }
    let malformed = house
        .ask(request(
            "GET",
            "/my-bucket/k",
            &[("if-match", "\"a\" \"b\"")],
            b"",
        ))
        .await;
    assert_eq!(malformed.status.as_u16(), 400, "{}", malformed.text());
}

#[tokio::test]
async fn a_customers_key_is_not_for_what_is_sealed_without_it() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    house.done("PUT", "/my-bucket/k", &[], b"x").await;
    let brought = [
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        (
            "x-amz-server-side-encryption-customer-key",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ),
        ("x-amz-object-attributes", "ETag"),
    ];
    for headers in [&brought[..], &brought[1..]] {
        for path in ["/my-bucket/k", "/my-bucket/k?attributes"] {
            let refused = house.ask(request("GET", path, headers, b"")).await;
            assert_eq!(
                (refused.status.as_u16(), refused.code().as_str()),
                (400, "InvalidRequest"),
                "{path}"
            );
        }
        let refused = house.ask(request("HEAD", "/my-bucket/k", headers, b"")).await;
        assert_eq!(refused.status.as_u16(), 400);
    }
    let absent = house
        .ask(request("GET", "/my-bucket/absent", &brought, b""))
        .await;
    assert_eq!(absent.code(), "NoSuchKey");
    let put = house.ask(request("PUT", "/my-bucket/k", &brought, b"x")).await;
    assert_eq!(put.code(), "AccessDenied");
}
