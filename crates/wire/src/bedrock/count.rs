//! `CountTokens`: how many tokens a request would have, without running it.

use super::{LlamaPrompt, ModelIdentifier};
use crate::openai::Turn;
use crate::{Failure, Reply};

/// A parsed `CountTokens`.
pub struct CountTokens {
    /// The model whose tokens are counted.
    pub model: ModelIdentifier,
    /// What is counted.
    pub input: CountInput,
}

/// The input of a request to count.
pub enum CountInput {
    /// That of `Converse`, or of `InvokeModel` with a chat body.
    Turns(Vec<Turn>),
    /// That of `InvokeModel` with a Llama body.
    Llama(LlamaPrompt),
}

impl CountTokens {
    /// The reply on the wire.
    ///
    /// # Errors
    /// [`Failure::Internal`] if it does not fit the service model.
    pub fn reply(tokens: u32) -> Result<Reply, Failure> {
        let _unused = tokens;
        Err(Failure::Internal)
    }
}
