//! Calls that nobody was answered: moho was killed while it was at them, or its disk was full. Their decisions stand in the journal, and
//! what they allowed may have been done. So whoever starts next tells of them, before anything is served.

use std::path::Path;

use moho_audit::Interrupted;
use moho_audit::cloudtrail::record::JsonObject;
use moho_iam::OwnService;
use moho_iam::authz::{
    Delivery, Event, EventAnswer, EventCategory, EventIdentity, EventKind, EventOrigin, JournalUnavailable,
};
use moho_terms::{AccountId, Arn, BucketName};
use serde::Serialize;

use super::StartupError;
use crate::api_calls::{Recording, Told};

/// Services by which events are told apart; an action names one of them.
const SOURCES: [&str; 10] = [
    "bedrock-mantle.amazonaws.com",
    "bedrock.amazonaws.com",
    "cloudtrail.amazonaws.com",
    "ec2.amazonaws.com",
    "iam.amazonaws.com",
    "kms.amazonaws.com",
    "logs.amazonaws.com",
    "organizations.amazonaws.com",
    "s3.amazonaws.com",
    "sts.amazonaws.com",
];

/// moho's own calls, and whatever has no other source.
const MOHO: &str = "moho";

/// Whose a bucket is, if it is there.
type BucketOwner<'a> = &'a dyn Fn(&BucketName) -> Option<AccountId>;

/// Tells of every call that was interrupted among so many `records` of the journal.
pub(super) fn tell(
    journal: &Path,
    records: u64,
    (recording, bucket_owner): (&Recording, BucketOwner<'_>),
) -> Result<(), StartupError> {
    let interrupted = moho_audit::interrupted(journal, records)?;
    for one in &interrupted {
        write(one, recording, bucket_owner)?;
    }
    if !interrupted.is_empty() {
        tracing::warn!(
            calls = interrupted.len(),
            "moho ended, or its disk was full, before these calls were answered: each is in the journal as InterruptedCall"
        );
    }
    Ok(())
}

fn write(
    one: &Interrupted,
    recording: &Recording,
    bucket_owner: BucketOwner<'_>,
) -> Result<(), JournalUnavailable> {
    let told = Told {
        origin: Some(origin(one)),
        details: details(one),
        ..Told::default()
    };
    recording.write(event(one, bucket_owner), told)
}

fn event(one: &Interrupted, bucket_owner: BucketOwner<'_>) -> Event {
    let what = (EventKind::ServiceEvent, "InterruptedCall");
    let mut event = Event::new(what, one.request_id.clone(), identity(one), one.time);
    let actions = one.decided.iter().map(|decided| decided.action.as_str());
    event.source = Some(actions.map(source).next().unwrap_or(MOHO));
    event.category = Some(EventCategory::Management);
    event.recipients.extend(one.account);
    for decided in &one.decided {
        let Some(resource) = &decided.resource else {
            continue;
        };
        if !event.subject.resources.contains(resource) {
            event.subject.resources.push(resource.clone());
        }
        // Of what was denied it is not known whether anybody has it.
        if let Some(owner) = owner(resource, bucket_owner)
            && decided.error_code.is_none()
            && !event.recipients.contains(&owner)
        {
            event.recipients.push(owner);
        }
    }
    event.answer = Some(EventAnswer {
        status: None,
        error_code: one.decided.last().and_then(|last| last.error_code.clone()),
        bytes_in: 0,
        bytes_out: 0,
        delivery: Delivery::Interrupted,
    });
    event
}

/// Of which service an action is.
fn source(action: &str) -> &'static str {
    let (service, _) = action.split_once(':').unwrap_or((action, ""));
    let of_service = |source: &&str| source.split('.').next() == Some(service);
    SOURCES.into_iter().find(of_service).unwrap_or(MOHO)
}

/// Whose something is: the account of its ARN; of what is in a bucket, the bucket's.
fn owner(resource: &Arn, bucket_owner: BucketOwner<'_>) -> Option<AccountId> {
    if let Ok(account) = resource.account().parse() {
        return Some(account);
    }
    let named = resource.as_str().strip_prefix("arn:aws:s3:::")?;
    bucket_owner(&named.split('/').next()?.parse().ok()?)
}

