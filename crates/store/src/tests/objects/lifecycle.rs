//! Lifecycle rules, carried out step by step.

use super::*;
use crate::objects::lifecycle::*;

const DAY: u64 = 86_400;

fn rule(prefix: &str) -> LifecycleRule {
    LifecycleRule {
        id: None,
        status: RuleStatus::Enabled,
        filter: LifecycleFilter {
            prefix: Some(prefix.to_owned()),
            ..LifecycleFilter::default()
        },
        plain_prefix: false,
        expiration: None,
        noncurrent: None,
        abort_uploads_after: None,
    }
}

impl Shop {
    fn live_by(&self, bucket: &BucketName, rules: Vec<LifecycleRule>) {
        let lifecycle = Lifecycle { rules };
        self.objects()
            .set_lifecycle(&self.on(bucket), Some(&lifecycle))
            .unwrap();
        let kept = self.objects().lifecycle(&self.on(bucket)).unwrap();
        assert_eq!(kept, lifecycle);
    }

    /// A whole round, in steps of so many.
    fn round(&self, limit: usize) -> (usize, usize, usize) {
        let (mut progress, mut sum, mut steps) = (None, (0, 0, 0), 0);
        loop {
            let done = self
                .objects()
                .expire(progress.as_ref(), limit, self.at(), &mut |_| Ok(()))
                .unwrap();
            assert!(done.looked_at <= limit);
            sum = (sum.0 + done.deleted, sum.1 + done.markers, sum.2 + done.aborted);
            steps += 1;
            assert!(steps < 1000);
            match done.next {
                Some(next) => progress = Some(next),
                None => return sum,
            }
        }
    }

    fn there(&self, bucket: &BucketName) -> Vec<String> {
        let asked = ListRequest {
            prefix: "",
            delimiter: "",
            after: "",
            limit: 1000,
        };
        let found = self.objects().list(&self.on(bucket), asked).unwrap();
        found.objects.iter().map(|one| one.key.to_string()).collect()
    }
}

#[test]
fn current_versions_go_at_the_midnight_after_their_days() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    shop.now.store(START / DAY * DAY + 3600, Ordering::SeqCst);
    let bucket = shop.bucket("days");
    shop.bucket("between");
    let (big, tagged) = (
        LifecycleFilter {
            larger_than: Some(3),
            ..LifecycleFilter::default()
        },
        LifecycleFilter {
            tags: vec![("tmp".to_owned(), "yes".to_owned())],
            ..LifecycleFilter::default()
        },
    );
    let with = |filter: LifecycleFilter, days| LifecycleRule {
        filter,
        expiration: Some(Expiration::Days(days)),
        ..rule("")
    };
    let off = LifecycleRule {
        status: RuleStatus::Disabled,
        expiration: Some(Expiration::Days(1)),
        ..rule("")
    };
    let log = LifecycleRule {
        expiration: Some(Expiration::Days(1)),
        ..rule("log/")
    };
    shop.live_by(&bucket, vec![off, log, with(big, 2), with(tagged, 3)]);
    for key in ["log/1", "log/2", "other", "small"] {
        shop.put(&bucket, key, if key == "other" { b"12345" } else { b"1" });
    }
    shop.objects()
        .set_tags::<s3::PutObjectTagging>(
            &shop.of(&bucket, "small"),
            None,
            &[("tmp".to_owned(), "yes".to_owned())],
        )
        .unwrap();
    shop.pass(DAY);
    assert_eq!(shop.round(1), (0, 0, 0), "a day after, but no midnight yet");
    shop.pass(DAY - 3600);
    assert_eq!(shop.round(1), (2, 0, 0));
    assert_eq!(shop.there(&bucket), ["other", "small"]);
    shop.pass(DAY);
    assert_eq!(shop.round(100), (1, 0, 0));
    shop.pass(DAY);
    assert_eq!(shop.round(100), (1, 0, 0));
    assert_eq!(shop.there(&bucket), Vec::<String>::new());
}

