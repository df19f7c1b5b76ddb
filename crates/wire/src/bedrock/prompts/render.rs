//! What is asked with a prompt: its template with the caller's values in the places of its variables.
//!
//! A value is put in once and never read again: `{{name}}` in a value stays what it is, as do words that look like a model's
//! control tokens, since everything here is the text of a turn.

use std::collections::{BTreeMap, BTreeSet};

use moho_terms::Content;

use super::super::conversation::{self, Spoken};
use super::super::converse::{self, Converse};
use super::super::{ModelIdentifier, ReplyTerms};
use super::{PromptArn, PromptBody};
use crate::Failure;
use crate::aws::document::{Document, Members};
use crate::openai::{OutputFormat, Role, Sampling, Turn};

/// The values of variables, by their names.
pub type PromptVariables = BTreeMap<String, Content>;

/// The longest name that a refusal repeats.
const LONGEST_SHOWN: usize = 64;
/// The longest name of a variable.
const LONGEST_NAME: usize = 200;
/// Bytes that all texts of a prompt have together once they are filled: as many as a request that asks the same has at most.
const MOST: usize = 8 << 20;

/// What a prompt asks, with its values.
pub struct RenderedPrompt {
    /// The model that it is for; `None` if it says nothing of one.
    pub model: Option<ModelIdentifier>,
    /// The system's words.
    pub system: Option<Turn>,
    /// The messages.
    pub messages: Vec<Turn>,
    /// Sampling.
    pub sampling: Sampling,
    /// The most tokens to write.
    pub max_tokens: Option<u32>,
    /// Texts that end the answer.
    pub stop: Vec<Content>,
}

impl RenderedPrompt {
    /// What asks nothing.
    pub(crate) fn none() -> Self {
        Self {
            model: None,
            system: None,
            messages: Vec::new(),
            sampling: Sampling::default(),
            max_tokens: None,
            stop: Vec::new(),
        }
    }
}

/// A parsed `Converse` or `ConverseStream` with a prompt that is kept.
pub struct PromptedConverse {
    /// The prompt, and which version.
    pub prompt: PromptArn,
    /// Whether the answer is a stream.
    pub stream: bool,
    /// The values of its variables.
    pub variables: PromptVariables,
    /// What follows the prompt's own messages.
    pub messages: Vec<Turn>,
    /// The form of the answer.
    pub format: OutputFormat,
    /// What the reply repeats.
    pub terms: ReplyTerms,
}

impl PromptedConverse {
    /// Reads a validated request. What a prompt says itself cannot be said beside it, as at AWS.
    pub(in crate::bedrock) fn read(
        prompt: PromptArn,
        members: &mut Members,
        stream: bool,
    ) -> Result<Self, Failure> {
        for name in ["system", "inferenceConfig", "additionalModelRequestFields"] {
            if members.has(name) {
                return Err(Failure::Validation(format!(
                    "The {name} field can't be used with a prompt from Prompt management: define it in the prompt, or remove it \
                     and try again."
                )));
            }
        }
        let values: Option<BTreeMap<String, Members>> = members.take("promptVariables")?;
        let mut variables = PromptVariables::new();
        for (name, mut value) in values.unwrap_or_default() {
            variables.insert(name, value.require("text")?);
        }
        Ok(Self {
            prompt,
            stream,
            variables,
            messages: conversation::read(members)?.messages,
            format: converse::format(members.take("outputConfig")?)?,
            terms: converse::reply_terms(members)?,
        })
    }

    /// What is asked, once the prompt is read.
    ///
    /// # Errors
    /// [`Failure::Validation`] if the prompt has no model, or its messages and the request's are no conversation.
    pub fn with(self, prompt: RenderedPrompt) -> Result<Converse, Failure> {
        let mut messages = prompt.messages;
        messages.extend(self.messages);
        conversation::alternates(&messages)?;
        let model = prompt.model.ok_or_else(|| {
            Failure::Validation(
                "The prompt names no model: set modelId in its variant, and try again.".to_owned(),
            )
        })?;
        Ok(Converse {
            model,
            turns: prompt.system.into_iter().chain(messages).collect(),
            sampling: prompt.sampling,
            max_tokens: prompt.max_tokens,
            stop: converse::stop(prompt.stop)?,
            format: self.format,
            terms: self.terms,
        })
    }
}

impl PromptBody {
    /// What the prompt asks with these values of its variables.
    ///
    /// # Errors
    /// [`Failure::Validation`] if a variable has no value, a value no variable, or the prompt what cannot be served here.
    pub fn render(self, variables: &PromptVariables) -> Result<RenderedPrompt, Failure> {
        let mut variant = chosen(self)?;
        if variant.has("genAiResource") {
            return Err(refused("The prompt is for an agent, and there are none here."));
        }
        let model: Option<Content> = variant.take("modelId")?;
        let mut template: Members = variant.require("templateConfiguration")?;
        let mut filling = Filling::new(variables);
        let (mut system, mut messages) = (None, Vec::new());
        if let Some(mut text) = template.take::<Members>("text")? {
            filling.declare(&mut text)?;
            refuse_cache_points(&text)?;
            let text: Content = text.require("text")?;
            messages.push(Turn::of(Role::User, filling.fill(&text)?));
        } else if let Some(mut chat) = template.take::<Members>("chat")? {
            if chat.has("toolConfiguration") {
                return Err(refused(crate::aws::field_list::NO_TOOLS));
            }
            filling.declare(&mut chat)?;
            let Spoken {
                system: first,
                messages: spoken,
            } = conversation::read(&mut chat)?;
            system = first.map(|turn| filling.turn(turn)).transpose()?;
            for turn in spoken {
                messages.push(filling.turn(turn)?);
            }
        }
        filling.finish()?;
        let inference: Option<Members> = variant.take("inferenceConfiguration")?;
        let mut inference = match inference {
            Some(mut inference) => inference.take::<Members>("text")?.unwrap_or_default(),
            None => Members::default(),
        };
        let additional = converse::additional(&mut variant)?;
        let max_tokens: Option<u32> = inference.take("maxTokens")?;
        Ok(RenderedPrompt {
            model: model
                .map(|model| ModelIdentifier::parse(model.expose()))
                .transpose()?,
            system,
            messages,
            sampling: Sampling {
                temperature: inference.take("temperature")?,
                top_p: inference.take("topP")?,
                ..additional
            },
            max_tokens: max_tokens.filter(|most| *most > 0),
            stop: inference.take("stopSequences")?.unwrap_or_default(),
        })
    }
}

