//! Attested release: a plaintext that leaves only inside CMS for a key that verified evidence names.
//!
//! `CiphertextForRecipient` as AWS KMS makes it: EnvelopedData (RFC 5652, 6) in BER with indefinite lengths, of version 2 with
//! one KeyTransRecipientInfo of version 2 (`[0]` subjectKeyIdentifier, RSAES-OAEP with SHA-256), and AES-256-CBC content without
//! a MAC. So who receives it knows it by the channel alone: TLS to KMS has to end inside what was measured.

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use moho_attest::evidence::{KeyRelease, Verified};
use moho_terms::{Entropy, Secret};
use zeroize::Zeroizing;

use crate::error::KmsError;

/// Bits of the RSA keys that a plaintext is released to.
const BITS: [usize; 3] = [2048, 3072, 4096];
/// Bytes of the key that the content is encrypted under.
const KEY: usize = 32;

/// `1.2.840.113549.1.7.3`, with its head.
const ENVELOPED_DATA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 3];
/// `1.2.840.113549.1.7.1`, with its head.
const DATA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
/// `2.16.840.1.101.3.4.1.42`, with its head.
const AES_256_CBC: &[u8] = &[0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 0x2a];
/// `id-RSAES-OAEP` with SHA-256 as hash and in MGF1 (RFC 4055, 4.1).
const OAEP_SHA256: &[u8] = &[
    0x30, 0x3c, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 7, 0x30, 0x2f, 0xa0, 0x0f, 0x30, 0x0d,
    0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 0xa1, 0x1c, 0x30, 0x1a, 0x06, 9, 0x2a, 0x86, 0x48,
    0x86, 0xf7, 0x0d, 1, 1, 8, 0x30, 0x0d, 0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0,
];
/// The end of an element of indefinite length.
const END: [u8; 2] = [0, 0];

/// To whom a plaintext is released: the holder of the key in verified evidence, and nobody else.
pub struct Recipient {
    key: OaepPublicEncryptingKey,
    /// SHA-256 of the key's SubjectPublicKeyInfo.
    id: Vec<u8>,
}

impl Recipient {
    /// The holder of the key that the evidence names.
    ///
    /// # Errors
    /// [`KmsError::Validation`] if it names none, or one that is not RSA of 2048, 3072 or 4096 bits in DER.
    pub fn new(evidence: &Verified<KeyRelease>) -> Result<Self, KmsError> {
        Self::of(evidence.claims().public_key())
    }

    fn of(info: Option<&[u8]>) -> Result<Self, KmsError> {
        let refused = |why: &str| KmsError::Validation(format!("The attestation document {why}."));
        let info = info.ok_or_else(|| refused("has no public_key to encrypt to"))?;
        let wrong = || refused("has a public_key that is no RSA key of 2048, 3072 or 4096 bits in DER");
        let key = PublicEncryptingKey::from_der(info).map_err(|_rejected| wrong())?;
        if !BITS.contains(&key.key_size_bits()) {
            return Err(wrong());
        }
        Ok(Self {
            key: OaepPublicEncryptingKey::new(key).map_err(|_unspecified| wrong())?,
            id: digest(&SHA256, info).as_ref().to_vec(),
        })
    }

    /// Encloses a plaintext, which is wiped: `CiphertextForRecipient`.
    ///
    /// # Errors
    /// [`KmsError::Entropy`] and [`KmsError::Cryptography`].
    pub fn enclose(&self, plain: Secret, entropy: &dyn Entropy) -> Result<Vec<u8>, KmsError> {
        let failed = || KmsError::Cryptography("encrypt to a recipient");
        let mut key = Zeroizing::new([0; KEY]);
        entropy.fill(key.as_mut_slice())?;
        let mut encrypted_key = vec![0; self.key.ciphertext_size()];
        let length = self
            .key
            .encrypt(&OAEP_SHA256_MGF1SHA256, key.as_slice(), &mut encrypted_key, None)
            .map_err(|_unspecified| failed())?
            .len();
        encrypted_key.truncate(length);

        // Room for the padding from the start: growing would leave a copy of the plaintext behind.
        let mut content = Zeroizing::new(Vec::with_capacity(plain.len().saturating_add(16)));
        content.extend_from_slice(plain.expose());
        drop(plain);
        let cipher = UnboundCipherKey::new(&AES_256, key.as_slice())
            .and_then(PaddedBlockEncryptingKey::cbc_pkcs7)
            .map_err(|_unspecified| failed())?;
        let context = cipher.encrypt(&mut *content).map_err(|_unspecified| failed())?;
        let DecryptionContext::Iv128(iv) = context else {
            return Err(failed());
        };
        Ok(self.enveloped(&encrypted_key, iv.as_ref(), &content))
    }

