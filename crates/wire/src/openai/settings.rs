//! What a caller can set about sampling and the form of an answer.

use moho_terms::Content;

/// Sampling, as asked for; `None` leaves the model's default.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sampling {
    /// 0 to 2.
    pub temperature: Option<f64>,
    /// 0 to 1.
    pub top_p: Option<f64>,
    /// Makes sampling repeatable.
    pub seed: Option<u64>,
}

/// The form of the answer.
pub enum OutputFormat {
    /// Free text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that matches a schema.
    JsonSchema {
        /// The caller's name for the schema.
        name: String,
        /// The schema, as JSON text with its keys in the caller's order.
        schema: Content,
    },
}
