//! Ways in for those who test the readers of tokens and keys with hostile input.
//!
//! Nothing here is another path: each function calls what checking calls. Hidden from the documentation, as it is no
//! interface to build on.

use super::json::{Json, Members};
use super::{Discovery, IdToken, KeySet};

/// Whether the text has the form of a token.
#[must_use]
pub fn is_token(text: &str) -> bool {
    IdToken::parse(text).is_ok()
}

/// How many keys the bytes hold, if they are a set.
#[must_use]
pub fn keys(bytes: &[u8]) -> Option<usize> {
    KeySet::parse("https://issuer.example", bytes)
        .ok()
        .map(|keys| keys.len())
}

/// Whether the bytes are the issuer's description.
#[must_use]
pub fn describes(issuer: &str, bytes: &[u8]) -> bool {
    Discovery::parse(issuer, bytes).is_ok()
}

/// The object that the bytes are, written down again.
#[must_use]
pub fn printed(bytes: &[u8]) -> Option<String> {
    Json::object(bytes).map(|members| print_members(&members))
}

fn print(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(truth) => truth.to_string(),
        Json::Number(number) => format!("{number:e}"),
        Json::Text(text) => quoted(text),
        Json::List(items) => {
            let items: Vec<String> = items.iter().map(print).collect();
            format!("[{}]", items.join(","))
        }
        Json::Object(members) => print_members(members),
    }
}

fn print_members(members: &Members) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{}:{}", quoted(name), print(value)))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
