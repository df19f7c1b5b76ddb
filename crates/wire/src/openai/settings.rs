//! What a caller can set about the model, its tools and the form of an answer: the part both OpenAI APIs share.

use moho_terms::Content;

use super::fields::{Fields, invalid, unsupported, wrong_type};
use crate::Failure;
use crate::bedrock::ModelIdentifier;
use crate::json::{Json, Writer};

/// The form of the answer.
pub enum OutputFormat {
    /// Free text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that matches a schema.
    JsonSchema {
        /// The caller's name for the schema.
        name: String,
        /// The schema, as JSON text with its keys in the caller's order.
        schema: Content,
    },
}

/// The `model` of a request. A name no model can have is answered like that of a model that does not exist.
pub(crate) fn model(request: &Fields<'_>) -> Result<ModelIdentifier, Failure> {
    let name = request.required_text("model")?;
    ModelIdentifier::parse(name).map_err(|_unsuitable| Failure::ModelNotFound(None))
}

/// Reads `{type, …}`; the name, schema and so on are in the same object or, in Chat, in `json_schema`.
pub(crate) fn format(format: Option<&Fields<'_>>, nested: bool) -> Result<OutputFormat, Failure> {
    let Some(format) = format else {
        return Ok(OutputFormat::Text);
    };
    let words = ["text", "json_object", "json_schema"];
    match format.word("type", &words)? {
        None => Err(format.missing("type")),
        Some("json_object") => Ok(OutputFormat::JsonObject),
        Some("json_schema") if nested => {
            let inner = format
                .object("json_schema")?
                .ok_or_else(|| format.missing("json_schema"))?;
            schema(&inner)
        }
        Some("json_schema") => schema(format),
        Some(_) => Ok(OutputFormat::Text),
    }
}

fn schema(format: &Fields<'_>) -> Result<OutputFormat, Failure> {
    let name = format.required_text("name")?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !(1..=64).contains(&name.len()) || !name.bytes().all(fits) {
        let param = format.param("name");
        let message =
            format!("Invalid '{param}': expected 1 to 64 letters, digits, underscores and hyphens.");
        return Err(invalid(message, &param, "invalid_value"));
    }
    format.boolean("strict")?;
    format.text("description")?;
    let schema = match format.get("schema") {
        None => return Err(format.missing("schema")),
        Some(object @ Json::Object(_)) => object,
        Some(other) => return Err(wrong_type(&format.param("schema"), "an object", other)),
    };
    let mut writer = Writer::new();
    writer.json(schema);
    let text = String::from_utf8(writer.finish().expose().to_vec()).unwrap_or_default();
    Ok(OutputFormat::JsonSchema {
        name: name.to_owned(),
        schema: Content::new(text),
    })
}

/// Checks `tools`: an unknown type never fails a request, as no tool is called yet. Returns the function tools.
pub(crate) fn function_tools<'a>(request: &Fields<'a>) -> Result<Vec<Fields<'a>>, Failure> {
    let mut functions = Vec::new();
    for (index, tool) in request.array("tools")?.unwrap_or_default().iter().enumerate() {
        let tool = Fields::at(tool, format!("tools[{index}]"))?;
        if tool.required_text("type")? == "function" {
            functions.push(tool);
        }
    }
    Ok(functions)
}

/// Checks `tool_choice`: as no tool is called yet, a caller who insists on a call is told so.
pub(crate) fn tool_choice(request: &Fields<'_>) -> Result<(), Failure> {
    let insists = match request.get("tool_choice") {
        None => false,
        Some(Json::String(word)) => match word.expose() {
            "auto" | "none" => false,
            "required" => true,
            _ => return Err(request.not_among("tool_choice", &["auto", "none", "required"])),
        },
        Some(object @ Json::Object(_)) => {
            let choice = Fields::at(object, "tool_choice".to_owned())?;
            let allowed = choice.required_text("type")? == "allowed_tools";
            let inner = choice.object("allowed_tools")?;
            let mode = inner.as_ref().unwrap_or(&choice).text("mode")?;
            !allowed || mode == Some("required")
        }
        Some(other) => return Err(wrong_type("tool_choice", "a string or an object", other)),
    };
    if insists {
        Err(unsupported(
            "tool_choice",
            "tools are accepted, but not called by this server yet",
        ))
    } else {
        Ok(())
    }
}
