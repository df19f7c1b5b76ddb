//! The Responses API: create, stream, keep sealed, read again, delete.
//!
//! A response that the client was told of as completed is on disk: it is stored before the last event, or the reply,
//! is sent.

use std::sync::Arc;

use moho_iam::action::{kms, mantle};
use moho_iam::authz::Permit;
use moho_terms::{Content, ContentBytes, ResponseId};
use moho_wire::Failure;
use moho_wire::openai::responses::{
    CreateResponse, ListInputItems, ResponseDraft, ResponseStream, StoredResponse, Truncation, deleted,
};
use moho_wire::openai::{Role, Turn};

use super::Asked;
use super::inference::{Answer, Asking, InferencePermit, Piece, Question, ask};
use crate::net::Outbound;
use crate::road::{Frames, content, event_stream, from_store};
use crate::startup::Platform;

/// Leave to read one stored response.
pub(crate) struct ReadPermits {
    pub(crate) read: Permit<mantle::GetInference>,
    pub(crate) key: Permit<kms::Decrypt>,
    pub(crate) response: ResponseId,
}

/// Leave to create a response: to ask, and as far as wanted to store, and to read the one it continues.
pub(crate) struct CreatePermits {
    pub(crate) inference: InferencePermit,
    pub(crate) store: Option<Permit<kms::GenerateDataKey>>,
    pub(crate) previous: Option<ReadPermits>,
}

/// A finished conversation on its way to the store.
struct Keeping {
    platform: Arc<Platform>,
    permit: Permit<kms::GenerateDataKey>,
    id: ResponseId,
    earlier: Vec<Turn>,
    input: Vec<Turn>,
}

/// `POST /responses`
pub(crate) async fn create(
    asked: Asked,
    permits: CreatePermits,
    id: ResponseId,
    create: CreateResponse,
) -> Result<Outbound, Failure> {
    let mut earlier = match permits.previous {
        Some(previous) => continued(&asked.platform, previous).await?,
        None => Vec::new(),
    };
    let mut answer = ask_what_fits(&asked.platform, &permits.inference, &create, &mut earlier).await?;
    let mut draft = ResponseDraft::new(id.clone(), asked.platform.clock.now(), create.echo);
    let input = create.input;
    let keeping = permits.store.map(|permit| {
        let platform = Arc::clone(&asked.platform);
        Keeping {
            platform,
            permit,
            id,
            earlier,
            input,
        }
    });
    if create.stream {
        let stream = ResponseStream::new(draft, create.obfuscate);
        return Ok(event_stream(|frames| {
            speak(asked, answer, Speech { stream, keeping }, frames)
        }));
    }
    loop {
        match answer.next().await? {
            Piece::Text(text) => draft.push(&text),
            Piece::End(ending, usage) => {
                let output = copy(draft.text());
                let object = draft.complete(ending, usage, asked.platform.clock.now());
                if let Some(keeping) = keeping {
                    keeping.keep(output, copy_bytes(&object)).await?;
                }
                return Ok(content(object));
            }
        }
    }
}

/// The turns that a response continues.
async fn continued(platform: &Arc<Platform>, previous: ReadPermits) -> Result<Vec<Turn>, Failure> {
    let missing = Failure::PreviousResponseNotFound(Some(previous.response.clone()));
    Ok(load(platform, previous).await?.ok_or(missing)?.into_context())
}

/// Asks the model. What does not fit is refused, or, if the caller wants it so, loses its oldest turns; never the new
/// input.
async fn ask_what_fits(
    platform: &Platform,
    permit: &InferencePermit,
    create: &CreateResponse,
    earlier: &mut Vec<Turn>,
) -> Result<Answer, Failure> {
    let instructions = create.instructions.as_ref().map(|text| Turn {
        role: Role::Developer,
        parts: vec![copy(text)],
    });
    loop {
        let question = Question {
            model: &create.model,
            turns: instructions
                .iter()
                .chain(&*earlier)
                .chain(&create.input)
                .collect(),
            sampling: create.sampling,
            max_tokens: create.max_output_tokens,
            stop: Vec::new(),
            format: &create.format,
        };
        match ask(platform, permit, &question).await {
            Ok(answer) => return Ok(answer),
            Err(Asking::TooLong { .. }) if create.truncation == Truncation::Auto && !earlier.is_empty() => {
                drop(earlier.remove(0));
            }
            Err(asking) => return Err(asking.into()),
        }
    }
}

