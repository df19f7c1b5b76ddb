//! The engine's whole interface as owned messages, so that nothing of it is shared by reference.
//!
//! Every [`EngineCommand::Start`] is answered by exactly one terminal event ([`EventKind::is_terminal`]). Before it,
//! there is at most one [`EventKind::Admitted`] and then any number of [`EventKind::Text`].

mod command;
mod event;

pub use command::{
    ChatTurn, EngineCommand, OutputFormat, Prompt, Sampling, SamplingError, SequenceId, StartSequence,
};
pub use event::{EngineEvent, EventKind, Failure, FinishReason, PromptFault, Refusal, Usage};
