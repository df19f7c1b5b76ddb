//! The settings of a request, as its response object repeats them: effective values, nulls explicit.

use moho_terms::{ContentBytes, ConversationId};

use crate::Failure;
use crate::bedrock::ModelIdentifier;
use crate::json::{Json, Writer};
use crate::openai::fields::{self, Fields, invalid};

/// The most bytes that all tools may have: they come back with every answer, and are kept with it.
const TOOLS: usize = 256 << 10;
/// The most bytes of the answer's form: a schema and what is said about it.
const FORMAT: usize = 128 << 10;
/// The most bytes of any other setting that is an object.
const CHOICE: usize = 16 << 10;
/// The most characters of a number: no float has more digits that matter.
const NUMBER: usize = 64;
/// The most characters of a caller's own name for something.
const NAME: usize = 512;

/// The settings of a request as its response object repeats them: members of a JSON object, written once.
pub struct Echo {
    members: ContentBytes,
    /// Whether the response is kept.
    pub store: bool,
    /// The conversation that it belongs to.
    pub conversation: Option<ConversationId>,
}

impl Echo {
    /// The members that the request alone decides.
    #[cfg(test)]
    pub(super) fn members(&self) -> &[u8] {
        self.members.expose()
    }

    /// Writes the members into an object.
    pub(super) fn write(&self, w: &mut Writer) {
        w.raw(self.members.expose());
        w.fixed("store", boolean(self.store));
        if let Some(conversation) = &self.conversation {
            w.key("conversation")
                .object(|w| w.text("id", conversation.as_str()));
        }
    }

    /// Writes the settings of `request`, which [`super::CreateResponse::parse`] has checked, and checks the rest.
    pub(super) fn of(
        request: &Fields<'_>,
        model: &ModelIdentifier,
        tools: &[Fields<'_>],
    ) -> Result<Self, Failure> {
        let mut w = Writer::new();
        w.text("model", model.as_str());
        w.text_or_null("previous_response_id", request.text("previous_response_id")?);
        w.text_or_null("instructions", request.text("instructions")?);
        if let Some(prompt) = bounded(request, "prompt", FORMAT)? {
            w.key("prompt").json(prompt);
        }
        echo_tools(&mut w, tools)?;
        let tool_choice = bounded(request, "tool_choice", CHOICE)?;
        or(&mut w, "tool_choice", tool_choice, "\"auto\"");
        w.text("truncation", request.text("truncation")?.unwrap_or("disabled"));
        w.fixed(
            "parallel_tool_calls",
            boolean(request.boolean("parallel_tool_calls")?.unwrap_or(true)),
        );
        echo_text(&mut w, request)?;
        or(&mut w, "top_p", bounded(request, "top_p", NUMBER)?, "1.0");
        for penalty in ["presence_penalty", "frequency_penalty"] {
            or(&mut w, penalty, bounded(request, penalty, NUMBER)?, "0.0");
        }
        or(
            &mut w,
            "top_logprobs",
            bounded(request, "top_logprobs", NUMBER)?,
            "0",
        );
        or(
            &mut w,
            "temperature",
            bounded(request, "temperature", NUMBER)?,
            "1.0",
        );
        if let Some(reasoning) = request.object("reasoning")? {
            reasoning.text("effort")?;
            reasoning.text("summary")?;
        }
        w.fixed("reasoning", r#"{"effort":null,"summary":null}"#);
        or(
            &mut w,
            "max_output_tokens",
            request.get("max_output_tokens"),
            "null",
        );
        request.count("max_tool_calls")?;
        or(&mut w, "max_tool_calls", request.get("max_tool_calls"), "null");
        w.fixed("background", "false");
        request.text("service_tier")?;
        w.text("service_tier", "default");
        fields::metadata(&mut w, request)?;
        w.text_or_null("safety_identifier", name(request, "safety_identifier")?);
        w.text_or_null("prompt_cache_key", name(request, "prompt_cache_key")?);
        w.text_or_null("user", name(request, "user")?);
        Ok(Self {
            members: w.finish(),
            store: request.boolean("store")?.unwrap_or(true),
            conversation: None,
        })
    }
}

/// A setting that is repeated as it was sent, if it is not too long for that.
fn bounded<'a>(fields: &Fields<'a>, name: &str, most: usize) -> Result<Option<&'a Json>, Failure> {
    let value = fields.get(name);
    if let Some(json) = value {
        let mut w = Writer::new();
        w.json(json);
        at_most(&fields.param(name), w.finish().len(), most)?;
    }
    Ok(value)
}

fn at_most(param: &str, bytes: usize, most: usize) -> Result<(), Failure> {
    if bytes > most {
        let message = format!("Invalid '{param}': too long. Expected at most {most} bytes of JSON.");
        return Err(invalid(message, param, "string_above_max_length"));
    }
    Ok(())
}

/// A caller's own name for something, of at most 512 characters.
fn name<'a>(request: &Fields<'a>, field: &str) -> Result<Option<&'a str>, Failure> {
    let text = request.text(field)?;
    if text.is_some_and(|text| text.chars().nth(NAME).is_some()) {
        let message = format!("Invalid '{field}': string too long. Expected at most {NAME} characters.");
        return Err(invalid(message, field, "string_above_max_length"));
    }
    Ok(text)
}

fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn or(w: &mut Writer, name: &str, value: Option<&Json>, default: &str) {
    match value {
        Some(json) => w.key(name).json(json),
        None => w.fixed(name, default),
    }
}

fn echo_tools(w: &mut Writer, tools: &[Fields<'_>]) -> Result<(), Failure> {
    for tool in tools {
        tool.required_text("name")?;
        tool.text("description")?;
        tool.object("parameters")?;
        tool.boolean("strict")?;
    }
    let mut list = Writer::new();
    list.array(|w| {
        for tool in tools {
            w.object(|w| {
                w.text("type", "function");
                or(w, "name", tool.get("name"), "null");
                or(w, "description", tool.get("description"), "null");
                or(w, "parameters", tool.get("parameters"), "null");
                or(w, "strict", tool.get("strict"), "true");
            });
        }
    });
    let list = list.finish();
    at_most("tools", list.len(), TOOLS)?;
    w.key("tools").raw(list.expose());
    Ok(())
}

fn echo_text(w: &mut Writer, request: &Fields<'_>) -> Result<(), Failure> {
    let text = request.object("text")?;
    let verbosity = text
        .as_ref()
        .map(|text| text.word("verbosity", &["low", "medium", "high"]))
        .transpose()?
        .flatten();
    let format = text
        .as_ref()
        .map(|text| bounded(text, "format", FORMAT))
        .transpose()?
        .flatten();
    w.key("text").object(|w| {
        or(w, "format", format, r#"{"type":"text"}"#);
        w.text("verbosity", verbosity.unwrap_or("medium"));
    });
    Ok(())
}
