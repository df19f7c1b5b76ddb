//! What is printed is read again as the same, for whatever can be said: the other half of what the fuzz targets assert.
#![expect(clippy::disallowed_types, reason = "serde_json is the oracle here")]
#![expect(clippy::indexing_slicing, reason = "a test, whose helpers may fail as it may")]

use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_server::config::{SETTINGS, Typed};
use moho_terms::{
    AccessKeyId, AccountId, Arn, KeyId, ModelId, Region, RequestId, ResponseId, RoleName, SessionName,
    Timestamp,
};
use moho_wire::hostile_input::json_again;
use proptest::prelude::*;
use serde_json::{Value, json};

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // serde_json reads most numbers with a fraction not quite exactly; these it does.
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..8).prop_map(Value::from_iter),
        ]
    })
}

/// Statements that are taken of every kind of policy that names no principal.
fn statement() -> impl Strategy<Value = Value> {
    let pattern = "[a-z0-9*?:/_.-]{1,24}";
    let action = prop_oneof![Just("*".to_owned()), "[a-z0-9-]{2,12}:[A-Za-z*?]{1,16}"];
    let resource = prop_oneof![
        Just("*".to_owned()),
        "arn:aws:[a-z*]{1,8}:[a-z0-9*-]{0,9}:[0-9*]{0,12}:[a-z0-9*/_.-]{1,20}"
    ];
    let operator = prop_oneof![
        Just("StringEquals"),
        Just("StringNotLike"),
        Just("StringEqualsIgnoreCaseIfExists"),
        Just("ForAnyValue:StringLike"),
        Just("ForAllValues:StringEquals"),
    ];
    (
        any::<bool>(),
        proptest::collection::vec(action, 1..4),
        proptest::collection::vec(resource, 1..4),
        operator,
        pattern,
    )
        .prop_map(|(allow, actions, resources, operator, value)| {
            json!({
                "Effect": if allow { "Allow" } else { "Deny" },
                "Action": actions,
                "Resource": resources,
                "Condition": { operator: { "aws:PrincipalTag/team": [value] } },
            })
        })
}

fn setting() -> impl Strategy<Value = (usize, Vec<String>)> {
    (0..SETTINGS.len(), proptest::collection::vec("\\PC{0,20}", 1..4))
}

/// A settings file that says so, each key once.
fn file(said: &[(usize, Vec<String>)]) -> toml::Table {
    let mut table = toml::Table::new();
    for (index, values) in said {
        let setting = &SETTINGS[*index];
        let value = if setting.many {
            toml::Value::from(values.clone())
        } else {
            toml::Value::from(values[0].as_str())
        };
        match setting.key.split_once('.') {
            Some((section, key)) => {
                let section = table.entry(section).or_insert_with(|| toml::Table::new().into());
                if let Some(section) = section.as_table_mut() {
                    section.insert(key.to_owned(), value);
                }
            }
            None => drop(table.insert(setting.key.to_owned(), value)),
        }
    }
    table
}

macro_rules! prints_back {
    ($text:expr, $kind:ty) => {{
        let text = $text;
        match text.parse::<$kind>() {
            Ok(name) => prop_assert_eq!(name.to_string(), text),
            Err(error) => prop_assert!(false, "{} is a {}: {error}", text, stringify!($kind)),
        }
    }};
}

proptest! {
    #[test]
    fn json_that_others_print_is_read_and_printed_the_same(value in json_value()) {
        let text = value.to_string();
        let printed = json_again(text.as_bytes()).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(printed.expose()).unwrap(), value);
        let again = json_again(printed.expose()).unwrap();
        prop_assert_eq!(again.expose(), printed.expose());
    }

    #[test]
    fn policies_print_as_they_were_written(statements in proptest::collection::vec(statement(), 1..4)) {
        let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        for kind in [PolicyKind::Identity, PolicyKind::Session, PolicyKind::Boundary, PolicyKind::ServiceControl] {
            match PolicyDocument::parse(kind, &text) {
                Ok(document) => prop_assert_eq!(document.as_str(), &text),
                Err(error) => prop_assert!(error.to_string().starts_with("a policy of this kind"), "{error}: {text}"),
            }
        }
    }

    #[test]
    fn names_print_as_they_were_read(
        account in "[0-9]{12}", region in "[a-z0-9-]{1,32}", name in "[A-Za-z0-9+=,.@_-]{2,64}",
        key in "A[KS]IA[A-Z2-7]{16}", id in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        response in "resp_[0-9a-f]{48}", model in "[a-z0-9][a-z0-9.-]{0,20}[a-z0-9]", seconds in 0_u64..253_402_300_800,
    ) {
        prints_back!(account.clone(), AccountId);
        prints_back!(region.clone(), Region);
        prints_back!(name.clone(), RoleName);
        prints_back!(name.clone(), SessionName);
        prints_back!(key, AccessKeyId);
        prints_back!(id.clone(), KeyId);
        prints_back!(id, RequestId);
        prints_back!(response, ResponseId);
        prints_back!(model, ModelId);
        prints_back!(format!("arn:aws:sts:{region}:{account}:assumed-role/{name}"), Arn);
        let time = Timestamp::from_unix_seconds(seconds);
        prop_assert_eq!(Timestamp::parse_iso8601_basic(&time.iso8601_basic()), Ok(time));
    }

    #[test]
    fn settings_print_as_they_were_read(said in proptest::collection::vec(setting(), 0..8)) {
        let table = file(&said);
        let typed = Typed::from_file(&table.to_string()).unwrap();
        let again: toml::Table = table.to_string().parse().unwrap();
        prop_assert_eq!(&again, &table);
        prop_assert_eq!(Typed::from_file(&again.to_string()).unwrap(), typed);
    }
}
