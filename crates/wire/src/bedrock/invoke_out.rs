//! The answers of `InvokeModel`, whole, and of `InvokeModelWithResponseStream`, in `chunk` events.

use moho_terms::{Content, ContentBytes, Entropy};

use super::answer::{Counted, llama_stop_reason, milliseconds, structure, word};
use super::{Latency, ReplyTerms, event_stream};
use crate::aws::document::Document;
use crate::aws::rest::RestService;
use crate::json::Writer;
use crate::openai::{Ending, Usage};
use crate::{Failure, Reply};

const SERVICE: RestService = RestService::BedrockRuntime;
/// The shape whose members are the events of `InvokeModelWithResponseStream`.
pub(super) const EVENTS: &str = "ResponseStream";
/// The exceptions among them.
pub(super) const EXCEPTIONS: [&str; 6] = [
    "internalServerException",
    "modelStreamErrorException",
    "modelTimeoutException",
    "serviceUnavailableException",
    "throttlingException",
    "validationException",
];
const JSON: &str = "application/json";

/// A Llama answer that is being written, to be sent whole.
pub struct LlamaDraft {
    terms: ReplyTerms,
    text: Content,
}

impl LlamaDraft {
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

    /// The whole reply, with Bedrock's headers of counts and latency.
    ///
    /// # Errors
    /// [`Failure::Internal`] if it does not fit the service model.
    pub fn complete(self, ending: Ending, usage: Usage, latency: Latency) -> Result<Reply, Failure> {
        let mut w = Writer::new();
        w.object(|w| {
            w.text("generation", self.text.expose());
            w.number("prompt_token_count", usage.input_tokens);
            w.number("generation_token_count", usage.output_tokens);
            w.text("stop_reason", llama_stop_reason(ending));
        });
        invoked(&self.terms, w.finish(), usage, latency)
    }
}

/// The reply to `InvokeModel` with a chat body: `completion` is the `chat.completion` object.
///
/// # Errors
/// [`Failure::Internal`] if it does not fit the service model.
pub fn chat_completion(
    terms: &ReplyTerms,
    completion: ContentBytes,
    usage: Usage,
    latency: Latency,
) -> Result<Reply, Failure> {
    invoked(terms, completion, usage, latency)
}

/// A model's own body, with the headers that Bedrock adds.
fn invoked(terms: &ReplyTerms, body: ContentBytes, usage: Usage, latency: Latency) -> Result<Reply, Failure> {
    let mut members = head(terms, "contentType");
    members.push(("body".to_owned(), Document::Blob(body)));
    let mut reply = SERVICE.reply("InvokeModel", Document::Structure(members))?;
    let counted = Counted::of(usage);
    // The model of the service does not have these, but AWS sends them.
    reply.headers.extend([
        ("x-amzn-bedrock-input-token-count", counted.input.to_string()),
        ("x-amzn-bedrock-output-token-count", counted.output.to_string()),
        (
            "x-amzn-bedrock-cache-read-input-token-count",
            counted.cached.to_string(),
        ),
        ("x-amzn-bedrock-cache-write-input-token-count", "0".to_owned()),
        (
            "x-amzn-bedrock-invocation-latency",
            milliseconds(latency.total).to_string(),
        ),
    ]);
    Ok(reply)
}

/// The members of a reply that are headers.
fn head(terms: &ReplyTerms, content_type: &str) -> Vec<(String, Document)> {
    let mut members = vec![(content_type.to_owned(), word(JSON))];
    if terms.performance {
        members.push(("performanceConfigLatency".to_owned(), word("standard")));
    }
    if terms.service_tier {
        members.push(("serviceTier".to_owned(), word("default")));
    }
    members
}

/// The head of a stream: what its frames hold is in a header of its own.
fn stream_head(terms: &ReplyTerms) -> Reply {
    let members = Document::Structure(head(terms, "contentType"));
    // A test shows that the service model takes these headers; without them, the frames are still the same.
    let reply = SERVICE.reply("InvokeModelWithResponseStream", members);
    Reply {
        content_type: "application/vnd.amazon.eventstream",
        ..reply.unwrap_or_else(|_unfit| Reply::json(ContentBytes::new(Vec::new())))
    }
}

/// A Llama answer that is being streamed. Each method returns the frames to send next.
pub struct LlamaStream {
    terms: ReplyTerms,
}

impl LlamaStream {
    /// A stream that has not begun.
    #[must_use]
    pub fn new(terms: ReplyTerms) -> Self {
        Self { terms }
    }

    /// Status, content type and headers of the reply; its body is empty, as the frames are yet to come.
    #[must_use]
    pub fn head(&self) -> Reply {
        stream_head(&self.terms)
    }

