//! Threads that read the file a moment too early, beside a rotation: whatever ring they leave to the others, a record and
//! all in it are under one root, and no root leaves that something is still wrapped by.

use std::sync::Mutex;

use moho_iam::bootstrap::Attestation;
use moho_terms::EntropyUnavailable;
use zeroize::Zeroizing;

use super::super::{Development, Quorum, RootFile, RootKind, RootOfTrust, Share};
use super::tests::House;
use super::*;
use crate::record::written;

/// Opens what was in the file a while ago, once, if somebody was so slow.
#[derive(Default)]
struct Slow(Mutex<Option<RootFile>>);

impl RootOfTrust for Slow {
    fn kind(&self) -> RootKind {
        Development.kind()
    }

    fn attestation(&self) -> Attestation {
        Development.attestation()
    }

    fn open(&self, file: &RootFile) -> Result<RootRing, RootKeyError> {
        let before = self.0.lock().unwrap().take();
        Development.open(before.as_ref().unwrap_or(file))
    }

    fn seal(&self, ring: &RootRing, entropy: &dyn Entropy) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
        Development.seal(ring, entropy)
    }

    fn split(&self, quorum: Quorum, entropy: &dyn Entropy) -> Result<Vec<Share>, RootKeyError> {
        Development.split(quorum, entropy)
    }
}

/// Randomness, and a moment for somebody slow to say what was in the file.
struct Interrupted<'a> {
    house: &'a House,
    root: &'a RootKey,
    slow: &'a Slow,
    before: Mutex<Option<RootFile>>,
}

impl Entropy for Interrupted<'_> {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        if let Some(before) = self.before.lock().unwrap().take() {
            *self.slow.0.lock().unwrap() = Some(before);
            self.root.reload().unwrap();
        }
        self.house.entropy.fill(bytes)
    }
}

fn only_key(house: &House) -> Arc<KeptKey> {
    let keys = house.world.keys.lock().unwrap();
    Arc::clone(keys.values().next().unwrap())
}

#[test]
fn a_record_and_what_is_wrapped_in_it_are_under_one_root_whoever_reads_the_file_late() {
    let house = House::with_keys(1);
    let slow = Arc::new(Slow::default());
    let root = RootKey::open(&house.path(), Arc::clone(&slow) as _).unwrap();
    let before = RootFile::read(&house.path()).unwrap();
    assert!(matches!(house.rotate_until(0), Err(RootRotationError::Stopped)));
    let entropy = Interrupted {
        house: &house,
        root: &root,
        slow: &slow,
        before: Mutex::new(Some(before)),
    };
    let mut record = verify(&only_key(&house), &root).unwrap();
    record.revision += 1;
    let key = encode(&record, (&root, &entropy)).unwrap();
    let current = house.root().ring();
    let current = current.current();
    assert_ne!(
        root.ring().current().fingerprint(),
        current.fingerprint(),
        "it was late"
    );
    assert_eq!(KeyRecord::root_of(&key.record), Ok(Some(current.fingerprint())));
    assert!(is_all_under(&KeyRecord::peek(&key.record).unwrap(), current));
}

#[test]
fn a_root_does_not_leave_while_a_material_is_under_it() {
    let house = House::with_keys(1);
    assert!(matches!(house.rotate_until(0), Err(RootRotationError::Stopped)));
    let root = house.root();
    let kept = only_key(&house);
    let record = verify(&kept, &root).unwrap();
    let mixed = written(&record, root.ring().current()).unwrap();
    house.alter(&kept.key_id, |bytes| *bytes = mixed);
    assert_eq!(house.readable(&house.root()).unwrap(), 1);
    assert_eq!(house.rotate(RootRotationWish::default()).unwrap(), 1);
    let after = house.root();
    assert!(after.ring().previous().is_empty());
    assert_eq!(house.readable(&after).unwrap(), 1);
}
