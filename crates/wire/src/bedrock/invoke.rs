//! `InvokeModel` and `InvokeModelWithResponseStream`: the model's own body, which is Llama's or OpenAI's chat.

use moho_terms::{Content, ContentBytes, Entropy};

use super::{Latency, ModelIdentifier, ReplyTerms};
use crate::openai::chat::CreateChat;
use crate::openai::{Ending, Sampling, Turn, Usage};
use crate::{Failure, Reply};

/// A parsed `InvokeModel` or `InvokeModelWithResponseStream`.
pub struct InvokeModel {
    /// The model asked for.
    pub model: ModelIdentifier,
    /// What is asked of it.
    pub body: InvokeBody,
    /// What the reply repeats.
    pub terms: ReplyTerms,
}

/// The two bodies, told apart by their keys.
pub enum InvokeBody {
    /// `{"prompt", "max_gen_len", "temperature", "top_p"}`
    Llama(Llama),
    /// As `POST /chat/completions`; `model` is that of the path, and `stream` is the operation's.
    Chat(Box<CreateChat>),
}

/// Llama's own request.
pub struct Llama {
    /// What to continue or answer.
    pub prompt: LlamaPrompt,
    /// Sampling.
    pub sampling: Sampling,
    /// The most tokens to write; 512 unless set.
    pub max_tokens: u32,
}

/// A Llama prompt. Whatever it spells, no control token is made of it here.
pub enum LlamaPrompt {
    /// Text to continue.
    Text(Content),
    /// A prompt that is a whole conversation in Llama 3's format: its turns, for the model's own template.
    Turns(Vec<Turn>),
}

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
        drop((self.terms, self.text, ending, usage, latency));
        Err(Failure::Internal)
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
    drop((completion, usage, latency));
    let _unused = terms;
    Err(Failure::Internal)
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
        stream_head(Vec::new())
    }

    /// A `chunk`, padded so that its size tells less.
    ///
    /// # Errors
    /// [`Failure::Unavailable`]: there is nothing to pad with.
    pub fn delta(&mut self, text: &Content, entropy: &dyn Entropy) -> Result<ContentBytes, Failure> {
        let _unused = (text, entropy);
        Err(Failure::Internal)
    }

    /// The last `chunk`, with the stop reason and the invocation's metrics.
    ///
    /// # Errors
    /// [`Failure::Internal`]: it cannot be framed.
    pub fn complete(self, ending: Ending, usage: Usage, latency: Latency) -> Result<ContentBytes, Failure> {
        drop((self.terms, ending, usage, latency));
        Err(Failure::Internal)
    }

    /// An exception, as the last frame.
    #[must_use]
    pub fn fail(self, failure: &Failure) -> ContentBytes {
        let _unused = failure;
        ContentBytes::new(Vec::new())
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
        stream_head(Vec::new())
    }

    /// Frames of what `ChatStream::open` or `ChatStream::delta` gave.
    ///
    /// # Errors
    /// [`Failure::Internal`]: it cannot be framed.
    pub fn wrap(&mut self, events: &ContentBytes) -> Result<ContentBytes, Failure> {
        let _unused = events;
        Err(Failure::Internal)
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
        drop((self.terms, usage, latency));
        let _unused = events;
        Err(Failure::Internal)
    }

    /// An exception, as the last frame.
    #[must_use]
    pub fn fail(self, failure: &Failure) -> ContentBytes {
        let _unused = failure;
        ContentBytes::new(Vec::new())
    }
}

/// The head of an event stream.
pub(super) fn stream_head(headers: Vec<(&'static str, String)>) -> Reply {
    Reply {
        status: 200,
        content_type: "application/vnd.amazon.eventstream",
        headers,
        body: ContentBytes::new(Vec::new()),
    }
}
