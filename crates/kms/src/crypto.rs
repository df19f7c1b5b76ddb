//! The three primitives, named once: derive (HKDF-SHA-256), encrypt and decrypt (AES-256-GCM).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use zeroize::{Zeroize, Zeroizing};

use crate::error::KmsError;

pub(crate) const KEY: usize = 32;
pub(crate) const NONCE: usize = 12;
pub(crate) const TAG: usize = 16;

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// `N` bytes from `secret` by HKDF-SHA-256; `info` says what they are for.
pub(crate) fn derive<const N: usize>(
    secret: &[u8],
    salt: &[u8],
    info: &[&[u8]],
) -> Result<Zeroizing<[u8; N]>, KmsError> {
    let mut derived = Zeroizing::new([0; N]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(info, Length(N))
        .and_then(|okm| okm.fill(derived.as_mut_slice()))
        .map_err(|_unspecified| KmsError::Cryptography("derive a key"))?;
    Ok(derived)
}

/// One AES-256-GCM key.
pub(crate) struct Cipher(LessSafeKey);

impl Cipher {
    pub(crate) fn new(key: &[u8; KEY]) -> Result<Self, KmsError> {
        UnboundKey::new(&AES_256_GCM, key)
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|_unspecified| KmsError::Cryptography("take a key"))
    }

    /// Appends ciphertext and tag to `out`. The nonce must never have been used with this key.
    pub(crate) fn encrypt(
        &self,
        nonce: [u8; NONCE],
        aad: &[u8],
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), KmsError> {
        let start = out.len();
        out.extend_from_slice(plain);
        let failed = || KmsError::Cryptography("encrypt");
        let room = out.get_mut(start..).ok_or_else(failed)?;
        match self.encrypt_in_place(nonce, aad, room) {
            Ok(tag) => {
                out.extend_from_slice(&tag);
                Ok(())
            }
            Err(error) => {
                room.fill(0);
                out.truncate(start);
                Err(error)
            }
        }
    }

    /// Makes ciphertext of the plaintext where it is, and gives the tag. The nonce must never have been used with this key.
    pub(crate) fn encrypt_in_place(
        &self,
        nonce: [u8; NONCE],
        aad: &[u8],
        room: &mut [u8],
    ) -> Result<[u8; TAG], KmsError> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), room);
        let failed = || KmsError::Cryptography("encrypt");
        let tag = sealed.map_err(|_unspecified| failed())?;
        tag.as_ref().try_into().map_err(|_other_length| failed())
    }

    /// Makes plaintext of ciphertext and tag where they are, if they and `aad` are authentic, and takes the tag off: `None`
    /// and nothing left if not.
    pub(crate) fn decrypt_in_place(
        &self,
        nonce: [u8; NONCE],
        aad: &[u8],
        sealed: &mut Vec<u8>,
    ) -> Option<()> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self.0.open_in_place(nonce, Aad::from(aad), sealed);
        if let Ok(length) = opened.map(|plain| plain.len()) {
            sealed.truncate(length);
            return Some(());
        }
        sealed.zeroize();
        None
    }

    /// Appends the plaintext to `out`, if ciphertext, tag and `aad` are authentic: `None` and nothing appended if not.
    pub(crate) fn decrypt(
        &self,
        nonce: [u8; NONCE],
        aad: &[u8],
        sealed: &[u8],
        out: &mut Zeroizing<Vec<u8>>,
    ) -> Option<()> {
        let (ciphertext, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG)?)?;
        let start = out.len();
        out.resize(start.checked_add(ciphertext.len())?, 0);
        let room = out.get_mut(start..)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self
            .0
            .open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, room);
        if opened.is_err() {
            room.fill(0);
            out.truncate(start);
        }
        opened.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5869, test case 1.
    #[test]
    fn derivation_is_hkdf_sha256() {
        let salt: Vec<u8> = (0..=12).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let okm = derive::<42>(&[0x0b; 22], &salt, &[&info]).unwrap();
        assert_eq!(okm[..6], [0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac]);
        assert_eq!(okm[33..], [0x00, 0x72, 0x08, 0xd5, 0xb8, 0x87, 0x18, 0x58, 0x65]);
    }

    /// McGrew and Viega, the GCM submission, test case 16: AES-256 with additional data.
    #[test]
    fn encryption_is_aes_256_gcm_and_alterations_leave_nothing_behind() {
        let key: [u8; 32] = [
            0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08,
            0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08,
        ];
        let nonce = [
            0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88,
        ];
        let plain = [0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5];
        let cipher = Cipher::new(&key).unwrap();
        let mut sealed = Vec::new();
        cipher.encrypt(nonce, b"aad", &plain, &mut sealed).unwrap();
        assert_eq!(sealed[..8], [0x52, 0x2d, 0xc1, 0xf0, 0x99, 0x56, 0x7d, 0x07]);
        let mut out = Zeroizing::new(vec![9]);
        assert!(cipher.decrypt(nonce, b"aad", &sealed, &mut out).is_some());
        assert_eq!(out[1..], plain);
        assert!(cipher.decrypt(nonce, b"other", &sealed, &mut out).is_none());
        assert!(cipher.decrypt(nonce, b"aad", &sealed[..15], &mut out).is_none());
        assert_eq!(out.len(), 9);
    }
}
