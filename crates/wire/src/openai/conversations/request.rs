//! What is asked about conversations.

use moho_terms::{ContentBytes, ConversationId, ItemId};

use super::{ConversationRoute, DAYS_HEADER, KEY_HEADER, item_not_found};
use crate::Failure;
use crate::json::{self, Json, Writer};
use crate::openai::Turn;
use crate::openai::fields::{self, Fields, invalid, wrong_type};
use crate::openai::responses::{includes, read_items};
use crate::query::Query;
use crate::route::Headers;

/// Items that one request adds at most, as at OpenAI.
const ITEMS: usize = 20;
/// The longest time that content can be asked to stay: ten years.
const LONGEST_DAYS: u32 = 3653;

/// Metadata: an object of at most 16 pairs of text.
pub struct Metadata(ContentBytes);

impl Metadata {
    /// Reads the metadata of a request: none is an empty object.
    fn of(request: &Fields<'_>) -> Result<Self, Failure> {
        let mut w = Writer::new();
        w.object(|_| {});
        let none = w.finish();
        let mut w = Writer::new();
        fields::metadata(&mut w, request)?;
        let written = w.finish();
        let object = written.expose().strip_prefix(b"\"metadata\":");
        Ok(Self(
            object.map_or(none, |object| ContentBytes::new(object.to_vec())),
        ))
    }

    /// Reads what was kept.
    ///
    /// # Errors
    /// [`Failure::Internal`] if it is no object.
    pub fn kept(bytes: ContentBytes) -> Result<Self, Failure> {
        match json::parse(bytes.expose()) {
            Ok(Json::Object(_)) => Ok(Self(bytes)),
            Ok(_) | Err(_) => Err(Failure::Internal),
        }
    }

    /// The object.
    #[must_use]
    pub fn json(&self) -> &ContentBytes {
        &self.0
    }
}

/// A parsed `POST /conversations`.
pub struct CreateConversation {
    /// Its metadata.
    pub metadata: Metadata,
    /// What it begins with.
    pub items: Vec<Turn>,
    /// The key that seals it, by id, ARN or alias; none for the account's own.
    pub key: Option<String>,
    /// For how many days it may stay after its last turn; none for as long as the account says.
    pub days: Option<u32>,
}

/// A parsed `POST /conversations/{id}/items`.
pub struct CreateItems {
    /// Which conversation.
    pub id: ConversationId,
    /// What is added.
    pub items: Vec<Turn>,
}

/// A parsed `GET /conversations/{id}/items`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListItems {
    /// Which conversation.
    pub id: ConversationId,
    /// At most this many items, 1 to 100.
    pub limit: usize,
    /// Oldest first, instead of newest first.
    pub ascending: bool,
    /// Continue after this item.
    pub after: Option<ItemId>,
}

/// A parsed request.
pub enum Request {
    /// `POST /conversations`
    Create(CreateConversation),
    /// `GET /conversations/{id}`
    Get(ConversationId),
    /// `POST /conversations/{id}`
    Update(ConversationId, Metadata),
    /// `DELETE /conversations/{id}`
    Delete(ConversationId),
    /// `POST /conversations/{id}/items`
    CreateItems(CreateItems),
    /// `GET /conversations/{id}/items`
    ListItems(ListItems),
    /// `GET /conversations/{id}/items/{item}`
    GetItem(ConversationId, ItemId),
    /// `DELETE /conversations/{id}/items/{item}`
    DeleteItem(ConversationId, ItemId),
    /// `GET /content`: what comes after this
    Export(Option<String>),
    /// `DELETE /content`
    Erase,
    /// `GET /data_retention`
    GetRetention,
    /// `POST /data_retention`: for how many days
    PutRetention(u32),
}

