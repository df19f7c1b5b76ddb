//! Looks through this process's own memory for keys after they were used: they are in locked pages, and nowhere else.
//!
//! What is looked for is kept with every bit turned over, so that the test does not find itself.
#![expect(clippy::unwrap_used, reason = "a test ends when something unexpected happens")]

#[path = "keys/house.rs"]
#[expect(
    dead_code,
    reason = "the house of the other tests, of which this one needs a part"
)]
mod house;

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use house::{House, context};
use moho_iam::action::kms;
use moho_kms::spec::{
    EncryptionAlgorithm, KeySpec, KeyUsage, MacAlgorithm, WrappingAlgorithm, WrappingKeySpec,
};
use moho_kms::{DataKeyLength, Import, Kms, RootKey, Under};
use moho_terms::{Arn, ContentBytes, Entropy, EntropyUnavailable};

const KEY: usize = 32;

/// Bytes to look for, turned over.
type Turned = [u8; KEY];

/// The system's randomness, and what it gave where a key may be made of it.
struct Recorder {
    source: File,
    given: Mutex<Vec<Turned>>,
}

impl Entropy for Recorder {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        (&self.source)
            .read_exact(bytes)
            .map_err(|_none| EntropyUnavailable)?;
        if let Ok(key) = <&[u8; KEY]>::try_from(&*bytes) {
            self.given.lock().unwrap().push(key.map(|byte| !byte));
        }
        Ok(())
    }
}

/// Where in this process `turned` is, turned back: outside locked pages, and in them.
fn places(needles: &[Turned]) -> (Vec<String>, usize) {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let (mut outside, mut locked) = (Vec::new(), 0);
    let mut head = "";
    for line in maps.lines() {
        if !line.contains("VmFlags:") {
            let is_head = line
                .split_whitespace()
                .next()
                .is_some_and(|word| word.contains('-'));
            head = if is_head { line } else { head };
            continue;
        }
        let (from, to) = head.split_whitespace().next().unwrap().split_once('-').unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let mut bytes = vec![0; usize::try_from(number(to) - number(from)).unwrap()];
        if !head.contains(" rw") || memory.read_exact_at(&mut bytes, number(from)).is_err() {
            continue;
        }
        let found = matches(&bytes, needles);
        if line.contains(" dd") && line.contains(" wf") {
            locked += found;
        } else if found > 0 {
            outside.push(head.to_owned());
        }
        // What was just read is not to be found in the next mapping.
        bytes.fill(0);
        std::hint::black_box(&bytes);
    }
    (outside, locked)
}

/// How often any of `needles` is in `bytes`, turned back.
fn matches(bytes: &[u8], needles: &[Turned]) -> usize {
    let first = |bytes: &[u8]| bytes.first().copied().unwrap_or_default();
    let mut begins = [false; 256];
    for (byte, begins) in (0..=u8::MAX).zip(&mut begins) {
        *begins = needles.iter().any(|needle| first(needle) == !byte);
    }
    let may_be = |window: &&[u8]| begins.get(usize::from(first(window))) == Some(&true);
    let starts = bytes.windows(KEY).filter(may_be);
    let is_one = |window: &[u8]| {
        let is = |needle: &Turned| window.iter().zip(needle).all(|(byte, turned)| *byte == !turned);
        needles.iter().any(is)
    };
    starts.filter(|window| is_one(window)).count()
}

