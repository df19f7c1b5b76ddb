//! Several processes on one store: what one changes counts in the others after half a second at most, by a clock that the
//! test moves, and what cannot be known does not count.

use std::io::{BufRead, BufReader};

use moho_iam::authz::GrantOperation;
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_kms::{KeyRecords, KmsError, default_key_policy};

use super::damage::{acknowledged, child};
use super::keys::id_of;
use super::*;
use crate::QuotaCounter;
use crate::migrations::known;
use crate::organizations::{NewPolicy, PolicyType, Tags};

/// Two houses on one directory, with a clock that both look at.
struct Two {
    here: House,
    there: House,
    micros: Arc<AtomicU64>,
    admin: Authenticated,
    developer: Authenticated,
    directory: tempfile::TempDir,
}

impl Two {
    fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let micros = Arc::new(AtomicU64::new(1_000_000));
        let open = |node| House::open_with(directory.path(), node, Ticks::Hand(Arc::clone(&micros)));
        let (here, there) = (open(""), open("there"));
        Self {
            admin: here.session("Admin"),
            developer: here.session("Developer"),
            here,
            there,
            micros,
            directory,
        }
    }

    fn wait(&self, milliseconds: u64) {
        self.micros.fetch_add(milliseconds * 1000, Ordering::SeqCst);
    }

    /// `seen` of the other process gives `before` until the time has come, and `after` then.
    #[track_caller]
    fn turns(&self, before: bool, seen: impl Fn(&House) -> bool, change: impl FnOnce(&House)) {
        assert_eq!(seen(&self.there), before);
        change(&self.here);
        assert_eq!(seen(&self.here), !before, "here it counts at once");
        self.wait(200);
        assert_eq!(seen(&self.there), before, "it is read from memory");
        self.wait(100);
        assert_eq!(seen(&self.there), !before);
    }
}

#[test]
fn a_key_that_is_disabled_or_enabled_is_so_everywhere() {
    let two = Two::open();
    let id = two.here.new_id();
    two.here.put(&two.developer, &id, b"words").unwrap();
    let opens = |house: &House| match house.get(&two.developer, &id) {
        Ok(found) => found.is_some(),
        Err(StoreError::Kms(KmsError::Disabled(_))) => false,
        Err(error) => panic!("{error}"),
    };
    let key = two.here.first.account_key.clone();
    two.turns(true, opens, |house| {
        house.kms.disable(&house.permit(&two.admin, &key)).unwrap()
    });
    two.turns(false, opens, |house| {
        house.kms.enable(&house.permit(&two.admin, &key)).unwrap()
    });
}

#[test]
fn what_is_sealed_under_newer_material_opens_at_once_where_the_key_is_remembered() {
    let two = Two::open();
    let [old, new] = [two.here.new_id(), two.here.new_id()];
    two.here.put(&two.developer, &old, b"words").unwrap();
    assert!(two.there.get(&two.developer, &old).unwrap().is_some());
    let key = two.here.first.account_key.clone();
    two.here
        .kms
        .rotate_on_demand(&two.here.permit(&two.admin, &key))
        .unwrap();
    two.here.put(&two.developer, &new, b"words").unwrap();
    assert!(two.there.get(&two.developer, &new).unwrap().is_some());
    assert!(two.there.get(&two.developer, &old).unwrap().is_some());
}

#[test]
fn policies_grants_and_aliases_count_everywhere() {
    let two = Two::open();
    let key = two.here.new_key(&two.admin);
    two.wait(300);
    let describes = |house: &House| {
        house
            .ask::<kms::DescribeKey>(&two.developer, key.as_str())
            .is_ok()
    };
    let new = two.here.to_role("Developer", 1, &[GrantOperation::DescribeKey]);
    two.turns(false, describes, |house| {
        drop(house.grant(&two.admin, &key, &new).unwrap())
    });
    two.turns(true, describes, |house| {
        house
            .store
            .revoke_grant(&house.permit(&two.admin, &key), &new.id)
            .unwrap();
    });
    let administers = |house: &House| house.ask::<kms::DescribeKey>(&two.admin, key.as_str()).is_ok();
    two.turns(true, administers, |house| {
        let denying = default_key_policy(house.first.account).replace("\"Allow\"", "\"Deny\"");
        house.put_key_policy(&two.admin, &key, &denying).unwrap();
    });
    let other = two.here.new_key(&two.admin);
    let named = |house: &House| {
        house
            .store
            .find_alias(house.first.account, "alias/x")
            .unwrap()
            .is_some()
    };
    two.turns(false, named, |house| {
        house.alias(&two.admin, "alias/x", &other).unwrap()
    });
    let has_condition = |house: &House| {
        let permit: Permit<kms::DescribeKey> = house.permit(&two.admin, &other);
        permit.context().get("kms:ResourceAliases").is_some()
    };
    two.turns(true, has_condition, |house| {
        let alias = house.permit(&two.admin, &house.kms_arn("alias/x"));
        house
            .store
            .delete_alias(&alias, &house.permit(&two.admin, &other))
            .unwrap();
    });
}

