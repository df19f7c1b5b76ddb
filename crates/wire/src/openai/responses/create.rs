//! `POST /responses`: what is asked.

use moho_terms::{Content, ConversationId, ResponseId};

use super::Echo;
use crate::Failure;
use crate::bedrock::{ModelIdentifier, RenderedPrompt};
use crate::json::Json;
use crate::openai::conversations::conversation_not_found;
use crate::openai::fields::{self, Fields, invalid, unsupported, wrong_type};
use crate::openai::{OutputFormat, Role, Sampling, Turn, guardrail, sampling, settings};
use crate::query;

/// What [`CreateResponse`] may be asked to include; all but the log-probabilities are of things that are not there.
const INCLUDABLE: [&str; 8] = [
    LOGPROBS,
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
];
const LOGPROBS: &str = "message.output_text.logprobs";

/// Settings of Chat Completions, and what they are called here, if there is such a thing.
const ELSEWHERE: [(&str, Option<&str>); 7] = [
    ("messages", Some("input")),
    ("max_tokens", Some("max_output_tokens")),
    ("max_completion_tokens", Some("max_output_tokens")),
    ("response_format", Some("text.format")),
    ("logprobs", Some("include")),
    ("stop", None),
    ("n", None),
];

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
    /// The model asked for, or an inference profile.
    pub model: ModelIdentifier,
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
    /// Whether the response is kept (sealed); if the caller says nothing, it is where anything may be.
    pub store: Option<bool>,
    /// The conversation whose items go before `input`, and to which input and output are added.
    pub conversation: Option<ConversationId>,
    /// The key that seals what is kept, by id, ARN or alias; none for the account's own.
    pub key: Option<String>,
    /// For how many days it may stay; none for as long as the account says.
    pub days: Option<u32>,
    /// The most tokens to write.
    pub max_output_tokens: Option<u32>,
    /// Sampling.
    pub sampling: Sampling,
    /// What is added to the logits of tokens, each at most once: -100 to 100.
    pub logit_bias: Vec<(u32, f32)>,
    /// Whether log-probabilities are told, and of how many of the likeliest tokens beside the chosen one.
    pub logprobs: Option<u8>,
    /// Texts that end the answer, as a prompt that is kept may have them.
    pub stop: Vec<Content>,
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
        Self::read(&fields::body(body)?, None)
    }

    /// Reads a body, with the prompt that it names.
    pub(super) fn read(json: &Json, prompt: Option<RenderedPrompt>) -> Result<Self, Failure> {
        let request = Fields::top(json);
        refuse_unserved(&request)?;
        let prompted = prompt.is_some();
        let prompt = prompt.unwrap_or_else(RenderedPrompt::none);
        let model = match (request.get("model"), prompt.model) {
            (None, Some(model)) => model,
            _ => settings::model(&request)?,
        };
        let (previous_response_id, conversation) = continued(&request)?;
        let text = request.object("text")?;
        let format = text
            .as_ref()
            .map(|text| text.object("format"))
            .transpose()?
            .flatten();
        settings::tool_choice(&request)?;
        let tools = settings::function_tools(&request)?;
        let truncation = match request.word("truncation", &["auto", "disabled"])? {
            Some("auto") => Truncation::Auto,
            _ => Truncation::Disabled,
        };
        let mut echo = Echo::of(&request, &model, &tools)?;
        echo.conversation.clone_from(&conversation);
        let continues = prompted || conversation.is_some() || previous_response_id.is_some();
        let own = input(&request, continues)?;
        Ok(Self {
            instructions: match (request.content("instructions")?, prompt.system) {
                (None, Some(system)) => Some(system.text()),
                (own, _) => own,
            },
            input: prompt.messages.into_iter().chain(own).collect(),
            stream: request.boolean("stream")?.unwrap_or(false),
            obfuscate: obfuscate(&request)?,
            store: request.boolean("store")?,
            conversation,
            key: None,
            days: None,
            max_output_tokens: request.count("max_output_tokens")?.or(prompt.max_tokens),
            sampling: sampling::sampling(&request)?.or(prompt.sampling),
            logit_bias: sampling::logit_bias(&request)?,
            logprobs: logprobs(&request)?,
            stop: prompt.stop,
            format: settings::format(format.as_ref(), false)?,
            truncation,
            echo,
            model,
            previous_response_id,
        })
    }
}

