//! A record of CloudTrail's: one call, or one thing that a service did by itself, as JSON (`eventVersion` 1.11).
//!
//! Members stand in the order in which AWS writes them; what is not known is left out, but for `requestParameters` and
//! `responseElements`, which are `null` then. [`RecordText`] is the proof that a record is as short as AWS's are.

mod call;
mod fit;
mod identity;
mod object;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;

use moho_iam::authz;
use moho_terms::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

use super::moment;

pub use call::{Resource, TlsDetails};
pub use identity::{SessionAttributes, SessionContext, SessionIssuer, UserIdentity, WebIdFederation};
pub use object::{JsonObject, JsonObjectError};

/// The version of the form that is written.
pub const EVENT_VERSION: &str = "1.11";
/// Longest record, as JSON.
pub const MAX_RECORD: usize = 256 * 1024;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// `1.11`.
    pub event_version: String,
    /// Who called.
    pub user_identity: UserIdentity,
    /// When the call was done. To the second.
    #[serde(with = "moment")]
    pub event_time: Timestamp,
    /// The service, such as `kms.amazonaws.com`.
    pub event_source: String,
    /// The operation, such as `GetObject`.
    pub event_name: String,
    /// The region.
    pub aws_region: String,
    /// An address, or the name of the service that called.
    #[serde(rename = "sourceIPAddress", default, skip_serializing_if = "Option::is_none")]
    pub source_ip_address: Option<String>,
    /// What the caller says of its program. At most 1 KB is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The error, such as `AccessDenied`. At most 1 KB is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// What the error says. At most 1 KB is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// What was asked, without any content; `null` if there is nothing to say. Omitted past 100 KB.
    pub request_parameters: Option<JsonObject>,
    /// What was answered, without any content; `null` of what only reads. Omitted past 100 KB.
    pub response_elements: Option<JsonObject>,
    /// What belongs to neither. Omitted past 28 KB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_event_data: Option<JsonObject>,
    /// The request's id. At most 1 KB is kept.
    #[serde(rename = "requestID", default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The event's own id, a UUID.
    #[serde(rename = "eventID")]
    pub event_id: String,
    /// Whether it could change nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// On what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// What kind of event.
    pub event_type: EventType,
    /// Of `AwsApiCall` and `AwsServiceEvent`: whether it is a management event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_event: Option<bool>,
    /// The account that this record is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_account_id: Option<AccountId>,
    /// Of `AwsServiceEvent`: what set it off, and what came of it. Omitted past 100 KB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_event_details: Option<JsonObject>,
    /// The id that the records of one call for several accounts have in common.
    #[serde(rename = "sharedEventID", default, skip_serializing_if = "Option::is_none")]
    pub shared_event_id: Option<String>,
    /// The private endpoint it came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_endpoint_id: Option<String>,
    /// Whose that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_endpoint_account_id: Option<AccountId>,
    /// Which selectors it is for.
    pub event_category: EventCategory,
    /// How the connection was secured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_details: Option<TlsDetails>,
    /// `true` if the credentials are of a session at a console; left out otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_credential_from_console: Option<String>,
}

/// What kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "CloudTrail's words")]
pub enum EventType {
    AwsApiCall,
    AwsServiceEvent,
    AwsConsoleAction,
    AwsConsoleSignIn,
    AwsVpceEvents,
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AwsApiCall => "AwsApiCall",
            Self::AwsServiceEvent => "AwsServiceEvent",
            Self::AwsConsoleAction => "AwsConsoleAction",
            Self::AwsConsoleSignIn => "AwsConsoleSignIn",
            Self::AwsVpceEvents => "AwsVpceEvents",
        })
    }
}

/// Which selectors an event is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "CloudTrail's words")]
pub enum EventCategory {
    Management,
    Data,
    NetworkActivity,
}

impl EventCategory {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Management => "Management",
            Self::Data => "Data",
            Self::NetworkActivity => "NetworkActivity",
        }
    }
}

