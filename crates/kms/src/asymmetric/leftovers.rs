//! Nothing of a key's secret is left in the process once nobody has the key any more: all writable memory is looked
//! through for it, in both orders of bytes, as the cryptographic library turns numbers around.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use moho_terms::{Entropy, EntropyUnavailable};

use super::*;

/// No other test has the same secrets.
struct Random;

impl Entropy for Random {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        aws_lc_rs::rand::fill(bytes).map_err(|_unspecified| EntropyUnavailable)
    }
}

/// What a secret would be recognised by, masked, so that it is not found here.
struct Needle([u8; 24]);

const MASK: u8 = 0xa7;

impl Needle {
    fn of(secret: &[u8]) -> Self {
        let mut masked = [0; 24];
        for (to, from) in masked.iter_mut().zip(&secret[secret.len() - 24..]) {
            *to = from ^ MASK;
        }
        Self(masked)
    }

    fn is_at(&self, bytes: &[u8]) -> bool {
        let same = |(found, masked): (&u8, &u8)| found ^ MASK == *masked;
        bytes.iter().zip(&self.0).all(same) || bytes.iter().rev().zip(&self.0).all(same)
    }

    /// How often it stands in writable memory.
    fn found(&self) -> usize {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut memory = File::open("/proc/self/mem").unwrap();
        let mut page = Zeroizing::new(vec![0; 1 << 16]);
        let mut found = 0;
        for line in maps.lines().filter(|line| line.contains(" rw")) {
            let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
            let number = |digits| u64::from_str_radix(digits, 16).unwrap();
            let (mut at, end) = (number(start), number(end));
            while at < end {
                let length = usize::try_from(end - at).unwrap().min(page.len());
                memory.seek(SeekFrom::Start(at)).unwrap();
                let read = memory.read(&mut page[..length]).unwrap_or(0);
                found += page[..read].windows(24).filter(|bytes| self.is_at(bytes)).count();
                // What lies across two reads is seen by the second.
                at += u64::try_from(length).unwrap().saturating_sub(23).max(1);
                if at + 23 >= end {
                    break;
                }
            }
            page.fill(0);
        }
        found
    }
}

/// What identifies the secret in the material of a kind: the whole of a symmetric key, the seed, the private number.
fn secret_of(spec: KeySpec, material: &[u8]) -> &[u8] {
    if spec == KeySpec::EccNistP256 {
        &material[36..68]
    } else {
        material
    }
}

fn used(key: &PreparedKey) {
    let message = b"m";
    match key.usage {
        KeyUsage::SignVerify => {
            let algorithm = key.spec.signing_algorithms(key.usage)[0];
            key.sign(algorithm, MessageType::Raw, message).map(drop).unwrap();
        }
        KeyUsage::KeyAgreement => {
            let own = key.public_key().unwrap().to_vec();
            key.derive(KeyAgreementAlgorithm::Ecdh, &own).map(drop).unwrap();
        }
        KeyUsage::EncapsulateDecapsulate => {
            let (_, ciphertext) = key.encapsulate(EncapsulationAlgorithm::MlKem).unwrap();
            key.decapsulate(EncapsulationAlgorithm::MlKem, &ciphertext)
                .map(drop)
                .unwrap();
        }
        KeyUsage::GenerateVerifyMac => {
            let algorithm = key.spec.mac_algorithms(key.usage)[0];
            key.mac(algorithm, message).map(drop).unwrap();
        }
        KeyUsage::EncryptDecrypt => {
            let ciphertext = key
                .encrypt(EncryptionAlgorithm::RsaesOaepSha256, message)
                .unwrap();
            key.decrypt(EncryptionAlgorithm::RsaesOaepSha256, &ciphertext)
                .map(drop)
                .unwrap();
        }
    }
}

#[test]
fn nothing_is_left_of_a_key_that_nobody_has() {
    let kinds = [
        (KeySpec::Hmac256, KeyUsage::GenerateVerifyMac),
        (KeySpec::EccNistEdwards25519, KeyUsage::SignVerify),
        (KeySpec::EccNistP256, KeyUsage::SignVerify),
        (KeySpec::EccNistP256, KeyUsage::KeyAgreement),
        (KeySpec::Rsa2048, KeyUsage::SignVerify),
        (KeySpec::Rsa2048, KeyUsage::EncryptDecrypt),
        (KeySpec::MlDsa65, KeyUsage::SignVerify),
        (KeySpec::MlKem768, KeyUsage::EncapsulateDecapsulate),
    ];
    for (spec, usage) in kinds {
        let material = generate(spec, &Random).unwrap();
        let needle = Needle::of(secret_of(spec, &material));
        assert!(needle.found() > 0, "{spec}: it is seen while it is there");
        let key = PreparedKey::from_material(spec, usage, &material).unwrap();
        drop(material);
        used(&key);
        drop(key);
        assert_eq!(needle.found(), 0, "{spec} {usage}");
    }
}
