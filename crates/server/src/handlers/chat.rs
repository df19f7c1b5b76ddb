//! Chat Completions: nothing is kept.

use moho_engine::ModelCard;
use moho_terms::{ContentBytes, ModelId};
use moho_wire::Failure;
use moho_wire::openai::Usage;
use moho_wire::openai::chat::{ChatDraft, ChatHead, ChatStream, CreateChat, blamed};

use super::Asked;
use super::inference::{Answer, InferencePermit, Piece, Question, Words, ask};
use crate::net::Outbound;
use crate::road::{Frames, content, event_stream};

/// `POST /chat/completions`
pub(crate) async fn create(
    asked: Asked,
    permit: InferencePermit,
    create: CreateChat,
) -> Result<Outbound, Failure> {
    if !create.stream {
        let answers = (create.choices, create.max_tokens);
        refuse_unsendable(&asked, permit.model(), answers, create.logprobs)?;
    }
    let answer = ask_for(&asked, &permit, &create).await.map_err(blamed)?;
    let head = head(&asked, permit.model(), &create);
    if create.stream {
        let stream = ChatStream::new(head);
        return Ok(event_stream(answer.invocation(), |frames| {
            speak(asked, answer, stream, frames)
        }));
    }
    let (completion, _usage) = read(answer, ChatDraft::new(head)).await.map_err(blamed)?;
    Ok(content(completion))
}

/// Refuses so many answers of at most so many tokens each if their log-probabilities could not be sent whole.
pub(super) fn refuse_unsendable(
    asked: &Asked,
    model: &ModelId,
    (choices, max_tokens): (u32, Option<u32>),
    logprobs: Option<u8>,
) -> Result<(), Failure> {
    let cards = asked.platform.engine.models();
    let card = cards.iter().find(|card| card.id == *model);
    let (Some(card), Some(most)) = (card, max_tokens) else {
        return Ok(());
    };
    // No answer is longer than the context.
    moho_wire::openai::refuse_unsendable(choices, most.min(card.context_length), logprobs)
}

/// Asks, and waits until the engine takes the conversation.
pub(super) async fn ask_for(
    asked: &Asked,
    permit: &InferencePermit,
    create: &CreateChat,
) -> Result<Answer, Failure> {
    let question = Question {
        model: permit.model(),
        words: Words::Turns(create.messages.iter().collect()),
        choices: create.choices,
        sampling: create.sampling,
        logit_bias: &create.logit_bias,
        logprobs: create.logprobs,
        max_tokens: create.max_tokens,
        stop: create.stop.iter().collect(),
        format: &create.format,
    };
    Ok(ask(asked, permit, &question).await?)
}

/// What the completion says of itself.
pub(super) fn head(asked: &Asked, model: &ModelId, create: &CreateChat) -> ChatHead {
    let head = ChatHead::new(&asked.request, create, asked.platform.clock.now());
    let cards = asked.platform.engine.models();
    match cards.iter().find(|card| card.id == *model) {
        Some(card) => head.with_fingerprint(fingerprint(card)),
        None => head,
    }
}

/// Reads all choices to their ends: the `chat.completion` object, and what it took.
pub(super) async fn read(mut answer: Answer, mut draft: ChatDraft) -> Result<(ContentBytes, Usage), Failure> {
    loop {
        match answer.next().await? {
            Piece::Delta { choice, delta } => draft.push(choice, &delta)?,
            Piece::End {
                choice,
                ending,
                usage,
            } => {
                draft.end(choice, ending);
                if answer.is_over() {
                    return Ok((draft.complete(usage), usage));
                }
            }
        }
    }
}

/// Streams all choices until the last one ends or the client leaves.
async fn speak(asked: Asked, mut answer: Answer, mut stream: ChatStream, frames: Frames) {
    if frames.send(stream.open()).await.is_err() {
        return;
    }
    while let Some(piece) = answer.next_for(&frames).await {
        let written = match piece {
            Ok(Piece::Delta { choice, delta }) => stream.delta(choice, &delta, &*asked.platform.entropy),
            Ok(Piece::End {
                choice,
                ending,
                usage,
            }) => {
                let end = stream.end(choice, ending);
                if answer.is_over() {
                    if frames.send(end).await.is_ok() {
                        frames.finish(stream.complete(usage)).await;
                    }
                    return;
                }
                Ok(end)
            }
            Err(failure) => Err(failure),
        };
        match written {
            Ok(frame) => {
                if frames.send(frame).await.is_err() {
                    return;
                }
            }
            Err(failure) => {
                let failure = blamed(failure);
                return frames.fail(&failure, stream.fail(&failure)).await;
            }
        }
    }
}

/// Changes when the same seed may give another answer than before: with the weights, or with this program.
fn fingerprint(card: &ModelCard) -> String {
    let digits: String = card
        .digest
        .iter()
        .take(5)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("fp_{digits}_{}", env!("CARGO_PKG_VERSION").replace('.', "_"))
}
