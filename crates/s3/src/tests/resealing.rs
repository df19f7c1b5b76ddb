//! Objects sealed again under another key, which stay what they are.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use moho_iam::action::{kms, s3};
use moho_kms::NewKey;
use moho_store::objects::{Copying, Moment, ObjectEncryption, ObjectError, Resealing, SealingAlgorithm};
use moho_terms::{BucketName, ObjectKey};

use super::*;

const PART: usize = 5 << 20;

impl House {
    fn new_key(&self) -> Arn {
        let all = format!("arn:aws:kms:{}:{}:*", region(), self.first.account);
        let permit = self.permit(&self.admin, &all.parse().unwrap());
        let made = self.kms.create_key(&permit, &region(), NewKey::default());
        made.unwrap().arn().unwrap()
    }

    fn disable(&self, key: &Arn) {
        let permit: Permit<kms::DisableKey> = self.permit(&self.admin, key);
        self.kms.disable(&permit).unwrap();
    }

    async fn update(&self, path: &str, document: &[u8]) -> Reply {
        self.ask(request("PUT", path, &[], document)).await
    }
}

fn document(key: &str, more: &str) -> Vec<u8> {
    format!("<ObjectEncryption xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><SSE-KMS><KMSKeyArn>{key}</KMSKeyArn>{more}</SSE-KMS></ObjectEncryption>")
        .into_bytes()
}

/// What no client must see a difference in.
fn lasting(reply: &Reply) -> Vec<String> {
    let names = [
        "etag",
        "last-modified",
        "x-amz-version-id",
        "content-type",
        "content-length",
        "x-amz-meta-colour",
        "x-amz-checksum-crc32",
        "x-amz-checksum-crc64nvme",
        "x-amz-checksum-type",
        "x-amz-tagging-count",
    ];
    names.iter().map(|name| reply.header(name).to_owned()).collect()
}

#[tokio::test]
async fn an_object_under_another_key_is_the_same_object() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let versioned = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    house.done("PUT", "/my-bucket?versioning", &[], versioned).await;
    let large: Vec<u8> = (0..3_000_001_u32).map(|at| at.to_le_bytes()[1]).collect();
    let asked = [("x-amz-checksum-mode", "ENABLED")];
    for bytes in [&b""[..], b"small", &large] {
        let headers = [
            ("content-type", "text/plain"),
            ("x-amz-meta-colour", "red"),
            ("x-amz-tagging", "a=1"),
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-context", "eyJ0ZW5hbnQiOiJvbmUifQ=="),
        ];
        let old = house.new_key();
        let mut headers = headers.to_vec();
        headers.push(("x-amz-server-side-encryption-aws-kms-key-id", old.as_str()));
        let put = house.done("PUT", "/my-bucket/k", &headers, bytes).await;
        let path = format!("/my-bucket/k?versionId={}", put.header("x-amz-version-id"));
        let newer = house.done("PUT", "/my-bucket/k", &[], b"newer").await;
        let before = house.done("GET", &path, &asked, b"").await;
        house.world.seconds.fetch_add(100, Ordering::Relaxed);

        let new = house.new_key();
        for more in ["", "<BucketKeyEnabled>true</BucketKeyEnabled>"] {
            let update = path.replace('?', "?encryption&");
            let done = house.update(&update, &document(new.as_str(), more)).await;
            assert_eq!(
                (done.status.as_u16(), done.bytes()),
                (200, &b""[..]),
                "{}",
                done.text()
            );
            let after = house.done("GET", &path, &asked, b"").await;
            assert_eq!(after.bytes(), bytes);
            assert_eq!(lasting(&after), lasting(&before));
            assert_eq!(
                after.header("x-amz-server-side-encryption-aws-kms-key-id"),
                new.as_str()
            );
            let bucket_key = if more.is_empty() { "" } else { "true" };
            assert_eq!(
                after.header("x-amz-server-side-encryption-bucket-key-enabled"),
                bucket_key
            );
        }
        house.disable(&old);
        assert_eq!(house.plain("GET", &path).await.bytes(), bytes);
        let current = house.plain("GET", "/my-bucket/k").await;
        assert_eq!(current.bytes(), b"newer");
        assert_eq!(
            current.header("x-amz-version-id"),
            newer.header("x-amz-version-id")
        );
        house.disable(&new);
        assert_eq!(house.plain("GET", &path).await.code(), "KMS.DisabledException");
    }
    leaves_garbage(&house, 2);
}

