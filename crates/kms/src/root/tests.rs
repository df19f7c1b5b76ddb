//! Root key files as their keepers meet them: opened by what protects them, and by nothing else, however damaged.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use moho_os::PrivateFileError;
use moho_terms::{Entropy, EntropyUnavailable, Secret};
use proptest::prelude::*;

use super::file::OLD;
use super::*;

/// Different bytes on each call, the same in each test.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        let call = self.0.fetch_add(1, Ordering::Relaxed);
        let sum = digest::digest(&digest::SHA256, &call.to_be_bytes());
        for (byte, random) in bytes.iter_mut().zip(sum.as_ref()) {
            *byte = *random;
        }
        Ok(())
    }
}

const PASSPHRASE: &str = "correct horse battery staple";

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn quorum(text: &str) -> Quorum {
    text.parse().unwrap()
}

/// A folder for root key files, and randomness.
struct House {
    directory: tempfile::TempDir,
    entropy: Counter,
}

impl House {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            entropy: Counter::default(),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("root.key")
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }

    fn by_passphrase(&self) -> Arc<KeyEncryptionKey> {
        let cost = PassphraseCost::TRIFLE;
        let key = KeyEncryptionKey::of_new_passphrase(&secret(PASSPHRASE), cost, &self.entropy);
        Arc::new(key.unwrap())
    }

    fn with_passphrase(&self) -> RootKey {
        RootKey::create(&self.path(), self.by_passphrase(), &self.entropy).unwrap()
    }

    fn with_shares(&self, text: &str) -> (RootKey, Vec<Share>) {
        let (key, shares) = KeyEncryptionKey::of_new_shares(quorum(text), &self.entropy).unwrap();
        (
            RootKey::create(&self.path(), Arc::new(key), &self.entropy).unwrap(),
            shares,
        )
    }
}

fn error<T>(result: Result<T, RootKeyError>) -> RootKeyError {
    match result {
        Ok(_) => panic!("it was taken"),
        Err(error) => error,
    }
}

/// All that follows from a root key.
fn all_of(root: &RootKey) -> (Vec<String>, Vec<u8>) {
    let ring = root.ring();
    let roots = std::iter::once(ring.current()).chain(ring.previous());
    let names = roots.map(|root| root.name()).collect();
    (names, root.derive("sessions").unwrap().expose().to_vec())
}

#[test]
fn that_a_store_was_authenticated_stays_written_down_whatever_becomes_of_the_file() {
    let house = House::new();
    let root = house.with_passphrase();
    let all = all_of(&root);
    assert!(!root.ring().has_store());
    root.note_store(&house.entropy).unwrap();
    assert!(root.ring().has_store());
    let again = RootKey::with_passphrase(&house.path(), &secret(PASSPHRASE)).unwrap();
    assert!(again.ring().has_store());
    assert_eq!(all_of(&again), all);
    let before = std::fs::read(house.path()).unwrap();
    again.note_store(&house.entropy).unwrap();
    assert_eq!(std::fs::read(house.path()).unwrap(), before, "once is enough");
    let root = again.protect(Arc::new(Development), &house.entropy).unwrap();
    assert!(root.ring().has_store());
    root.replace(|ring| ring.with_new_root(&house.entropy), &house.entropy)
        .unwrap();
    root.replace(|ring| Ok(ring.without_previous()), &house.entropy)
        .unwrap();
    let last = RootKey::open(&house.path(), Arc::new(Development)).unwrap();
    assert!(last.ring().has_store());
    assert_ne!(all_of(&last), all);
}

#[test]
fn a_file_of_the_first_format_gives_what_it_always_gave() {
    let house = House::new();
    let key = [7; 32];
    let check = Root::check_of::<8>(&key).unwrap();
    let file = [OLD.as_slice(), &key, check.as_slice()].concat();
    moho_os::create_private(&house.path(), &file).unwrap();
    let root = RootKey::development(&house.path(), &house.entropy).unwrap();
    assert_eq!(
        all_of(&root),
        (
            vec!["6ab96664fcd5a1a37e0b53073f9360dd".to_owned()],
            crate::crypto::derive::<32>(&key, b"moho/root/1", &[b"purpose sessions"])
                .unwrap()
                .to_vec()
        )
    );
    assert_eq!(house.bytes(), file, "it is left as it was");
    for at in 0..file.len() {
        let mut altered = file.clone();
        altered[at] ^= 1;
        let refused = RootFile::parse(&altered).and_then(|file| Development.open(&file));
        assert!(
            matches!(
                (at, error(refused)),
                (0..16, RootKeyError::NotRootKey) | (16.., RootKeyError::Damaged)
            ),
            "{at}"
        );
    }
    let before = all_of(&root);
    let root = root.protect(house.by_passphrase(), &house.entropy).unwrap();
    assert_eq!(all_of(&root), before, "what is in it stays the same");
}

