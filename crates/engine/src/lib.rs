//! Inference: models, kernels, KV cache, and what runs them.
//!
//! It sees plaintext, so it holds no keys and knows no socket, database or policy: weights come in as a file, prompts
//! as messages. All `unsafe` of the crate is in `device`.
#![deny(unsafe_code)]

pub mod eval;

mod device;
mod gguf;
mod kv;
mod model;

pub use gguf::GgufError;
pub use model::{ActivationPath, ModelError, StepError};