/// What the files of before held is garbage, so many of them, and nothing else is.
fn leaves_garbage(house: &House, files: usize) {
    house.world.seconds.fetch_add(700, Ordering::Relaxed);
    let objects = house.store.objects();
    let swept = objects.sweep(house.world.now(), 100).unwrap();
    assert_eq!(swept.deleted, files);
    let orphans = objects.note_orphans(house.world.now(), &|| true).unwrap();
    assert_eq!(orphans.noted, 0);
}

#[tokio::test]
async fn parts_keep_their_places_and_checksums() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let headers = [("x-amz-checksum-algorithm", "CRC32")];
    let begun = house.done("POST", "/my-bucket/k?uploads", &headers, b"").await;
    let upload = begun.element("UploadId");
    let parts = [vec![1; PART], vec![2; 99]];
    let mut completion = String::new();
    for (number, bytes) in (1..).zip(&parts) {
        let path = format!("/my-bucket/k?partNumber={number}&uploadId={upload}");
        let etag = house
            .done("PUT", &path, &[], bytes)
            .await
            .header("etag")
            .to_owned();
        completion += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let completion = format!("<CompleteMultipartUpload>{completion}</CompleteMultipartUpload>");
    let path = format!("/my-bucket/k?uploadId={upload}");
    house.done("POST", &path, &[], completion.as_bytes()).await;
    let asked = [("x-amz-checksum-mode", "ENABLED")];
    let before = house.done("HEAD", "/my-bucket/k?partNumber=2", &asked, b"").await;

    let new = house.new_key();
    let done = house
        .update("/my-bucket/k?encryption", &document(new.as_str(), ""))
        .await;
    assert_eq!(done.status.as_u16(), 200, "{}", done.text());
    house.disable(&house.first.account_key);
    let whole = house.done("GET", "/my-bucket/k", &asked, b"").await;
    assert_eq!(whole.bytes(), parts.concat());
    let second = house.done("GET", "/my-bucket/k?partNumber=2", &asked, b"").await;
    assert_eq!(second.bytes(), parts[1]);
    assert_eq!(lasting(&second), lasting(&before));
    assert_ne!(second.header("x-amz-checksum-crc32"), "");
    assert_eq!(second.header("x-amz-mp-parts-count"), "2");
    let range = [("range", "bytes=5242878-5242881")];
    let across = house.done("GET", "/my-bucket/k", &range, b"").await;
    assert_eq!(across.bytes(), [1, 1, 2, 2]);
}

#[tokio::test]
async fn what_is_locked_stays_as_it_is_sealed() {
    let house = House::open();
    let enabled = [("x-amz-bucket-object-lock-enabled", "true")];
    house.done("PUT", "/my-bucket", &enabled, b"").await;
    let new = house.new_key();
    for (name, headers) in [
        (
            "governance",
            &[
                ("x-amz-object-lock-mode", "GOVERNANCE"),
                ("x-amz-object-lock-retain-until-date", "2026-12-01T00:00:00Z"),
            ][..],
        ),
        (
            "compliance",
            &[
                ("x-amz-object-lock-mode", "COMPLIANCE"),
                ("x-amz-object-lock-retain-until-date", "2026-12-01T00:00:00Z"),
            ],
        ),
        ("hold", &[("x-amz-object-lock-legal-hold", "ON")]),
    ] {
        let path = format!("/my-bucket/{name}");
        house.done("PUT", &path, headers, b"x").await;
        let refused = house
            .update(&format!("{path}?encryption"), &document(new.as_str(), ""))
            .await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (403, "AccessDenied"),
            "{name}"
        );
        assert_eq!(house.plain("GET", &path).await.bytes(), b"x");
    }
    house.world.seconds.fetch_add(30 * 86_400, Ordering::Relaxed);
    for (name, status) in [("governance", 200), ("compliance", 200), ("hold", 403)] {
        let path = format!("/my-bucket/{name}?encryption");
        let done = house.update(&path, &document(new.as_str(), "")).await;
        assert_eq!(done.status.as_u16(), status, "{name}");
    }
}

