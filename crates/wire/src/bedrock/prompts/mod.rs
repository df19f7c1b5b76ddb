//! Prompts that an account keeps: what is kept of one, and what is asked with it.
//!
//! What a prompt says stays the validated document that came, so that nothing of it is lost between what was sent and what
//! is given back; only rendering looks into it.

mod agent;
mod arn;
mod render;
#[cfg(test)]
mod tests;

use moho_terms::{Content, ContentBytes};

pub use agent::AgentOperation;
pub use arn::{PromptArn, prompt_not_found};
pub use render::{PromptVariables, PromptedConverse, RenderedPrompt};

use crate::Failure;
use crate::aws::declare::IntoDocument;
use crate::aws::document::{Document, FromDocument};
use crate::aws::rest::RestService;

/// The shape that a prompt is kept as.
const KEPT: &str = "CreatePromptRequest";

/// The variants of a prompt, as they were sent.
pub struct PromptVariants(Document);

impl FromDocument for PromptVariants {
    fn from_document(document: Document) -> Result<Self, Failure> {
        if matches!(document, Document::List(_)) {
            Ok(Self(document))
        } else {
            Err(Failure::Internal)
        }
    }
}

impl IntoDocument for PromptVariants {
    fn into_document(self) -> Option<Document> {
        Some(self.0)
    }
}

/// What is kept of a prompt, sealed.
pub struct PromptBody {
    /// What its account calls it.
    pub name: Content,
    /// What its account says of it.
    pub description: Option<Content>,
    /// The variant that is used.
    pub default_variant: Option<Content>,
    /// What it says.
    pub variants: Option<PromptVariants>,
}

impl PromptBody {
    /// As it is kept.
    ///
    /// # Errors
    /// [`Failure::Internal`] if it is not what the model says.
    pub fn encode(self) -> Result<ContentBytes, Failure> {
        let members = [
            ("name", Some(Document::Words(self.name))),
            ("description", self.description.map(Document::Words)),
            ("defaultVariant", self.default_variant.map(Document::Words)),
            ("variants", self.variants.map(|variants| variants.0)),
        ];
        let there = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        RestService::BedrockAgent.written(KEPT, Document::Structure(there.collect()))
    }

    /// Reads what was kept.
    ///
    /// # Errors
    /// [`Failure::Internal`] if it is no prompt.
    pub fn decode(kept: &ContentBytes) -> Result<Self, Failure> {
        let members = RestService::BedrockAgent.kept(KEPT, kept.expose());
        let mut members = members.map_err(|_other| Failure::Internal)?;
        Ok(Self {
            name: members.require("name")?,
            description: members.take("description")?,
            default_variant: members.take("defaultVariant")?,
            variants: members.take("variants")?,
        })
    }

    /// Checks what the model does not say: that each variant has the template of its type, and that the one that is used is
    /// there.
    ///
    /// # Errors
    /// [`Failure::Validation`] that says which member is wrong.
    pub fn check(&self) -> Result<(), Failure> {
        let refuse = |message: &str| Err(Failure::Validation(message.to_owned()));
        let variants: &[Document] = match &self.variants {
            Some(PromptVariants(Document::List(variants))) => variants,
            _ => &[],
        };
        let mut names = Vec::new();
        for variant in variants {
            let template = match text(variant, "templateType") {
                Some("TEXT") => "text",
                _ => "chat",
            };
            let configuration = member(variant, "templateConfiguration");
            if configuration.is_some_and(|configuration| member(configuration, template).is_none()) {
                return refuse(
                    "The templateType of a variant does not match its templateConfiguration: give TEXT with text, CHAT with \
                     chat.",
                );
            }
            names.extend(text(variant, "name"));
        }
        match &self.default_variant {
            Some(default) if !names.contains(&default.expose()) => {
                refuse("The defaultVariant must be the name of one of the variants of the prompt.")
            }
            _ => Ok(()),
        }
    }
}

/// A member of a structure.
fn member<'a>(document: &'a Document, name: &str) -> Option<&'a Document> {
    let Document::Structure(members) = document else {
        return None;
    };
    members.iter().find(|(of, _)| of == name).map(|(_, value)| value)
}

/// A member of a structure that is a string.
fn text<'a>(document: &'a Document, name: &str) -> Option<&'a str> {
    let Some(Document::Words(words)) = member(document, name) else {
        return None;
    };
    Some(words.expose())
}
