//! What is wrong with event selectors, in the words of `InvalidEventSelectorsException`.

/// Selectors that are none: the message of `InvalidEventSelectorsException`. Known to be AWS's own are those of `Both`,
/// `NumberOfSelectors`, `NumberOfDataResources`, `DataResourceType`, `DataResourceValue` and `FieldNotAllowed`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SelectorError {
    #[error("You can select events by using either EventSelectors or AdvancedEventSelectors, but not both.")]
    Both,
    #[error("Specify a valid number of selectors (1 to 5) for your trail.")]
    NumberOfSelectors,
    #[error("Specify a valid number of DataResources.Values (0 to 250) for all your selectors.")]
    NumberOfDataResources,
    #[error(
        "Value {0} for DataResources.Type is invalid. Valid values are: AWS::DynamoDB::Table, AWS::Lambda::Function, \
         AWS::S3::Object"
    )]
    DataResourceType(Quoted),
    #[error("Value {0} for DataResources.Values is invalid.")]
    DataResourceValue(Quoted),
    #[error("Value {0} for ReadWriteType is invalid. Valid values are: All, ReadOnly, WriteOnly")]
    ReadWriteType(Quoted),
    #[error(
        "Value {0} for ExcludeManagementEventSources is invalid. Valid values are: kms.amazonaws.com, rdsdata.amazonaws.com"
    )]
    ExcludedSource(Quoted),
    #[error(
        "Specify a valid number of advanced event selectors, with 1 to 500 condition values in all of them."
    )]
    NumberOfConditions,
    #[error("The name of an advanced event selector has at most 1000 characters.")]
    SelectorName,
    #[error("The field {0} is not one that events are selected by.")]
    UnknownField(Quoted),
    #[error("The following field occurs more than once in an advanced event selector: {0}.")]
    FieldTwice(&'static str),
    #[error("The following field is required when the eventCategory field value equals {category}: {field}.")]
    FieldMissing {
        category: &'static str,
        field: &'static str,
    },
    #[error(
        "The following field is required in each advanced event selector, with one value: eventCategory."
    )]
    NoCategory,
    #[error(
        "The following field is not allowed when the eventCategory field value equals {category}: {field}."
    )]
    FieldNotAllowed {
        category: &'static str,
        field: &'static str,
    },
    #[error("The following field has no operator, or one without a value: {0}.")]
    NoOperator(&'static str),
    #[error("The following operator is not allowed for the field {field}: {operator}.")]
    OperatorNotAllowed {
        field: &'static str,
        operator: &'static str,
    },
    #[error("The following field has more than one value: {0}.")]
    OneValue(&'static str),
    #[error("Value {value} for the field {field} is invalid.")]
    FieldValue { field: &'static str, value: Quoted },
    #[error("The event selectors are not well-formed.")]
    Malformed,
}

/// The beginning of what the caller sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted(String);

impl Quoted {
    /// Its first 256 characters.
    pub(super) fn of(text: &str) -> Self {
        Self(text.chars().take(256).collect())
    }
}

impl std::fmt::Display for Quoted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
