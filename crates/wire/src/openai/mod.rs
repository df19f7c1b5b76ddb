//! The OpenAI protocols: Responses, Chat Completions, Models.

pub mod chat;
mod finish;
pub mod models;
pub mod responses;
mod settings;
mod turn;

pub use finish::{Ending, Usage};
pub use settings::{OutputFormat, Sampling};
pub use turn::{Role, Turn};
