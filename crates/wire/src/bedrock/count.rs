//! `CountTokens`: how many tokens a request would have, without running it.

use moho_terms::ContentBytes;

use super::answer::{count, structure};
use super::{InvokeBody, LlamaPrompt, ModelIdentifier, conversation, converse};
use crate::aws::document::Members;
use crate::aws::rest::RestService;
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
    /// Reads a validated request.
    pub(super) fn read(model: ModelIdentifier, members: &mut Members) -> Result<Self, Failure> {
        let mut input: Members = members.require("input")?;
        let input = match input.take::<Members>("converse")? {
            Some(mut request) => {
                let turns = conversation::turns(&mut request)?;
                // They count for nothing, but a request that could not be run is not counted either.
                converse::additional(&mut request)?;
                CountInput::Turns(turns)
            }
            None => {
                let body: ContentBytes = input.require::<Members>("invokeModel")?.require("body")?;
                match InvokeBody::read(&model, &body, false)? {
                    InvokeBody::Llama(llama) => CountInput::Llama(llama.prompt),
                    InvokeBody::Chat(chat) => CountInput::Turns(chat.messages),
                }
            }
        };
        Ok(Self { model, input })
    }

    /// The reply on the wire.
    ///
    /// # Errors
    /// [`Failure::Internal`] if it does not fit the service model.
    pub fn reply(tokens: u32) -> Result<Reply, Failure> {
        let document = structure([("inputTokens", count(tokens.into()))]);
        RestService::BedrockRuntime.reply("CountTokens", document)
    }
}
