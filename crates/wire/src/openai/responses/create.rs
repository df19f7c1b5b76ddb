//! `POST /responses`: what is asked.

use moho_terms::{Content, ResponseId};

use super::Echo;
use crate::Failure;
use crate::bedrock::ModelIdentifier;
use crate::json::Json;
use crate::openai::fields::{self, Fields, invalid, unsupported, wrong_type};
use crate::openai::{OutputFormat, Role, Sampling, Turn, guardrail, sampling, settings};

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
    /// Whether the response is kept (sealed); true unless the caller says no.
    pub store: bool,
    /// The most tokens to write.
    pub max_output_tokens: Option<u32>,
    /// Sampling.
    pub sampling: Sampling,
    /// What is added to the logits of tokens, each at most once: -100 to 100.
    pub logit_bias: Vec<(u32, f32)>,
    /// Whether log-probabilities are told, and of how many of the likeliest tokens beside the chosen one.
    pub logprobs: Option<u8>,
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
            sampling: sampling::sampling(&request)?,
            logit_bias: sampling::logit_bias(&request)?,
            logprobs: logprobs(&request)?,
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
    for name in ["conversation", "prompt"] {
        if request.get(name).is_some() {
            return refuse(name, " is not supported yet.");
        }
    }
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