/// What the API has and this server does not, as long as leaving it out would change the answer's meaning.
fn refuse_unserved(request: &Fields<'_>) -> Result<(), Failure> {
    guardrail::refuse_keys(request)?;
    if request.boolean("background")? == Some(true) {
        return Err(unsupported(
            "background",
            "background responses are not supported yet",
        ));
    }
    let refuse = |name: &str, why: &str| {
        let message = format!("Unsupported parameter: '{name}'{why}");
        Err(invalid(message, name, "unsupported_parameter"))
    };
    for (name, here) in ELSEWHERE {
        match (request.get(name), here) {
            (None, _) => {}
            // What asks for nothing is harmless.
            (Some(Json::Bool(false)), Some("include")) => {}
            (Some(Json::Number(one)), None) if &**one == "1" => {}
            (Some(_), Some(here)) => {
                let why = format!(
                    ". In the Responses API, this parameter has moved to '{here}'. Try again with the new parameter."
                );
                return refuse(name, &why);
            }
            (Some(_), None) => return refuse(name, " is not a parameter of the Responses API."),
        }
    }
    Ok(())
}

/// Log-probabilities come only if `include` asks for them.
fn logprobs(request: &Fields<'_>) -> Result<Option<u8>, Failure> {
    let top = sampling::top_logprobs(request)?.unwrap_or(0);
    let mut wanted = false;
    for (index, name) in request.array("include")?.unwrap_or_default().iter().enumerate() {
        let param = format!("include[{index}]");
        let Json::String(name) = name else {
            return Err(wrong_type(&param, "a string", name));
        };
        if !INCLUDABLE.contains(&name.expose()) {
            return Err(request.not_among(&param, &INCLUDABLE));
        }
        wanted |= name.expose() == LOGPROBS;
    }
    Ok(wanted.then_some(top))
}

/// Whether deltas are padded.
fn obfuscate(request: &Fields<'_>) -> Result<bool, Failure> {
    let options = request.object("stream_options")?;
    let obfuscate = options.map(|options| options.boolean("include_obfuscation"));
    Ok(obfuscate.transpose()?.flatten().unwrap_or(true))
}

/// What a request goes on from: a response or a conversation.
fn continued(request: &Fields<'_>) -> Result<(Option<ResponseId>, Option<ConversationId>), Failure> {
    let found = (previous(request)?, conversation(request)?);
    if found.0.is_some() && found.1.is_some() {
        let message =
            "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Give one of them.";
        let code = "mutually_exclusive_parameters";
        return Err(invalid(message.to_owned(), "conversation", code));
    }
    Ok(found)
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
        Some(Json::Array(items)) => read_items("input", items)?,
        Some(other) => return Err(wrong_type("input", "a string or an array", other)),
    };
    if turns.is_empty() && !continues {
        let message = "Invalid 'input': expected at least one message.".to_owned();
        return Err(invalid(message, "input", "empty_array"));
    }
    Ok(turns)
}

/// The messages of a list of items, which is called so.
pub(crate) fn read_items(name: &str, items: &[Json]) -> Result<Vec<Turn>, Failure> {
    let read = |(index, item)| {
        let item = Fields::at(item, format!("{name}[{index}]"));
        item.and_then(|item| read_item(&item)).transpose()
    };
    items.iter().enumerate().filter_map(read).collect()
}

/// Checks what a query asks to include: all of it is of things that are not there.
pub(crate) fn includes(raw_query: &str) -> Result<(), Failure> {
    let wanted = query::every(raw_query, "include")?;
    if wanted.iter().all(|name| INCLUDABLE.contains(&name.as_str())) {
        return Ok(());
    }
    let message = "Invalid value for 'include': it is nothing that can be included.".to_owned();
    Err(invalid(message, "include", "invalid_value"))
}

/// The conversation that a request is part of: its id, or an object that has it.
fn conversation(request: &Fields<'_>) -> Result<Option<ConversationId>, Failure> {
    let id = match request.get("conversation") {
        None => return Ok(None),
        Some(Json::String(id)) => id.expose(),
        Some(Json::Object(_)) => match request.object("conversation")? {
            Some(of) => of.required_text("id")?,
            None => return Ok(None),
        },
        Some(other) => return Err(wrong_type("conversation", "a string or an object", other)),
    };
    // An id no conversation can have is answered like that of one that does not exist.
    id.parse()
        .map(Some)
        .map_err(|_unsuitable| conversation_not_found(None))
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