/// Who it was, as far as the decisions tell.
fn identity(one: &Interrupted) -> EventIdentity {
    let services = [OwnService::S3Logging, OwnService::Bedrock, OwnService::CloudTrail];
    let principal = one.principal.as_str();
    let named = |service: &OwnService| principal.ends_with(&format!("/{}", service.as_str()));
    let service = services.into_iter().filter(|_| one.by_own_service()).find(named);
    let kind = match one.scheme.as_deref() {
        _ if service.is_some() => "AWSService",
        Some("web-identity") => "WebIdentityUser",
        _ if principal.contains(":assumed-role/") => "AssumedRole",
        _ if principal.contains(":user/") => "IAMUser",
        _ if principal.contains(":federated-user/") => "FederatedUser",
        _ => "Unknown",
    };
    EventIdentity {
        kind,
        principal_id: None,
        principal: Some(one.principal.clone()),
        account: one.account,
        access_key_id: one.access_key_id.clone(),
        issuer: None,
        issued_at: None,
        source_identity: one.source_identity.clone(),
        federated_provider: None,
        scheme: None,
        invoked_by: service.map(OwnService::as_str),
    }
}

/// Whence it came, as far as the decisions tell: not how the connection was secured.
fn origin(one: &Interrupted) -> EventOrigin {
    EventOrigin {
        source_ip: one.source_ip,
        peer_uid: None,
        endpoint: one.endpoint.clone(),
        endpoint_account: None,
        client_certificate_sha256: None,
        user_agent_sha256: None,
        secure: false,
        tls: None,
        cipher_suite: None,
        authentication: None,
    }
}

