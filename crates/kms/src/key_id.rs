//! A key's id as the 128 bits that it writes down, as sealed things carry it.

use moho_terms::KeyId;

pub(crate) const KEY_ID: usize = 16;

/// The 128 bits; `None` if the text is no UUID, which a [`KeyId`] always is.
pub(crate) fn to_bytes(key_id: &KeyId) -> Option<[u8; KEY_ID]> {
    let digits: String = key_id.as_str().chars().filter(|c| *c != '-').collect();
    u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)
}

/// The id that these bits are.
pub(crate) fn from_bytes(bytes: [u8; KEY_ID]) -> Option<KeyId> {
    let mut text = format!("{:032x}", u128::from_be_bytes(bytes));
    for dash in [8, 13, 18, 23] {
        text.insert(dash, '-');
    }
    text.parse().ok()
}
