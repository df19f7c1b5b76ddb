//! The OpenAI protocols: Responses, Chat Completions, Models, usage; and keys, in their manner.

pub mod audit;
pub mod chat;
pub mod conversations;
mod delta;
pub(crate) mod fields;
mod finish;
pub(crate) mod guardrail;
pub mod keys;
pub mod models;
pub(crate) mod padding;
pub mod rate_limit;
pub mod responses;
pub mod restore;
pub(crate) mod sampling;
mod settings;
mod turn;
pub mod usage;

pub use delta::{Delta, TokenLogprob, refuse_unsendable};
pub use finish::{Ending, Usage};
pub use sampling::Sampling;
pub use settings::OutputFormat;
pub use turn::{Role, Turn};

#[cfg(test)]
mod tests;