impl From<authz::EventCategory> for EventCategory {
    fn from(category: authz::EventCategory) -> Self {
        match category {
            authz::EventCategory::Data => Self::Data,
            authz::EventCategory::Management => Self::Management,
        }
    }
}

/// Which event a record is of: the least that is known of any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// Its own id, a UUID.
    pub event_id: String,
    /// When.
    pub time: Timestamp,
    /// The service, such as `kms.amazonaws.com`.
    pub source: String,
    /// The operation.
    pub name: String,
    /// Where.
    pub region: String,
    /// Which selectors it is for.
    pub category: EventCategory,
}

impl Record {
    /// A call of which nothing but this is known.
    #[must_use]
    pub fn of_call(which: Which, user_identity: UserIdentity) -> Self {
        Self {
            event_version: EVENT_VERSION.to_owned(),
            user_identity,
            event_time: which.time,
            event_source: which.source,
            event_name: which.name,
            aws_region: which.region,
            source_ip_address: None,
            user_agent: None,
            error_code: None,
            error_message: None,
            request_parameters: None,
            response_elements: None,
            additional_event_data: None,
            request_id: None,
            event_id: which.event_id,
            read_only: None,
            resources: Vec::new(),
            event_type: EventType::AwsApiCall,
            management_event: Some(which.category == EventCategory::Management),
            recipient_account_id: None,
            service_event_details: None,
            shared_event_id: None,
            vpc_endpoint_id: None,
            vpc_endpoint_account_id: None,
            event_category: which.category,
            tls_details: None,
            session_credential_from_console: None,
        }
    }

    /// Something that `service` did by itself: it is what called, from itself.
    #[must_use]
    pub fn of_service(which: Which, service: &str) -> Self {
        let mut record = Self::of_call(which, UserIdentity::of_service(service));
        record.event_type = EventType::AwsServiceEvent;
        record.source_ip_address = Some(service.to_owned());
        record.user_agent = Some(service.to_owned());
        record
    }

    /// Reads a record. What it does not know it refuses: it was written by a later version, and would be lost here.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD {
            return Err(RecordError::TooLarge { limit: MAX_RECORD });
        }
        serde_json::from_slice(bytes).map_err(RecordError::malformed)
    }

    /// The record as one line of JSON of at most [`MAX_RECORD`] bytes. What is too large is cut or omitted first, as AWS does.
    ///
    /// # Errors
    /// [`RecordError::TooLarge`]: even the rest is.
    pub fn into_text(self) -> Result<RecordText, RecordError> {
        let event_time = Timestamp::from_unix_seconds(self.event_time.unix_seconds());
        let text = fit::text(self)?;
        Ok(RecordText { text, event_time })
    }

    /// The same in fewer bytes, for where there is no room for as many.
    ///
    /// # Errors
    /// [`RecordError::TooLarge`]: even the rest is.
    pub(crate) fn into_text_within(self, limit: usize) -> Result<RecordText, RecordError> {
        let event_time = Timestamp::from_unix_seconds(self.event_time.unix_seconds());
        let text = fit::text_within(self, limit)?;
        Ok(RecordText { text, event_time })
    }
}

/// A record as one line of JSON, of at most [`MAX_RECORD`] bytes and without a line break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordText {
    text: String,
    event_time: Timestamp,
}

impl RecordText {
    /// The JSON.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its `eventTime`.
    #[must_use]
    pub fn event_time(&self) -> Timestamp {
        self.event_time
    }
}

/// Bytes that are no record, or a record that cannot be written. Never holds any of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is too long, whatever is omitted.
    #[error("a CloudTrail record has at most {limit} bytes")]
    TooLarge {
        /// The most there may be.
        limit: usize,
    },
    /// It is not the JSON of a record.
    #[error("not a CloudTrail record: wrong in line {line}, column {column}")]
    Malformed {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}

impl RecordError {
    /// What serde says quotes what it read, so only the place is kept.
    #[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
    pub(super) fn malformed(error: serde_json::Error) -> Self {
        Self::Malformed {
            line: error.line(),
            column: error.column(),
        }
    }
}
