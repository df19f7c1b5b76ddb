//! `GET /models` and `GET /models/{id}`.

use moho_terms::{ContentBytes, ModelId, Timestamp};

use crate::json::Writer;

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

/// The reply to `GET /models/{id}`, under the name by which it was asked for: its id or ARN, or an inference profile's.
#[must_use]
pub fn one(named: &str, model: &Model) -> ContentBytes {
    let mut w = Writer::new();
    write(&mut w, named, model);
    w.finish()
}

/// The reply to `GET /models`.
#[must_use]
pub fn list(models: &[Model]) -> ContentBytes {
    let mut w = Writer::new();
    w.object(|w| {
        w.text("object", "list");
        w.key("data")
            .array(|w| models.iter().for_each(|model| write(w, model.id.as_str(), model)));
    });
    w.finish()
}

fn write(w: &mut Writer, named: &str, model: &Model) {
    w.object(|w| {
        w.text("id", named);
        w.text("object", "model");
        w.number("created", model.created.unix_seconds());
        w.text("owned_by", &model.owned_by);
    });
}
