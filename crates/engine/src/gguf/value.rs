//! Typed metadata values.

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    Bools(Vec<bool>),
    Unsigneds(Vec<u64>),
    Signeds(Vec<i64>),
    Floats(Vec<f64>),
    Texts(Vec<String>),
}

impl Value {
    pub(crate) fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    pub(crate) fn as_u32(&self) -> Option<u32> {
        match self {
            Self::Unsigned(value) => u32::try_from(*value).ok(),
            Self::Signed(value) => u32::try_from(*value).ok(),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(value) = self {
            Some(value)
        } else {
            None
        }
    }

    pub(crate) fn as_texts(&self) -> Option<&[String]> {
        if let Self::Texts(value) = self {
            Some(value)
        } else {
            None
        }
    }

    /// Whole numbers, from a list of any integer type.
    pub(crate) fn as_integers(&self) -> Option<Vec<i64>> {
        match self {
            Self::Signeds(values) => Some(values.clone()),
            Self::Unsigneds(values) => values.iter().map(|value| i64::try_from(*value).ok()).collect(),
            _ => None,
        }
    }
}
