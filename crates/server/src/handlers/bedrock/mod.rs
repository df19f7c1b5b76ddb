//! Bedrock's runtime, of which nothing is kept, its list of models, and who may use which under which names.
//!
//! A request that cannot be served ends in an error of HTTP; once the first frame of a stream is sent, it ends in an
//! exception frame or is broken off, and never as if all had been said.

pub(crate) mod agreements;
pub(crate) mod converse;
pub(crate) mod count_tokens;
pub(crate) mod foundation_models;
pub(crate) mod invocation_logging;
pub(crate) mod invoke;
pub(crate) mod profile_names;
pub(crate) mod profile_tags;
pub(crate) mod profiles;
pub(crate) mod prompts;
pub(crate) mod retention;
pub(crate) mod use_case;

use moho_terms::{ContentBytes, Entropy};
use moho_wire::Failure;
use moho_wire::bedrock::{Latency, LlamaPrompt};
use moho_wire::openai::{Delta, Ending, Usage};
use tokio::time::Instant;

use super::inference::{Answer, Piece, Words};
use super::{Asked, blocking};
use crate::road::Frames;

/// Measures what replies tell of their own latency.
struct Stopwatch {
    started: Instant,
    latency: Latency,
}

impl Stopwatch {
    fn start() -> Self {
        Self {
            started: Instant::now(),
            latency: Latency::default(),
        }
    }

    /// Notes the first text of a stream.
    fn text(&mut self) {
        self.latency.first.get_or_insert_with(|| self.started.elapsed());
    }

    fn stop(mut self) -> Latency {
        self.latency.total = self.started.elapsed();
        self.latency
    }
}

/// What engine and road refuse, as Bedrock tells it: a request that does not make sense is a validation error.
fn worded(failure: Failure) -> Failure {
    if let Failure::Invalid { message, .. } = failure {
        Failure::Validation(message)
    } else {
        failure
    }
}

/// What a Llama prompt asks to continue.
fn llama_words(prompt: &LlamaPrompt) -> Words<'_> {
    match prompt {
        LlamaPrompt::Text(text) => Words::Raw(text),
        LlamaPrompt::Turns(turns) => Words::Turns(turns.iter().collect()),
    }
}

/// The frames of one operation's stream.
trait Speech: Send {
    /// The frames before the first text, if there are any.
    fn open(&mut self) -> Result<Option<ContentBytes>, Failure>;

    /// The frames of a piece of a choice; only chats have more than one choice.
    fn delta(&mut self, choice: usize, delta: &Delta, entropy: &dyn Entropy)
    -> Result<ContentBytes, Failure>;

    /// The frames of the end of a choice that is not the last to end; where there is but one, that is none.
    fn end(&mut self, _choice: usize, _ending: Ending) -> Result<ContentBytes, Failure> {
        Err(Failure::Internal)
    }

    /// The frames of the last end, and of what there is to say of the whole.
    fn complete(self, last: (usize, Ending), usage: Usage, latency: Latency)
    -> Result<ContentBytes, Failure>;

    /// The last frame of an answer that did not end well.
    fn fail(self, failure: &Failure) -> ContentBytes;
}

/// Streams an answer until it ends or the client leaves. A stream whose last frames cannot be made is broken off.
async fn speak(
    asked: Asked,
    mut answer: Answer,
    mut speech: impl Speech,
    mut watch: Stopwatch,
    frames: Frames,
) {
    let mut written = speech.open();
    loop {
        match written {
            Ok(None) => {}
            Ok(Some(written)) => {
                if frames.send(written).await.is_err() {
                    return;
                }
            }
            Err(failure) => {
                let failure = worded(failure);
                return frames.fail(&failure, speech.fail(&failure)).await;
            }
        }
        written = match answer.next_for(&frames).await {
            None => return,
            Some(Ok(Piece::Delta { choice, delta })) => {
                watch.text();
                speech.delta(choice, &delta, &*asked.platform.entropy).map(Some)
            }
            Some(Ok(Piece::End {
                choice,
                ending,
                usage,
            })) => {
                if answer.is_over() {
                    if let Ok(last) = speech.complete((choice, ending), usage, watch.stop()) {
                        frames.finish(last).await;
                    }
                    return;
                }
                speech.end(choice, ending).map(Some)
            }
            Some(Err(failure)) => Err(failure),
        };
    }
}
