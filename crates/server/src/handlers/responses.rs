//! The Responses API: create, stream, keep sealed, read again, delete.
//!
//! A response that the client was told of as completed is on disk: it is stored before the last event, or the reply,
//! is sent.

use std::sync::Arc;

use moho_iam::action::{kms, mantle};
use moho_iam::authz::Permit;
use moho_store::NewResponse;
use moho_terms::{Content, ContentBytes, ResponseId};
use moho_wire::Failure;
use moho_wire::openai::conversations::ConversationItem;
use moho_wire::openai::responses::{
    CompletedStream, CreateResponse, ListInputItems, ResponseDraft, ResponseStream, StoredResponse,
    Truncation, deleted, item_id,
};
use moho_wire::openai::{Ending, Role, Turn};

use super::chat::refuse_unsendable;
use super::conversations::{self, Adding, Reading};
use super::halving::Halving;
use super::inference::{Answer, Asking, InferencePermit, Piece, Question, Words, admit_search, ask, fits};
use super::{Asked, blocking};
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
    pub(crate) store: Option<StorePermit>,
    pub(crate) earlier: Earlier,
}

/// Leave to keep a response, and for how many days.
pub(crate) struct StorePermit {
    pub(crate) key: Permit<kms::GenerateDataKey>,
    pub(crate) days: u32,
}

/// What a response goes on from.
pub(crate) enum Earlier {
    Nothing,
    Response(Box<ReadPermits>),
    /// To which it is added, too.
    Conversation(
        Box<(
            Reading<mantle::GetConversation>,
            Adding<mantle::UpdateConversation>,
        )>,
    ),
}

/// A finished conversation on its way to the store.
struct Keeping {
    platform: Arc<Platform>,
    store: Option<StorePermit>,
    conversation: Option<Adding<mantle::UpdateConversation>>,
    id: ResponseId,
    earlier: Vec<Turn>,
    input: Vec<Turn>,
}

/// The end of an answer, as it is kept.
struct Said {
    output: Content,
    complete: bool,
    object: ContentBytes,
}

