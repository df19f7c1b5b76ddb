//! Asking the engine: from a parsed request to the events of one sequence, for every API that generates text.

use std::time::Duration;

use moho_engine::{
    ChatTurn, EventKind, FinishReason, ModelCard, OutputFormat as EngineFormat, Prompt, PromptFault, Refusal,
    Sampling as EngineSampling, SequenceId, StartSequence,
};
use moho_iam::action::{bedrock, mantle};
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Content, ModelId};
use moho_wire::Failure;
use moho_wire::openai::{Ending, OutputFormat, Role, Sampling, Turn, Usage};

use crate::closing::Closing;
use crate::engine_link::Sequence;
use crate::road::{Frames, from_engine_failure, from_engine_refusal};
use crate::startup::Platform;

/// How long a stream may stay quiet before a comment line is sent.
const QUIET: Duration = Duration::from_secs(15);

/// Proof that the caller may ask a model, whichever API's action said so.
pub(crate) enum InferencePermit {
    /// `/v1`
    Mantle(Permit<mantle::CreateInference>),
    /// `/openai/v1`, answered whole
    Invoke(Permit<bedrock::InvokeModel>),
    /// `/openai/v1`, streamed
    Stream(Permit<bedrock::InvokeModelWithResponseStream>),
}

impl InferencePermit {
    fn account(&self) -> AccountId {
        match self {
            Self::Mantle(permit) => permit.session().account(),
            Self::Invoke(permit) => permit.session().account(),
            Self::Stream(permit) => permit.session().account(),
        }
    }
}

/// What is asked of a model.
pub(super) struct Question<'a> {
    pub(super) model: &'a ModelId,
    pub(super) turns: Vec<&'a Turn>,
    pub(super) sampling: Sampling,
    pub(super) max_tokens: Option<u32>,
    pub(super) stop: Vec<&'a Content>,
    pub(super) format: &'a OutputFormat,
}

/// A sequence whose prompt the engine took.
pub(super) struct Answer {
    sequence: Sequence,
    closing: Closing,
}

/// What comes next in an answer.
pub(super) enum Piece {
    Text(Content),
    End(Ending, Usage),
}

/// Asks, and waits until the engine takes the prompt or says why not.
pub(super) async fn ask(
    platform: &Platform,
    permit: &InferencePermit,
    question: &Question<'_>,
) -> Result<Answer, Asking> {
    let start = StartSequence {
        // Name and credit are the link's to choose.
        sequence: SequenceId(0),
        credit: 0,
        model: question.model.clone(),
        prompt: Prompt::Chat(question.turns.iter().map(|turn| chat_turn(turn)).collect()),
        sampling: sampling(question.sampling).map_err(Asking::Failed)?,
        max_tokens: question.max_tokens,
        stop: question.stop.iter().map(|stop| copy(stop)).collect(),
        output: format(question.format),
        isolation: isolation(permit.account()),
    };
    let mut sequence = platform
        .engine
        .start_sequence(Box::new(start))
        .map_err(|_gone| Asking::Failed(Failure::Unavailable))?;
    let closing = platform.closing.clone();
    match until_closing(&mut sequence, &closing)
        .await
        .map_err(Asking::Failed)?
    {
        Some(EventKind::Admitted { .. }) => Ok(Answer { sequence, closing }),
        Some(EventKind::Refused(refusal)) => Err(Asking::refused(
            &refusal,
            question.model,
            platform.engine.models(),
        )),
        Some(EventKind::Failed(failure)) => Err(Asking::Failed(from_engine_failure(failure))),
        Some(EventKind::Text { .. } | EventKind::Finished { .. }) | None => {
            Err(Asking::Failed(Failure::Internal))
        }
    }
}

/// Why a question was not taken.
pub(super) enum Asking {
    /// The conversation does not fit; a shorter one may.
    TooLong { prompt_tokens: Option<u32>, limit: u32 },
    /// Nothing to be done about it here.
    Failed(Failure),
}

impl Asking {
    fn refused(refusal: &Refusal, model: &ModelId, cards: &[ModelCard]) -> Self {
        let card = cards.iter().find(|card| card.id == *model);
        match (refusal, card) {
            (Refusal::ContextOverflow { prompt_tokens, limit }, _) => Self::TooLong {
                prompt_tokens: Some(*prompt_tokens),
                limit: *limit,
            },
            // So many bytes or turns that they were not even counted as tokens.
            (Refusal::InvalidPrompt(PromptFault::TooLong), Some(card)) => Self::TooLong {
                prompt_tokens: None,
                limit: card.context_length,
            },
            _ => Self::Failed(from_engine_refusal(refusal, model)),
        }
    }
}

