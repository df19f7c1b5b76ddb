//! Typed reading of a request's fields. Errors are worded as OpenAI words them, and name the field, never its value.

use moho_terms::Content;

use crate::Failure;
use crate::json::{self, Json, JsonError, Writer};

/// A request that cannot be taken, with the field to blame.
pub(crate) fn invalid(message: String, param: &str, code: &'static str) -> Failure {
    Failure::Invalid {
        message,
        param: Some(param.to_owned()),
        code: Some(code),
    }
}

/// A setting that exists but is not served here yet.
pub(crate) fn unsupported(param: &str, what: &str) -> Failure {
    invalid(
        format!("Unsupported value for '{param}': {what}."),
        param,
        "unsupported_value",
    )
}

/// Reads a body, which has to be an object.
pub(crate) fn body(bytes: &[u8]) -> Result<Json, Failure> {
    let refuse = |why: String| Failure::Invalid {
        message: why,
        param: None,
        code: None,
    };
    let parsed = json::parse(bytes).map_err(|error: JsonError| {
        refuse(format!(
            "We could not parse the JSON body of your request: {error}."
        ))
    })?;
    if !matches!(parsed, Json::Object(_)) {
        let kind = parsed.kind();
        return Err(refuse(format!(
            "The JSON body of a request has to be an object, but is {kind} instead."
        )));
    }
    Ok(parsed)
}

/// An object of a request and where it is.
pub(crate) struct Fields<'a> {
    object: &'a Json,
    path: String,
}

impl<'a> Fields<'a> {
    /// The request itself.
    pub(crate) fn top(object: &'a Json) -> Self {
        Self {
            object,
            path: String::new(),
        }
    }

    /// `json`, which has to be an object, found at `path`.
    pub(crate) fn at(json: &'a Json, path: String) -> Result<Self, Failure> {
        if matches!(json, Json::Object(_)) {
            Ok(Self { object: json, path })
        } else {
            Err(wrong_type(&path, "an object", json))
        }
    }

    /// The full name of a field.
    pub(crate) fn param(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// A field that is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Json> {
        self.object.get(name).filter(|value| !matches!(value, Json::Null))
    }

    /// All fields.
    pub(crate) fn pairs(&self) -> &'a [(Content, Json)] {
        if let Json::Object(pairs) = self.object {
            pairs
        } else {
            &[]
        }
    }

    /// An object.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Self>, Failure> {
        self.get(name)
            .map(|value| Fields::at(value, self.param(name)))
            .transpose()
    }

    /// An array.
    pub(crate) fn array(&self, name: &str) -> Result<Option<&'a [Json]>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Array(items)) => Ok(Some(items)),
            Some(other) => Err(wrong_type(&self.param(name), "an array", other)),
        }
    }

    /// A string.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.expose())),
            Some(other) => Err(wrong_type(&self.param(name), "a string", other)),
        }
    }

    /// A string that belongs to the tenant.
    pub(crate) fn content(&self, name: &str) -> Result<Option<Content>, Failure> {
        Ok(self.text(name)?.map(|text| Content::new(text.to_owned())))
    }

    /// A string that has to be there.
    pub(crate) fn required_text(&self, name: &str) -> Result<&'a str, Failure> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// One of a few words.
    pub(crate) fn word(&self, name: &str, words: &[&'static str]) -> Result<Option<&'static str>, Failure> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        words
            .iter()
            .find(|word| **word == text)
            .map(|word| Some(*word))
            .ok_or_else(|| self.not_among(name, words))
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(wrong_type(&self.param(name), "a boolean", other)),
        }
    }

    /// An integer in a range.
    pub(crate) fn integer(&self, name: &str, low: i64, high: i64) -> Result<Option<i64>, Failure> {
        let param = self.param(name);
        let text = match self.get(name) {
            None => return Ok(None),
            Some(Json::Number(text)) => text,
            Some(other) => return Err(wrong_type(&param, "an integer", other)),
        };
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(invalid(
                format!("Invalid type for '{param}': expected an integer, but got a decimal instead."),
                &param,
                "invalid_type",
            ));
        }
        // What does not fit 64 bits is beyond any range, on the side its sign tells.
        let value: Option<i64> = text.parse().ok();
        let negative = text.starts_with('-');
        if value.map_or(negative, |value| value < low) {
            let message =
                format!("Invalid '{param}': integer below minimum value. Expected a value >= {low}.");
            return Err(invalid(message, &param, "integer_below_min_value"));
        }
        if value.map_or(!negative, |value| value > high) {
            let message =
                format!("Invalid '{param}': integer above maximum value. Expected a value <= {high}.");
            return Err(invalid(message, &param, "integer_above_max_value"));
        }
        Ok(value)
    }

    /// A count of tokens and the like: at least 1.
    pub(crate) fn count(&self, name: &str) -> Result<Option<u32>, Failure> {
        let count = self.integer(name, 1, i64::from(u32::MAX))?;
        Ok(count.and_then(|value| u32::try_from(value).ok()))
    }

    /// A number in a range.
    pub(crate) fn number(&self, name: &str, low: f64, high: f64) -> Result<Option<f64>, Failure> {
        self.get(name)
            .map(|value| decimal(&self.param(name), value, low, high))
            .transpose()
    }

    /// The refusal of a field that has to be there.
    pub(crate) fn missing(&self, name: &str) -> Failure {
        let param = self.param(name);
        invalid(
            format!("Missing required parameter: '{param}'."),
            &param,
            "missing_required_parameter",
        )
    }

    /// The refusal of a value that is none of `words`.
    pub(crate) fn not_among(&self, name: &str, words: &[&'static str]) -> Failure {
        let param = self.param(name);
        let list = words
            .iter()
            .map(|word| format!("'{word}'"))
            .collect::<Vec<_>>()
            .join(", ");
        invalid(
            format!("Invalid value for '{param}'. Supported values are: {list}."),
            &param,
            "invalid_value",
        )
    }
}