    fn enveloped(&self, encrypted_key: &[u8], iv: &[u8], content: &[u8]) -> Vec<u8> {
        let mut info = vec![0x02, 1, 2];
        element(0x80, &self.id, &mut info);
        info.extend_from_slice(OAEP_SHA256);
        element(0x04, encrypted_key, &mut info);
        let mut infos = Vec::new();
        element(0x30, &info, &mut infos);

        let mut cms = vec![0x30, 0x80];
        cms.extend_from_slice(ENVELOPED_DATA);
        cms.extend_from_slice(&[0xa0, 0x80, 0x30, 0x80, 0x02, 1, 2]);
        element(0x31, &infos, &mut cms);
        cms.extend_from_slice(&[0x30, 0x80]);
        cms.extend_from_slice(DATA);
        let mut algorithm = AES_256_CBC.to_vec();
        element(0x04, iv, &mut algorithm);
        element(0x30, &algorithm, &mut cms);
        cms.extend_from_slice(&[0xa0, 0x80]);
        element(0x04, content, &mut cms);
        // The content, its info, the enveloped data, what holds it, and all of it.
        for _ in 0..5 {
            cms.extend_from_slice(&END);
        }
        cms
    }
}

/// Writes an element of definite length.
fn element(tag: u8, value: &[u8], to: &mut Vec<u8>) {
    to.push(tag);
    let length = value.len().to_be_bytes();
    match value.len() {
        0..=0x7f => to.extend(length.last()),
        0x80..=0xff => {
            to.push(0x81);
            to.extend(length.last());
        }
        0x100..=0xffff => {
            to.push(0x82);
            to.extend(length.iter().skip(length.len().saturating_sub(2)));
        }
        _ => {
            to.push(0x84);
            to.extend(length.iter().skip(length.len().saturating_sub(4)));
        }
    }
    to.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::cipher::{DecryptionContext, PaddedBlockDecryptingKey};
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};

    struct Counting;

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), moho_terms::EntropyUnavailable> {
            bytes.fill(7);
            Ok(())
        }
    }

    fn recipient() -> (OaepPrivateDecryptingKey, Recipient) {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let public = private.public_key();
        let info = AsDer::<PublicKeyX509Der<'_>>::as_der(&public).unwrap();
        let recipient = Recipient::of(Some(info.as_ref())).unwrap();
        (OaepPrivateDecryptingKey::new(private).unwrap(), recipient)
    }

    #[test]
    fn the_envelope_has_the_bytes_of_aws_and_opens_with_the_key() {
        let (private, recipient) = recipient();
        for length in [1, 15, 16, 32, 1024] {
            let plain = vec![9; length];
            let cms = recipient.enclose(Secret::new(plain.clone()), &Counting).unwrap();
            // Where AWS's own envelopes have them, of a key of 2048 bits.
            assert_eq!(
                &cms[..20],
                b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0\x80\x30\x80\x02\x01\x02"
            );
            assert_eq!(&cms[20..31], b"\x31\x82\x01\x6b\x30\x82\x01\x67\x02\x01\x02");
            assert_eq!(&cms[31..33], b"\x80\x20");
            assert_eq!(&cms[65..127], OAEP_SHA256);
            let mut key = [0; 256];
            let key = private
                .decrypt(&OAEP_SHA256_MGF1SHA256, &cms[131..387], &mut key, None)
                .unwrap();
            let iv: [u8; 16] = cms[415..431].try_into().unwrap();
            let padded = length / 16 * 16 + 16;
            assert!(cms.ends_with(&[0; 10]));
            let mut content = cms[cms.len() - 10 - padded..cms.len() - 10].to_vec();
            let cipher = UnboundCipherKey::new(&AES_256, key).unwrap();
            let opened = PaddedBlockDecryptingKey::cbc_pkcs7(cipher)
                .unwrap()
                .decrypt(&mut content, DecryptionContext::Iv128(iv.into()))
                .unwrap();
            assert_eq!(opened, plain);
        }
    }

    #[test]
    fn two_envelopes_of_one_plaintext_are_different() {
        let (_, recipient) = recipient();
        let one = recipient.enclose(Secret::new(vec![1; 32]), &Counting).unwrap();
        let two = recipient.enclose(Secret::new(vec![1; 32]), &Counting).unwrap();
        assert_ne!(one, two);
    }

    #[test]
    fn keys_that_are_no_recipients_are_refused() {
        let point = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
        for info in [
            None,
            Some(&b"my super secret key"[..]),
            Some(&[]),
            Some(point.as_bytes()),
        ] {
            assert!(matches!(Recipient::of(info), Err(KmsError::Validation(_))));
        }
    }
}
