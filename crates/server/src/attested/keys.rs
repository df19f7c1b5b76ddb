//! The keys that sessions begin with. They live in this process and end with it: none is ever written anywhere.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use hpke::kem::XWing;
use hpke::{Kem as _, Serializable as _};
use moho_attest::session::KeySet;
use moho_os::{LockedBytes, MemoryError};
use moho_terms::{Entropy, EntropyUnavailable, Timestamp};
use zeroize::Zeroizing;

use super::AttestedError;

/// How long an HPKE key is good, in seconds: a day.
const LIFE: u64 = 86_400;
/// When the next one takes its place, in seconds of its life, so that nobody is given one that ends at once.
const RENEWED: u64 = LIFE / 2;
/// How many seconds ahead a key may be made: two who ask at once may have read the clock a moment apart.
const AHEAD: u64 = 60;
/// Bytes of a private key of X-Wing.
const PRIVATE: usize = 32;

/// Why keys cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyMakingFailed {
    #[error("the key for receipts cannot be made")]
    Receipt,
    #[error("there is no memory for keys")]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
}

/// An HPKE key of X-Wing.
pub(super) struct SealingKey {
    #[cfg_attr(
        not(test),
        expect(
            dead_code,
            reason = "what it opens, bodies that are sealed end to end, is not served yet"
        )
    )]
    private: LockedBytes,
    public: Vec<u8>,
    made: Timestamp,
}

impl SealingKey {
    fn make(now: Timestamp, entropy: &dyn Entropy) -> Result<Self, KeyMakingFailed> {
        let mut material = Zeroizing::new([0; PRIVATE]);
        entropy.fill(material.as_mut_slice())?;
        let (private, public) = XWing::derive_keypair(material.as_slice());
        let mut written = Zeroizing::new([0; PRIVATE]);
        private.write_exact(written.as_mut_slice());
        Ok(Self {
            private: LockedBytes::take(written.as_mut_slice())?,
            public: public.to_bytes().to_vec(),
            made: now,
        })
    }

    #[cfg(test)]
    pub(super) fn private(&self) -> &[u8] {
        self.private.expose()
    }
}

/// The keys of this process.
pub(super) struct SessionKeys {
    sealing: Mutex<Arc<SealingKey>>,
    receipt: EcdsaKeyPair,
}

impl SessionKeys {
    pub(super) fn make(now: Timestamp, entropy: &dyn Entropy) -> Result<Self, KeyMakingFailed> {
        Ok(Self {
            sealing: Mutex::new(Arc::new(SealingKey::make(now, entropy)?)),
            receipt: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING)
                .map_err(|_unspecified| KeyMakingFailed::Receipt)?,
        })
    }

    /// The HPKE key of this time: a new one if the last has lived half of its life, or is of a time that has not come.
    pub(super) fn sealing(
        &self,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Arc<SealingKey>, KeyMakingFailed> {
        let mut current = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        if current.made > now.plus_seconds(AHEAD) || now >= current.made.plus_seconds(RENEWED) {
            *current = Arc::new(SealingKey::make(now, entropy)?);
        }
        Ok(Arc::clone(&current))
    }

    /// What is told of them, beside a TLS key (SubjectPublicKeyInfo in DER).
    pub(super) fn key_set(
        &self,
        tls: &[u8],
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<KeySet, AttestedError> {
        let sealing = self.sealing(now, entropy)?;
        let mut of_tls = [0; 32];
        of_tls
            .iter_mut()
            .zip(digest(&SHA256, tls).as_ref())
            .for_each(|(to, from)| *to = *from);
        Ok(KeySet {
            tls: of_tls,
            hpke: sealing.public.clone(),
            receipt: self.receipt.public_key().as_ref().to_vec(),
            not_after: sealing.made.plus_seconds(LIFE),
        })
    }
}
