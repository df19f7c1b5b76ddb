//! The TPM of this host, asked for one quote at a time: a TPM takes a fifth of a second for one, and whoever likes may ask.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use moho_tpm::{
    Attester, Bank, Endorsement, PcrSelection, Quoted, Tpm, TpmDevice, TpmError, TpmSocket, Transport,
};

use crate::net::pool::{Pool, Sharer};
use crate::road::chain;

/// How many may wait for a quote, and how many of one peer's. More are asked to come again.
const WAITING: usize = 16;
const WAITING_OF_ONE: usize = 4;
/// The registers that are quoted: all of the boot's but 10, which Linux extends as long as it runs.
const REGISTERS: [u8; 15] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15];

/// Why the TPM vouches for nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoTpm {
    #[error("the TPM {} cannot be reached: see `tpm` in the settings, and whether this user may use the device (group tss)", path.display())]
    Unreachable { path: PathBuf, source: io::Error },
    #[error("the TPM does not do what it is asked")]
    Refused(#[from] TpmError),
    #[error("the TPM has neither a bank of SHA-384 nor one of SHA-256")]
    NoBank,
    #[error("as many as may wait for the TPM wait already")]
    Busy,
    #[error("what asks the TPM has ended")]
    Ended,
}

/// What a TPM said, as `TPMT_PUBLIC`, `TPMS_ATTEST`, `TPMT_SIGNATURE` and values of registers.
pub(super) struct TpmEvidence {
    pub(super) attestation_key: Vec<u8>,
    pub(super) quote: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) bank: &'static str,
    pub(super) registers: BTreeMap<u8, Vec<u8>>,
    pub(super) endorsement_certificate: Option<Vec<u8>>,
}

/// A TPM, and which bank of registers it has.
pub(crate) struct HostTpm {
    /// For one at a time: a TPM has room for three keys or so.
    tpm: Mutex<Tpm>,
    path: PathBuf,
    simulated: bool,
    selection: PcrSelection,
    bank: &'static str,
    endorsement_certificate: Option<Vec<u8>>,
    places: Pool,
    /// Whether it did what it was last asked: strangers shall not fill the log with what it does not.
    works: AtomicBool,
}

impl HostTpm {
    /// Opens it, and makes sure that it can quote.
    pub(super) fn open(path: &Path) -> Result<Self, NoTpm> {
        let unreachable = |source| NoTpm::Unreachable {
            path: path.to_owned(),
            source,
        };
        let simulated = std::fs::metadata(path)
            .map_err(unreachable)?
            .file_type()
            .is_socket();
        let transport: Box<dyn Transport> = if simulated {
            Box::new(TpmSocket::connect(path).map_err(unreachable)?)
        } else {
            Box::new(TpmDevice::open(path).map_err(unreachable)?)
        };
        let tpm = Tpm::open(transport)?;
        let (selection, bank) = bank(&tpm)?;
        let attester = Attester::new(&tpm)?;
        attester.quote(&[], &selection)?;
        let endorsement_certificate = match attester.endorsement_certificate(Endorsement::Ecc)? {
            Some(certificate) => Some(certificate),
            None => attester.endorsement_certificate(Endorsement::Rsa)?,
        };
        drop(attester);
        Ok(Self {
            tpm: Mutex::new(tpm),
            path: path.to_owned(),
            simulated,
            selection,
            bank,
            endorsement_certificate,
            places: Pool::new(WAITING, WAITING_OF_ONE),
            works: AtomicBool::new(true),
        })
    }

    pub(super) fn posture(&self) -> String {
        let path = self.path.display();
        if self.simulated {
            format!("the TPM at {path} is a simulator: what it says of this host proves nothing")
        } else {
            format!(
                "the TPM {path} vouches for this host, and says nothing of this program (`workload: unmeasured`)"
            )
        }
    }

    /// A quote over the boot's registers that repeats this, for a peer.
    pub(super) async fn quote(
        this: Arc<Self>,
        binding: [u8; 32],
        peer: Sharer,
    ) -> Result<TpmEvidence, NoTpm> {
        let place = Place::take(&this.places, peer)?;
        let quoted = tokio::task::spawn_blocking(move || {
            let _until_it_is_done = place;
            let quoted = this.quote_now(&binding);
            this.tell(quoted.as_ref().err());
            quoted
        });
        quoted.await.unwrap_or(Err(NoTpm::Ended))
    }

    /// Logs that it stopped working, and that it works again: once each.
    fn tell(&self, error: Option<&NoTpm>) {
        match (self.works.swap(error.is_none(), Ordering::Relaxed), error) {
            (true, Some(error)) => {
                tracing::error!(error = %chain(error), "the TPM vouches for nothing any more: there is no evidence until it does");
            }
            (false, None) => tracing::info!("the TPM vouches for this host again"),
            (true, None) | (false, Some(_)) => {}
        }
    }

    fn quote_now(&self, binding: &[u8]) -> Result<TpmEvidence, NoTpm> {
        let tpm = self.tpm.lock().unwrap_or_else(PoisonError::into_inner);
        let attester = Attester::new(&tpm)?;
        let Quoted {
            attest,
            signature,
            registers,
        } = attester.quote(binding, &self.selection)?;
        Ok(TpmEvidence {
            attestation_key: attester.public().to_vec(),
            quote: attest,
            signature,
            bank: self.bank,
            registers,
            endorsement_certificate: self.endorsement_certificate.clone(),
        })
    }
}

/// A peer's place among those who wait, given back when this is dropped.
struct Place {
    places: Pool,
    peer: Sharer,
}

impl Place {
    fn take(places: &Pool, peer: Sharer) -> Result<Self, NoTpm> {
        places.take(peer, 1).map_err(|_exhausted| NoTpm::Busy)?;
        Ok(Self {
            places: places.clone(),
            peer,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.give_back(&self.peer, 1);
    }
}

/// The strongest bank that the TPM has.
fn bank(tpm: &Tpm) -> Result<(PcrSelection, &'static str), NoTpm> {
    for (bank, name) in [(Bank::Sha384, "sha384"), (Bank::Sha256, "sha256")] {
        let Ok(selection) = PcrSelection::new(bank, &REGISTERS) else {
            continue;
        };
        if tpm.pcr_read(&selection).is_ok() {
            return Ok((selection, name));
        }
    }
    Err(NoTpm::NoBank)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Peer;

    #[test]
    fn nobody_has_all_places_of_those_who_wait() {
        let places = Pool::new(WAITING, WAITING_OF_ONE);
        let of = |n: u8| Sharer::of(Peer::Network(([192, 0, 2, n], 1).into()));
        let one: Vec<Place> = (0..WAITING_OF_ONE)
            .map(|_| Place::take(&places, of(1)).ok().unwrap())
            .collect();
        assert!(matches!(Place::take(&places, of(1)), Err(NoTpm::Busy)));
        assert!(Place::take(&places, of(2)).is_ok(), "another has room");
        drop(one);
        assert!(Place::take(&places, of(1)).is_ok(), "again");
    }
}
