//! Sealed objects under customers' keys: whose data keys are used again for a while, and never longer than the key says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::house::{House, context, kms_at};
use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_kms::spec::{KeySpec, KeyUsage};
use moho_kms::{EncryptionContext, Kms, KmsError, Opener, SealedError, Sealer};
use moho_terms::{Arn, ContentBytes, Stopwatch};

/// Where the data key stands in an object.
const BLOB: std::ops::Range<usize> = 12..157;
/// Where the material's name stands in that.
const MATERIAL: std::ops::Range<usize> = 29..45;

/// A stopwatch that is turned by hand.
#[derive(Default)]
struct Hand(AtomicU64);

impl Stopwatch for Hand {
    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

/// Keys whose data keys are remembered.
struct Caching {
    house: House,
    hand: Arc<Hand>,
    key: Arn,
    context: EncryptionContext,
}

impl Caching {
    fn new() -> Self {
        let (mut house, hand) = (House::new(), Arc::new(Hand::default()));
        house.kms = caching(&house, &hand);
        let key = house.key();
        let context = context(&[("moho:account", "123456789012"), ("moho:resource", "response/1")]);
        Self {
            house,
            hand,
            key,
            context,
        }
    }

    fn pass(&self, seconds: u64) {
        self.hand.0.fetch_add(seconds, Ordering::Relaxed);
    }

    fn seal_under(&self, context: &EncryptionContext, plain: Vec<u8>) -> Result<Vec<u8>, KmsError> {
        let permit = self.house.permit_under(&self.key, context);
        let sealed = self.house.kms.seal(&permit, context, &ContentBytes::new(plain))?;
        Ok(sealed.into_bytes())
    }

    fn seal(&self) -> Result<Vec<u8>, KmsError> {
        self.seal_under(&self.context, b"words".to_vec())
    }

    /// The data key that an object gets now.
    fn data_key(&self) -> Vec<u8> {
        self.seal().unwrap().get(BLOB).unwrap().to_vec()
    }

    /// The same object, sealed in two chunks.
    fn seal_chunks(&self) -> Result<Vec<u8>, KmsError> {
        let permit = self.house.permit_under(&self.key, &self.context);
        let mut sealer = self.house.kms.sealer(&permit, &self.context)?;
        let (mut one, mut two) = (vec![7; Sealer::CHUNK], b"words".to_vec());
        sealer.seal_chunk(&mut one, false)?;
        sealer.seal_chunk(&mut two, true)?;
        Ok([sealer.head(), &one, &two].concat())
    }

    fn opener(&self, sealed: &[u8]) -> Result<Opener, KmsError> {
        let permit = self.house.permit_under(&self.key, &self.context);
        let (head, _) = sealed.split_at(Sealer::HEAD_MAX);
        let length = sealed.len() as u64;
        self.house.kms.opener(&permit, &self.context, head, length)
    }