/// Does with keys all that can be done, and gives what others may see of it.
fn use_keys(house: &House, recorder: &Recorder) -> Vec<Vec<u8>> {
    let key = house.key();
    let mine = context(&[("account", "1")]);
    let blob = house.encrypt(&key, &mine).unwrap();
    assert_eq!(house.decrypt(&key, &mine, &blob).unwrap(), b"words");
    let permit = house.permit_under(&key, &mine);
    let made = house
        .kms
        .generate_data_key(&permit, &mine, DataKeyLength::AES_256)
        .unwrap();
    let data_key = made.encrypted.blob;
    drop(made.plain);
    let permit = house.permit_under::<kms::Decrypt>(&key, &mine);
    let under = Under {
        permit: &permit,
        context: &mine,
        algorithm: EncryptionAlgorithm::SymmetricDefault,
    };
    drop(house.kms.decrypt(&under, &data_key).unwrap());
    let permit = house.permit_under(&key, &mine);
    let sealed = house
        .kms
        .seal(&permit, &mine, &ContentBytes::new(vec![1; 100]))
        .unwrap();
    drop(
        house
            .kms
            .open(&house.permit_under(&key, &mine), &mine, sealed.as_bytes())
            .unwrap(),
    );
    house.kms.rotate_on_demand(&house.permit(&key)).unwrap();
    let rotated = house.encrypt(&key, &mine).unwrap();
    let hmac = house.key_of(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac);
    mac(house, &hmac);
    import(house, recorder);
    let kept = house.world.kept.lock().unwrap();
    let records = kept.values().map(|kept| kept.record.clone());
    records
        .chain([blob, data_key, rotated, sealed.into_bytes()])
        .collect()
}

fn mac(house: &House, key: &Arn) {
    let made = house
        .kms
        .generate_mac(&house.permit(key), MacAlgorithm::HmacSha256, b"message");
    assert_eq!(made.unwrap().len(), 32);
}

/// Imports an HMAC key and uses it.
fn import(house: &House, recorder: &Recorder) {
    let key = house.empty_key_of(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac);
    let by = (WrappingAlgorithm::RsaesOaepSha256, WrappingKeySpec::Rsa2048);
    let parameters = house
        .kms
        .parameters_for_import(&house.permit(&key), by.0, by.1)
        .unwrap();
    let mut material = zeroize::Zeroizing::new([0; KEY]);
    recorder.fill(material.as_mut_slice()).unwrap();
    let wrapping = PublicEncryptingKey::from_der(&parameters.public_key).unwrap();
    let wrapping = OaepPublicEncryptingKey::new(wrapping).unwrap();
    let mut wrapped = vec![0; wrapping.ciphertext_size()];
    wrapping
        .encrypt(&OAEP_SHA256_MGF1SHA256, material.as_slice(), &mut wrapped, None)
        .unwrap();
    let import = Import {
        token: &parameters.token,
        wrapped: &wrapped,
        valid_to: None,
        kind: None,
        material: None,
        description: None,
    };
    house.kms.import(&house.permit(&key), &import).unwrap();
    mac(house, &key);
}

/// Whether what was given is to be seen from outside: a salt, an id.
fn is_public(turned: &Turned, seen: &[Vec<u8>]) -> bool {
    let plain: Vec<u8> = turned.iter().map(|byte| !byte).collect();
    let hex: String = plain.iter().map(|byte| format!("{byte:02x}")).collect();
    seen.iter().any(|seen| {
        let has = |part: &[u8]| seen.windows(part.len()).any(|window| window == part);
        has(&plain) || has(hex.as_bytes())
    })
}

#[test]
fn keys_are_in_locked_pages_and_nowhere_else() {
    let recorder = Arc::new(Recorder {
        source: File::open("/dev/urandom").unwrap(),
        given: Mutex::default(),
    });
    let mut house = House::new();
    let root = RootKey::development(&house.directory.path().join("scanned.key"), &*recorder).unwrap();
    let world = Arc::clone(&house.world);
    house.kms = Kms::new(root, world.clone(), Arc::clone(&recorder) as _, world);
    let seen = use_keys(&house, &recorder);
    let mut secrets = recorder.given.lock().unwrap().clone();
    let all = secrets.len();
    secrets.retain(|turned| !is_public(turned, &seen));
    drop(seen);
    // Root, seed, three materials made here, one imported, two data keys.
    assert!(
        secrets.len() >= 7 && secrets.len() < all,
        "{} of {all}",
        secrets.len()
    );
    let (outside, locked) = places(&secrets);
    assert_eq!(outside, Vec::<String>::new());
    assert!(locked >= 5, "{locked}");

    // Keys that are not to be used any more are not even there.
    let kept = house.world.kept.lock().unwrap().clone();
    for kept in kept.values() {
        house.kms.disable(&house.permit(&kept.arn().unwrap())).unwrap();
    }
    let (outside, left) = places(&secrets);
    assert_eq!(outside, Vec::<String>::new());
    assert_eq!(left, 2, "the root and its seed");
}