struct Speech {
    stream: ResponseStream,
    keeping: Option<Keeping>,
}

/// Streams an answer until it ends or the client leaves; one that is left half-way is not stored.
async fn speak(asked: Asked, mut answer: Answer, speech: Speech, frames: Frames) {
    let Speech { mut stream, keeping } = speech;
    if frames.send(stream.open()).await.is_err() {
        return;
    }
    let mut whole = Content::new(String::new());
    while let Some(piece) = answer.next_for(&frames).await {
        let last = match piece {
            Ok(Piece::Text(text)) => {
                whole.push(&text);
                match stream.delta(&text, &*asked.platform.entropy) {
                    Ok(delta) => match frames.send(delta).await {
                        Ok(()) => continue,
                        Err(_client_gone) => return,
                    },
                    Err(_no_entropy) => stream.fail(&Failure::Unavailable),
                }
            }
            Ok(Piece::End(ending, usage)) => {
                let completed = stream.complete(ending, usage, asked.platform.clock.now());
                match keeping {
                    None => completed.into_frames(),
                    Some(keeping) => match keeping.keep(whole, copy_bytes(completed.object())).await {
                        Ok(()) => completed.into_frames(),
                        Err(failure) => completed.into_failure(&failure),
                    },
                }
            }
            Err(failure) => stream.fail(&failure),
        };
        return frames.finish(last).await;
    }
}

impl Keeping {
    /// Seals and stores; returns once it is on disk.
    async fn keep(self, output: Content, object: ContentBytes) -> Result<(), Failure> {
        let Self {
            platform,
            permit,
            id,
            earlier,
            input,
        } = self;
        blocking(move || {
            let document = StoredResponse::new(earlier, input, output, object).encode();
            let now = platform.clock.now();
            platform
                .store
                .put_response(&permit, &platform.kms, &id, &document, now)
                .map_err(|e| from_store(&e))
        })
        .await
    }
}

/// `GET /responses/{id}`
pub(crate) async fn get(asked: &Asked, permits: ReadPermits) -> Result<Outbound, Failure> {
    let missing = Failure::ResponseNotFound(Some(permits.response.clone()));
    let stored = load(&asked.platform, permits).await?.ok_or(missing)?;
    Ok(content(stored.into_object()))
}

/// `GET /responses/{id}/input_items`
pub(crate) async fn input_items(
    asked: &Asked,
    permits: ReadPermits,
    page: &ListInputItems,
) -> Result<Outbound, Failure> {
    let missing = Failure::ResponseNotFound(Some(permits.response.clone()));
    let stored = load(&asked.platform, permits).await?.ok_or(missing)?;
    stored.input_items(page).map(content)
}

/// `DELETE /responses/{id}`
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<mantle::DeleteInference>,
    id: ResponseId,
) -> Result<Outbound, Failure> {
    let platform = Arc::clone(&asked.platform);
    blocking(move || match platform.store.delete_response(&permit, &id) {
        Ok(true) => Ok(content(deleted(&id))),
        Ok(false) => Err(Failure::ResponseNotFound(Some(id))),
        Err(error) => Err(from_store(&error)),
    })
    .await
}

/// Opens a stored response; `None` if the account has none of this id.
async fn load(platform: &Arc<Platform>, permits: ReadPermits) -> Result<Option<StoredResponse>, Failure> {
    let platform = Arc::clone(platform);
    blocking(move || {
        let ReadPermits { read, key, response } = permits;
        let document = platform
            .store
            .get_response(&read, &key, &platform.kms, &response)
            .map_err(|error| from_store(&error))?;
        document
            .map(|document| {
                StoredResponse::decode(document.expose()).map_err(|_unreadable| Failure::Internal)
            })
            .transpose()
    })
    .await
}

/// Runs what waits for the disk where it may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Failure::Internal))
}

fn copy(content: &Content) -> Content {
    Content::new(content.expose().to_owned())
}

fn copy_bytes(bytes: &ContentBytes) -> ContentBytes {
    ContentBytes::new(bytes.expose().to_vec())
}
