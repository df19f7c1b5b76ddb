//! TPM 2.0, spoken raw: commands as bytes to a device or a socket, and the answers read with suspicion.
//!
//! [`Tpm`] is one TPM behind a [`Transport`]: the kernel's `/dev/tpmrm0` ([`TpmDevice`]) or a simulator's socket ([`TpmSocket`]).
//! [`Attester`] makes an attestation key that signs nothing but what its TPM made, quotes registers with it, and proves that key and
//! endorsement key are of one TPM. Numbers and structures are those of TCG's TPM 2.0 Library, version 1.59 (Part 2: structures,
//! Part 3: commands).
//!
//! No secret of moho's crosses the bus here: what an attester sends and gets is public, but for the challenge that it activates,
//! which is whoever verifies' and good once.
#![forbid(unsafe_code)]

mod attester;
mod commands;
mod error;
#[cfg(test)]
mod hostile;
mod templates;
mod tpm;
mod transport;
mod wire;

pub use attester::{Attester, Endorsement, Quoted};
pub use commands::{Bank, PcrSelection, PcrValues, SelectionError};
pub use error::{ResponseCode, TpmError};
pub use tpm::Tpm;
pub use transport::{TpmDevice, TpmSocket, Transport};
