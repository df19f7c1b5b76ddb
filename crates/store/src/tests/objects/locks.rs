//! Object Lock: what is retained stays, whoever asks and whatever the clock says.

use super::*;

const DAY: u64 = 86_400;

fn until(shop: &Shop, seconds: u64) -> Timestamp {
    shop.at().now.plus_seconds(seconds)
}

fn retain(
    shop: &Shop,
    (bucket, key): (&BucketName, &str),
    version: &VersionId,
    (retention, bypass): (Option<Retention>, bool),
) -> Result<(), ObjectError> {
    let permit = shop.of(bucket, key);
    let governance = shop.of(bucket, key);
    let permits = (&permit, bypass.then_some(&governance));
    shop.objects()
        .set_retention(permits, Some(version), retention, shop.at())
}

fn delete_bypassing(
    shop: &Shop,
    bucket: &BucketName,
    key: &str,
    version: &VersionId,
) -> Result<Deleted, ObjectError> {
    let (permit, bypass) = (shop.of(bucket, key), shop.of(bucket, key));
    let deletion = Deletion {
        bypass: Some(&bypass),
        ..Deletion::default()
    };
    shop.objects()
        .delete(DeletePermit::Version(&permit, version), deletion, shop.at())
}

#[test]
fn a_bucket_begins_to_lock_at_its_making_or_once_it_keeps_versions() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let (plain, lockable) = (shop.bucket("plain"), shop.lockable("lockable"));
    let set = |bucket: &BucketName, retention| shop.objects().set_object_lock(&shop.on(bucket), retention);
    let refused = set(&plain, None);
    assert!(matches!(refused, Err(ObjectError::InvalidBucketState(_))));
    let none = shop.objects().object_lock(&shop.on(&plain));
    assert!(matches!(none, Err(ObjectError::ObjectLockConfigurationNotFound)));
    shop.objects()
        .set_versioning(&shop.on(&plain), Versioning::Enabled)
        .unwrap();
    let days = |days| DefaultRetention {
        mode: RetentionMode::Governance,
        period: RetentionPeriod::Days(days),
    };
    for bad in [0, 36_501] {
        assert!(matches!(
            set(&plain, Some(days(bad))),
            Err(ObjectError::InvalidArgument(_))
        ));
    }
    set(&plain, Some(days(3))).unwrap();
    assert_eq!(
        shop.objects().object_lock(&shop.on(&plain)).unwrap(),
        Some(days(3))
    );
    for bucket in [&plain, &lockable] {
        let suspended = shop
            .objects()
            .set_versioning(&shop.on(bucket), Versioning::Suspended);
        assert!(matches!(suspended, Err(ObjectError::InvalidBucketState(_))));
    }
}

#[test]
fn compliance_is_neither_deleted_nor_shortened_by_anybody() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.lockable("compliance");
    let id = shop.put(&bucket, "k", b"kept").version_id.unwrap();
    let kept = |seconds| {
        Some(Retention {
            mode: RetentionMode::Compliance,
            until: until(&shop, seconds),
        })
    };
    retain(&shop, (&bucket, "k"), &id, (kept(10 * DAY), false)).unwrap();
    for less in [None, kept(9 * DAY)] {
        let refused = retain(&shop, (&bucket, "k"), &id, (less, true));
        assert!(matches!(refused, Err(ObjectError::Locked)));
    }
    let weaker = Some(Retention {
        mode: RetentionMode::Governance,
        until: until(&shop, 20 * DAY),
    });
    assert!(retain(&shop, (&bucket, "k"), &id, (weaker, true)).is_err());
    retain(&shop, (&bucket, "k"), &id, (kept(11 * DAY), false)).unwrap();
    assert!(matches!(
        delete_bypassing(&shop, &bucket, "k", &id),
        Err(ObjectError::Locked)
    ));
    assert!(matches!(
        shop.delete_version(&bucket, "k", &id),
        Err(ObjectError::Locked)
    ));
    // A delete marker over it is none of its business.
    let marker = shop.delete(&bucket, "k").unwrap().version_id.unwrap();
    assert_eq!(shop.get(&bucket, "k", Some(&id)).unwrap(), b"kept");
    shop.delete_version(&bucket, "k", &marker).unwrap();
    assert!(
        shop.objects()
            .delete_bucket(&shop.on(&bucket), shop.at())
            .is_err()
    );
    shop.pass(11 * DAY - 1);
    assert!(matches!(
        shop.delete_version(&bucket, "k", &id),
        Err(ObjectError::Locked)
    ));
    shop.pass(1);
    shop.delete_version(&bucket, "k", &id).unwrap();
}

