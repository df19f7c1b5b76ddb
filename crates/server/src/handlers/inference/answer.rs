//! The events of an answer's sequences, heard as they come.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use moho_engine::{EventKind, FinishReason};
use moho_wire::Failure;
use moho_wire::openai::{Delta, Ending, TokenLogprob, Usage};

use crate::closing::Closing;
use crate::engine_link::Sequence;
use crate::invocations::Invocation;
use crate::road::{Frames, from_engine_failure};

/// How long a stream may stay quiet before a comment line is sent.
const QUIET: Duration = Duration::from_secs(15);

/// Sequences whose prompt the engine took: one for each choice. Dropping it cancels those that have not ended.
pub(crate) struct Answer {
    choices: Choices,
    closing: Closing,
    /// What is logged of it, if anything is.
    invocation: Option<Invocation>,
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
pub(crate) enum Piece {
    /// More of a choice.
    Delta { choice: usize, delta: Delta },
    /// A choice has ended; `usage` is of all that have.
    End {
        choice: usize,
        ending: Ending,
        usage: Usage,
    },
}

impl Answer {
    /// The answer of sequences that the engine took, one for each choice.
    pub(super) fn of(sequences: Vec<Sequence>, closing: Closing, invocation: Option<Invocation>) -> Self {
        let listening = sequences.into_iter().map(|sequence| Some(listen(sequence)));
        Self {
            choices: Choices {
                listening: listening.collect(),
                first: 0,
            },
            closing,
            invocation,
            usage: Usage::default(),
        }
    }

    /// What is logged of it, if anything is: whoever sends it tells that what is sent.
    pub(crate) fn invocation(&self) -> Option<Invocation> {
        self.invocation.clone()
    }

    /// Whether every choice has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.choices.are_over()
    }

    /// The next text or end of any choice. A failure of one is the failure of all.
    pub(crate) async fn next(&mut self) -> Result<Piece, Failure> {
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
    pub(crate) async fn next_for(&mut self, frames: &Frames) -> Option<Result<Piece, Failure>> {
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
        if let Some(invocation) = &self.invocation {
            invocation.took(usage);
        }
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
pub(super) async fn until_closing<T>(
    closing: &Closing,
    coming: impl Future<Output = T>,
) -> Result<T, Failure> {
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
