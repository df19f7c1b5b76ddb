//! Asking the engine: from a parsed request to the events of its sequences, for every API that generates text.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use moho_engine::{
    ChatTurn, EventKind, FinishReason, ModelCard, OutputFormat as EngineFormat, Prompt, PromptFault, Refusal,
    Sampling as EngineSampling, SequenceId, StartSequence, Together,
};
use moho_iam::action::{bedrock, mantle};
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Content, ModelId};
use moho_wire::Failure;
use moho_wire::openai::{Delta, Ending, OutputFormat, Role, Sampling, TokenLogprob, Turn, Usage};

use super::Asked;
use crate::closing::Closing;
use crate::engine_link::Sequence;
use crate::road::{Frames, from_engine_failure, from_engine_refusal};

/// How long a stream may stay quiet before a comment line is sent.
const QUIET: Duration = Duration::from_secs(15);

/// Proof that the caller may ask a model, whichever API's action said so.
pub(crate) enum InferencePermit {
    /// `/v1`
    Mantle(Permit<mantle::CreateInference>),
    /// `/openai/v1` and Bedrock's own operations, answered whole
    Invoke(Permit<bedrock::InvokeModel>),
    /// `/openai/v1` and Bedrock's own operations, streamed
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

/// Sequences whose prompt the engine took: one for each choice. Dropping it cancels those that have not ended.
pub(super) struct Answer {
    choices: Choices,
    closing: Closing,
    /// What the choices that ended took: their one prompt is counted once.
    usage: Usage,
}

/// The choices of an answer, heard as they speak.
struct Choices {
    /// What the next event of each is waited for with, until it has ended.
    listening: Vec<Option<Listening>>,
    /// Which is heard first next time, so that none is always the last.
    first: usize,
}

/// Waits for the next event of a sequence, and gives the sequence back with it.
type Listening = Pin<Box<dyn Future<Output = (Sequence, Option<EventKind>)> + Send>>;

/// What comes next in an answer.
pub(super) enum Piece {
    /// More of a choice.
    Delta { choice: usize, delta: Delta },
    /// A choice has ended; `usage` is of all that have.
    End {
        choice: usize,
        ending: Ending,
        usage: Usage,
    },
}

/// Asks, and waits until the engine takes the prompt or says why not. It has to take it for every choice.
pub(super) async fn ask(
    asked: &Asked,
    permit: &InferencePermit,
    question: &Question<'_>,
) -> Result<Answer, Asking> {
    let mut listening = Vec::new();
    // One after the other, so that a prompt that is not taken is read once, and no more than one copy of it waits.
    for choice in 0..question.choices {
        let sequence = begin(asked, permit, question, choice).await?;
        listening.push(Some(listen(sequence)));
    }
    Ok(Answer {
        choices: Choices { listening, first: 0 },
        closing: asked.platform.closing.clone(),
        usage: Usage::default(),
    })
}

/// Starts the sequence of a choice, and waits until it is admitted.
async fn begin(
    asked: &Asked,
    permit: &InferencePermit,
    question: &Question<'_>,
    choice: u32,
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
        max_tokens: question.max_tokens,
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
        .start_sequence(Box::new(start), &asked.span)
        .map_err(|_gone| Asking::Failed(Failure::Unavailable))?;
    match until_closing(&platform.closing, sequence.next())
        .await
        .map_err(Asking::Failed)?
    {
        Some(EventKind::Admitted { .. }) => Ok(sequence),
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

impl Answer {
    /// Whether every choice has ended.
    pub(super) fn is_over(&self) -> bool {
        self.choices.are_over()
    }

    /// The next text or end of any choice. A failure of one is the failure of all.
    pub(super) async fn next(&mut self) -> Result<Piece, Failure> {
        loop {
            let (choice, event) = until_closing(&self.closing, self.choices.next()).await?;
            match event {
                Some(EventKind::Scheduled) => {}
                Some(EventKind::Text { text, logprobs, .. }) if text.is_empty() && logprobs.is_empty() => {}
                Some(EventKind::Text { text, logprobs, .. }) => {
                    let logprobs = logprobs.into_iter().map(token_logprob).collect();
                    let delta = Delta { text, logprobs };
                    return Ok(Piece::Delta { choice, delta });
                }
                Some(EventKind::Finished { reason, usage }) => return self.end(choice, reason, usage),
                Some(EventKind::Failed(failure)) => return Err(from_engine_failure(failure)),
                Some(
                    EventKind::Admitted { .. }
                    | EventKind::Counted { .. }
                    | EventKind::Measured(_)
                    | EventKind::Refused(_),
                )
                | None => return Err(Failure::Internal),
            }
        }
    }

    /// The next text for a stream, which is kept alive meanwhile; `None` once the client has gone. Dropping the answer
    /// then cancels its sequences.
    pub(super) async fn next_for(&mut self, frames: &Frames) -> Option<Result<Piece, Failure>> {
        loop {
            tokio::select! {
                piece = self.next() => return Some(piece),
                () = frames.gone() => return None,
                () = tokio::time::sleep(QUIET) => frames.keep_alive().await.ok()?,
            }
        }
    }

    fn end(
        &mut self,
        choice: usize,
        reason: FinishReason,
        took: moho_engine::Usage,
    ) -> Result<Piece, Failure> {
        let ending = match reason {
            FinishReason::Stop => Ending::Stop,
            FinishReason::StopSequence => Ending::StopSequence,
            FinishReason::Length => Ending::Length,
            // Only this side cancels, and it does not listen any more when it does.
            FinishReason::Cancelled => return Err(Failure::Unavailable),
        };
        if choice == 0 {
            self.usage.input_tokens = u64::from(took.prompt_tokens);
            self.usage.cached_tokens = u64::from(took.cached_tokens);
        }
        let written = u64::from(took.completion_tokens);
        self.usage.output_tokens = self.usage.output_tokens.saturating_add(written);
        let usage = self.usage;
        Ok(Piece::End {
            choice,
            ending,
            usage,
        })
    }
}

impl Choices {
    fn are_over(&self) -> bool {
        self.listening.iter().all(Option::is_none)
    }

    /// The next event of any choice, all being heard in turn; none if all have ended.
    async fn next(&mut self) -> (usize, Option<EventKind>) {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<(usize, Option<EventKind>)> {
        let count = self.listening.len();
        for choice in (self.first..count).chain(0..self.first.min(count)) {
            let Some(place) = self.listening.get_mut(choice) else {
                continue;
            };
            let Some(listening) = place else { continue };
            if let Poll::Ready((sequence, event)) = listening.as_mut().poll(context) {
                let goes_on = event.as_ref().is_some_and(|event| !event.is_terminal());
                *place = goes_on.then(|| listen(sequence));
                self.first = choice.saturating_add(1);
                return Poll::Ready((choice, event));
            }
        }
        if self.are_over() {
            Poll::Ready((0, None))
        } else {
            Poll::Pending
        }
    }
}

/// What comes, unless the server stops and everything that still runs has to end.
async fn until_closing<T>(closing: &Closing, coming: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        biased;
        event = coming => Ok(event),
        () = closing.ending() => Err(Failure::Unavailable),
    }
}

fn listen(mut sequence: Sequence) -> Listening {
    Box::pin(async move {
        let event = sequence.next().await;
        (sequence, event)
    })
}

fn token_logprob(token: moho_engine::TokenLogprob) -> TokenLogprob {
    TokenLogprob {
        bytes: token.bytes,
        logprob: token.logprob,
        top: token.top,
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

/// OpenAI's defaults: temperature 1, everything kept, no penalties.
fn sampling(asked: Sampling, choice: u32) -> Result<EngineSampling, Failure> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "each is in a range of a few hundred at most: only digits are lost"
    )]
    let narrow = |number: Option<f64>, default: f32| number.map_or(default, |number| number as f32);
    let top_k = asked.top_k.unwrap_or(0);
    let seed = asked.seed.map(|seed| seed_of(seed, choice));
    EngineSampling::new(
        narrow(asked.temperature, 1.0),
        narrow(asked.top_p, 1.0),
        top_k,
        seed,
    )
    .and_then(|sampling| sampling.with_min_p(narrow(asked.min_p, 0.0)))
    .and_then(|sampling| {
        sampling.with_penalties(
            narrow(asked.presence_penalty, 0.0),
            narrow(asked.frequency_penalty, 0.0),
            narrow(asked.repetition_penalty, 1.0),
        )
    })
    .map_err(|error| Failure::Invalid {
        message: error.to_string(),
        param: None,
        code: None,
    })
}

/// The seed of a choice: of the first the caller's own, so that it says what it would say alone, and of the others
/// numbers that follow from it (a step of SplitMix64).
fn seed_of(seed: u64, choice: u32) -> u64 {
    if choice == 0 {
        return seed;
    }
    let step = u64::from(choice).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = seed.wrapping_add(step);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Sequences of different accounts share nothing that can be timed.
pub(super) fn isolation(account: AccountId) -> u64 {
    account.as_str().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_choice_has_a_seed_of_its_own_that_follows_from_the_request_s() {
        for seed in [0, 7, u64::MAX] {
            let seeds: HashSet<u64> = (0..128).map(|choice| seed_of(seed, choice)).collect();
            assert_eq!(seeds.len(), 128);
            assert_eq!(seed_of(seed, 0), seed);
        }
        // Neighbours share no seeds: their answers would be the same.
        let [some, others] = [7, 8].map(|seed| (0..128).map(|c| seed_of(seed, c)).collect::<HashSet<u64>>());
        assert!(some.is_disjoint(&others));
        // A client that asks again next year gets the same.
        assert_eq!(seed_of(7, 1), 0x63cb_e1e4_5932_0dd7);
    }

    #[test]
    fn sampling_reaches_the_engine_whole() {
        let asked = Sampling {
            temperature: Some(0.5),
            top_p: Some(0.25),
            top_k: Some(40),
            min_p: Some(0.125),
            presence_penalty: Some(1.5),
            frequency_penalty: Some(-2.0),
            repetition_penalty: Some(1.25),
            seed: Some(9),
        };
        let sampling = sampling(asked, 0).unwrap();
        assert_eq!(
            (sampling.temperature(), sampling.top_p(), sampling.top_k()),
            (0.5, 0.25, 40)
        );
        assert_eq!((sampling.min_p(), sampling.presence()), (0.125, 1.5));
        assert_eq!((sampling.frequency(), sampling.repetition()), (-2.0, 1.25));
        assert_eq!(sampling.seed(), Some(9));
    }

    #[test]
    fn what_is_not_asked_for_is_off() {
        let plain = sampling(Sampling::default(), 3).unwrap();
        assert_eq!(plain, EngineSampling::new(1.0, 1.0, 0, None).unwrap());
        let wrong = Sampling {
            repetition_penalty: Some(1e-60),
            ..Sampling::default()
        };
        assert!(matches!(sampling(wrong, 0), Err(Failure::Invalid { .. })));
    }

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