impl From<Asking> for Failure {
    fn from(asking: Asking) -> Self {
        match asking {
            Asking::TooLong { prompt_tokens, limit } => Self::ContextLengthExceeded {
                limit: u64::from(limit),
                prompt_tokens: prompt_tokens.map(u64::from),
            },
            Asking::Failed(failure) => failure,
        }
    }
}

impl Answer {
    /// The next text, or the end.
    pub(super) async fn next(&mut self) -> Result<Piece, Failure> {
        loop {
            match until_closing(&mut self.sequence, &self.closing).await? {
                Some(EventKind::Text { text, .. }) if text.is_empty() => {}
                Some(EventKind::Text { text, .. }) => return Ok(Piece::Text(text)),
                Some(EventKind::Finished { reason, usage }) => return ended(reason, usage),
                Some(EventKind::Failed(failure)) => return Err(from_engine_failure(failure)),
                Some(EventKind::Admitted { .. } | EventKind::Refused(_)) | None => {
                    return Err(Failure::Internal);
                }
            }
        }
    }

    /// The next text for a stream, which is kept alive meanwhile; `None` once the client has gone. Dropping the answer
    /// then cancels its sequence.
    pub(super) async fn next_for(&mut self, frames: &Frames) -> Option<Result<Piece, Failure>> {
        loop {
            tokio::select! {
                piece = self.next() => return Some(piece),
                () = frames.gone() => return None,
                () = tokio::time::sleep(QUIET) => frames.keep_alive().await.ok()?,
            }
        }
    }
}

/// The next event, unless the server stops and everything that still runs has to end.
async fn until_closing(sequence: &mut Sequence, closing: &Closing) -> Result<Option<EventKind>, Failure> {
    tokio::select! {
        biased;
        event = sequence.next() => Ok(event),
        () = closing.ending() => Err(Failure::Unavailable),
    }
}

fn ended(reason: FinishReason, usage: moho_engine::Usage) -> Result<Piece, Failure> {
    let ending = match reason {
        FinishReason::Stop | FinishReason::StopSequence => Ending::Stop,
        FinishReason::Length => Ending::Length,
        // Only this side cancels, and it does not listen any more when it does.
        FinishReason::Cancelled => return Err(Failure::Unavailable),
    };
    let usage = Usage {
        input_tokens: u64::from(usage.prompt_tokens),
        cached_tokens: u64::from(usage.cached_tokens),
        output_tokens: u64::from(usage.completion_tokens),
    };
    Ok(Piece::End(ending, usage))
}

fn chat_turn(turn: &Turn) -> ChatTurn {
    let role = match turn.role {
        // Templates know three roles; the application speaks with the platform's voice.
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    ChatTurn {
        role,
        text: turn.text(),
    }
}

fn copy(content: &Content) -> Content {
    Content::new(content.expose().to_owned())
}

fn format(format: &OutputFormat) -> EngineFormat {
    match format {
        OutputFormat::Text => EngineFormat::Text,
        OutputFormat::JsonObject => EngineFormat::JsonObject,
        OutputFormat::JsonSchema { schema, .. } => EngineFormat::JsonSchema(copy(schema)),
    }
}

/// OpenAI's defaults: temperature 1, everything kept.
fn sampling(asked: Sampling) -> Result<EngineSampling, Failure> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "0 to 2 and 0 to 1: only digits are lost"
    )]
    let narrow = |number: Option<f64>| number.unwrap_or(1.0) as f32;
    EngineSampling::new(narrow(asked.temperature), narrow(asked.top_p), 0, asked.seed).map_err(|error| {
        Failure::Invalid {
            message: error.to_string(),
            param: Some("temperature".to_owned()),
            code: None,
        }
    })
}

/// Sequences of different accounts share nothing that can be timed.
fn isolation(account: AccountId) -> u64 {
    account.as_str().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_to_count_is_too_long() {
        let model: ModelId = "m".parse().unwrap();
        let card = ModelCard {
            id: model.clone(),
            context_length: 8192,
            parameters: 0,
            digest: [0; 32],
            quantisation: String::new(),
        };
        let counted = Refusal::ContextOverflow {
            prompt_tokens: 9000,
            limit: 8192,
        };
        let uncounted = Refusal::InvalidPrompt(PromptFault::TooLong);
        for (refusal, prompt_tokens) in [(counted, Some(9000)), (uncounted, None)] {
            let asking = Asking::refused(&refusal, &model, std::slice::from_ref(&card));
            assert!(matches!(asking, Asking::TooLong { .. }));
            let limit = 8192;
            assert_eq!(
                Failure::from(asking),
                Failure::ContextLengthExceeded { limit, prompt_tokens }
            );
        }
        let empty = Refusal::InvalidPrompt(PromptFault::Empty);
        assert!(matches!(
            Asking::refused(&empty, &model, &[card]),
            Asking::Failed(_)
        ));
    }
}
