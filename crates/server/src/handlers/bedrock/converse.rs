//! `Converse` and `ConverseStream`: one conversation, whichever model answers.

use moho_terms::{ContentBytes, Entropy};
use moho_wire::Failure;
use moho_wire::bedrock::{Converse, ConverseDraft, ConverseStream, Latency};
use moho_wire::openai::{Delta, Ending, Usage};

use super::super::inference::{Answer, InferencePermit, Piece, Question, Words, ask};
use super::{Asked, Speech, Stopwatch, speak, worded};
use crate::net::Outbound;
use crate::road::{self, amazon_event_stream};

/// `POST /model/{modelId}/converse`
pub(crate) async fn whole(
    asked: Asked,
    permit: InferencePermit,
    converse: Converse,
) -> Result<Outbound, Failure> {
    let watch = Stopwatch::start();
    let mut answer = begin(&asked, &permit, &converse).await?;
    let mut draft = ConverseDraft::new(converse.terms);
    loop {
        match answer.next().await.map_err(worded)? {
            Piece::Delta { delta, .. } => draft.push(&delta.text),
            Piece::End { ending, usage, .. } => {
                return draft.complete(ending, usage, watch.stop()).map(road::whole);
            }
        }
    }
}

/// `POST /model/{modelId}/converse-stream`
pub(crate) async fn streamed(
    asked: Asked,
    permit: InferencePermit,
    converse: Converse,
) -> Result<Outbound, Failure> {
    let watch = Stopwatch::start();
    let answer = begin(&asked, &permit, &converse).await?;
    let stream = ConverseStream::new(converse.terms);
    Ok(amazon_event_stream(
        stream.head(),
        answer.invocation(),
        |frames| speak(asked, answer, stream, watch, frames),
    ))
}

async fn begin(asked: &Asked, permit: &InferencePermit, converse: &Converse) -> Result<Answer, Failure> {
    let question = Question {
        model: permit.model(),
        words: Words::Turns(converse.turns.iter().collect()),
        choices: 1,
        sampling: converse.sampling,
        logit_bias: &[],
        logprobs: None,
        max_tokens: converse.max_tokens,
        stop: converse.stop.iter().collect(),
        format: &converse.format,
    };
    ask(asked, permit, &question)
        .await
        .map_err(|asking| worded(asking.into()))
}

impl Speech for ConverseStream {
    fn open(&mut self) -> Result<Option<ContentBytes>, Failure> {
        self.open().map(Some)
    }

    fn delta(&mut self, _only: usize, delta: &Delta, entropy: &dyn Entropy) -> Result<ContentBytes, Failure> {
        self.delta(&delta.text, entropy)
    }

    fn complete(
        self,
        (_only, ending): (usize, Ending),
        usage: Usage,
        latency: Latency,
    ) -> Result<ContentBytes, Failure> {
        self.complete(ending, usage, latency)
    }

    fn fail(self, failure: &Failure) -> ContentBytes {
        self.fail(failure)
    }
}
