//! Who may: policies of buckets, other accounts, public access, keys.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::*;

const READ: &str = r#""Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::my-bucket","arn:aws:s3:::my-bucket/*"]"#;

fn policy(statements: &str) -> Vec<u8> {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#).into_bytes()
}

#[tokio::test]
async fn another_account_gets_in_only_if_both_sides_let_it() {
    let house = House::open();
    let (account, neighbour) = house.neighbour();
    house.done("PUT", "/my-bucket", &[], b"").await;
    house
        .done(
            "PUT",
            "/my-bucket/k",
            &[("x-amz-server-side-encryption", "AES256")],
            b"x",
        )
        .await;
    let list = || request("GET", "/my-bucket", &[], b"");
    let refused = house.ask_as(&neighbour, list()).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (403, "AccessDenied")
    );
    assert_eq!(refused.element("Message"), "Access Denied");
    let absent = house
        .ask_as(&neighbour, request("GET", "/absent-bucket", &[], b""))
        .await;
    assert_eq!(
        (absent.status.as_u16(), absent.code().as_str()),
        (404, "NoSuchBucket")
    );
    assert_eq!(absent.element("BucketName"), "absent-bucket");
    let named = format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"{account}"}},{READ}}}"#);
    house.done("PUT", "/my-bucket?policy", &[], &policy(&named)).await;
    let listed = house.ask_as(&neighbour, list()).await;
    assert_eq!(listed.elements("Key"), ["k"]);
    // The object is sealed under a key that the neighbour may not use.
    let sealed = house
        .ask_as(&neighbour, request("GET", "/my-bucket/k", &[], b""))
        .await;
    assert_eq!(
        (sealed.status.as_u16(), sealed.code().as_str()),
        (403, "AccessDenied")
    );
    assert_eq!(sealed.element("Message"), "Access Denied");
    let put = house
        .ask_as(&neighbour, request("PUT", "/my-bucket/k", &[], b"y"))
        .await;
    assert_eq!(put.code(), "AccessDenied");
    let taken = house
        .ask_as(&neighbour, request("PUT", "/my-bucket", &[], b""))
        .await;
    assert_eq!(
        (taken.status.as_u16(), taken.code().as_str()),
        (409, "BucketAlreadyExists")
    );
    house.done("DELETE", "/my-bucket?policy", &[], b"").await;
    assert_eq!(house.ask_as(&neighbour, list()).await.code(), "AccessDenied");
}

#[tokio::test]
async fn a_bucket_policy_denies_and_allows_within_its_account() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    house
        .done("PUT", "/my-bucket/k", &[("x-amz-tagging", "level=deep")], b"x")
        .await;
    let developer = house.session("Developer");
    let get = || request("GET", "/my-bucket/k", &[], b"");
    let refused = house.ask_as(&developer, get()).await;
    assert_eq!(refused.code(), "AccessDenied");
    assert!(
        refused
            .element("Message")
            .contains("no identity-based policy allows the s3:GetObject action")
    );
    let role = format!("arn:aws:iam::{}:role/Developer", house.first.account);
    let to = |condition: &str| {
        policy(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"{role}"}},{READ}{condition}}}"#
        ))
    };
    house.done("PUT", "/my-bucket?policy", &[], &to("")).await;
    assert_eq!(house.ask_as(&developer, get()).await.bytes(), b"x");
    let tagged = r#","Condition":{"StringEquals":{"s3:ExistingObjectTag/level":"LEVEL"}}"#;
    house
        .done(
            "PUT",
            "/my-bucket?policy",
            &[],
            &to(&tagged.replace("LEVEL", "deep")),
        )
        .await;
    assert_eq!(house.ask_as(&developer, get()).await.bytes(), b"x");
    house
        .done(
            "PUT",
            "/my-bucket?policy",
            &[],
            &to(&tagged.replace("LEVEL", "flat")),
        )
        .await;
    assert_eq!(house.ask_as(&developer, get()).await.code(), "AccessDenied");
    // Who may not list does not learn what is absent.
    let absent = house
        .ask_as(&developer, request("GET", "/my-bucket/absent", &[], b""))
        .await;
    assert_eq!(absent.code(), "AccessDenied");
    let unsealed = policy(
        r#"{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::my-bucket/*","Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}}"#,
    );
    house.done("PUT", "/my-bucket?policy", &[], &unsealed).await;
    let refused = house.ask(request("PUT", "/my-bucket/k", &[], b"y")).await;
    assert!(
        refused
            .element("Message")
            .contains("explicit deny in a resource-based policy"),
        "{}",
        refused.text()
    );
    house
        .done(
            "PUT",
            "/my-bucket/k",
            &[("x-amz-server-side-encryption", "aws:kms")],
            b"y",
        )
        .await;
    let kept = house.done("GET", "/my-bucket?policy", &[], b"").await;
    assert_eq!(kept.bytes(), unsealed);
}

