//! Hexadecimal, as digests, measurements and signatures are written.

/// Lower-case hexadecimal.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text
}

/// Exactly `N` bytes of lower-case hexadecimal.
#[must_use]
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0_u8; N];
    if text.len() != N.checked_mul(2)? {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs(text)) {
        *byte = pair?;
    }
    Some(bytes)
}

/// Bytes of lower-case hexadecimal, `most` at most.
#[must_use]
pub fn decode_within(text: &str, most: usize) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || text.len() / 2 > most {
        return None;
    }
    pairs(text).collect()
}

fn pairs(text: &str) -> impl Iterator<Item = Option<u8>> {
    text.as_bytes().chunks_exact(2).map(|pair| {
        let &[high, low] = pair else { return None };
        Some(nibble(high)? << 4 | nibble(low)?)
    })
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_and_printing_agree() {
        assert_eq!(encode(&[0, 0x1f, 0xff]), "001fff");
        assert_eq!(decode("001fff"), Some([0, 0x1f, 0xff]));
        assert_eq!(decode_within("001fff", 3), Some(vec![0, 0x1f, 0xff]));
        assert_eq!(decode_within("", 3), Some(Vec::new()));
        for text in ["", "001ff", "001fFF", "001fzz", "001fff00"] {
            assert_eq!(decode::<3>(text), None, "{text}");
        }
        for text in ["001ff", "001fFF", "001fzz", "001fff00"] {
            assert_eq!(decode_within(text, 3), None, "{text}");
        }
    }
}
