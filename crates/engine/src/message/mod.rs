//! The engine's whole interface as owned messages, so that nothing of it is shared by reference.
//!
//! Every [`EngineCommand::Start`] is answered by exactly one terminal event ([`EventKind::is_terminal`]). Before it,
//! there is at most one [`EventKind::Admitted`], then at most one [`EventKind::Scheduled`], and then any number of
//! [`EventKind::Text`]. Every [`EngineCommand::Count`] and [`EngineCommand::Measure`] is answered by one terminal event and
//! no other.

mod command;
mod event;
mod load;
mod sampling;

pub use command::{ChatTurn, EngineCommand, OutputFormat, Prompt, SequenceId, StartSequence, Together};
pub use event::{EngineEvent, EventKind, Failure, FinishReason, PromptFault, Refusal, TokenLogprob, Usage};
pub use load::{ModelLoad, StepTokens};
pub use sampling::{Sampling, SamplingError};
