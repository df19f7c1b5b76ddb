//! Token by token back to text, of which only whole characters leave.

use zeroize::Zeroizing;

/// Bytes of a character that is not complete yet.
#[derive(Default)]
pub(crate) struct Detokenizer {
    pending: Zeroizing<Vec<u8>>,
}

impl Detokenizer {
    /// Adds a token's bytes and returns the characters that are complete; bytes that can never become one are U+FFFD.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Zeroizing<String> {
        // One buffer of the final size, so that no grown copy stays behind; a byte becomes at most U+FFFD's three.
        let mut input = Zeroizing::new(Vec::with_capacity(self.pending.len().saturating_add(bytes.len())));
        input.extend_from_slice(&self.pending);
        input.extend_from_slice(bytes);
        let mut text = Zeroizing::new(String::with_capacity(input.len().saturating_mul(3)));
        self.pending.clear();
        let mut chunks = input.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            let unfinished = chunks.peek().is_none() && is_unfinished(chunk.invalid());
            if unfinished {
                self.pending.extend_from_slice(chunk.invalid());
            } else if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }

    /// Whether the bytes so far end inside of what may become a character.
    pub(crate) fn is_inside_character(&self) -> bool {
        !self.pending.is_empty()
    }

    /// What is left when no more tokens come.
    pub(crate) fn finish(&mut self) -> &'static str {
        if self.pending.is_empty() {
            return "";
        }
        self.pending.clear();
        "\u{fffd}"
    }
}

fn is_unfinished(bytes: &[u8]) -> bool {
    !bytes.is_empty() && std::str::from_utf8(bytes).is_err_and(|e| e.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn half_a_character_waits_and_a_broken_one_is_replaced() {
        let mut detokenizer = Detokenizer::default();
        assert_eq!(*detokenizer.push(b"a\xf0\x9f"), "a");
        assert_eq!(*detokenizer.push(b"\x98\x80b"), "\u{1f600}b");
        assert_eq!(*detokenizer.push(b"\xff\xc3"), "\u{fffd}");
        assert_eq!(detokenizer.finish(), "\u{fffd}");
        assert_eq!(detokenizer.finish(), "");
    }

    proptest! {
        #[test]
        fn cutting_changes_nothing(bytes: Vec<u8>, cuts in proptest::collection::vec(1_usize..4, 0..40)) {
            let mut detokenizer = Detokenizer::default();
            let (mut text, mut rest, mut cuts) = (String::new(), bytes.as_slice(), cuts.into_iter().cycle());
            while !rest.is_empty() {
                let (part, tail) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
                text.push_str(&detokenizer.push(part));
                rest = tail;
            }
            text.push_str(detokenizer.finish());
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }
    }
}