/// The variant that is used: the default one, or else the first.
fn chosen(body: PromptBody) -> Result<Members, Failure> {
    let none = || refused("The prompt has no variant: give it one, and try again.");
    let Some(super::PromptVariants(Document::List(variants))) = body.variants else {
        return Err(none());
    };
    let wanted = |variant: &Document| match &body.default_variant {
        Some(default) => super::text(variant, "name") == Some(default.expose()),
        None => true,
    };
    Members::of(variants.into_iter().find(wanted).ok_or_else(none)?)
}

fn refuse_cache_points(template: &Members) -> Result<(), Failure> {
    if template.has("cachePoint") {
        return Err(conversation::no_cache_points());
    }
    Ok(())
}

fn refused(message: &str) -> Failure {
    Failure::Validation(message.to_owned())
}

/// Values on their way into a template.
struct Filling<'a> {
    values: &'a PromptVariables,
    /// The variables that the prompt has.
    known: BTreeSet<String>,
    /// Bytes that there is still room for.
    room: usize,
}

impl<'a> Filling<'a> {
    fn new(values: &'a PromptVariables) -> Self {
        Self {
            values,
            known: BTreeSet::new(),
            room: MOST,
        }
    }

    /// Notes which variables a template says that it has.
    fn declare(&mut self, template: &mut Members) -> Result<(), Failure> {
        let declared: Option<Vec<Members>> = template.take("inputVariables")?;
        for mut variable in declared.unwrap_or_default() {
            let name: Option<Content> = variable.take("name")?;
            self.known.extend(name.map(|name| name.expose().to_owned()));
        }
        Ok(())
    }

    fn turn(&mut self, turn: Turn) -> Result<Turn, Failure> {
        let Turn { role, parts } = turn;
        let parts = parts.iter().map(|part| self.fill(part));
        let parts = parts.collect::<Result<_, _>>()?;
        Ok(Turn { role, parts })
    }

    /// A text with values in the places of its variables. It is read once, from its beginning to its end, and values are not
    /// read at all.
    fn fill(&mut self, text: &Content) -> Result<Content, Failure> {
        let mut filled = Content::new(String::new());
        let mut push = |piece: &str| {
            self.room = self.room.checked_sub(piece.len()).ok_or_else(|| {
                refused(
                    "The prompt is too long with these values of its variables: shorten them, and try again.",
                )
            })?;
            filled.push(&Content::new(piece.to_owned()));
            Ok(())
        };
        let mut rest = text.expose();
        while let Some(at) = rest.find("{{") {
            // Of three braces, the last two begin a name.
            let braces = rest.bytes().skip(at).take_while(|byte| *byte == b'{').count();
            let (before, from) = rest.split_at(at.saturating_add(braces).saturating_sub(2));
            let after = from.trim_start_matches('{');
            push(before)?;
            // What is longer is no name: a text of braces is read once, too.
            let near = after
                .split_at(after.floor_char_boundary(LONGEST_NAME.saturating_add(2)))
                .0;
            let end = near
                .find("}}")
                .filter(|end| near.get(..*end).is_some_and(is_name));
            match end.and_then(|end| Some((after.get(..end)?, after.get(end.saturating_add(2)..)?))) {
                Some((name, following)) => {
                    let value = self.values.get(name).ok_or_else(|| missing(name))?;
                    self.known.insert(name.to_owned());
                    push(value.expose())?;
                    rest = following;
                }
                None => {
                    push("{{")?;
                    rest = after;
                }
            }
        }
        push(rest)?;
        if filled.expose().trim().is_empty() {
            return Err(refused(
                "A text of the prompt is blank with these values of its variables.",
            ));
        }
        Ok(filled)
    }

    /// Refuses values that belong to no variable: each would be overlooked.
    fn finish(self) -> Result<(), Failure> {
        if self.values.keys().all(|name| self.known.contains(name)) {
            Ok(())
        } else {
            Err(refused(
                "A value is given for a variable that the prompt does not have.",
            ))
        }
    }
}

fn missing(name: &str) -> Failure {
    let named = if name.len() <= LONGEST_SHOWN {
        format!(" '{name}'")
    } else {
        String::new()
    };
    Failure::Validation(format!(
        "The prompt variable{named} has no value. Give every variable of the prompt a value, and try again."
    ))
}

/// Whether a variable can be called so: letters and digits, each of which one `_` or `-` may follow.
fn is_name(text: &str) -> bool {
    let separator = |byte: u8| matches!(byte, b'_' | b'-');
    let bytes = text.as_bytes();
    let fits = bytes
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || separator(*byte));
    let begins = bytes.first().is_some_and(u8::is_ascii_alphanumeric);
    let apart = bytes
        .windows(2)
        .all(|pair| !matches!(pair, [one, next] if separator(*one) && separator(*next)));
    fits && begins && apart && bytes.len() <= LONGEST_NAME
}
