//! Llama's own request, and the prompts people send with it.
//!
//! A prompt is text, and what it spells never becomes a control token. But callers of Bedrock's Llama send whole
//! conversations in Llama 3's own format, `<|start_header_id|>user<|end_header_id|>` and so on: taken as plain text, they
//! would be answered badly, and the caller would never learn why. So a prompt that is such a conversation from its first
//! character to its last is read as its turns, which the engine puts through the template of the model that answers;
//! within a turn, everything stays plain text. One that begins like a conversation and is none is refused.

use moho_terms::Content;

use super::{Llama, LlamaPrompt};
use crate::Failure;
use crate::json::Json;
use crate::openai::fields::Fields;
use crate::openai::{Role, Sampling, Turn};

const BEGIN: &str = "<|begin_of_text|>";
const HEADER: &str = "<|start_header_id|>";
const HEADER_END: &str = "<|end_header_id|>";
const TURN_END: &str = "<|eot_id|>";

/// What Llama's models have unless a request says otherwise.
const MAX_GEN_LEN: u32 = 512;
const TEMPERATURE: f64 = 0.5;
const TOP_P: f64 = 0.9;

/// The members of Llama's request.
const MEMBERS: [&str; 4] = ["prompt", "max_gen_len", "temperature", "top_p"];

impl Llama {
    /// Reads a body that has a prompt.
    pub(super) fn read(body: &Json) -> Result<Self, Failure> {
        let fields = Fields::top(body);
        if let Json::Object(pairs) = body
            && !pairs.iter().all(|(key, _)| MEMBERS.contains(&key.expose()))
        {
            let permitted = MEMBERS.join(", ");
            return Err(malformed(&format!(
                "#: extraneous key is not permitted, only {permitted}"
            )));
        }
        let prompt = fields.content("prompt")?;
        let prompt = prompt.ok_or_else(|| malformed("#: required key [prompt] not found"))?;
        Ok(Self {
            prompt: LlamaPrompt::read(prompt)?,
            sampling: Sampling {
                temperature: Some(fields.number("temperature", 0.0, 1.0)?.unwrap_or(TEMPERATURE)),
                top_p: Some(fields.number("top_p", 0.0, 1.0)?.unwrap_or(TOP_P)),
                ..Sampling::default()
            },
            max_tokens: fields.count("max_gen_len")?.unwrap_or(MAX_GEN_LEN),
        })
    }
}

impl LlamaPrompt {
    fn read(prompt: Content) -> Result<Self, Failure> {
        let text = prompt.expose().trim();
        if text.is_empty() {
            return Err(malformed("#/prompt: expected minLength: 1, actual: 0"));
        }
        if !text.starts_with(BEGIN) && !text.starts_with(HEADER) {
            return Ok(Self::Text(prompt));
        }
        let turns = conversation(text.strip_prefix(BEGIN).unwrap_or(text));
        turns.map(Self::Turns).ok_or_else(|| {
            malformed(
                "#/prompt: a prompt that begins with Llama's control tokens has to be turns of system, user and \
                 assistant in Llama 3's format, and end with the header of the assistant's next turn",
            )
        })
    }
}

/// The turns of a conversation in Llama 3's format, which ends where the assistant's next turn begins. White space around
/// it is gone already, so that each turn looks at nothing but itself: the time is linear in the text.
fn conversation(text: &str) -> Option<Vec<Turn>> {
    let mut turns = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (role, after) = rest.strip_prefix(HEADER)?.split_once(HEADER_END)?;
        let role = match role {
            "system" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => return None,
        };
        if after.is_empty() {
            return (role == Role::Assistant && !turns.is_empty()).then_some(turns);
        }
        let (said, after) = after.split_once(TURN_END)?;
        turns.push(Turn::of(role, Content::new(said.trim().to_owned())));
        rest = after.trim_start();
    }
}

/// The refusal of a model's own body, as Bedrock words it.
pub(super) fn malformed(why: &str) -> Failure {
    Failure::Validation(format!(
        "Malformed input request: {why}, please reformat your input and try again."
    ))
}
