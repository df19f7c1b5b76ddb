//! The key that a store is authenticated with: its own, by chance, wrapped by the root, so that it survives rotations.
//!
//! ```text
//! fingerprint of the root (16) | nonce (12) | AES-256-GCM of the key (32) | tag (16)
//! ```
//! It rests in the store itself, under a key that the root gives for this. Whoever puts an earlier one back gains nothing:
//! it is the same key, or is under a root that is there no more.

use std::sync::Arc;

use aws_lc_rs::hmac;
use moho_os::LockedBytes;
use moho_terms::{Entropy, Secret};
use zeroize::Zeroizing;

use super::ring::FINGERPRINT;
use super::{Root, RootKey};
use crate::crypto::{Cipher, KEY, NONCE, derive};
use crate::error::KmsError;

/// Binds what is wrapped to what it is for.
const CONTEXT: &[u8] = b"moho/kms/2 store key";
/// The salt of what is derived from it.
const SALT: &[u8] = b"moho/store/1";

/// The key of one store. It never leaves this type; what the store needs is derived from it.
pub struct StoreKey(LockedBytes);

impl StoreKey {
    /// A new one.
    ///
    /// # Errors
    /// [`KmsError`] if there is no randomness or no memory.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, KmsError> {
        let mut key = Zeroizing::new([0; KEY]);
        entropy.fill(key.as_mut_slice())?;
        Ok(Self(LockedBytes::take(key.as_mut_slice())?))
    }

    /// What keeps it, under this root.
    ///
    /// # Errors
    /// [`KmsError`] if there is no randomness.
    pub fn wrap(&self, root: &Root, entropy: &dyn Entropy) -> Result<Vec<u8>, KmsError> {
        let mut nonce = [0; NONCE];
        entropy.fill(&mut nonce)?;
        let mut wrapped = [root.fingerprint().as_slice(), &nonce].concat();
        root.store_cipher()?
            .encrypt(nonce, CONTEXT, self.0.expose(), &mut wrapped)?;
        Ok(wrapped)
    }

    /// The key that was wrapped by one of the roots.
    ///
    /// # Errors
    /// [`KmsError::DamagedStoreKey`] if it was altered, or none of the roots wrapped it.
    pub fn unwrap(wrapped: &[u8], root: &RootKey) -> Result<Self, KmsError> {
        let (fingerprint, rest) = wrapped.split_first_chunk().ok_or(KmsError::DamagedStoreKey)?;
        let (nonce, sealed) = rest.split_first_chunk().ok_or(KmsError::DamagedStoreKey)?;
        let wrapping: Arc<Root> = root.root(fingerprint)?.ok_or(KmsError::DamagedStoreKey)?;
        let mut opened = Zeroizing::new(Vec::with_capacity(KEY));
        wrapping
            .store_cipher()?
            .decrypt(*nonce, CONTEXT, sealed, &mut opened)
            .ok_or(KmsError::DamagedStoreKey)?;
        if opened.len() != KEY {
            return Err(KmsError::DamagedStoreKey);
        }
        Ok(Self(LockedBytes::take(opened.as_mut_slice())?))
    }

    /// Whether this root wrapped it.
    #[must_use]
    pub fn is_under(wrapped: &[u8], root: &Root) -> bool {
        wrapped.first_chunk::<FINGERPRINT>() == Some(root.fingerprint())
    }

    /// What authenticates one kind of thing; no two purposes are related.
    ///
    /// # Errors
    /// [`KmsError::Cryptography`] if the library fails.
    pub fn mac(&self, purpose: &str) -> Result<StoreMac, KmsError> {
        let key: Zeroizing<[u8; KEY]> = derive(self.0.expose(), SALT, &[purpose.as_bytes()])?;
        Ok(StoreMac(hmac::Key::new(hmac::HMAC_SHA256, key.as_slice())))
    }

    /// What seals one kind of secret; no two purposes are related.
    ///
    /// # Errors
    /// [`KmsError::Cryptography`] if the library fails.
    pub fn cipher(&self, purpose: &str) -> Result<StoreCipher, KmsError> {
        let key: Zeroizing<[u8; KEY]> = derive(self.0.expose(), SALT, &[b"cipher ", purpose.as_bytes()])?;
        Ok(StoreCipher(Cipher::new(&key)?))
    }
}

