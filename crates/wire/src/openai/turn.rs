//! One turn of a conversation.

use moho_terms::Content;

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
    /// All parts, joined by a line break.
    #[must_use]
    pub fn text(&self) -> Content {
        todo!()
    }
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
}
