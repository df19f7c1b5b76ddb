//! A chat completion, whole or in chunks.

use moho_terms::{Content, ContentBytes, Entropy, EntropyUnavailable, ModelId, RequestId, Timestamp};

use crate::Failure;
use crate::json::Writer;
use crate::openai::padding::padding;
use crate::openai::{Ending, Usage};

/// A completion that is being written, to be sent whole.
pub struct ChatDraft {
    id: String,
    model: ModelId,
    created: Timestamp,
    text: Content,
}

impl ChatDraft {
    /// A completion without a word yet; its id comes from the request's.
    #[must_use]
    pub fn new(request: &RequestId, model: &ModelId, created: Timestamp) -> Self {
        let id = format!("chatcmpl-{}", request.as_str().replace('-', ""));
        Self {
            id,
            model: model.clone(),
            created,
            text: Content::new(String::new()),
        }
    }

    /// The next piece of text.
    pub fn push(&mut self, text: &Content) {
        self.text.push(text);
    }

    /// The whole `chat.completion` object.
    #[must_use]
    pub fn complete(self, ending: Ending, usage: Usage) -> ContentBytes {
        let mut w = Writer::new();
        w.object(|w| {
            self.head(w, "chat.completion");
            w.key("choices").array(|w| {
                w.object(|w| {
                    w.number("index", 0);
                    w.key("message").object(|w| {
                        w.text("role", "assistant");
                        w.text("content", self.text.expose());
                        w.fixed("refusal", "null");
                        w.fixed("annotations", "[]");
                    });
                    w.fixed("logprobs", "null");
                    w.text("finish_reason", finish_reason(ending));
                });
            });
            write_usage(w, usage);
        });
        w.finish()
    }

    fn head(&self, w: &mut Writer, object: &str) {
        w.text("id", &self.id);
        w.text("object", object);
        w.number("created", self.created.unix_seconds());
        w.text("model", self.model.as_str());
        w.text("service_tier", "default");
    }
}

/// A completion sent in chunks. Each method returns the frames to send next.
pub struct ChatStream {
    draft: ChatDraft,
    include_usage: bool,
    obfuscate: bool,
}

/// What a chunk's only choice says.
enum Delta<'a> {
    Opening,
    Text(&'a [u8], Option<String>),
    Ending(Ending),
}

impl ChatStream {
    /// A stream for `draft`.
    #[must_use]
    pub fn new(draft: ChatDraft, include_usage: bool, obfuscate: bool) -> Self {
        Self {
            draft,
            include_usage,
            obfuscate,
        }
    }

    /// The first chunk, which has the role.
    #[must_use]
    pub fn open(&mut self) -> ContentBytes {
        let mut w = Writer::new();
        self.chunk(&mut w, &Delta::Opening);
        w.finish()
    }

    /// A chunk of text.
    ///
    /// # Errors
    /// [`EntropyUnavailable`]: there is nothing to pad with.
    pub fn delta(
        &mut self,
        text: &Content,
        entropy: &dyn Entropy,
    ) -> Result<ContentBytes, EntropyUnavailable> {
        let mut quoted = Writer::new();
        quoted.string(text.expose());
        let quoted = quoted.finish();
        let pad = if self.obfuscate {
            Some(padding(quoted.len(), entropy)?)
        } else {
            None
        };
        let mut w = Writer::new();
        self.chunk(&mut w, &Delta::Text(quoted.expose(), pad));
        Ok(w.finish())
    }

    /// The last chunks and `[DONE]`.
    #[must_use]
    pub fn complete(self, ending: Ending, usage: Usage) -> ContentBytes {
        let mut w = Writer::new();
        self.chunk(&mut w, &Delta::Ending(ending));
        if self.include_usage {
            w.put(b"data: ");
            w.object(|w| {
                self.draft.head(w, "chat.completion.chunk");
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

    fn chunk(&self, w: &mut Writer, delta: &Delta<'_>) {
        w.put(b"data: ");
        w.object(|w| {
            self.draft.head(w, "chat.completion.chunk");
            w.key("choices").array(|w| {
                w.object(|w| {
                    w.number("index", 0);
                    w.key("delta").object(|w| match delta {
                        Delta::Opening => {
                            w.text("role", "assistant");
                            w.text("content", "");
                            w.fixed("refusal", "null");
                        }
                        Delta::Text(quoted, _) => w.key("content").raw(quoted),
                        Delta::Ending(_) => {}
                    });
                    w.fixed("logprobs", "null");
                    match delta {
                        Delta::Ending(ending) => w.text("finish_reason", finish_reason(*ending)),
                        Delta::Opening | Delta::Text(..) => w.fixed("finish_reason", "null"),
                    }
                });
            });
            if self.include_usage {
                w.fixed("usage", "null");
            }
            if let Delta::Text(_, Some(pad)) = delta {
                w.text("obfuscation", pad);
            }
        });
        w.put(b"\n\n");
    }
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
