//! Compiled policies decide as the plainest reading of the same JSON does.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

/// A document as the reference reads it: lists everywhere, nothing compiled.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Plain {
    statement: Vec<PlainStatement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PlainStatement {
    effect: String,
    action: Option<Vec<String>>,
    not_action: Option<Vec<String>>,
    resource: Option<Vec<String>>,
    not_resource: Option<Vec<String>>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

/// The definition of wildcards, exponential and obviously right.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), None) => like(rest, text),
        (Some((b'*', rest)), Some((_, after))) => like(rest, text) || like(pattern, after),
        (Some((b'?', rest)), Some((_, after))) => like(rest, after),
        (Some((a, rest)), Some((b, after))) => a == b && like(rest, after),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// The request of the reference.
struct Asked<'a> {
    action: &'a str,
    resource: &'a str,
    keys: &'a BTreeMap<String, Vec<String>>,
}

impl Asked<'_> {
    /// With `${aws:one}` put in; `None` if that has not one value.
    fn filled(&self, text: &str) -> Option<String> {
        if !text.contains("${aws:one}") {
            return Some(text.to_owned());
        }
        match self.keys.get("aws:one").map(Vec::as_slice) {
            Some([one]) => Some(text.replace("${aws:one}", one)),
            _ => None,
        }
    }

    fn fits(&self, pattern: &str, text: &str) -> bool {
        self.filled(pattern)
            .is_some_and(|pattern| like(pattern.as_bytes(), text.as_bytes()))
    }

    fn equal(&self, operator: &str, expected: &str, value: &str) -> bool {
        let number = |text: &str| text.parse::<f64>().ok();
        match operator {
            "StringEquals" => self.filled(expected).as_deref() == Some(value),
            "StringEqualsIgnoreCase" => self
                .filled(expected)
                .is_some_and(|expected| expected.to_lowercase() == value.to_lowercase()),
            "StringLike" => self.fits(expected, value),
            "Bool" => expected == value,
            "NumericLessThan" => number(value).is_some_and(|value| value < number(expected).unwrap()),
            _ => panic!("{operator}"),
        }
    }

    fn holds(&self, operator: &str, key: &str, expected: &[String]) -> bool {
        let values = self.keys.get(&key.to_lowercase()).cloned().unwrap_or_default();
        if operator == "Null" {
            return values.is_empty() == (expected[0] == "true");
        }
        let (set, operator) = match operator.split_once(':') {
            Some((set, operator)) => (set, operator),
            None => ("", operator),
        };
        let (if_exists, operator) = match operator.strip_suffix("IfExists") {
            Some(operator) => (true, operator),
            None => (false, operator),
        };
        let (not, operator) = (operator.contains("Not"), operator.replace("Not", ""));
        let any = |value: &String| expected.iter().any(|e| self.equal(&operator, e, value));
        if values.is_empty() {
            return if_exists || set == "ForAllValues" || (set.is_empty() && not);
        }
        match set {
            "ForAllValues" => values.iter().all(|value| any(value) != not),
            "ForAnyValue" => values.iter().any(|value| any(value) != not),
            _ => values.iter().any(any) != not,
        }
    }

    fn applies(&self, statement: &PlainStatement) -> bool {
        let action = |pattern: &String| {
            like(
                pattern.to_lowercase().as_bytes(),
                self.action.to_lowercase().as_bytes(),
            )
        };
        let actions = match (&statement.action, &statement.not_action) {
            (Some(list), _) => list.iter().any(action),
            (None, Some(list)) => !list.iter().any(action),
            (None, None) => false,
        };
        let resource = |pattern: &String| self.fits(pattern, self.resource);
        let resources = match (&statement.resource, &statement.not_resource) {
            (Some(list), _) => list.iter().any(resource),
            (None, Some(list)) => !list.iter().any(resource),
            (None, None) => false,
        };
        actions
            && resources
            && statement.condition.iter().all(|(operator, keys)| {
                keys.iter()
                    .all(|(key, expected)| self.holds(operator, key, expected))
            })
    }

    /// Which statements of a document apply, from 1, and what they do.
    fn found(&self, text: &str) -> Vec<(usize, bool)> {
        let plain: Plain = serde_json::from_str(text).unwrap();
        let applies = (1..)
            .zip(&plain.statement)
            .filter(|(_, statement)| self.applies(statement));
        applies
            .map(|(number, statement)| (number, statement.effect == "Deny"))
            .collect()
    }
}

fn list(items: &[impl AsRef<str>]) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|item| format!("\"{}\"", item.as_ref()))
        .collect();
    format!("[{}]", items.join(","))
}