/// What was decided. Which operation it was, decisions do not tell.
fn details(one: &Interrupted) -> Option<JsonObject> {
    #[derive(Serialize)]
    struct Details<'a> {
        actions: Vec<&'a str>,
    }
    let mut actions: Vec<_> = one
        .decided
        .iter()
        .map(|decided| decided.action.as_str())
        .collect();
    actions.dedup();
    JsonObject::of(&Details { actions }).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use moho_audit::cloudtrail::record::{EventType, Record};
    use moho_audit::{DecidedThen, PastCall, RecordSeal};
    use moho_iam::authz::{Entry, Journal, Position};
    use moho_terms::{Secret, Timestamp};
    use moho_wire::ApiCall;

    use super::*;
    use crate::startup::watched::WatchedJournal;
    use crate::system::{SystemClock, SystemEntropy};

    const CALLER: &str = "111111111111";
    const OTHER: &str = "222222222222";

    #[derive(Clone, Default)]
    struct Pages(Arc<Mutex<Vec<Event>>>);

    impl Journal for Pages {
        fn record(&self, _entry: &Entry) -> Result<Position, JournalUnavailable> {
            Err(JournalUnavailable::new("nothing is decided here"))
        }

        fn record_event(&self, event: &Event) -> Result<Position, JournalUnavailable> {
            self.0.lock().unwrap().push(event.clone());
            Ok(Position(1))
        }
    }

    fn interrupted(principal: &str, scheme: &str, decided: &[(&str, &str, bool)]) -> Interrupted {
        let decided = decided.iter().map(|(action, resource, allowed)| DecidedThen {
            action: (*action).to_owned(),
            resource: resource.parse().ok(),
            error_code: (!allowed).then(|| "AccessDenied".to_owned()),
        });
        Interrupted {
            request_id: "00112233-4455-4677-8899-aabbccddeeff".parse().unwrap(),
            time: Timestamp::from_unix_seconds(1_795_312_800),
            principal: principal.parse().unwrap(),
            account: Some(CALLER.parse().unwrap()),
            access_key_id: None,
            scheme: Some(scheme.to_owned()),
            source_identity: None,
            endpoint: None,
            source_ip: Some("127.0.0.1".parse().unwrap()),
            decided: decided.collect(),
        }
    }

    /// The event that is written, and CloudTrail's records of it by account.
    fn written(one: &Interrupted) -> (Event, Vec<(AccountId, Record)>) {
        let pages = Pages::default();
        let journal = WatchedJournal::new(Box::new(pages.clone()), Arc::new(SystemClock));
        let seal = || RecordSeal::new(&Secret::new(vec![7; 32]));
        let recording = Recording {
            journal: Arc::new(journal),
            seal: seal(),
            entropy: Arc::new(SystemEntropy::default()),
            region: "moho-local-1".parse().unwrap(),
        };
        write(one, &recording, &|_bucket| OTHER.parse().ok()).unwrap();
        let event = pages.0.lock().unwrap().remove(0);
        let past = PastCall {
            position: 1,
            event_id: event.event_id.clone().unwrap(),
            recipients: event.recipients.clone(),
            sealed: event.record.clone().unwrap(),
        };
        let records = past.records(&seal()).unwrap();
        (event, records)
    }

    #[test]
    fn whoever_called_is_told_and_whoever_has_what_that_was_allowed_on() {
        let session = "arn:aws:sts::111111111111:assumed-role/Admin/me";
        let bucket = "arn:aws:s3:::a-bucket/key";
        let key = "arn:aws:kms:moho-local-1:333333333333:key/k";
        let decided = [
            ("s3:PutObject", bucket, true),
            ("s3:PutObject", bucket, true),
            ("kms:GenerateDataKey", key, false),
        ];
        let one = interrupted(session, "sigv4", &decided);
        let (event, records) = written(&one);
        assert_eq!(event.source, Some("s3.amazonaws.com"));
        assert_eq!(event.subject.resources.len(), 2);
        let answer = event.answer.unwrap();
        assert_eq!((answer.status, answer.delivery), (None, Delivery::Interrupted));
        assert_eq!(answer.error_code.as_deref(), Some("AccessDenied"));
        let [(first, own), (second, others)] = records.as_slice() else {
            panic!("{records:?}")
        };
        assert_eq!((first.as_str(), second.as_str()), (CALLER, OTHER));
        assert_eq!(own.event_type, EventType::AwsServiceEvent);
        assert_eq!(own.user_identity.kind, "AssumedRole");
        assert_eq!(own.user_identity.arn.as_ref().unwrap().as_str(), session);
        assert_eq!(own.source_ip_address.as_deref(), Some("127.0.0.1"));
        let details = serde_json::to_string(&own.service_event_details).unwrap();
        assert_eq!(details, r#"{"actions":["s3:PutObject","kms:GenerateDataKey"]}"#);
        assert_eq!(
            (&others.user_identity.arn, &others.service_event_details),
            (&None, &None)
        );
    }

    #[test]
    fn who_it_was_is_told_as_then() {
        for (principal, scheme, kind) in [
            ("arn:aws:iam::111111111111:user/a/me", "sigv4", "IAMUser"),
            (
                "arn:aws:sts::111111111111:federated-user/me",
                "sigv4",
                "FederatedUser",
            ),
            ("arn:aws:iam::111111111111:bootstrap", "bootstrap", "Unknown"),
            (
                "arn:aws:iam::111111111111:oidc-provider/idp",
                "web-identity",
                "WebIdentityUser",
            ),
            (
                "arn:aws:iam::111111111111:service/bedrock.amazonaws.com",
                "own-service",
                "AWSService",
            ),
        ] {
            let one = interrupted(principal, scheme, &[("sts:AssumeRole", "", true)]);
            let (event, records) = written(&one);
            assert_eq!(event.identity.kind, kind);
            let [(_, record)] = records.as_slice() else {
                panic!()
            };
            let told = (kind == "AWSService").then_some("bedrock.amazonaws.com");
            assert_eq!(record.user_identity.invoked_by.as_deref(), told);
            assert_eq!(event.identity.principal.is_none(), kind == "WebIdentityUser");
        }
    }

    #[test]
    fn every_source_of_calls_is_known() {
        for call in ApiCall::all() {
            let (service, _) = call.source.split_once('.').unwrap_or((call.source, ""));
            assert_eq!(source(&format!("{service}:Any")), call.source);
        }
    }
}
