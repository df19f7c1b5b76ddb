//! Keeps a tenant's words from becoming control tokens.
//!
//! A chat template mixes its own control tokens (`<|im_end|>`) with the words of each turn in one text, and afterwards
//! nobody can tell who wrote what. So before they go in, words are *fenced*: wherever they spell a control token, or could
//! complete one together with what the template puts next to them, a noncharacter ([`FENCE`], U+FDD0) is put inside.
//! A spelling with a fence in it is not found any more; after control tokens have been cut out, fences are removed and
//! what remains is encoded as plain text. Words that spell nothing of the kind, which is nearly all, pass untouched, so
//! that a template's own tests and trimming see what they were written for. A U+FDD0 in the words themselves, which
//! Unicode excludes from interchange, becomes U+FFFD.

use zeroize::Zeroizing;

use super::TokenizerError;
use super::spellings::Spellings;

/// A noncharacter that marks what is not a control token.
pub(super) const FENCE: char = '\u{fdd0}';

/// The control tokens, if a fence fits into each: there is no inside of a single character, and none is put into the
/// space around words.
pub(super) fn fenceable<'a>(
    controls: impl Iterator<Item = (&'a str, u32)>,
) -> Result<Vec<(&'a str, u32)>, TokenizerError> {
    let fits = |(spelling, id): (&'a str, u32)| {
        let two = spelling.chars().nth(1).is_some();
        if two && spelling.trim() == spelling {
            Ok((spelling, id))
        } else {
            Err(TokenizerError::ControlSpelling(id))
        }
    };
    controls.map(fits).collect()
}

/// Fences a tenant's words.
pub(crate) fn around(words: &str, controls: &Spellings) -> Zeroizing<String> {
    // At most one fence per byte, and two at the borders: grows never.
    let mut fenced = Zeroizing::new(String::with_capacity(
        words.len().saturating_mul(4).saturating_add(8),
    ));
    let body = words.trim_start();
    let (indent, _) = words
        .split_at_checked(words.len().saturating_sub(body.len()))
        .unwrap_or(("", words));
    let trimmed = body.trim_end();
    let trailing = body.strip_prefix(trimmed).unwrap_or("");
    fenced.push_str(indent);
    if controls.completed_by_head(trimmed) {
        fenced.push(FENCE);
    }
    for (at, letter) in trimmed.char_indices() {
        fenced.push(if letter == FENCE {
            char::REPLACEMENT_CHARACTER
        } else {
            letter
        });
        if controls.begins_at(trimmed.as_bytes().get(at..).unwrap_or(&[])) {
            fenced.push(FENCE);
        }
    }
    if controls.completed_after_tail(trimmed) {
        fenced.push(FENCE);
    }
    fenced.push_str(trailing);
    fenced
}

/// Takes the fences out again.
pub(super) fn remove(text: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    text.split(FENCE).for_each(|part| plain.push_str(part));
    plain
}
