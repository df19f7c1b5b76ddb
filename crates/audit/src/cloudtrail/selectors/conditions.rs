//! What a field must be, and must not be.

use super::advanced::AdvancedFieldSelector;

/// The conditions on one field. Values that select are alternatives; every one that deselects must not hold; both groups must
/// agree ("How CloudTrail evaluates multiple conditions for a field").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Conditions(Vec<(Operator, Vec<String>)>);

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equals,
    StartsWith,
    EndsWith,
    NotEquals,
    NotStartsWith,
    NotEndsWith,
}

impl Operator {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Equals => "Equals",
            Self::StartsWith => "StartsWith",
            Self::EndsWith => "EndsWith",
            Self::NotEquals => "NotEquals",
            Self::NotStartsWith => "NotStartsWith",
            Self::NotEndsWith => "NotEndsWith",
        }
    }

    fn selects(self) -> bool {
        matches!(self, Self::Equals | Self::StartsWith | Self::EndsWith)
    }

    fn compares(self, with: &str, value: &str) -> bool {
        match self {
            Self::Equals | Self::NotEquals => value == with,
            Self::StartsWith | Self::NotStartsWith => value.starts_with(with),
            Self::EndsWith | Self::NotEndsWith => value.ends_with(with),
        }
    }
}

impl Conditions {
    /// Those that were given, in the API's order; also operators without a value.
    pub(super) fn of(given: AdvancedFieldSelector) -> Self {
        let all = [
            (Operator::Equals, given.equals),
            (Operator::StartsWith, given.starts_with),
            (Operator::EndsWith, given.ends_with),
            (Operator::NotEquals, given.not_equals),
            (Operator::NotStartsWith, given.not_starts_with),
            (Operator::NotEndsWith, given.not_ends_with),
        ];
        Self(
            all.into_iter()
                .filter_map(|(operator, values)| Some((operator, values?)))
                .collect(),
        )
    }

    /// As the API has them.
    pub(super) fn shown(&self, field: &'static str) -> AdvancedFieldSelector {
        let values = |wanted: Operator| {
            let found = self.0.iter().find(|(operator, _)| *operator == wanted);
            found.map(|(_, values)| values.clone())
        };
        AdvancedFieldSelector {
            field: field.to_owned(),
            equals: values(Operator::Equals),
            starts_with: values(Operator::StartsWith),
            ends_with: values(Operator::EndsWith),
            not_equals: values(Operator::NotEquals),
            not_starts_with: values(Operator::NotStartsWith),
            not_ends_with: values(Operator::NotEndsWith),
        }
    }

    pub(super) fn all(&self) -> &[(Operator, Vec<String>)] {
        &self.0
    }

    pub(super) fn values(&self) -> impl Iterator<Item = (Operator, &str)> {
        self.0
            .iter()
            .flat_map(|(operator, values)| values.iter().map(|value| (*operator, value.as_str())))
    }

    /// The only value of `Equals`, if there is nothing else.
    pub(super) fn only(&self) -> Option<&str> {
        let mut values = self.values();
        match (values.next(), values.next()) {
            (Some((Operator::Equals, value)), None) => Some(value),
            _ => None,
        }
    }

    /// Whether a field with this value is wanted. One that is not there equals nothing, and begins and ends with nothing.
    pub(super) fn hold(&self, value: Option<&str>) -> bool {
        let compares =
            |(operator, with): (Operator, &str)| value.is_some_and(|value| operator.compares(with, value));
        let mut selecting = self
            .values()
            .filter(|(operator, _)| operator.selects())
            .peekable();
        let selected = selecting.peek().is_none() || selecting.any(compares);
        selected
            && !self
                .values()
                .filter(|(operator, _)| !operator.selects())
                .any(compares)
    }
}
