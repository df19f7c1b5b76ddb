//! Whatever is altered, removed, put in, put back or cut off behind the store's back is found out, and nothing else is.

mod changes;
mod files;

use std::path::PathBuf;
use std::sync::Mutex;

use moho_kms::KeyRecords;

use super::keys::id_of;
use super::*;
use crate::migrations::known;
use crate::{Alteration, Scrub};

/// An installation with something in many tables, closed.
fn furnished() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let (admin, developer) = (house.session("Admin"), house.session("Developer"));
    let keys = [house.new_key(&admin), house.new_key(&admin)];
    house.alias(&admin, "alias/one", &keys[0]).unwrap();
    house.alias(&admin, "alias/two", &keys[1]).unwrap();
    let operation = moho_iam::authz::GrantOperation::Decrypt;
    let grant = house.to_role("Developer", 1, &[operation]);
    house.grant(&admin, &keys[0], &grant).unwrap();
    for words in [b"one", b"two"] {
        house.put(&developer, &house.new_id(), words).unwrap();
    }
    drop(house);
    directory
}

/// Changes rows behind the store's back, and nothing else, whatever triggers do.
fn meddle(directory: &Path, statements: &str) {
    let sqlite = behind(directory);
    sqlite.pragma_update(None, "foreign_keys", false).unwrap();
    let keep = "CREATE TEMP TABLE was AS SELECT * FROM generation; CREATE TEMP TABLE noted AS SELECT * FROM kms_changed";
    sqlite.execute_batch(keep).unwrap();
    sqlite.execute_batch(statements).unwrap();
    let back = "DELETE FROM generation; INSERT INTO generation SELECT * FROM temp.was;
        DELETE FROM kms_changed; INSERT INTO kms_changed SELECT * FROM temp.noted";
    if !statements.contains("generation") {
        sqlite.execute_batch(back).unwrap();
    }
}

fn scrubbed(store: &Store) -> Result<u64, StoreError> {
    let mut scrub = Scrub::default();
    while !scrub.is_done() {
        store.scrub(&mut scrub)?;
    }
    Ok(scrub.rows())
}

#[track_caller]
fn is_altered<T>(result: Result<T, StoreError>, what: &str) -> Alteration {
    match result {
        Err(StoreError::Altered(alteration)) => alteration,
        Err(error) => panic!("{what}: {error}"),
        Ok(_) => panic!("{what}: nobody saw it"),
    }
}

#[track_caller]
fn is_rolled_back<T>(result: Result<T, StoreError>) {
    match result {
        Err(StoreError::RolledBack { found, expected, .. }) => assert!(found <= expected),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("nobody saw it"),
    }
}

/// The files of the database, as they are now.
fn files(directory: &Path, names: &[&str]) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let paths = names.iter().map(|name| directory.join("store").join(name));
    paths
        .map(|path| (path.clone(), std::fs::read(&path).ok()))
        .collect()
}

fn put_back(files: &[(PathBuf, Option<Vec<u8>>)]) {
    for (path, bytes) in files {
        match bytes {
            Some(bytes) => std::fs::write(path, bytes).unwrap(),
            None => drop(std::fs::remove_file(path)),
        }
    }
}

const DATABASE: [&str; 2] = ["moho.sqlite", "moho.sqlite-wal"];

#[test]
fn what_was_not_touched_opens_again_and_again() {
    let directory = furnished();
    for _ in 0..3 {
        let store = opened(directory.path()).unwrap();
        assert!(scrubbed(&store).unwrap() > 100);
        assert_eq!(store.adopted(), None);
    }
}

