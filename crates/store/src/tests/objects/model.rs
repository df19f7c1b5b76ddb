//! A bucket against a model of one, by whatever is done to it in whatever order.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Put(String, u8),
    Delete(String),
    DeleteVersion(String, usize),
    Upload(String, u8),
    Enable,
    Suspend,
}

/// What a key has, the newest first: version ids, and what they hold if they are no delete markers.
type Versions = Vec<(VersionId, Option<Vec<u8>>)>;

#[derive(Default)]
struct Model {
    enabled: Option<bool>,
    keys: BTreeMap<String, Versions>,
}

impl Model {
    fn add(&mut self, key: &str, told: Option<VersionId>, content: Option<Vec<u8>>) {
        let versions = self.keys.entry(key.to_owned()).or_default();
        let id = told.unwrap_or_else(VersionId::null);
        if self.enabled != Some(true) {
            assert!(id.is_null());
            versions.retain(|(id, _)| !id.is_null());
        }
        versions.insert(0, (id, content));
    }

    fn current(&self) -> Vec<(&str, &Vec<u8>)> {
        self.keys
            .iter()
            .filter_map(|(key, versions)| Some((key.as_str(), versions.first()?.1.as_ref()?)))
            .collect()
    }

    /// What a list tells, one page of everything: keys and common prefixes in one order.
    fn listed(&self, prefix: &str, delimiter: &str, keys: &[&str]) -> Vec<(String, bool)> {
        let mut told: Vec<(String, bool)> = Vec::new();
        for key in keys.iter().filter(|key| key.starts_with(prefix)) {
            let rest = key.get(prefix.len()..).unwrap();
            let end = rest.find(delimiter).filter(|_| !delimiter.is_empty());
            match end.and_then(|end| key.get(..prefix.len() + end + delimiter.len())) {
                Some(common) => {
                    if told.last().is_none_or(|(last, _)| last != common) {
                        told.push((common.to_owned(), true));
                    }
                }
                None => told.push(((*key).to_owned(), false)),
            }
        }
        told
    }
}

fn keys() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab/]{1,4}",
        "[a/\u{e9}]{1,2}",
        prop_oneof![
            Just("a/\u{10ffff}".to_owned()),
            Just("a/\0".to_owned()),
            Just("a\u{d7ff}".to_owned())
        ],
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (keys(), any::<u8>()).prop_map(|(key, byte)| Step::Put(key, byte)),
        3 => keys().prop_map(Step::Delete),
        3 => (keys(), 0_usize..4).prop_map(|(key, nth)| Step::DeleteVersion(key, nth)),
        1 => (keys(), any::<u8>()).prop_map(|(key, byte)| Step::Upload(key, byte)),
        1 => Just(Step::Enable),
        1 => Just(Step::Suspend),
    ];
    proptest::collection::vec(step, 1..40)
}

fn take(shop: &Shop, bucket: &BucketName, model: &mut Model, step: &Step) {
    let set = |versioning| {
        shop.objects()
            .set_versioning(&shop.on(bucket), versioning)
            .unwrap()
    };
    match step {
        Step::Put(key, byte) => {
            let bytes = vec![*byte; usize::from(*byte)];
            let stored = shop.put(bucket, key, &bytes);
            model.add(key, stored.version_id, Some(bytes));
        }
        Step::Upload(key, byte) => {
            let upload = shop.upload(bucket, key);
            let part = shop.part((bucket, key), &upload, 7, &[*byte; 3]).unwrap();
            let stored = shop.complete((bucket, key), &upload, &[(7, part.etag)]).unwrap();
            model.add(key, stored.version_id, Some(vec![*byte; 3]));
        }
        Step::Delete(key) => {
            let deleted = shop.delete(bucket, key).unwrap();
            assert_eq!(deleted.delete_marker, model.enabled.is_some());
            if model.enabled.is_some() {
                model.add(key, deleted.version_id, None);
            } else {
                model.keys.remove(key);
            }
        }
        Step::DeleteVersion(key, nth) => {
            let there = model.keys.get_mut(key);
            let Some((id, content)) = there.and_then(|all| (*nth < all.len()).then(|| all.remove(*nth)))
            else {
                return;
            };
            let deleted = shop.delete_version(bucket, key, &id).unwrap();
            assert_eq!(deleted.delete_marker, content.is_none());
            model.keys.retain(|_, versions| !versions.is_empty());
        }
        Step::Enable => {
            set(Versioning::Enabled);
            model.enabled = Some(true);
        }
        Step::Suspend => {
            set(Versioning::Suspended);
            model.enabled = Some(false);
        }
    }
}

fn compare_contents(shop: &Shop, bucket: &BucketName, model: &Model) -> Result<(), TestCaseError> {
    for (key, versions) in &model.keys {
        for (nth, (id, content)) in versions.iter().enumerate() {
            match content {
                Some(bytes) => {
                    prop_assert_eq!(&shop.get(bucket, key, Some(id)).unwrap(), bytes);
                    let found = shop.find(bucket, key, Some(id)).unwrap();
                    prop_assert_eq!(found.is_latest, nth == 0);
                }
                None => {
                    let found = shop.find(bucket, key, Some(id));
                    let is_marker = matches!(found, Err(ObjectError::VersionIsDeleteMarker { .. }));
                    prop_assert!(is_marker);
                }
            }
        }
        let current = shop.get(bucket, key, None);
        match &versions[0].1 {
            Some(bytes) => prop_assert_eq!(&current.unwrap(), bytes),
            None => {
                let is_marker = matches!(current, Err(ObjectError::CurrentIsDeleteMarker { .. }));
                prop_assert!(is_marker);
            }
        }
    }
    Ok(())
}

