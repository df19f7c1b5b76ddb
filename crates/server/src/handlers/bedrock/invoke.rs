//! `InvokeModel` and `InvokeModelWithResponseStream`: the body is the model's own, which is Llama's or OpenAI's chat.

use moho_terms::{ContentBytes, Entropy};
use moho_wire::Failure;
use moho_wire::bedrock::{
    ChatChunks, InvokeBody, InvokeModel, Latency, Llama, LlamaDraft, LlamaStream, chat_completion,
};
use moho_wire::openai::chat::{ChatDraft, ChatStream};
use moho_wire::openai::{Delta, Ending, OutputFormat, Usage};

use super::super::chat;
use super::super::inference::{Answer, InferencePermit, Piece, Question, ask};
use super::{Asked, Speech, Stopwatch, llama_words, speak, worded};
use crate::net::Outbound;
use crate::road::{self, amazon_event_stream};

/// `POST /model/{modelId}/invoke`
pub(crate) async fn whole(
    asked: Asked,
    permit: InferencePermit,
    invoke: InvokeModel,
) -> Result<Outbound, Failure> {
    let watch = Stopwatch::start();
    match invoke.body {
        InvokeBody::Llama(llama) => {
            let mut answer = ask_llama(&asked, &permit, &llama).await?;
            let mut draft = LlamaDraft::new(invoke.terms);
            loop {
                match answer.next().await.map_err(worded)? {
                    Piece::Delta { delta, .. } => draft.push(&delta.text),
                    Piece::End { ending, usage, .. } => {
                        return draft.complete(ending, usage, watch.stop()).map(road::whole);
                    }
                }
            }
        }
        InvokeBody::Chat(create) => {
            let answer = chat::ask_for(&asked, &permit, &create).await;
            let draft = ChatDraft::new(chat::head(&asked, permit.model(), &create));
            let (completion, usage) = chat::read(answer.map_err(worded)?, draft).await.map_err(worded)?;
            chat_completion(&invoke.terms, completion, usage, watch.stop()).map(road::whole)
        }
    }
}

/// `POST /model/{modelId}/invoke-with-response-stream`
pub(crate) async fn streamed(
    asked: Asked,
    permit: InferencePermit,
    invoke: InvokeModel,
) -> Result<Outbound, Failure> {
    let watch = Stopwatch::start();
    match invoke.body {
        InvokeBody::Llama(llama) => {
            let answer = ask_llama(&asked, &permit, &llama).await?;
            let stream = LlamaStream::new(invoke.terms);
            Ok(amazon_event_stream(
                stream.head(),
                answer.invocation(),
                |frames| speak(asked, answer, stream, watch, frames),
            ))
        }
        InvokeBody::Chat(create) => {
            let answer = chat::ask_for(&asked, &permit, &create).await.map_err(worded)?;
            let speech = ChatSpeech {
                stream: ChatStream::new(chat::head(&asked, permit.model(), &create)),
                chunks: ChatChunks::new(invoke.terms),
            };
            let invocation = answer.invocation();
            Ok(amazon_event_stream(speech.chunks.head(), invocation, |frames| {
                speak(asked, answer, speech, watch, frames)
            }))
        }
    }
}

async fn ask_llama(asked: &Asked, permit: &InferencePermit, llama: &Llama) -> Result<Answer, Failure> {
    let question = Question {
        model: permit.model(),
        words: llama_words(&llama.prompt),
        choices: 1,
        sampling: llama.sampling,
        logit_bias: &[],
        logprobs: None,
        max_tokens: Some(llama.max_tokens),
        stop: Vec::new(),
        format: &OutputFormat::Text,
    };
    ask(asked, permit, &question)
        .await
        .map_err(|asking| worded(asking.into()))
}

impl Speech for LlamaStream {
    fn open(&mut self) -> Result<Option<ContentBytes>, Failure> {
        Ok(None)
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

/// Chat's own chunks, each in a frame.
struct ChatSpeech {
    stream: ChatStream,
    chunks: ChatChunks,
}

impl Speech for ChatSpeech {
    fn open(&mut self) -> Result<Option<ContentBytes>, Failure> {
        self.chunks.wrap(&self.stream.open()).map(Some)
    }

    fn delta(
        &mut self,
        choice: usize,
        delta: &Delta,
        entropy: &dyn Entropy,
    ) -> Result<ContentBytes, Failure> {
        let chunk = self.stream.delta(choice, delta, entropy)?;
        self.chunks.wrap(&chunk)
    }

    fn end(&mut self, choice: usize, ending: Ending) -> Result<ContentBytes, Failure> {
        self.chunks.wrap(&self.stream.end(choice, ending))
    }

    fn complete(
        mut self,
        (choice, ending): (usize, Ending),
        usage: Usage,
        latency: Latency,
    ) -> Result<ContentBytes, Failure> {
        let end = self.stream.end(choice, ending);
        let rest = self.stream.complete(usage);
        let last = ContentBytes::new([end.expose(), rest.expose()].concat());
        self.chunks.complete(&last, usage, latency)
    }

    fn fail(self, failure: &Failure) -> ContentBytes {
        self.chunks.fail(failure)
    }
}
