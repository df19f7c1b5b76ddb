//! Bedrock: its runtime's Converse, InvokeModel and CountTokens, and its list of foundation models.
//!
//! Requests arrive as AWS's rest-json: members in path, query, headers and body, read and validated by
//! `crate::aws` as the service model says. What a member would change and moho does not serve is refused by name.
//! Streams are AWS event streams: each frame is checked by two CRCs, and a failure is a frame of its own kind.

mod answer;
mod control;
mod conversation;
mod converse;
mod converse_out;
mod count;
mod event_stream;
mod identifier;
mod invoke;
mod invoke_out;
mod llama;
mod models;
mod operation;
pub(crate) mod operations;
mod prompts;
mod terms;

pub use answer::{Latency, ReplyTerms};
pub use control::ControlOperation;
pub use converse::Converse;
pub use converse_out::{ConverseDraft, ConverseStream};
pub use count::{CountInput, CountTokens};
pub use identifier::{ModelIdentifier, ProfileArn, ProfileKind, profile_not_found};
pub use invoke::{InvokeBody, InvokeModel, Llama, LlamaPrompt};
pub use invoke_out::{ChatChunks, LlamaDraft, LlamaStream, chat_completion};
pub use models::{FoundationModel, ListFoundationModels};
pub(crate) use operation::Called;
pub use operation::Operation;
pub use prompts::{
    AgentOperation, PromptArn, PromptBody, PromptVariables, PromptVariants, PromptedConverse, RenderedPrompt,
    prompt_not_found,
};

#[cfg(test)]
pub(crate) use event_stream::event as frame_of_event;

#[cfg(test)]
mod tests;
