//! Keys: their records and aliases, what decisions see of them, and what is left of one that is removed.
#![expect(clippy::too_many_lines, reason = "each is the life of one thing")]

use std::collections::BTreeMap;

use moho_iam::authz::GrantOperation;
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_kms::{KeptKey, KeyRecords, KmsError, NewKey};
use moho_terms::KeyId;

use super::*;
use crate::keys::{KeyError, NewGrant};

pub(super) fn id_of(key: &Arn) -> KeyId {
    key.resource().strip_prefix("key/").unwrap().parse().unwrap()
}

impl House {
    pub(super) fn kms_arn(&self, resource: &str) -> Arn {
        let account = self.first.account;
        Arn::of("kms", "moho-local-1", account.as_str(), resource).unwrap()
    }

    /// A key more of the account.
    pub(super) fn new_key(&self, admin: &Authenticated) -> Arn {
        let permit = self.permit(admin, &self.kms_arn("*"));
        let key = self
            .kms
            .create_key(&permit, &region(), NewKey::default())
            .unwrap();
        key.arn().unwrap()
    }

    /// Gives a key another policy, as a request does.
    pub(super) fn put_key_policy(
        &self,
        admin: &Authenticated,
        key: &Arn,
        text: &str,
    ) -> Result<(), KeyError> {
        let permit: Permit<kms::PutKeyPolicy> = self.permit(admin, key);
        let document = PolicyDocument::parse(PolicyKind::Key, text).unwrap();
        let bound = self.store.bind_key_policy(&permit, &document)?;
        self.kms.put_policy(&permit, &bound.policy).unwrap();
        Ok(())
    }

    pub(super) fn alias(&self, admin: &Authenticated, name: &str, key: &Arn) -> Result<(), KeyError> {
        let permits = (&self.permit(admin, &self.kms_arn(name)), &self.permit(admin, key));
        self.store.create_alias(permits, self.world.now())
    }

    pub(super) fn grant(&self, admin: &Authenticated, key: &Arn, new: &NewGrant) -> Result<String, KeyError> {
        self.store
            .create_grant(&self.permit(admin, key), new, self.world.now())
    }

    /// A grant of `operations` to a role of the account.
    pub(super) fn to_role(&self, role: &str, number: u32, operations: &[GrantOperation]) -> NewGrant {
        NewGrant {
            id: format!("{number:064x}"),
            grantee: self.first.role(&role.parse().unwrap()).unwrap(),
            retiring: None,
            operations: operations.iter().copied().collect(),
            constraint: None,
            name: None,
        }
    }

    fn kept(&self, key: &Arn) -> Option<Arc<KeptKey>> {
        self.store.get(&id_of(key)).unwrap()
    }
}

#[test]
fn a_key_is_kept_changed_and_removed_by_its_revision() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let key = house.new_key(&admin);
    let id = id_of(&key);
    let kept = house.kept(&key).unwrap();
    assert!(
        Arc::ptr_eq(&kept, &house.kept(&key).unwrap()),
        "it has not changed"
    );
    assert!(
        !house.store.replace(&kept, 7).unwrap(),
        "that is not what is kept"
    );
    assert!(house.store.add(&kept, 10).is_err(), "its id is taken");
    let next = KeptKey {
        revision: 2,
        due_at: Some(Timestamp::from_unix_seconds(5)),
        ..(*kept).clone()
    };
    let elsewhere = KeptKey {
        region: "elsewhere-1".parse().unwrap(),
        ..next.clone()
    };
    assert!(
        !house.store.replace(&elsewhere, 1).unwrap(),
        "a key does not move"
    );
    assert!(house.store.replace(&next, 1).unwrap());
    assert!(!house.store.replace(&next, 1).unwrap(), "somebody was faster");
    assert_eq!(*house.kept(&key).unwrap(), next);
    let due = |by, after| {
        house
            .store
            .due(Timestamp::from_unix_seconds(by), after, 9)
            .unwrap()
    };
    let first = (Timestamp::from_unix_seconds(5), id.clone());
    assert_eq!(due(5, None), std::slice::from_ref(&first));
    assert_eq!(due(9, Some(&first)), [], "it had its turn");
    let before = (
        Timestamp::from_unix_seconds(4),
        "ffffffff-ffff-4fff-bfff-ffffffffffff".parse().unwrap(),
    );
    assert_eq!(due(9, Some(&before)), std::slice::from_ref(&first));
    assert_eq!(due(4, None), []);
    assert!(!house.store.remove(&id, 1).unwrap());
    assert!(house.store.remove(&id, 2).unwrap());
    assert!(house.kept(&key).is_none());
    assert!(!house.store.remove(&id, 2).unwrap() && !house.store.replace(&next, 2).unwrap());
    assert!(house.store.add(&kept, 10).is_err(), "nor does its id come back");
    assert_eq!(due(5, None), []);
}

