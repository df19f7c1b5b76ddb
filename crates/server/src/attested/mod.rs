//! What this moho says of itself to whoever asks with a nonce: the keys it is spoken to by, and evidence for them by a TPM, if there is one.
//!
//! Without a TPM the answer is `development`, which is another type for whoever reads it (`moho_attest::session`). With one, evidence is over
//! the statement of nonce, purpose and key set; until moho's own boot image exists it is of a host, and says nothing of the program.

mod answer;
mod host_tpm;
mod keys;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use moho_attest::session::{KeySet, Nonce, Purpose, Statement};
use moho_terms::{Clock, Entropy, EntropyUnavailable};

use self::host_tpm::HostTpm;
pub(crate) use self::host_tpm::NoTpm;
use self::keys::{KeyMakingFailed, SessionKeys};
use crate::net::pool::Sharer;
use crate::net::tls::Certificates;

/// Why there are no keys, or nothing that vouches for them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttestedError {
    #[error(transparent)]
    Keys(#[from] KeyMakingFailed),
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
    #[error(transparent)]
    Tpm(#[from] NoTpm),
    #[error("no certificate is shown yet")]
    NoCertificate,
}

/// The keys of this moho, and what vouches for them.
pub(crate) struct Attested {
    keys: SessionKeys,
    tpm: Option<Arc<HostTpm>>,
    shown: Arc<OnceLock<Arc<Certificates>>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Attested {
    /// Makes the keys, and opens the TPM that was named.
    pub(crate) fn open(
        tpm: Option<&Path>,
        (clock, entropy): (&Arc<dyn Clock>, &Arc<dyn Entropy>),
    ) -> Result<Self, AttestedError> {
        Ok(Self {
            keys: SessionKeys::make(clock.now(), &**entropy)?,
            tpm: tpm.map(HostTpm::open).transpose()?.map(Arc::new),
            shown: Arc::default(),
            clock: Arc::clone(clock),
            entropy: Arc::clone(entropy),
        })
    }

    /// Where the certificate that is shown has to be put.
    pub(crate) fn shown(&self) -> Arc<OnceLock<Arc<Certificates>>> {
        Arc::clone(&self.shown)
    }

    /// What the start-up lines have to say of it.
    pub(crate) fn posture(&self) -> Option<String> {
        self.tpm.as_ref().map(|tpm| tpm.posture())
    }

    /// The answer to a peer's nonce, in JSON.
    pub(crate) async fn answer(&self, nonce: Nonce, peer: Sharer) -> Result<Vec<u8>, AttestedError> {
        let key_set = self.key_set()?.to_bytes();
        let statement = Statement::over(&key_set, Purpose::Session, nonce);
        let evidence = match &self.tpm {
            Some(tpm) => Some(HostTpm::quote(Arc::clone(tpm), statement.binding(), peer).await?),
            None => None,
        };
        Ok(answer::json(&statement, &key_set, evidence.as_ref()))
    }

    fn key_set(&self) -> Result<KeySet, AttestedError> {
        let shown = self
            .shown
            .get()
            .and_then(|certificates| certificates.public_key());
        let public_key = shown.ok_or(AttestedError::NoCertificate)?;
        self.keys.key_set(&public_key, self.clock.now(), &*self.entropy)
    }
}
