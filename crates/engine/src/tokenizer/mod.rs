//! Text to token ids and back, exactly as the model was trained.
//!
//! Byte-level BPE as described by a model file's metadata, taken as hostile input: everything is checked before the
//! `tokenizers` crate sees it, and a splitting rule that is not known exactly is refused by name. Two rules of ours:
//! control tokens come only from text that the caller vouches for ([`fence`]), and nothing of a text is kept for the
//! next one (the crate's word cache is off), since what is cached for one tenant can be timed by another.

pub(crate) mod byte_level;
mod detokenizer;
pub(crate) mod fence;
mod metadata;
mod spellings;
mod splitting;

use tokenizers::models::bpe::BPE;
use tokenizers::{
    DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, TokenizerBuilder,
    TokenizerImpl,
};

pub(crate) use detokenizer::Detokenizer;
pub(crate) use metadata::Metadata;
use spellings::Spellings;

type Bpe = TokenizerImpl<BPE, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// The longest token, in bytes of text.
const MAX_TOKEN_BYTES: usize = 1024;

/// Names of control tokens that end the output, whether or not the metadata says so.
const ENDING: [&str; 8] = [
    "<|im_end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|end_of_turn|>",
    "</s>",
];

/// Why a model's tokenizer cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A kind of tokenizer that is not known exactly.
    #[error("the tokenizer `{0}` is not supported")]
    Unsupported(String),
    /// A metadata key that is needed, absent or of the wrong type.
    #[error("the metadata key `{0}` is absent or of the wrong type")]
    Metadata(&'static str),
    /// Metadata that contradict themselves.
    #[error("the tokenizer is malformed: {0}")]
    Malformed(&'static str),
    /// A control token that a tenant could spell, as [`fence`] puts something inside of spellings and looks no
    /// further than the words without the space around them.
    #[error("the control token {0} is shorter than two characters, or has space at an end")]
    ControlSpelling(u32),
    /// The library refused what we checked.
    #[error("the tokenizer cannot be built")]
    Library(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The text could not be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CannotEncode;

/// What a token stands for in the output.
enum Piece {
    /// These bytes.
    Bytes(Box<[u8]>),
    /// Nothing: it steers.
    Control,
    /// Nothing, and the output ends.
    Ending,
}

/// A model's vocabulary and how text is cut into it.
pub(crate) struct Tokenizer {
    bpe: Bpe,
    pieces: Vec<Piece>,
    names: Vec<String>,
    controls: Spellings,
    user_defined: Spellings,
    beginning: Option<u32>,
    adds_beginning: bool,
    end: u32,
    longest: usize,
}

impl Tokenizer {
    /// Builds the tokenizer that a model file describes.
    pub(crate) fn new(metadata: &Metadata) -> Result<Self, TokenizerError> {
        let (splitting, ignore_merges) = splitting::named(&metadata.splitting)?;
        let (vocabulary, merges) = metadata.checked_merges()?;
        let bpe = BPE::builder()
            .vocab_and_merges(vocabulary, merges)
            .cache_capacity(0)
            .ignore_merges(ignore_merges)
            .build()
            .map_err(TokenizerError::Library)?;
        let bpe = TokenizerBuilder::new()
            .with_model(bpe)
            .with_normalizer(None::<NormalizerWrapper>)
            .with_pre_tokenizer(Some(splitting))
            .with_post_processor(None::<PostProcessorWrapper>)
            .with_decoder(None::<DecoderWrapper>)
            .build()
            .map_err(TokenizerError::Library)?;
        let pieces = pieces(metadata)?;
        let end = metadata
            .end
            .ok_or(TokenizerError::Metadata("tokenizer.ggml.eos_token_id"))?;
        let longest = pieces
            .iter()
            .map(|p| if let Piece::Bytes(b) = p { b.len() } else { 0 })
            .max()
            .unwrap_or(0);
        Ok(Self {
            bpe,
            pieces,
            names: metadata.tokens.clone(),
            controls: Spellings::new(fence::fenceable(metadata.of_kind(metadata::CONTROL))?.into_iter())?,
            user_defined: Spellings::new(metadata.of_kind(metadata::USER_DEFINED))?,
            beginning: metadata.beginning,
            adds_beginning: metadata.adds_beginning,
            end,
            longest: longest.max(1),
        })
    }

    /// How many tokens there are.
    pub(crate) fn vocabulary(&self) -> usize {
        self.pieces.len()
    }

    /// The longest text that one token stands for, in bytes.
    pub(crate) fn longest_token(&self) -> usize {
        self.longest
    }

    /// The token that every sequence begins with, if the model wants one.
    pub(crate) fn forced_beginning(&self) -> Option<u32> {
        self.beginning.filter(|_| self.adds_beginning)
    }

    /// How the beginning-of-sequence token is spelled in templates.
    pub(crate) fn beginning_name(&self) -> &str {
        self.beginning.and_then(|id| self.name(id)).unwrap_or("")
    }

    /// How the end-of-sequence token is spelled in templates.
    pub(crate) fn end_name(&self) -> &str {
        self.name(self.end).unwrap_or("")
    }

    fn name(&self, id: u32) -> Option<&str> {
        self.names.get(usize::try_from(id).ok()?).map(String::as_str)
    }

    /// The bytes that a token adds to the output: none for a control token.
    pub(crate) fn bytes(&self, token: u32) -> &[u8] {
        match self.piece(token) {
            Some(Piece::Bytes(bytes)) => bytes,
            Some(Piece::Control | Piece::Ending) | None => &[],
        }
    }

    /// What a token is shown as where it is not output: its bytes, or the name of a control token.
    pub(crate) fn shown(&self, token: u32) -> &[u8] {
        match self.piece(token) {
            Some(Piece::Bytes(bytes)) => bytes,
            Some(Piece::Control | Piece::Ending) => self.name(token).unwrap_or("").as_bytes(),
            None => &[],
        }
    }

    /// Whether the model says with this token that it is done.
    pub(crate) fn ends_output(&self, token: u32) -> bool {
        matches!(self.piece(token), Some(Piece::Ending))
    }

    /// All tokens that end the output, the metadata's first.
    pub(crate) fn endings(&self) -> Vec<u32> {
        let all = (0..)
            .zip(&self.pieces)
            .filter(|(_, p)| matches!(p, Piece::Ending))
            .map(|(id, _)| id);
        std::iter::once(self.end)
            .chain(all.filter(|id| *id != self.end))
            .collect()
    }

    fn piece(&self, token: u32) -> Option<&Piece> {
        self.pieces.get(usize::try_from(token).ok()?)
    }

    /// Appends the tokens of a text in which nothing is a control token; stops soon after there are more than `most`.
    pub(crate) fn encode_plain(
        &self,
        text: &str,
        most: usize,
        tokens: &mut Vec<u32>,
    ) -> Result<(), CannotEncode> {
        for (part, token) in self.user_defined.split(text) {
            for piece in splitting::pieces(part) {
                if tokens.len() > most {
                    return Ok(());
                }
                let encoding = self
                    .bpe
                    .encode_fast(piece, false)
                    .map_err(|_dropped| CannotEncode)?;
                tokens.extend_from_slice(encoding.get_ids());
            }
            if tokens.len() > most {
                return Ok(());
            }
            tokens.extend(token);
        }
        Ok(())
    }

    /// Appends the tokens of a rendered conversation: control tokens are those spelled by the template itself, not
    /// those in words that went through [`fence::around`]. Stops soon after there are more than `most`.
    pub(crate) fn encode_fenced(
        &self,
        rendered: &str,
        most: usize,
        tokens: &mut Vec<u32>,
    ) -> Result<(), CannotEncode> {
        for (part, token) in self.controls.split(rendered) {
            if tokens.len() > most {
                return Ok(());
            }
            self.encode_plain(&fence::remove(part), most, tokens)?;
            tokens.extend(token);
        }
        Ok(())
    }

    /// The control tokens' spellings, which [`fence::around`] defuses.
    pub(crate) fn controls(&self) -> &Spellings {
        &self.controls
    }
}

fn pieces(metadata: &Metadata) -> Result<Vec<Piece>, TokenizerError> {
    let decode = |(id, (name, kind)): (u32, (&String, &i64))| match *kind {
        metadata::CONTROL if metadata.is_ending(id) || ENDING.contains(&name.as_str()) => Ok(Piece::Ending),
        metadata::CONTROL | metadata::UNKNOWN | metadata::UNUSED => Ok(Piece::Control),
        metadata::USER_DEFINED => Ok(Piece::Bytes(name.as_bytes().into())),
        metadata::NORMAL => byte_level::to_bytes(name).map(Piece::Bytes),
        _ => Err(TokenizerError::Malformed("a token of unknown kind")),
    };
    let pieces: Vec<_> = (0..)
        .zip(metadata.tokens.iter().zip(&metadata.kinds))
        .map(decode)
        .collect::<Result<_, _>>()?;
    let end = metadata.end.and_then(|id| pieces.get(usize::try_from(id).ok()?));
    match end {
        Some(Piece::Ending) => Ok(pieces),
        _ => Err(TokenizerError::Malformed(
            "the end-of-sequence token is no control token",
        )),
    }
}

#[cfg(test)]
pub(crate) mod tests;
