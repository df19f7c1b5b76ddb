//! What is written down of what was done, beside the decisions that allowed it: a call and what came of it, what goes by
//! itself as its time has come, what was found to be damaged. No content: names, times, sizes and codes only.
//!
//! It has what an event of CloudTrail's has of an object call, but for what follows from it.

use std::net::IpAddr;

use moho_terms::{
    AccessKeyId, AccountId, Arn, BucketName, ObjectKey, RequestId, Timestamp, UploadId, VersionId,
};
use serde::{Serialize, Serializer};

use super::facts::RequestFacts;
use super::journal::as_text;
use crate::authn::Authenticated;
use crate::session::Principal;
use moho_terms::hex;

/// The form of events. Whoever reads another one does not know it.
const FORM: u8 = 1;

/// What kind of event. Decisions have no such member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// Somebody called, and this came of it.
    Call,
    /// The same of S3's calls.
    DataEvent,
    /// A service did it by itself. It is written down before the change that does it is kept.
    ServiceEvent,
    /// Something that is kept is not as it was written.
    Finding,
}

/// What sort of thing a call is about, as CloudTrail tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventCategory {
    /// Objects, and what is in a bucket.
    Data,
    /// A bucket itself.
    Management,
}

/// Something that happened. The journal numbers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// What kind.
    pub kind: EventKind,
    #[serde(rename = "form")]
    form: u8,
    /// When; of a call, when its head had come. Serialized as `2015-08-30T12:36:00Z`.
    #[serde(serialize_with = "as_text")]
    pub time: Timestamp,
    /// In which request; what is in none has an id of its own.
    pub request_id: RequestId,
    /// The event's own id. Of calls only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<RequestId>,
    /// Of a call: the service, such as `kms.amazonaws.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static str>,
    /// What, such as `GetObject` or `LifecycleExpiration:Delete`.
    pub event: &'static str,
    /// Of a call: what sort of thing it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<EventCategory>,
    /// Whether it could change nothing.
    pub read_only: bool,
    /// Who did it.
    pub identity: EventIdentity,
    /// Whence a call came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<EventOrigin>,
    /// On what.
    pub subject: EventSubject,
    /// How what was written or read is sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealing: Option<EventSealing>,
    /// What came of a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<EventAnswer>,
    /// What is not as it was written, and so was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// Of a call: the accounts that are told of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<AccountId>,
    /// Of a call: CloudTrail's record of it, sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventIdentity {
    /// `AssumedRole`, `IAMUser`, `FederatedUser` or `AWSService`, as CloudTrail says it.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `AROA…:name`, `AIDA…` or `ACCOUNT:name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    /// The session, or the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<Arn>,
    /// Its account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The public half of its credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<AccessKeyId>,
    /// The role or user that the session is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Arn>,
    /// When the session was issued.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "perhaps_as_text")]
    pub issued_at: Option<Timestamp>,
    /// Who stands behind the session, if its first one said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_identity: Option<String>,
    /// The identity provider that its chain of sessions is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub federated_provider: Option<String>,
    /// `sigv4`, `own-service` and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<&'static str>,
    /// The service that acts by itself, such as `s3.amazonaws.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoked_by: Option<&'static str>,
}

/// Whence a call came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventOrigin {
    /// From which address; `None` on a local socket.
    pub source_ip: Option<IpAddr>,
    /// The user id of the process at the other end of a local socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_uid: Option<u32>,
    /// The private endpoint it came by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Whose that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_account: Option<AccountId>,
    /// SHA-256 of the certificate (DER) that the client showed, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate_sha256: Option<String>,
    /// SHA-256 of the caller's `User-Agent`, in hexadecimal: what it says is the caller's to choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent_sha256: Option<String>,
    /// Whether nobody on the way could listen in.
    pub secure: bool,
    /// The version of TLS, such as `1.3`; `None` without.
    pub tls: Option<&'static str>,
    /// The cipher suite, such as `TLS_AES_128_GCM_SHA256`; `None` without TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher_suite: Option<&'static str>,
    /// How the signature came: `AuthHeader` or `QueryString`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<&'static str>,
}