    /// The words in the second chunk.
    fn words(&self, sealed: &[u8]) -> Result<Vec<u8>, KmsError> {
        let opener = self.opener(sealed)?;
        let span = opener.chunk_span(1).unwrap();
        let from = usize::try_from(span.start).unwrap();
        let mut words = sealed.split_at(from).1.to_vec();
        opener.open_chunk(1, &mut words)?;
        Ok(words)
    }

    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, KmsError> {
        let permit = self.house.permit_under(&self.key, &self.context);
        let plain = self.house.kms.open(&permit, &self.context, sealed)?;
        Ok(plain.expose().to_vec())
    }
}

fn caching(house: &House, hand: &Arc<Hand>) -> Kms {
    kms_at(&house.world, &house.directory.path().join("root.key"))
        .with_data_key_caching(Arc::clone(hand) as _)
}

#[test]
fn without_a_stopwatch_every_object_has_a_data_key_of_its_own() {
    let mut caching = Caching::new();
    caching.house.kms = kms_at(
        &caching.house.world,
        &caching.house.directory.path().join("root.key"),
    );
    let (one, two) = (caching.seal().unwrap(), caching.seal().unwrap());
    assert_ne!(one[BLOB], two[BLOB]);
    assert_eq!(caching.open(&one).unwrap(), b"words");
}

#[test]
fn a_data_key_is_used_again_for_the_same_context_only() {
    let caching = Caching::new();
    let (one, two) = (caching.seal().unwrap(), caching.seal().unwrap());
    assert_eq!(one[BLOB], two[BLOB]);
    assert_ne!(one[157..], two[157..]);
    let other = caching.seal_under(&context(&[("moho:account", "123456789012")]), b"words".to_vec());
    assert_ne!(other.unwrap()[BLOB], one[BLOB]);
    for sealed in [&one, &two, &one] {
        assert_eq!(caching.open(sealed).unwrap(), b"words");
    }
}

#[test]
fn a_data_key_is_used_a_thousand_times_for_64_mib_and_a_minute_at_most() {
    let caching = Caching::new();
    let first = caching.data_key();
    for _ in 1..1000 {
        assert_eq!(caching.data_key(), first);
    }
    let second = caching.data_key();
    assert_ne!(second, first);
    caching.pass(59);
    assert_eq!(caching.data_key(), second);
    caching.pass(1);
    let third = caching.data_key();
    assert_ne!(third, second);
    let large = || caching.seal_under(&caching.context, vec![0; 40 << 20]).unwrap()[BLOB].to_vec();
    assert_eq!(large(), third);
    assert_ne!(large(), third);
}

#[test]
fn a_cached_data_key_opens_what_it_sealed_and_nothing_that_was_altered() {
    let caching = Caching::new();
    let sealed = caching.seal().unwrap();
    assert_eq!(caching.open(&sealed).unwrap(), b"words");
    for at in [0, 8, 9, 10, 12, 20, 40, 100, 160, 200, sealed.len() - 1] {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert!(matches!(caching.open(&altered), Err(KmsError::Sealed(_))), "{at}");
    }
    let elsewhere = context(&[("moho:account", "123456789012"), ("moho:resource", "response/2")]);
    let permit = caching.house.permit_under(&caching.key, &elsewhere);
    let refused = caching.house.kms.open(&permit, &elsewhere, &sealed);
    assert!(matches!(
        refused,
        Err(KmsError::Sealed(SealedError::NotAuthentic))
    ));
    let refused = caching.house.kms.open(&permit, &caching.context, &sealed);
    assert!(matches!(refused, Err(KmsError::OtherContext)));
}

#[test]
fn disabling_a_key_here_or_in_another_process_ends_its_data_keys_at_once() {
    let caching = Caching::new();
    let other_process = kms_at(
        &caching.house.world,
        &caching.house.directory.path().join("root.key"),
    );
    for kms in [&caching.house.kms, &other_process] {
        let sealed = caching.seal().unwrap();
        let before = caching.data_key();
        assert_eq!(caching.open(&sealed).unwrap(), b"words");
        let disable: Permit<kms::DisableKey> = caching.house.permit(&caching.key);
        kms.disable(&disable).unwrap();
        assert!(matches!(caching.open(&sealed), Err(KmsError::Disabled(_))));
        assert!(matches!(caching.seal(), Err(KmsError::Disabled(_))));
        let enable: Permit<kms::EnableKey> = caching.house.permit(&caching.key);
        kms.enable(&enable).unwrap();
        assert_eq!(caching.open(&sealed).unwrap(), b"words");
        assert_ne!(caching.data_key(), before);
    }
}

#[test]
fn after_a_rotation_objects_are_under_the_new_material_and_the_old_ones_open() {
    let caching = Caching::new();
    let before = caching.seal().unwrap();
    assert_eq!(caching.open(&before).unwrap(), b"words");
    let rotate: Permit<kms::RotateKeyOnDemand> = caching.house.permit(&caching.key);
    caching.house.kms.rotate_on_demand(&rotate).unwrap();
    let after = caching.seal().unwrap();
    assert_ne!(before[MATERIAL], after[MATERIAL]);
    for sealed in [&before, &after] {
        assert_eq!(caching.open(sealed).unwrap(), b"words");
    }
}

#[test]
fn a_deleted_key_shreds_what_its_cached_data_keys_sealed() {
    let caching = Caching::new();
    let sealed = caching.seal().unwrap();
    assert_eq!(caching.open(&sealed).unwrap(), b"words");
    caching.house.world.kept.lock().unwrap().clear();
    assert!(matches!(caching.open(&sealed), Err(KmsError::NotFound(_))));
    assert!(matches!(caching.seal(), Err(KmsError::NotFound(_))));
}

/// Whoever may decrypt under the key needs no moho to open an object.
#[test]
fn the_data_key_of_an_object_is_a_ciphertext_blob_like_any_other() {
    let caching = Caching::new();
    let sealed = caching.seal().unwrap();
    let opened = caching
        .house
        .decrypt(&caching.key, &caching.context, &sealed[BLOB]);
    assert_eq!(opened.unwrap().len(), 32);
}

#[test]
fn keys_for_something_else_seal_nothing() {
    let mut caching = Caching::new();
    caching.key = caching
        .house
        .key_of(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac);
    assert!(matches!(caching.seal(), Err(KmsError::InvalidKeyUsage(..))));
}

#[test]
fn an_object_of_unknown_length_has_a_data_key_of_its_own() {
    let caching = Caching::new();
    let before = caching.data_key();
    let (one, two) = (caching.seal_chunks().unwrap(), caching.seal_chunks().unwrap());
    assert!(one[BLOB] != two[BLOB] && one[BLOB] != before && two[BLOB] != before);
    assert_eq!(caching.data_key(), before, "it counts for no other");
    for sealed in [&one, &two, &one] {
        assert_eq!(caching.words(sealed).unwrap(), b"words");
        assert!(caching.open(sealed).unwrap().ends_with(b"words"));
    }
    let at_once = caching.seal().unwrap();
    assert_eq!(caching.opener(&at_once).unwrap().plain_length(), 5);
}

#[test]
fn an_opener_is_for_the_key_and_the_context_of_its_permit() {
    let caching = Caching::new();
    let sealed = caching.seal_chunks().unwrap();
    let kms = &caching.house.kms;
    let (head, length) = (&sealed[..Sealer::HEAD_MAX], sealed.len() as u64);
    let elsewhere = context(&[("moho:account", "123456789012"), ("moho:resource", "response/2")]);
    let permit = caching.house.permit_under(&caching.key, &elsewhere);
    let refused = kms.opener(&permit, &elsewhere, head, length).map(drop);
    assert!(matches!(
        refused,
        Err(KmsError::Sealed(SealedError::NotAuthentic))
    ));
    let refused = kms.opener(&permit, &caching.context, head, length).map(drop);
    assert!(matches!(refused, Err(KmsError::OtherContext)));
    let permit = caching.house.permit_under(&caching.key, &elsewhere);
    let refused = kms.sealer(&permit, &caching.context).map(drop);
    assert!(matches!(refused, Err(KmsError::OtherContext)));
    let permit = caching.house.permit_under(&caching.house.key(), &caching.context);
    let refused = kms.opener(&permit, &caching.context, head, length).map(drop);
    assert!(matches!(refused, Err(KmsError::Sealed(SealedError::OtherKey(_)))));
    let mut old = sealed.clone();
    old[8] = 1;
    let refused = caching.opener(&old).map(drop);
    assert!(matches!(refused, Err(KmsError::Sealed(SealedError::Version(1)))));
    let disable: Permit<kms::DisableKey> = caching.house.permit(&caching.key);
    kms.disable(&disable).unwrap();
    assert!(matches!(caching.words(&sealed), Err(KmsError::Disabled(_))));
    assert!(matches!(caching.seal_chunks(), Err(KmsError::Disabled(_))));
}