#[test]
fn a_passphrase_opens_its_file_and_another_does_not() {
    let house = House::new();
    let root = house.with_passphrase();
    assert_eq!(
        (root.kind(), root.attestation()),
        (RootKind::Passphrase, Attestation::Development)
    );
    let again = RootKey::with_passphrase(&house.path(), &secret(PASSPHRASE)).unwrap();
    assert_eq!(all_of(&again), all_of(&root));
    let refused = |text: &str| error(RootKey::with_passphrase(&house.path(), &secret(text)));
    assert!(matches!(
        refused("correct horse battery stable"),
        RootKeyError::WrongPassphrase
    ));
    assert!(matches!(refused(""), RootKeyError::NotAPassphrase(_)));
    assert!(matches!(
        refused("two\nlines of text"),
        RootKeyError::NotAPassphrase(_)
    ));
    let development = RootKey::development(&house.path(), &house.entropy);
    assert!(matches!(error(development), RootKeyError::NeedsPassphrase));
}

#[test]
fn weak_passphrases_are_not_taken_as_new_ones() {
    let make = |text: &str| {
        let made =
            KeyEncryptionKey::of_new_passphrase(&secret(text), PassphraseCost::TRIFLE, &Counter::default());
        error(made)
    };
    assert!(matches!(make("eleven lett"), RootKeyError::WeakPassphrase(12)));
    assert!(matches!(make("ééééééééééé"), RootKeyError::WeakPassphrase(12)));
    assert!(matches!(
        make(&"x".repeat(1025)),
        RootKeyError::NotAPassphrase(1024)
    ));
}

/// RFC 9106, section 5.3, has associated data and a secret; so the vector is the reference implementation's:
/// `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32`.
#[test]
fn a_passphrase_becomes_a_key_by_argon2id() {
    let params = argon2::Params::new(65536, 2, 1, Some(32)).unwrap();
    let mut key = [0; 32];
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(b"password", b"somesalt", &mut key)
        .unwrap();
    assert_eq!(key[..4], [0x09, 0x31, 0x61, 0x15]);
    let cost = PassphraseCost::TRIFLE;
    let ours = cost.key(&secret("password"), &[3; 32]).unwrap();
    let params = argon2::Params::new(32, 1, 1, Some(32)).unwrap();
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(b"password", &[3; 32], &mut key)
        .unwrap();
    assert_eq!(ours.expose(), key);
}

#[test]
fn enough_shares_open_their_file_and_no_others_do() {
    let house = House::new();
    let (root, shares) = house.with_shares("3/5");
    let open = |numbers: &[usize]| {
        let lines = numbers
            .iter()
            .map(|n| String::from_utf8(shares[*n].line().expose().to_vec()).unwrap());
        let shares: Vec<Share> = lines.map(|line| Share::parse(&line).unwrap()).collect();
        RootKey::with_shares(&house.path(), &shares)
    };
    for numbers in [[0, 1, 2], [4, 2, 0], [3, 4, 1]] {
        assert_eq!(all_of(&open(&numbers).unwrap()), all_of(&root));
    }
    assert!(matches!(
        error(open(&[])),
        RootKeyError::NeedsShares {
            threshold: 3,
            count: 5
        }
    ));
    assert!(matches!(
        error(open(&[0, 1])),
        RootKeyError::Share(ShareError::TooFew {
            found: 2,
            threshold: 3
        })
    ));
    assert!(matches!(
        error(open(&[0, 1, 1])),
        RootKeyError::Share(ShareError::Repeated(2))
    ));
    let (_, others) = KeyEncryptionKey::of_new_shares(quorum("3/5"), &house.entropy).unwrap();
    assert!(matches!(
        error(RootKey::with_shares(&house.path(), &others)),
        RootKeyError::WrongShares
    ));
    let mixed: Vec<Share> = shares.into_iter().take(2).chain(others).collect();
    assert!(matches!(
        error(RootKey::with_shares(&house.path(), &mixed)),
        RootKeyError::Share(ShareError::Mixed(..))
    ));
    let with_passphrase = RootKey::with_passphrase(&house.path(), &secret(PASSPHRASE));
    assert!(matches!(error(with_passphrase), RootKeyError::NeedsShares { .. }));
}