/// On what. What was not named, or not so that it could be anything's name, is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct EventSubject {
    /// The bucket.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "perhaps_as_text")]
    pub bucket: Option<BucketName>,
    /// Whose that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket_account: Option<AccountId>,
    /// The object.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "perhaps_as_text")]
    pub key: Option<ObjectKey>,
    /// The version that was read, made or deleted.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "perhaps_as_text")]
    pub version_id: Option<VersionId>,
    /// The version that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "perhaps_as_text")]
    pub requested_version_id: Option<VersionId>,
    /// Whether that version is a delete marker, or one was made.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub delete_marker: bool,
    /// The upload in parts.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "perhaps_as_text")]
    pub upload_id: Option<UploadId>,
    /// The part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<u16>,
    /// What was copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_source: Option<EventSource>,
    /// How many objects a batch of deletions names: each has an event of its own beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
    /// Buckets that something was allowed on for the call, but for the caller's own: of these it may know whose they are.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "each_as_text")]
    pub allowed_on: Vec<BucketName>,
    /// The call that this one was part of, such as `DeleteObjects`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_of: Option<&'static str>,
    /// What is no object and no bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Arn>,
    /// What was decided about for a call, in that order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Arn>,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventSource {
    /// The bucket.
    #[serde(serialize_with = "as_text")]
    pub bucket: BucketName,
    /// The object.
    #[serde(serialize_with = "as_text")]
    pub key: ObjectKey,
    /// The version, if one was named.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "perhaps_as_text")]
    pub version_id: Option<VersionId>,
    /// Whose the bucket is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
}

/// How something is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventSealing {
    /// `AES256` or `aws:kms`, as the reply says it.
    pub sse: &'static str,
    /// The KmsKey, if the reply names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Arn>,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventAnswer {
    /// The reply's status; `None` if there was no reply.
    pub status: Option<u16>,
    /// The error that the caller gets, such as `AccessDenied` or `NoSuchKey`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// Bytes of the request's body that were taken.
    pub bytes_in: u64,
    /// Bytes of the reply's body that were handed over to be sent.
    pub bytes_out: u64,
    /// How far the reply came.
    pub delivery: Delivery,
}

/// How far a reply came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// All of it was there to be sent, and the last of it is sent after this was written down.
    Complete,
    /// It is a stream, which began after this was written down.
    Begun,
    /// It was broken off, as the rest could not be read or moho was ending.
    BrokenOff,
    /// The caller left before its end.
    Abandoned,
    /// The caller left before its beginning: whether anything was done, the store shows.
    Unanswered,
    /// moho ended before, or could write nothing more: whether anything was done, the store shows.
    Interrupted,
}

impl Event {
    /// Something of a kind that happened in a request or by itself; it could change something, and nothing else is known.
    #[must_use]
    pub fn new(
        (kind, event): (EventKind, &'static str),
        request_id: RequestId,
        identity: EventIdentity,
        time: Timestamp,
    ) -> Self {
        Self {
            kind,
            form: FORM,
            time,
            request_id,
            event_id: None,
            source: None,
            event,
            category: None,
            read_only: false,
            identity,
            origin: None,
            subject: EventSubject::default(),
            sealing: None,
            answer: None,
            damage: None,
            recipients: Vec::new(),
            record: None,
        }
    }
}

impl EventIdentity {
    /// Whoever proved who it is.
    #[must_use]
    pub fn of(caller: &Authenticated) -> Self {
        let session = caller.session();
        let (kind, invoked_by) = match session.principal() {
            Principal::AssumedRole { .. } => ("AssumedRole", None),
            Principal::User(_) => ("IAMUser", None),
            Principal::FederatedUser { .. } => ("FederatedUser", None),
            Principal::WebIdentity(_) => ("WebIdentityUser", None),
            Principal::Bootstrap => ("Unknown", None),
            Principal::Service(service) => ("AWSService", Some(service.as_str())),
        };
        let (session_of, own) = (session.role_arn(), session.principal_arn());
        Self {
            kind,
            principal_id: Some(session.user_id().to_owned()),
            principal: Some(own.clone()),
            account: Some(session.account()),
            access_key_id: session.access_key_id().cloned(),
            issuer: (session_of != own).then(|| session_of.clone()),
            issued_at: session.is_temporary().then(|| session.issued_at()),
            source_identity: session.source_identity().map(ToString::to_string),
            federated_provider: session.federated_provider().map(str::to_owned),
            scheme: Some(caller.scheme().as_str()),
            invoked_by,
        }
    }

