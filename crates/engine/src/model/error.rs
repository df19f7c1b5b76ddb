//! Why a file is no usable model.

use crate::gguf::GgufError;

/// A file that is no usable model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The container is broken or uses what is not supported.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The model is of another architecture.
    #[error("architecture `{name}` is not supported; supported: llama")]
    Architecture {
        /// Its name, as far as it is plain text.
        name: String,
    },
    /// A hyperparameter has a value that we cannot compute with.
    #[error("metadata key `{key}` {problem}")]
    Hyperparameter {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A tensor that the architecture needs is absent.
    #[error("tensor `{name}` is missing")]
    TensorMissing {
        /// The tensor.
        name: String,
    },
    /// A tensor has another shape than the hyperparameters say.
    #[error("tensor `{name}` has the shape {found:?}, where {wanted:?} is wanted")]
    TensorShape {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// What the hyperparameters say.
        wanted: Vec<usize>,
    },
    /// A tensor that the architecture does not have: leaving it out would compute something else.
    #[error("tensor `{name}` is not part of a llama model")]
    TensorUnexpected {
        /// The tensor.
        name: String,
    },
}
