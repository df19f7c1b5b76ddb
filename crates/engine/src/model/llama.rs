//! The llama architecture.

use super::{LlamaConfig, Step, StepError};
use crate::gguf::{Gguf, GgufError};

/// How a model's activations are multiplied with quantised weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivationPath {
    /// Activations are rounded to 8 bits per group of 32: fast, the default.
    Int8,
    /// Weights are widened to f32 on loading: slow and large, exact; for checking the other path.
    F32,
}

/// How to load a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoadOptions {
    pub(crate) path: ActivationPath,
    /// Compute threads, the calling one included.
    pub(crate) threads: usize,
}

/// A file that is no usable model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The container is broken or uses what is not supported.
    #[error(transparent)]
    Gguf(#[from] GgufError),
}

/// A loaded llama model with its compute threads.
pub(crate) struct Llama {
    config: LlamaConfig,
    digest: [u8; 32],
}

impl Llama {
    /// Reads every weight; `progress` hears bytes done and bytes in all.
    pub(crate) fn load(
        gguf: &Gguf,
        options: LoadOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, ModelError> {
        let _ = (gguf, options, progress);
        Err(ModelError::Gguf(GgufError::Truncated))
    }

    /// The checked hyperparameters.
    pub(crate) fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// SHA-256 of the file, of the very bytes that were loaded.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Computes all rows of a step.
    pub(crate) fn forward(&mut self, step: &mut Step<'_>) -> Result<(), StepError> {
        step.logits.clear();
        Err(StepError::Worker)
    }
}
