//! What the store itself does, in all its ways, is never taken for an alteration.

use moho_kms::{KeyRecords, RootRotation, RootRotationWish};

use super::*;

#[test]
fn a_change_of_what_was_altered_does_not_make_it_right() {
    let directory = furnished();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let key = house.new_key(&admin);
    let made = "INSERT INTO iam_role_deletion SELECT 'one', account_id, 1 FROM account;
        INSERT INTO iam_role_deletion SELECT 'two', account_id, 1 FROM account";
    house.write(made);
    for statements in [
        "UPDATE iam_role_deletion SET deleted_at = 7",
        "UPDATE iam_role_deletion SET deleted_at = 8, task_id = 'three' WHERE task_id = 'two'",
    ] {
        meddle(directory.path(), statements);
        for change in [
            "UPDATE iam_role_deletion SET account_id = 'other'",
            "UPDATE iam_role_deletion SET task_id = task_id || 'x'",
            "DELETE FROM iam_role_deletion",
            "INSERT OR REPLACE INTO iam_role_deletion SELECT 'one', account_id, 1 FROM account",
            "INSERT OR IGNORE INTO iam_role_deletion SELECT 'two', account_id, 1 FROM account;
             DELETE FROM iam_role_deletion WHERE task_id IN ('two', 'three')",
        ] {
            let changed = house.store.database.write(|tx| {
                tx.pragma_update(None, "defer_foreign_keys", true)?;
                tx.execute_batch(change)
            });
            is_altered(changed, change);
        }
    }
    // What is not altered can be changed all the same.
    house.alias(&admin, "alias/four", &key).unwrap();
    drop(house);
    is_altered(opened(directory.path()), "deletions");
}

#[test]
fn all_ways_of_changing_rows_are_noted() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    for statements in [
        "INSERT INTO account VALUES ('111122223333', 'r', 1), ('111122224444', 'r', 1)",
        "INSERT OR REPLACE INTO account_alias VALUES ('111122223333', 'x')",
        "INSERT OR REPLACE INTO account_alias VALUES ('111122224444', 'x')",
        "INSERT OR REPLACE INTO account_alias VALUES ('111122224444', 'y')",
        "UPDATE OR REPLACE account_alias SET alias = 'z'",
        "INSERT INTO account_alias VALUES ('111122224444', 'w') ON CONFLICT DO UPDATE SET alias = excluded.alias",
        "UPDATE account_alias SET account_id = '111122223333'",
        "SAVEPOINT a; DELETE FROM account_alias; ROLLBACK TO a; RELEASE a",
        "SAVEPOINT a; DELETE FROM account_alias; SAVEPOINT b; DELETE FROM account WHERE account_id = '111122223333';
         ROLLBACK TO b; RELEASE b; RELEASE a",
        "INSERT INTO iam_policy SELECT 'p', account_id, 'n', 'n', '/', NULL, 1, 1, 1, 1 FROM account LIMIT 1;
         INSERT INTO iam_policy_version VALUES ('p', 1, 'd', 1), ('p', 2, 'd', 1)",
        "DELETE FROM iam_policy",
        "INSERT INTO flag VALUES ('a', 1); UPDATE generation SET number = number + 1; UPDATE generation SET number = number - 1",
        "DELETE FROM account_alias",
        "DELETE FROM iam_role_policy",
    ] {
        house.write(statements);
        scrubbed(&house.store).unwrap_or_else(|error| panic!("{statements}: {error}"));
    }
    // What was taken back leaves nothing behind.
    let refused = house.store.database.write(|tx| {
        tx.execute_batch(
            "DELETE FROM iam_role_attachment; INSERT INTO account_alias VALUES ('no account', 'x')",
        )
    });
    assert!(refused.is_err());
    house.write("INSERT INTO account_alias VALUES ('111122224444', 'v')");
    drop(house);
    scrubbed(&opened(directory.path()).unwrap()).unwrap();
}

#[test]
fn a_new_root_key_takes_the_tree_along() {
    let directory = furnished();
    let world = World::default();
    let root = RootKey::development(&directory.path().join("root.key"), &world).unwrap();
    for new_seed in [false, true] {
        let store = opened(directory.path()).unwrap();
        let before = store.store_key().unwrap();
        let wish = RootRotationWish {
            new_seed,
            give_up_damaged: false,
        };
        let go_on = &mut |_| std::ops::ControlFlow::Continue(());
        RootRotation::new(&root, &store, &world).run(wish, go_on).unwrap();
        assert_ne!(store.store_key().unwrap(), before);
        store.try_write().unwrap();
        drop(store);
        scrubbed(&opened(directory.path()).unwrap()).unwrap();
        // The key of before is under a root that is there no more.
        let now = files(directory.path(), &DATABASE);
        let was: String = before.unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        meddle(
            directory.path(),
            &format!("UPDATE authentic_key SET wrapped = x'{was}'"),
        );
        assert!(opened(directory.path()).is_err());
        put_back(&now);
    }
}

#[test]
fn what_another_process_does_is_no_alteration() {
    let directory = tempfile::tempdir().unwrap();
    let houses = [House::open(directory.path()), House::open(directory.path())];
    std::thread::scope(|scope| {
        for house in &houses {
            for _ in 0..2 {
                scope.spawn(|| {
                    let developer = house.session("Developer");
                    for _ in 0..50 {
                        let id = house.new_id();
                        house.put(&developer, &id, b"words").unwrap();
                        assert!(house.get(&developer, &id).unwrap().is_some());
                        assert_eq!(house.get(&developer, &house.new_id()).unwrap(), None);
                    }
                });
            }
        }
        scope.spawn(|| (0..5).for_each(|_| assert!(scrubbed(&houses[0].store).unwrap() > 0)));
    });
    assert!(scrubbed(&houses[1].store).unwrap() > 200);
}
