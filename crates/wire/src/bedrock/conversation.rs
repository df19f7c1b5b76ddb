//! The turns of a Converse request, with the rules of Bedrock for what makes a conversation.

use moho_terms::Content;

use crate::Failure;
use crate::aws::document::Members;
use crate::openai::{Role, Turn};

/// What is said in a request, or in a prompt.
pub(super) struct Spoken {
    /// The system's blocks.
    pub(super) system: Option<Turn>,
    /// The messages, in whatever order of roles.
    pub(super) messages: Vec<Turn>,
}

/// The members `system` and `messages`: the system's blocks first, then a conversation.
pub(super) fn turns(members: &mut Members) -> Result<Vec<Turn>, Failure> {
    let Spoken { system, messages } = read(members)?;
    alternates(&messages)?;
    Ok(system.into_iter().chain(messages).collect())
}

/// The members `system` and `messages`.
pub(super) fn read(members: &mut Members) -> Result<Spoken, Failure> {
    let blocks: Option<Vec<Members>> = members.take("system")?;
    let blocks = blocks.filter(|blocks| !blocks.is_empty());
    let system = blocks.map(|blocks| {
        let parts = texts(blocks, |index| {
            format!("SystemContentBlock object at system.{index}")
        })?;
        let role = Role::System;
        Ok(Turn { role, parts })
    });
    let mut turns = Vec::new();
    let messages: Option<Vec<Members>> = members.take("messages")?;
    for (index, mut message) in messages.unwrap_or_default().into_iter().enumerate() {
        let role: Content = message.require("role")?;
        let role = Role::from_name(role.expose()).ok_or(Failure::Internal)?;
        let blocks: Vec<Members> = message.require("content")?;
        if blocks.is_empty() {
            return Err(Failure::Validation(format!(
                "The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to the \
                 content field and try again."
            )));
        }
        let parts = texts(blocks, |block| {
            format!("ContentBlock object at messages.{index}.content.{block}")
        })?;
        turns.push(Turn { role, parts });
    }
    Ok(Spoken {
        system: system.transpose()?,
        messages: turns,
    })
}

/// The refusal of a place where a prefix is to be cached, in a prompt: in a request it is refused before.
pub(super) fn no_cache_points() -> Failure {
    let message = "This model doesn't support the cachePoint field. Remove cachePoint and try again.";
    Failure::Validation(message.to_owned())
}

/// The texts of blocks that have nothing else.
fn texts(blocks: Vec<Members>, place: impl Fn(usize) -> String) -> Result<Vec<Content>, Failure> {
    let mut texts = Vec::with_capacity(blocks.len());
    for (index, mut block) in blocks.into_iter().enumerate() {
        let text: Option<Content> = block.take("text")?;
        let text = text.ok_or_else(no_cache_points)?;
        if text.expose().trim().is_empty() {
            return Err(Failure::Validation(format!(
                "The text field in the {} is blank. Add text to the text field, and try again.",
                place(index)
            )));
        }
        texts.push(text);
    }
    Ok(texts)
}

/// A conversation begins with the user, goes back and forth, and it is the user whom the model answers: an answer that
/// the caller has begun would not be continued but followed by another.
pub(super) fn alternates(messages: &[Turn]) -> Result<(), Failure> {
    let spoken = messages.iter().map(|turn| turn.role);
    let spoken: Vec<Role> = spoken.filter(|role| *role != Role::System).collect();
    if spoken.first() != Some(&Role::User) {
        return Err(Failure::Validation(
            "A conversation must start with a user message. Try again with a conversation that starts with a user \
             message."
                .to_owned(),
        ));
    }
    if spoken
        .windows(2)
        .any(|pair| matches!(pair, [one, next] if one == next))
    {
        return Err(Failure::Validation(
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates \
             between user and assistant roles and try again."
                .to_owned(),
        ));
    }
    if messages.last().is_some_and(|turn| turn.role == Role::Assistant) {
        return Err(Failure::Validation(
            "This model does not support assistant message prefill. The conversation must end with a user message."
                .to_owned(),
        ));
    }
    Ok(())
}
