//! Records as AWS writes them, read and written back, and what the journal knows of a call as one.

use moho_iam::authz::{EventIdentity, EventOrigin, EventSource, EventSubject};
use proptest::prelude::*;

use super::*;

/// After "CloudTrail log file examples", with the members in AWS's order.
const ASSUMED: &str = r#"{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLEEXAMPLE00:me","arn":"arn:aws:sts::123456789012:assumed-role/Admin/me","accountId":"123456789012","accessKeyId":"ASIAIOSFODNN7EXAMPLE","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLEEXAMPLE00","arn":"arn:aws:iam::123456789012:role/path/Admin","accountId":"123456789012","userName":"Admin"},"webIdFederationData":{"federatedProvider":"arn:aws:iam::123456789012:oidc-provider/idp.example","attributes":{}},"attributes":{"creationDate":"2015-08-30T11:00:00Z","mfaAuthenticated":"false"},"sourceIdentity":"somebody"}},"eventTime":"2015-08-30T12:36:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"us-east-2","sourceIPAddress":"192.0.2.7","userAgent":"[aws-cli/2.15]","errorCode":"NoSuchKey","errorMessage":"The specified key does not exist.","requestParameters":{"bucketName":"a-bucket","key":"a \"key\""},"responseElements":null,"additionalEventData":{"bytesTransferredOut":7},"requestID":"00112233-4455-4677-8899-aabbccddeeff","eventID":"10112233-4455-4677-8899-aabbccddeeff","readOnly":true,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::a-bucket/a \"key\""},{"accountId":"123456789012","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::a-bucket"}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"123456789012","sharedEventID":"20112233-4455-4677-8899-aabbccddeeff","vpcEndpointId":"vpce-0123456789abcdef0","vpcEndpointAccountId":"123456789012","eventCategory":"Data","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"s3.us-east-2.amazonaws.com"}}"#;

pub(crate) fn which(name: &str, category: EventCategory) -> Which {
    Which {
        event_id: "10112233-4455-4677-8899-aabbccddeeff".to_owned(),
        time: Timestamp::from_unix_seconds(1_440_938_160),
        source: "s3.amazonaws.com".to_owned(),
        name: name.to_owned(),
        region: "us-east-2".to_owned(),
        category,
    }
}

/// A call of which next to nothing is known.
pub(crate) fn call() -> Record {
    Record::of_call(which("GetObject", EventCategory::Data), UserIdentity::default())
}

