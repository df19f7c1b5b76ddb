//! Materials, wrapped under the root key and unwrapped again.

use moho_terms::Entropy;
use zeroize::Zeroizing;

use crate::crypto::{NONCE, TAG};
use crate::error::KmsError;
use crate::record::{KeyRecord, Material, MaterialId, Wrapped};
use crate::root::{FINGERPRINT, Root, RootKey};

/// What is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The material.
    Material,
    /// Its SHA-256.
    Digest,
}

impl Part {
    fn of(self, material: &Material) -> Option<&Wrapped> {
        match self {
            Self::Material => material.wrapped.as_ref(),
            Self::Digest => material.digest.as_ref(),
        }
    }
}

/// Wraps a part of a material of the key that `record` is, to be opened as the same part of the same material of the same key only.
pub(crate) fn wrap(
    record: &KeyRecord,
    part: (Part, &MaterialId),
    plain: &[u8],
    (root, entropy): (&Root, &dyn Entropy),
) -> Result<Wrapped, KmsError> {
    let mut nonce = [0; NONCE];
    entropy.fill(&mut nonce)?;
    let mut wrapped = Vec::with_capacity(FINGERPRINT + NONCE + plain.len() + TAG);
    wrapped.extend_from_slice(root.fingerprint());
    wrapped.extend_from_slice(&nonce);
    root.wrapping_cipher()?
        .encrypt(nonce, &binding(record, part), plain, &mut wrapped)?;
    Ok(Wrapped(wrapped))
}

/// Opens what [`wrap`] made.
pub(crate) fn unwrap(
    record: &KeyRecord,
    part: (Part, &MaterialId),
    wrapped: &Wrapped,
    root: &RootKey,
) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    let damaged = || KmsError::DamagedRecord(record.key_id.clone());
    let (fingerprint, rest) = wrapped.0.split_first_chunk::<FINGERPRINT>().ok_or_else(damaged)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
    let other_root = || KmsError::OtherRoot(record.key_id.clone());
    let root = root.root(fingerprint)?.ok_or_else(other_root)?;
    let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
    root.wrapping_cipher()?
        .decrypt(*nonce, &binding(record, part), sealed, &mut plain)
        .ok_or_else(damaged)?;
    Ok(plain)
}

/// Whether everything that is wrapped in a record is wrapped by this root.
pub(crate) fn is_all_under(record: &KeyRecord, root: &Root) -> bool {
    let mut parts = record
        .materials
        .iter()
        .flat_map(|material| [Part::Material, Part::Digest].map(|part| part.of(material)));
    parts.all(|part| part.is_none_or(|wrapped| is_under(wrapped, root)))
}

fn is_under(wrapped: &Wrapped, root: &Root) -> bool {
    wrapped.0.starts_with(root.fingerprint())
}

/// The record with everything that another root than `current` wrapped wrapped anew by that; `None` if there is nothing.
/// What it is wrapped by is the caller's to say: the ring that all threads share may be another from one moment to the next.
pub(crate) fn rewrapped(
    record: &KeyRecord,
    current: &Root,
    (root, entropy): (&RootKey, &dyn Entropy),
) -> Result<Option<KeyRecord>, KmsError> {
    let mut changed = None;
    for (n, material) in record.materials.iter().enumerate() {
        for part in [Part::Material, Part::Digest] {
            let Some(wrapped) = part.of(material).filter(|wrapped| !is_under(wrapped, current)) else {
                continue;
            };
            let plain = unwrap(record, (part, &material.id), wrapped, root)?;
            let anew = wrap(record, (part, &material.id), &plain, (current, entropy))?;
            let changed = changed.get_or_insert_with(|| record.clone());
            match (part, changed.materials.get_mut(n)) {
                (Part::Material, Some(place)) => place.wrapped = Some(anew),
                (Part::Digest, Some(place)) => place.digest = Some(anew),
                (_, None) => {}
            }
        }
    }
    Ok(changed)
}

/// What it is bound to: the additional data of the wrapping. Labels, ids of keys and ids of materials are of one length
/// each.
fn binding(record: &KeyRecord, (part, id): (Part, &MaterialId)) -> Vec<u8> {
    let label = match part {
        Part::Material => b"moho/kms/2 material",
        Part::Digest => b"moho/kms/2 digest  ",
    };
    [
        label.as_slice(),
        record.key_id.as_str().as_bytes(),
        id.as_bytes(),
        record.spec.as_str().as_bytes(),
    ]
    .concat()
}
