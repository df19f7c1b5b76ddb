//! Basic event selectors: management events, and data events of three types of resources.

use moho_terms::{Arn, BucketName};
use serde::{Deserialize, Serialize};

use super::error::{Quoted, SelectorError};
use crate::cloudtrail::record::{EventCategory, Record, Resource};

const MAX_SELECTORS: usize = 5;
const MAX_VALUES: usize = 250;
/// What management events may be left out of.
const EXCLUDABLE: [&str; 2] = ["kms.amazonaws.com", "rdsdata.amazonaws.com"];

/// A basic event selector, as the API has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventSelector {
    /// `All` (also if left out), `ReadOnly` or `WriteOnly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_write_type: Option<String>,
    /// Whether management events are delivered; they are if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_management_events: Option<bool>,
    /// What data events are delivered of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_resources: Option<Vec<DataResource>>,
    /// The services whose management events are not delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_management_event_sources: Option<Vec<String>>,
}

/// What data events are delivered of, as the API has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DataResource {
    /// `AWS::S3::Object`, `AWS::Lambda::Function` or `AWS::DynamoDB::Table`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// ARNs, or the beginnings of such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadWrite {
    All,
    ReadOnly,
    WriteOnly,
}

/// The three types, each with the value that means all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DataType {
    Object,
    Function,
    Table,
}

/// A selector that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checked {
    read_write: ReadWrite,
    management: bool,
    data: Vec<(DataType, Vec<String>)>,
    excluded: Vec<String>,
}

impl Default for Checked {
    fn default() -> Self {
        Self {
            read_write: ReadWrite::All,
            management: true,
            data: Vec::new(),
            excluded: Vec::new(),
        }
    }
}

pub(super) fn check(given: Vec<EventSelector>) -> Result<Vec<Checked>, SelectorError> {
    if !(1..=MAX_SELECTORS).contains(&given.len()) {
        return Err(SelectorError::NumberOfSelectors);
    }
    let checked: Vec<Checked> = given
        .into_iter()
        .map(Checked::try_from)
        .collect::<Result<_, _>>()?;
    let values = checked
        .iter()
        .flat_map(|selector| &selector.data)
        .map(|(_, values)| values.len());
    if values.fold(0, usize::saturating_add) > MAX_VALUES {
        return Err(SelectorError::NumberOfDataResources);
    }
    Ok(checked)
}

impl TryFrom<EventSelector> for Checked {
    type Error = SelectorError;

    fn try_from(given: EventSelector) -> Result<Self, SelectorError> {
        let read_write = match given.read_write_type.as_deref() {
            None | Some("All") => ReadWrite::All,
            Some("ReadOnly") => ReadWrite::ReadOnly,
            Some("WriteOnly") => ReadWrite::WriteOnly,
            Some(other) => return Err(SelectorError::ReadWriteType(Quoted::of(other))),
        };
        let excluded = given.exclude_management_event_sources.unwrap_or_default();
        if let Some(other) = excluded
            .iter()
            .find(|source| !EXCLUDABLE.contains(&source.as_str()))
        {
            return Err(SelectorError::ExcludedSource(Quoted::of(other)));
        }
        if excluded.len() > EXCLUDABLE.len() {
            return Err(SelectorError::ExcludedSource(Quoted::of(&excluded.join(", "))));
        }
        let resources = given.data_resources.unwrap_or_default();
        // Each has a type even if it has no value: this bounds those, too.
        if resources.len() > MAX_VALUES {
            return Err(SelectorError::NumberOfDataResources);
        }
        let data = resources.into_iter().map(data_of).collect::<Result<_, _>>()?;
        let management = given.include_management_events.unwrap_or(true);
        Ok(Self {
            read_write,
            management,
            data,
            excluded,
        })
    }
}

fn data_of(given: DataResource) -> Result<(DataType, Vec<String>), SelectorError> {
    let kind = given.r#type.as_deref().unwrap_or("null");
    let known = [DataType::Object, DataType::Function, DataType::Table];
    let kind = known
        .into_iter()
        .find(|known| known.as_str() == kind)
        .ok_or_else(|| SelectorError::DataResourceType(Quoted::of(kind)))?;
    let values = given.values.unwrap_or_default();
    match values.iter().find(|value| !kind.takes(value)) {
        Some(other) => Err(SelectorError::DataResourceValue(Quoted::of(other))),
        None => Ok((kind, values)),
    }
}

impl DataType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Object => "AWS::S3::Object",
            Self::Function => "AWS::Lambda::Function",
            Self::Table => "AWS::DynamoDB::Table",
        }
    }

    /// Whether this value means all there are.
    fn is_all(self, value: &str) -> bool {
        match self {
            Self::Object => matches!(value, "arn:aws:s3" | "arn:aws:s3:::"),
            Self::Function => value == "arn:aws:lambda",
            Self::Table => value == "arn:aws:dynamodb",
        }
    }

    fn takes(self, value: &str) -> bool {
        let named = |service: &str, begin: &str| {
            let arn = value.parse::<Arn>();
            arn.is_ok_and(|arn| arn.service() == service && arn.resource().starts_with(begin))
        };
        let one = || match self {
            Self::Object => {
                let rest = value
                    .strip_prefix("arn:aws:s3:::")
                    .and_then(|rest| rest.split_once('/'));
                rest.is_some_and(|(bucket, prefix)| {
                    bucket.parse::<BucketName>().is_ok() && prefix.len() <= 1024
                })
            }
            Self::Function => named("lambda", "function:"),
            Self::Table => named("dynamodb", "table/"),
        };
        self.is_all(value) || one()
    }

    /// Objects by the beginning of their ARN; the others by all of it, which AWS says of functions only.
    fn fits(self, value: &str, resource: &Resource) -> bool {
        let (arn, prefix) = (resource.arn.as_deref(), resource.arn_prefix.as_deref());
        let here = |arn: &str| match self {
            Self::Object => arn.starts_with(value),
            Self::Function | Self::Table => arn == value,
        };
        self.is_all(value) || arn.or(prefix).is_some_and(here)
    }
}

impl Checked {
    pub(super) fn matches(&self, record: &Record) -> bool {
        let reads = record.read_only == Some(true);
        let wanted = match self.read_write {
            ReadWrite::All => true,
            ReadWrite::ReadOnly => reads,
            // What is not known to read only may have written.
            ReadWrite::WriteOnly => !reads,
        };
        wanted
            && match record.event_category {
                EventCategory::Management => self.management && !self.excluded.contains(&record.event_source),
                EventCategory::Data => record.resources.iter().any(|resource| self.has(resource)),
                EventCategory::NetworkActivity => false,
            }
    }

    fn has(&self, resource: &Resource) -> bool {
        let fits = |(kind, values): &(DataType, Vec<String>)| {
            resource.kind.as_deref() == Some(kind.as_str())
                && values.iter().any(|value| kind.fits(value, resource))
        };
        self.data.iter().any(fits)
    }
}

impl From<&Checked> for EventSelector {
    fn from(checked: &Checked) -> Self {
        let read_write = match checked.read_write {
            ReadWrite::All => "All",
            ReadWrite::ReadOnly => "ReadOnly",
            ReadWrite::WriteOnly => "WriteOnly",
        };
        let data = checked.data.iter().map(|(kind, values)| DataResource {
            r#type: Some(kind.as_str().to_owned()),
            values: Some(values.clone()),
        });
        Self {
            read_write_type: Some(read_write.to_owned()),
            include_management_events: Some(checked.management),
            data_resources: Some(data.collect()),
            exclude_management_event_sources: Some(checked.excluded.clone()),
        }
    }
}
