//! The development root key's file: private, checked, never replaced.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::house::World;
use moho_kms::{RootKey, RootKeyError};
use moho_os::{PrivateFileError, Residence};

#[test]
fn a_development_root_is_private_says_what_it_is_and_stays_the_same() {
    let (world, directory) = (World::default(), tempfile::tempdir().unwrap());
    let path = directory.path().join("root.key");
    let root = RootKey::development(&path, &world).unwrap();
    assert_eq!(root.attestation().to_string(), "attestation: development");
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o600
    );
    assert!(matches!(
        root.residence(),
        Residence::Locked | Residence::Swappable
    ));
    let again = RootKey::development(&path, &world).unwrap();
    let secrets = |root: &RootKey| root.derive("sessions").unwrap().expose().to_vec();
    assert_eq!(secrets(&root), secrets(&again));
    assert_ne!(secrets(&root), root.derive("other").unwrap().expose());
    assert_eq!(secrets(&root).len(), 32);
    let other = RootKey::development(&directory.path().join("other.key"), &world).unwrap();
    assert_ne!(secrets(&root), secrets(&other));
}

#[test]
fn a_root_key_file_that_others_can_reach_or_that_is_a_link_is_refused() {
    let (world, directory) = (World::default(), tempfile::tempdir().unwrap());
    let path = directory.path().join("root.key");
    drop(RootKey::development(&path, &world).unwrap());
    let link = directory.path().join("link.key");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let refused = |path: &Path| match RootKey::development(path, &world) {
        Err(RootKeyError::File(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    };
    assert!(matches!(refused(&link), PrivateFileError::NotRegular(_)));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(
        refused(&path),
        PrivateFileError::Open { mode: 0o644, .. }
    ));
}

#[test]
fn a_damaged_root_key_file_is_refused_and_not_replaced() {
    let (world, directory) = (World::default(), tempfile::tempdir().unwrap());
    let path = directory.path().join("root.key");
    drop(RootKey::development(&path, &world).unwrap());
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut altered = whole.clone();
        altered[at] ^= 4;
        std::fs::write(&path, &altered).unwrap();
        match RootKey::development(&path, &world) {
            Err(RootKeyError::NotRootKey) => assert!(at < 14, "{at}"),
            Err(RootKeyError::Format) => assert!((14..16).contains(&at), "{at}"),
            Err(RootKeyError::CutShort | RootKeyError::Damaged) => assert!(at >= 16, "{at}"),
            Err(other) => panic!("{at}: {other}"),
            Ok(_) => panic!("{at}: accepted"),
        }
        assert_eq!(std::fs::read(&path).unwrap(), altered, "left as it was");
    }
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        match RootKey::development(&path, &world) {
            Err(RootKeyError::NotRootKey) => assert!(length < 16, "{length}"),
            Err(RootKeyError::CutShort) => assert!(length >= 16, "{length}"),
            Err(other) => panic!("{length}: {other}"),
            Ok(_) => panic!("{length}: accepted"),
        }
    }
    std::fs::write(&path, vec![0; 513]).unwrap();
    let refused = RootKey::development(&path, &world);
    assert!(matches!(
        refused,
        Err(RootKeyError::File(PrivateFileError::TooLong { .. }))
    ));
}
