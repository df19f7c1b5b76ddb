//! `Converse` and `ConverseStream`: what is asked.

use moho_terms::Content;

use super::answer::ResponseField;
use super::{ModelIdentifier, ReplyTerms, conversation, terms};
use crate::Failure;
use crate::aws::document::Members;
use crate::json::{self, Json};
use crate::openai::fields::Fields;
use crate::openai::sampling::sampling;
use crate::openai::{OutputFormat, Sampling, Turn};

/// The most texts that end an answer: as many as the engine looks for.
const STOPS: usize = 16;
/// The most bytes of one of them.
const STOP_BYTES: usize = 1024;
/// The settings that `additionalModelRequestFields` may have.
const ADDITIONAL: [&str; 6] = [
    "top_k",
    "min_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
];

/// A parsed `Converse` or `ConverseStream`.
pub struct Converse {
    /// The model asked for.
    pub model: ModelIdentifier,
    /// System blocks first, then the messages.
    pub turns: Vec<Turn>,
    /// Sampling.
    pub sampling: Sampling,
    /// The most tokens to write.
    pub max_tokens: Option<u32>,
    /// Texts that end the answer, at most 16.
    pub stop: Vec<Content>,
    /// The form of the answer.
    pub format: OutputFormat,
    /// What the reply repeats.
    pub terms: ReplyTerms,
}

impl Converse {
    /// Reads a validated request.
    pub(super) fn read(model: ModelIdentifier, members: &mut Members) -> Result<Self, Failure> {
        let turns = conversation::turns(members)?;
        let additional = additional(members)?;
        let inference: Option<Members> = members.take("inferenceConfig")?;
        let mut inference = inference.unwrap_or_default();
        let temperature = inference.take("temperature")?;
        let top_p = inference.take("topP")?;
        Ok(Self {
            model,
            turns,
            sampling: Sampling {
                temperature,
                top_p,
                ..additional
            },
            max_tokens: inference.take("maxTokens")?,
            stop: stop(inference.take("stopSequences")?.unwrap_or_default())?,
            format: format(members.take("outputConfig")?)?,
            terms: reply_terms(members)?,
        })
    }
}

/// What the reply repeats.
pub(super) fn reply_terms(members: &mut Members) -> Result<ReplyTerms, Failure> {
    let pointers: Option<Vec<Content>> = members.take("additionalModelResponseFieldPaths")?;
    Ok(ReplyTerms {
        service_tier: terms::service_tier(nested(members, "serviceTier", "type")?.as_ref())?,
        performance: terms::performance(nested(members, "performanceConfig", "latency")?.as_ref())?,
        fields: fields(&pointers.unwrap_or_default())?,
    })
}

/// The only member of a structure.
fn nested(members: &mut Members, outer: &str, inner: &str) -> Result<Option<Content>, Failure> {
    match members.take::<Members>(outer)? {
        Some(mut members) => members.take(inner),
        None => Ok(None),
    }
}

/// The sampler's settings that Converse has no members for. What no model here takes is refused, as AWS's models with a
/// closed list do: a setting that is overlooked would be worse.
pub(super) fn additional(members: &mut Members) -> Result<Sampling, Failure> {
    let name = "additionalModelRequestFields";
    let Some(json) = members.take::<Json>(name)? else {
        return Ok(Sampling::default());
    };
    let Json::Object(pairs) = &json else {
        return Err(Failure::Validation(format!(
            "The format of the {name} field is invalid. Provide a json object for the field and try again."
        )));
    };
    if !pairs.iter().all(|(key, _)| ADDITIONAL.contains(&key.expose())) {
        return Err(Failure::Validation(format!(
            "Malformed input request: #/{name}: extraneous key is not permitted, only {}, please reformat your input \
             and try again.",
            ADDITIONAL.join(", ")
        )));
    }
    sampling(&Fields::at(&json, name.to_owned())?)
}

pub(super) fn stop(texts: Vec<Content>) -> Result<Vec<Content>, Failure> {
    let at = "failed to satisfy constraint: Member must have length less than or equal to";
    if texts.len() > STOPS {
        return Err(Failure::Validation(format!(
            "1 validation error detected: Value at 'inferenceConfig.stopSequences' {at} {STOPS}"
        )));
    }
    match texts.iter().position(|text| text.len() > STOP_BYTES) {
        Some(index) => Err(Failure::Validation(format!(
            "1 validation error detected: Value at 'inferenceConfig.stopSequences.{}.member' {at} {STOP_BYTES}",
            index + 1
        ))),
        None => Ok(texts),
    }
}

/// Free text, or JSON of a schema, which comes as a string.
pub(super) fn format(config: Option<Members>) -> Result<OutputFormat, Failure> {
    let format = match config {
        Some(mut config) => config.take::<Members>("textFormat")?,
        None => None,
    };
    let Some(mut format) = format else {
        return Ok(OutputFormat::Text);
    };
    let mut structure: Members = format.require("structure")?;
    let mut definition: Members = structure.require("jsonSchema")?;
    let schema: Content = definition.require("schema")?;
    match json::parse(schema.expose().as_bytes()) {
        Ok(Json::Object(_)) => Ok(OutputFormat::JsonSchema {
            name: "output".to_owned(),
            schema,
        }),
        Ok(_) | Err(_) => Err(Failure::Validation(
            "The format of the schema field at outputConfig.textFormat.structure.jsonSchema is invalid. Provide a json \
             object for the field and try again."
                .to_owned(),
        )),
    }
}

/// JSON pointers into the model's own response. One that points nowhere is ignored, as AWS does.
fn fields(pointers: &[Content]) -> Result<Vec<ResponseField>, Failure> {
    let mut fields = Vec::new();
    for (index, pointer) in pointers.iter().enumerate() {
        let steps = pointer.expose().strip_prefix('/');
        let escapes = pointer.expose().split('~').skip(1);
        let well_formed = steps.is_some() && escapes.into_iter().all(|rest| rest.starts_with(['0', '1']));
        if !well_formed {
            return Err(Failure::Validation(format!(
                "The value at additionalModelResponseFieldPaths.{index} is not a JSON Pointer. Provide a JSON Pointer \
                 such as /stop_reason and try again."
            )));
        }
        let field = ResponseField::ALL
            .into_iter()
            .find(|field| steps == Some(field.name()));
        fields.extend(field.filter(|field| !fields.contains(field)));
    }
    Ok(fields)
}
