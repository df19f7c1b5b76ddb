//! What is written down about every decision, before anything happens. No content: names, times and codes only.

use std::error::Error;
use std::fmt::Display;
use std::net::IpAddr;

use moho_terms::{AccessKeyId, AccountId, Arn, RequestId, Timestamp};
use serde::{Serialize, Serializer};

use super::authorizer::unauthenticated;
use super::event::Event;
use super::facts::RequestFacts;

/// How it was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The caller may.
    Allow,
    /// The caller may not.
    Deny,
    /// The caller is not who it says, or does not say.
    Unauthenticated,
}

/// One decision. The journal numbers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When it was decided; serialized as `2015-08-30T12:36:00Z`.
    #[serde(serialize_with = "as_text")]
    pub time: Timestamp,
    /// In which request.
    pub request_id: RequestId,
    /// How.
    pub outcome: Outcome,
    /// Why, as a short stable code such as `allowed`, `explicit-deny/identity` or `bad-signature`.
    pub reason: &'static str,
    /// Who asked; `None` if nobody was authenticated. So are the next four.
    pub principal: Option<Arn>,
    /// The principal's account.
    pub account: Option<AccountId>,
    /// The public half of its credentials.
    pub access_key_id: Option<AccessKeyId>,
    /// `sigv4`, `bearer` or `bootstrap`.
    pub scheme: Option<&'static str>,
    /// For what, such as `bedrock-mantle:CreateInference`.
    pub action: Option<&'static str>,
    /// On what.
    pub resource: Option<Arn>,
    /// The policy with the statement that decided, as [`PolicySourceId`](super::PolicySourceId) has it; `None` if no
    /// statement did.
    pub policy: Option<String>,
    /// The `Sid` of that statement; `#2` for a second one without.
    pub statement: Option<String>,
    /// Who stands behind the session, if its first one said so.
    pub source_identity: Option<String>,
    /// The private endpoint the request came by.
    pub endpoint: Option<String>,
    /// From which address; `None` on a local socket.
    pub source_ip: Option<IpAddr>,
    /// The user id of the process at the other end of a local socket, as the kernel vouches; `None` for one on the
    /// network.
    pub peer_uid: Option<u32>,
    /// SHA-256 of the certificate (DER) that the client showed at a private endpoint, in hexadecimal.
    pub client_certificate_sha256: Option<String>,
    /// SHA-256 of the caller's `User-Agent`, in hexadecimal.
    pub user_agent_sha256: Option<String>,
    /// The error the caller gets, such as `AccessDenied`; `None` when allowed.
    pub error_code: Option<&'static str>,
    /// The service that used a key for the principal, such as `bedrock.eu-central-1.amazonaws.com`; not written otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via_service: Option<String>,
    /// What this entry stands for, if it is of several failures; not written otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub further: Option<FurtherFailures>,
    /// Why it was denied as the caller may know it, if what decided is another account's; not written otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<ToldDenial>,
}

/// Why something was denied, by what a caller may know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToldDenial {
    /// As [`Entry::reason`].
    pub reason: &'static str,
    /// As [`Entry::policy`].
    pub policy: Option<String>,
    /// As [`Entry::statement`].
    pub statement: Option<String>,
}

/// Failed authentications that have no entries of their own, as they were too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FurtherFailures {
    /// How many.
    pub count: u64,
    /// When the first of them was.
    #[serde(serialize_with = "as_text")]
    pub since: Timestamp,
}

impl Entry {
    /// One entry for many failures that have none; `first` is what is known of all of them, and the id of the first.
    #[must_use]
    pub fn of_further_failures(first: &RequestFacts, further: FurtherFailures, now: Timestamp) -> Self {
        Self {
            further: Some(further),
            ..unauthenticated(first, now, "further-failures")
        }
    }

    /// What the installation does by itself, as its time has come: nobody asked for `action`, and it is in no request, so the
    /// id is its own.
    #[must_use]
    pub fn of_due(id: RequestId, action: &'static str, resource: Arn, now: Timestamp) -> Self {
        Self {
            outcome: Outcome::Allow,
            action: Some(action),
            resource: Some(resource),
            ..unauthenticated(&RequestFacts::new(id), now, "due")
        }
    }
}

impl Entry {
    /// What was done to the installation as a whole, by whoever operates it: nobody asked for `action` in a request, and no policy
    /// was asked. `reason` says by which way, such as `operator`.
    #[must_use]
    pub fn of_installation(
        id: RequestId,
        (action, reason): (&'static str, &'static str),
        resource: Arn,
        now: Timestamp,
    ) -> Self {
        Self {
            outcome: Outcome::Allow,
            action: Some(action),
            resource: Some(resource),
            ..unauthenticated(&RequestFacts::new(id), now, reason)
        }
    }
}

pub(super) fn as_text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Where an entry stands in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Position(pub u64);

/// The journal could not be written. The request must fail.
#[derive(Debug, thiserror::Error)]
#[error("the journal cannot be written")]
pub struct JournalUnavailable(#[source] Box<dyn Error + Send + Sync>);

impl JournalUnavailable {
    /// Because of `source`.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// Where decisions, and what came of them, are written down. The one outside tests is `audit`'s.
pub trait Journal: Send + Sync {
    /// Writes an entry down, so that it survives the process being killed.
    ///
    /// # Errors
    /// [`JournalUnavailable`]: nothing was written, and nothing may happen.
    fn record(&self, entry: &Entry) -> Result<Position, JournalUnavailable>;

    /// Writes down something that happened, in the same order and as lastingly.
    ///
    /// # Errors
    /// [`JournalUnavailable`]: nothing was written, and whoever waits for it must not be told that it was done.
    fn record_event(&self, event: &Event) -> Result<Position, JournalUnavailable>;
}