/// An object of exactly so many bytes.
pub(crate) fn object_of(size: usize) -> JsonObject {
    JsonObject::parse(&format!(r#"{{"a":"{}"}}"#, "x".repeat(size - 8))).unwrap()
}

fn identity(kind: &'static str) -> EventIdentity {
    EventIdentity {
        kind,
        ..EventIdentity::of_service("s3.amazonaws.com", None)
    }
}

#[test]
fn a_record_is_read_and_written_as_it_was() {
    let record = Record::parse(ASSUMED.as_bytes()).unwrap();
    assert_eq!(
        record
            .user_identity
            .session_context
            .as_ref()
            .unwrap()
            .source_identity
            .as_deref(),
        Some("somebody")
    );
    let text = record.into_text().unwrap();
    assert_eq!(text.as_str(), ASSUMED);
    assert_eq!(text.event_time().to_string(), "2015-08-30T12:36:00Z");
}

#[test]
fn what_is_not_known_is_left_out_but_for_request_and_response() {
    let written =
        Record::of_service(which("Rotate", EventCategory::Management), "kms.amazonaws.com").into_text();
    assert_eq!(
        written.unwrap().as_str(),
        r#"{"eventVersion":"1.11","userIdentity":{"type":"AWSService","invokedBy":"kms.amazonaws.com"},"eventTime":"2015-08-30T12:36:00Z","eventSource":"s3.amazonaws.com","eventName":"Rotate","awsRegion":"us-east-2","sourceIPAddress":"kms.amazonaws.com","userAgent":"kms.amazonaws.com","requestParameters":null,"responseElements":null,"eventID":"10112233-4455-4677-8899-aabbccddeeff","eventType":"AwsServiceEvent","managementEvent":true,"eventCategory":"Management"}"#
    );
}

#[test]
fn the_words_of_event_types_are_those_they_are_written_with() {
    for kind in [
        EventType::AwsApiCall,
        EventType::AwsServiceEvent,
        EventType::AwsConsoleAction,
        EventType::AwsConsoleSignIn,
        EventType::AwsVpceEvents,
    ] {
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
    }
    for category in [
        EventCategory::Management,
        EventCategory::Data,
        EventCategory::NetworkActivity,
    ] {
        assert_eq!(
            serde_json::to_string(&category).unwrap(),
            format!("\"{}\"", category.as_str())
        );
    }
}

#[test]
fn what_is_no_record_is_refused_by_its_place_alone() {
    for (from, to) in [
        ("\"eventID\":", "\"eventid\":"),
        ("2015-08-30T12:36:00Z", "2015-08-30"),
        ("{\"bucketName\":\"a-bucket\",\"key\":\"a \\\"key\\\"\"}", "[]"),
        ("\"readOnly\":true", "\"readOnly\":\"secret\""),
        ("\"Data\"", "\"Other\""),
        ("\"readOnly\":true", "\"readOnly\":true,\"later\":1"),
        (
            "\"responseElements\":null",
            "\"responseElements\":null,\"responseElements\":null",
        ),
    ] {
        assert!(ASSUMED.contains(from), "{from}");
        let error = Record::parse(ASSUMED.replace(from, to).as_bytes()).unwrap_err();
        let RecordError::Malformed { line, column } = error.clone() else {
            panic!("{error}")
        };
        assert_eq!(
            error.to_string(),
            format!("not a CloudTrail record: wrong in line {line}, column {column}")
        );
    }
    let large = ASSUMED.replace("somebody", &"x".repeat(MAX_RECORD));
    assert_eq!(
        Record::parse(large.as_bytes()),
        Err(RecordError::TooLarge { limit: MAX_RECORD })
    );
    for end in 0..ASSUMED.len() {
        assert!(Record::parse(&ASSUMED.as_bytes()[..end]).is_err(), "{end}");
    }
    let deep = ASSUMED.replace("{\"bytesTransferredOut\":7}", &"{\"a\":".repeat(10_000));
    assert!(Record::parse(deep.as_bytes()).is_err());
}

#[test]
fn a_session_of_a_role_names_the_role() {
    let known = EventIdentity {
        principal_id: Some("AROAEXAMPLEEXAMPLE00:me".to_owned()),
        principal: Some("arn:aws:sts::123456789012:assumed-role/Admin/me".parse().unwrap()),
        account: Some("123456789012".parse().unwrap()),
        access_key_id: Some("ASIAIOSFODNN7EXAMPLE".parse().unwrap()),
        issuer: Some("arn:aws:iam::123456789012:role/path/Admin".parse().unwrap()),
        issued_at: Some(Timestamp::from_unix_micros(1_440_932_400_999_999)),
        source_identity: Some("somebody".to_owned()),
        federated_provider: Some("arn:aws:iam::123456789012:oidc-provider/idp.example".to_owned()),
        invoked_by: None,
        ..identity("AssumedRole")
    };
    assert_eq!(
        UserIdentity::from(&known),
        Record::parse(ASSUMED.as_bytes()).unwrap().user_identity
    );
}

#[test]
fn a_user_is_named_and_has_a_session_only_with_temporary_credentials() {
    let user = EventIdentity {
        principal_id: Some("AIDAEXAMPLEEXAMPLE00".to_owned()),
        principal: Some("arn:aws:iam::123456789012:user/path/me".parse().unwrap()),
        invoked_by: None,
        ..identity("IAMUser")
    };
    let plain = UserIdentity::from(&user);
    assert_eq!(
        (plain.user_name.as_deref(), plain.session_context),
        (Some("me"), None)
    );
    let user = EventIdentity {
        issued_at: Some(Timestamp::from_unix_seconds(1)),
        ..user
    };
    let session = UserIdentity::from(&user).session_context.unwrap();
    assert_eq!(session.session_issuer, None);
    assert_eq!(session.attributes.unwrap().mfa_authenticated, "false");
}

#[test]
fn a_federated_users_issuer_is_the_user_without_an_id() {
    let known = EventIdentity {
        principal_id: Some("123456789012:guest".to_owned()),
        principal: Some("arn:aws:sts::123456789012:federated-user/guest".parse().unwrap()),
        issuer: Some("arn:aws:iam::123456789012:user/me".parse().unwrap()),
        issued_at: Some(Timestamp::from_unix_seconds(1)),
        invoked_by: None,
        ..identity("FederatedUser")
    };
    let identity = UserIdentity::from(&known);
    assert_eq!(identity.user_name, None);
    let issuer = identity.session_context.unwrap().session_issuer.unwrap();
    assert_eq!((issuer.kind.as_str(), issuer.principal_id), ("IAMUser", None));
    assert_eq!(issuer.user_name.as_deref(), Some("me"));
}

#[test]
fn services_and_web_identities_say_only_what_they_are() {
    let account = "123456789012".parse().ok();
    let service = UserIdentity::from(&EventIdentity::of_service("s3.amazonaws.com", account));
    assert_eq!(service, UserIdentity::of_service("s3.amazonaws.com"));
    let web = EventIdentity {
        principal_id: Some("idp.example:app:me".to_owned()),
        principal: Some("arn:aws:sts::123456789012:assumed-role/x/me".parse().unwrap()),
        account,
        federated_provider: Some("idp.example".to_owned()),
        invoked_by: None,
        ..identity("WebIdentityUser")
    };
    assert_eq!(
        serde_json::to_string(&UserIdentity::from(&web)).unwrap(),
        r#"{"type":"WebIdentityUser","principalId":"idp.example:app:me","identityProvider":"idp.example"}"#
    );
}

#[test]
fn the_origin_is_an_address_or_internal() {
    let origin = EventOrigin {
        source_ip: Some("2001:db8::7".parse().unwrap()),
        peer_uid: None,
        endpoint: Some("vpce-0123456789abcdef0".to_owned()),
        endpoint_account: Some("123456789012".parse().unwrap()),
        client_certificate_sha256: None,
        user_agent_sha256: None,
        secure: true,
        tls: Some("1.3"),
        cipher_suite: Some("TLS_AES_128_GCM_SHA256"),
        authentication: Some("AuthHeader"),
    };
    let record = call().from_origin(&origin);
    assert_eq!(record.source_ip_address.as_deref(), Some("2001:db8::7"));
    assert_eq!(record.vpc_endpoint_id, origin.endpoint);
    assert_eq!(record.vpc_endpoint_account_id, origin.endpoint_account);
    let details = record.tls_details.unwrap();
    assert_eq!(
        (details.tls_version.as_deref(), details.cipher_suite.as_deref()),
        (Some("TLSv1.3"), origin.cipher_suite)
    );
    let local = EventOrigin {
        source_ip: None,
        tls: None,
        cipher_suite: None,
        ..origin
    };
    let record = call().from_origin(&local);
    assert_eq!(record.source_ip_address.as_deref(), Some("AWS Internal"));
    assert_eq!(record.tls_details, None);
}

#[test]
fn resources_are_those_of_the_subject() {
    let written = |subject: &EventSubject, category| {
        let caller = "210987654321".parse().ok();
        serde_json::to_string(&Resource::of_subject(subject, category, caller)).unwrap()
    };
    let (data, management) = (EventCategory::Data, EventCategory::Management);
    let mut subject = EventSubject {
        bucket: Some("a-bucket".parse().unwrap()),
        bucket_account: Some("123456789012".parse().unwrap()),
        ..EventSubject::default()
    };
    let anybodys = r#"{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::a-bucket"}"#;
    assert_eq!(written(&subject, management), format!("[{anybodys}]"));
    subject.allowed_on = vec!["a-bucket".parse().unwrap()];
    let bucket = r#"{"accountId":"123456789012","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::a-bucket"}"#;
    assert_eq!(written(&subject, management), format!("[{bucket}]"));
    let all = r#"{"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::a-bucket/"}"#;
    assert_eq!(written(&subject, data), format!("[{all},{bucket}]"));
    subject.key = Some("a/b c".parse().unwrap());
    subject.copy_source = Some(EventSource {
        bucket: "other-bucket".parse().unwrap(),
        key: "k".parse().unwrap(),
        version_id: None,
        account: "210987654321".parse().ok(),
    });
    let object = r#"{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::a-bucket/a/b c"}"#;
    let source = r#"{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::other-bucket/k"},{"accountId":"210987654321","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::other-bucket"}"#;
    assert_eq!(written(&subject, data), format!("[{object},{bucket},{source}]"));
    for (arn, kind) in [
        (
            "arn:aws:kms:us-east-2:123456789012:key/k",
            "\"accountId\":\"123456789012\",\"type\":\"AWS::KMS::Key\",",
        ),
        (
            "arn:aws:iam::123456789012:role/r",
            "\"accountId\":\"123456789012\",\"type\":\"AWS::IAM::Role\",",
        ),
        ("arn:aws:s3:::a-bucket", "\"type\":\"AWS::S3::Bucket\","),
        ("arn:aws:s3:::a-bucket/k", "\"type\":\"AWS::S3::Object\","),
        ("arn:aws:other:::thing", ""),
    ] {
        let subject = EventSubject {
            resource: Some(arn.parse().unwrap()),
            ..EventSubject::default()
        };
        assert_eq!(
            written(&subject, management),
            format!("[{{{kind}\"ARN\":\"{arn}\"}}]")
        );
    }
}

proptest! {
    #[test]
    fn any_record_is_read_as_it_was_written(
        (texts, seconds) in (prop::collection::vec(prop::option::of("\\PC{0,30}|[\\x00-\\x1f\"\\\\]{1,3}"), 8), 0_u64..253_402_300_800),
        read_only: Option<bool>,
        size in prop::option::of(8_usize..200),
    ) {
        let mut texts = texts.into_iter();
        let mut text = || texts.next().flatten();
        let mut record = call();
        record.event_time = Timestamp::from_unix_seconds(seconds);
        record.event_name = text().unwrap_or_default();
        record.user_agent = text();
        record.error_code = text();
        record.error_message = text();
        record.user_identity.principal_id = text();
        record.session_credential_from_console = text();
        record.read_only = read_only;
        record.response_elements = size.map(object_of);
        record.resources = text().map(|arn| Resource::of(arn, "AWS::S3::Object")).into_iter().collect();
        let written = record.clone().into_text().unwrap();
        prop_assert!(!written.as_str().contains('\n'));
        prop_assert_eq!(Record::parse(written.as_str().as_bytes()), Ok(record));
    }

    #[test]
    fn any_bytes_are_a_record_or_refused(at in 0..ASSUMED.len(), byte: u8, rest: Vec<u8>) {
        let mut bytes = ASSUMED.as_bytes().to_vec();
        bytes[at] = byte;
        if let Ok(record) = Record::parse(&bytes) {
            let text = record.clone().into_text().unwrap();
            prop_assert_eq!(Record::parse(text.as_str().as_bytes()), Ok(record));
        }
        let _either = Record::parse(&rest);
    }
}
