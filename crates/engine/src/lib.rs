//! Inference: from a prompt to a stream of text, on this machine's processors.
//!
//! The only interface is owned messages: [`EngineCommand`] in, [`EngineEvent`] out, so that the engine can live in a
//! process of its own. It sees plaintext, so it holds no keys and knows no socket, database or policy: weights come in
//! as a file, prompts as messages. All `unsafe` of the crate is in `device`.
//!
//! [`LoadedModel::open`] reads a model file, [`Engine::start`] puts it to work; from then on, everything about a
//! sequence is said in messages.
#![deny(unsafe_code)]

pub mod eval;
#[doc(hidden)]
pub mod hostile_input;

mod device;
mod engine;
mod gguf;
mod grammar;
mod kv;
mod loaded;
mod message;
mod model;
mod sampler;
mod scheduler;
mod template;
mod tokenizer;

#[cfg(test)]
#[path = "../tests/support/tiny.rs"]
mod tiny;

pub use engine::{Engine, EngineConfig, EngineError, EngineGone, EngineHandle, EngineSender};
pub use gguf::GgufError;
pub use grammar::MaskError;
pub use loaded::{LoadError, LoadedModel, ModelCard, ModelOutline, kernels};
pub use message::{
    ChatTurn, EngineCommand, EngineEvent, EventKind, Failure, FinishReason, ModelLoad, OutputFormat, Prompt,
    PromptFault, Refusal, Sampling, SamplingError, SequenceId, StartSequence, StepTokens, Together,
    TokenLogprob, Usage,
};
pub use model::{ActivationPath, ModelError, StepError};
pub use template::TemplateError;
pub use tokenizer::TokenizerError;
