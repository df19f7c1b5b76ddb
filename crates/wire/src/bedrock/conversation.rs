//! The turns of a Converse request, with the rules of Bedrock for what makes a conversation.

use moho_terms::Content;

use crate::Failure;
use crate::aws::document::Members;
use crate::openai::{Role, Turn};

/// The members `system` and `messages`: the system's blocks first.
pub(super) fn turns(members: &mut Members) -> Result<Vec<Turn>, Failure> {
    let mut turns = Vec::new();
    let system: Option<Vec<Members>> = members.take("system")?;
    if let Some(blocks) = system.filter(|blocks| !blocks.is_empty()) {
        let parts = texts(blocks, |index| {
            format!("SystemContentBlock object at system.{index}")
        })?;
        let role = Role::System;
        turns.push(Turn { role, parts });
    }
    let messages: Option<Vec<Members>> = members.take("messages")?;
    let first = turns.len();
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
    alternates(turns.get(first..).unwrap_or_default())?;
    Ok(turns)
}

/// The texts of blocks that have nothing else.
fn texts(blocks: Vec<Members>, place: impl Fn(usize) -> String) -> Result<Vec<Content>, Failure> {
    let mut texts = Vec::with_capacity(blocks.len());
    for (index, mut block) in blocks.into_iter().enumerate() {
        let text: Content = block.require("text")?;
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
fn alternates(messages: &[Turn]) -> Result<(), Failure> {
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