/// `POST /responses`
pub(crate) async fn create(
    asked: Asked,
    permits: CreatePermits,
    id: ResponseId,
    create: CreateResponse,
) -> Result<Outbound, Failure> {
    refuse_unsendable(
        &asked,
        permits.inference.model(),
        (1, create.max_output_tokens),
        create.logprobs,
    )?;
    let (mut earlier, conversation) = match permits.earlier {
        Earlier::Nothing => (Vec::new(), None),
        Earlier::Response(previous) => (continued(&asked.platform, *previous).await?, None),
        Earlier::Conversation(permits) => {
            let (reading, adding) = *permits;
            (
                conversations::context(&asked.platform, reading).await?,
                Some(adding),
            )
        }
    };
    let mut answer = ask_what_fits(&asked, &permits.inference, &create, &mut earlier).await?;
    let mut draft = ResponseDraft::new(id.clone(), asked.platform.clock.now(), create.echo);
    let input = create.input;
    let kept = permits.store.is_some() || conversation.is_some();
    let keeping = kept.then(|| Keeping {
        platform: Arc::clone(&asked.platform),
        store: permits.store,
        conversation,
        id,
        earlier,
        input,
    });
    if create.stream {
        let stream = ResponseStream::new(draft, create.obfuscate);
        return Ok(event_stream(answer.invocation(), |frames| {
            speak(asked, answer, Speech { stream, keeping }, frames)
        }));
    }
    loop {
        match answer.next().await? {
            Piece::Delta { delta, .. } => draft.push(&delta)?,
            Piece::End { ending, usage, .. } => {
                let output = copy(draft.text());
                let object = draft.complete(ending, usage, asked.platform.clock.now());
                if let Some(keeping) = keeping {
                    let said = Said {
                        output,
                        complete: ending != Ending::Length,
                        object: copy_bytes(&object),
                    };
                    keeping.keep(said).await?;
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

/// Asks the model. What does not fit is refused, or, if the caller wants it so, loses its oldest turns; never the
/// instructions, never the new input. How many turns fit is found by counting, which takes nothing of the model: only what
/// is answered is asked, paid and noted.
async fn ask_what_fits(
    asked: &Asked,
    permit: &InferencePermit,
    create: &CreateResponse,
    earlier: &mut Vec<Turn>,
) -> Result<Answer, Failure> {
    let instructions = create.instructions.as_ref().map(|text| Turn {
        role: Role::Developer,
        parts: vec![copy(text)],
    });
    let told = (create, instructions.as_ref());
    if create.truncation == Truncation::Auto && !earlier.is_empty() {
        admit_search(asked, permit).await?;
        let most = most_that_fit(asked, permit, told, earlier).await?;
        drop(earlier.drain(..earlier.len().saturating_sub(most)));
    }
    Ok(ask(asked, permit, &question(permit, told, earlier)).await?)
}

/// What is asked: the instructions, turns from before and the new input.
fn question<'a>(
    permit: &'a InferencePermit,
    (create, instructions): (&'a CreateResponse, Option<&'a Turn>),
    earlier: &'a [Turn],
) -> Question<'a> {
    let turns = instructions.into_iter().chain(earlier).chain(&create.input);
    Question {
        model: permit.model(),
        words: Words::Turns(turns.collect()),
        choices: 1,
        sampling: create.sampling,
        logit_bias: &create.logit_bias,
        logprobs: create.logprobs,
        max_tokens: create.max_output_tokens,
        stop: create.stop.iter().collect(),
        format: &create.format,
    }
}

/// How many of the turns from before fit. None if not even without them it fits, which is then the model's to refuse.
async fn most_that_fit(
    asked: &Asked,
    permit: &InferencePermit,
    told: (&CreateResponse, Option<&Turn>),
    earlier: &[Turn],
) -> Result<usize, Failure> {
    let mut halving = Halving::of(earlier.len());
    while let Some(count) = halving.next() {
        let question = question(permit, told, newest(earlier, count));
        match fits(asked, permit, &question).await {
            Ok(()) => halving.fits(count),
            Err(Asking::TooLong { .. }) => halving.too_long(count),
            Err(Asking::Failed(failure)) => return Err(failure),
        }
    }
    Ok(halving.most().unwrap_or(0))
}

/// The last turns of a conversation.
fn newest(turns: &[Turn], count: usize) -> &[Turn] {
    turns.get(turns.len().saturating_sub(count)..).unwrap_or_default()
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
        match piece {
            Ok(Piece::Delta { delta, .. }) => {
                whole.push(&delta.text);
                match stream.delta(&delta, &*asked.platform.entropy) {
                    Ok(delta) => match frames.send(delta).await {
                        Ok(()) => continue,
                        Err(_client_gone) => return,
                    },
                    Err(failure) => return frames.fail(&failure, stream.fail(&failure)).await,
                }
            }
            Ok(Piece::End { ending, usage, .. }) => {
                let completed = stream.complete(ending, usage, asked.platform.clock.now());
                let kept = match keeping {
                    None => Ok(()),
                    Some(keeping) => {
                        let said = Said {
                            output: whole,
                            complete: ending != Ending::Length,
                            object: copy_bytes(completed.object()),
                        };
                        keeping.keep(said).await
                    }
                };
                return match kept {
                    Ok(()) => close(completed, frames).await,
                    Err(failure) => frames.fail(&failure, completed.into_failure(&failure)).await,
                };
            }
            Err(failure) => return frames.fail(&failure, stream.fail(&failure)).await,
        }
    }
}

/// Sends the closing events, one after the other as the client reads.
async fn close(completed: CompletedStream, frames: Frames) {
    if frames.is_logged() {
        // Whoever reads that the response is complete has it logged.
        let all: Vec<ContentBytes> = completed.into_frames().collect();
        let noted = all.iter().all(|frame| frames.note(frame).is_ok());
        if !noted || frames.conclude().await.is_err() {
            return;
        }
        return send_all(all.into_iter(), frames).await;
    }
    send_all(completed.into_frames(), frames).await;
}

async fn send_all(closing: impl Iterator<Item = ContentBytes> + Send, frames: Frames) {
    for frame in closing {
        if frames.send(frame).await.is_err() {
            return;
        }
    }
    frames.finish(CompletedStream::done()).await;
}

impl Keeping {
    /// Seals and stores; returns once it is on disk.
    async fn keep(self, said: Said) -> Result<(), Failure> {
        let Self {
            platform,
            store,
            conversation,
            id,
            earlier,
            input,
        } = self;
        blocking(move || {
            let items = match &conversation {
                Some(_) => turn_items(&id, earlier.len(), (&input, &said))?,
                None => Vec::new(),
            };
            let document;
            let response = match &store {
                None => None,
                Some(StorePermit { key, days }) => {
                    document = StoredResponse::new(earlier, input, said.output, said.object).encode();
                    Some(NewResponse {
                        id: &id,
                        body: &document,
                        key,
                        days: *days,
                    })
                }
            };
            match (conversation, response) {
                // What was not told as complete is in neither.
                (Some(adding), response) => {
                    conversations::add(&platform, &adding, (&items, response.as_ref()))
                }
                (None, Some(new)) => platform
                    .store
                    .put_response(
                        new.key,
                        &platform.kms,
                        new.id,
                        new.body,
                        (platform.clock.now(), new.days),
                    )
                    .map_err(|error| from_store(&error)),
                (None, None) => Ok(()),
            }
        })
        .await
    }
}

/// What a response adds to its conversation: its input and its output, under the ids that they have as its items.
fn turn_items(
    id: &ResponseId,
    earlier: usize,
    (input, said): (&[Turn], &Said),
) -> Result<Vec<ConversationItem>, Failure> {
    let mut items = Vec::with_capacity(input.len().saturating_add(1));
    for (index, turn) in (earlier.saturating_add(1)..).zip(input) {
        items.push(ConversationItem {
            id: item_id(id, index)?,
            complete: true,
            turn: Turn {
                role: turn.role,
                parts: turn.parts.iter().map(copy).collect(),
            },
        });
    }
    items.push(ConversationItem::said(
        item_id(id, 0)?,
        copy(&said.output),
        said.complete,
    ));
    Ok(items)
}

/// A stored response as it was sent, for an export.
pub(crate) async fn whole(
    asked: &Asked,
    permits: ReadPermits,
) -> Result<(ContentBytes, Vec<ConversationItem>), Failure> {
    let missing = Failure::ResponseNotFound(Some(permits.response.clone()));
    let id = permits.response.clone();
    let stored = load(&asked.platform, permits).await?.ok_or(missing)?;
    let object = copy_bytes(stored.object());
    let mut context = stored.into_context();
    // The output stands in the object.
    context.truncate(context.len().saturating_sub(1));
    let items = (1..).zip(context).map(|(index, turn)| {
        let (id, complete) = (item_id(&id, index)?, true);
        Ok(ConversationItem { id, complete, turn })
    });
    Ok((object, items.collect::<Result<_, Failure>>()?))
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
    blocking(move || match platform.store.delete_response(&permit) {
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
        let document = platform
            .store
            .get_response(&permits.read, &permits.key, &platform.kms)
            .map_err(|error| from_store(&error))?;
        document
            .map(|document| {
                StoredResponse::decode(document.expose()).map_err(|_unreadable| Failure::Internal)
            })
            .transpose()
    })
    .await
}

fn copy(content: &Content) -> Content {
    Content::new(content.expose().to_owned())
}

fn copy_bytes(bytes: &ContentBytes) -> ContentBytes {
    ContentBytes::new(bytes.expose().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_turns_are_the_last() {
        let turns = ["a", "b", "c"].map(|text| Turn::of(Role::User, Content::new(text.to_owned())));
        let texts = |count| {
            newest(&turns, count)
                .iter()
                .map(|turn| turn.text().expose().to_owned())
                .collect::<String>()
        };
        assert_eq!([0, 1, 3, 4].map(texts), ["", "c", "abc", "abc"]);
    }
}
