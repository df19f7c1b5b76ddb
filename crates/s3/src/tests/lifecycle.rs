//! Lifecycle rules, as clients write and read them.
#![expect(
    clippy::too_many_lines,
    reason = "each is what one client asks for, in its order"
)]

use moho_store::objects::Moment;

use super::*;

fn rules(rules: &str) -> Vec<u8> {
    format!("<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{rules}</LifecycleConfiguration>")
        .into_bytes()
}

#[tokio::test]
async fn rules_come_back_as_they_were_put() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let none = house.plain("GET", "/my-bucket?lifecycle").await;
    assert_eq!(
        (none.status.as_u16(), none.code().as_str()),
        (404, "NoSuchLifecycleConfiguration")
    );
    for rule in [
        "<Expiration><Days>3</Days></Expiration><Filter><Prefix>a/</Prefix></Filter><ID>one</ID><Status>Enabled</Status>",
        "<Expiration><Date>2027-01-01T00:00:00Z</Date></Expiration><Filter><Prefix></Prefix></Filter><ID>one</ID><Status>Disabled</Status>",
        "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration><Filter></Filter><ID>one</ID><Status>Enabled</Status>",
        "<Expiration><Days>3</Days></Expiration><ID>one</ID><Prefix>old/</Prefix><Status>Enabled</Status>",
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload><Filter><Prefix>u</Prefix></Filter><ID>one</ID><NoncurrentVersionExpiration><NewerNoncurrentVersions>2</NewerNoncurrentVersions><NoncurrentDays>5</NoncurrentDays></NoncurrentVersionExpiration><Status>Enabled</Status>",
        "<Expiration><Days>1</Days></Expiration><Filter><And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>50</ObjectSizeLessThan><Prefix>p</Prefix><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value></Value></Tag></And></Filter><ID>one</ID><Status>Enabled</Status>",
        "<Expiration><Days>1</Days></Expiration><Filter><Tag><Key>a</Key><Value>1</Value></Tag></Filter><ID>one</ID><Status>Enabled</Status>",
        "<Expiration><Days>1</Days></Expiration><Filter><ObjectSizeLessThan>50</ObjectSizeLessThan></Filter><ID>one</ID><Status>Enabled</Status>",
    ] {
        let rule = format!("<Rule>{rule}</Rule>");
        house
            .done("PUT", "/my-bucket?lifecycle", &[], &rules(&rule))
            .await;
        let told = house.done("GET", "/my-bucket?lifecycle", &[], b"").await;
        let text = told.text().replace("T00:00:00.000Z", "T00:00:00Z");
        assert!(text.contains(&rule), "{rule}\n{text}");
    }
    house.done("DELETE", "/my-bucket?lifecycle", &[], b"").await;
    assert_eq!(
        house.plain("GET", "/my-bucket?lifecycle").await.status.as_u16(),
        404
    );
}

#[tokio::test]
async fn rules_without_an_id_get_one() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let rule = "<Rule><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>";
    house
        .done("PUT", "/my-bucket?lifecycle", &[], &rules(&rule.repeat(2)))
        .await;
    let ids = house.plain("GET", "/my-bucket?lifecycle").await.elements("ID");
    assert_eq!(ids.len(), 2);
    assert!(ids.iter().all(|id| id.len() == 32) && ids[0] != ids[1]);
}

