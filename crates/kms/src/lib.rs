//! Keys: a root of trust, the customers' KmsKeys under it, and data keys under those.
//!
//! The root key ([`RootKey`]) wraps the material of each KmsKey; the material wraps a data key for every object; the
//! data key seals the object in chunks ([`SealedObject`]). Nothing is sealed or opened without a
//! [`Permit`](moho_iam::authz::Permit) for that very key, and nothing opens under another [`EncryptionContext`] than it
//! was sealed under. Records of keys are kept by whoever implements [`KeyRecords`]; they hold wrapped material only.
#![forbid(unsafe_code)]

mod asymmetric;
mod blob;
mod context;
mod crypto;
mod data_keys;
mod error;
mod grants;
#[doc(hidden)]
pub mod hostile_import;
#[doc(hidden)]
pub mod hostile_input;
mod import;
mod kept;
mod key_id;
mod material;
mod policy;
mod recipient;
mod record;
mod root;
mod seal;
mod service;
pub mod spec;
mod states;
mod unlocked;
#[cfg(test)]
mod vectors;

pub use context::{ContextError, EncryptionContext};
pub use error::KmsError;
pub use grants::check_grant;
pub use kept::{KeptKey, KeyRecords, RecordsUnavailable};
pub use policy::{KeyPolicy, default_key_policy};
pub use recipient::Recipient;
pub use record::{
    KeyRecord, KeyState, KeyToKeep, LegacyKey, LegacyState, Material, MaterialId, MaterialIdError,
    MaterialState, RecordError, Rotated, Rotation, RotationType,
};
pub use root::{
    Development, KeyEncryptionKey, Macing, PassphraseCost, Quorum, Root, RootFile, RootKey, RootKeyError,
    RootKind, RootOfTrust, RootRing, RootRotation, RootRotationError, RootRotationStep, RootRotationWish,
    RootWriting, Share, ShareError, StoreCipher, StoreKey, StoreMac,
};
pub use seal::{Opener, SealedError, SealedObject, Sealer};
pub use service::{
    DataKey, DataKeyLength, DataKeyPair, Decrypted, Due, DueKind, Encapsulated, Encrypted, Import,
    ImportType, Kms, Message, NewKey, ParametersForImport, PublicKey, ReEncrypted, Under,
};
