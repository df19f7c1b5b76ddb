//! Finds tokens that are spelled out in text, the leftmost first and of these the longest.

use std::collections::BTreeMap;

use super::{TokenizerError, fence};

/// Tokens by the way they are spelled.
pub(crate) struct Spellings {
    /// By the first byte in lower case; the longest first.
    by_first: BTreeMap<u8, Vec<(String, u32)>>,
}

impl Spellings {
    /// Refuses spellings that could not be told from text any more.
    pub(super) fn new<'a>(tokens: impl Iterator<Item = (&'a str, u32)>) -> Result<Self, TokenizerError> {
        let mut by_first: BTreeMap<u8, Vec<(String, u32)>> = BTreeMap::new();
        for (spelling, id) in tokens {
            if spelling.contains(fence::FENCE) {
                return Err(TokenizerError::Malformed(
                    "a control token is spelled with a noncharacter",
                ));
            }
            let first = spelling
                .bytes()
                .next()
                .ok_or(TokenizerError::Malformed("a control token without a name"))?;
            by_first
                .entry(first.to_ascii_lowercase())
                .or_default()
                .push((spelling.to_owned(), id));
        }
        for tokens in by_first.values_mut() {
            tokens.sort_by_key(|(spelling, _)| std::cmp::Reverse(spelling.len()));
        }
        Ok(Self { by_first })
    }

    /// Cuts a text into plain parts, each with the token that follows it; the last has none.
    pub(super) fn split<'t>(&'t self, text: &'t str) -> impl Iterator<Item = (&'t str, Option<u32>)> {
        let mut rest = Some(text);
        std::iter::from_fn(move || {
            let text = rest?;
            let found =
                (0..text.len()).find_map(|at| Some((at, self.at(text.as_bytes().get(at..)?, exactly)?)));
            let Some((at, (length, token))) = found else {
                rest = None;
                return Some((text, None));
            };
            // INVARIANT: a spelling is whole characters, so that it begins and ends at a character's border.
            rest = text.get(at.saturating_add(length)..);
            Some((text.get(..at).unwrap_or(""), Some(token)))
        })
    }

    /// The longest spelling that the bytes begin with: its length and token.
    fn at(&self, bytes: &[u8], same: fn(&[u8], &[u8]) -> bool) -> Option<(usize, u32)> {
        let candidates = self.by_first.get(&bytes.first()?.to_ascii_lowercase())?;
        let begins = |spelling: &str| {
            bytes
                .get(..spelling.len())
                .is_some_and(|head| same(head, spelling.as_bytes()))
        };
        candidates
            .iter()
            .find(|(spelling, _)| begins(spelling))
            .map(|(spelling, id)| (spelling.len(), *id))
    }

    /// Whether any spelling, in any case, begins here.
    pub(super) fn begins_at(&self, bytes: &[u8]) -> bool {
        self.at(bytes, <[u8]>::eq_ignore_ascii_case).is_some()
    }

    /// Whether text put directly before `words` could complete a spelling together with them.
    pub(super) fn completed_by_head(&self, words: &str) -> bool {
        self.any_border(|_, tail| overlaps(words.as_bytes(), tail, true))
    }

    /// Whether text put directly after `words` could complete a spelling together with them.
    pub(super) fn completed_after_tail(&self, words: &str) -> bool {
        self.any_border(|head, _| overlaps(words.as_bytes(), head, false))
    }

    fn any_border(&self, test: impl Fn(&[u8], &[u8]) -> bool) -> bool {
        let mut spellings = self
            .by_first
            .values()
            .flatten()
            .map(|(spelling, _)| spelling.as_bytes());
        spellings.any(|s| {
            (1..s.len()).any(|at| {
                s.split_at_checked(at)
                    .is_some_and(|(head, tail)| test(head, tail))
            })
        })
    }
}

fn exactly(a: &[u8], b: &[u8]) -> bool {
    a == b
}

/// Whether one of the two is how the other begins (or ends), in any case.
fn overlaps(words: &[u8], part: &[u8], at_start: bool) -> bool {
    let length = words.len().min(part.len());
    let end = |bytes: &[u8]| bytes.len().saturating_sub(length);
    let (a, b) = if at_start {
        (words.get(..length), part.get(..length))
    } else {
        (words.get(end(words)..), part.get(end(part)..))
    };
    length > 0 && a.zip(b).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
}
