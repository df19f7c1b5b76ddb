//! `GET /models` and `GET /models/{id}`.

use moho_terms::{ContentBytes, ModelId, Timestamp};

/// A model as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its one name.
    pub id: ModelId,
    /// Since when it is served.
    pub created: Timestamp,
    /// Who provides it.
    pub owned_by: String,
}

/// The reply to `GET /models/{id}`.
#[must_use]
pub fn one(model: &Model) -> ContentBytes {
    let _: &Model = model;
    todo!()
}

/// The reply to `GET /models`.
#[must_use]
pub fn list(models: &[Model]) -> ContentBytes {
    let _: &[Model] = models;
    todo!()
}
