//! The ring: the root that wraps, those that a rotation has not done with, and the seed.

use std::sync::Arc;

use aws_lc_rs::hmac;
use moho_os::{LockedBytes, Residence};
use moho_terms::{Entropy, Secret};
use zeroize::Zeroizing;

use super::error::RootKeyError;
use crate::crypto::{Cipher, KEY, derive};
use crate::error::KmsError;

/// Bytes of a root's public name.
pub(crate) const FINGERPRINT: usize = 16;
/// How many roots a file can hold: the current one, and what interrupted rotations left.
pub(super) const ROOTS: usize = 4;
/// How many roots that are in the file no more a process goes on knowing.
const RETIRED: usize = 4;
/// Bytes before the roots: how many there are, and the seed.
const HEAD: usize = 1 + KEY;
/// The bit beside the number of roots that says that a store was authenticated.
const HAS_STORE: u8 = 0x80;

/// The salt of everything that is derived. It never changes: what is derived must stay the same.
const SALT: &[u8] = b"moho/root/1";

/// One root, in locked memory. It never leaves this type; what others need is derived from it.
pub struct Root {
    key: LockedBytes,
    fingerprint: [u8; FINGERPRINT],
}

impl Root {
    fn take(key: &mut [u8; KEY]) -> Result<Arc<Self>, RootKeyError> {
        let fingerprint = *expand(key, "fingerprint").map_err(derivation)?;
        let key = LockedBytes::take(key)?;
        Ok(Arc::new(Self { key, fingerprint }))
    }

    fn random(entropy: &dyn Entropy) -> Result<Arc<Self>, RootKeyError> {
        let mut key = Zeroizing::new([0; KEY]);
        entropy.fill(key.as_mut_slice())?;
        Self::take(&mut key)
    }

    /// Names the root without telling anything about it.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; FINGERPRINT] {
        &self.fingerprint
    }

    /// The name as people read it: 32 hexadecimal digits.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.fingerprint))
    }

    /// The cipher that wraps KmsKeys' material.
    pub(crate) fn wrapping_cipher(&self) -> Result<Cipher, KmsError> {
        Cipher::new(&*expand(self.key.expose(), "wrap key material")?)
    }

    /// The cipher that wraps the key of a store.
    pub(super) fn store_cipher(&self) -> Result<Cipher, KmsError> {
        Cipher::new(&*expand(self.key.expose(), "wrap store key")?)
    }

    /// The key that authenticates the records of KmsKeys (HMAC-SHA-256).
    pub(crate) fn record_mac_key(&self) -> Result<hmac::Key, KmsError> {
        let key: Zeroizing<[u8; KEY]> = expand(self.key.expose(), "key record")?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()))
    }

    /// Some bytes that a damaged key would not give.
    pub(super) fn check_of<const N: usize>(key: &[u8; KEY]) -> Result<Zeroizing<[u8; N]>, RootKeyError> {
        expand(key, "check").map_err(derivation)
    }
}

/// The roots of an installation, and its seed.
///
/// What is kept is wrapped by a root, and told from what another wrapped by the root's fingerprint. What is only derived,
/// such as the key of session tokens, comes of the seed, which a rotation leaves alone, so that it ends nobody's session.
pub struct RootRing {
    seed: LockedBytes,
    current: Arc<Root>,
    /// In the file, because records may be wrapped by them.
    previous: Vec<Arc<Root>>,
    /// Whether a store was authenticated under this ring: then a store of before there was a tree is none of its stores.
    has_store: bool,
    /// In the file no more, but in this process: it may still be looking at a record of a moment ago.
    retired: Vec<Arc<Root>>,
}

impl RootRing {
    /// A new seed and a new root.
    pub(super) fn random(entropy: &dyn Entropy) -> Result<Self, RootKeyError> {
        let mut seed = Zeroizing::new([0; KEY]);
        entropy.fill(seed.as_mut_slice())?;
        Ok(Self {
            seed: LockedBytes::take(seed.as_mut_slice())?,
            current: Root::random(entropy)?,
            previous: Vec::new(),
            has_store: false,
            retired: Vec::new(),
        })
    }

    /// The ring of a file of the first format, which had one key for everything.
    pub(super) fn of_one_key(key: &[u8; KEY]) -> Result<Self, RootKeyError> {
        let (mut seed, mut root) = (Zeroizing::new(*key), Zeroizing::new(*key));
        Ok(Self {
            seed: LockedBytes::take(seed.as_mut_slice())?,
            current: Root::take(&mut root)?,
            previous: Vec::new(),
            has_store: false,
            retired: Vec::new(),
        })
    }

    /// The root that wraps.
    #[must_use]
    pub fn current(&self) -> &Arc<Root> {
        &self.current
    }

    /// The roots that something may still be wrapped by, newest first: a rotation began and has not ended.
    #[must_use]
    pub fn previous(&self) -> &[Arc<Root>] {
        &self.previous
    }