#[test]
fn keys_are_listed_in_pages_and_bounded_in_number() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let mut ids: Vec<KeyId> = (0..4).map(|_| id_of(&house.new_key(&admin))).collect();
    ids.push(id_of(&house.first.account_key));
    ids.sort();
    let account = house.first.account;
    let mut listed = Vec::new();
    while let Ok(page) = house.store.list(account, listed.last(), 2) {
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        listed.extend(page.iter().map(|key| key.key_id.clone()));
    }
    assert_eq!(listed, ids);
    let all: Vec<KeyId> = house
        .store
        .all(None, 100)
        .unwrap()
        .iter()
        .map(|key| key.key_id.clone())
        .collect();
    assert_eq!(all, ids);
    let other = "111122223333".parse().unwrap();
    assert!(house.store.list(other, None, 10).unwrap().is_empty());
    let one_more = KeptKey {
        key_id: KeyId::random(&*house.world).unwrap(),
        ..(*house.kept(&house.first.account_key).unwrap()).clone()
    };
    assert!(!house.store.add(&one_more, 5).unwrap());
    assert!(house.store.add(&one_more, 6).unwrap());
}

#[test]
fn what_a_key_is_decides_and_is_seen_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let key = house.new_key(&admin);
    let context = || {
        let permit: Permit<kms::DescribeKey> = house.permit(&admin, &key);
        let value = |name: &str| {
            permit
                .context()
                .get(name)
                .map(<[String]>::to_vec)
                .unwrap_or_default()
        };
        [
            "kms:KeySpec",
            "kms:KeyUsage",
            "kms:KeyOrigin",
            "kms:MultiRegion",
            "kms:ResourceAliases",
            "aws:ResourceTag/team",
        ]
        .map(value)
    };
    let is = |values: [&[&str]; 6]| {
        values.map(|list| list.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
    };
    let fixed: [&[&str]; 4] = [
        &["SYMMETRIC_DEFAULT"],
        &["ENCRYPT_DECRYPT"],
        &["AWS_KMS"],
        &["false"],
    ];
    let with = |aliases, tags| is([fixed[0], fixed[1], fixed[2], fixed[3], aliases, tags]);
    assert_eq!(context(), with(&[], &[]));
    house.alias(&admin, "alias/b", &key).unwrap();
    house.alias(&admin, "alias/a", &key).unwrap();
    assert_eq!(context(), with(&["alias/a", "alias/b"], &[]));
    let tags = BTreeMap::from([("team".to_owned(), "rocks".to_owned())]);
    house.kms.tag(&house.permit(&admin, &key), &tags).unwrap();
    assert_eq!(context(), with(&["alias/a", "alias/b"], &["rocks"]));
    let (alias, of) = (
        house.permit(&admin, &house.kms_arn("alias/a")),
        house.permit(&admin, &key),
    );
    house.store.delete_alias(&alias, &of).unwrap();
    assert_eq!(context(), with(&["alias/b"], &["rocks"]));
}

