//! The OpenAI protocols: Responses, Chat Completions, Models.

pub mod chat;
pub(crate) mod fields;
mod finish;
pub mod models;
mod padding;
pub mod responses;
mod settings;
mod turn;

pub use finish::{Ending, Usage};
pub use settings::{OutputFormat, Sampling};
pub use turn::{Role, Turn};
