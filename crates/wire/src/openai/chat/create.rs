//! `POST /chat/completions`: what is asked.

use moho_terms::Content;

use crate::Failure;
use crate::bedrock::ModelIdentifier;
use crate::json::Json;
use crate::openai::fields::{self, Fields, invalid, unsupported, wrong_type};
use crate::openai::{OutputFormat, Role, Sampling, Turn, guardrail, sampling, settings};

/// The most answers to one question.
const CHOICES: i64 = 128;
/// The most texts that end an answer.
const STOPS: usize = 4;
/// The most bytes of one of them: as many as the engine looks for.
const STOP_BYTES: usize = 1024;

/// A parsed `POST /chat/completions`.
pub struct CreateChat {
    /// The model asked for, or an inference profile.
    pub model: ModelIdentifier,
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
    /// How many answers are wanted, 1 to 128.
    pub choices: u32,
    /// Sampling.
    pub sampling: Sampling,
    /// What is added to the logits of tokens, each at most once: -100 to 100.
    pub logit_bias: Vec<(u32, f32)>,
    /// Whether log-probabilities are told, and of how many of the likeliest tokens beside the chosen one.
    pub logprobs: Option<u8>,
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
            choices: request
                .integer("n", 1, CHOICES)?
                .and_then(|choices| u32::try_from(choices).ok())
                .unwrap_or(1),
            sampling: sampling::sampling(&request)?,
            logit_bias: sampling::logit_bias(&request)?,
            logprobs: logprobs(&request)?,
            format: settings::format(request.object("response_format")?.as_ref(), true)?,
        })
    }
}

/// What the API has and this server does not, as long as leaving it out would change the answer's meaning.
fn refuse_unserved(request: &Fields<'_>) -> Result<(), Failure> {
    guardrail::refuse_keys(request)?;
    for kind in request.array("modalities")?.unwrap_or_default() {
        if !matches!(kind, Json::String(kind) if kind.expose() == "text") {
            return Err(unsupported("modalities", "only 'text' is supported"));
        }
    }
    Ok(())
}

/// How many of the likeliest tokens are told of makes sense only with `logprobs`.
fn logprobs(request: &Fields<'_>) -> Result<Option<u8>, Failure> {
    let wanted = request.boolean("logprobs")?.unwrap_or(false);
    let top = sampling::top_logprobs(request)?.unwrap_or(0);
    if !wanted && top > 0 {
        return Err(Failure::Invalid {
            message: "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.".to_owned(),
            param: Some("top_logprobs".to_owned()),
            code: None,
        });
    }
    Ok(wanted.then_some(top))
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
    if texts.len() > STOPS {
        let message = format!(
            "Invalid 'stop': array too long. Expected an array with maximum length {STOPS}, but got an array with \
             length {} instead.",
            texts.len()
        );
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
    if text.len() > STOP_BYTES {
        let message = format!(
            "Invalid 'stop': string too long. Expected a string with maximum length {STOP_BYTES}, but got a string with \
             length {} instead.",
            text.len()
        );
        return Err(invalid(message, "stop", "string_above_max_length"));
    }
    Ok(Content::new(text.expose().to_owned()))
}