/// All pages of so many, put together.
fn pages(
    shop: &Shop,
    bucket: &BucketName,
    (prefix, delimiter): (&str, &str),
    limit: usize,
) -> Vec<(String, bool)> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let asked = ListRequest {
            prefix,
            delimiter,
            after: &after,
            limit,
        };
        let page = shop.objects().list(&shop.on(bucket), asked).unwrap();
        let mut told: Vec<_> = page
            .common_prefixes
            .into_iter()
            .map(|text| (text, true))
            .collect();
        told.extend(
            page.objects
                .iter()
                .map(|found| (found.key.as_str().to_owned(), false)),
        );
        told.sort();
        assert!(told.len() <= limit);
        let last = told.last().map(|(last, _)| last.clone());
        all.extend(told);
        match page.next {
            Some(next) => {
                assert_eq!(Some(&next), last.as_ref());
                after = next;
            }
            None => return all,
        }
    }
}

fn compare_lists(
    shop: &Shop,
    bucket: &BucketName,
    model: &Model,
    (prefix, delimiter, limit): (&str, &str, usize),
) -> Result<(), TestCaseError> {
    let current = model.current();
    let keys: Vec<&str> = current.iter().map(|(key, _)| *key).collect();
    let expected = model.listed(prefix, delimiter, &keys);
    prop_assert_eq!(pages(shop, bucket, (prefix, delimiter), limit), expected);

    let mut told = Vec::new();
    let mut marker: (String, Option<VersionId>) = (String::new(), None);
    loop {
        let asked = VersionsRequest {
            prefix,
            delimiter: "",
            key_marker: &marker.0,
            version_marker: marker.1.as_ref(),
            limit,
        };
        let page = shop.objects().list_versions(&shop.on(bucket), asked).unwrap();
        prop_assert!(page.versions.len() <= limit);
        told.extend(page.versions);
        match page.next {
            Some(next) => marker = next,
            None => break,
        }
    }
    let told: Vec<_> = told
        .iter()
        .map(|one| {
            (
                one.key.as_str(),
                &one.version_id,
                one.delete_marker,
                one.is_latest,
            )
        })
        .collect();
    let of_key = |(key, versions): (&'_ String, &'_ Versions)| -> Vec<(String, VersionId, bool, bool)> {
        let one = |(nth, (id, content)): (usize, &(VersionId, Option<Vec<u8>>))| {
            (key.clone(), id.clone(), content.is_none(), nth == 0)
        };
        versions.iter().enumerate().map(one).collect()
    };
    let all: Vec<_> = model
        .keys
        .iter()
        .filter(|(key, _)| key.starts_with(prefix))
        .flat_map(of_key)
        .collect();
    let all: Vec<_> = all
        .iter()
        .map(|(key, id, marker, latest)| (key.as_str(), id, *marker, *latest))
        .collect();
    prop_assert_eq!(told, all);
    Ok(())
}

#[test]
fn a_bucket_is_as_a_simple_model_of_one() {
    let directory = tempfile::tempdir().unwrap();
    let shop = Shop::open(directory.path());
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(64)
    };
    let mut runner = TestRunner::new(config);
    let buckets = std::cell::Cell::new(0_u32);
    let cases = (
        steps(),
        "[ab/]{0,2}",
        prop_oneof![Just(""), Just("/"), Just("a/")],
        1_usize..5,
    );
    runner
        .run(&cases, |(steps, prefix, delimiter, limit)| {
            buckets.set(buckets.get() + 1);
            let bucket = shop.bucket(&format!("model-{}", buckets.get()));
            let mut model = Model::default();
            for step in &steps {
                take(&shop, &bucket, &mut model, step);
            }
            compare_contents(&shop, &bucket, &model)?;
            compare_lists(&shop, &bucket, &model, (&prefix, delimiter, limit))?;
            compare_lists(&shop, &bucket, &model, ("", "/", limit))?;
            let empty = model.keys.is_empty();
            let deleted = shop.objects().delete_bucket(&shop.on(&bucket), shop.at());
            prop_assert_eq!(deleted.is_ok(), empty);
            Ok(())
        })
        .unwrap();
    // What the counters say is what there is.
    let (count, bytes) = (
        counted(
            directory.path(),
            "SELECT count(*) FROM object_version WHERE body_id IS NOT NULL",
        ),
        counted(
            directory.path(),
            "SELECT coalesce(sum(size), 0) FROM object_version",
        ),
    );
    let kept = |what: &str| {
        counted(
            directory.path(),
            &format!("SELECT sum({what}) FROM object_sealed WHERE kind = 'object'"),
        )
    };
    assert_eq!((kept("count"), kept("bytes")), (count, bytes));
    let left = "SELECT count(*) FROM object_segment WHERE body_id NOT IN
        (SELECT body_id FROM object_version WHERE body_id IS NOT NULL)";
    assert_eq!(counted(directory.path(), left), 0);
}