#[test]
fn a_forgotten_passphrase_is_no_loss_where_it_was_split() {
    let house = House::new();
    let root = house.with_passphrase();
    let shares = root.split(quorum("2/3"), &house.entropy).unwrap();
    let before = all_of(&root);
    let root = RootKey::with_shares(&house.path(), &shares[1..]).unwrap();
    assert_eq!(
        (all_of(&root), root.kind()),
        (before.clone(), RootKind::Passphrase)
    );
    let root = root.protect(Arc::new(Development), &house.entropy).unwrap();
    assert_eq!((all_of(&root), root.kind()), (before, RootKind::Development));
    let open = RootKey::with_shares(&house.path(), &shares);
    assert!(matches!(error(open), RootKeyError::InTheClear));
    assert!(matches!(
        error(root.split(quorum("2/3"), &house.entropy)),
        RootKeyError::InTheClear
    ));
    let root = root.protect(house.by_passphrase(), &house.entropy).unwrap();
    assert_eq!(root.kind(), RootKind::Passphrase);
    assert!(matches!(
        error(RootKey::with_shares(&house.path(), &shares)),
        RootKeyError::WrongShares
    ));
}

#[test]
fn who_has_it_open_sees_new_roots_and_knows_those_that_left() {
    let house = House::new();
    let (root, server) = (
        house.with_passphrase(),
        RootKey::with_passphrase(&house.path(), &secret(PASSPHRASE)),
    );
    let server = server.unwrap();
    let first = *root.ring().current().fingerprint();
    let sessions = server.derive("sessions").unwrap();
    let ring = root
        .replace(|ring| ring.with_new_root(&house.entropy), &house.entropy)
        .unwrap();
    let second = *ring.current().fingerprint();
    assert!(server.ring().by_fingerprint(&second).is_none());
    assert!(server.root(&second).unwrap().is_some(), "it looks again");
    root.replace(|ring| Ok(ring.without_previous()), &house.entropy)
        .unwrap();
    assert!(server.reload().unwrap().previous().is_empty());
    assert!(
        server.root(&first).unwrap().is_some(),
        "a record of a moment ago still opens"
    );
    assert!(server.root(&[0; 16]).unwrap().is_none());
    assert_eq!(server.writing().unwrap().ring().current().fingerprint(), &second);
    assert_eq!(
        server.derive("sessions").unwrap().expose(),
        sessions.expose(),
        "sessions go on"
    );
    let later = RootKey::with_passphrase(&house.path(), &secret(PASSPHRASE)).unwrap();
    assert!(
        later.root(&first).unwrap().is_none(),
        "the root has left the file"
    );
    drop(root.protect(house.by_passphrase(), &house.entropy).unwrap());
    assert!(matches!(error(server.reload()), RootKeyError::ProtectedAnew));
    assert!(
        server.root(&second).unwrap().is_some(),
        "what is known stays known"
    );
}

#[test]
fn a_ring_has_room_for_few_roots() {
    let house = House::new();
    let root = RootKey::development(&house.path(), &house.entropy).unwrap();
    for _ in 0..3 {
        root.replace(|ring| ring.with_new_root(&house.entropy), &house.entropy)
            .unwrap();
    }
    let full = root.replace(|ring| ring.with_new_root(&house.entropy), &house.entropy);
    assert!(matches!(error(full), RootKeyError::RingFull));
    let again = RootKey::development(&house.path(), &house.entropy).unwrap();
    assert_eq!(all_of(&again).0.len(), 4);
    assert_eq!(all_of(&again), all_of(&root));
}

#[test]
fn nobody_protects_what_is_being_rotated() {
    let house = House::new();
    let root = RootKey::development(&house.path(), &house.entropy).unwrap();
    let other = RootKey::development(&house.path(), &house.entropy).unwrap();
    let held = root.rotating().unwrap();
    assert!(matches!(
        error(other.protect(house.by_passphrase(), &house.entropy)),
        RootKeyError::Lock(_)
    ));
    drop(held);
    assert_eq!(
        RootFile::read(&house.path()).unwrap().kind(),
        RootKind::Development
    );
}

