//! Advanced event selectors: conditions on the fields of records, all of which must hold.

use serde::{Deserialize, Serialize};

use super::conditions::Conditions;
use super::error::{Quoted, SelectorError};
use super::fields::Field;
use crate::cloudtrail::record::{EventCategory, Record, Resource};

const MAX_VALUES: usize = 500;
const MAX_NAME: usize = 1000;

/// An advanced event selector, as the API has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AdvancedEventSelector {
    /// What somebody calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What must hold.
    pub field_selectors: Vec<AdvancedFieldSelector>,
}

/// The conditions on one field, as the API has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AdvancedFieldSelector {
    /// The field, such as `eventCategory`.
    pub field: String,
    /// It is one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Vec<String>>,
    /// It begins with one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_with: Option<Vec<String>>,
    /// It ends with one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_with: Option<Vec<String>>,
    /// It is none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_equals: Option<Vec<String>>,
    /// It begins with none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_starts_with: Option<Vec<String>>,
    /// It ends with none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ends_with: Option<Vec<String>>,
}

/// A selector that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checked {
    name: Option<String>,
    category: EventCategory,
    fields: Vec<(Field, Conditions)>,
}

pub(super) fn check(given: Vec<AdvancedEventSelector>) -> Result<Vec<Checked>, SelectorError> {
    // Each has at least the value of its category.
    if !(1..=MAX_VALUES).contains(&given.len()) {
        return Err(SelectorError::NumberOfConditions);
    }
    let checked: Vec<Checked> = given
        .into_iter()
        .map(Checked::try_from)
        .collect::<Result<_, _>>()?;
    let values = checked
        .iter()
        .flat_map(|selector| &selector.fields)
        .map(|(_, conditions)| conditions.values().count());
    if values.fold(0, usize::saturating_add) > MAX_VALUES {
        return Err(SelectorError::NumberOfConditions);
    }
    Ok(checked)
}

impl TryFrom<AdvancedEventSelector> for Checked {
    type Error = SelectorError;

    fn try_from(given: AdvancedEventSelector) -> Result<Self, SelectorError> {
        if given
            .name
            .as_ref()
            .is_some_and(|name| name.chars().count() > MAX_NAME)
        {
            return Err(SelectorError::SelectorName);
        }
        let mut fields: Vec<(Field, Conditions)> = Vec::new();
        for selector in given.field_selectors {
            let field = Field::of(&selector.field)
                .ok_or_else(|| SelectorError::UnknownField(Quoted::of(&selector.field)))?;
            // No field twice: so there are at most as many as there are fields.
            if fields.iter().any(|(known, _)| *known == field) {
                return Err(SelectorError::FieldTwice(field.as_str()));
            }
            fields.push((field, Conditions::of(selector)));
        }
        let category = category_of(&fields)?;
        let selector = Self {
            name: given.name,
            category,
            fields,
        };
        selector.check()?;
        Ok(selector)
    }
}

fn category_of(fields: &[(Field, Conditions)]) -> Result<EventCategory, SelectorError> {
    let field = Field::EventCategory;
    let (_, conditions) = fields
        .iter()
        .find(|(known, _)| *known == field)
        .ok_or(SelectorError::NoCategory)?;
    // What else is wrong with it, `check` would say; without one value there is no category to check for.
    let value = conditions.only().ok_or(SelectorError::NoCategory)?;
    let known = [
        EventCategory::Management,
        EventCategory::Data,
        EventCategory::NetworkActivity,
    ];
    let category = known.into_iter().find(|known| known.as_str() == value);
    category.ok_or_else(|| SelectorError::FieldValue {
        field: field.as_str(),
        value: Quoted::of(value),
    })
}

impl Checked {
    fn check(&self) -> Result<(), SelectorError> {
        let category = self.category.as_str();
        let allowed = Field::allowed(self.category);
        if let Some((field, _)) = self.fields.iter().find(|(field, _)| !allowed.contains(field)) {
            return Err(SelectorError::FieldNotAllowed {
                category,
                field: field.as_str(),
            });
        }
        let missing = Field::required(self.category).filter(|field| self.on(*field).is_none());
        if let Some(field) = missing {
            return Err(SelectorError::FieldMissing {
                category,
                field: field.as_str(),
            });
        }
        let kind = self.on(Field::ResourcesType).and_then(Conditions::only);
        self.fields
            .iter()
            .try_for_each(|(field, conditions)| field.check(self.category, conditions, kind))
    }

    fn on(&self, wanted: Field) -> Option<&Conditions> {
        self.fields
            .iter()
            .find(|(field, _)| *field == wanted)
            .map(|(_, conditions)| conditions)
    }

    /// Whether all conditions hold. Those on resources must hold of one and the same: a call on an object is also one on its
    /// bucket, of which an object's conditions say nothing.
    pub(super) fn matches(&self, record: &Record) -> bool {
        let own = |(field, conditions): &(Field, Conditions)| {
            matches!(field, Field::ResourcesType | Field::ResourcesArn)
                || conditions.hold(field.of_record(record).as_deref())
        };
        let (kind, arn) = (self.on(Field::ResourcesType), self.on(Field::ResourcesArn));
        let fits = |resource: &Resource| {
            let named = resource.arn.as_deref().or(resource.arn_prefix.as_deref());
            kind.is_none_or(|kind| kind.hold(resource.kind.as_deref()))
                && arn.is_none_or(|arn| arn.hold(named))
        };
        let asked = kind.is_some() || arn.is_some();
        self.fields.iter().all(own) && (!asked || record.resources.iter().any(fits))
    }
}

impl From<&Checked> for AdvancedEventSelector {
    fn from(checked: &Checked) -> Self {
        let fields = checked.fields.iter();
        Self {
            name: checked.name.clone(),
            field_selectors: fields
                .map(|(field, conditions)| conditions.shown(field.as_str()))
                .collect(),
        }
    }
}
