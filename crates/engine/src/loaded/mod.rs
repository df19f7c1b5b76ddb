//! A model file, opened: weights, tokenizer, chat template, and what may be told about it.

mod outline;
mod reader;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use moho_terms::ModelId;

use crate::gguf::{Gguf, GgufError, Value};
use crate::grammar::{Grammars, MaskError};
use crate::model::{ActivationPath, Llama, LoadOptions, ModelError};
use crate::template::{ChatTemplate, TemplateError};
use crate::tokenizer::{Metadata, Tokenizer, TokenizerError};
pub use outline::{ModelOutline, kernels};
pub(crate) use reader::Reader;

/// What may be told about a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCard {
    /// The name under which it is served.
    pub id: ModelId,
    /// Longest prompt and output together, in tokens.
    pub context_length: u32,
    /// How many numbers its weights hold.
    pub parameters: u64,
    /// SHA-256 of the whole file.
    pub digest: [u8; 32],
    /// The type of most of its weights, such as `Q4_1`.
    pub quantisation: String,
}

/// Why a model file was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file is no GGUF container, or one that asks for what is not supported.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The weights are malformed or of an architecture that is not supported.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The tokenizer is malformed or not known exactly.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The chat template cannot be read.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The tokenizer's tokens cannot be masked.
    #[error(transparent)]
    Mask(#[from] MaskError),
    /// The tokenizer and the weights speak of different vocabularies.
    #[error("the tokenizer has {tokenizer} tokens, and the weights {weights}")]
    Vocabulary {
        /// Tokens in the tokenizer.
        tokenizer: usize,
        /// Tokens in the weights.
        weights: usize,
    },
}

/// A model that is ready to be served.
pub struct LoadedModel {
    card: ModelCard,
    weights: Llama,
    reader: Reader,
}

impl LoadedModel {
    /// Reads, checks and lays out a GGUF file to be computed on `threads` threads, calling `progress(done, total)` in
    /// bytes now and then.
    ///
    /// # Errors
    /// [`LoadError`]: the file cannot be read, is malformed, or asks for what this engine cannot do exactly.
    pub fn open(
        id: ModelId,
        path: &Path,
        threads: usize,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, LoadError> {
        let gguf = Gguf::open(path)?;
        // What is small is checked before what is large is read.
        let tokenizer = Tokenizer::new(&Metadata::read(&gguf)?)?;
        let template = gguf.get("tokenizer.chat_template").and_then(Value::as_text);
        let template = template
            .map(|source| ChatTemplate::new(source, &tokenizer))
            .transpose()?;
        let grammars = Grammars::new(&tokenizer)?;
        let weights = Llama::load(
            &gguf,
            LoadOptions {
                path: ActivationPath::Int8,
                threads,
            },
            progress,
        )?;
        let vocabulary = weights.config().vocabulary;
        if vocabulary != tokenizer.vocabulary() {
            return Err(LoadError::Vocabulary {
                tokenizer: tokenizer.vocabulary(),
                weights: vocabulary,
            });
        }
        let card = card(id, &gguf, &weights);
        Ok(Self {
            card,
            weights,
            reader: Reader::new(Arc::new(tokenizer), template, grammars),
        })
    }

    /// What may be told about it.
    #[must_use]
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Its name and parts, for the engine.
    pub(crate) fn into_parts(self) -> (ModelCard, Llama, Reader) {
        (self.card, self.weights, self.reader)
    }
}

fn card(id: ModelId, gguf: &Gguf, weights: &Llama) -> ModelCard {
    let (quantisation, parameters) = most_common_kind(gguf);
    ModelCard {
        id,
        context_length: u32::try_from(weights.config().context).unwrap_or(u32::MAX),
        parameters,
        digest: *weights.digest(),
        quantisation,
    }
}

/// The type of most weights, and how many numbers there are in all.
fn most_common_kind(gguf: &Gguf) -> (String, u64) {
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for tensor in gguf.tensors() {
        let count = kinds.entry(tensor.kind.name()).or_default();
        *count = count.saturating_add(u64::try_from(tensor.numbers()).unwrap_or(u64::MAX));
    }
    let most = kinds
        .iter()
        .max_by_key(|(_, count)| **count)
        .map_or("", |(name, _)| *name);
    let all = kinds
        .values()
        .fold(0_u64, |sum, count| sum.saturating_add(*count));
    (most.to_owned(), all)
}
