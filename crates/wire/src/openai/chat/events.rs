//! A chat completion, whole or in chunks.

use moho_terms::{Content, ContentBytes, Entropy, RequestId, Timestamp};

use super::CreateChat;
use crate::Failure;
use crate::bedrock::ModelIdentifier;
use crate::json::Writer;
use crate::openai::delta::{Logprobs, WrittenDelta, bounded, write_list};
use crate::openai::{Delta, Ending, Usage};

/// What a completion says of itself, whole or in each of its chunks.
pub struct ChatHead {
    id: String,
    model: ModelIdentifier,
    created: Timestamp,
    fingerprint: Option<String>,
    choices: u32,
    logprobs: bool,
    include_usage: bool,
    obfuscate: bool,
}

impl ChatHead {
    /// The head of the answer to `create`; its id comes from the request's.
    #[must_use]
    pub fn new(request: &RequestId, create: &CreateChat, created: Timestamp) -> Self {
        Self {
            id: format!("chatcmpl-{}", request.as_str().replace('-', "")),
            model: create.model.clone(),
            created,
            fingerprint: None,
            choices: create.choices,
            logprobs: create.logprobs.is_some(),
            include_usage: create.include_usage,
            obfuscate: create.obfuscate,
        }
    }

    /// Adds what tells whether the same seed may give another answer than last time.
    #[must_use]
    pub fn with_fingerprint(self, fingerprint: String) -> Self {
        Self {
            fingerprint: Some(fingerprint),
            ..self
        }
    }

    fn write(&self, w: &mut Writer, object: &str) {
        w.text("id", &self.id);
        w.text("object", object);
        w.number("created", self.created.unix_seconds());
        w.text("model", self.model.as_str());
        w.text("service_tier", "default");
        w.text_or_null("system_fingerprint", self.fingerprint.as_deref());
    }

    /// The log-probabilities of a choice, or of a piece of it.
    fn write_logprobs(&self, w: &mut Writer, members: &[u8]) {
        if self.logprobs {
            w.key("logprobs").object(|w| {
                write_list(w.key("content"), members);
                w.fixed("refusal", "null");
            });
        } else {
            w.fixed("logprobs", "null");
        }
    }
}

/// A completion that is being written, to be sent whole.
pub struct ChatDraft {
    head: ChatHead,
    choices: Vec<Choice>,
}

struct Choice {
    text: Content,
    logprobs: Logprobs,
    ending: Option<Ending>,
}

impl ChatDraft {
    /// A completion without a word yet.
    #[must_use]
    pub fn new(head: ChatHead) -> Self {
        let choices = (0..head.choices).map(|_| Choice {
            text: Content::new(String::new()),
            logprobs: Logprobs::new(),
            ending: None,
        });
        let choices = choices.collect();
        Self { head, choices }
    }

    /// The next piece of a choice.
    ///
    /// # Errors
    /// [`Failure::Invalid`]: the log-probabilities of all choices are too many.
    pub fn push(&mut self, choice: usize, delta: &Delta) -> Result<(), Failure> {
        let choice = self.choices.get_mut(choice).ok_or(Failure::Internal)?;
        choice.text.push(&delta.text);
        if delta.logprobs.is_empty() {
            return Ok(());
        }
        choice.logprobs.push(&delta.logprobs);
        let lengths = self.choices.iter().map(|choice| choice.logprobs.members().len());
        bounded(lengths.sum())
    }

    /// A choice is whole.
    pub fn end(&mut self, choice: usize, ending: Ending) {
        if let Some(choice) = self.choices.get_mut(choice) {
            choice.ending = Some(ending);
        }
    }

    /// The whole `chat.completion` object, once every choice is whole.
    #[must_use]
    pub fn complete(self, usage: Usage) -> ContentBytes {
        let mut w = Writer::new();
        w.object(|w| {
            self.head.write(w, "chat.completion");
            w.key("choices").array(|w| {
                for (index, choice) in (0..).zip(&self.choices) {
                    w.object(|w| {
                        w.number("index", index);
                        w.key("message").object(|w| {
                            w.text("role", "assistant");
                            w.text("content", choice.text.expose());
                            w.fixed("refusal", "null");
                            w.fixed("annotations", "[]");
                        });
                        self.head.write_logprobs(w, choice.logprobs.members());
                        w.text_or_null("finish_reason", choice.ending.map(finish_reason));
                    });
                }
            });
            write_usage(w, usage);
        });
        w.finish()
    }
}

