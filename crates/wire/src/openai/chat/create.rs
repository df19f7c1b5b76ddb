//! `POST /chat/completions`: what is asked.

use moho_terms::{Content, ModelId};

use crate::Failure;
use crate::json::Json;
use crate::openai::fields::{self, Fields, invalid, unsupported, wrong_type};
use crate::openai::{OutputFormat, Role, Sampling, Turn, settings};

/// A parsed `POST /chat/completions`.
pub struct CreateChat {
    /// The model asked for.
    pub model: ModelId,
    /// The conversation.
    pub messages: Vec<Turn>,
    /// Whether to answer with chunks.
    pub stream: bool,
    /// Whether the stream ends with a chunk of token counts.
    pub include_usage: bool,
    /// Whether deltas are padded, so that their sizes tell less.
    pub obfuscate: bool,
    /// The most tokens to write.
    pub max_tokens: Option<u32>,
    /// Texts that end the answer, at most four.
    pub stop: Vec<Content>,
    /// Sampling.
    pub sampling: Sampling,
    /// The form of the answer.
    pub format: OutputFormat,
}

impl CreateChat {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Failure::Invalid`] naming the field.
    pub fn parse(body: &[u8]) -> Result<Self, Failure> {
        let json = fields::body(body)?;
        let request = Fields::top(&json);
        refuse_unserved(&request)?;
        settings::tool_choice(&request)?;
        settings::function_tools(&request)?;
        let options = request.object("stream_options")?;
        let option = |name: &str| options.as_ref().map(|options| options.boolean(name)).transpose();
        let older = request.count("max_tokens")?;
        Ok(Self {
            model: settings::model(&request)?,
            messages: messages(&request)?,
            stream: request.boolean("stream")?.unwrap_or(false),
            include_usage: option("include_usage")?.flatten().unwrap_or(false),
            obfuscate: option("include_obfuscation")?.flatten().unwrap_or(true),
            max_tokens: request.count("max_completion_tokens")?.or(older),
            stop: stop(&request)?,
            sampling: settings::sampling(&request)?,
            format: settings::format(request.object("response_format")?.as_ref(), true)?,
        })
    }
}

/// What the API has and this server does not, as long as leaving it out would change the answer's meaning.
fn refuse_unserved(request: &Fields<'_>) -> Result<(), Failure> {
    if request.integer("n", 1, 128)?.is_some_and(|n| n > 1) {
        return Err(unsupported("n", "only 1 is supported"));
    }
    if request.boolean("logprobs")? == Some(true) {
        return Err(unsupported("logprobs", "log-probabilities are not supported yet"));
    }
    if request
        .get("logit_bias")
        .is_some_and(|bias| !matches!(bias, Json::Object(pairs) if pairs.is_empty()))
    {
        return Err(unsupported("logit_bias", "a bias is not supported yet"));
    }
    for kind in request.array("modalities")?.unwrap_or_default() {
        if !matches!(kind, Json::String(kind) if kind.expose() == "text") {
            return Err(unsupported("modalities", "only 'text' is supported"));
        }
    }
    Ok(())
}

fn messages(request: &Fields<'_>) -> Result<Vec<Turn>, Failure> {
    let messages = request
        .array("messages")?
        .ok_or_else(|| request.missing("messages"))?;
    if messages.is_empty() {
        let message = "Invalid 'messages': expected at least one message.".to_owned();
        return Err(invalid(message, "messages", "empty_array"));
    }
    messages
        .iter()
        .enumerate()
        .map(|(index, message)| {
            let message = Fields::at(message, format!("messages[{index}]"))?;
            let role = message.required_text("role")?;
            if role == "tool"
                || role == "function"
                || message.array("tool_calls")?.is_some_and(|c| !c.is_empty())
            {
                return Err(unsupported(
                    &message.param("role"),
                    "tool calls are not supported yet",
                ));
            }
            let Some(role) = Role::from_name(role) else {
                return Err(message.not_among("role", &["system", "developer", "user", "assistant"]));
            };
            match message.content("refusal")? {
                Some(refusal) if message.get("content").is_none() => Ok(Turn::of(role, refusal)),
                _ => Turn::read(role, &message),
            }
        })
        .collect()
}

fn stop(request: &Fields<'_>) -> Result<Vec<Content>, Failure> {
    let texts = match request.get("stop") {
        None => return Ok(Vec::new()),
        Some(one @ Json::String(_)) => std::slice::from_ref(one),
        Some(Json::Array(texts)) => texts.as_slice(),
        Some(other) => return Err(wrong_type("stop", "a string or an array", other)),
    };
    if texts.len() > 4 {
        let message = "Invalid 'stop': expected at most 4 texts.".to_owned();
        return Err(invalid(message, "stop", "array_above_max_length"));
    }
    texts.iter().map(stop_text).collect()
}

fn stop_text(text: &Json) -> Result<Content, Failure> {
    let Json::String(text) = text else {
        return Err(wrong_type("stop", "an array of strings", text));
    };
    if text.is_empty() {
        let message = "Invalid 'stop': a text is empty.".to_owned();
        return Err(invalid(message, "stop", "invalid_value"));
    }
    Ok(Content::new(text.expose().to_owned()))
}
