//! Decoder models: from weights to logits.

mod config;
mod llama;
mod step;

pub(crate) use config::LlamaConfig;
pub use llama::{ActivationPath, ModelError};
pub(crate) use llama::{Llama, LoadOptions};
pub use step::StepError;
pub(crate) use step::{Step, StepRow};
