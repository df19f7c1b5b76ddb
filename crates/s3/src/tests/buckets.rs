//! Buckets, and what they are set to.
#![expect(
    clippy::too_many_lines,
    reason = "each is what one client asks for, in its order"
)]

use super::*;

#[tokio::test]
async fn buckets_are_made_listed_and_deleted() {
    let house = House::open();
    let made = house.done("PUT", "/my-bucket", &[], b"").await;
    assert_eq!(made.header("location"), "/my-bucket");
    let again = house.ask(request("PUT", "/my-bucket", &[], b"")).await;
    assert_eq!(
        (again.status.as_u16(), again.code().as_str()),
        (409, "BucketAlreadyOwnedByYou")
    );
    assert_eq!(again.element("BucketName"), "my-bucket");
    let place = |name: &str| {
        format!("<CreateBucketConfiguration><LocationConstraint>{name}</LocationConstraint></CreateBucketConfiguration>").into_bytes()
    };
    for (name, code) in [
        ("us-east-1", "InvalidLocationConstraint"),
        ("eu-west-1", "IllegalLocationConstraintException"),
        ("Nowhere", "InvalidLocationConstraint"),
    ] {
        let refused = house.ask(request("PUT", "/b-bucket", &[], &place(name))).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (400, code),
            "{name}"
        );
    }
    let tagged = b"<CreateBucketConfiguration><LocationConstraint>moho-local-1</LocationConstraint><Tags><Tag><Key>a</Key><Value>1</Value></Tag></Tags></CreateBucketConfiguration>";
    house.done("PUT", "/b-bucket", &[], tagged).await;
    assert_eq!(house.plain("GET", "/b-bucket?tagging").await.element("Key"), "a");
    let head = house.done("HEAD", "/b-bucket", &[], b"").await;
    assert_eq!(head.header("x-amz-bucket-region"), "moho-local-1");
    let location = house.plain("GET", "/b-bucket?location").await;
    assert!(location.text().contains(">moho-local-1<"), "{}", location.text());
    let listed = house.done("GET", "/?max-buckets=1", &[], b"").await;
    assert_eq!(listed.elements("Name"), ["b-bucket"]);
    let token = listed.element("ContinuationToken");
    let rest = house
        .done(
            "GET",
            &format!("/?max-buckets=1&continuation-token={token}"),
            &[],
            b"",
        )
        .await;
    assert_eq!(rest.elements("Name"), ["my-bucket"]);
    assert_eq!(rest.element("ContinuationToken"), "");
    house.done("PUT", "/my-bucket/k", &[], b"x").await;
    let full = house.plain("DELETE", "/my-bucket").await;
    assert_eq!(
        (full.status.as_u16(), full.code().as_str()),
        (409, "BucketNotEmpty")
    );
    house.done("DELETE", "/my-bucket/k", &[], b"").await;
    assert_eq!(
        house.done("DELETE", "/my-bucket", &[], b"").await.status.as_u16(),
        204
    );
    let gone = house.plain("HEAD", "/my-bucket").await;
    assert_eq!((gone.status.as_u16(), gone.bytes()), (404, &b""[..]));
    for name in ["/Bucket", "/a", "/192.168.5.4", "/a..b"] {
        let refused = house.ask(request("PUT", name, &[], b"")).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (400, "InvalidBucketName"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_request_for_a_subresource_is_never_one_for_the_thing_itself() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    house.done("PUT", "/my-bucket/k", &[], b"x").await;
    for (method, path, code) in [
        ("DELETE", "/my-bucket?acl", "MethodNotAllowed"),
        ("DELETE", "/my-bucket?versioning", "MethodNotAllowed"),
        ("PUT", "/my-bucket?location", "MethodNotAllowed"),
        ("PUT", "/my-bucket?policyStatus", "MethodNotAllowed"),
        ("DELETE", "/my-bucket/k?acl", "MethodNotAllowed"),
        ("DELETE", "/my-bucket/k?retention", "MethodNotAllowed"),
        ("DELETE", "/my-bucket/k?%61cl", "MethodNotAllowed"),
        ("PUT", "/my-bucket/k?attributes", "MethodNotAllowed"),
        ("PUT", "/my-bucket/k?encryption", "MalformedXML"),
        ("PUT", "/my-bucket/k?renameObject", "NotImplemented"),
        ("DELETE", "/my-bucket?metadataConfiguration", "NotImplemented"),
        ("PUT", "/my-bucket?abac", "NotImplemented"),
        ("GET", "/my-bucket?acl&policy", "InvalidArgument"),
        ("PUT", "/my-bucket/k?partNumber=1", "InvalidArgument"),
        ("PUT", "/my-bucket/k?uploadId=x", "InvalidArgument"),
        ("GET", "/my-bucket?website", "NotImplemented"),
        ("PUT", "/my-bucket?replication", "MissingRequestBodyError"),
    ] {
        let refused = house.ask(request(method, path, &[], b"")).await;
        assert_eq!(refused.code(), code, "{method} {path} {}", refused.text());
    }
    let form = [("content-type", "multipart/form-data; boundary=x")];
    let refused = house.ask(request("POST", "/my-bucket", &form, b"--x--")).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (501, "NotImplemented")
    );
    assert_eq!(house.plain("GET", "/my-bucket/k").await.bytes(), b"x");
}