fn any_condition() -> impl Strategy<Value = (String, String)> {
    let operator = prop_oneof![
        Just((
            "(ForAllValues:|ForAnyValue:)?String(Not)?(Equals|Like)(IfExists)?",
            "[ab*?]{0,3}|\\$\\{aws:one\\}b?"
        )),
        Just((
            "(ForAllValues:|ForAnyValue:)?String(Not)?EqualsIgnoreCase(IfExists)?",
            "[aAbB]{0,2}"
        )),
        Just(("Null|Bool|BoolIfExists", "true|false")),
        Just(("(ForAllValues:)?NumericLessThan(IfExists)?", "[0-9]{1,2}")),
    ];
    operator
        .prop_flat_map(|(operator, value)| {
            let count = if operator.starts_with("Null") {
                1..2_usize
            } else {
                1..4
            };
            (
                proptest::string::string_regex(operator).unwrap(),
                "aws:(one|many|none|ONE)",
                proptest::collection::vec(proptest::string::string_regex(value).unwrap(), count),
            )
        })
        .prop_map(|(operator, key, values)| {
            let values = if operator == "Null" {
                list(&values[..1])
            } else {
                list(&values)
            };
            (operator, format!(r#"{{"{key}":{values}}}"#))
        })
}

fn any_statement() -> impl Strategy<Value = String> {
    let actions = proptest::collection::vec(
        "\\*|(kms|s3|KMS):(\\*|De\\?rypt|Decrypt|decrypt|Get\\*|Get\\*t|\\*ob\\*)",
        1..4,
    );
    let resources = proptest::collection::vec(
        "\\*|arn:aws:(s3|kms|\\*):::[ab]{0,2}[*?]?[ab]{0,2}(/\\$\\{aws:one\\}/\\*)?",
        1..3,
    );
    (
        any::<(bool, bool, bool)>(),
        actions,
        resources,
        proptest::collection::btree_map(any_condition(), Just(()), 0..3),
    )
        .prop_map(|((denies, not_action, not_resource), actions, resources, conditions)| {
            let effect = if denies { "Deny" } else { "Allow" };
            let (but_action, but_resource) = (["", "Not"][usize::from(not_action)], ["", "Not"][usize::from(not_resource)]);
            let mut once = BTreeMap::new();
            for ((operator, keys), ()) in conditions {
                once.insert(operator, keys);
            }
            let conditions: Vec<String> = once.iter().map(|(operator, keys)| format!(r#""{operator}":{keys}"#)).collect();
            format!(
                r#"{{"Effect":"{effect}","{but_action}Action":{},"{but_resource}Resource":{},"Condition":{{{}}}}}"#,
                list(&actions),
                list(&resources),
                conditions.join(",")
            )
        })
}

fn any_keys() -> impl Strategy<Value = BTreeMap<String, Vec<String>>> {
    let one = proptest::option::of("[abAB]{0,2}|true|[0-9]{1,2}");
    let many = proptest::collection::vec("[abAB]{0,2}|true|[0-9]{1,2}", 0..3);
    (one, many).prop_map(|(one, many)| {
        let mut keys = BTreeMap::new();
        if let Some(one) = one {
            keys.insert("aws:one".to_owned(), vec![one]);
        }
        keys.insert("aws:many".to_owned(), many);
        keys
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn compiled_policies_decide_as_they_read(
        statements in proptest::collection::vec(any_statement(), 1..8),
        action in "(kms|s3|Kms):(Decrypt|GetObject|Put)",
        resource in "arn:aws:(s3|kms):::[ab]{1,4}(/[abAB]{0,2}/x)?",
        keys in any_keys(),
    ) {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
        let policy = Arc::new(PolicyDocument::parse(PolicyKind::Identity, &text).unwrap());
        let found = Asked { action: &action, resource: &resource, keys: &keys }.found(&text);
        let mut context = Context::new();
        for (key, values) in &keys {
            context.set(key, values.clone());
        }
        let caller = session("R", None);
        let given = Given { identity: vec![policy], ..Given::default() };
        let policies = given.policies();
        let resource = resource.parse().unwrap();
        let request = AccessRequest { principal: &caller, action: &action, resource: &resource, context: &context, endpoint: None };
        let response = evaluate(&request, &policies);
        let denied = found.iter().any(|(_, denies)| *denies);
        let expected = match (denied, found.is_empty()) {
            (true, _) => Decision::Deny(Reason::ExplicitDeny(Layer::Identity)),
            (false, true) => Decision::Deny(Reason::NotAllowed(Layer::Identity)),
            (false, false) => Decision::Allow,
        };
        prop_assert_eq!(response.decision, expected);
        prop_assert_eq!(decide(&request, &policies).decision, expected);
        let told: Vec<usize> = response.diagnostics.determining.iter().map(|statement| statement.position).collect();
        let determining: Vec<usize> = found.iter().filter(|(_, denies)| *denies == denied).map(|(number, _)| *number).collect();
        prop_assert_eq!(told, determining);
    }
}