/// `value`, which has to be a number in a range.
pub(crate) fn decimal(param: &str, value: &Json, low: f64, high: f64) -> Result<f64, Failure> {
    let Json::Number(text) = value else {
        return Err(wrong_type(param, "a decimal", value));
    };
    let value: f64 = text.parse().unwrap_or(f64::INFINITY);
    if value < low {
        let message = format!("Invalid '{param}': decimal below minimum value. Expected a value >= {low}.");
        return Err(invalid(message, param, "decimal_below_min_value"));
    }
    if value > high {
        let message = format!("Invalid '{param}': decimal above maximum value. Expected a value <= {high}.");
        return Err(invalid(message, param, "decimal_above_max_value"));
    }
    Ok(value)
}

/// The refusal of a value of the wrong type.
pub(crate) fn wrong_type(param: &str, expected: &str, got: &Json) -> Failure {
    let message = format!(
        "Invalid type for '{param}': expected {expected}, but got {} instead.",
        got.kind()
    );
    invalid(message, param, "invalid_type")
}

/// At most 16 pairs of text, names up to 64 characters, values up to 512.
pub(crate) fn metadata(w: &mut Writer, request: &Fields<'_>) -> Result<(), Failure> {
    let refuse = |message: &str, code| {
        Err(invalid(
            format!("Invalid 'metadata': {message}."),
            "metadata",
            code,
        ))
    };
    let pairs = match request.get("metadata") {
        None => &[],
        Some(Json::Object(pairs)) => pairs.as_slice(),
        Some(other) => return Err(wrong_type("metadata", "an object", other)),
    };
    if pairs.len() > 16 {
        return refuse("expected at most 16 pairs", "object_above_max_properties");
    }
    for (name, value) in pairs {
        let Json::String(value) = value else {
            return refuse("expected every value to be a string", "invalid_type");
        };
        if name.expose().chars().count() > 64 {
            return refuse(
                "expected names of at most 64 characters",
                "property_name_above_max_length",
            );
        }
        if value.expose().chars().count() > 512 {
            return refuse(
                "expected values of at most 512 characters",
                "string_above_max_length",
            );
        }
    }
    w.key("metadata").object(|w| {
        for (index, (name, value)) in pairs.iter().enumerate() {
            let again = pairs
                .iter()
                .skip(index + 1)
                .any(|(later, _)| later.expose() == name.expose());
            if !again {
                w.key(name.expose()).json(value);
            }
        }
    });
    Ok(())
}
