//! The Responses API's event stream, in the one order clients rely on.

use moho_terms::{ContentBytes, Entropy, Timestamp};

use super::ResponseDraft;
use super::object::{State, ending_status, write_part};
use crate::Failure;
use crate::json::Writer;
use crate::openai::delta::{WrittenDelta, write_list};
use crate::openai::{Delta, Ending, Usage};

/// A response that is being streamed. Each method returns the frames to send next.
pub struct ResponseStream {
    draft: ResponseDraft,
    obfuscate: bool,
    /// The item and its part are announced.
    speaking: bool,
    next: u64,
}

impl ResponseStream {
    /// A stream for `draft`; with `obfuscate`, deltas are padded.
    #[must_use]
    pub fn new(draft: ResponseDraft, obfuscate: bool) -> Self {
        Self {
            draft,
            obfuscate,
            speaking: false,
            next: 0,
        }
    }

    /// The answer so far.
    #[must_use]
    pub fn draft(&self) -> &ResponseDraft {
        &self.draft
    }

    /// `response.created`, `response.in_progress`: once the engine has admitted the request.
    #[must_use]
    pub fn open(&mut self) -> ContentBytes {
        let mut w = Writer::new();
        for name in ["response.created", "response.in_progress"] {
            let draft = &self.draft;
            event(&mut w, &mut self.next, name, |w| {
                draft.write(w.key("response"), State::InProgress)
            });
        }
        w.finish()
    }

    /// `response.output_text.delta`, and before the first one the item and its part.
    ///
    /// # Errors
    /// [`Failure::Unavailable`]: there is nothing to pad with; [`Failure::Invalid`]: the log-probabilities are too many.
    pub fn delta(&mut self, delta: &Delta, entropy: &dyn Entropy) -> Result<ContentBytes, Failure> {
        let written = WrittenDelta::of(delta, self.obfuscate, entropy)?;
        self.draft.push_written(delta, &written)?;
        let mut w = Writer::new();
        self.speak(&mut w);
        let item = self.draft.item_id();
        event(&mut w, &mut self.next, "response.output_text.delta", |w| {
            place(w, &item);
            w.key("delta").raw(written.text.expose());
            write_list(w.key("logprobs"), written.logprobs.expose());
            if let Some(padding) = &written.padding {
                w.text("obfuscation", padding);
            }
        });
        Ok(w.finish())
    }

    /// The answer is whole. Store [`CompletedStream::object`] first, then send [`CompletedStream::into_frames`].
    #[must_use]
    pub fn complete(self, ending: Ending, usage: Usage, at: Timestamp) -> CompletedStream {
        let object = self.draft.complete(ending, usage, at);
        CompletedStream {
            stream: self,
            ending,
            object,
        }
    }

    /// `error`, then `response.failed`; no `[DONE]`.
    #[must_use]
    pub fn fail(mut self, failure: &Failure) -> ContentBytes {
        let mut w = Writer::new();
        event(&mut w, &mut self.next, "error", |w| {
            failure.write_openai_fields(w);
            w.key("error").object(|w| failure.write_openai_error(w));
        });
        let draft = &self.draft;
        let state = State::Failed(failure);
        event(&mut w, &mut self.next, "response.failed", |w| {
            draft.write(w.key("response"), state)
        });
        w.finish()
    }

    /// Announces the item and its part, once.
    fn speak(&mut self, w: &mut Writer) {
        if std::mem::replace(&mut self.speaking, true) {
            return;
        }
        let item = self.draft.item_id();
        event(w, &mut self.next, "response.output_item.added", |w| {
            w.number("output_index", 0);
            w.key("item").object(|w| {
                w.text("id", &item);
                w.text("type", "message");
                w.text("status", "in_progress");
                w.text("role", "assistant");
                w.fixed("content", "[]");
            });
        });
        event(w, &mut self.next, "response.content_part.added", |w| {
            place(w, &item);
            write_part(w.key("part"), "", b"");
        });
    }
}

/// A finished stream whose last frames are not sent yet.
pub struct CompletedStream {
    stream: ResponseStream,
    ending: Ending,
    object: ContentBytes,
}

impl CompletedStream {
    /// The response object, to be stored before the client is told.
    #[must_use]
    pub fn object(&self) -> &ContentBytes {
        &self.object
    }

    /// The closing events up to `response.completed` or `response.incomplete`; then comes [`CompletedStream::done`].
    #[must_use]
    pub fn into_frames(self) -> ClosingFrames {
        ClosingFrames {
            completed: self,
            told: 0,
        }
    }

    /// `[DONE]`
    #[must_use]
    pub fn done() -> ContentBytes {
        ContentBytes::new(b"data: [DONE]\n\n".to_vec())
    }

    /// It could not be stored: `error`, then `response.failed` instead.
    #[must_use]
    pub fn into_failure(self, failure: &Failure) -> ContentBytes {
        self.stream.fail(failure)
    }
}

/// The closing events, each written when it is asked for: every one holds the answer once more.
pub struct ClosingFrames {
    completed: CompletedStream,
    told: u8,
}

impl Iterator for ClosingFrames {
    type Item = ContentBytes;

    fn next(&mut self) -> Option<ContentBytes> {
        let told = self.told;
        self.told = told.saturating_add(1);
        let ending = self.completed.ending;
        let mut w = Writer::new();
        if told == 0 {
            self.completed.stream.speak(&mut w);
        }
        let ResponseStream { draft, next, .. } = &mut self.completed.stream;
        let item = draft.item_id();
        match told {
            0 => event(&mut w, next, "response.output_text.done", |w| {
                place(w, &item);
                w.text("text", draft.text().expose());
                draft.write_logprobs(w);
            }),
            1 => event(&mut w, next, "response.content_part.done", |w| {
                place(w, &item);
                draft.write_part(w.key("part"));
            }),
            2 => event(&mut w, next, "response.output_item.done", |w| {
                w.number("output_index", 0);
                draft.write_item(w.key("item"), ending);
            }),
            3 => {
                let last = format!("response.{}", ending_status(ending));
                let object = &self.completed.object;
                event(&mut w, next, &last, |w| w.key("response").raw(object.expose()));
            }
            _ => return None,
        }
        Some(w.finish())
    }
}

/// Where a piece of text belongs.
fn place(w: &mut Writer, item: &str) {
    w.text("item_id", item);
    w.number("output_index", 0);
    w.number("content_index", 0);
}

/// One event: its name, its number and what it holds.
fn event(w: &mut Writer, next: &mut u64, name: &str, members: impl FnOnce(&mut Writer)) {
    w.put(b"event: ");
    w.put(name.as_bytes());
    w.put(b"\ndata: ");
    w.object(|w| {
        w.text("type", name);
        w.number("sequence_number", *next);
        members(w);
    });
    w.put(b"\n\n");
    *next += 1;
}