#[tokio::test]
async fn what_no_rule_can_say_is_refused() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let days = "<Expiration><Days>1</Days></Expiration>";
    for (rule, status, code) in [
        (format!("<Status>Enabled</Status>{days}"), 400, "MalformedXML"),
        (
            format!("<Filter/><Prefix>a</Prefix><Status>Enabled</Status>{days}"),
            400,
            "MalformedXML",
        ),
        (format!("<Filter/><Status>On</Status>{days}"), 400, "MalformedXML"),
        ("<Filter/><Status>Enabled</Status>".to_owned(), 400, "InvalidRequest"),
        (
            "<Filter/><Status>Enabled</Status><Expiration><Days>0</Days></Expiration>".to_owned(),
            400,
            "InvalidArgument",
        ),
        (
            "<Filter/><Status>Enabled</Status><Expiration><Days>-5</Days></Expiration>".to_owned(),
            400,
            "InvalidArgument",
        ),
        (
            "<Filter/><Status>Enabled</Status><Expiration></Expiration>".to_owned(),
            400,
            "MalformedXML",
        ),
        (
            "<Filter/><Status>Enabled</Status><Expiration><Days>1</Days><Date>2027-01-01T00:00:00Z</Date></Expiration>"
                .to_owned(),
            400,
            "MalformedXML",
        ),
        (
            "<Filter/><Status>Enabled</Status><Expiration><Date>2027-01-01T00:00:00.5Z</Date></Expiration>".to_owned(),
            400,
            "InvalidArgument",
        ),
        (
            format!("<Filter><Prefix>a</Prefix><ObjectSizeLessThan>1</ObjectSizeLessThan></Filter><Status>Enabled</Status>{days}"),
            400,
            "MalformedXML",
        ),
        (
            format!("<Filter><ObjectSizeLessThan>-1</ObjectSizeLessThan></Filter><Status>Enabled</Status>{days}"),
            400,
            "MalformedXML",
        ),
        (
            "<Filter/><Status>Enabled</Status><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>".to_owned(),
            400,
            "InvalidArgument",
        ),
        (
            "<Filter/><Status>Enabled</Status><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"
                .to_owned(),
            501,
            "NotImplemented",
        ),
    ] {
        let rule = rules(&format!("<Rule>{rule}</Rule>"));
        let refused = house
            .ask(request("PUT", "/my-bucket?lifecycle", &[], &rule))
            .await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (status, code),
            "{} {}",
            String::from_utf8_lossy(&rule),
            refused.text()
        );
    }
    let empty = house
        .ask(request("PUT", "/my-bucket?lifecycle", &[], &rules("")))
        .await;
    assert_eq!(empty.code(), "MalformedXML");
}

/// What a client puts is what is carried out.
#[tokio::test]
async fn what_is_due_goes() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    for key in ["old/a", "new/a"] {
        house.done("PUT", &format!("/my-bucket/{key}"), &[], b"x").await;
    }
    let rule = "<Rule><Filter><Prefix>old/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>2</Days></Expiration></Rule>";
    house.done("PUT", "/my-bucket?lifecycle", &[], &rules(rule)).await;
    let round = || {
        let at = Moment {
            now: house.world.now(),
            entropy: &*house.world,
        };
        let mut next = None;
        loop {
            let objects = house.store.objects();
            next = objects
                .expire(next.as_ref(), 10, at, &mut |_| Ok(()))
                .unwrap()
                .next;
            if next.is_none() {
                break;
            }
        }
    };
    round();
    assert_eq!(house.plain("GET", "/my-bucket").await.elements("Key").len(), 2);
    house.world.seconds.fetch_add(4 * 86_400, Ordering::Relaxed);
    round();
    assert_eq!(house.plain("GET", "/my-bucket").await.elements("Key"), ["new/a"]);
}

#[tokio::test]
async fn what_expires_is_told_when_and_by_which_rule() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    let rule = "<Rule><ID>one rule</ID><Filter><Prefix>a/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>";
    house.done("PUT", "/my-bucket?lifecycle", &[], &rules(rule)).await;
    let midnight = Timestamp::from_unix_seconds((BEGINNING + 3 * 86_400).div_ceil(86_400) * 86_400);
    let told = format!("expiry-date=\"{}\", rule-id=\"one%20rule\"", midnight.http_date());
    let put = house.done("PUT", "/my-bucket/a/k", &[], b"x").await;
    let copied = house
        .done(
            "PUT",
            "/my-bucket/a/c",
            &[("x-amz-copy-source", "my-bucket/a/k")],
            b"",
        )
        .await;
    let got = house.done("GET", "/my-bucket/a/k", &[], b"").await;
    let head = house.done("HEAD", "/my-bucket/a/k", &[], b"").await;
    for reply in [put, copied, got, head] {
        assert_eq!(reply.header("x-amz-expiration"), told);
    }
    let other = house.done("PUT", "/my-bucket/b", &[], b"x").await;
    assert_eq!(other.header("x-amz-expiration"), "");
    house.done("DELETE", "/my-bucket?lifecycle", &[], b"").await;
    let head = house.done("HEAD", "/my-bucket/a/k", &[], b"").await;
    assert_eq!(head.header("x-amz-expiration"), "");
}
