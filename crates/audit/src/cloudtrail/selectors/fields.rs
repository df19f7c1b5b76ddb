//! The fields that advanced event selectors of a trail may ask about, and how ("AdvancedFieldSelector" in the API reference).

use super::conditions::{Conditions, Operator};
use super::error::{Quoted, SelectorError};
use crate::cloudtrail::record::{EventCategory, Record};

/// A field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    ErrorCode,
    EventCategory,
    EventName,
    EventSource,
    EventType,
    ReadOnly,
    ResourcesArn,
    ResourcesType,
    SessionCredentialFromConsole,
    UserIdentityArn,
    VpcEndpointId,
}

use Field::{
    ErrorCode, EventCategory as Category, EventName, EventSource, EventType, ReadOnly, ResourcesArn,
    ResourcesType, SessionCredentialFromConsole, UserIdentityArn, VpcEndpointId,
};

const ALL: [Field; 11] = [
    ErrorCode,
    Category,
    EventName,
    EventSource,
    EventType,
    ReadOnly,
    ResourcesArn,
    ResourcesType,
    SessionCredentialFromConsole,
    UserIdentityArn,
    VpcEndpointId,
];

impl Field {
    pub(super) fn of(name: &str) -> Option<Self> {
        ALL.into_iter().find(|field| field.as_str() == name)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            ErrorCode => "errorCode",
            Category => "eventCategory",
            EventName => "eventName",
            EventSource => "eventSource",
            EventType => "eventType",
            ReadOnly => "readOnly",
            ResourcesArn => "resources.ARN",
            ResourcesType => "resources.type",
            SessionCredentialFromConsole => "sessionCredentialFromConsole",
            UserIdentityArn => "userIdentity.arn",
            VpcEndpointId => "vpcEndpointId",
        }
    }

    /// What may be asked about events of a category by a trail.
    pub(super) fn allowed(category: EventCategory) -> &'static [Self] {
        match category {
            EventCategory::Management => &[Category, EventSource, ReadOnly],
            EventCategory::Data => &[
                Category,
                EventName,
                EventSource,
                EventType,
                ReadOnly,
                ResourcesArn,
                ResourcesType,
                SessionCredentialFromConsole,
                UserIdentityArn,
            ],
            EventCategory::NetworkActivity => &[
                Category,
                ErrorCode,
                EventName,
                EventSource,
                UserIdentityArn,
                VpcEndpointId,
            ],
        }
    }

    /// What must be asked besides the category itself.
    pub(super) fn required(category: EventCategory) -> Option<Self> {
        match category {
            EventCategory::Management => None,
            EventCategory::Data => Some(ResourcesType),
            EventCategory::NetworkActivity => Some(EventSource),
        }
    }

    fn operators(self, category: EventCategory) -> Option<&'static [Operator]> {
        match (self, category) {
            (Category | ReadOnly | ResourcesType | ErrorCode, _)
            | (EventSource, EventCategory::NetworkActivity) => Some(&[Operator::Equals]),
            (EventSource, EventCategory::Management) => Some(&[Operator::NotEquals]),
            (SessionCredentialFromConsole, _) => Some(&[Operator::Equals, Operator::NotEquals]),
            _ => None,
        }
    }

    /// Checks operators and values. `kind` is that of the resources, where there is one.
    pub(super) fn check(
        self,
        category: EventCategory,
        conditions: &Conditions,
        kind: Option<&str>,
    ) -> Result<(), SelectorError> {
        let field = self.as_str();
        if conditions.all().is_empty() || conditions.all().iter().any(|(_, values)| values.is_empty()) {
            return Err(SelectorError::NoOperator(field));
        }
        let allowed = self.operators(category);
        for (operator, value) in conditions.values() {
            if !allowed.is_none_or(|allowed| allowed.contains(&operator)) {
                return Err(SelectorError::OperatorNotAllowed {
                    field,
                    operator: operator.as_str(),
                });
            }
            let short = (1..=2048).contains(&value.chars().count());
            if !short || !self.takes(category, (operator, value), kind) {
                return Err(SelectorError::FieldValue {
                    field,
                    value: Quoted::of(value),
                });
            }
        }
        let single = matches!(
            self,
            Category | ReadOnly | ResourcesType | SessionCredentialFromConsole
        );
        if single && conditions.values().count() > 1 {
            return Err(SelectorError::OneValue(field));
        }
        Ok(())
    }

    fn takes(self, category: EventCategory, (operator, value): (Operator, &str), kind: Option<&str>) -> bool {
        match self {
            ReadOnly => matches!(value, "true" | "false"),
            SessionCredentialFromConsole => value == "true",
            ErrorCode => value == "VpceAccessDenied",
            EventSource if category == EventCategory::Management => {
                matches!(value, "kms.amazonaws.com" | "rdsdata.amazonaws.com")
            }
            ResourcesType => is_kind(value),
            ResourcesArn if matches!(operator, Operator::Equals | Operator::NotEquals) => {
                is_arn_of(kind, value)
            }
            Category | EventName | EventSource | EventType | ResourcesArn | UserIdentityArn
            | VpcEndpointId => true,
        }
    }

    /// What a record says of a field that is not of its resources.
    pub(super) fn of_record(self, record: &Record) -> Option<String> {
        match self {
            ErrorCode => record.error_code.clone(),
            Category => Some(record.event_category.as_str().to_owned()),
            EventName => Some(record.event_name.clone()),
            EventSource => Some(record.event_source.clone()),
            EventType => Some(record.event_type.to_string()),
            // What is not known to read only may have written.
            ReadOnly => Some(record.read_only.unwrap_or(false).to_string()),
            SessionCredentialFromConsole => record.session_credential_from_console.clone(),
            UserIdentityArn => record.user_identity.arn.as_ref().map(ToString::to_string),
            VpcEndpointId => record.vpc_endpoint_id.clone(),
            ResourcesArn | ResourcesType => None,
        }
    }
}

/// `AWS::Service::Thing`. Which of them there are differs from region to region and grows, so the form is all that is asked.
fn is_kind(value: &str) -> bool {
    let mut parts = value.split("::");
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    parts.next() == Some("AWS") && parts.clone().count() == 2 && parts.all(word)
}

/// Whether this can be the whole ARN of something of this type: of an object, with a bucket and a key.
fn is_arn_of(kind: Option<&str>, value: &str) -> bool {
    if kind == Some("AWS::S3::Object") {
        let rest = value
            .strip_prefix("arn:aws:s3:::")
            .and_then(|rest| rest.split_once('/'));
        return rest.is_some_and(|(bucket, _)| bucket.parse::<moho_terms::BucketName>().is_ok());
    }
    value.parse::<moho_terms::Arn>().is_ok()
}
