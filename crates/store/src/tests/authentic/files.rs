//! Earlier files, missing files, and files that are cut off.

use std::io::{BufRead, BufReader};

use super::super::damage::{acknowledged, child};
use super::*;

#[test]
fn an_earlier_database_is_told_by_the_anchor() {
    let directory = furnished();
    let before = files(directory.path(), &DATABASE);
    let anchor = files(directory.path(), &["anchor"]);
    drop(opened(directory.path()).unwrap());
    let house = House::open(directory.path());
    house.write("UPDATE iam_role SET description = 'later'");
    drop(house);
    let after = files(directory.path(), &DATABASE);
    put_back(&before);
    is_rolled_back(opened(directory.path()));
    put_back(&after);
    drop(opened(directory.path()).unwrap());
    // An anchor that is behind is what a crash leaves.
    put_back(&anchor);
    drop(opened(directory.path()).unwrap());
    put_back(&before);
    is_rolled_back(opened(directory.path()));
}

#[test]
fn an_earlier_store_can_be_gone_on_with_and_no_later_one_comes_back() {
    let directory = furnished();
    let before = files(directory.path(), &DATABASE);
    let house = House::open(directory.path());
    house.write("UPDATE iam_role SET description = 'later'");
    assert!(accepted(directory.path()).is_err(), "somebody has it open");
    drop(house);
    let after = files(directory.path(), &DATABASE);
    put_back(&before);
    is_rolled_back(opened(directory.path()));
    let rollback = accepted(directory.path()).unwrap();
    assert!(rollback.found < rollback.expected && rollback.found.is_some());
    let house = House::open(directory.path());
    house
        .put(&house.session("Developer"), &house.new_id(), b"words")
        .unwrap();
    drop(house);
    put_back(&after);
    is_rolled_back(opened(directory.path()));
    // Nobody can consent to what was altered.
    put_back(&before);
    meddle(directory.path(), "UPDATE kms_alias SET created_at = 7");
    is_altered(accepted(directory.path()), "an alias");
    put_back(&before);
    meddle(directory.path(), "UPDATE sealed_response SET created_at = 7");
    is_altered(accepted(directory.path()), "a response");
    put_back(&before);
    std::fs::remove_file(directory.path().join("store/anchor")).unwrap();
    let rollback = accepted(directory.path()).unwrap();
    assert_eq!(rollback.expected, None);
    drop(opened(directory.path()).unwrap());
}

#[test]
fn an_earlier_tree_does_not_fit_what_is_there() {
    let directory = furnished();
    let before = directory.path().join("before");
    std::fs::copy(directory.path().join("store/moho.sqlite"), &before).unwrap();
    let house = House::open(directory.path());
    house.write("UPDATE iam_role SET description = 'later'");
    let back = |tables: &[&str]| {
        let each = tables.iter().map(|table| {
            format!("DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM was.{table};")
        });
        let each: String = each.collect();
        let path = before.display();
        format!("ATTACH '{path}' AS was; BEGIN; {each} COMMIT;")
    };
    drop(house);
    let now = files(directory.path(), &DATABASE);
    meddle(directory.path(), &back(&["authentic_node"]));
    is_altered(opened(directory.path()), "nodes");
    put_back(&now);
    meddle(directory.path(), &back(&["authentic_node", "authentic_root"]));
    is_rolled_back(opened(directory.path()));
    put_back(&now);
    meddle(directory.path(), &back(&["iam_role"]));
    is_altered(opened(directory.path()), "rows");

    // The same while it is open: everything fits, and yet it was.
    put_back(&now);
    let micros = Arc::new(AtomicU64::new(1));
    let house = House::open_with(directory.path(), "", Ticks::Hand(Arc::clone(&micros)));
    house.write("UPDATE iam_role SET description = 'latest'");
    meddle(
        directory.path(),
        &back(&["authentic_node", "authentic_root", "iam_role", "generation"]),
    );
    is_rolled_back(
        house
            .store
            .database
            .write(|tx| tx.execute_batch("DELETE FROM iam_role_attachment; DELETE FROM iam_role_policy")),
    );
    is_rolled_back(house.store.find_alias(house.first.account, "alias/one"));
    micros.store(1_000_000, Ordering::SeqCst);
    is_rolled_back(house.store.metadata_changes());
}

