//! Keys: a root of trust, the customers' KmsKeys under it, and data keys under those.
//!
//! The root key ([`RootKey`]) wraps the material of each KmsKey; the material wraps a data key for every object; the
//! data key seals the object in chunks ([`SealedObject`]). Nothing is sealed or opened without a
//! [`Permit`](moho_iam::authz::Permit) for that very key, and nothing opens under another [`EncryptionContext`] than it
//! was sealed under. Records of keys are kept by whoever implements [`KeyRecords`]; they hold wrapped material only.
#![forbid(unsafe_code)]

mod context;
mod crypto;
mod error;
#[doc(hidden)]
pub mod hostile_input;
mod key;
mod policy;
mod root;
mod seal;
mod service;
pub mod spec;

pub use context::{ContextError, EncryptionContext};
pub use error::KmsError;
pub use key::{KeyRecord, KeyRecords, KeyState, KeyStateError, RecordsUnavailable};
pub use policy::default_key_policy;
pub use root::{RootKey, RootKeyError};
pub use seal::{SealedError, SealedObject};
pub use service::Kms;