#[tokio::test]
async fn a_policy_that_demands_a_key_refuses_another() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let key = house.first.account_key.as_str();
    let statement = format!(
        r#"{{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::my-bucket/*","Condition":{{"StringNotEquals":{{"s3:x-amz-server-side-encryption-aws-kms-key-id":"{key}"}}}}}}"#
    );
    house
        .done("PUT", "/my-bucket?policy", &[], &policy(&statement))
        .await;
    let id = key.rsplit('/').next().unwrap();
    for (named, status) in [
        (Some(key), 200),
        (Some(id), 200),
        (Some("11111111-2222-4333-8444-555555555555"), 403),
        (None, 403),
    ] {
        let mut headers = vec![("x-amz-server-side-encryption", "aws:kms")];
        headers.extend(named.map(|named| ("x-amz-server-side-encryption-aws-kms-key-id", named)));
        let put = house.ask(request("PUT", "/my-bucket/k", &headers, b"x")).await;
        assert_eq!(put.status.as_u16(), status, "{named:?} {}", put.text());
    }
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_named_as_s3_names_them() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let put = async |key: &str| {
        let headers = [
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", key),
        ];
        let reply = house.ask(request("PUT", "/my-bucket/k", &headers, b"x")).await;
        (reply.status.as_u16(), reply.code())
    };
    assert_eq!(put("alias/none").await, (400, "KMS.NotFoundException".to_owned()));
    assert_eq!(put("not a key").await, (400, "KMS.NotFoundException".to_owned()));
    assert_eq!(
        put("arn:aws:kms:elsewhere:123456789012:key/x").await,
        (400, "KMS.NotFoundException".to_owned())
    );
    let absent = put("11111111-2222-4333-8444-555555555555").await;
    assert_eq!(absent, (400, "KMS.NotFoundException".to_owned()));
    for (name, value, status, code) in [
        (
            "x-amz-server-side-encryption",
            "aws:kms:dsse",
            501,
            "NotImplemented",
        ),
        ("x-amz-server-side-encryption", "rot13", 400, "InvalidArgument"),
        (
            "x-amz-server-side-encryption-customer-algorithm",
            "AES256",
            403,
            "AccessDenied",
        ),
        (
            "x-amz-server-side-encryption-aws-kms-key-id",
            "alias/none",
            400,
            "InvalidArgument",
        ),
        ("x-amz-acl", "public-read", 400, "AccessControlListNotSupported"),
        ("x-amz-storage-class", "GLACIER", 400, "InvalidStorageClass"),
    ] {
        let refused = house
            .ask(request("PUT", "/my-bucket/k", &[(name, value)], b"x"))
            .await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (status, code),
            "{name}: {value}"
        );
    }
    let permit = house.permit(&house.admin, &house.first.account_key);
    house.done("PUT", "/my-bucket/k", &[], b"x").await;
    house.kms.disable(&permit).unwrap();
    let disabled = house.plain("GET", "/my-bucket/k").await;
    assert_eq!(
        (disabled.status.as_u16(), disabled.code().as_str()),
        (400, "KMS.DisabledException")
    );
}

