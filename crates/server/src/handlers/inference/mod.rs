//! Asking the engine: from a parsed request to the events of its sequences, for every API that generates text.

mod admission;
mod answer;
mod sampling;

use moho_engine::{
    ChatTurn, EventKind, ModelCard, OutputFormat as EngineFormat, Prompt, PromptFault, Refusal, SequenceId,
    StartSequence, Together,
};
use moho_iam::action::{bedrock, mantle};
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Arn, Content, ModelId};
use moho_wire::Failure;
use moho_wire::openai::{OutputFormat, Role, Sampling, Turn};

pub(super) use admission::{admit_count, admit_search, fits};
pub(super) use answer::{Answer, Piece};

use self::admission::{Admitted, admit, asker};
use self::answer::until_closing;
use self::sampling::sampling;
use super::Asked;
use crate::engine_link::Sequence;
use crate::invocations::Invocation;
use crate::quota::Asker;
use crate::road::{from_engine_failure, from_engine_refusal};

/// Proof that the caller may ask a model, and by which name it asked.
pub(crate) struct InferencePermit {
    proof: Proof,
    named: Named,
    invocation: Option<Invocation>,
}

/// The action that said so.
pub(crate) enum Proof {
    /// `/v1`
    Mantle(Permit<mantle::CreateInference>),
    /// `/openai/v1` and Bedrock's own operations, answered whole
    Invoke(Permit<bedrock::InvokeModel>),
    /// `/openai/v1` and Bedrock's own operations, streamed
    Stream(Permit<bedrock::InvokeModelWithResponseStream>),
}

/// A model, however it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) model: ModelId,
    /// The inference profile by which it was named.
    pub(crate) profile: Option<Arn>,
}

impl InferencePermit {
    /// With what is logged of the call, if anything is: from here on it is.
    ///
    /// # Errors
    /// A [`Failure`] if it cannot be logged, though it has to be.
    pub(crate) fn new(proof: Proof, named: Named, invocation: Option<&Invocation>) -> Result<Self, Failure> {
        if let Some(invocation) = invocation {
            invocation.permitted(&named)?;
        }
        Ok(Self {
            proof,
            named,
            invocation: invocation.cloned(),
        })
    }

    /// The model that may be asked.
    pub(super) fn model(&self) -> &ModelId {
        &self.named.model
    }

    fn account(&self) -> AccountId {
        match &self.proof {
            Proof::Mantle(permit) => permit.session().account(),
            Proof::Invoke(permit) => permit.session().account(),
            Proof::Stream(permit) => permit.session().account(),
        }
    }

    /// Who asks.
    fn asker(&self) -> Asker {
        match &self.proof {
            Proof::Mantle(permit) => asker(permit),
            Proof::Invoke(permit) => asker(permit),
            Proof::Stream(permit) => asker(permit),
        }
    }

    /// The inference profile that was named, if one was.
    fn profile(&self) -> Option<&Arn> {
        self.named.profile.as_ref()
    }
}

/// What is asked of a model.
pub(super) struct Question<'a> {
    pub(super) model: &'a ModelId,
    pub(super) words: Words<'a>,
    /// How many answers, each with a seed of its own; no answer is none.
    pub(super) choices: u32,
    pub(super) sampling: Sampling,
    /// What is added to the logits of tokens: -100 to 100, each token once.
    pub(super) logit_bias: &'a [(u32, f32)],
    /// Whether log-probabilities are told, and of how many of the likeliest tokens beside the chosen one: at most 20.
    pub(super) logprobs: Option<u8>,
    pub(super) max_tokens: Option<u32>,
    pub(super) stop: Vec<&'a Content>,
    pub(super) format: &'a OutputFormat,
}

/// What an answer shall continue.
pub(super) enum Words<'a> {
    /// A conversation, for the model's own template.
    Turns(Vec<&'a Turn>),
    /// Text as it is.
    Raw(&'a Content),
}

/// Asks, and waits until the engine takes the prompt or says why not. It has to take it for every choice.
pub(super) async fn ask(
    asked: &Asked,
    permit: &InferencePermit,
    question: &Question<'_>,
) -> Result<Answer, Asking> {
    let mut admitted = admit(asked, permit, question).await?;
    let mut sequences = Vec::new();
    // One after the other, so that a prompt that is not taken is read once, and no more than one copy of it waits.
    for choice in 0..question.choices {
        sequences.push(begin(asked, permit, question, (choice, &mut admitted)).await?);
    }
    let closing = asked.platform.closing.clone();
    Ok(Answer::of(sequences, closing, permit.invocation.clone()))
}

/// Starts the sequence of a choice, and waits until it is admitted.
async fn begin(
    asked: &Asked,
    permit: &InferencePermit,
    question: &Question<'_>,
    (choice, admitted): (u32, &mut Admitted),
) -> Result<Sequence, Asking> {
    let platform = &asked.platform;
    let start = StartSequence {
        // Name and credit are the link's to choose.
        sequence: SequenceId(0),
        credit: 0,
        model: question.model.clone(),
        prompt: prompt(&question.words),
        sampling: sampling(question.sampling, choice).map_err(Asking::Failed)?,
        bias: question.logit_bias.to_vec(),
        logprobs: question.logprobs,
        max_tokens: admitted.max_tokens,
        stop: question.stop.iter().map(|stop| copy(stop)).collect(),
        output: format(question.format),
        isolation: isolation(permit.account()),
        together: Together {
            follows: choice > 0,
            to_come: question.choices.saturating_sub(choice).saturating_sub(1),
        },
    };
    let mut sequence = platform
        .engine
        .start_sequence(Box::new(start), &asked.span, Some(admitted.bill(choice)))
        .map_err(|_gone| Asking::Failed(Failure::Unavailable))?;
    match until_closing(&platform.closing, sequence.next())
        .await
        .map_err(Asking::Failed)?
    {
        Some(EventKind::Admitted {
            prompt_tokens,
            cached_tokens,
        }) => {
            if let Some(invocation) = permit.invocation.as_ref().filter(|_| choice == 0) {
                invocation.admitted(prompt_tokens, cached_tokens);
            }
            Ok(sequence)
        }
        Some(EventKind::Refused(refusal)) => Err(Asking::refused(
            &refusal,
            question.model,
            platform.engine.models(),
        )),
        Some(EventKind::Failed(failure)) => Err(Asking::Failed(from_engine_failure(failure))),
        Some(
            EventKind::Scheduled
            | EventKind::Text { .. }
            | EventKind::Counted { .. }
            | EventKind::Measured(_)
            | EventKind::Finished { .. },
        )
        | None => Err(Asking::Failed(Failure::Internal)),
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
    pub(super) fn refused(refusal: &Refusal, model: &ModelId, cards: &[ModelCard]) -> Self {
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

pub(super) fn prompt(words: &Words<'_>) -> Prompt {
    match words {
        Words::Turns(turns) => Prompt::Chat(turns.iter().map(|turn| chat_turn(turn)).collect()),
        Words::Raw(text) => Prompt::Text(copy(text)),
    }
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

/// Sequences of different accounts share nothing that can be timed.
pub(super) fn isolation(account: AccountId) -> u64 {
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
