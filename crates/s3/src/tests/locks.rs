//! Object Lock, whoever asks and whatever the clock says.

use super::*;

const LOCKED: &str = "2026-12-01T00:00:00Z";

async fn locked_bucket(house: &House) {
    house
        .done(
            "PUT",
            "/my-bucket",
            &[("x-amz-bucket-object-lock-enabled", "true")],
            b"",
        )
        .await;
}

#[tokio::test]
async fn what_is_locked_is_not_deleted() {
    let house = House::open();
    locked_bucket(&house).await;
    for (mode, bypass, status) in [
        ("GOVERNANCE", false, 403),
        ("GOVERNANCE", true, 204),
        ("COMPLIANCE", false, 403),
        ("COMPLIANCE", true, 403),
    ] {
        let lock = [
            ("x-amz-object-lock-mode", mode),
            ("x-amz-object-lock-retain-until-date", LOCKED),
        ];
        let put = house.done("PUT", "/my-bucket/k", &lock, b"x").await;
        let version = put.header("x-amz-version-id").to_owned();
        let headers = [("x-amz-bypass-governance-retention", "true")];
        let headers = if bypass { &headers[..] } else { &[] };
        let path = format!("/my-bucket/k?versionId={version}");
        let deleted = house.ask(request("DELETE", &path, headers, b"")).await;
        assert_eq!(
            deleted.status.as_u16(),
            status,
            "{mode} {bypass} {}",
            deleted.text()
        );
        if status == 403 {
            assert_eq!(deleted.code(), "AccessDenied");
            let head = house.done("HEAD", &path, &[], b"").await;
            assert_eq!(head.header("x-amz-object-lock-mode"), mode);
            assert_eq!(
                head.header("x-amz-object-lock-retain-until-date"),
                "2026-12-01T00:00:00.000Z"
            );
        }
    }
}

/// Locks are judged by the latest time that was ever told: a clock that goes back brings nothing back.
#[tokio::test]
async fn time_does_not_go_back_where_something_is_locked() {
    let house = House::open();
    locked_bucket(&house).await;
    let until = |date| {
        [
            ("x-amz-object-lock-mode", "COMPLIANCE"),
            ("x-amz-object-lock-retain-until-date", date),
        ]
    };
    let put = async |key: &str, date| {
        let put = house
            .done("PUT", &format!("/my-bucket/{key}"), &until(date), b"x")
            .await;
        format!("/my-bucket/{key}?versionId={}", put.header("x-amz-version-id"))
    };
    let short = put("short", LOCKED).await;
    let long = put("long", "2028-01-01T00:00:00Z").await;
    house
        .world
        .seconds
        .store(BEGINNING + 90 * 86_400, Ordering::Relaxed);
    house.done("PUT", "/my-bucket/other", &[], b"x").await;
    house.world.seconds.store(BEGINNING, Ordering::Relaxed);
    // What had ended has ended, and what had not holds.
    assert_eq!(house.plain("DELETE", &short).await.status.as_u16(), 204);
    assert_eq!(house.plain("DELETE", &long).await.status.as_u16(), 403);
    // No lock can be made that would have ended already.
    let late = house
        .ask(request("PUT", "/my-bucket/late", &until(LOCKED), b"x"))
        .await;
    assert_eq!(
        (late.status.as_u16(), late.code().as_str()),
        (400, "InvalidArgument")
    );
    // Days are counted from then.
    let rule = b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    house.done("PUT", "/my-bucket?object-lock", &[], rule).await;
    house.done("PUT", "/my-bucket/by-default", &[], b"x").await;
    let told = house.plain("GET", "/my-bucket/by-default?retention").await;
    assert!(
        told.element("RetainUntilDate").starts_with("2027-02-2"),
        "{}",
        told.text()
    );
}

