//! The response object: the 31 required keys and more.

use moho_terms::{Content, ContentBytes, ResponseId, Timestamp};

use super::Echo;
use crate::Failure;
use crate::json::Writer;
use crate::openai::delta::{Logprobs, WrittenDelta, bounded, write_list};
use crate::openai::{Delta, Ending, Usage};

/// An answer that is being written.
pub struct ResponseDraft {
    id: ResponseId,
    created_at: Timestamp,
    echo: Echo,
    text: Content,
    logprobs: Logprobs,
}

/// Where an answer stands, as its object shows it.
#[derive(Clone, Copy)]
pub(super) enum State<'a> {
    InProgress,
    Ended(Ending, Usage, Timestamp),
    Failed(&'a Failure),
}

impl State<'_> {
    fn status(self) -> &'static str {
        match self {
            State::InProgress => "in_progress",
            State::Ended(ending, ..) => ending_status(ending),
            State::Failed(_) => "failed",
        }
    }
}

/// The status of an ended response and of its item.
pub(super) fn ending_status(ending: Ending) -> &'static str {
    match ending {
        Ending::Stop | Ending::StopSequence => "completed",
        Ending::Length => "incomplete",
    }
}

impl ResponseDraft {
    /// An answer without a word yet.
    #[must_use]
    pub fn new(id: ResponseId, created_at: Timestamp, echo: Echo) -> Self {
        Self {
            id,
            created_at,
            echo,
            text: Content::new(String::new()),
            logprobs: Logprobs::new(),
        }
    }

    /// The response's id.
    #[must_use]
    pub fn id(&self) -> &ResponseId {
        &self.id
    }

    /// The next piece.
    ///
    /// # Errors
    /// [`Failure::Invalid`]: the log-probabilities are too many.
    pub fn push(&mut self, delta: &Delta) -> Result<(), Failure> {
        self.text.push(&delta.text);
        self.logprobs.push(&delta.logprobs);
        bounded(self.logprobs.members().len())
    }

    /// The next piece, of which `written` is the JSON.
    pub(super) fn push_written(&mut self, delta: &Delta, written: &WrittenDelta) -> Result<(), Failure> {
        self.text.push(&delta.text);
        self.logprobs.push_written(&written.logprobs);
        bounded(self.logprobs.members().len())
    }

    /// The text so far.
    #[must_use]
    pub fn text(&self) -> &Content {
        &self.text
    }

    /// The whole response object, as the reply to a request that does not stream and as what is stored.
    #[must_use]
    pub fn complete(&self, ending: Ending, usage: Usage, at: Timestamp) -> ContentBytes {
        let mut w = Writer::new();
        self.write(&mut w, State::Ended(ending, usage, at));
        w.finish()
    }

    /// The id of the one output item: the response's digits, so that it is the same in every event.
    pub(super) fn item_id(&self) -> String {
        message_id(&self.id, 0)
    }

    /// Writes the object.
    pub(super) fn write(&self, w: &mut Writer, state: State<'_>) {
        w.object(|w| {
            w.text("id", self.id.as_str());
            w.text("object", "response");
            w.number("created_at", self.created_at.unix_seconds());
            w.text("status", state.status());
            match state {
                State::Ended(Ending::Stop | Ending::StopSequence, _, at) => {
                    w.number("completed_at", at.unix_seconds())
                }
                State::Ended(..) | State::InProgress | State::Failed(_) => w.fixed("completed_at", "null"),
            }
            match state {
                State::Failed(failure) => w.key("error").object(|w| {
                    w.text("code", failure.response_error_code());
                    w.text("message", &failure.message());
                }),
                State::Ended(..) | State::InProgress => w.fixed("error", "null"),
            }
            match state {
                State::Ended(Ending::Length, ..) => {
                    w.fixed("incomplete_details", r#"{"reason":"max_output_tokens"}"#)
                }
                State::Ended(..) | State::InProgress | State::Failed(_) => {
                    w.fixed("incomplete_details", "null")
                }
            }
            w.key("output").array(|w| {
                if let State::Ended(ending, ..) = state {
                    self.write_item(w, ending);
                }
            });
            match state {
                State::Ended(_, usage, _) => write_usage(w, usage),
                State::InProgress | State::Failed(_) => w.fixed("usage", "null"),
            }
            self.echo.write(w);
        });
    }

    /// Writes the one part of the one output item.
    pub(super) fn write_part(&self, w: &mut Writer) {
        write_part(w, self.text.expose(), self.logprobs.members());
    }

    /// Writes the log-probabilities so far.
    pub(super) fn write_logprobs(&self, w: &mut Writer) {
        write_list(w.key("logprobs"), self.logprobs.members());
    }

    /// Writes the one output item, with all its text.
    pub(super) fn write_item(&self, w: &mut Writer, ending: Ending) {
        w.object(|w| {
            w.text("id", &self.item_id());
            w.text("type", "message");
            w.text("status", ending_status(ending));
            w.text("role", "assistant");
            w.key("content").array(|w| self.write_part(w));
        });
    }
}

/// The id of the `index`th message of a response: 0 is its output, 1 and up its input.
pub(super) fn message_id(id: &ResponseId, index: usize) -> String {
    let digits = id.as_str().strip_prefix("resp_").unwrap_or_default();
    format!("msg_{digits}{index:08x}")
}

/// Writes a part of output text, with the members of its list of log-probabilities.
pub(super) fn write_part(w: &mut Writer, text: &str, logprobs: &[u8]) {
    w.object(|w| {
        w.text("type", "output_text");
        w.text("text", text);
        w.fixed("annotations", "[]");
        write_list(w.key("logprobs"), logprobs);
    });
}

fn write_usage(w: &mut Writer, usage: Usage) {
    w.key("usage").object(|w| {
        w.number("input_tokens", usage.input_tokens);
        w.key("input_tokens_details").object(|w| {
            w.number("cached_tokens", usage.cached_tokens);
            w.number("cache_write_tokens", 0);
        });
        w.number("output_tokens", usage.output_tokens);
        w.fixed("output_tokens_details", r#"{"reasoning_tokens":0}"#);
        w.number(
            "total_tokens",
            usage.input_tokens.saturating_add(usage.output_tokens),
        );
    });
}