#[test]
fn an_alias_is_of_one_key_and_moves_from_the_one_it_is_of() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let (one, two) = (house.new_key(&admin), house.new_key(&admin));
    let account = house.first.account;
    let found = |name: &str| house.store.find_alias(account, name).unwrap();
    assert_eq!(found("alias/x"), None);
    house.alias(&admin, "alias/x", &one).unwrap();
    assert_eq!(found("alias/x"), Some(id_of(&one)));
    assert_eq!(found("alias/X"), None);
    assert_eq!(
        house
            .store
            .find_alias("111122223333".parse().unwrap(), "alias/x")
            .unwrap(),
        None
    );
    assert!(matches!(
        house.alias(&admin, "alias/x", &two),
        Err(KeyError::AliasExists(_))
    ));
    let absent = house.kms_arn("key/11111111-2222-4333-8444-555555555555");
    assert!(matches!(
        house.alias(&admin, "alias/y", &absent),
        Err(KeyError::KeyNotFound(_))
    ));
    assert!(matches!(
        house.alias(&admin, "key/y", &one),
        Err(KeyError::OtherPermit)
    ));
    let update = |from: &Arn, to: &Arn| {
        let alias = house.permit(&admin, &house.kms_arn("alias/x"));
        let keys = (&house.permit(&admin, from), &house.permit(&admin, to));
        house.store.update_alias(&alias, keys, house.world.now())
    };
    assert!(
        matches!(update(&two, &one), Err(KeyError::Changed)),
        "it is not of that key"
    );
    update(&one, &two).unwrap();
    assert_eq!(found("alias/x"), Some(id_of(&two)));
    house.alias(&admin, "alias/w", &one).unwrap();
    let list = |key: Option<&KeyId>, after: Option<&str>, limit: usize| -> Vec<String> {
        let permit = house.permit(&admin, &house.kms_arn("*"));
        let page = house.store.aliases(&permit, key, after, limit).unwrap();
        page.into_iter()
            .map(|alias| alias.arn().unwrap().resource().to_owned())
            .collect()
    };
    assert_eq!(list(None, None, 10), ["alias/w", "alias/x"]);
    assert_eq!(list(None, None, 1), ["alias/w"]);
    assert_eq!(list(None, Some("alias/w"), 10), ["alias/x"]);
    assert_eq!(list(Some(&id_of(&two)), None, 10), ["alias/x"]);
    let delete = |key: &Arn| {
        let (alias, key) = (
            house.permit(&admin, &house.kms_arn("alias/x")),
            house.permit(&admin, key),
        );
        house.store.delete_alias(&alias, &key)
    };
    assert!(matches!(delete(&one), Err(KeyError::Changed)));
    delete(&two).unwrap();
    assert!(matches!(delete(&two), Err(KeyError::AliasNotFound(_))));
    assert_eq!(found("alias/x"), None);
    for number in 0..49 {
        house
            .alias(&admin, &format!("alias/many-{number}"), &one)
            .unwrap();
    }
    assert!(matches!(
        house.alias(&admin, "alias/many", &one),
        Err(KeyError::LimitExceeded(_))
    ));
}

#[test]
fn a_removed_key_takes_what_hangs_on_it_and_leaves_what_it_sealed_shut() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let (admin, developer) = (house.session("Admin"), house.session("Developer"));
    let response = house.new_id();
    house.put(&developer, &response, b"words").unwrap();
    let own = house.first.account_key.clone();
    house.alias(&admin, "alias/own", &own).unwrap();
    let new = house.to_role("Developer", 1, &[GrantOperation::Decrypt]);
    let grant = house.grant(&admin, &own, &new).unwrap();
    assert!(house.store.grant(&id_of(&own), &grant).unwrap().is_some());
    let spare = house.new_key(&admin);
    let uses = || house.store.key_uses(house.first.account).unwrap();
    let of = |key: &Arn| uses().into_iter().find(|uses| uses.key_id == id_of(key)).unwrap();
    assert!(of(&own).is_accounts_own && of(&own).exists && !of(&spare).is_accounts_own);
    let sealed: Vec<_> = of(&own)
        .uses
        .iter()
        .map(|one| (one.what, one.count, one.bytes))
        .collect();
    assert_eq!(sealed, [("stored responses", 1, 5)]);
    assert_eq!(of(&spare).uses, []);

    let revision = house.kept(&own).unwrap().revision;
    let record = house.kept(&own).unwrap().record.clone();
    assert!(house.store.remove(&id_of(&own), revision).unwrap());
    assert_eq!(
        house.store.find_alias(house.first.account, "alias/own").unwrap(),
        None
    );
    assert_eq!(house.store.grant(&id_of(&own), &grant).unwrap(), None);
    let error = house.get(&developer, &response).unwrap_err();
    assert!(matches!(error, StoreError::Kms(KmsError::NotFound(_))), "{error}");
    assert!(
        !of(&own).exists && of(&own).uses[0].count == 1,
        "what was lost can be told"
    );
    assert_eq!(house.store.bootstrapped().unwrap().unwrap(), house.first);
    assert!(
        !on_disk(directory.path(), &record),
        "the wrapped material is still on the disk"
    );
}

