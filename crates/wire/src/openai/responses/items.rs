//! `GET /responses/{id}/input_items`.

use moho_terms::ResponseId;

/// A parsed `GET /responses/{id}/input_items`.
pub struct ListInputItems {
    /// Whose input.
    pub id: ResponseId,
    /// At most this many items, 1 to 100.
    pub limit: usize,
    /// Oldest first, instead of newest first.
    pub ascending: bool,
    /// Continue after this item.
    pub after: Option<String>,
}