#[tokio::test]
async fn it_takes_leave_for_the_object_and_for_both_keys() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    house.done("PUT", "/my-bucket/k", &[], b"x").await;
    let new = house.new_key();
    let update = async |document: &[u8]| {
        let reply = house.update("/my-bucket/k?encryption", document).await;
        (reply.status.as_u16(), reply.code(), reply.element("Message"))
    };
    for (key, status, code) in [
        ("alias/one", 400, "InvalidRequest"),
        (new.resource(), 400, "InvalidRequest"),
        (
            "arn:aws:kms:elsewhere:123456789012:key/11111111-2222-4333-8444-555555555555",
            400,
            "KMS.NotFoundException",
        ),
        (
            "arn:aws:kms:moho-local-1:999999999999:key/11111111-2222-4333-8444-555555555555",
            403,
            "AccessDenied",
        ),
    ] {
        let (is, says, message) = update(&document(key, "")).await;
        assert_eq!((is, says.as_str()), (status, code), "{key} {message}");
    }
    let absent = house
        .update("/my-bucket/absent?encryption", &document(new.as_str(), ""))
        .await;
    assert_eq!(absent.code(), "NoSuchKey");
    assert_eq!(update(b"<Other/>").await.1, "MalformedXML");
    for (action, resource) in [
        ("s3:UpdateObjectEncryption", "arn:aws:s3:::my-bucket/*"),
        ("s3:PutObject", "arn:aws:s3:::my-bucket/*"),
    ] {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny","Principal":"*","Action":"{action}","Resource":"{resource}"}}}}"#
        );
        house
            .done("PUT", "/my-bucket?policy", &[], policy.as_bytes())
            .await;
        let (status, _, message) = update(&document(new.as_str(), "")).await;
        assert_eq!(status, 403);
        assert!(message.contains(action), "{message}");
    }
    house.done("DELETE", "/my-bucket?policy", &[], b"").await;
    house.disable(&new);
    assert_eq!(
        update(&document(new.as_str(), "")).await.1,
        "KMS.DisabledException"
    );
    let other = house.new_key();
    house.disable(&house.first.account_key);
    assert_eq!(
        update(&document(other.as_str(), "")).await.1,
        "KMS.DisabledException"
    );
}

#[tokio::test]
async fn what_was_replaced_meanwhile_is_left_alone() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    house.done("PUT", "/my-bucket/k", &[], b"x").await;
    let arn: Arn = "arn:aws:s3:::my-bucket/k".parse().unwrap();
    let permit = house.permit::<s3::UpdateObjectEncryption>(&house.admin, &arn);
    let version = house.store.objects().find(&permit, None).unwrap();
    let old = &version.content.as_ref().unwrap().encryption;
    let (bucket, key): (BucketName, ObjectKey) = ("my-bucket".parse().unwrap(), "k".parse().unwrap());
    let how = (SealingAlgorithm::AwsKms, false);
    let new = ObjectEncryption::new(how, house.new_key(), (&bucket, &key), BTreeMap::new()).unwrap();
    let (facts, admin) = (house.facts(), &house.admin);
    let open =
        house
            .authorizer
            .authorize::<kms::Decrypt>(admin, &facts, old.key(), &old.context().condition_keys());
    let seal = house.authorizer.authorize::<kms::GenerateDataKey>(
        admin,
        &facts,
        new.key(),
        &new.context().condition_keys(),
    );
    let copying = Copying {
        kms: &house.kms,
        open: &open.unwrap(),
        seal: &seal.unwrap(),
        encryption: &new,
        left: &AtomicBool::new(false),
    };
    let resealing = Resealing {
        permit: &permit,
        named: None,
        version: &version,
    };
    let at = Moment {
        now: house.world.now(),
        entropy: &*house.world,
    };
    house.done("PUT", "/my-bucket/k", &[], b"newer").await;
    let done = house.store.objects().reseal(resealing, copying, at);
    assert!(matches!(done, Err(ObjectError::OperationAborted)));
    assert_eq!(house.plain("GET", "/my-bucket/k").await.bytes(), b"newer");
    let again = house.store.objects().find(&permit, None).unwrap();
    let resealing = Resealing {
        version: &again,
        ..resealing
    };
    house.store.objects().reseal(resealing, copying, at).unwrap();
    assert_eq!(house.plain("GET", "/my-bucket/k").await.bytes(), b"newer");
}
