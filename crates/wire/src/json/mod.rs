//! JSON, hardened: bounded depth and size, no recursion beyond the bound, strings wiped after use.
//!
//! Why not `serde_json`: its error texts repeat values ("invalid type: string \"…\""), its scratch buffers and `Value`
//! leave a tenant's words in freed memory, and `Value` forgets the order of keys, which a schema's author chose.

mod parse;
mod write;

pub(crate) use parse::{JsonError, parse};
pub(crate) use write::Writer;

use moho_terms::Content;

/// A JSON value. Object members keep their order; of two with one name, the last counts.
pub(crate) enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as its text.
    Number(Box<str>),
    /// A string.
    String(Content),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(Vec<(Content, Self)>),
}

impl Json {
    /// What kind of value this is, in OpenAI's words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(text) if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') => "an integer",
            Self::Number(_) => "a decimal",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// The value of `name` in an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .rev()
                .find(|(n, _)| n.expose() == name)
                .map(|(_, v)| v),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::Array(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
