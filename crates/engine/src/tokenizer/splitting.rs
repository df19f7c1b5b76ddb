//! The rules by which text is cut into words before BPE, by the names that GGUF gives them.

use tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;

use super::TokenizerError;

/// Llama 3's rule.
const LLAMA_BPE: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Bytes after which a text is cut at the next place where it can be.
pub(super) const PIECE_BYTES: usize = 16 << 10;

/// Cuts a text so that its pieces, each encoded alone, give the tokens of the whole.
///
/// All rules of this file begin a new word at a space that follows something else than space, and after a single line
/// break between two such; what is before has no influence on where the next words end.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at_checked(border(rest)).unwrap_or((rest, ""));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The first place after [`PIECE_BYTES`] where a text can be cut, or its end.
fn border(text: &str) -> usize {
    let from = text.ceil_char_boundary(PIECE_BYTES);
    let letters = text.get(from..).unwrap_or("").char_indices();
    // Nothing is known about what is before, so that it may be space.
    let (mut solid, mut solid_and_break) = (false, false);
    for (at, letter) in letters {
        let cut = if letter.is_whitespace() {
            solid && letter == ' '
        } else {
            solid_and_break
        };
        if cut {
            return from.saturating_add(at);
        }
        solid_and_break = solid && letter == '\n';
        solid = !letter.is_whitespace();
    }
    text.len()
}

/// The rule of that name, and whether a word that is in the vocabulary as a whole skips the merges.
pub(super) fn named(name: &str) -> Result<(PreTokenizerWrapper, bool), TokenizerError> {
    let gpt2 = PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, true));
    let bytes_only = PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, false));
    let sequence = |steps| PreTokenizerWrapper::Sequence(Sequence::new(steps));
    match name {
        "gpt-2" => Ok((gpt2, false)),
        // As in SmolLM's own tokenizer.json: every digit alone, then GPT-2's rule.
        "smollm" => Ok((
            sequence(vec![PreTokenizerWrapper::Digits(Digits::new(true)), gpt2]),
            false,
        )),
        "llama-bpe" => {
            let pattern = SplitPattern::Regex(LLAMA_BPE.to_owned());
            let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false)
                .map_err(TokenizerError::Library)?;
            Ok((
                sequence(vec![PreTokenizerWrapper::Split(split), bytes_only]),
                true,
            ))
        }
        other => Err(TokenizerError::Unsupported(
            other.chars().filter(char::is_ascii_graphic).take(40).collect(),
        )),
    }
}