#[tokio::test]
async fn public_access_is_blocked_unless_that_is_lifted() {
    let house = House::open();
    let (_, neighbour) = house.neighbour();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let public = policy(&format!(r#"{{"Effect":"Allow","Principal":"*",{READ}}}"#));
    let set = house.plain("GET", "/my-bucket?publicAccessBlock").await;
    assert_eq!(set.element("BlockPublicPolicy"), "true");
    let refused = house.ask(request("PUT", "/my-bucket?policy", &[], &public)).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (403, "AccessDenied")
    );
    assert!(refused.element("Message").contains("BlockPublicPolicy"));
    let block = |policy: bool, restrict: bool| {
        format!("<PublicAccessBlockConfiguration><BlockPublicPolicy>{policy}</BlockPublicPolicy><RestrictPublicBuckets>{restrict}</RestrictPublicBuckets></PublicAccessBlockConfiguration>").into_bytes()
    };
    house
        .done("PUT", "/my-bucket?publicAccessBlock", &[], &block(false, true))
        .await;
    house.done("PUT", "/my-bucket?policy", &[], &public).await;
    let list = || request("GET", "/my-bucket", &[], b"");
    assert_eq!(house.ask_as(&neighbour, list()).await.code(), "AccessDenied");
    house
        .done("PUT", "/my-bucket?publicAccessBlock", &[], &block(false, false))
        .await;
    assert_eq!(house.ask_as(&neighbour, list()).await.status.as_u16(), 200);
    assert_eq!(
        house
            .plain("GET", "/my-bucket?policyStatus")
            .await
            .element("IsPublic"),
        "true"
    );
    house
        .done("DELETE", "/my-bucket?publicAccessBlock", &[], b"")
        .await;
    let gone = house.plain("GET", "/my-bucket?publicAccessBlock").await;
    assert_eq!(
        (gone.status.as_u16(), gone.code().as_str()),
        (404, "NoSuchPublicAccessBlockConfiguration")
    );
}

#[tokio::test]
async fn a_policy_that_is_none_is_refused() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let account = house.first.account;
    for (text, message) in [
        (b"{}".to_vec(), "Missing required field Statement"),
        (
            policy(&format!(r#"{{"Effect":"Allow",{READ}}}"#)),
            "Missing required field Principal",
        ),
        (
            policy(&format!(
                r#"{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:role/Nobody"}},{READ}}}"#
            )),
            "Invalid principal in policy",
        ),
        (
            policy(&format!(
                r#"{{"Effect":"Allow","Principal":{{"AWS":"{account}"}},"Action":"s3:GetObject","Resource":"arn:aws:s3:::other-bucket/*"}}"#
            )),
            "Policy has invalid resource",
        ),
    ] {
        let refused = house.ask(request("PUT", "/my-bucket?policy", &[], &text)).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (400, "MalformedPolicy")
        );
        assert_eq!(refused.element("Message"), message);
    }
    let none = house.plain("GET", "/my-bucket?policy").await;
    assert_eq!(
        (none.status.as_u16(), none.code().as_str()),
        (404, "NoSuchBucketPolicy")
    );
}

/// Whoever may delete nothing hears nothing of buckets: of none, of another account's, and of its own it is told the same.
#[tokio::test]
async fn deleting_several_tells_nobody_which_buckets_there_are() {
    let house = House::open();
    let (_, neighbour) = house.neighbour();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let developer = house.session("Developer");
    let several = b"<Delete><Object><Key>k</Key></Object></Delete>";
    let ask = |path: &str| request("POST", path, &[], several);
    let there = house.ask_as(&developer, ask("/my-bucket?delete")).await;
    let absent = house.ask_as(&developer, ask("/absent-bucket?delete")).await;
    for told in [&there, &absent] {
        assert_eq!(
            (told.status.as_u16(), told.code().as_str()),
            (200, "AccessDenied")
        );
    }
    let foreign = house.ask_as(&neighbour, ask("/my-bucket?delete")).await;
    assert_eq!(
        (foreign.status.as_u16(), foreign.code().as_str()),
        (200, "AccessDenied")
    );
    let none = house.ask(ask("/absent-bucket?delete")).await;
    assert_eq!(
        (none.status.as_u16(), none.code().as_str()),
        (404, "NoSuchBucket")
    );
}

/// JSON may be written in many ways, and so may a policy.
#[tokio::test]
async fn a_policy_counts_however_it_is_written() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    house.done("PUT", "/my-bucket/k", &[], b"x").await;
    let developer = house.session("Developer");
    let get = || request("GET", "/my-bucket/k", &[], b"");
    let account = house.first.account;
    let role = format!("arn:aws:iam::{account}:role/Developer");
    let escaped = role.replace('r', "\\u0072").replace('/', "\\/");
    for text in [
        format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"{role}"}},"Action":"s3:GetObject","Resource":"arn:aws:s3:::my-bucket/*"}}}}"#
        ),
        format!(
            r#"{{"Version":"2008-10-17","Id":"x","Statement":[{{"Sid":"","Effect":"Allow","Principal":{{"AWS":["{role}"]}},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::my-bucket/*"]}}]}}"#
        ),
        format!(
            "{{\n\t\"Statement\" :\r\n [ {{ \"Resource\" : \"arn:aws:s3:::my-bucket/k\" , \"Action\" : \"S3:getobject\",\n \"Principal\" : {{ \"AWS\" : [ \"{role}\" ] }} , \"Effect\" : \"Allow\" }} ] }}\n"
        ),
        format!(
            r#"{{"\u0053tatement":[{{"Effect":"\u0041llow","Princ\u0069pal":{{"\u0041WS":"{escaped}"}},"Action":"s3:Get\u004fbject","Resource":"arn:aws:s3:::my-bucket\/*"}}]}}"#
        ),
        format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":["{account}","{role}"],"Service":"logging.s3.amazonaws.com"}},"Action":"s3:*","Resource":["arn:aws:s3:::my-bucket","arn:aws:s3:::my-bucket/*"],"Condition":{{"Bool":{{"aws:PrincipalIsAWSService":false}},"NumericLessThan":{{"s3:max-keys":1}},"StringLike":{{"aws:PrincipalArn":["*"]}}}}}},{{"Effect":"Allow","Principal":{{"AWS":"{role}"}},"Action":"s3:GetObject","NotResource":"arn:aws:s3:::my-bucket/other"}}]}}"#
        ),
    ] {
        assert_eq!(house.ask_as(&developer, get()).await.code(), "AccessDenied");
        house.done("PUT", "/my-bucket?policy", &[], text.as_bytes()).await;
        let read = house.ask_as(&developer, get()).await;
        assert_eq!(read.text(), "x", "{text}");
        let kept = house.done("GET", "/my-bucket?policy", &[], b"").await;
        let kept: HashMap<String, Box<RawValue>> = serde_json::from_slice(kept.bytes()).unwrap();
        assert!(kept.contains_key("Statement"));
        house.done("GET", "/my-bucket?policyStatus", &[], b"").await;
        house.done("DELETE", "/my-bucket?policy", &[], b"").await;
    }
}

/// A tag that a policy denies by is read wherever the policy is, and is not forgotten with the version.
#[tokio::test]
async fn tags_of_objects_are_asked_about_by_versions() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let versioned = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    house.done("PUT", "/my-bucket?versioning", &[], versioned).await;
    let secret = house
        .done(
            "PUT",
            "/my-bucket/k",
            &[("x-amz-tagging", "class=secret")],
            b"secret",
        )
        .await;
    house.done("PUT", "/my-bucket/k", &[], b"open").await;
    let denied = policy(
        r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::my-bucket/*","Condition":{"StringEquals":{"s3:existingobjecttag/CLASS":"secret"}}}"#,
    );
    house.done("PUT", "/my-bucket?policy", &[], &denied).await;
    assert_eq!(house.plain("GET", "/my-bucket/k").await.bytes(), b"open");
    let path = format!("/my-bucket/k?versionId={}", secret.header("x-amz-version-id"));
    for method in ["GET", "HEAD", "DELETE"] {
        assert_eq!(house.plain(method, &path).await.status.as_u16(), 403, "{method}");
    }
    let copied = house
        .ask(request(
            "PUT",
            "/my-bucket/copy",
            &[("x-amz-copy-source", path.trim_start_matches('/'))],
            b"",
        ))
        .await;
    assert_eq!(copied.status.as_u16(), 403);
}

/// Who may read an object by its tags does not get the bytes of one with others, whenever it takes the place of that.
#[tokio::test]
async fn what_is_decided_by_tags_is_done_to_what_has_them() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let role = format!("arn:aws:iam::{}:role/Developer", house.first.account);
    let if_public = policy(&format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":"{role}"}},"Action":["s3:GetObject","s3:DeleteObject","s3:PutObjectTagging"],"Resource":"arn:aws:s3:::my-bucket/*","Condition":{{"StringEquals":{{"s3:ExistingObjectTag/class":"public"}}}}}}"#
    ));
    house.done("PUT", "/my-bucket?policy", &[], &if_public).await;
    let (public, secret) = (
        ("x-amz-tagging", "class=public"),
        ("x-amz-tagging", "class=secret"),
    );
    let tagging = b"<Tagging><TagSet><Tag><Key>class</Key><Value>public</Value></Tag></TagSet></Tagging>";
    let developer = house.session("Developer");
    for (method, path, body, action) in [
        ("GET", "/my-bucket/k", &b""[..], "s3:GetObject"),
        ("HEAD", "/my-bucket/k", b"", "s3:GetObject"),
        ("DELETE", "/my-bucket/k", b"", "s3:DeleteObject"),
        ("PUT", "/my-bucket/k?tagging", tagging, "s3:PutObjectTagging"),
    ] {
        for (newer, status) in [(secret, 403), (public, 2)] {
            house.done("PUT", "/my-bucket/k", &[public], b"open").await;
            let (reached, go_on) = house.world.pause_at(action);
            let replaced = async {
                reached.await.unwrap();
                house.done("PUT", "/my-bucket/k", &[newer], b"newer").await;
                drop(go_on);
            };
            let asked = house.ask_as(&developer, request(method, path, &[], body));
            let (reply, ()) = tokio::join!(asked, replaced);
            let told = reply.status.as_u16();
            assert!(
                told == status || told / 100 == status,
                "{method} {path} {told} {}",
                reply.text()
            );
            if method == "GET" && status == 2 {
                assert_eq!(reply.bytes(), b"newer");
            }
        }
    }
}
