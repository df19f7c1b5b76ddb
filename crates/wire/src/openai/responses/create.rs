//! `POST /responses`: what is asked.

use moho_terms::{Content, ModelId, ResponseId};

use super::Echo;
use crate::Failure;
use crate::json::Json;
use crate::openai::fields::{self, Fields, invalid, unsupported, wrong_type};
use crate::openai::{OutputFormat, Role, Sampling, Turn, settings};

/// What to do with a conversation that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncation {
    /// Refuse it.
    Disabled,
    /// Drop the oldest turns.
    Auto,
}

/// A parsed `POST /responses`.
pub struct CreateResponse {
    /// The model asked for.
    pub model: ModelId,
    /// The system's words for this request only; they are not inherited by follow-ups.
    pub instructions: Option<Content>,
    /// The new turns.
    pub input: Vec<Turn>,
    /// The response this one continues: its context goes before `input`.
    pub previous_response_id: Option<ResponseId>,
    /// Whether to answer with events.
    pub stream: bool,
    /// Whether deltas are padded, so that their sizes tell less.
    pub obfuscate: bool,
    /// Whether the response is kept (sealed); true unless the caller says no.
    pub store: bool,
    /// The most tokens to write.
    pub max_output_tokens: Option<u32>,
    /// Sampling.
    pub sampling: Sampling,
    /// The form of the answer.
    pub format: OutputFormat,
    /// What to do if it does not fit.
    pub truncation: Truncation,
    /// The settings as the response object repeats them.
    pub echo: Echo,
}

impl CreateResponse {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Failure::Invalid`] naming the field.
    pub fn parse(body: &[u8]) -> Result<Self, Failure> {
        let json = fields::body(body)?;
        let request = Fields::top(&json);
        refuse_unserved(&request)?;
        let model = settings::model(&request)?;
        let previous_response_id = previous(&request)?;
        let text = request.object("text")?;
        let format = text
            .as_ref()
            .map(|text| text.object("format"))
            .transpose()?
            .flatten();
        settings::tool_choice(&request)?;
        let tools = settings::function_tools(&request)?;
        let stream_options = request.object("stream_options")?;
        let obfuscate = stream_options
            .as_ref()
            .map(|options| options.boolean("include_obfuscation"))
            .transpose()?;
        let truncation = match request.word("truncation", &["auto", "disabled"])? {
            Some("auto") => Truncation::Auto,
            _ => Truncation::Disabled,
        };
        Ok(Self {
            instructions: request.content("instructions")?,
            input: input(&request, previous_response_id.is_some())?,
            stream: request.boolean("stream")?.unwrap_or(false),
            obfuscate: obfuscate.flatten().unwrap_or(true),
            store: request.boolean("store")?.unwrap_or(true),
            max_output_tokens: request.count("max_output_tokens")?,
            sampling: settings::sampling(&request)?,
            format: settings::format(format.as_ref(), false)?,
            truncation,
            echo: Echo::of(&request, &model, &tools)?,
            model,
            previous_response_id,
        })
    }
}

/// What the API has and this server does not, as long as leaving it out would change the answer's meaning.
fn refuse_unserved(request: &Fields<'_>) -> Result<(), Failure> {
    if request.boolean("background")? == Some(true) {
        return Err(unsupported(
            "background",
            "background responses are not supported yet",
        ));
    }
    for name in ["conversation", "prompt"] {
        if request.get(name).is_some() {
            let message = format!("Unsupported parameter: '{name}' is not supported yet.");
            return Err(invalid(message, name, "unsupported_parameter"));
        }
    }
    Ok(())
}

fn previous(request: &Fields<'_>) -> Result<Option<ResponseId>, Failure> {
    let Some(id) = request.text("previous_response_id")? else {
        return Ok(None);
    };
    // An id no response can have is answered like that of a response that does not exist.
    id.parse()
        .map(Some)
        .map_err(|_unsuitable| Failure::PreviousResponseNotFound(None))
}

fn input(request: &Fields<'_>, continues: bool) -> Result<Vec<Turn>, Failure> {
    let turns = match request.get("input") {
        None if continues => return Ok(Vec::new()),
        None => return Err(request.missing("input")),
        Some(Json::String(text)) => vec![Turn::of(Role::User, Content::new(text.expose().to_owned()))],
        Some(Json::Array(items)) => {
            let read = |(index, item)| {
                let item = Fields::at(item, format!("input[{index}]"));
                item.and_then(|item| read_item(&item)).transpose()
            };
            items
                .iter()
                .enumerate()
                .filter_map(read)
                .collect::<Result<Vec<_>, _>>()?
        }
        Some(other) => return Err(wrong_type("input", "a string or an array", other)),
    };
    if turns.is_empty() && !continues {
        let message = "Invalid 'input': expected at least one message.".to_owned();
        return Err(invalid(message, "input", "empty_array"));
    }
    Ok(turns)
}

/// A message becomes a turn; reasoning of an earlier answer is taken and left out.
fn read_item(item: &Fields<'_>) -> Result<Option<Turn>, Failure> {
    match item.text("type")? {
        None | Some("message") => {}
        Some("reasoning") => return Ok(None),
        Some("item_reference") => {
            return Err(unsupported(
                &item.param("type"),
                "item references are not supported yet; send the item itself",
            ));
        }
        Some("function_call" | "function_call_output" | "custom_tool_call" | "custom_tool_call_output") => {
            return Err(unsupported(
                &item.param("type"),
                "tool calls are not supported yet",
            ));
        }
        Some(_) => return Err(item.not_among("type", &["message", "reasoning"])),
    }
    let role = item.required_text("role")?;
    let Some(role) = Role::from_name(role) else {
        return Err(item.not_among("role", &["assistant", "system", "developer", "user"]));
    };
    Turn::read(role, item).map(Some)
}