#[test]
fn every_flip_and_every_cut_of_a_protected_file_is_refused() {
    for passphrase in [true, false] {
        let house = House::new();
        let key: Arc<KeyEncryptionKey> = if passphrase {
            house.by_passphrase()
        } else {
            Arc::new(
                KeyEncryptionKey::of_new_shares(quorum("2/2"), &house.entropy)
                    .unwrap()
                    .0,
            )
        };
        drop(RootKey::create(&house.path(), Arc::clone(&key) as _, &house.entropy).unwrap());
        let whole = house.bytes();
        let refused = |bytes: &[u8]| error(RootFile::parse(bytes).and_then(|file| key.open(&file)));
        for at in 0..whole.len() {
            let mut altered = whole.clone();
            altered[at] ^= 0x11;
            let found = refused(&altered);
            let expected = match at {
                0..14 => matches!(found, RootKeyError::NotRootKey),
                14..16 => matches!(found, RootKeyError::Format),
                _ => matches!(found, RootKeyError::Damaged | RootKeyError::CutShort),
            };
            assert!(expected, "{at}: {found}");
            // Whoever alters it on purpose sees to the checksum, too.
            let body = altered.len() - 8;
            let sum = digest::digest(&digest::SHA256, &altered[..body]);
            altered[body..].copy_from_slice(&sum.as_ref()[..8]);
            if (16..body).contains(&at) {
                assert!(!matches!(refused(&altered), RootKeyError::NotRootKey), "{at}");
            }
        }
        for length in 0..whole.len() {
            let found = refused(&whole[..length]);
            let expected = match length {
                0..16 => matches!(found, RootKeyError::NotRootKey),
                _ => matches!(found, RootKeyError::CutShort),
            };
            assert!(expected, "{length}: {found}");
        }
    }
}

#[test]
fn a_file_that_asks_for_endless_work_is_refused_before_any_of_it() {
    let house = House::new();
    drop(house.with_passphrase());
    let whole = house.bytes();
    let asking = |at: usize, number: u32| {
        let mut altered = whole.clone();
        altered[at..at + 4].copy_from_slice(&number.to_be_bytes());
        let body = altered.len() - 8;
        let sum = digest::digest(&digest::SHA256, &altered[..body]);
        altered[body..].copy_from_slice(&sum.as_ref()[..8]);
        RootFile::parse(&altered)
    };
    for (at, most) in [(17, 1024 * 1024), (21, 16), (25, 4)] {
        assert!(asking(at, most).is_ok(), "{at}");
    }
    for (at, too_much) in [
        (17, 1024 * 1024 + 1),
        (17, 7),
        (17, u32::MAX),
        (21, 17),
        (21, 0),
        (25, 65),
        (25, 0),
    ] {
        assert!(
            matches!(error(asking(at, too_much)), RootKeyError::Cost(_)),
            "{at}: {too_much}"
        );
    }
    let mut damaged = whole.clone();
    damaged[17] = 0xff;
    assert!(matches!(error(RootFile::parse(&damaged)), RootKeyError::Damaged));
}

#[test]
fn without_randomness_nothing_is_made() {
    struct Silent;
    impl Entropy for Silent {
        fn fill(&self, _bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
            Err(EntropyUnavailable)
        }
    }
    let house = House::new();
    let silent = RootKey::development(&house.path(), &Silent);
    assert!(matches!(error(silent), RootKeyError::Entropy(_)));
    assert!(matches!(
        error(RootFile::read(&house.path())),
        RootKeyError::File(PrivateFileError::Absent(_))
    ));
    let shares = KeyEncryptionKey::of_new_shares(quorum("2/2"), &Silent);
    assert!(matches!(error(shares), RootKeyError::Entropy(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn foreign_bytes_never_open(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0_u8..5) {
        let key = KeyEncryptionKey::of_new_shares(quorum("2/2"), &Counter::default()).unwrap().0;
        let body = [b"moho-root-key-2\n".as_slice(), &[kind], &bytes].concat();
        let sum = digest::digest(&digest::SHA256, &body);
        for bytes in [bytes, [&body, &sum.as_ref()[..8]].concat(), body] {
            if let Ok(file) = RootFile::parse(&bytes) {
                prop_assert_eq!(file.print(), bytes);
                prop_assert!(key.open(&file).is_err());
            }
        }
    }
}