#[test]
fn governance_takes_leave_to_bypass_for_that_very_object() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.lockable("governance");
    let default = DefaultRetention {
        mode: RetentionMode::Governance,
        period: RetentionPeriod::Years(1),
    };
    shop.objects()
        .set_object_lock(&shop.on(&bucket), Some(default))
        .unwrap();
    let id = shop.put(&bucket, "k", b"x").version_id.unwrap();
    let retention = shop.objects().retention(&shop.of(&bucket, "k"), None).unwrap();
    assert_eq!(retention.mode, RetentionMode::Governance);
    assert_eq!(retention.until, until(&shop, 365 * DAY));
    assert!(matches!(
        shop.delete_version(&bucket, "k", &id),
        Err(ObjectError::Locked)
    ));
    let (permit, other) = (shop.of(&bucket, "k"), shop.of(&bucket, "other"));
    let deletion = Deletion {
        bypass: Some(&other),
        ..Deletion::default()
    };
    let refused = shop
        .objects()
        .delete(DeletePermit::Version(&permit, &id), deletion, shop.at());
    assert!(matches!(refused, Err(ObjectError::OtherPermit)));
    delete_bypassing(&shop, &bucket, "k", &id).unwrap();
    assert!(matches!(
        shop.find(&bucket, "k", None),
        Err(ObjectError::NoSuchKey)
    ));
}

#[test]
fn a_legal_hold_holds_until_it_is_lifted() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.lockable("holds");
    let mut new = shop.new_object(&bucket, "k");
    new.lock = AskedLock::default().with_legal_hold(&shop.of(&bucket, "k"), true);
    let stored = shop
        .put_new(&bucket, "k", new.clone(), (b"x", &WriteCondition::None))
        .unwrap();
    let id = stored.version_id.unwrap();
    assert!(shop.objects().legal_hold(&shop.of(&bucket, "k"), None).unwrap());
    shop.pass(1000 * DAY);
    assert!(matches!(
        delete_bypassing(&shop, &bucket, "k", &id),
        Err(ObjectError::Locked)
    ));
    shop.objects()
        .set_legal_hold(&shop.of(&bucket, "k"), Some(&id), false, shop.at())
        .unwrap();
    let held = |key: &str| shop.objects().legal_hold(&shop.of(&bucket, key), None);
    assert!(!held("k").unwrap(), "lifted");
    shop.delete_version(&bucket, "k", &id).unwrap();
    // Of what nobody ever said it, nobody is told that it is not held.
    shop.put(&bucket, "never", b"x");
    assert!(matches!(
        held("never"),
        Err(ObjectError::NoSuchObjectLockConfiguration)
    ));
    new.lock = AskedLock::default().with_legal_hold(&shop.of(&bucket, "k"), false);
    shop.put_new(&bucket, "k", new.clone(), (b"x", &WriteCondition::None))
        .unwrap();
    assert!(!held("k").unwrap(), "said at once");
    // Leave to hold another object is none for this.
    new.lock = AskedLock::default().with_legal_hold(&shop.of(&bucket, "other"), true);
    let refused = shop.put_new(&bucket, "k", new, (b"x", &WriteCondition::None));
    assert!(matches!(refused, Err(ObjectError::OtherPermit)));
}

#[test]
fn what_cannot_be_locked_is_not_locked_silently() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let (plain, lockable) = (shop.versioned("plain"), shop.lockable("lockable"));
    let locked = |bucket: &BucketName, seconds: u64| {
        let mut new = shop.new_object(bucket, "k");
        let retention = Retention {
            mode: RetentionMode::Compliance,
            until: Timestamp::from_unix_seconds(seconds),
        };
        new.lock = AskedLock::default().with_retention(&shop.of(bucket, "k"), retention);
        shop.put_new(bucket, "k", new, (b"x", &WriteCondition::None))
    };
    assert!(matches!(
        locked(&plain, START + 100),
        Err(ObjectError::InvalidRequest(_))
    ));
    assert!(matches!(
        locked(&lockable, START),
        Err(ObjectError::InvalidArgument(_))
    ));
    assert!(locked(&lockable, START + 1).is_ok());
    shop.put(&plain, "k", b"x");
    let none = shop.objects().retention(&shop.of(&plain, "k"), None);
    assert!(matches!(none, Err(ObjectError::InvalidRequest(_))));
    shop.put(&lockable, "free", b"x");
    let none = shop.objects().retention(&shop.of(&lockable, "free"), None);
    assert!(matches!(none, Err(ObjectError::NoSuchObjectLockConfiguration)));
}

#[test]
fn a_clock_that_is_put_back_or_forward_and_back_shortens_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.lockable("clocks");
    let default = DefaultRetention {
        mode: RetentionMode::Compliance,
        period: RetentionPeriod::Days(1),
    };
    shop.objects()
        .set_object_lock(&shop.on(&bucket), Some(default))
        .unwrap();
    shop.put(&bucket, "first", b"x");
    // A year back: what is put now is retained as from now, not from then.
    shop.now.store(START - 365 * DAY, Ordering::SeqCst);
    let id = shop.put(&bucket, "k", b"x").version_id.unwrap();
    let retention = shop.objects().retention(&shop.of(&bucket, "k"), None).unwrap();
    assert!(retention.until >= Timestamp::from_unix_seconds(START + DAY));
    assert!(matches!(
        shop.delete_version(&bucket, "k", &id),
        Err(ObjectError::Locked)
    ));
    drop(shop);

    let shop = Shop::open(directory.path());
    shop.now.store(START - 365 * DAY, Ordering::SeqCst);
    let newer = shop.put(&bucket, "k", b"y").version_id.unwrap();
    let found = shop.find(&bucket, "k", None).unwrap();
    assert_eq!(found.version_id, newer);
    assert!(found.modified_at >= Timestamp::from_unix_seconds(START));
}
