//! Buckets: names, owners, settings, and what decisions see of them.

use moho_iam::policy::PolicyDocument;

use super::*;
use crate::fresh::Ticks;

#[test]
fn a_bucket_begins_sealed_private_and_its_owners() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let name = shop.bucket("first");
    let bucket = shop
        .objects()
        .bucket::<s3::GetBucketLocation>(&shop.on(&name))
        .unwrap();
    assert_eq!(bucket.owner, shop.house.first.account);
    assert_eq!(bucket.versioning, Versioning::Never);
    assert_eq!(bucket.settings.public_access, Some(PublicAccessBlock::ALL));
    assert_eq!(bucket.settings.ownership, Some(Ownership::BucketOwnerEnforced));
    assert_eq!(bucket.settings.encryption.algorithm, SealingAlgorithm::AwsKms);
    assert!(bucket.settings.encryption.bucket_key);
    assert_eq!(bucket.settings.encryption.key, None);
    drop(shop);
    let shop = Shop::open(directory.path());
    let again = shop.objects().bucket::<s3::ListBucket>(&shop.on(&name)).unwrap();
    assert_eq!(again, bucket);
}

#[test]
fn a_name_is_one_buckets_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let name = shop.bucket("taken");
    let make = || {
        let new = NewBucket::default();
        shop.objects()
            .create_bucket(&shop.on(&name), &new, &region(), shop.at())
    };
    assert!(matches!(make(), Err(ObjectError::BucketAlreadyOwnedByYou(_))));
    let database = &shop.house.store.database;
    let given = database.write(|transaction| {
        transaction.execute(
            "INSERT INTO account VALUES ('999999999999', 'moho-local-1', 1)",
            [],
        )?;
        transaction.execute("UPDATE bucket SET account_id = '999999999999'", [])
    });
    assert_eq!(given.unwrap(), 1);
    assert!(matches!(make(), Err(ObjectError::BucketAlreadyExists(_))));
    let all = BucketsRequest {
        prefix: "",
        region: None,
        after: None,
        limit: 10,
    };
    let (found, _) = shop.objects().list_buckets(&any(&shop), all).unwrap();
    assert!(found.is_empty(), "another account's");
}

fn any(shop: &Shop) -> Permit<s3::ListAllMyBuckets> {
    shop.leave(&"arn:aws:s3:::*".parse().unwrap(), &Context::new())
}

#[test]
fn buckets_are_listed_by_name_in_pages() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    for name in ["ccc", "aaa", "bbb-1", "bbb-2"] {
        shop.bucket(name);
    }
    let list = |prefix, after: Option<&BucketName>, region, limit| {
        let asked = BucketsRequest {
            prefix,
            region,
            after,
            limit,
        };
        let (found, more) = shop.objects().list_buckets(&any(&shop), asked).unwrap();
        let names: Vec<_> = found.iter().map(|one| one.name.to_string()).collect();
        (names.join(" "), more)
    };
    assert_eq!(
        list("", None, None, 10),
        ("aaa bbb-1 bbb-2 ccc".to_owned(), false)
    );
    assert_eq!(list("", None, None, 2), ("aaa bbb-1".to_owned(), true));
    let after = "bbb-1".parse().unwrap();
    assert_eq!(list("", Some(&after), None, 2), ("bbb-2 ccc".to_owned(), false));
    assert_eq!(list("bbb", None, None, 10), ("bbb-1 bbb-2".to_owned(), false));
    assert_eq!(list("", None, Some("elsewhere"), 10).0, "");
}

#[test]
fn a_bucket_with_anything_in_it_stays() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let bucket = shop.versioned("full");
    let delete = || shop.objects().delete_bucket(&shop.on(&bucket), shop.at());
    let marker = shop.delete(&bucket, "never there").unwrap().version_id.unwrap();
    assert!(matches!(delete(), Err(ObjectError::BucketNotEmpty(_))));
    shop.delete_version(&bucket, "never there", &marker).unwrap();
    // Uploads do not keep it.
    let upload = shop.upload(&bucket, "big");
    shop.part((&bucket, "big"), &upload, 1, &[1; 100_000]).unwrap();
    delete().unwrap();
    assert!(matches!(delete(), Err(ObjectError::NoSuchBucket(_))));
    assert_eq!(counted(directory.path(), "SELECT count(*) FROM object_upload"), 0);
    assert_eq!(
        counted(directory.path(), "SELECT count(*) FROM object_segment"),
        0
    );
    assert_eq!(
        counted(directory.path(), "SELECT count(*) FROM segment_garbage"),
        1
    );
    assert_eq!(
        counted(
            directory.path(),
            "SELECT sum(count) + sum(bytes) FROM object_sealed"
        ),
        0
    );
    // Another one of this name is another one.
    shop.bucket("full");
    assert!(matches!(
        shop.find(&bucket, "big", None),
        Err(ObjectError::NoSuchKey)
    ));
}

