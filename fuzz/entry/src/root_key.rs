//! What opens everything, from a disk or a keeper's hand: the root key file, and shares of it.

use moho_kms::hostile_input::{root_key_file, share};

/// The bytes as a root key file, and as a share.
pub fn root_key(data: &[u8]) {
    if let Ok(again) = root_key_file(data) {
        assert_eq!(again, data, "a file has one form");
        for length in 0..data.len() {
            let cut = data.get(..length).unwrap_or_default();
            assert!(root_key_file(cut).is_err(), "a file is whole");
        }
    }
    if let Ok(line) = share(&super::text(data)) {
        let again = share(&super::text(&line)).ok();
        assert_eq!(again.as_ref(), Some(&line), "a share prints as it was read");
    }
}

/// Whether the bytes are one or the other.
#[must_use]
pub fn is_root_key(data: &[u8]) -> bool {
    root_key_file(data).is_ok() || share(&super::text(data)).is_ok()
}
