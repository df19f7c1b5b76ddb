//! A JSON object that stays text: what is in it differs from operation to operation, and whoever made it redacted it.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;

/// Deepest nesting. AWS's own are at most about 20 deep; readers give up at 100 or more.
const MAX_DEPTH: usize = 64;

/// A JSON object, without any white space between its parts.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct JsonObject(Box<RawValue>);

/// A text that is not a JSON object. Never holds any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonObjectError {
    /// It is no JSON, or no object.
    #[error("not a JSON object")]
    NotAnObject,
    /// It is nested more deeply than anybody reads.
    #[error("a JSON object is nested at most {MAX_DEPTH} deep here")]
    TooDeep,
}

impl JsonObject {
    /// Takes a JSON object.
    ///
    /// # Errors
    /// [`JsonObjectError`].
    pub fn parse(text: &str) -> Result<Self, JsonObjectError> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|_no_json| JsonObjectError::NotAnObject)?;
        Self::compact(raw)
    }

    /// What something serializes to.
    ///
    /// # Errors
    /// [`JsonObjectError`] if that is no object.
    pub fn of(value: &impl Serialize) -> Result<Self, JsonObjectError> {
        let text = serde_json::to_string(value).map_err(|_not_json| JsonObjectError::NotAnObject)?;
        Self::parse(&text)
    }

    /// The JSON.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    fn compact(raw: &RawValue) -> Result<Self, JsonObjectError> {
        if !raw.get().starts_with('{') {
            return Err(JsonObjectError::NotAnObject);
        }
        let mut text = String::with_capacity(raw.get().len());
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        for c in raw.get().chars() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = !quoted,
                _ if quoted => {}
                ' ' | '\t' | '\r' | '\n' => continue,
                '{' | '[' => depth = depth.saturating_add(1),
                '}' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > MAX_DEPTH {
                return Err(JsonObjectError::TooDeep);
            }
            text.push(c);
        }
        RawValue::from_string(text)
            .map(Self)
            .map_err(|_no_json| JsonObjectError::NotAnObject)
    }
}

impl PartialEq for JsonObject {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for JsonObject {}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::compact(&raw).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn white_space_goes_and_strings_stay() {
        let object =
            JsonObject::parse(" {\n \"a b\" : [ 1 , \"\\\" \\\\\" , null ] ,\t\"c\" : { } }\r\n").unwrap();
        assert_eq!(object.as_str(), r#"{"a b":[1,"\" \\",null],"c":{}}"#);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [
            "",
            "[]",
            "null",
            "1",
            "\"{}\"",
            "{",
            "{}}",
            "{\"a\":1,}",
            "{'a':1}",
        ] {
            assert_eq!(
                JsonObject::parse(text),
                Err(JsonObjectError::NotAnObject),
                "{text}"
            );
        }
        let nested = |depth: usize| format!("{}{{}}{}", "{\"a\":".repeat(depth - 1), "}".repeat(depth - 1));
        assert!(JsonObject::parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(
            JsonObject::parse(&nested(MAX_DEPTH + 1)),
            Err(JsonObjectError::TooDeep)
        );
        assert_eq!(JsonObject::parse(&nested(100_000)), Err(JsonObjectError::TooDeep));
    }

    proptest! {
        #[test]
        fn any_text_is_an_object_or_refused(text in "[{}\\[\\]\",:a1\\\\ \n]{0,40}") {
            if let Ok(object) = JsonObject::parse(&text) {
                prop_assert_eq!(JsonObject::parse(object.as_str()), Ok(object.clone()));
                prop_assert!(!object.as_str().contains('\n'));
            }
        }
    }
}
