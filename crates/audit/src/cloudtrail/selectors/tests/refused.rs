//! Selectors that are none, and what the API says of them.

use super::{fields, parse};
use crate::cloudtrail::selectors::{MAX_SELECTORS, SelectorError};

/// `eventCategory` and `resources.type` of data events of objects.
const OBJECTS: &str =
    r#"{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["AWS::S3::Object"]}"#;

/// One basic selector, and the message.
const BASIC: [(&str, &str); 9] = [
    (
        r#"{"ReadWriteType":"read-only"}"#,
        "Value read-only for ReadWriteType is invalid. Valid values are: All, ReadOnly, WriteOnly",
    ),
    (
        r#"{"DataResources":[{"Type":"AWS::S3::Bucket","Values":[]}]}"#,
        "Value AWS::S3::Bucket for DataResources.Type is invalid. Valid values are: AWS::DynamoDB::Table, AWS::Lambda::Function, AWS::S3::Object",
    ),
    (
        r#"{"DataResources":[{"Values":["arn:aws:s3"]}]}"#,
        "Value null for DataResources.Type is invalid. Valid values are: AWS::DynamoDB::Table, AWS::Lambda::Function, AWS::S3::Object",
    ),
    (
        r#"{"DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3:::a-bucket"]}]}"#,
        "Value arn:aws:s3:::a-bucket for DataResources.Values is invalid.",
    ),
    (
        r#"{"DataResources":[{"Type":"AWS::S3::Object","Values":["arn:aws:s3","arn:aws:s3:::*/*"]}]}"#,
        "Value arn:aws:s3:::*/* for DataResources.Values is invalid.",
    ),
    (
        r#"{"DataResources":[{"Type":"AWS::S3::Object","Values":["a-bucket/"]}]}"#,
        "Value a-bucket/ for DataResources.Values is invalid.",
    ),
    (
        r#"{"DataResources":[{"Type":"AWS::Lambda::Function","Values":["arn:aws:lambda:*"]}]}"#,
        "Value arn:aws:lambda:* for DataResources.Values is invalid.",
    ),
    (
        r#"{"DataResources":[{"Type":"AWS::DynamoDB::Table","Values":["arn:aws:lambda"]}]}"#,
        "Value arn:aws:lambda for DataResources.Values is invalid.",
    ),
    (
        r#"{"ExcludeManagementEventSources":["s3.amazonaws.com"]}"#,
        "Value s3.amazonaws.com for ExcludeManagementEventSources is invalid. Valid values are: kms.amazonaws.com, rdsdata.amazonaws.com",
    ),
];

/// The fields of one advanced selector, and the message.
const WHOLE: [(&str, &str); 9] = [
    (
        "",
        "The following field is required in each advanced event selector, with one value: eventCategory.",
    ),
    (
        r#"{"Field":"eventCategory","Equals":["Data","Management"]}"#,
        "The following field is required in each advanced event selector, with one value: eventCategory.",
    ),
    (
        r#"{"Field":"eventCategory","NotEquals":["Data"]}"#,
        "The following field is required in each advanced event selector, with one value: eventCategory.",
    ),
    (
        r#"{"Field":"eventCategory","Equals":["Insight"]}"#,
        "Value Insight for the field eventCategory is invalid.",
    ),
    (
        r#"{"Field":"eventCategory","Equals":["Data"]}"#,
        "The following field is required when the eventCategory field value equals Data: resources.type.",
    ),
    (
        r#"{"Field":"eventCategory","Equals":["NetworkActivity"]}"#,
        "The following field is required when the eventCategory field value equals NetworkActivity: eventSource.",
    ),
    (
        r#"{"Field":"eventCategory","Equals":["Management"]},{"Field":"eventName","Equals":["GetKey"]}"#,
        "The following field is not allowed when the eventCategory field value equals Management: eventName.",
    ),
    (
        r#"{"Field":"eventCategory","Equals":["Management"]},{"Field":"eventSource","NotEquals":["s3.amazonaws.com"]}"#,
        "Value s3.amazonaws.com for the field eventSource is invalid.",
    ),
    (
        r#"{"Field":"eventCategory","Equals":["Management"]},{"Field":"eventSource","Equals":["kms.amazonaws.com"]}"#,
        "The following operator is not allowed for the field eventSource: Equals.",
    ),
];

/// One more condition on data events of objects, and the message.
const CONDITIONS: [(&str, &str); 11] = [
    (
        r#"{"Field":"what","Equals":["x"]}"#,
        "The field what is not one that events are selected by.",
    ),
    (
        r#"{"Field":"resources.type","Equals":["AWS::S3::Object"]}"#,
        "The following field occurs more than once in an advanced event selector: resources.type.",
    ),
    (
        r#"{"Field":"eventName"}"#,
        "The following field has no operator, or one without a value: eventName.",
    ),
    (
        r#"{"Field":"eventName","Equals":["a"],"NotEquals":[]}"#,
        "The following field has no operator, or one without a value: eventName.",
    ),
    (
        r#"{"Field":"eventName","Equals":[""]}"#,
        "Value  for the field eventName is invalid.",
    ),
    (
        r#"{"Field":"readOnly","NotEquals":["true"]}"#,
        "The following operator is not allowed for the field readOnly: NotEquals.",
    ),
    (
        r#"{"Field":"readOnly","Equals":["yes"]}"#,
        "Value yes for the field readOnly is invalid.",
    ),
    (
        r#"{"Field":"readOnly","Equals":["true","false"]}"#,
        "The following field has more than one value: readOnly.",
    ),
    (
        r#"{"Field":"sessionCredentialFromConsole","Equals":["false"]}"#,
        "Value false for the field sessionCredentialFromConsole is invalid.",
    ),
    (
        r#"{"Field":"resources.ARN","Equals":["arn:aws:s3:::a-bucket"]}"#,
        "Value arn:aws:s3:::a-bucket for the field resources.ARN is invalid.",
    ),
    (
        r#"{"Field":"vpcEndpointId","Equals":["x"]}"#,
        "The following field is not allowed when the eventCategory field value equals Data: vpcEndpointId.",
    ),
];

