//! Decoder models: from weights to logits.

mod config;
mod error;
mod llama;
mod load;
mod step;

#[cfg(test)]
mod tests;

pub use error::ModelError;
pub use load::ActivationPath;
pub use step::StepError;

pub(crate) use config::LlamaConfig;
pub(crate) use llama::Llama;
pub(crate) use load::{LoadOptions, check};
pub(crate) use step::{Step, StepRow};