    /// A `chunk`, padded so that its size tells less. Counts are told at the end.
    ///
    /// # Errors
    /// [`Failure::Unavailable`]: there is nothing to pad with.
    pub fn delta(&mut self, text: &Content, entropy: &dyn Entropy) -> Result<ContentBytes, Failure> {
        let mut w = Writer::new();
        w.object(|w| {
            w.text("generation", text.expose());
            for unknown in ["prompt_token_count", "generation_token_count", "stop_reason"] {
                w.fixed(unknown, "null");
            }
        });
        let payload = payload(&w.finish())?;
        event_stream::event("chunk", event_stream::padded(&payload, entropy)?)
    }

    /// The last `chunk`, with the stop reason and the invocation's metrics.
    ///
    /// # Errors
    /// [`Failure::Internal`]: it cannot be framed.
    pub fn complete(self, ending: Ending, usage: Usage, latency: Latency) -> Result<ContentBytes, Failure> {
        let mut w = Writer::new();
        w.object(|w| {
            w.text("generation", "");
            w.number("prompt_token_count", usage.input_tokens);
            w.number("generation_token_count", usage.output_tokens);
            w.text("stop_reason", llama_stop_reason(ending));
            metrics(w, usage, latency);
        });
        chunk(&w.finish())
    }

    /// An exception, as the last frame.
    #[must_use]
    pub fn fail(self, failure: &Failure) -> ContentBytes {
        event_stream::exception(failure, &EXCEPTIONS)
    }
}

/// Puts what a `ChatStream` says (lines of server-sent events) into `chunk` frames.
pub struct ChatChunks {
    terms: ReplyTerms,
}

impl ChatChunks {
    /// Nothing said yet.
    #[must_use]
    pub fn new(terms: ReplyTerms) -> Self {
        Self { terms }
    }

    /// Status, content type and headers of the reply; its body is empty, as the frames are yet to come.
    #[must_use]
    pub fn head(&self) -> Reply {
        stream_head(&self.terms)
    }

    /// Frames of what `ChatStream::open`, `ChatStream::delta` or `ChatStream::end` gave.
    ///
    /// # Errors
    /// [`Failure::Internal`]: it cannot be framed.
    pub fn wrap(&mut self, events: &ContentBytes) -> Result<ContentBytes, Failure> {
        let frames: Result<Vec<_>, _> = objects(events).map(chunk_of).collect();
        Ok(event_stream::joined(frames?))
    }

    /// Frames of what `ChatStream::complete` gave; the last one has the invocation's metrics. There is no `[DONE]`.
    ///
    /// # Errors
    /// [`Failure::Internal`]: it cannot be framed.
    pub fn complete(
        self,
        events: &ContentBytes,
        usage: Usage,
        latency: Latency,
    ) -> Result<ContentBytes, Failure> {
        let mut all: Vec<&[u8]> = objects(events).collect();
        let last = all.pop().ok_or(Failure::Internal)?;
        let mut w = Writer::new();
        w.put(last.strip_suffix(b"}").ok_or(Failure::Internal)?);
        metrics(&mut w, usage, latency);
        w.put(b"}");
        let frames: Result<Vec<_>, _> = all
            .into_iter()
            .map(chunk_of)
            .chain([chunk(&w.finish())])
            .collect();
        Ok(event_stream::joined(frames?))
    }

    /// An exception, as the last frame.
    #[must_use]
    pub fn fail(self, failure: &Failure) -> ContentBytes {
        event_stream::exception(failure, &EXCEPTIONS)
    }
}

/// The JSON objects of server-sent events as moho writes them, each on one line.
fn objects(events: &ContentBytes) -> impl Iterator<Item = &[u8]> {
    let lines = events.expose().split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| line.strip_prefix(b"data: "))
        .filter(|said| *said != b"[DONE]")
}

fn metrics(w: &mut Writer, usage: Usage, latency: Latency) {
    let counted = Counted::of(usage);
    w.key("amazon-bedrock-invocationMetrics").object(|w| {
        w.number("inputTokenCount", counted.input);
        w.number("outputTokenCount", counted.output);
        w.number("invocationLatency", milliseconds(latency.total));
        if let Some(first) = latency.first {
            w.number("firstByteLatency", milliseconds(first));
        }
        w.number("cacheReadInputTokenCount", counted.cached);
        w.number("cacheWriteInputTokenCount", 0);
    });
}

fn chunk(object: &ContentBytes) -> Result<ContentBytes, Failure> {
    event_stream::event("chunk", payload(object)?)
}

fn chunk_of(object: &[u8]) -> Result<ContentBytes, Failure> {
    chunk(&ContentBytes::new(object.to_vec()))
}

/// The payload of a `chunk` event.
fn payload(object: &ContentBytes) -> Result<ContentBytes, Failure> {
    let bytes = ContentBytes::new(object.expose().to_vec());
    SERVICE.event(EVENTS, "chunk", structure([("bytes", Document::Blob(bytes))]))
}