    /// A service that acts by itself, on what `account` has.
    #[must_use]
    pub fn of_service(service: &'static str, account: Option<AccountId>) -> Self {
        Self {
            kind: "AWSService",
            principal_id: None,
            principal: None,
            account,
            access_key_id: None,
            issuer: None,
            issued_at: None,
            source_identity: None,
            federated_provider: None,
            scheme: None,
            invoked_by: Some(service),
        }
    }
}

impl EventOrigin {
    /// What is known of a request, which came over this version of TLS with this cipher suite, and how its signature came.
    #[must_use]
    pub fn of(
        facts: &RequestFacts,
        (tls, cipher_suite): (Option<&'static str>, Option<&'static str>),
        authentication: Option<&'static str>,
    ) -> Self {
        let digits = |digest: &Option<[u8; 32]>| digest.as_ref().map(|digest| hex::encode(digest));
        Self {
            source_ip: facts.source_ip,
            peer_uid: facts.peer_uid,
            endpoint: facts.endpoint.as_ref().map(|endpoint| endpoint.id.clone()),
            endpoint_account: facts.endpoint.as_ref().map(|endpoint| endpoint.account),
            client_certificate_sha256: digits(&facts.client_certificate_sha256),
            user_agent_sha256: digits(&facts.user_agent_sha256),
            secure: facts.secure_transport,
            tls,
            cipher_suite,
            authentication,
        }
    }
}

fn each_as_text<T: std::fmt::Display, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

#[expect(clippy::ref_option, reason = "serde hands over what it has")]
fn perhaps_as_text<T: std::fmt::Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_says_what_kind_it_is_and_leaves_out_what_is_not_known() {
        let id = "00112233-4455-4677-8899-aabbccddeeff".parse().unwrap();
        let identity = EventIdentity::of_service("s3.amazonaws.com", Some("123456789012".parse().unwrap()));
        let what = (EventKind::ServiceEvent, "LifecycleExpiration:Delete");
        let mut event = Event::new(what, id, identity, Timestamp::from_unix_seconds(1));
        event.subject.bucket = Some("a-bucket".parse().unwrap());
        event.subject.key = Some("a \"key\"".parse().unwrap());
        event.subject.version_id = Some(VersionId::null());
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"kind":"service-event","form":1,"time":"1970-01-01T00:00:01Z","request_id":"00112233-4455-4677-8899-aabbccddeeff","event":"LifecycleExpiration:Delete","read_only":false,"identity":{"type":"AWSService","account":"123456789012","invoked_by":"s3.amazonaws.com"},"subject":{"bucket":"a-bucket","key":"a \"key\"","version_id":"null"}}"#
        );
        event.answer = Some(EventAnswer {
            status: Some(206),
            error_code: None,
            bytes_in: 0,
            bytes_out: 7,
            delivery: Delivery::BrokenOff,
        });
        let written = serde_json::to_string(&event).unwrap();
        let answer = r#""answer":{"status":206,"bytes_in":0,"bytes_out":7,"delivery":"broken-off"}"#;
        assert!(written.contains(answer), "{written}");
    }
}
