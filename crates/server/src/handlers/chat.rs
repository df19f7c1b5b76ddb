//! Chat Completions: nothing is kept.

use moho_wire::Failure;
use moho_wire::openai::chat::{ChatDraft, ChatStream, CreateChat};

use super::Asked;
use super::inference::{Answer, InferencePermit, Piece, Question, ask};
use crate::net::Outbound;
use crate::road::{Frames, content, event_stream};

/// `POST /chat/completions`
pub(crate) async fn create(
    asked: Asked,
    permit: InferencePermit,
    create: CreateChat,
) -> Result<Outbound, Failure> {
    let question = Question {
        model: &create.model,
        turns: create.messages.iter().collect(),
        sampling: create.sampling,
        max_tokens: create.max_tokens,
        stop: create.stop.iter().collect(),
        format: &create.format,
    };
    let mut answer = ask(&asked, &permit, &question).await?;
    let mut draft = ChatDraft::new(&asked.request, &create.model, asked.platform.clock.now());
    if create.stream {
        let stream = ChatStream::new(draft, create.include_usage, create.obfuscate);
        return Ok(event_stream(|frames| speak(asked, answer, stream, frames)));
    }
    loop {
        match answer.next().await? {
            Piece::Text(text) => draft.push(&text),
            Piece::End(ending, usage) => return Ok(content(draft.complete(ending, usage))),
        }
    }
}

/// Streams an answer until it ends or the client leaves.
async fn speak(asked: Asked, mut answer: Answer, mut stream: ChatStream, frames: Frames) {
    if frames.send(stream.open()).await.is_err() {
        return;
    }
    while let Some(piece) = answer.next_for(&frames).await {
        let sent = match piece {
            Ok(Piece::Text(text)) => match stream.delta(&text, &*asked.platform.entropy) {
                Ok(delta) => frames.send(delta).await,
                Err(_no_entropy) => return frames.finish(stream.fail(&Failure::Unavailable)).await,
            },
            Ok(Piece::End(ending, usage)) => return frames.finish(stream.complete(ending, usage)).await,
            Err(failure) => return frames.finish(stream.fail(&failure)).await,
        };
        if sent.is_err() {
            return;
        }
    }
}
