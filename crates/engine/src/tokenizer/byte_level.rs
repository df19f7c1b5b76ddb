//! GPT-2's way of writing any bytes as visible characters, in which vocabularies are stored.

use super::TokenizerError;

/// The byte that a visible character stands for.
fn byte_of(letter: char) -> Option<u8> {
    let code = u32::from(letter);
    match code {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => u8::try_from(code).ok(),
        // The bytes without a visible character of their own, in order: 0 to 32, 127 to 160, 173.
        0x100..=0x120 => u8::try_from(code - 0x100).ok(),
        0x121..=0x142 => u8::try_from(code - 0x121 + 0x7f).ok(),
        0x143 => Some(0xad),
        _ => None,
    }
}

/// A token's name as the bytes that it stands for.
pub(super) fn to_bytes(name: &str) -> Result<Box<[u8]>, TokenizerError> {
    let bytes: Option<Vec<u8>> = name.chars().map(byte_of).collect();
    bytes.map(Vec::into_boxed_slice).ok_or(TokenizerError::Malformed(
        "a token is not written in byte-level characters",
    ))
}

/// The visible characters of all bytes, not in the bytes' order.
pub(crate) fn letters() -> impl Iterator<Item = char> {
    (0..0x144)
        .filter_map(char::from_u32)
        .filter(|letter| byte_of(*letter).is_some())
}

#[cfg(test)]
pub(crate) fn letter_of(byte: u8) -> char {
    letters().find(|letter| byte_of(*letter) == Some(byte)).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_byte_has_one_letter() {
        let letters: Vec<_> = (0..0x400)
            .filter_map(char::from_u32)
            .filter(|l| byte_of(*l).is_some())
            .collect();
        let bytes: BTreeSet<_> = letters.iter().filter_map(|l| byte_of(*l)).collect();
        assert_eq!((letters.len(), bytes.len()), (256, 256));
        assert_eq!(byte_of('Ġ'), Some(b' '));
        assert_eq!(byte_of('Ċ'), Some(b'\n'));
    }
}
