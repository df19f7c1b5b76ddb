//! Evidence (RFC 9334) of what runs on a machine, and the appraisal of it.
//!
//! A verifier ([`nitro`], [`snp`], [`tdx`]) takes bytes, trust anchors and a time, and returns [`Genuine`] claims or a [`Refusal`] that says which
//! check failed, of which part, and what was found. An [`AppraisalPolicy`] then makes them [`Verified`]. Everything is an
//! argument: no clock, no file, no network, and no secret.

mod anchors;
mod appraisal;
mod claims;
mod layout;
mod nearest;
pub mod nitro;
mod policy;
mod refusal;
mod registers;
pub mod snp;
pub mod tdx;
pub mod tpm;

pub use anchors::{amd_authorities, amd_roots, aws_nitro_roots, intel_roots};
pub use appraisal::{AppraisalPolicy, BootReference, EnclaveReference, Freshness, KeyRelease, References};
pub use claims::{Claims, EvidenceKind, Genuine, Verified, Workload};
pub use policy::{LONGEST as LONGEST_POLICY, PolicyFile, PolicyFileError};
pub use refusal::{Check, Part, Refusal};
pub use registers::{Bank, BootDigest, COUNT as REGISTERS, Registers};
