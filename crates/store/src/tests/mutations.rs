//! Processes that are killed, and disks that fill up, while keys are made and changed: what was acknowledged is there, nothing
//! is half made, and what is there opens.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

use moho_iam::authz::GrantOperation;
use moho_kms::{KeyRecords, KeyState, KmsError};

use super::damage::child;
use super::keys::id_of;
use super::*;
use crate::keys::{GrantFilter, KeyError};

const CHANGES: &str = "tests::mutations::child_changes_keys_until_it_cannot";

/// One change after the other, each told once it is acknowledged.
fn change_all(house: &House, admin: &Authenticated, round: u32) -> Result<(), KeyError> {
    let kms = |done: Result<(), KmsError>| done.map_err(|error| KeyError::Store(error.into()));
    let permit = house.permit(admin, &house.kms_arn("*"));
    let made = house
        .kms
        .create_key(&permit, &region(), moho_kms::NewKey::default());
    let key = made
        .map_err(|error| KeyError::Store(error.into()))?
        .arn()
        .unwrap();
    println!("acknowledged key {key}");
    let name = format!("alias/{}", id_of(&key));
    house.alias(admin, &name, &key)?;
    println!("acknowledged alias {key}");
    let number = u32::try_from(house.world.0.load(Ordering::Relaxed) >> 32).unwrap() ^ round;
    let grant = crate::keys::NewGrant {
        id: format!("{:064x}", u128::from_be_bytes(random(house))),
        ..house.to_role("Developer", number % 7, &[GrantOperation::DescribeKey])
    };
    house.grant(admin, &key, &grant)?;
    println!("acknowledged grant {key}");
    let tags = BTreeMap::from([("made".to_owned(), "x".repeat(200))]);
    kms(house.kms.tag(&house.permit(admin, &key), &tags))?;
    println!("acknowledged tag {key}");
    kms(house.kms.disable(&house.permit(admin, &key)))?;
    println!("acknowledged disable {key}");
    if round.is_multiple_of(3) {
        let revision = house.store.get(&id_of(&key)).unwrap().unwrap().revision;
        let removed = house.store.remove(&id_of(&key), revision);
        removed.map_err(|error| KeyError::Store(KmsError::from(error).into()))?;
        println!("acknowledged remove {key}");
    }
    Ok(())
}

fn random<const N: usize>(house: &House) -> [u8; N] {
    let mut bytes = [0; N];
    house.world.fill(&mut bytes).unwrap();
    bytes
}

#[test]
#[ignore = "only as a child of the tests below"]
fn child_changes_keys_until_it_cannot() {
    if std::env::var_os("MOHO_TEST_CHILD").is_none() {
        // Somebody runs ignored tests too.
        return;
    }
    let house = House::open(Path::new("."));
    let admin = house.session("Admin");
    for round in 0..100_000 {
        if change_all(&house, &admin, round).is_err() {
            return;
        }
    }
}

/// What was acknowledged of a key, in order.
type Acknowledged = BTreeMap<String, Vec<String>>;

fn gather(acknowledged: &mut Acknowledged, line: &str) -> bool {
    let Some((_, told)) = line.split_once("acknowledged ") else {
        return false;
    };
    let (what, key) = told.split_once(' ').unwrap();
    acknowledged
        .entry(key.to_owned())
        .or_default()
        .push(what.to_owned());
    true
}

fn all_is_there(directory: &Path, acknowledged: &Acknowledged) {
    let house = House::open(directory);
    let admin = house.session("Admin");
    for (key, changes) in acknowledged {
        let key: Arn = key.parse().unwrap();
        let told = |what: &str| changes.iter().any(|change| change == what);
        let alias = house
            .store
            .find_alias(house.first.account, &format!("alias/{}", id_of(&key)))
            .unwrap();
        let grants = house
            .store
            .grants(&house.permit(&admin, &key), &GrantFilter::default(), None, 10)
            .unwrap();
        let Ok(record) = house.kms.describe(&house.permit(&admin, &key)) else {
            // It was removed, acknowledged or not: then with all that it had.
            assert!(told("disable"), "{key} {changes:?}");
            assert_eq!((alias, grants.len()), (None, 0));
            continue;
        };
        assert!(!told("remove"));
        assert!(alias.is_some() || !told("alias"));
        assert!(!grants.is_empty() || !told("grant"));
        assert!(!record.tags.is_empty() || !told("tag"));
        assert!(record.state == KeyState::Disabled || !told("disable"));
    }
    // Whatever else is there is whole.
    for kept in house.store.all(None, 100_000).unwrap() {
        let key = house.kms_arn(&format!("key/{}", kept.key_id));
        house.kms.describe(&house.permit(&admin, &key)).unwrap();
    }
    let check: String = house
        .store
        .database
        .read(|tx| tx.pragma_query_value(None, "integrity_check", |row| row.get(0)))
        .unwrap();
    assert_eq!(check, "ok");
    let dangling = behind(directory).query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| {
        row.get(0)
    });
    assert_eq!(dangling, Ok(0));
}

#[test]
fn a_killed_process_loses_no_key_and_leaves_none_half_made() {
    let directory = tempfile::tempdir().unwrap();
    drop(House::open(directory.path()));
    let mut acknowledged = Acknowledged::new();
    for round in 0..20 {
        let mut child = child(directory.path(), "", CHANGES).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        // Killed after each of the changes in turn.
        let mut told = lines.filter(|line| gather(&mut acknowledged, line));
        assert!(told.nth(round + 1).is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        drop(told);
        all_is_there(directory.path(), &acknowledged);
    }
    assert!(acknowledged.len() >= 20);
}

#[test]
fn a_disk_that_fills_up_loses_no_key_and_leaves_none_half_made() {
    for limit in [900, 1000, 1150] {
        let directory = tempfile::tempdir().unwrap();
        drop(House::open(directory.path()));
        // A file size limit is the one full disk that every machine has.
        let shell = format!("trap '' XFSZ; ulimit -f {limit};");
        let output = child(directory.path(), &shell, CHANGES).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut acknowledged = Acknowledged::new();
        let lines = text
            .lines()
            .filter(|line| gather(&mut acknowledged, line))
            .count();
        assert!(lines > 0 && acknowledged.len() < 100_000, "{lines}");
        all_is_there(directory.path(), &acknowledged);
    }
}
