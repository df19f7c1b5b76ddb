//! Real requests of boto3, AWS's wording, and that list, model and code agree.

use std::collections::BTreeSet;

use moho_terms::{RequestId, Secret, Timestamp};
use proptest::prelude::*;

use super::ops::Service;
use super::ops::iam;
use super::ops::iam::providers::CreateOpenIDConnectProviderResponse;
use super::ops::sts;
use super::ops::sts::{AssumeRoleResponse, AssumedRoleUser, Credentials, GetCallerIdentityResponse};
use super::rest::RestService;
use super::*;
use crate::Reply;

const SERVICES: [QueryService; 3] = [QueryService::Sts, QueryService::Iam, QueryService::Ec2];
const JSON_SERVICES: [JsonService; 4] = [
    JsonService::Organizations,
    JsonService::Kms,
    JsonService::Logs,
    JsonService::CloudTrail,
];
const REST_SERVICES: [RestService; 3] = [
    RestService::Bedrock,
    RestService::BedrockAgent,
    RestService::BedrockRuntime,
];

fn refused(service: QueryService, form: &str) -> Failure {
    service.command("", form.as_bytes(), &mut None).err().unwrap()
}

fn request() -> RequestId {
    "11111111-2222-4333-8444-555555555555".parse().unwrap()
}

fn body(reply: &Reply) -> String {
    assert_eq!((reply.status, reply.content_type), (200, "text/xml"));
    String::from_utf8(reply.body.expose().to_vec()).unwrap()
}