    /// Whether a store was ever authenticated under this ring.
    #[must_use]
    pub fn has_store(&self) -> bool {
        self.has_store
    }

    /// The root of this name, if it is known here.
    #[must_use]
    pub fn by_fingerprint(&self, fingerprint: &[u8; FINGERPRINT]) -> Option<&Arc<Root>> {
        let others = self.previous.iter().chain(&self.retired);
        std::iter::once(&self.current)
            .chain(others)
            .find(|root| root.fingerprint() == fingerprint)
    }

    /// A 32-byte secret for one purpose, always the same; no two purposes are related.
    ///
    /// # Errors
    /// [`KmsError::Cryptography`] if the library fails.
    pub fn derive(&self, purpose: &str) -> Result<Secret, KmsError> {
        let mut secret = expand::<KEY>(self.seed.expose(), &format!("purpose {purpose}"))?;
        Ok(Secret::take(&mut secret))
    }

    /// Whether all of it is kept out of swap.
    #[must_use]
    pub fn residence(&self) -> Residence {
        let all = [&self.current].into_iter().chain(&self.previous);
        let locked = |bytes: &LockedBytes| bytes.residence() == Residence::Locked;
        if locked(&self.seed) && all.into_iter().all(|root| locked(&root.key)) {
            Residence::Locked
        } else {
            Residence::Swappable
        }
    }

    /// This ring with a new current root before the one it has.
    pub(super) fn with_new_root(mut self, entropy: &dyn Entropy) -> Result<Self, RootKeyError> {
        if self.previous.len() + 1 >= ROOTS {
            return Err(RootKeyError::RingFull);
        }
        let old = std::mem::replace(&mut self.current, Root::random(entropy)?);
        self.previous.insert(0, old);
        Ok(self)
    }

    /// This ring with a new seed.
    pub(super) fn with_new_seed(mut self, entropy: &dyn Entropy) -> Result<Self, RootKeyError> {
        let mut seed = Zeroizing::new([0; KEY]);
        entropy.fill(seed.as_mut_slice())?;
        self.seed = LockedBytes::take(seed.as_mut_slice())?;
        Ok(self)
    }

    /// This ring, with the mark that a store was authenticated under it.
    pub(super) fn with_store(mut self) -> Self {
        self.has_store = true;
        self
    }

    /// This ring with its current root only.
    pub(super) fn without_previous(mut self) -> Self {
        self.previous.clear();
        self
    }

    /// This ring, as it is in the file, for a process that had `before`: roots that left the file stay known to it.
    pub(super) fn after(mut self, before: &Self) -> Self {
        let known = std::iter::once(&before.current)
            .chain(&before.previous)
            .chain(&before.retired);
        let gone: Vec<Arc<Root>> = known
            .filter(|root| self.by_fingerprint(root.fingerprint()).is_none())
            .take(RETIRED)
            .cloned()
            .collect();
        self.retired.extend(gone);
        self
    }

    /// The number of roots and the mark (1) | seed (32) | each root (32), the current one first.
    pub(super) fn write(&self, out: &mut Zeroizing<Vec<u8>>) {
        // Never more than ROOTS.
        let roots = u8::try_from(self.previous.len().saturating_add(1)).unwrap_or(u8::MAX);
        out.push(if self.has_store { roots | HAS_STORE } else { roots });
        out.extend_from_slice(self.seed.expose());
        for root in std::iter::once(&self.current).chain(&self.previous) {
            out.extend_from_slice(root.key.expose());
        }
    }

    /// Whether a ring can have so many bytes.
    pub(super) fn can_have(bytes: usize) -> bool {
        (1..=ROOTS).any(|roots| bytes == HEAD + roots * KEY)
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, RootKeyError> {
        let (count, rest) = bytes.split_first().ok_or(RootKeyError::Damaged)?;
        let (seed, roots) = rest.split_first_chunk::<KEY>().ok_or(RootKeyError::Damaged)?;
        let (roots, beyond) = roots.as_chunks::<KEY>();
        let (count, has_store) = (count & !HAS_STORE, count & HAS_STORE != 0);
        if roots.len() != usize::from(count) || roots.len() > ROOTS || !beyond.is_empty() {
            return Err(RootKeyError::Damaged);
        }
        let mut roots = roots.iter().map(|key| Root::take(&mut Zeroizing::new(*key)));
        let current = roots.next().ok_or(RootKeyError::Damaged)??;
        let previous = roots.collect::<Result<_, _>>()?;
        let mut seed = Zeroizing::new(*seed);
        Ok(Self {
            seed: LockedBytes::take(seed.as_mut_slice())?,
            current,
            previous,
            has_store,
            retired: Vec::new(),
        })
    }
}

pub(super) fn derivation(error: KmsError) -> RootKeyError {
    RootKeyError::Derivation(Box::new(error))
}

fn expand<const N: usize>(key: &[u8], label: &str) -> Result<Zeroizing<[u8; N]>, KmsError> {
    derive(key, SALT, &[label.as_bytes()])
}
