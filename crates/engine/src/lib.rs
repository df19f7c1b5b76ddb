//! Inference: from a prompt to a stream of text, on this machine's processors.
//!
//! The only interface is owned messages: [`EngineCommand`] in, [`EngineEvent`] out, so that the engine can live in a
//! process of its own. It sees plaintext, therefore it holds no keys and imports nothing that does.
//!
//! [`LoadedModel::open`] reads a model file, [`Engine::start`] gives it threads; from then on, everything about a
//! sequence is said in messages.

mod engine;
mod loaded;
mod message;

pub use engine::{Engine, EngineConfig, EngineError, EngineGone, EngineHandle};
pub use loaded::{LoadError, LoadedModel, ModelCard};
pub use message::{
    ChatTurn, EngineCommand, EngineEvent, EventKind, Failure, FinishReason, OutputFormat, Prompt,
    PromptFault, Refusal, Sampling, SamplingError, SequenceId, StartSequence, Usage,
};
