//! What customers bring to their keys: material to be imported, its wrapping and its token, public keys of others.

use moho_kms::hostile_import::{import_token, imported_material, peer_public_key, wrapped_material};
use moho_kms::spec::KeySpec;
use moho_terms::Timestamp;

use crate::NOW;

/// The bytes behind the first as all of it; the first one says what kind of key the material is for.
pub fn key_material(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else {
        return;
    };
    let kinds = KeySpec::ALL;
    let spec = usize::from(*kind)
        .checked_rem(kinds.len())
        .and_then(|kind| kinds.get(kind));
    let imported = spec.and_then(|spec| Some((*spec, imported_material(*spec, bytes)?)));
    if let Some((spec, material)) = imported {
        let again = imported_material(spec, &material);
        assert_eq!(
            again.as_deref(),
            Some(&*material),
            "material is in its one form already"
        );
    }
    if let Ok(material) = wrapped_material(bytes) {
        let longer = bytes.len().checked_sub(material.len());
        assert!(
            matches!(longer, Some(8..=15)),
            "eight bytes of check value and less than eight of padding"
        );
    }
    let now = Timestamp::from_unix_seconds(NOW);
    if import_token(bytes, now).is_ok() {
        let later = import_token(bytes, now.plus_seconds(24 * 60 * 60));
        assert!(later.is_err(), "a token ends");
        let longer = [bytes, b"\0"].concat();
        assert!(import_token(&longer, now).is_err(), "a token is whole");
    }
    if peer_public_key(bytes).is_ok() {
        let longer = [bytes, b"\0"].concat();
        assert!(peer_public_key(&longer).is_err(), "a public key is whole");
    }
}

/// Whether the bytes are taken as something: material, wrapped material, a token or a public key.
#[must_use]
pub fn is_key_material(data: &[u8]) -> bool {
    let Some((kind, bytes)) = data.split_first() else {
        return false;
    };
    let spec = KeySpec::ALL.get(usize::from(*kind));
    spec.is_some_and(|spec| imported_material(*spec, bytes).is_some())
        || wrapped_material(bytes).is_ok()
        || import_token(bytes, Timestamp::from_unix_seconds(NOW)).is_ok()
        || peer_public_key(bytes).is_ok()
}
