//! Where a store's segments rest, and that settings cannot lose them.

use moho_kms::RootKey;
use moho_store::Store;

use super::*;
use crate::bucket_segments::place::{PlaceError, Settled, Settling};
use crate::system::SystemEntropy;

/// A store in a directory of its own, and a bucket that is played.
struct World {
    folder: TempDir,
    played: Played,
    closing: Closing,
    entropy: SystemEntropy,
}

impl World {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            played: Played::new(),
            closing: Closing::new(),
            entropy: SystemEntropy::default(),
        }
    }

    fn directory(&self) -> std::path::PathBuf {
        self.folder.path().join("store")
    }

    fn settle(&self, wanted: Option<&ObjectsConfig>) -> Result<Settled, PlaceError> {
        let root = self.folder.path().join("root.key");
        let root = RootKey::development(&root, &self.entropy).unwrap();
        let directory = self.directory();
        let store = Store::open(&directory, (&root, &self.entropy)).unwrap();
        let settling = Settling {
            directory: &directory,
            wanted,
            closing: &self.closing,
        };
        settling.settle(&store, &self.entropy)
    }

    fn bucket(&self) -> ObjectsConfig {
        config(self.folder.path(), self.played.address)
    }

    fn marks(&self) -> Vec<String> {
        self.played.kept().objects.keys().cloned().collect()
    }
}

#[test]
fn a_place_is_made_once_and_found_again() {
    let world = World::new();
    let bucket = world.bucket();
    drop(world.settle(Some(&bucket)).unwrap());
    let marks = world.marks();
    assert_eq!(marks.len(), 1);
    assert!(
        marks[0].starts_with("some/prefix/") && marks[0].ends_with("/moho-segments"),
        "{marks:?}"
    );
    let (one, two) = (
        world.settle(Some(&bucket)).unwrap(),
        world.settle(Some(&bucket)).unwrap(),
    );
    assert!(one.segments.is_some() && two.segments.is_some());
    assert_eq!(world.marks(), marks, "two of one store share it");
    let other = World {
        folder: TempDir::new().unwrap(),
        ..World::new()
    };
    let shared = config(other.folder.path(), world.played.address);
    drop(other.settle(Some(&shared)).unwrap());
    assert_eq!(world.marks().len(), 2, "another store has another folder");
}

#[test]
fn a_store_without_segments_may_move_when_nobody_uses_it() {
    let world = World::new();
    let bucket = world.bucket();
    let here = world.settle(None).unwrap();
    assert!(here.segments.is_none());
    assert!(matches!(world.settle(Some(&bucket)), Err(PlaceError::InUse)));
    drop(here);
    let there = world.settle(Some(&bucket)).unwrap();
    assert!(matches!(world.settle(None), Err(PlaceError::InUse)));
    drop(there);
    assert!(world.settle(None).unwrap().segments.is_none());
    assert!(!world.directory().join("segments.place").exists());
}

#[test]
fn a_bucket_that_cannot_be_used_is_no_place() {
    let world = World::new();
    let bucket = world.bucket();
    for method in ["PUT", "GET"] {
        world.played.behave(move |asked| {
            if asked.method == method {
                played::Instead::Say(played::refused("403 Forbidden", "AccessDenied"))
            } else {
                played::Instead::Nothing
            }
        });
        let refused = world.settle(Some(&bucket)).err().unwrap();
        let told = crate::road::chain(&refused);
        assert!(
            told.contains("objects.url") && told.contains("AccessDenied"),
            "{told}"
        );
        assert!(!world.directory().join("segments.place").exists());
    }
    world.played.behave_well();
    drop(world.settle(Some(&bucket)).unwrap());
    let file = world.directory().join("segments.place");
    std::fs::write(&file, "nowhere\n").unwrap();
    assert!(matches!(
        world.settle(Some(&bucket)),
        Err(PlaceError::Unreadable(_))
    ));
}
