//! The Chat Completions API.

mod create;
mod events;

pub use create::CreateChat;
pub use events::{ChatDraft, ChatHead, ChatStream};

#[cfg(test)]
mod tests;