#[test]
fn what_is_altered_while_it_is_closed_is_told_with_its_table_when_it_is_opened() {
    let swap = "UPDATE kms_alias SET key_id = (SELECT key_id FROM kms_alias AS other WHERE other.name <> kms_alias.name)";
    for (table, statements) in [
        ("kms_alias", swap),
        ("kms_alias", "DELETE FROM kms_alias WHERE name = 'alias/one'"),
        (
            "kms_alias",
            "UPDATE kms_alias SET name = 'alias/other' WHERE name = 'alias/one'",
        ),
        ("kms_grant", "UPDATE kms_grant SET operations = '[\"Encrypt\"]'"),
        ("kms_grant", "UPDATE kms_grant SET name = ''"),
        ("kms_key", "UPDATE kms_key SET due_at = 7"),
        (
            "account",
            "INSERT INTO account VALUES ('999999999999', 'moho-local-1', 1)",
        ),
        ("iam_role", "UPDATE iam_role SET max_session_seconds = 43200"),
        (
            "iam_role_policy",
            "UPDATE iam_role_policy SET document = (SELECT document FROM iam_role_policy LIMIT 1)",
        ),
        ("generation", "UPDATE generation SET number = number - 1"),
        ("sqlite_schema", "DROP TRIGGER iam_role_altered"),
        ("sqlite_schema", "DROP TABLE iam_tag"),
        ("sqlite_schema", "DROP INDEX kms_grant_to"),
        (
            "sqlite_schema",
            "CREATE TRIGGER mine AFTER INSERT ON iam_role BEGIN DELETE FROM flag; END",
        ),
    ] {
        let directory = furnished();
        meddle(directory.path(), statements);
        let told = is_altered(opened(directory.path()), statements);
        let Alteration::Row { table: of, .. } = told else {
            panic!("{statements}: {told}")
        };
        assert_eq!(of, table, "{statements}");
    }
}

#[test]
fn a_row_that_was_there_before_is_not_taken_again() {
    let directory = furnished();
    let copy = "CREATE TABLE temp.was AS SELECT * FROM kms_key";
    let sqlite = behind(directory.path());
    sqlite.execute_batch(copy).unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    house
        .kms
        .disable(&house.permit(&admin, &house.first.account_key))
        .unwrap();
    drop(house);
    sqlite
        .execute_batch(
            "UPDATE kms_key SET record = was.record, revision = was.revision FROM temp.was WHERE was.key_id = kms_key.key_id",
        )
        .unwrap();
    drop(sqlite);
    is_altered(opened(directory.path()), "an earlier record");
}

#[test]
fn an_index_that_hides_a_row_is_found_out() {
    let directory = furnished();
    let sqlite = behind(directory.path());
    let schema = |set: &str| {
        sqlite
            .execute_batch(&format!(
                "PRAGMA writable_schema = on; {set} PRAGMA writable_schema = reset;"
            ))
            .unwrap();
    };
    let index = "SELECT sql FROM sqlite_schema WHERE name = 'kms_grant_to'";
    let index: String = sqlite.query_row(index, [], |row| row.get(0)).unwrap();
    // It finds nothing, and yet says what it always said.
    sqlite
        .execute_batch(&format!("DROP INDEX kms_grant_to; {index} WHERE grantee = ''"))
        .unwrap();
    schema(&format!(
        "UPDATE sqlite_schema SET sql = '{index}' WHERE name = 'kms_grant_to';"
    ));
    drop(sqlite);
    let told = is_altered(opened(directory.path()), "an index");
    assert_eq!(told, Alteration::Index("kms_grant".to_owned()));
}

#[test]
fn the_tree_itself_cannot_be_altered() {
    for statements in [
        "UPDATE authentic_root SET epoch = epoch + 1",
        "UPDATE authentic_root SET version = version - 1",
        "DELETE FROM authentic_root",
        "UPDATE authentic_root SET mac = zeroblob(32)",
        "UPDATE authentic_root SET digest = zeroblob(16)",
        "DELETE FROM authentic_key",
        "DELETE FROM authentic_node WHERE node = (SELECT max(node) FROM authentic_node WHERE node < 3 * 65536 + 32768)",
        "UPDATE authentic_node SET body = zeroblob(length(body)) WHERE node = 0",
        "UPDATE authentic_node SET body = substr(body, 33) WHERE node = (SELECT min(node) FROM authentic_node WHERE node >= 3 * 65536)",
        "DELETE FROM authentic_node",
        "DROP TABLE authentic_node",
    ] {
        let directory = furnished();
        meddle(directory.path(), statements);
        assert!(opened(directory.path()).is_err(), "{statements}");
    }
    let directory = furnished();
    meddle(
        directory.path(),
        "UPDATE authentic_key SET wrapped = zeroblob(length(wrapped))",
    );
    let error = opened(directory.path()).err().unwrap();
    assert!(error.to_string().contains("root key"), "{error}");
    for version in 1..known() {
        let directory = furnished();
        meddle(directory.path(), &format!("PRAGMA user_version = {version}"));
        is_altered(opened(directory.path()), "an earlier version");
    }
}

