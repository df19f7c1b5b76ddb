//! What a model file says about its tokenizer, checked.

use std::collections::HashSet;

use super::{MAX_TOKEN_BYTES, TokenizerError, byte_level};
use crate::gguf::{Header, Value};

pub(super) const NORMAL: i64 = 1;
pub(super) const UNKNOWN: i64 = 2;
pub(super) const CONTROL: i64 = 3;
pub(super) const USER_DEFINED: i64 = 4;
pub(super) const UNUSED: i64 = 5;

/// More tokens than any model has.
const MAX_TOKENS: usize = 1 << 20;

/// A model file's `tokenizer.ggml.*`.
pub(crate) struct Metadata {
    pub(super) splitting: String,
    pub(super) tokens: Vec<String>,
    pub(super) kinds: Vec<i64>,
    pub(super) merges: Vec<String>,
    pub(super) beginning: Option<u32>,
    pub(super) adds_beginning: bool,
    pub(super) end: Option<u32>,
    pub(super) other_ends: Vec<u32>,
}

type Merges = (Vocabulary, Vec<(String, String)>);
type Vocabulary = tokenizers::models::bpe::Vocab;

impl Metadata {
    /// Takes what is needed out of a model file.
    pub(crate) fn read(gguf: &Header) -> Result<Self, TokenizerError> {
        let wrong = TokenizerError::Metadata;
        let text = |key: &'static str| gguf.get(key).and_then(Value::as_text).ok_or_else(|| wrong(key));
        let texts = |key: &'static str| gguf.get(key).and_then(Value::as_texts).ok_or_else(|| wrong(key));
        let id = |key: &'static str| {
            gguf.get(key)
                .map(|value| value.as_u32().ok_or_else(|| wrong(key)))
                .transpose()
        };
        let flag = |key: &'static str| {
            gguf.get(key)
                .map_or(Ok(false), |value| value.as_bool().ok_or_else(|| wrong(key)))
        };
        let model = text("tokenizer.ggml.model")?;
        if model != "gpt2" {
            let name = model.chars().filter(char::is_ascii_graphic).take(40).collect();
            return Err(TokenizerError::Unsupported(name));
        }
        if flag("tokenizer.ggml.add_space_prefix")? || flag("tokenizer.ggml.add_eos_token")? {
            return Err(TokenizerError::Unsupported(
                "gpt2 with added spaces or ends".to_owned(),
            ));
        }
        let kinds = gguf.get("tokenizer.ggml.token_type").and_then(Value::as_integers);
        let ends = [
            id("tokenizer.ggml.eot_token_id")?,
            id("tokenizer.ggml.eom_token_id")?,
        ];
        Ok(Self {
            splitting: text("tokenizer.ggml.pre")?.to_owned(),
            tokens: texts("tokenizer.ggml.tokens")?.to_vec(),
            kinds: kinds.ok_or_else(|| wrong("tokenizer.ggml.token_type"))?,
            merges: texts("tokenizer.ggml.merges")?.to_vec(),
            beginning: id("tokenizer.ggml.bos_token_id")?,
            adds_beginning: flag("tokenizer.ggml.add_bos_token")?,
            end: id("tokenizer.ggml.eos_token_id")?,
            other_ends: ends.into_iter().flatten().collect(),
        })
    }

    /// A vocabulary of all bytes and these control tokens, without merges. The last control token ends the output.
    pub(crate) fn of_bytes(controls: &[&str]) -> Self {
        let letters = byte_level::letters().map(|letter| (letter.to_string(), NORMAL));
        let controls = controls.iter().map(|name| ((*name).to_owned(), CONTROL));
        let (tokens, kinds): (Vec<_>, Vec<_>) = letters.chain(controls).unzip();
        let end = tokens
            .len()
            .checked_sub(1)
            .and_then(|last| u32::try_from(last).ok());
        Self {
            splitting: "smollm".to_owned(),
            tokens,
            kinds,
            merges: Vec::new(),
            beginning: None,
            adds_beginning: false,
            end,
            other_ends: Vec::new(),
        }
    }

    pub(super) fn is_ending(&self, id: u32) -> bool {
        self.end == Some(id) || self.other_ends.contains(&id)
    }

    pub(super) fn of_kind(&self, kind: i64) -> impl Iterator<Item = (&str, u32)> {
        let tokens = (0..).zip(self.tokens.iter().zip(&self.kinds));
        tokens
            .filter(move |(_, (_, k))| **k == kind)
            .map(|(id, (name, _))| (name.as_str(), id))
    }

    /// Vocabulary and merges in the library's form. It trusts both, so nothing may contradict itself here.
    pub(super) fn checked_merges(&self) -> Result<Merges, TokenizerError> {
        if self.tokens.is_empty() || self.tokens.len() > MAX_TOKENS || self.kinds.len() != self.tokens.len() {
            return Err(TokenizerError::Malformed(
                "the numbers of tokens and of their kinds differ or are out of range",
            ));
        }
        if self
            .tokens
            .iter()
            .any(|name| name.is_empty() || name.len() > MAX_TOKEN_BYTES)
        {
            return Err(TokenizerError::Malformed(
                "a token without a name or with an overlong one",
            ));
        }
        let in_range = |id: u32| usize::try_from(id).is_ok_and(|id| id < self.tokens.len());
        if !self
            .beginning
            .iter()
            .chain(&self.end)
            .chain(&self.other_ends)
            .all(|id| in_range(*id))
        {
            return Err(TokenizerError::Malformed("a token id that there is not"));
        }
        let mut names = HashSet::with_capacity(self.tokens.len());
        if !self.tokens.iter().all(|name| names.insert(name)) {
            return Err(TokenizerError::Malformed("two tokens of one name"));
        }
        // Only normal tokens: a control token must not come out of merges, or of a word that happens to be its name.
        let vocabulary = self
            .of_kind(NORMAL)
            .map(|(name, id)| (name.to_owned(), id))
            .collect();
        let merges = self
            .merges
            .iter()
            .map(|merge| checked_merge(merge, &vocabulary))
            .collect::<Result<_, _>>()?;
        Ok((vocabulary, merges))
    }
}

fn checked_merge(merge: &str, vocabulary: &Vocabulary) -> Result<(String, String), TokenizerError> {
    let malformed = TokenizerError::Malformed("a merge that is not of two tokens into a third");
    let Some((left, right)) = merge.split_once(' ') else {
        return Err(malformed);
    };
    let known = |name: &str| vocabulary.contains_key(name);
    if known(left) && known(right) && known(&format!("{left}{right}")) {
        Ok((left.to_owned(), right.to_owned()))
    } else {
        Err(malformed)
    }
}
