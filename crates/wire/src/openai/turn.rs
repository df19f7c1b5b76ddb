//! One turn of a conversation, and how it is read from the two request formats.

use moho_terms::Content;

use super::fields::{Fields, unsupported, wrong_type};
use crate::Failure;
use crate::json::Json;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The platform.
    System,
    /// The application.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// What one of them says: one or more parts of text.
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// The text parts, in order.
    pub parts: Vec<Content>,
}

impl Turn {
    /// A turn of one part.
    #[must_use]
    pub fn of(role: Role, text: Content) -> Self {
        Self {
            role,
            parts: vec![text],
        }
    }

    /// All parts, joined by a line break.
    #[must_use]
    pub fn text(&self) -> Content {
        let mut whole = Content::new(String::new());
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                whole.push(&Content::new("\n".to_owned()));
            }
            whole.push(part);
        }
        whole
    }

    /// Reads the `content` of a message: a string, or parts of text.
    pub(crate) fn read(role: Role, message: &Fields<'_>) -> Result<Self, Failure> {
        let param = message.param("content");
        let parts = match message.get("content") {
            None => return Err(message.missing("content")),
            Some(Json::String(text)) => vec![Content::new(text.expose().to_owned())],
            Some(Json::Array(parts)) => parts
                .iter()
                .enumerate()
                .map(|(index, part)| read_part(&Fields::at(part, format!("{param}[{index}]"))?))
                .collect::<Result<_, _>>()?,
            Some(other) => return Err(wrong_type(&param, "a string or an array", other)),
        };
        Ok(Self { role, parts })
    }
}

fn read_part(part: &Fields<'_>) -> Result<Content, Failure> {
    let field = match part.required_text("type")? {
        "text" | "input_text" | "output_text" => "text",
        "refusal" => "refusal",
        "input_image" | "image_url" => {
            return Err(unsupported(&part.param("type"), "images are not supported"));
        }
        "input_audio" => return Err(unsupported(&part.param("type"), "audio is not supported")),
        "input_file" | "file" => return Err(unsupported(&part.param("type"), "files are not supported")),
        _ => return Err(part.not_among("type", &["input_text", "output_text", "text", "refusal"])),
    };
    part.content(field)?.ok_or_else(|| part.missing(field))
}

impl Role {
    /// The role's name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }

    /// The role of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::System, Self::Developer, Self::User, Self::Assistant]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}