#[test]
fn a_tree_that_was_taken_off_whole_is_missed_by_the_root() {
    for version in 1..9 {
        let directory = furnished();
        // All that tells of a tree, as if there had never been one.
        meddle(
            directory.path(),
            &format!(
                "DROP TABLE authentic_key; DROP TABLE authentic_root; DROP TABLE authentic_node; PRAGMA user_version = {version}"
            ),
        );
        std::fs::remove_file(directory.path().join("store/anchor")).unwrap();
        is_altered(opened(directory.path()), "no tree");
        is_altered(accepted(directory.path()), "no tree, with consent");
    }
}

#[test]
fn responses_are_checked_when_they_are_read_and_when_all_are() {
    for (statements, is_found) in [
        ("UPDATE sealed_response SET created_at = 7", true),
        ("DELETE FROM sealed_response", true),
        (
            "UPDATE sealed_response SET sealed = (SELECT sealed FROM sealed_response ORDER BY response_id LIMIT 1)",
            false,
        ),
        (
            "INSERT INTO sealed_response SELECT account_id, 'resp_' || response_id, key_id, 1, 1, sealed, 4102444800000000 FROM sealed_response",
            false,
        ),
    ] {
        let directory = furnished();
        let house = House::open(directory.path());
        let developer = house.session("Developer");
        let ids: Vec<String> = house
            .store
            .database
            .read(|connection| {
                let mut select = connection.prepare("SELECT response_id FROM sealed_response")?;
                select.query_map([], |row| row.get(0))?.collect()
            })
            .unwrap();
        assert!(scrubbed(&house.store).is_ok());
        // Once while it is open, and once when it was closed meanwhile.
        meddle(directory.path(), statements);
        let reopened = opened(directory.path()).unwrap();
        for store in [&*house.store, &reopened] {
            is_altered(scrubbed(store), statements);
        }
        if is_found {
            let id: ResponseId = ids[0].parse().unwrap();
            let heard: Arc<Mutex<Vec<Alteration>>> = Arc::default();
            let hears = Arc::clone(&heard);
            house
                .store
                .tell_of_alterations(Box::new(move |found| hears.lock().unwrap().push(found.clone())));
            let told = is_altered(house.get(&developer, &id), statements);
            assert_eq!(*heard.lock().unwrap(), [told]);
        }
    }
}

#[test]
fn a_response_that_was_deleted_and_comes_back_is_not_one() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let developer = house.session("Developer");
    let id = house.new_id();
    house.put(&developer, &id, b"gone").unwrap();
    let sqlite = behind(directory.path());
    sqlite
        .execute_batch("CREATE TABLE temp.was AS SELECT * FROM sealed_response")
        .unwrap();
    assert!(house.delete(&developer, &id).unwrap());
    assert_eq!(house.get(&developer, &id).unwrap(), None);
    sqlite
        .execute_batch("INSERT INTO sealed_response SELECT * FROM temp.was")
        .unwrap();
    is_altered(house.get(&developer, &id), "it came back");
}

#[test]
fn keys_aliases_and_grants_are_checked_when_they_are_read() {
    let directory = furnished();
    let house = House::open(directory.path());
    let account = house.first.account;
    meddle(
        directory.path(),
        "UPDATE kms_alias SET created_at = 7; UPDATE kms_key SET due_at = 7; UPDATE kms_grant SET created_at = 7;
         INSERT INTO kms_alias SELECT account_id, 'alias/new', key_id, 1, 1 FROM kms_alias LIMIT 1",
    );
    for name in ["alias/one", "alias/new"] {
        is_altered(house.store.find_alias(account, name), name);
    }
    assert_eq!(house.store.find_alias(account, "alias/absent").unwrap(), None);
    assert!(house.store.get(&id_of(&house.first.account_key)).is_err());
    assert!(house.store.all(None, 10).is_err());
    let key: String = behind(directory.path())
        .query_row("SELECT key_id FROM kms_grant", [], |row| row.get(0))
        .unwrap();
    let grant = house.store.grant(&key.parse().unwrap(), &format!("{:064x}", 1));
    is_altered(grant, "a grant");
}
