//! `InvokeModel` and `InvokeModelWithResponseStream`: the model's own body, which is Llama's or OpenAI's chat.

use moho_terms::{Content, ContentBytes};

use super::llama::malformed;
use super::{ModelIdentifier, ReplyTerms, terms};
use crate::Failure;
use crate::aws::document::Members;
use crate::aws::field_list;
use crate::aws::rest::RestService;
use crate::json::{self, Json, Writer};
use crate::openai::chat::CreateChat;
use crate::openai::fields::Fields;
use crate::openai::{Sampling, Turn, guardrail};

/// A parsed `InvokeModel` or `InvokeModelWithResponseStream`.
pub struct InvokeModel {
    /// The model asked for.
    pub model: ModelIdentifier,
    /// What is asked of it.
    pub body: InvokeBody,
    /// What the reply repeats.
    pub terms: ReplyTerms,
}

/// The two bodies, told apart by their keys.
pub enum InvokeBody {
    /// `{"prompt", "max_gen_len", "temperature", "top_p"}`
    Llama(Llama),
    /// As `POST /chat/completions`; `model` is that of the path, and `stream` is the operation's.
    Chat(Box<CreateChat>),
}

/// Llama's own request.
pub struct Llama {
    /// What to continue or answer.
    pub prompt: LlamaPrompt,
    /// Sampling; Llama's defaults are temperature 0.5 and top-p 0.9.
    pub sampling: Sampling,
    /// The most tokens to write; 512 unless set.
    pub max_tokens: u32,
}

/// A Llama prompt. Whatever it spells, no control token is made of it here.
pub enum LlamaPrompt {
    /// Text to continue.
    Text(Content),
    /// A prompt that is a whole conversation in Llama 3's format: its turns, for the model's own template.
    Turns(Vec<Turn>),
}

impl InvokeModel {
    /// Reads a validated request.
    pub(super) fn read(model: ModelIdentifier, members: &mut Members, stream: bool) -> Result<Self, Failure> {
        content_type(members.take("contentType")?.as_ref(), "content type")?;
        content_type(members.take("accept")?.as_ref(), "accept type")?;
        let terms = ReplyTerms {
            service_tier: terms::service_tier(members.take("serviceTier")?.as_ref())?,
            performance: terms::performance(members.take("performanceConfigLatency")?.as_ref())?,
            fields: Vec::new(),
        };
        if let Some(metadata) = members.take::<Content>("requestMetadata")? {
            // The header has the JSON of what is a member of Converse, with the same constraints.
            RestService::BedrockRuntime.check("Converse", "requestMetadata", metadata.expose())?;
        }
        let body: Option<ContentBytes> = members.take("body")?;
        let body = body.ok_or_else(|| malformed("the body is empty"))?;
        Ok(Self {
            body: InvokeBody::read(&model, &body, stream)?,
            model,
            terms,
        })
    }
}

/// Both bodies, and all replies, are JSON.
fn content_type(given: Option<&Content>, what: &str) -> Result<(), Failure> {
    let kinds = given.map(|given| given.expose()).unwrap_or_default();
    let fits = |kind: &str| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        ["", "*/*", "application/*", "application/json"]
            .iter()
            .any(|known| kind.eq_ignore_ascii_case(known))
    };
    if kinds.split(',').any(fits) {
        Ok(())
    } else {
        Err(Failure::Validation(format!(
            "The provided {what} is invalid or not supported for this model. Use application/json and try again."
        )))
    }
}

impl InvokeBody {
    /// Reads a body for the model of the path.
    pub(super) fn read(model: &ModelIdentifier, body: &ContentBytes, stream: bool) -> Result<Self, Failure> {
        let json = json::parse(body.expose()).map_err(|error| malformed(&error.to_string()))?;
        let body = match (json.get("messages").is_some(), json.get("prompt").is_some()) {
            _ if !matches!(json, Json::Object(_)) => Err(malformed("#: expected type: JSONObject")),
            (true, false) => chat(model, json, stream),
            (false, true) => Llama::read(&json).map(Self::Llama),
            (true, true) => Err(malformed("#: only one of [messages] and [prompt] is permitted")),
            (false, false) => Err(malformed("#: required key [messages] or [prompt] not found")),
        };
        // Whatever is wrong with a model's own body is a matter of validation here.
        body.map_err(|failure| {
            if let Failure::Invalid { message, .. } = failure {
                Failure::Validation(message)
            } else {
                failure
            }
        })
    }
}

/// What OpenAI's API takes here without using it, or refuses in its own words: Bedrock's promise is that it is refused, and
/// the words are Bedrock's.
fn refuse_unserved(chat: &Fields<'_>) -> Result<(), Failure> {
    let none = |name: &str| match chat.get(name) {
        None => true,
        Some(Json::Array(tools)) => tools.is_empty(),
        Some(_) => false,
    };
    if guardrail::asks(chat) {
        Err(Failure::Validation(field_list::NO_GUARDRAIL.to_owned()))
    } else if !none("tools") || !none("functions") {
        Err(Failure::Validation(field_list::NO_TOOLS.to_owned()))
    } else {
        Ok(())
    }
}

/// The body of a chat, with the model of the path and the operation's decision whether to stream put in.
fn chat(model: &ModelIdentifier, json: Json, stream: bool) -> Result<InvokeBody, Failure> {
    let named = json.get("model").is_none_or(|named| match named {
        Json::Null => true,
        Json::String(named) => named.expose() == model.as_str() || named.expose() == model.id().as_str(),
        Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => false,
    });
    if !named {
        return Err(malformed("#/model: it is not the model of the path"));
    }
    refuse_unserved(&Fields::top(&json))?;
    let Json::Object(mut pairs) = json else {
        return Err(Failure::Internal);
    };
    let name = |name: &str| Content::new(name.to_owned());
    pairs.push((name("model"), Json::String(name(model.as_str()))));
    pairs.push((name("stream"), Json::Bool(stream)));
    let mut w = Writer::new();
    w.json(&Json::Object(pairs));
    let mut create = CreateChat::parse(w.finish().expose())?;
    // The last chunk has to be one of counts: Bedrock adds its metrics to it.
    create.include_usage |= stream;
    Ok(InvokeBody::Chat(Box::new(create)))
}