#[tokio::test]
async fn a_legal_hold_holds_until_it_is_lifted() {
    let house = House::open();
    locked_bucket(&house).await;
    let put = house
        .done(
            "PUT",
            "/my-bucket/k",
            &[("x-amz-object-lock-legal-hold", "ON")],
            b"x",
        )
        .await;
    let path = format!("/my-bucket/k?versionId={}", put.header("x-amz-version-id"));
    assert_eq!(house.plain("DELETE", &path).await.code(), "AccessDenied");
    assert_eq!(
        house
            .plain("GET", "/my-bucket/k?legal-hold")
            .await
            .element("Status"),
        "ON"
    );
    house
        .done(
            "PUT",
            "/my-bucket/k?legal-hold",
            &[],
            b"<LegalHold><Status>OFF</Status></LegalHold>",
        )
        .await;
    let lifted = house.plain("GET", "/my-bucket/k?legal-hold").await;
    assert_eq!(lifted.element("Status"), "OFF");
    let head = house.done("HEAD", "/my-bucket/k", &[], b"").await;
    assert_eq!(head.header("x-amz-object-lock-legal-hold"), "OFF");
    let said = [("x-amz-object-lock-legal-hold", "OFF")];
    house.done("PUT", "/my-bucket/said", &said, b"x").await;
    let off = house.plain("GET", "/my-bucket/said?legal-hold").await;
    assert_eq!(off.element("Status"), "OFF");
    house.done("PUT", "/my-bucket/never", &[], b"x").await;
    let never = house.plain("GET", "/my-bucket/never?legal-hold").await;
    assert_eq!(
        (never.status.as_u16(), never.code().as_str()),
        (404, "NoSuchObjectLockConfiguration")
    );
    let head = house.done("HEAD", "/my-bucket/never", &[], b"").await;
    assert_eq!(head.header("x-amz-object-lock-legal-hold"), "");
    house.done("PUT", "/open-bucket", &[], b"").await;
    let unlockable = house.ask(request("PUT", "/open-bucket/k", &said, b"x")).await;
    assert_eq!(unlockable.code(), "InvalidRequest");
    assert_eq!(house.plain("DELETE", &path).await.status.as_u16(), 204);
}

#[tokio::test]
async fn retention_is_by_default_and_is_not_shortened() {
    let house = House::open();
    locked_bucket(&house).await;
    let rule = b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>3</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    house.done("PUT", "/my-bucket?object-lock", &[], rule).await;
    assert_eq!(
        house.plain("GET", "/my-bucket?object-lock").await.element("Days"),
        "3"
    );
    house.done("PUT", "/my-bucket/k", &[], b"x").await;
    let told = house.plain("GET", "/my-bucket/k?retention").await;
    assert_eq!(told.element("Mode"), "COMPLIANCE", "{}", told.text());
    let until = |text: &str| {
        format!("<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>{text}</RetainUntilDate></Retention>")
            .into_bytes()
    };
    let shorter = house
        .ask(request(
            "PUT",
            "/my-bucket/k?retention",
            &[],
            &until("2026-11-24T00:00:00Z"),
        ))
        .await;
    assert_eq!(shorter.status.as_u16(), 403, "{}", shorter.text());
    house
        .done(
            "PUT",
            "/my-bucket/k?retention",
            &[],
            &until("2027-01-01T00:00:00Z"),
        )
        .await;
    let suspended = b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let refused = house
        .ask(request("PUT", "/my-bucket?versioning", &[], suspended))
        .await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (409, "InvalidBucketState")
    );
    house.done("PUT", "/open-bucket", &[], b"").await;
    let none = house.plain("GET", "/open-bucket?object-lock").await;
    assert_eq!(
        (none.status.as_u16(), none.code().as_str()),
        (404, "ObjectLockConfigurationNotFoundError")
    );
    for headers in [
        &[("x-amz-object-lock-mode", "GOVERNANCE")][..],
        &[
            ("x-amz-object-lock-mode", "OTHER"),
            ("x-amz-object-lock-retain-until-date", LOCKED),
        ],
        &[("x-amz-object-lock-legal-hold", "MAYBE")],
    ] {
        let refused = house.ask(request("PUT", "/my-bucket/k", headers, b"x")).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (400, "InvalidArgument")
        );
    }
}