#[tokio::test]
async fn settings_are_told_as_they_were_put() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let by_default = house.plain("GET", "/my-bucket?encryption").await;
    assert_eq!(
        (
            by_default.element("SSEAlgorithm").as_str(),
            by_default.element("BucketKeyEnabled").as_str()
        ),
        ("aws:kms", "true")
    );
    let aes = b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
    house.done("PUT", "/my-bucket?encryption", &[], aes).await;
    let put = house.done("PUT", "/my-bucket/k", &[], b"x").await;
    assert_eq!(put.header("x-amz-server-side-encryption"), "AES256");
    assert_eq!(put.header("x-amz-server-side-encryption-aws-kms-key-id"), "");
    let empty = b"<ServerSideEncryptionConfiguration><Rule></Rule></ServerSideEncryptionConfiguration>";
    let refused = house
        .ask(request("PUT", "/my-bucket?encryption", &[], empty))
        .await;
    assert_eq!(refused.code(), "MalformedXML");
    house.done("DELETE", "/my-bucket?encryption", &[], b"").await;
    assert_eq!(
        house
            .plain("GET", "/my-bucket?encryption")
            .await
            .element("SSEAlgorithm"),
        "aws:kms"
    );
    let owned = house.plain("GET", "/my-bucket?ownershipControls").await;
    assert_eq!(owned.element("ObjectOwnership"), "BucketOwnerEnforced");
    house
        .done("DELETE", "/my-bucket?ownershipControls", &[], b"")
        .await;
    assert_eq!(
        house.plain("GET", "/my-bucket?ownershipControls").await.code(),
        "OwnershipControlsNotFoundError"
    );
    for path in ["/my-bucket?acl", "/my-bucket/k?acl"] {
        let acl = house.done("GET", path, &[], b"").await;
        assert_eq!(acl.elements("Permission"), ["FULL_CONTROL"]);
        house.done("PUT", path, &[("x-amz-acl", "private")], b"").await;
        let refused = house
            .ask(request("PUT", path, &[("x-amz-acl", "public-read")], b""))
            .await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (400, "AccessControlListNotSupported")
        );
    }
    let cors = b"<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>https://example.com</AllowedOrigin></CORSRule></CORSConfiguration>";
    house.done("PUT", "/my-bucket?cors", &[], cors).await;
    assert_eq!(
        house
            .plain("GET", "/my-bucket?cors")
            .await
            .element("AllowedOrigin"),
        "https://example.com"
    );
    house.done("DELETE", "/my-bucket?cors", &[], b"").await;
    assert_eq!(
        house.plain("GET", "/my-bucket?cors").await.code(),
        "NoSuchCORSConfiguration"
    );
    house.done("PUT", "/log-bucket", &[], b"").await;
    let logging = b"<BucketLoggingStatus><LoggingEnabled><TargetBucket>log-bucket</TargetBucket><TargetPrefix>p/</TargetPrefix></LoggingEnabled></BucketLoggingStatus>";
    house.done("PUT", "/my-bucket?logging", &[], logging).await;
    assert_eq!(
        house
            .plain("GET", "/my-bucket?logging")
            .await
            .element("TargetPrefix"),
        "p/"
    );
    house
        .done(
            "PUT",
            "/my-bucket?notification",
            &[],
            b"<NotificationConfiguration/>",
        )
        .await;
    assert_eq!(
        house
            .plain("GET", "/my-bucket?notification")
            .await
            .status
            .as_u16(),
        200
    );
    let events = b"<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>";
    let refused = house
        .ask(request("PUT", "/my-bucket?notification", &[], events))
        .await;
    assert_eq!(refused.code(), "NotImplemented");
    let expected = [("x-amz-expected-bucket-owner", "000000000000")];
    let refused = house.ask(request("GET", "/my-bucket?acl", &expected, b"")).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (403, "AccessDenied")
    );
}