/// Whether the end of a record is anywhere in the store's files.
fn on_disk(directory: &Path, record: &[u8]) -> bool {
    let end = &record[record.len() - 64..];
    std::fs::read_dir(directory.join("store")).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(end.len()).any(|window| window == end)
    })
}

#[test]
fn what_was_replaced_is_shredded_as_soon_as_nobody_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let key = house.new_key(&house.session("Admin"));
    let due = || house.store.due(Timestamp::from_unix_seconds(1), None, 9).unwrap();
    due();
    let mut kept = KeptKey::clone(&house.kept(&key).unwrap());
    let mut replace = || {
        let was = kept.clone();
        kept.revision += 1;
        kept.record = vec![u8::try_from(kept.revision).unwrap(); was.record.len()];
        assert!(house.store.replace(&kept, was.revision).unwrap());
        was.record
    };
    let first = replace();
    assert!(on_disk(directory.path(), &first), "the log has it");
    house.store.shred();
    assert!(!on_disk(directory.path(), &first));

    // Somebody reads the log as it was.
    let reader = behind(directory.path());
    reader.execute_batch("BEGIN; SELECT * FROM kms_key").unwrap();
    let second = replace();
    house.store.shred();
    assert!(on_disk(directory.path(), &second));
    drop(reader);
    due();
    assert!(!on_disk(directory.path(), &second), "it was owed");
}

#[test]
fn what_was_under_an_old_root_is_not_on_the_disk_when_it_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let key = house.new_key(&house.session("Admin"));
    let was = house.kept(&key).unwrap();
    let root = RootKey::development(&directory.path().join("root.key"), &*house.world).unwrap();
    let rotation = moho_kms::RootRotation::new(&root, &*house.store, &*house.world);
    let wish = moho_kms::RootRotationWish::default();
    let go_on = &mut |_| std::ops::ControlFlow::Continue(());
    assert!(rotation.run(wish, go_on).unwrap() > 0);
    assert_ne!(house.kept(&key).unwrap().record, was.record);
    assert!(!on_disk(directory.path(), &was.record));
}

#[test]
fn everybody_who_could_use_a_key_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let key = house.new_key(&admin);
    house.alias(&admin, "alias/told", &key).unwrap();
    let to = house.to_role("Developer", 1, &[GrantOperation::Decrypt]);
    house.grant(&admin, &key, &to).unwrap();

    let (policy, grants) = (house.permit(&admin, &key), house.permit(&admin, &key));
    let bearing = house.store.bearing_on_key(&policy, &grants).unwrap();
    assert_eq!(bearing.resource.as_ref().unwrap().source.as_str(), key.as_str());
    assert_eq!(bearing.grants.as_ref().unwrap().len(), 1);
    let conditions = bearing.resource_conditions.as_ref().unwrap();
    assert_eq!(
        conditions.get("kms:ResourceAliases").unwrap(),
        ["alias/told".to_owned()]
    );
    let of_another = house.permit(&admin, &house.first.account_key);
    let error = house.store.bearing_on_key(&policy, &of_another).unwrap_err();
    assert!(matches!(error, KeyError::OtherPermit), "{error}");

    let everything = Arn::of("iam", "", house.first.account.as_str(), "*").unwrap();
    let permit = house.permit(&admin, &everything);
    let (all, more) = house.store.account_principals(&permit, 10).unwrap();
    let names: Vec<&str> = all.iter().map(|one| one.arn.resource()).collect();
    assert!(names.contains(&"role/Admin") && names.contains(&"role/Developer") && !more);
    assert!(names.is_sorted());
    for one in &all {
        assert!(one.id.starts_with("AROA") && one.policies.facts.exists, "{one:?}");
        assert!(!one.policies.identity.is_empty(), "{one:?}");
    }
    let (some, more) = house.store.account_principals(&permit, 1).unwrap();
    assert!(some.len() == 1 && some[0].arn == all[0].arn && more);
}
