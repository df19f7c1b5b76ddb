//! The answers of `Converse`, whole, and of `ConverseStream`, in events.

use moho_terms::{Content, ContentBytes, Entropy};

use super::answer::{Counted, ResponseField, count, llama_stop_reason, milliseconds, structure, word};
use super::{Latency, ReplyTerms, event_stream};
use crate::aws::document::Document;
use crate::aws::rest::RestService;
use crate::json::Json;
use crate::openai::{Ending, Usage};
use crate::{Failure, Reply};

const SERVICE: RestService = RestService::BedrockRuntime;
/// The shape whose members are the events of `ConverseStream`.
pub(super) const EVENTS: &str = "ConverseStreamOutput";
/// The exceptions among them.
pub(super) const EXCEPTIONS: [&str; 5] = [
    "internalServerException",
    "modelStreamErrorException",
    "serviceUnavailableException",
    "throttlingException",
    "validationException",
];

/// An answer that is being written, to be sent whole.
pub struct ConverseDraft {
    terms: ReplyTerms,
    text: Content,
}

impl ConverseDraft {
    /// An answer without a word yet.
    #[must_use]
    pub fn new(terms: ReplyTerms) -> Self {
        Self {
            terms,
            text: Content::new(String::new()),
        }
    }

    /// The next piece of text.
    pub fn push(&mut self, text: &Content) {
        self.text.push(text);
    }

    /// The whole reply.
    ///
    /// # Errors
    /// [`Failure::Internal`] if it does not fit the service model.
    pub fn complete(self, ending: Ending, usage: Usage, latency: Latency) -> Result<Reply, Failure> {
        let mut blocks = Vec::new();
        if !self.text.is_empty() {
            blocks.push(structure([("text", Document::Words(self.text))]));
        }
        let message = structure([("role", word("assistant")), ("content", Document::List(blocks))]);
        let mut members = vec![
            member("output", structure([("message", message)])),
            member("stopReason", stop_reason(ending)),
        ];
        members.extend(additional(&self.terms, ending, usage));
        members.extend(costs(&self.terms, usage, latency));
        SERVICE.reply("Converse", Document::Structure(members))
    }
}

/// An answer that is being streamed. Each method returns the frames to send next.
pub struct ConverseStream {
    terms: ReplyTerms,
}

impl ConverseStream {
    /// A stream that has not begun.
    #[must_use]
    pub fn new(terms: ReplyTerms) -> Self {
        Self { terms }
    }

    /// Status, content type and headers of the reply; its body is empty, as the frames are yet to come.
    #[must_use]
    pub fn head(&self) -> Reply {
        Reply {
            content_type: "application/vnd.amazon.eventstream",
            ..Reply::json(ContentBytes::new(Vec::new()))
        }
    }

    /// `messageStart`: once the engine has admitted the request.
    ///
    /// # Errors
    /// [`Failure::Internal`]: it cannot be framed.
    pub fn open(&mut self) -> Result<ContentBytes, Failure> {
        event("messageStart", structure([("role", word("assistant"))]))
    }

    /// `contentBlockDelta`, padded so that its size tells less.
    ///
    /// # Errors
    /// [`Failure::Unavailable`]: there is nothing to pad with.
    pub fn delta(&mut self, text: &Content, entropy: &dyn Entropy) -> Result<ContentBytes, Failure> {
        let words = Document::Words(Content::new(text.expose().to_owned()));
        let delta = structure([
            ("delta", structure([("text", words)])),
            ("contentBlockIndex", count(0)),
        ]);
        let payload = SERVICE.event(EVENTS, "contentBlockDelta", delta)?;
        event_stream::event("contentBlockDelta", event_stream::padded(&payload, entropy)?)
    }

    /// `contentBlockStop`, `messageStop`, `metadata`.
    ///
    /// # Errors
    /// [`Failure::Internal`]: they cannot be framed.
    pub fn complete(self, ending: Ending, usage: Usage, latency: Latency) -> Result<ContentBytes, Failure> {
        let mut stop = vec![member("stopReason", stop_reason(ending))];
        stop.extend(additional(&self.terms, ending, usage));
        let costs = costs(&self.terms, usage, latency);
        Ok(event_stream::joined([
            event("contentBlockStop", structure([("contentBlockIndex", count(0))]))?,
            event("messageStop", Document::Structure(stop))?,
            event("metadata", Document::Structure(costs))?,
        ]))
    }

    /// An exception, as the last frame.
    #[must_use]
    pub fn fail(self, failure: &Failure) -> ContentBytes {
        event_stream::exception(failure, &EXCEPTIONS)
    }
}

fn event(name: &'static str, document: Document) -> Result<ContentBytes, Failure> {
    event_stream::event(name, SERVICE.event(EVENTS, name, document)?)
}

fn member(name: &str, value: Document) -> (String, Document) {
    (name.to_owned(), value)
}

fn stop_reason(ending: Ending) -> Document {
    word(match ending {
        Ending::Stop => "end_turn",
        Ending::StopSequence => "stop_sequence",
        Ending::Length => "max_tokens",
    })
}

/// Those members of the model's own response that were asked for.
fn additional(terms: &ReplyTerms, ending: Ending, usage: Usage) -> Option<(String, Document)> {
    let number = |number: u64| Json::Number(number.to_string().into());
    let pairs = terms.fields.iter().map(|field| {
        let value = match field {
            ResponseField::StopReason => Json::String(Content::new(llama_stop_reason(ending).to_owned())),
            ResponseField::PromptTokens => number(usage.input_tokens),
            ResponseField::GenerationTokens => number(usage.output_tokens),
        };
        (Content::new(field.name().to_owned()), value)
    });
    let object = Json::Object(pairs.collect());
    (!terms.fields.is_empty()).then(|| member("additionalModelResponseFields", Document::Json(object)))
}

/// What the answer cost, and what the caller asked of the service.
fn costs(terms: &ReplyTerms, usage: Usage, latency: Latency) -> Vec<(String, Document)> {
    let counted = Counted::of(usage);
    let usage = structure([
        ("inputTokens", count(counted.input)),
        ("outputTokens", count(counted.output)),
        ("totalTokens", count(counted.total)),
        ("cacheReadInputTokens", count(counted.cached)),
        ("cacheWriteInputTokens", count(0)),
    ]);
    let metrics = structure([("latencyMs", count(milliseconds(latency.total)))]);
    let mut members = vec![member("usage", usage), member("metrics", metrics)];
    if terms.performance {
        members.push(member(
            "performanceConfig",
            structure([("latency", word("standard"))]),
        ));
    }
    if terms.service_tier {
        members.push(member("serviceTier", structure([("type", word("default"))])));
    }
    members
}