/// AES-256-GCM under a key of the store's, for secrets of moho's own that rest in it.
///
/// ```text
/// nonce (12) | AES-256-GCM of the secret | tag (16)
/// ```
pub struct StoreCipher(Cipher);

impl StoreCipher {
    /// Seals a secret; `name` says which it is, and has to be said again to open it.
    ///
    /// # Errors
    /// [`KmsError`] if there is no randomness.
    pub fn seal(&self, name: &[u8], secret: &Secret, entropy: &dyn Entropy) -> Result<Vec<u8>, KmsError> {
        let mut nonce = [0; NONCE];
        entropy.fill(&mut nonce)?;
        let mut sealed = nonce.to_vec();
        self.0.encrypt(nonce, name, secret.expose(), &mut sealed)?;
        Ok(sealed)
    }

    /// Opens it again.
    ///
    /// # Errors
    /// [`KmsError::DamagedStoreKey`] if it was altered, or is another one.
    pub fn open(&self, name: &[u8], sealed: &[u8]) -> Result<Secret, KmsError> {
        let (nonce, sealed) = sealed.split_first_chunk().ok_or(KmsError::DamagedStoreKey)?;
        let mut opened = Zeroizing::new(Vec::with_capacity(sealed.len()));
        self.0
            .decrypt(*nonce, name, sealed, &mut opened)
            .ok_or(KmsError::DamagedStoreKey)?;
        Ok(Secret::new(std::mem::take(&mut *opened)))
    }
}

/// HMAC-SHA-256 under a key of the store's.
pub struct StoreMac(hmac::Key);

impl StoreMac {
    /// Begins with nothing.
    #[must_use]
    pub fn begin(&self) -> Macing {
        Macing(hmac::Context::with_key(&self.0))
    }

    /// The MAC of these bytes, one after the other.
    #[must_use]
    pub fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut begun = self.begin();
        parts.iter().for_each(|part| begun.update(part));
        begun.finish()
    }
}

/// A MAC that is being made.
pub struct Macing(hmac::Context);

impl Macing {
    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The MAC.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        let mut mac = [0; 32];
        // INVARIANT: HMAC-SHA-256 has 32 bytes.
        for (place, byte) in mac.iter_mut().zip(self.0.sign().as_ref()) {
            *place = *byte;
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Counter;
    use super::*;

    #[test]
    fn a_secret_opens_by_its_name_only_and_unaltered() {
        let entropy = Counter::default();
        let key = StoreKey::random(&entropy).unwrap();
        let (one, two) = (key.cipher("one").unwrap(), key.cipher("two").unwrap());
        let secret = Secret::new(b"a private key".to_vec());
        let sealed = one.seal(b"name", &secret, &entropy).unwrap();
        assert_ne!(sealed, one.seal(b"name", &secret, &entropy).unwrap());
        assert_eq!(one.open(b"name", &sealed).unwrap().expose(), secret.expose());
        assert!(one.open(b"other", &sealed).is_err());
        assert!(two.open(b"name", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(one.open(b"name", &altered).is_err(), "{at}");
            assert!(one.open(b"name", &sealed[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn only_what_a_root_wrapped_opens_and_is_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let entropy = Counter::default();
        let root = RootKey::development(&folder.path().join("root.key"), &entropy).unwrap();
        let other = RootKey::development(&folder.path().join("other.key"), &entropy).unwrap();
        let key = StoreKey::random(&entropy).unwrap();
        let wrapped = key.wrap(root.ring().current(), &entropy).unwrap();
        assert_eq!(wrapped.len(), 76);
        assert!(StoreKey::is_under(&wrapped, root.ring().current()));
        assert!(!StoreKey::is_under(&wrapped, other.ring().current()));
        let opened = StoreKey::unwrap(&wrapped, &root).unwrap();
        let mac = |key: &StoreKey, purpose| key.mac(purpose).unwrap().of(&[b"a", b"b"]);
        assert_eq!(mac(&opened, "one"), mac(&key, "one"));
        assert_ne!(mac(&key, "one"), mac(&key, "two"));
        assert!(matches!(
            StoreKey::unwrap(&wrapped, &other),
            Err(KmsError::DamagedStoreKey)
        ));
        for at in 0..wrapped.len() {
            let mut altered = wrapped.clone();
            altered[at] ^= 1;
            assert!(StoreKey::unwrap(&altered, &root).is_err(), "{at}");
            assert!(StoreKey::unwrap(&wrapped[..at], &root).is_err(), "{at}");
        }
    }
}