#[tokio::test]
async fn a_name_that_is_taken_is_told_as_taken() {
    let mut house = House::open();
    let (_, neighbour) = house.neighbour();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let locked = [("x-amz-bucket-object-lock-enabled", "true")];
    let tagged = b"<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>1</Value></Tag></Tags></CreateBucketConfiguration>";
    for (headers, body) in [(&[][..], &b""[..]), (&locked[..], b""), (&[], tagged)] {
        let make = || request("PUT", "/my-bucket", headers, body);
        let theirs = house.ask_as(&neighbour, make()).await;
        assert_eq!(
            (theirs.status.as_u16(), theirs.code().as_str()),
            (409, "BucketAlreadyExists")
        );
        let own = house.ask(make()).await;
        assert_eq!(own.code(), "BucketAlreadyOwnedByYou");
    }
    // Who may make none hears no more of the one that is there.
    let developer = house.session("Developer");
    for name in ["/my-bucket", "/absent-bucket"] {
        let refused = house.ask_as(&developer, request("PUT", name, &[], b"")).await;
        assert_eq!(refused.code(), "AccessDenied");
        assert!(
            refused.element("Message").contains("s3:CreateBucket"),
            "{}",
            refused.text()
        );
    }
    house.gateway = S3Gateway::new(Backing {
        store: house.store.clone(),
        kms: house.kms.clone(),
        authorizer: house.authorizer.clone(),
        clock: house.world.clone(),
        entropy: house.world.clone(),
        region: "us-east-1".parse().unwrap(),
    });
    let again = house.done("PUT", "/my-bucket", &[], b"").await;
    assert_eq!(again.header("location"), "/my-bucket");
    let theirs = house
        .ask_as(&neighbour, request("PUT", "/my-bucket", &[], b""))
        .await;
    assert_eq!(theirs.code(), "BucketAlreadyExists");
}

#[tokio::test]
async fn keys_that_are_no_xml_are_references_in_lists() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    house.done("PUT", "/my-bucket/a%01b%0D", &[], b"x").await;
    for path in ["/my-bucket", "/my-bucket?list-type=2", "/my-bucket?versions"] {
        let listed = house.done("GET", path, &[], b"").await;
        assert_eq!(listed.element("Key"), "a&#x1;b&#xd;", "{path}");
        let length = listed.header("content-length");
        assert!(
            length.is_empty() || length == listed.bytes().len().to_string(),
            "{path}"
        );
    }
    let encoded = house
        .done("GET", "/my-bucket?list-type=2&encoding-type=url", &[], b"")
        .await;
    assert_eq!(encoded.element("Key"), "a%01b%0D");
}