/// What the API would say of one more condition on data events of objects.
pub(super) fn refused(condition: &str) -> String {
    let given = fields(&format!("{OBJECTS},{condition}"));
    parse(&given).unwrap_err().to_string()
}

#[test]
fn basic_selectors_are_refused_in_the_words_of_the_api() {
    for (selector, message) in BASIC {
        let refused = parse(&format!(r#"{{"EventSelectors":[{selector}]}}"#)).unwrap_err();
        assert_eq!(refused.to_string(), message, "{selector}");
    }
}

#[test]
fn basic_selectors_have_limits() {
    let values = |count: usize| vec![r#""arn:aws:s3:::a-bucket/""#; count].join(",");
    let object = |count| {
        format!(
            r#"{{"DataResources":[{{"Type":"AWS::S3::Object","Values":[{}]}}]}}"#,
            values(count)
        )
    };
    let many = |selectors: &[String]| parse(&format!(r#"{{"EventSelectors":[{}]}}"#, selectors.join(",")));
    assert!(many(&[object(200), object(50), "{}".to_owned()]).is_ok());
    assert_eq!(
        many(&[object(200), object(51)]),
        Err(SelectorError::NumberOfDataResources)
    );
    let empty = vec![r#"{"Type":"AWS::S3::Object"}"#; 251].join(",");
    let empty = format!(r#"{{"DataResources":[{empty}]}}"#);
    assert_eq!(many(&[empty]), Err(SelectorError::NumberOfDataResources));
    let plain = |count| many(&vec!["{}".to_owned(); count]);
    assert!(plain(5).is_ok());
    assert_eq!(
        (plain(0), plain(6)),
        (
            Err(SelectorError::NumberOfSelectors),
            Err(SelectorError::NumberOfSelectors)
        )
    );
    let number = "Specify a valid number of selectors (1 to 5) for your trail.";
    assert_eq!(SelectorError::NumberOfSelectors.to_string(), number);
}

#[test]
fn selectors_are_of_one_kind_and_of_bounded_length() {
    let both = r#"{"EventSelectors":[{}],"AdvancedEventSelectors":[]}"#;
    assert_eq!(parse(both), Err(SelectorError::Both));
    assert_eq!(parse("{}"), Err(SelectorError::NumberOfSelectors));
    assert_eq!(parse("1"), Err(SelectorError::Malformed));
    assert_eq!(
        parse(&format!("{{}}{}", " ".repeat(MAX_SELECTORS))),
        Err(SelectorError::Malformed)
    );
}

#[test]
fn advanced_selectors_are_refused_with_the_field_that_is_wrong() {
    for (selector, message) in WHOLE {
        assert_eq!(
            parse(&fields(selector)).unwrap_err().to_string(),
            message,
            "{selector}"
        );
    }
    for (condition, message) in CONDITIONS {
        assert_eq!(refused(condition), message, "{condition}");
    }
    for kind in [
        "S3::Object",
        "AWS::S3",
        "AWS::S3::Object::x",
        "AWS::S3::",
        "AWS::S3::a b",
    ] {
        let selector = fields(&OBJECTS.replace("AWS::S3::Object", kind));
        let message = format!("Value {kind} for the field resources.type is invalid.");
        assert_eq!(parse(&selector).unwrap_err().to_string(), message);
    }
}

#[test]
fn advanced_selectors_have_limits() {
    let names = |count: usize| vec![r#""x""#; count].join(",");
    let with = |count| {
        parse(&fields(&format!(
            r#"{OBJECTS},{{"Field":"eventName","Equals":[{}]}}"#,
            names(count)
        )))
    };
    assert!(with(498).is_ok());
    assert_eq!(with(499), Err(SelectorError::NumberOfConditions));
    let one = r#""FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]}]}"#;
    let many = |count| {
        let all = vec![format!("{{{one}"); count].join(",");
        parse(&format!(r#"{{"AdvancedEventSelectors":[{all}]}}"#))
    };
    assert!(many(500).is_ok());
    for count in [0, 501] {
        assert_eq!(many(count), Err(SelectorError::NumberOfConditions));
    }
    let named = |length| {
        parse(&format!(
            r#"{{"AdvancedEventSelectors":[{{"Name":"{}",{one}]}}"#,
            "n".repeat(length)
        ))
    };
    assert!(named(1000).is_ok());
    assert_eq!(named(1001), Err(SelectorError::SelectorName));
    let long = |length| {
        let value = "\u{e9}".repeat(length);
        refused(&format!(
            r#"{{"Field":"eventName","Equals":["{value}"],"NotEquals":[""]}}"#
        ))
    };
    assert_eq!(
        long(2048),
        "Value  for the field eventName is invalid.",
        "the other one"
    );
    assert_eq!(
        long(2049),
        format!(
            "Value {} for the field eventName is invalid.",
            "\u{e9}".repeat(256)
        )
    );
}
