//! Which events a trail delivers: basic event selectors, or advanced ones, and never both.
//!
//! The rules and limits are those of `PutEventSelectors` in the CloudTrail API reference. The messages are AWS's own as far as
//! they are known, and else in their style: [`SelectorError`] says which.

mod advanced;
mod basic;
mod conditions;
mod error;
mod fields;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::record::Record;

pub use advanced::{AdvancedEventSelector, AdvancedFieldSelector};
pub use basic::{DataResource, EventSelector};
pub use error::{Quoted, SelectorError};

/// Most bytes of selectors as JSON: those of the most and longest values there may be.
pub const MAX_SELECTORS: usize = 8 * 1024 * 1024;

/// The selectors of a trail, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selectors(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Basic(Vec<basic::Checked>),
    Advanced(Vec<advanced::Checked>),
}

/// As the API shows them, and as they are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ShownSelectors {
    /// Basic ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_selectors: Option<Vec<EventSelector>>,
    /// Advanced ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advanced_event_selectors: Option<Vec<AdvancedEventSelector>>,
}

impl Default for Selectors {
    /// Those of a trail that was given none: all management events, and no others.
    fn default() -> Self {
        Self(Kind::Basic(vec![basic::Checked::default()]))
    }
}

impl TryFrom<ShownSelectors> for Selectors {
    type Error = SelectorError;

    /// Checks what `PutEventSelectors` was given.
    fn try_from(given: ShownSelectors) -> Result<Self, SelectorError> {
        match (given.event_selectors, given.advanced_event_selectors) {
            (Some(_), Some(_)) => Err(SelectorError::Both),
            (Some(basic), None) => basic::check(basic).map(Kind::Basic).map(Self),
            (None, Some(advanced)) => advanced::check(advanced).map(Kind::Advanced).map(Self),
            (None, None) => Err(SelectorError::NumberOfSelectors),
        }
    }
}

impl From<&Selectors> for ShownSelectors {
    /// What `GetEventSelectors` shows: of basic ones every member, also those that were left out.
    fn from(selectors: &Selectors) -> Self {
        match &selectors.0 {
            Kind::Basic(all) => Self {
                event_selectors: Some(all.iter().map(EventSelector::from).collect()),
                advanced_event_selectors: None,
            },
            Kind::Advanced(all) => Self {
                event_selectors: None,
                advanced_event_selectors: Some(all.iter().map(AdvancedEventSelector::from).collect()),
            },
        }
    }
}

impl Selectors {
    /// Reads them as [`ShownSelectors`] writes them, and checks them.
    ///
    /// # Errors
    /// [`SelectorError`].
    pub fn parse(json: &[u8]) -> Result<Self, SelectorError> {
        if json.len() > MAX_SELECTORS {
            return Err(SelectorError::Malformed);
        }
        let shown: ShownSelectors =
            serde_json::from_slice(json).map_err(|_quotes_it| SelectorError::Malformed)?;
        shown.try_into()
    }

    /// Whether the trail delivers this.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        match &self.0 {
            Kind::Basic(all) => all.iter().any(|selector| selector.matches(record)),
            Kind::Advanced(all) => all.iter().any(|selector| selector.matches(record)),
        }
    }

    /// Whether they are other than those of a trail that was given none (`HasCustomEventSelectors`).
    #[must_use]
    pub fn are_custom(&self) -> bool {
        *self != Self::default()
    }
}
