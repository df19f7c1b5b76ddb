//! `GET /responses/{id}/input_items`: which page is asked for.

use moho_terms::ResponseId;

use crate::Failure;
use crate::openai::fields::invalid;
use crate::query::Query;

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

impl ListInputItems {
    /// Reads the query of a request.
    ///
    /// # Errors
    /// [`Failure::Invalid`] naming the parameter.
    pub fn parse(id: ResponseId, raw_query: &str) -> Result<Self, Failure> {
        let query = Query::of_url(raw_query)?;
        let Paging { limit, ascending } = Paging::read(&query)?;
        Ok(Self {
            id,
            limit,
            ascending,
            after: query.get("after").map(str::to_owned),
        })
    }
}

/// How much of a list of items is wanted, and in which order.
pub(crate) struct Paging {
    /// At most this many items, 1 to 100.
    pub(crate) limit: usize,
    /// Oldest first, instead of newest first.
    pub(crate) ascending: bool,
}

impl Paging {
    /// Reads `limit` and `order`.
    pub(crate) fn read(query: &Query) -> Result<Self, Failure> {
        let limit = match query.get("limit") {
            None => 20,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=100).contains(limit))
                .ok_or_else(|| {
                    invalid(
                        "Invalid 'limit': expected an integer from 1 to 100.".to_owned(),
                        "limit",
                        "invalid_value",
                    )
                })?,
        };
        let ascending = match query.get("order") {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(_) => {
                let message = "Invalid value for 'order'. Supported values are: 'asc', 'desc'.".to_owned();
                return Err(invalid(message, "order", "invalid_value"));
            }
        };
        Ok(Self { limit, ascending })
    }
}