#[test]
fn requests_of_boto3_become_commands() {
    let identity = QueryService::Sts
        .command("", b"Action=GetCallerIdentity&Version=2011-06-15", &mut None)
        .ok()
        .unwrap();
    assert!(matches!(
        identity,
        Command::Sts(sts::Request::GetCallerIdentity(_))
    ));
    let query = "X-Amz-Date=x&Action=GetCallerIdentity&Version=2011-06-15";
    let presigned = QueryService::Sts.command(query, b"", &mut None).ok().unwrap();
    assert!(matches!(
        presigned,
        Command::Sts(sts::Request::GetCallerIdentity(_))
    ));
    let two_forms = QueryService::Sts.command(query, b"Action=AssumeRole", &mut None);
    assert!(matches!(two_forms.err().unwrap(), Failure::Invalid { .. }));
    let form =
        b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2FAdmin&\
        RoleSessionName=me%40example.org&DurationSeconds=900&Policy=%7B%22Version%22%3A%222012-10-17%22+%7D";
    let Command::Sts(sts::Request::AssumeRole(assume)) =
        QueryService::Sts.command("", form, &mut None).ok().unwrap()
    else {
        panic!("another command")
    };
    assert_eq!(assume.role_arn, "arn:aws:iam::123456789012:role/Admin");
    assert_eq!(
        (assume.role_session_name.as_str(), assume.duration_seconds),
        ("me@example.org", Some(900))
    );
    assert_eq!(assume.policy.as_deref(), Some(r#"{"Version":"2012-10-17" }"#));
    let form = b"Action=CreateOpenIDConnectProvider&Version=2010-05-08&Url=https%3A%2F%2Fidp.example&\
        ClientIDList.member.1=a&ClientIDList.member.2=b&ThumbprintList.member.1=0123456789012345678901234567890123456789";
    let Command::Iam(iam::Request::Providers(iam::providers::Request::CreateOpenIDConnectProvider(create))) =
        QueryService::Iam.command("", form, &mut None).ok().unwrap()
    else {
        panic!("another command")
    };
    assert_eq!(
        (create.url.as_str(), create.client_id_list),
        ("https://idp.example", Some(vec!["a".to_owned(), "b".to_owned()]))
    );
    assert_eq!(create.thumbprint_list.map(|list| list.len()), Some(1));
}

#[test]
fn constraints_are_refused_in_the_words_of_aws() {
    let sts = |rest: &str| {
        let form = format!("Action=AssumeRole&Version=2011-06-15{rest}");
        let Failure::Validation(message) = refused(QueryService::Sts, &form) else {
            panic!("another failure")
        };
        message
    };
    assert_eq!(
        sts("&RoleArn=arn:aws:iam::123456789012:role/Admin&RoleSessionName=x"),
        "1 validation error detected: Value 'x' at 'roleSessionName' failed to satisfy constraint: \
         Member must have length greater than or equal to 2"
    );
    assert_eq!(
        sts("&DurationSeconds=10"),
        "3 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null; \
         Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null; \
         Value '10' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"
    );
    assert_eq!(
        sts(
            "&RoleArn=arn:aws:iam::123456789012:role/Admin&RoleSessionName=a%2Fb&Tags.member.1.Key=&Tags.member.1.Value=v"
        ),
        "3 validation errors detected: Value 'a/b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: [\\w+=,.@-]*; Value '' at 'tags.1.member.key' failed to satisfy constraint: Member \
         must have length greater than or equal to 1; Value '' at 'tags.1.member.key' failed to satisfy constraint: Member \
         must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+"
    );
}

#[test]
fn refusals_repeat_no_documents_no_tokens_and_nothing_long() {
    let told = |service, form: &str| {
        let Failure::Validation(message) = refused(service, form) else {
            panic!("another failure")
        };
        message
    };
    let role = "&RoleArn=arn:aws:iam::123456789012:role/Admin&RoleSessionName=me";
    let policy = told(
        QueryService::Sts,
        &format!("Action=AssumeRole{role}&Policy=%E4%B8%AD%7Bzanzibar%7D"),
    );
    assert_eq!(
        policy,
        "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must satisfy regular \
         expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"
    );
    let long = "zanzibar".repeat(17);
    for (service, form) in [
        (
            QueryService::Sts,
            format!("Action=AssumeRole{role}&ExternalId=%21{long}"),
        ),
        (
            QueryService::Sts,
            format!(
                "Action=AssumeRoleWithWebIdentity{role}&WebIdentityToken=zan&Policy=%E4%B8%AD{}",
                long.repeat(99)
            ),
        ),
        (
            QueryService::Iam,
            format!(
                "Action=CreatePolicy&PolicyName=p&PolicyDocument={}",
                long.repeat(1000)
            ),
        ),
        (
            QueryService::Iam,
            "Action=CreateSAMLProvider&Name=p&SAMLMetadataDocument=zanzibar".to_owned(),
        ),
        (
            QueryService::Iam,
            "Action=ListRoles&Marker=%09zanzibar".to_owned(),
        ),
    ] {
        let told = told(service, &form);
        assert!(told.contains(": Value at '") && !told.contains("zan"), "{told}");
        assert!(told.len() < 500, "{told}");
    }
    let name = told(
        QueryService::Sts,
        &format!("Action=AssumeRole{role}&ExternalId=%21zanzibar"),
    );
    assert!(name.contains("Value '!zanzibar' at 'externalId'"), "{name}");
}

#[test]
fn nothing_in_a_form_is_given_twice() {
    for (query, form, name) in [
        (
            "",
            "Action=GetCallerIdentity&Version=2011-06-15&Action=AssumeRole",
            "Action",
        ),
        (
            "",
            "Action=AssumeRole&RoleArn=a&RoleArn=b&RoleSessionName=me",
            "RoleArn",
        ),
        (
            "",
            "Action=AssumeRole&Tags.member.1.Key=a&Tags.member.1.Key=a",
            "Tags.member.1.Key",
        ),
        ("", "Action=GetCallerIdentity&Unknown=a&%55nknown=a", "Unknown"),
        (
            "Action=GetCallerIdentity&Version=2011-06-15&Version=2011-06-15",
            "",
            "Version",
        ),
        (
            "RoleArn=a",
            "Action=AssumeRole&RoleArn=b&RoleSessionName=me",
            "RoleArn",
        ),
    ] {
        for service in SERVICES {
            let refused = service.command(query, form.as_bytes(), &mut None).err();
            let told = format!("The parameter {name} is given more than once.");
            assert_eq!(refused, Some(Failure::Validation(told)), "{query} {form}");
        }
    }
}

#[test]
fn what_is_not_served_is_refused_by_name() {
    for (members, name) in [
        ("SerialNumber=arn:aws:iam::1:mfa/x", "SerialNumber"),
        ("TokenCode=123456", "TokenCode"),
        (
            "ProvidedContexts.member.1.ContextAssertion=abcd",
            "ProvidedContexts",
        ),
        ("MinimumSessionTokenSize=9", "MinimumSessionTokenSize"),
    ] {
        let form = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/Admin&RoleSessionName=me&{members}"
        );
        let Failure::Validation(message) = refused(QueryService::Sts, &form) else {
            panic!("{name}")
        };
        assert!(
            message.starts_with(&format!("The parameter {name} is not supported: ")),
            "{message}"
        );
    }
}

#[test]
fn unknown_actions_versions_and_forms_are_refused() {
    let unknown = |operation: &str, version: &str| Failure::UnknownOperation {
        operation: operation.to_owned(),
        version: version.to_owned(),
    };
    assert_eq!(
        refused(QueryService::Sts, "Action=Nope&Version=2011-06-15"),
        unknown("Nope", "2011-06-15")
    );
    assert_eq!(
        refused(QueryService::Iam, "Action=AssumeRole&Version=2010-05-08"),
        unknown("AssumeRole", "2010-05-08")
    );
    let old = "Action=GetCallerIdentity&Version=2000-01-01";
    assert_eq!(
        refused(QueryService::Sts, old),
        unknown("GetCallerIdentity", "2000-01-01")
    );
    assert_eq!(
        refused(QueryService::Sts, "Action=%3Cscript%3E"),
        unknown("(not a name)", "2011-06-15")
    );
    assert_eq!(refused(QueryService::Sts, ""), unknown("", "2011-06-15"));
    for form in [
        "Action=AssumeRole&RoleArn=%ff",
        "Action=AssumeRole&DurationSeconds=ten",
        "Action=AssumeRole&DurationSeconds=99999999999",
    ] {
        assert!(
            matches!(
                refused(QueryService::Sts, form),
                Failure::Invalid { code: None, .. }
            ),
            "{form}"
        );
    }
}

#[test]
fn replies_are_the_xml_of_aws() {
    let reply = GetCallerIdentityResponse {
        user_id: Some("AROAEXAMPLE:me".to_owned()),
        account: Some("123456789012".to_owned()),
        arn: Some("arn:aws:sts::123456789012:assumed-role/Admin/me".to_owned()),
    };
    let reply = reply.reply(Service::Sts, "GetCallerIdentity", &request());
    assert_eq!(
        body(&reply.ok().unwrap()),
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <UserId>AROAEXAMPLE:me</UserId><Account>123456789012</Account>\
         <Arn>arn:aws:sts::123456789012:assumed-role/Admin/me</Arn></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>11111111-2222-4333-8444-555555555555</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>"
    );
    let reply = AssumeRoleResponse {
        credentials: Some(Credentials {
            access_key_id: Some("ASIAABCDEFGHIJKLMNOP".to_owned()),
            secret_access_key: Some(Secret::new(b"s3cr3t/+".to_vec())),
            session_token: Some(Secret::new(b"t0ken==".to_vec())),
            expiration: Some(Timestamp::from_unix_seconds(1_440_938_160)),
        }),
        assumed_role_user: Some(AssumedRoleUser {
            assumed_role_id: Some("AROAEXAMPLE:me".to_owned()),
            arn: Some("arn:aws:sts::123456789012:assumed-role/Admin/me".to_owned()),
        }),
        packed_policy_size: Some(3),
        ..AssumeRoleResponse::default()
    };
    let text = body(&reply.reply(Service::Sts, "AssumeRole", &request()).ok().unwrap());
    let inside = "<AssumeRoleResult><Credentials><AccessKeyId>ASIAABCDEFGHIJKLMNOP</AccessKeyId><SecretAccessKey>s3cr3t/+\
        </SecretAccessKey><SessionToken>t0ken==</SessionToken><Expiration>2015-08-30T12:36:00Z</Expiration></Credentials>\
        <AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:me</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/Admin/me\
        </Arn></AssumedRoleUser><PackedPolicySize>3</PackedPolicySize></AssumeRoleResult>";
    assert!(text.contains(inside), "{text}");
    let reply = CreateOpenIDConnectProviderResponse {
        open_id_connect_provider_arn: Some("arn:aws:iam::123456789012:oidc-provider/idp.example".to_owned()),
        tags: None,
    };
    let reply = reply.reply(Service::Iam, "CreateOpenIDConnectProvider", &request());
    let text = body(&reply.ok().unwrap());
    assert!(text.starts_with(
        "<CreateOpenIDConnectProviderResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">"
    ));
}

#[test]
fn the_list_of_fields_covers_the_models_and_nothing_else() {
    let listed: BTreeSet<String> = field_list::fields()
        .map(|f| format!("{} {} {}", f.service, f.owner, f.member))
        .collect();
    let mut modelled = BTreeSet::new();
    for service in SERVICES {
        let model = service.model().ok().unwrap();
        assert_eq!(service.namespace(), model.metadata.xml_namespace);
        for (name, operation) in &model.operations {
            let Some(input) = &operation.input else { continue };
            fields_of(model, service.signing_name(), (name, &input.shape), &mut modelled);
        }
    }
    for service in JSON_SERVICES {
        let model = service.model().ok().unwrap();
        for (name, operation) in &model.operations {
            let Some(input) = &operation.input else { continue };
            fields_of(model, service.signing_name(), (name, &input.shape), &mut modelled);
        }
    }
    for service in REST_SERVICES {
        let model = service.model().ok().unwrap();
        for (name, operation) in &model.operations {
            let shape = &operation.input.as_ref().unwrap().shape;
            fields_of(model, service.name(), (name, shape), &mut modelled);
        }
    }
    assert_eq!(listed, modelled);
    for field in field_list::fields() {
        let reasoned = match field.fate {
            "used" => field.reason.is_empty(),
            "refused" | "ignored" => !field.reason.is_empty(),
            _ => false,
        };
        assert!(reasoned, "{} {}", field.owner, field.member);
    }
}

/// The members of a request, and of each structure in those that are used.
fn fields_of(
    model: &model::ServiceModel,
    service: &str,
    (owner, shape): (&str, &str),
    found: &mut BTreeSet<String>,
) {
    for (member, used) in model.shapes[shape].members.iter() {
        if !found.insert(format!("{service} {owner} {member}")) {
            continue;
        }
        let is_used = field_list::fields()
            .any(|f| (f.service, f.owner, f.member, f.fate) == (service, owner, member, "used"));
        let mut inner = &used.shape;
        while let Some(item) = model.shapes[inner]
            .member
            .as_ref()
            .or_else(|| model.shapes[inner].value.as_ref())
        {
            inner = &item.shape;
        }
        if is_used {
            fields_of(model, service, (inner, inner), found);
        }
    }
}

#[test]
fn the_list_of_operations_is_what_the_models_hold() {
    let wanted = include_str!("../../models/operations.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let wanted: BTreeSet<String> = wanted.map(str::to_owned).collect();
    let held = SERVICES.into_iter().flat_map(|service| {
        let operations = &service.model().ok().unwrap().operations;
        operations
            .keys()
            .map(move |name| format!("{} {name}", service.signing_name()))
    });
    let rest = REST_SERVICES.into_iter().flat_map(|service| {
        let operations = &service.model().ok().unwrap().operations;
        operations
            .keys()
            .map(move |name| format!("{} {name}", service.name()))
    });
    let json = JSON_SERVICES.into_iter().flat_map(|service| {
        let operations = &service.model().ok().unwrap().operations;
        operations
            .keys()
            .map(move |name| format!("{} {name}", service.signing_name()))
    });
    let held = held.chain(rest).chain(json);
    assert_eq!(held.collect::<BTreeSet<_>>(), wanted);
}

#[test]
fn sensitive_shapes_never_become_plain_strings() {
    for service in SERVICES {
        let model = service.model().ok().unwrap();
        for (name, shape) in model.shapes.iter().filter(|(_, shape)| shape.sensitive) {
            assert!(
                shape.kind == model::Kind::String,
                "{name}: only strings are handled as secrets so far"
            );
            let plain = document::Document::Structure(vec![(
                "SecretAccessKey".to_owned(),
                document::Document::Text("x".to_owned()),
            )]);
            let whole = document::Document::Structure(vec![("Credentials".to_owned(), plain)]);
            assert!(query_out::reply(model, "AssumeRole", &whole, &request()).is_err());
        }
    }
}

proptest! {
    #[test]
    fn no_form_panics(form in proptest::collection::vec(prop_oneof![
        Just("Action=AssumeRole".to_owned()), Just("&".to_owned()), Just("=".to_owned()), Just("RoleArn".to_owned()),
        Just("Tags.member.1.Key".to_owned()), Just("Tags".to_owned()), Just(".member.2".to_owned()), Just("%".to_owned()),
        Just("DurationSeconds=".to_owned()), Just("+".to_owned()), "[0-9a-f%.é]{0,5}".prop_map(|t| t)], 0..12)) {
        for service in SERVICES {
            drop(service.command("", form.concat().as_bytes(), &mut None));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        drop(QueryService::Sts.command("", &bytes, &mut None));
    }
}
