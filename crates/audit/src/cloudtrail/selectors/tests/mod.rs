//! What selectors may say, how they are shown, and which records they match.

mod refused;

use proptest::prelude::*;

use super::*;
use crate::cloudtrail::record::tests::{call, which};
use crate::cloudtrail::record::{EventCategory, Resource, UserIdentity};

fn parse(json: &str) -> Result<Selectors, SelectorError> {
    Selectors::parse(json.as_bytes())
}

fn basic(selector: &str) -> Selectors {
    parse(&format!(r#"{{"EventSelectors":[{selector}]}}"#)).unwrap()
}

fn fields(fields: &str) -> String {
    format!(r#"{{"AdvancedEventSelectors":[{{"FieldSelectors":[{fields}]}}]}}"#)
}

/// Selectors of data events of objects, with one more condition.
fn on_objects(condition: &str) -> Selectors {
    let category = r#"{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["AWS::S3::Object"]}"#;
    parse(&fields(&format!("{category},{condition}"))).unwrap()
}

fn management(source: &str, read_only: bool) -> Record {
    let mut record = Record::of_call(which("Do", EventCategory::Management), UserIdentity::default());
    record.event_source = source.to_owned();
    record.read_only = Some(read_only);
    record
}

fn data(arn: &str, kind: &str) -> Record {
    let mut record = call();
    record.read_only = Some(true);
    record.resources = vec![Resource::of(arn, kind)];
    record
}

/// As S3's records are: the object, then its bucket.
fn object(key: &str) -> Record {
    let mut record = data(&format!("arn:aws:s3:::a-bucket/{key}"), "AWS::S3::Object");
    record
        .resources
        .push(Resource::of("arn:aws:s3:::a-bucket", "AWS::S3::Bucket"));
    record
}

#[test]
fn a_trail_without_selectors_delivers_management_events() {
    let selectors = Selectors::default();
    assert_eq!(
        serde_json::to_string(&ShownSelectors::from(&selectors)).unwrap(),
        r#"{"EventSelectors":[{"ReadWriteType":"All","IncludeManagementEvents":true,"DataResources":[],"ExcludeManagementEventSources":[]}]}"#
    );
    assert!(!selectors.are_custom() && !basic("{}").are_custom());
    assert!(selectors.matches(&management("iam.amazonaws.com", true)));
    assert!(selectors.matches(&management("kms.amazonaws.com", false)));
    assert!(!selectors.matches(&object("k")));
}

#[test]
fn selectors_are_shown_as_they_were_given_and_basic_ones_wholly() {
    let given = r#"{"EventSelectors":[{"ReadWriteType":"WriteOnly","DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3:::a-bucket/"]}]}]}"#;
    let shown = r#"{"EventSelectors":[{"ReadWriteType":"WriteOnly","IncludeManagementEvents":true,"DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3:::a-bucket/"]}],"ExcludeManagementEventSources":[]}]}"#;
    let selectors = parse(given).unwrap();
    assert_eq!(
        serde_json::to_string(&ShownSelectors::from(&selectors)).unwrap(),
        shown
    );
    assert!(selectors.are_custom());
    let advanced = r#"{"AdvancedEventSelectors":[{"Name":"mine","FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["AWS::S3::Object"]},{"Field":"eventName","StartsWith":["Get","Put"],"NotEquals":["GetObjectAcl"]}]},{"FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]}]}]}"#;
    let selectors = parse(advanced).unwrap();
    assert_eq!(
        serde_json::to_string(&ShownSelectors::from(&selectors)).unwrap(),
        advanced
    );
}

#[test]
fn basic_selectors_tell_reads_from_writes() {
    let (reads, writes) = (
        basic(r#"{"ReadWriteType":"ReadOnly"}"#),
        basic(r#"{"ReadWriteType":"WriteOnly"}"#),
    );
    for read_only in [Some(true), Some(false), None] {
        let mut record = management("iam.amazonaws.com", true);
        record.read_only = read_only;
        assert_eq!(reads.matches(&record), read_only == Some(true));
        assert_eq!(writes.matches(&record), read_only != Some(true));
    }
}

#[test]
fn basic_selectors_exclude_sources_of_management_events() {
    let selectors = basic(r#"{"ExcludeManagementEventSources":["kms.amazonaws.com"]}"#);
    assert!(!selectors.matches(&management("kms.amazonaws.com", true)));
    assert!(selectors.matches(&management("rdsdata.amazonaws.com", true)));
    let none = basic(r#"{"IncludeManagementEvents":false}"#);
    assert!(!none.matches(&management("iam.amazonaws.com", true)));
}

#[test]
fn basic_selectors_match_objects_by_their_beginning_and_the_rest_wholly() {
    let of = |kind: &str, value: &str| {
        basic(&format!(
            r#"{{"IncludeManagementEvents":false,"DataResources":[{{"Type":"{kind}","Values":["{value}"]}}]}}"#
        ))
    };
    let objects = |value: &str| of("AWS::S3::Object", value);
    let mut list = object("k");
    list.resources[0] = Resource {
        arn: None,
        arn_prefix: Some("arn:aws:s3:::a-bucket/".to_owned()),
        ..list.resources[0].clone()
    };
    for (value, key, matches) in [
        ("arn:aws:s3", "k", true),
        ("arn:aws:s3:::", "k", true),
        ("arn:aws:s3:::a-bucket/", "k", true),
        ("arn:aws:s3:::a-bucket/im", "images/1", true),
        ("arn:aws:s3:::a-bucket/im", "logs/1", false),
        ("arn:aws:s3:::a-bucket2/", "k", false),
    ] {
        assert_eq!(objects(value).matches(&object(key)), matches, "{value} {key}");
    }
    assert!(objects("arn:aws:s3:::a-bucket/").matches(&list));
    assert!(!objects("arn:aws:s3:::a-bucket/im").matches(&list));
    let hello = "arn:aws:lambda:us-west-2:111111111111:function:helloworld";
    let functions = of("AWS::Lambda::Function", hello);
    assert!(functions.matches(&data(hello, "AWS::Lambda::Function")));
    assert!(!functions.matches(&data(&format!("{hello}2"), "AWS::Lambda::Function")));
    assert!(!functions.matches(&object("k")));
    assert!(of("AWS::Lambda::Function", "arn:aws:lambda").matches(&data(hello, "AWS::Lambda::Function")));
    assert!(
        !objects("arn:aws:s3").matches(&data("arn:aws:bedrock:::guardrail/g", "AWS::Bedrock::Guardrail"))
    );
}

#[test]
fn advanced_selectors_of_management_events() {
    let all = parse(&fields(r#"{"Field":"eventCategory","Equals":["Management"]}"#)).unwrap();
    assert!(all.matches(&management("kms.amazonaws.com", true)) && !all.matches(&object("k")));
    let some = fields(
        r#"{"Field":"eventCategory","Equals":["Management"]},{"Field":"readOnly","Equals":["false"]},{"Field":"eventSource","NotEquals":["kms.amazonaws.com","rdsdata.amazonaws.com"]}"#,
    );
    let some = parse(&some).unwrap();
    assert!(some.matches(&management("iam.amazonaws.com", false)));
    assert!(!some.matches(&management("iam.amazonaws.com", true)));
    assert!(!some.matches(&management("kms.amazonaws.com", false)));
}

#[test]
fn conditions_on_resources_are_on_the_one_of_the_type() {
    let starts = on_objects(
        r#"{"Field":"resources.ARN","StartsWith":["arn:aws:s3:::a-bucket/im","arn:aws:s3:::other/"]}"#,
    );
    assert!(starts.matches(&object("images/1")) && !starts.matches(&object("logs/1")));
    // The bucket beside it begins otherwise, and is no object.
    let not = on_objects(r#"{"Field":"resources.ARN","NotStartsWith":["arn:aws:s3:::a-bucket/logs/"]}"#);
    assert!(not.matches(&object("images/1")) && !not.matches(&object("logs/1")));
    let ends = on_objects(
        r#"{"Field":"resources.ARN","EndsWith":[".jpg"],"NotEquals":["arn:aws:s3:::a-bucket/b.jpg"]}"#,
    );
    assert!(
        ends.matches(&object("a.jpg")) && !ends.matches(&object("b.jpg")) && !ends.matches(&object("a.png"))
    );
    assert!(!ends.matches(&call()), "a record without resources is of no type");
}

#[test]
fn conditions_on_the_record_are_on_its_fields() {
    let mut record = object("k");
    record.user_identity.arn = Some("arn:aws:sts::123456789012:assumed-role/Admin/me".parse().unwrap());
    for (condition, matches) in [
        (r#"{"Field":"eventName","Equals":["GetObject"]}"#, true),
        (
            r#"{"Field":"eventName","Equals":["PutObject"],"StartsWith":["Get"]}"#,
            true,
        ),
        (
            r#"{"Field":"eventName","StartsWith":["Get"],"NotEndsWith":["Object"]}"#,
            false,
        ),
        (r#"{"Field":"eventName","NotEquals":["getobject"]}"#, true),
        (r#"{"Field":"eventSource","Equals":["s3.amazonaws.com"]}"#, true),
        (r#"{"Field":"eventType","NotEquals":["AwsServiceEvent"]}"#, true),
        (r#"{"Field":"eventType","Equals":["AwsServiceEvent"]}"#, false),
        (r#"{"Field":"readOnly","Equals":["true"]}"#, true),
        (r#"{"Field":"readOnly","Equals":["false"]}"#, false),
        (
            r#"{"Field":"sessionCredentialFromConsole","NotEquals":["true"]}"#,
            true,
        ),
        (
            r#"{"Field":"sessionCredentialFromConsole","Equals":["true"]}"#,
            false,
        ),
        (
            r#"{"Field":"userIdentity.arn","StartsWith":["arn:aws:sts::123456789012:assumed-role/Admin/"]}"#,
            true,
        ),
        (r#"{"Field":"userIdentity.arn","NotEndsWith":["/me"]}"#, false),
    ] {
        assert_eq!(on_objects(condition).matches(&record), matches, "{condition}");
    }
    record.session_credential_from_console = Some("true".to_owned());
    assert!(on_objects(r#"{"Field":"sessionCredentialFromConsole","Equals":["true"]}"#).matches(&record));
    record.user_identity.arn = None;
    assert!(!on_objects(r#"{"Field":"userIdentity.arn","StartsWith":["arn:"]}"#).matches(&record));
    assert!(
        on_objects(r#"{"Field":"userIdentity.arn","NotEquals":["arn:aws:iam::1:user/x"]}"#).matches(&record)
    );
}

#[test]
fn selectors_of_network_activity_are_taken() {
    let network = fields(
        r#"{"Field":"eventCategory","Equals":["NetworkActivity"]},{"Field":"eventSource","Equals":["s3.amazonaws.com"]},{"Field":"errorCode","Equals":["VpceAccessDenied"]},{"Field":"vpcEndpointId","Equals":["vpce-0123456789abcdef0"]}"#,
    );
    let network = parse(&network).unwrap();
    let mut record = Record::of_call(
        which("GetObject", EventCategory::NetworkActivity),
        UserIdentity::default(),
    );
    record.error_code = Some("VpceAccessDenied".to_owned());
    assert!(!network.matches(&record));
    record.vpc_endpoint_id = Some("vpce-0123456789abcdef0".to_owned());
    assert!(network.matches(&record));
    assert!(!Selectors::default().matches(&record));
}

/// A condition on the event's name, as it is given.
fn conditions() -> impl Strategy<Value = AdvancedFieldSelector> {
    let values = || prop::option::of(prop::collection::vec("[abc]{1,3}", 1..3));
    (values(), values(), values(), values(), values(), values()).prop_map(
        |(equals, starts_with, ends_with, not_equals, not_starts_with, not_ends_with)| {
            AdvancedFieldSelector {
                field: "eventName".to_owned(),
                equals,
                starts_with,
                ends_with,
                not_equals,
                not_starts_with,
                not_ends_with,
            }
        },
    )
}

proptest! {
    #[test]
    fn conditions_mean_what_the_guide_says(given in conditions(), name in "[abc]{0,4}") {
        let any = |values: &Option<Vec<String>>, fits: &dyn Fn(&str) -> bool| {
            values.as_ref().map(|values| values.iter().any(|value| fits(value)))
        };
        let (equals, starts, ends) =
            (|v: &str| name == v, |v: &str| name.starts_with(v), |v: &str| name.ends_with(v));
        let select = [any(&given.equals, &equals), any(&given.starts_with, &starts), any(&given.ends_with, &ends)];
        let deselect = [any(&given.not_equals, &equals), any(&given.not_starts_with, &starts), any(&given.not_ends_with, &ends)];
        let expected = (select.iter().all(Option::is_none) || select.contains(&Some(true))) && !deselect.contains(&Some(true));
        let mut record = object("k");
        record.event_name = name;
        let condition = serde_json::to_string(&given).unwrap();
        if select.iter().chain(&deselect).all(Option::is_none) {
            prop_assert!(refused::refused(&condition).contains("no operator"));
        } else {
            prop_assert_eq!(on_objects(&condition).matches(&record), expected);
        }
    }

    #[test]
    fn any_selectors_are_shown_as_they_are_read_or_refused(text in "[{}\\[\\]\",:a1]{0,40}", given in conditions()) {
        let _either = parse(&text);
        let field = serde_json::to_string(&given).unwrap();
        for json in [fields(&field), format!(r#"{{"EventSelectors":[{field}]}}"#), text] {
            if let Ok(selectors) = parse(&json) {
                let shown = serde_json::to_vec(&ShownSelectors::from(&selectors)).unwrap();
                prop_assert_eq!(Selectors::parse(&shown), Ok(selectors));
            }
        }
    }
}