#[test]
fn versions_go_but_for_the_newest_and_what_is_locked() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.lockable("versions");
    let noncurrent = NoncurrentExpiration {
        days: 1,
        keep_newer: Some(1),
    };
    shop.live_by(
        &bucket,
        vec![LifecycleRule {
            noncurrent: Some(noncurrent),
            ..rule("")
        }],
    );
    let ids: Vec<_> = (0..5)
        .map(|_| shop.put(&bucket, "k", b"x").version_id.unwrap())
        .collect();
    shop.objects()
        .set_legal_hold(&shop.of(&bucket, "k"), Some(&ids[1]), true, shop.at())
        .unwrap();
    assert_eq!(shop.round(10), (0, 0, 0));
    shop.pass(2 * DAY);
    assert_eq!(shop.round(10), (2, 0, 0));
    let left = |at: usize| shop.find(&bucket, "k", Some(&ids[at])).is_ok();
    assert_eq!(
        [left(0), left(1), left(2), left(3), left(4)],
        [false, true, false, true, true]
    );
}

#[test]
fn a_delete_marker_goes_when_nothing_is_left_under_it() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.versioned("markers");
    shop.live_by(
        &bucket,
        vec![
            LifecycleRule {
                expiration: Some(Expiration::Days(1)),
                ..rule("")
            },
            LifecycleRule {
                noncurrent: Some(NoncurrentExpiration {
                    days: 1,
                    keep_newer: None,
                }),
                ..rule("")
            },
        ],
    );
    shop.put(&bucket, "k", b"x");
    shop.pass(2 * DAY);
    assert_eq!(shop.round(10), (0, 1, 0), "a marker takes its place");
    shop.pass(2 * DAY);
    assert_eq!(
        shop.round(10),
        (2, 0, 0),
        "the version goes, and the marker with it"
    );
    shop.objects()
        .delete_bucket(&shop.on(&bucket), shop.at())
        .unwrap();
}

#[test]
fn a_step_removes_so_many_rows_however_many_one_object_has() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.versioned("many");
    shop.live_by(
        &bucket,
        vec![LifecycleRule {
            noncurrent: Some(NoncurrentExpiration {
                days: 1,
                keep_newer: Some(2),
            }),
            abort_uploads_after: Some(1),
            ..rule("")
        }],
    );
    for _ in 0..35 {
        shop.put(&bucket, "k", b"x");
    }
    let upload = shop.upload(&bucket, "big");
    for part in 1..=25 {
        shop.part((&bucket, "big"), &upload, part, b"x").unwrap();
    }
    let rows = || counted(directory.path(), "SELECT count(*) FROM object_segment");
    let commits = || shop.house.store.database.commits.load(Ordering::SeqCst);
    let before = commits();
    assert_eq!(shop.round(10), (0, 0, 0));
    assert_eq!(commits(), before, "who only looks writes nothing");
    shop.pass(3 * DAY);
    let (mut progress, mut left, mut sum) = (None, rows(), (0, 0));
    assert_eq!(left, 60);
    loop {
        let done = shop
            .objects()
            .expire(progress.as_ref(), 10, shop.at(), &mut |_| Ok(()))
            .unwrap();
        assert!(done.looked_at <= 10 && left - rows() <= 10, "{done:?}");
        left = rows();
        sum = (sum.0 + done.deleted, sum.1 + done.aborted);
        match done.next {
            Some(next) => progress = Some(next),
            None => break,
        }
    }
    assert_eq!((sum, left), ((32, 1), 3));
}

#[test]
fn a_date_and_old_uploads_come_due() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("dates");
    let date = (START / DAY + 5) * DAY;
    shop.live_by(
        &bucket,
        vec![LifecycleRule {
            expiration: Some(Expiration::Date(date)),
            abort_uploads_after: Some(7),
            ..rule("")
        }],
    );
    shop.put(&bucket, "k", b"x");
    let upload = shop.upload(&bucket, "big");
    shop.part((&bucket, "big"), &upload, 1, b"x").unwrap();
    shop.pass(4 * DAY);
    assert_eq!(shop.round(10), (0, 0, 0));
    shop.pass(2 * DAY);
    assert_eq!(shop.round(10), (1, 0, 0));
    shop.pass(2 * DAY);
    assert_eq!(shop.round(10), (0, 0, 1));
    assert_eq!(
        counted(directory.path(), "SELECT count(*) FROM object_segment"),
        0
    );
}