/// A completion sent in chunks. Each method returns the frames to send next.
pub struct ChatStream {
    head: ChatHead,
}

/// What a chunk says of its choice.
enum Said<'a> {
    Opening,
    Text(&'a WrittenDelta),
    Ending(Ending),
}

impl ChatStream {
    /// A stream without a chunk yet.
    #[must_use]
    pub fn new(head: ChatHead) -> Self {
        Self { head }
    }

    /// The first chunk of each choice, which has the role.
    #[must_use]
    pub fn open(&mut self) -> ContentBytes {
        let mut w = Writer::new();
        for choice in 0..self.head.choices {
            self.chunk(&mut w, u64::from(choice), &Said::Opening);
        }
        w.finish()
    }

    /// A chunk of text.
    ///
    /// # Errors
    /// [`Failure::Unavailable`]: there is nothing to pad with.
    pub fn delta(
        &mut self,
        choice: usize,
        delta: &Delta,
        entropy: &dyn Entropy,
    ) -> Result<ContentBytes, Failure> {
        let written = WrittenDelta::of(delta, self.head.obfuscate, entropy)?;
        let mut w = Writer::new();
        self.chunk(&mut w, index(choice), &Said::Text(&written));
        Ok(w.finish())
    }

    /// A choice is whole: its last chunk.
    #[must_use]
    pub fn end(&mut self, choice: usize, ending: Ending) -> ContentBytes {
        let mut w = Writer::new();
        self.chunk(&mut w, index(choice), &Said::Ending(ending));
        w.finish()
    }

    /// Every choice is whole: the chunk of token counts, if it is wanted, and `[DONE]`.
    #[must_use]
    pub fn complete(self, usage: Usage) -> ContentBytes {
        let mut w = Writer::new();
        if self.head.include_usage {
            w.put(b"data: ");
            w.object(|w| {
                self.head.write(w, "chat.completion.chunk");
                w.fixed("choices", "[]");
                write_usage(w, usage);
            });
            w.put(b"\n\n");
        }
        w.put(b"data: [DONE]\n\n");
        w.finish()
    }

    /// A frame with the error; no `[DONE]`.
    #[must_use]
    pub fn fail(self, failure: &Failure) -> ContentBytes {
        let mut w = Writer::new();
        w.put(b"data: ");
        w.object(|w| w.key("error").object(|w| failure.write_openai_error(w)));
        w.put(b"\n\n");
        w.finish()
    }

    fn chunk(&self, w: &mut Writer, choice: u64, said: &Said<'_>) {
        w.put(b"data: ");
        w.object(|w| {
            self.head.write(w, "chat.completion.chunk");
            w.key("choices").array(|w| {
                w.object(|w| {
                    w.number("index", choice);
                    w.key("delta").object(|w| match said {
                        Said::Opening => {
                            w.text("role", "assistant");
                            w.text("content", "");
                            w.fixed("refusal", "null");
                        }
                        Said::Text(written) => w.key("content").raw(written.text.expose()),
                        Said::Ending(_) => {}
                    });
                    match said {
                        Said::Text(written) => self.head.write_logprobs(w, written.logprobs.expose()),
                        Said::Opening | Said::Ending(_) => w.fixed("logprobs", "null"),
                    }
                    match said {
                        Said::Ending(ending) => w.text("finish_reason", finish_reason(*ending)),
                        Said::Opening | Said::Text(_) => w.fixed("finish_reason", "null"),
                    }
                });
            });
            if self.head.include_usage {
                w.fixed("usage", "null");
            }
            if let Said::Text(WrittenDelta {
                padding: Some(pad), ..
            }) = said
            {
                w.text("obfuscation", pad);
            }
        });
        w.put(b"\n\n");
    }
}

fn index(choice: usize) -> u64 {
    u64::try_from(choice).unwrap_or(u64::MAX)
}

fn finish_reason(ending: Ending) -> &'static str {
    match ending {
        Ending::Stop | Ending::StopSequence => "stop",
        Ending::Length => "length",
    }
}

fn write_usage(w: &mut Writer, usage: Usage) {
    w.key("usage").object(|w| {
        w.number("prompt_tokens", usage.input_tokens);
        w.number("completion_tokens", usage.output_tokens);
        w.number("total_tokens", usage.input_tokens.saturating_add(usage.output_tokens));
        w.key("prompt_tokens_details").object(|w| {
            w.number("cached_tokens", usage.cached_tokens);
            w.number("audio_tokens", 0);
        });
        w.fixed(
            "completion_tokens_details",
            r#"{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}"#,
        );
    });
}