impl Request {
    /// Reads what a path, its query, the headers and the body ask for.
    pub(crate) fn read(
        route: &ConversationRoute,
        raw_query: &str,
        headers: &Headers<'_>,
        body: &[u8],
    ) -> Result<Self, Failure> {
        Ok(match route.clone() {
            ConversationRoute::Create => Self::Create(CreateConversation::read(headers, body)?),
            ConversationRoute::Get(id) => Self::Get(id),
            ConversationRoute::Update(id) => {
                let json = fields::body(body)?;
                let request = Fields::top(&json);
                request
                    .get("metadata")
                    .ok_or_else(|| request.missing("metadata"))?;
                Self::Update(id, Metadata::of(&request)?)
            }
            ConversationRoute::Delete(id) => Self::Delete(id),
            ConversationRoute::CreateItems(id) => {
                let json = fields::body(body)?;
                let request = Fields::top(&json);
                includes(raw_query)?;
                let items = items(&request)?.ok_or_else(|| request.missing("items"))?;
                Self::CreateItems(CreateItems { id, items })
            }
            ConversationRoute::ListItems(id) => Self::ListItems(ListItems::read(id, raw_query)?),
            ConversationRoute::GetItem(id, item) => {
                includes(raw_query)?;
                Self::GetItem(id, item)
            }
            ConversationRoute::DeleteItem(id, item) => Self::DeleteItem(id, item),
            ConversationRoute::Export => {
                Self::Export(Query::of_url(raw_query)?.get("after").map(str::to_owned))
            }
            ConversationRoute::Erase => Self::Erase,
            ConversationRoute::GetRetention => Self::GetRetention,
            ConversationRoute::PutRetention => {
                let json = fields::body(body)?;
                let request = Fields::top(&json);
                let days = request.integer("days", 1, i64::from(LONGEST_DAYS))?;
                let days = days.and_then(|days| u32::try_from(days).ok());
                Self::PutRetention(days.ok_or_else(|| request.missing("days"))?)
            }
        })
    }
}

impl CreateConversation {
    fn read(headers: &Headers<'_>, body: &[u8]) -> Result<Self, Failure> {
        // All of it may be left out, the body, too.
        let json = if body.is_empty() {
            Json::Object(Vec::new())
        } else {
            fields::body(body)?
        };
        let request = Fields::top(&json);
        Ok(Self {
            metadata: Metadata::of(&request)?,
            items: items(&request)?.unwrap_or_default(),
            key: key(headers)?,
            days: days(headers)?,
        })
    }
}

impl ListItems {
    fn read(id: ConversationId, raw_query: &str) -> Result<Self, Failure> {
        includes(raw_query)?;
        let query = Query::of_url(raw_query)?;
        let page = crate::openai::responses::Paging::read(&query)?;
        let after = query
            .get("after")
            .map(|after| after.parse().map_err(|_no_id| item_not_found(None)));
        Ok(Self {
            id,
            limit: page.limit,
            ascending: page.ascending,
            after: after.transpose()?,
        })
    }
}

/// The items of a request, at most 20.
fn items(request: &Fields<'_>) -> Result<Option<Vec<Turn>>, Failure> {
    let items = match request.get("items") {
        None => return Ok(None),
        Some(Json::Array(items)) => items,
        Some(other) => return Err(wrong_type("items", "an array", other)),
    };
    if items.len() > ITEMS {
        let message = format!("Invalid 'items': expected at most {ITEMS} items.");
        return Err(invalid(message, "items", "array_above_max_length"));
    }
    read_items("items", items).map(Some)
}

/// One value of a header that is moho's own.
fn header(headers: &Headers<'_>, name: &'static str) -> Result<Option<String>, Failure> {
    let wrong = || invalid(format!("Invalid header '{name}'."), name, "invalid_value");
    match headers(name).as_slice() {
        [] => Ok(None),
        [value] => {
            let text = std::str::from_utf8(value).ok().map(str::trim);
            let text = text.filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()));
            text.map(|text| Some(text.to_owned())).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

/// The key that seals what the request keeps.
pub(crate) fn key(headers: &Headers<'_>) -> Result<Option<String>, Failure> {
    header(headers, KEY_HEADER)
}

/// For how many days it may stay.
pub(crate) fn days(headers: &Headers<'_>) -> Result<Option<u32>, Failure> {
    let Some(text) = header(headers, DAYS_HEADER)? else {
        return Ok(None);
    };
    let days = text.parse().ok().filter(|days| (1..=LONGEST_DAYS).contains(days));
    days.map(Some).ok_or_else(|| {
        let message =
            format!("Invalid header '{DAYS_HEADER}': expected an integer from 1 to {LONGEST_DAYS}.");
        invalid(message, DAYS_HEADER, "invalid_value")
    })
}
