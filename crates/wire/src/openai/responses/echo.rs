//! The settings of a request, as its response object repeats them: effective values, nulls explicit.

use moho_terms::{ContentBytes, ModelId};

use crate::Failure;
use crate::json::{Json, Writer};
use crate::openai::fields::{Fields, invalid, wrong_type};

/// The settings of a request as its response object repeats them: members of a JSON object, written once.
pub struct Echo {
    members: ContentBytes,
}

impl Echo {
    /// The members, to go into an object.
    pub(super) fn members(&self) -> &[u8] {
        self.members.expose()
    }

    /// Writes the settings of `request`, which [`super::CreateResponse::parse`] has checked, and checks the rest.
    pub(super) fn of(request: &Fields<'_>, model: &ModelId, tools: &[Fields<'_>]) -> Result<Self, Failure> {
        let mut w = Writer::new();
        w.text("model", model.as_str());
        w.text_or_null("previous_response_id", request.text("previous_response_id")?);
        w.text_or_null("instructions", request.text("instructions")?);
        echo_tools(&mut w, tools)?;
        or(&mut w, "tool_choice", request.get("tool_choice"), "\"auto\"");
        w.text("truncation", request.text("truncation")?.unwrap_or("disabled"));
        w.fixed(
            "parallel_tool_calls",
            boolean(request.boolean("parallel_tool_calls")?.unwrap_or(true)),
        );
        echo_text(&mut w, request)?;
        or(&mut w, "top_p", request.get("top_p"), "1.0");
        w.fixed("presence_penalty", "0.0");
        w.fixed("frequency_penalty", "0.0");
        // Log-probabilities are not given, whatever was asked for.
        request.integer("top_logprobs", 0, 20)?;
        w.fixed("top_logprobs", "0");
        or(&mut w, "temperature", request.get("temperature"), "1.0");
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
        w.fixed("store", boolean(request.boolean("store")?.unwrap_or(true)));
        w.fixed("background", "false");
        request.text("service_tier")?;
        w.text("service_tier", "default");
        echo_metadata(&mut w, request)?;
        w.text_or_null("safety_identifier", request.text("safety_identifier")?);
        w.text_or_null("prompt_cache_key", request.text("prompt_cache_key")?);
        w.text_or_null("user", request.text("user")?);
        request.array("include")?;
        Ok(Self { members: w.finish() })
    }
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
    w.key("tools").array(|w| {
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
    Ok(())
}

fn echo_text(w: &mut Writer, request: &Fields<'_>) -> Result<(), Failure> {
    let text = request.object("text")?;
    let verbosity = text
        .as_ref()
        .map(|text| text.word("verbosity", &["low", "medium", "high"]))
        .transpose()?
        .flatten();
    let format = text.as_ref().and_then(|text| text.get("format"));
    w.key("text").object(|w| {
        or(w, "format", format, r#"{"type":"text"}"#);
        w.text("verbosity", verbosity.unwrap_or("medium"));
    });
    Ok(())
}

/// At most 16 pairs of text, names up to 64 characters, values up to 512.
fn echo_metadata(w: &mut Writer, request: &Fields<'_>) -> Result<(), Failure> {
    let refuse = |message: &str, code| {
        Err(invalid(
            format!("Invalid 'metadata': {message}."),
            "metadata",
            code,
        ))
    };
    let pairs = match request.get("metadata") {
        None => &[],
        Some(Json::Object(pairs)) => pairs.as_slice(),
        Some(other) => return Err(wrong_type("metadata", "an object", other)),
    };
    if pairs.len() > 16 {
        return refuse("expected at most 16 pairs", "object_above_max_properties");
    }
    for (name, value) in pairs {
        let Json::String(value) = value else {
            return refuse("expected every value to be a string", "invalid_type");
        };
        if name.expose().chars().count() > 64 {
            return refuse(
                "expected names of at most 64 characters",
                "property_name_above_max_length",
            );
        }
        if value.expose().chars().count() > 512 {
            return refuse(
                "expected values of at most 512 characters",
                "string_above_max_length",
            );
        }
    }
    w.key("metadata").object(|w| {
        for (index, (name, value)) in pairs.iter().enumerate() {
            let again = pairs
                .iter()
                .skip(index + 1)
                .any(|(later, _)| later.expose() == name.expose());
            if !again {
                w.key(name.expose()).json(value);
            }
        }
    });
    Ok(())
}