#[test]
fn a_store_without_its_anchor_or_with_another_is_refused() {
    let directory = furnished();
    let anchor = directory.path().join("store/anchor");
    let whole = std::fs::read(&anchor).unwrap();
    // One of two slots may be torn.
    for slot in [0, 512] {
        let mut torn = whole.clone();
        torn[slot + 20] ^= 1;
        std::fs::write(&anchor, &torn).unwrap();
        drop(opened(directory.path()).unwrap());
    }
    let mut garbled = whole.clone();
    garbled[20] ^= 1;
    garbled[532] ^= 1;
    let another = furnished();
    let other = std::fs::read(another.path().join("store/anchor")).unwrap();
    for wrong in [garbled, vec![0; 1024], other, whole[..600].to_vec()] {
        std::fs::write(&anchor, &wrong).unwrap();
        assert!(opened(directory.path()).is_err());
    }
    std::fs::remove_file(&anchor).unwrap();
    is_altered(opened(directory.path()), "no anchor");
    std::fs::write(&anchor, &whole).unwrap();
    assert!(opened(directory.path()).is_err(), "others could read it");
    moho_os::replace_private(&anchor, &whole).unwrap();
    drop(opened(directory.path()).unwrap());
    // Nor does an empty database begin anew beside it.
    for name in DATABASE {
        drop(std::fs::remove_file(directory.path().join("store").join(name)));
    }
    is_altered(opened(directory.path()), "no database");
}

#[test]
fn a_log_that_is_cut_off_after_a_kill_is_told() {
    for keep in [0, 4096 + 32] {
        let directory = tempfile::tempdir().unwrap();
        drop(House::open(directory.path()));
        let mut child = child(directory.path(), "", "tests::damage::child_puts_until_it_cannot")
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        assert_eq!(lines.filter_map(|line| acknowledged(&line)).take(10).count(), 10);
        child.kill().unwrap();
        child.wait().unwrap();
        let log = directory.path().join("store/moho.sqlite-wal");
        let whole = std::fs::read(&log).unwrap();
        std::fs::write(&log, &whole[..keep]).unwrap();
        is_rolled_back(opened(directory.path()));
        std::fs::write(&log, &whole).unwrap();
        drop(opened(directory.path()).unwrap());
    }
}

#[test]
fn a_store_of_before_is_taken_once_as_it_is() {
    for version in [1, 6, 8] {
        let directory = tempfile::tempdir().unwrap();
        upgrades::installed(directory.path(), version);
        let before = files(directory.path(), &DATABASE);
        let store = opened(directory.path()).unwrap();
        assert_eq!(store.adopted(), Some(version));
        drop(store);
        assert_eq!(opened(directory.path()).unwrap().adopted(), None);
        put_back(&before);
        is_altered(opened(directory.path()), "an earlier version");
    }
}

#[test]
fn a_restored_store_waits_whatever_the_clock_said() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let restored = |id: &str, at| crate::Restoration {
        id: id.to_owned(),
        restored_at: Timestamp::from_unix_seconds(at),
        made_at: Timestamp::from_unix_seconds(at),
        epoch: 1,
        known_epoch: Some(2),
        accepted: None,
    };
    let account = house.first.account.to_string();
    let accept = |house: &House, id: &str| {
        let named = crate::restoration_arn("moho-local-1", &account, id).unwrap();
        let permit = house.permit(&house.session("Admin"), &named);
        house
            .store
            .accept_restoration(&permit, house.world.now())
            .unwrap()
    };
    drop(house);
    let note = |restoration: &crate::Restoration| {
        with_trust(directory.path(), |store, trust| {
            Store::accept_rollback(store, trust, Some(restoration))
        })
        .unwrap()
    };
    note(&restored("first", 2_000_000_000));
    let house = House::open(directory.path());
    assert!(house.store.awaits_acceptance().unwrap());
    assert!(accept(&house, "another").is_none());
    assert!(accept(&house, "first").unwrap().accepted.is_some());
    assert!(!house.store.awaits_acceptance().unwrap());
    drop(house);
    // With a clock that is behind the first one's.
    note(&restored("second", 1_000_000_000));
    note(&restored("third", 900_000_000));
    let house = House::open(directory.path());
    for id in ["second", "third"] {
        assert_eq!(house.store.restoration().unwrap().unwrap().id, id);
        assert!(house.store.awaits_acceptance().unwrap());
        assert!(accept(&house, id).unwrap().accepted.is_some());
    }
    assert!(!house.store.awaits_acceptance().unwrap());
    assert_eq!(house.store.restoration().unwrap().unwrap().id, "first");
    assert!(scrubbed(&house.store).is_ok());
}

#[test]
fn a_process_that_died_while_a_store_was_made_leaves_one_that_can_be_made() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("store")).unwrap();
    let anchor = directory.path().join("store/anchor");
    moho_os::create_private(&anchor, &[0; 1024]).unwrap();
    drop(opened(directory.path()).unwrap());
    // It was made, and the anchor was not written yet.
    let later = std::fs::read(&anchor).unwrap();
    std::fs::write(&anchor, [0; 1024]).unwrap();
    drop(opened(directory.path()).unwrap());
    assert_eq!(std::fs::read(&anchor).unwrap(), later);
}