#[test]
fn what_identities_and_the_organisation_may_counts_everywhere() {
    let two = Two::open();
    let model_of = "arn:aws:bedrock:moho-local-1::foundation-model/granted";
    let asks = |house: &House| {
        house
            .ask::<mantle::CreateInference>(&two.developer, model_of)
            .is_ok()
    };
    two.turns(true, asks, |house| {
        let role = house.first.role(&"Developer".parse().unwrap()).unwrap();
        let permit: Permit<iam::DeleteRolePolicy> = house.permit(&two.admin, &role);
        house
            .store
            .delete_role_policy(&permit, "DeveloperAccess")
            .unwrap();
    });
    let named = |house: &House| {
        let permit: Permit<moho_iam::action::organizations::ListPolicies> = house.permit(
            &two.admin,
            &two.here
                .store
                .whole_organisation()
                .unwrap()
                .unwrap()
                .names()
                .anything_arn()
                .unwrap(),
        );
        let whole = house.store.organisation(&permit).unwrap();
        whole
            .policies(PolicyType::ServiceControl)
            .any(|policy| policy.name == "new")
    };
    two.turns(false, named, |house| {
        let names = house.store.whole_organisation().unwrap().unwrap().names().clone();
        let permit = house.permit(&two.admin, &names.anything_arn().unwrap());
        let text = r#"{"Version":"2012-10-17","Statement":[]}"#
            .replace("[]", r#"[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]"#);
        assert!(PolicyDocument::parse(PolicyKind::ServiceControl, &text).is_ok());
        let new = NewPolicy {
            kind: PolicyType::ServiceControl,
            name: "new".to_owned(),
            description: String::new(),
            content: text,
            tags: Tags::new(),
        };
        house
            .store
            .create_organisation_policy(&permit, &new, &*house.world, house.world.now())
            .unwrap();
    });
}

#[test]
fn what_has_not_changed_stays_the_same() {
    let two = Two::open();
    let key = two.here.first.account_key.clone();
    let get = || two.there.store.get(&id_of(&key)).unwrap().unwrap();
    let before = get();
    // Responses are no metadata, and other keys' changes are not this one's.
    two.here
        .put(&two.developer, &two.here.new_id(), b"words")
        .unwrap();
    let other = two.here.new_key(&two.admin);
    two.here.alias(&two.admin, "alias/x", &other).unwrap();
    two.here
        .grant(
            &two.admin,
            &key,
            &two.here.to_role("Developer", 1, &[GrantOperation::Sign]),
        )
        .unwrap();
    two.wait(300);
    assert!(Arc::ptr_eq(&before, &get()));
    two.here.kms.disable(&two.here.permit(&two.admin, &key)).unwrap();
    two.wait(300);
    assert!(!Arc::ptr_eq(&before, &get()));
}

#[test]
fn what_another_changed_meanwhile_is_not_overwritten() {
    let two = Two::open();
    let key = two.here.new_key(&two.admin);
    let disable = |house: &House| house.kms.disable(&house.permit(&two.admin, &key));
    two.there
        .kms
        .describe(&two.there.permit(&two.admin, &key))
        .unwrap();
    let tags = std::collections::BTreeMap::from([("a".to_owned(), "1".to_owned())]);
    two.here
        .kms
        .tag(&two.here.permit(&two.admin, &key), &tags)
        .unwrap();
    // The other one remembers the key without the tag, and changes what there is all the same.
    disable(&two.there).unwrap();
    two.wait(300);
    let there = two.here.kms.describe(&two.here.permit(&two.admin, &key)).unwrap();
    assert_eq!(there.tags, tags);
    assert_eq!(there.revision, 3);
}

#[test]
fn each_counts_for_itself() {
    let two = Two::open();
    let counter = |requests| QuotaCounter {
        counter: [1; 16],
        requests,
        input: 0,
        output: 0,
    };
    let read = |house: &House, day| {
        house
            .store
            .quota_counter(day, [1; 16])
            .unwrap()
            .map(|counter| counter.requests)
    };
    two.here.store.put_quota_counters(7, &[counter(1)]).unwrap();
    assert_eq!(read(&two.there, 7), None);
    two.there.store.put_quota_counters(7, &[counter(2)]).unwrap();
    two.there.store.put_quota_counters(8, &[counter(3)]).unwrap();
    assert_eq!((read(&two.here, 7), read(&two.there, 7)), (Some(1), Some(2)));
    two.here.store.forget_quota_counters(9).unwrap();
    assert_eq!(
        (read(&two.here, 7), read(&two.there, 7), read(&two.there, 8)),
        (Some(1), None, Some(3))
    );
    two.here.store.keep_accesses(&[], 5).unwrap();
    two.there.store.keep_accesses(&[], 3).unwrap();
    assert_eq!(
        (
            two.here.store.accesses_kept().unwrap(),
            two.there.store.accesses_kept().unwrap()
        ),
        (5, 3)
    );
}

#[test]
fn what_is_made_of_metadata_is_told_that_it_changed() {
    let two = Two::open();
    let before = two.there.store.metadata_changes().unwrap();
    two.here
        .put(&two.developer, &two.here.new_id(), b"words")
        .unwrap();
    two.wait(300);
    assert_eq!(two.there.store.metadata_changes().unwrap(), before);
    two.here
        .write("INSERT INTO configured_endpoint VALUES ('vpce-1', '111122223333', NULL, 1)");
    two.wait(300);
    assert_ne!(two.there.store.metadata_changes().unwrap(), before);
}

#[test]
fn many_changes_at_once_are_all_seen() {
    let two = Two::open();
    let keys: Vec<Arn> = (0..3).map(|_| two.here.new_key(&two.admin)).collect();
    two.wait(300);
    let there: Vec<_> = keys
        .iter()
        .map(|key| two.there.store.get(&id_of(key)).unwrap().unwrap())
        .collect();
    // More than are looked at one by one.
    two.here.write(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
         INSERT INTO kms_key SELECT printf('%08x-0000-4000-8000-000000000000', i), account_id, region, 1, NULL, x'01'
         FROM n, account;
         UPDATE kms_key SET revision = revision + 1;",
    );
    two.wait(300);
    for (key, before) in keys.iter().zip(&there) {
        assert_eq!(
            two.there.store.get(&id_of(key)).unwrap().unwrap().revision,
            before.revision + 1
        );
    }
}

#[test]
fn nothing_that_is_remembered_counts_if_it_cannot_be_looked() {
    let two = Two::open();
    let key = two.here.first.account_key.clone();
    let ask = || two.there.ask::<kms::DescribeKey>(&two.admin, key.as_str());
    assert!(ask().is_ok());
    let sqlite = behind(two.directory.path());
    sqlite.pragma_update(None, "user_version", known() + 1).unwrap();
    assert!(ask().is_ok(), "it was looked just now");
    two.wait(300);
    assert!(
        matches!(ask(), Err(Refusal::PolicyUnavailable(_))),
        "a later moho is at work"
    );
    assert!(two.there.store.get(&id_of(&key)).is_err());
    sqlite.pragma_update(None, "user_version", known()).unwrap();
    assert!(ask().is_ok());
    sqlite.execute_batch("DROP TABLE generation").unwrap();
    two.wait(300);
    assert!(matches!(ask(), Err(Refusal::PolicyUnavailable(_))));
}

#[test]
#[ignore = "only as a child of the test below"]
fn child_disables_the_account_key() {
    if std::env::var_os("MOHO_TEST_CHILD").is_none() {
        // Somebody runs ignored tests too.
        return;
    }
    let house = House::open(Path::new("."));
    let admin = house.session("Admin");
    let permit: Permit<kms::DisableKey> = house.permit(&admin, &house.first.account_key);
    house.kms.disable(&permit).unwrap();
    println!("acknowledged");
}

#[test]
fn another_process_is_seen_as_another_store_is() {
    let two = Two::open();
    let id = two.here.new_id();
    two.here.put(&two.developer, &id, b"words").unwrap();
    assert!(two.here.get(&two.developer, &id).is_ok());
    let output = child(
        two.directory.path(),
        "",
        "tests::processes::child_disables_the_account_key",
    )
    .output()
    .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("acknowledged"), "{text}");
    two.wait(300);
    let error = two.here.get(&two.developer, &id).unwrap_err();
    assert!(matches!(error, StoreError::Kms(KmsError::Disabled(_))), "{error}");
}

#[test]
fn two_processes_write_at_once_and_lose_nothing() {
    let two = Two::open();
    let mut child = child(
        two.directory.path(),
        "",
        "tests::damage::child_puts_until_it_cannot",
    )
    .spawn()
    .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut theirs = lines.filter_map(|line| acknowledged(&line));
    let mut all = Vec::new();
    for _ in 0..50 {
        let id = two.here.new_id();
        two.here.put(&two.developer, &id, id.as_str().as_bytes()).unwrap();
        all.push(id);
        all.extend(theirs.next());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(all.len(), 100);
    for id in &all {
        assert_eq!(
            two.there.get(&two.developer, id).unwrap().unwrap(),
            id.as_str().as_bytes()
        );
    }
}
