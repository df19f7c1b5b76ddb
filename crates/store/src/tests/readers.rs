//! Readers: whoever takes long leaves some to everybody else.

use super::*;
use crate::database::{FOR_OBJECTS, Reads};

#[test]
fn who_looks_for_objects_leaves_readers_to_all_others() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let database = &house.store.database;
    let looking: Vec<_> = (0..FOR_OBJECTS)
        .map(|_| database.reader(Reads::Objects))
        .collect();
    assert!(database.free_reader(Reads::Objects).is_none());
    let reading = database.free_reader(Reads::AllElse);
    assert!(reading.is_some());
    let none = house.store.bucket_facts(&"none".parse().unwrap()).unwrap();
    assert!(none.is_none());
    drop(looking);
    assert!(database.free_reader(Reads::Objects).is_some());
}
