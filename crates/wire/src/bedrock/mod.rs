//! Bedrock: its runtime's Converse, InvokeModel and CountTokens, and its list of foundation models.
//!
//! Requests arrive as AWS's rest-json: members in path, query, headers and body, read and validated by
//! `crate::aws` as the service model says. What a member would change and moho does not serve is refused by name.
//! Streams are AWS event streams: each frame is checked by two CRCs, and a failure is a frame of its own kind.

mod answer;
mod converse;
mod count;
mod identifier;
mod invoke;
mod models;
mod operation;

pub use answer::{Latency, ReplyTerms};
pub use converse::{Converse, ConverseDraft, ConverseStream};
pub use count::{CountInput, CountTokens};
pub use identifier::ModelIdentifier;
pub use invoke::{
    ChatChunks, InvokeBody, InvokeModel, Llama, LlamaDraft, LlamaPrompt, LlamaStream, chat_completion,
};
pub use models::{FoundationModel, ListFoundationModels};
pub use operation::Operation;