#[test]
fn what_is_damaged_is_told_and_everything_else_expires() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let expiring = |days| LifecycleRule {
        expiration: Some(Expiration::Days(days)),
        ..rule("")
    };
    let [first, second, third] = ["aaa", "bbb", "ccc"].map(|name| {
        let bucket = shop.bucket(name);
        shop.live_by(&bucket, vec![expiring(1)]);
        for key in ["k1", "k2", "k3"] {
            shop.put(&bucket, key, b"x");
        }
        bucket
    });
    let alter = |sql: &str| behind(directory.path()).execute_batch(sql).unwrap();
    alter(
        "UPDATE object_version SET size = 7 WHERE key = 'k2' AND bucket_id = (SELECT bucket_id FROM bucket WHERE name = 'aaa')",
    );
    alter(
        "UPDATE object_segment SET etag = 'other' WHERE body_id IN (SELECT body_id FROM object_version
        WHERE key = 'k2' AND bucket_id = (SELECT bucket_id FROM bucket WHERE name = 'bbb'))",
    );
    shop.pass(3 * DAY);
    let (mut progress, mut damaged) = (None, Vec::new());
    loop {
        let done = shop
            .objects()
            .expire(progress.as_ref(), 100, shop.at(), &mut |_| Ok(()))
            .unwrap();
        damaged.extend(done.damaged);
        match done.next {
            Some(next) => progress = Some(next),
            None => break,
        }
    }
    let named: Vec<_> = damaged
        .iter()
        .map(|one| (one.bucket.as_str(), one.key.as_ref().map(ObjectKey::as_str)))
        .collect();
    assert_eq!(named, [("aaa", Some("k2")), ("bbb", Some("k2"))]);
    assert_eq!(shop.there(&first), ["k2"]);
    assert_eq!(shop.there(&second), ["k2"]);
    assert!(shop.there(&third).is_empty());
}

#[test]
fn what_is_no_lifecycle_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.bucket("wrong");
    let refused = |rules: Vec<LifecycleRule>| {
        shop.objects()
            .set_lifecycle(&shop.on(&bucket), Some(&Lifecycle { rules }))
            .is_err()
    };
    let expiring = |expiration| LifecycleRule {
        expiration: Some(expiration),
        ..rule("")
    };
    assert!(refused(vec![]));
    assert!(refused(vec![rule("")]));
    assert!(refused(vec![expiring(Expiration::Days(0))]));
    assert!(refused(vec![expiring(Expiration::Date(5))]));
    let named = LifecycleRule {
        id: Some("same".to_owned()),
        ..expiring(Expiration::Days(1))
    };
    assert!(refused(vec![named.clone(), named.clone()]));
    assert!(!refused(vec![named]));
    let sized = LifecycleFilter {
        larger_than: Some(5),
        smaller_than: Some(5),
        ..LifecycleFilter::default()
    };
    assert!(refused(vec![LifecycleRule {
        filter: sized,
        ..expiring(Expiration::Days(1))
    }]));
    shop.objects().set_lifecycle(&shop.on(&bucket), None).unwrap();
    let none = shop.objects().lifecycle(&shop.on(&bucket));
    assert!(matches!(
        none,
        Err(ObjectError::NoSuchDocument(DocumentKind::Lifecycle))
    ));
}

#[test]
fn what_is_to_go_is_written_down_or_stays() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let (plain, versioned) = (shop.bucket("plain"), shop.versioned("versioned"));
    for bucket in [&plain, &versioned] {
        shop.live_by(
            bucket,
            vec![LifecycleRule {
                expiration: Some(Expiration::Days(1)),
                ..rule("")
            }],
        );
        shop.put(bucket, "k", b"x");
    }
    shop.pass(3 * DAY);
    let full = shop.objects().expire(None, 10, shop.at(), &mut |_| {
        Err(crate::NotWrittenDown::new("full"))
    });
    assert!(matches!(
        full,
        Err(ObjectError::Store(crate::StoreError::NotWrittenDown(_)))
    ));
    assert_eq!(
        shop.there(&plain),
        ["k"],
        "nothing goes that nobody has written down"
    );
    let (mut progress, mut written) = (None, Vec::new());
    loop {
        let step = shop
            .objects()
            .expire(progress.as_ref(), 10, shop.at(), &mut |actions| {
                written.extend(actions.iter().cloned());
                Ok(())
            });
        match step.unwrap().next {
            Some(next) => progress = Some(next),
            None => break,
        }
    }
    let told: Vec<_> = written
        .iter()
        .map(|action| {
            (
                &action.bucket,
                action.key.as_str(),
                action.kind,
                action.version_id.is_some(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (&plain, "k", LifecycleActionKind::Delete, false),
            (&versioned, "k", LifecycleActionKind::MakeDeleteMarker, true),
        ]
    );
}
