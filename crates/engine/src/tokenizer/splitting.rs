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