#[test]
fn facts_follow_changes_of_this_and_of_other_processes() {
    let directory = tempfile::tempdir().unwrap();
    let micros = Arc::new(AtomicU64::new(1_000_000));
    let house = || House::open_with(directory.path(), "", Ticks::Hand(Arc::clone(&micros)));
    let shop = Shop::in_house(house());
    let name: BucketName = "facts".parse().unwrap();
    let facts = || shop.house.store.bucket_facts(&name).unwrap();
    assert_eq!(facts(), None);
    shop.bucket("facts");
    let first = facts().unwrap();
    assert_eq!(first.owner, shop.house.first.account);
    assert_eq!(first.policy, None);
    let account = first.owner;
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:GetObject",
            "Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Resource":"arn:aws:s3:::facts/*"}}]}}"#
    );
    let policy = PolicyDocument::parse_of_bucket(&name, &text).unwrap();
    shop.objects().set_policy(&shop.on(&name), &policy).unwrap();
    assert!(facts().unwrap().policy.is_some());
    shop.objects()
        .set_bucket_tags(&shop.on(&name), &[("team".to_owned(), "red".to_owned())])
        .unwrap();
    assert_eq!(facts().unwrap().tags["team"], "red");
    shop.objects()
        .set_public_access_block(&shop.on(&name), None)
        .unwrap();
    assert_eq!(facts().unwrap().public_access, PublicAccessBlock::NONE);
    // Another store on the same directory, as another process has it.
    let other = house().store;
    assert!(other.bucket_facts(&name).unwrap().unwrap().policy.is_some());
    shop.objects()
        .set_document::<s3::DeleteBucketPolicy>(&shop.on(&name), None)
        .unwrap();
    assert_eq!(facts().unwrap().policy, None, "here it counts at once");
    assert!(
        other.bucket_facts(&name).unwrap().unwrap().policy.is_some(),
        "it is read from memory"
    );
    micros.fetch_add(500_000, Ordering::SeqCst);
    assert_eq!(other.bucket_facts(&name).unwrap().unwrap().policy, None);
    shop.objects().delete_bucket(&shop.on(&name), shop.at()).unwrap();
    assert_eq!(facts(), None);
    shop.bucket("facts");
    assert_ne!(facts().unwrap().id, first.id);
}

#[test]
fn documents_are_kept_each_for_itself() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let name = shop.bucket("documents");
    let objects = shop.objects();
    assert_eq!(
        objects.document::<s3::GetBucketCORS>(&shop.on(&name)).unwrap(),
        None
    );
    objects
        .set_document::<s3::PutBucketCORS>(&shop.on(&name), Some("cors"))
        .unwrap();
    objects
        .set_document::<s3::PutBucketNotification>(&shop.on(&name), Some("notification"))
        .unwrap();
    let cors = objects.document::<s3::GetBucketCORS>(&shop.on(&name)).unwrap();
    assert_eq!(cors.as_deref(), Some("cors"));
    let notification = objects
        .document::<s3::GetBucketNotification>(&shop.on(&name))
        .unwrap();
    assert_eq!(notification.as_deref(), Some("notification"));
    let tags = objects.bucket_tags(&shop.on(&name));
    assert!(matches!(
        tags,
        Err(ObjectError::NoSuchDocument(DocumentKind::Tags))
    ));
    // A permit for an object is none for its bucket.
    let of_object: Permit<s3::GetBucketCORS> = shop.of(&name, "key");
    assert!(matches!(
        objects.document(&of_object),
        Err(ObjectError::OtherPermit)
    ));
}

#[test]
fn leave_for_a_bucket_is_none_for_the_next_of_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let name: BucketName = "again".parse().unwrap();
    // Decided before there was any.
    let early: Permit<s3::PutObject> = shop.of(&name, "k");
    shop.bucket("again");
    let put = |permit: &Permit<s3::PutObject>| {
        let new = shop.new_object(&name, "k");
        let segment = shop.segment(&new.encryption, b"x");
        shop.objects()
            .put(permit, new, (segment, &WriteCondition::None), shop.at())
    };
    let replaced = |found: Result<Stored, ObjectError>| matches!(found, Err(ObjectError::BucketReplaced(_)));
    assert!(replaced(put(&early)));
    let (old, listing): (Permit<s3::PutObject>, Permit<s3::ListBucket>) =
        (shop.of(&name, "k"), shop.on(&name));
    let setting: Permit<s3::PutBucketVersioning> = shop.on(&name);
    let deleting: Permit<s3::DeleteBucket> = shop.on(&name);
    put(&old).unwrap();
    shop.delete(&name, "k").unwrap();
    shop.objects().delete_bucket(&deleting, shop.at()).unwrap();
    assert!(matches!(put(&old), Err(ObjectError::NoSuchBucket(_))));
    shop.bucket("again");
    assert!(replaced(put(&old)));
    let all = ListRequest {
        prefix: "",
        delimiter: "",
        after: "",
        limit: 10,
    };
    assert!(matches!(
        shop.objects().list(&listing, all),
        Err(ObjectError::BucketReplaced(_))
    ));
    assert!(matches!(
        shop.objects().set_versioning(&setting, Versioning::Enabled),
        Err(ObjectError::BucketReplaced(_))
    ));
    assert!(matches!(
        shop.objects().delete_bucket(&deleting, shop.at()),
        Err(ObjectError::BucketReplaced(_))
    ));
    assert!(matches!(
        shop.objects().bucket(&setting),
        Err(ObjectError::BucketReplaced(_))
    ));
    put(&shop.of(&name, "k")).unwrap();
}
