//! What an organisation's management policies come to, from the root to an account.
//!
//! Each policy sets values with operators: `@@assign` replaces what was inherited, `@@append` adds to it, `@@remove` takes
//! from it; `@@operators_allowed_for_child_policies` says which of them policies further down may use on this element and
//! what is within it. An operator that is not allowed changes nothing, as at AWS.

use std::collections::BTreeMap;

use super::json::Json;

const ASSIGN: &str = "@@assign";
const APPEND: &str = "@@append";
const REMOVE: &str = "@@remove";
const ALLOWED: &str = "@@operators_allowed_for_child_policies";
/// Objects inside each other.
const MAX_DEPTH: u32 = 16;

/// Why text is no management policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ManagementPolicyError(&'static str);

/// Checks a management policy: a JSON object with the one top-level element `top`, in which every value is set by an
/// operator.
///
/// # Errors
/// [`ManagementPolicyError`] says what is wrong.
pub fn check_management(top: &str, text: &str) -> Result<(), ManagementPolicyError> {
    let Ok(Json::Object(members)) = serde_json::from_str::<Json>(text) else {
        return Err(ManagementPolicyError("it is not a JSON object"));
    };
    if members.keys().any(|key| key != top) || members.is_empty() {
        return Err(ManagementPolicyError(
            "it has another top-level element than its type",
        ));
    }
    members.values().try_for_each(|value| check(value, MAX_DEPTH))
}

fn check(value: &Json, depth: u32) -> Result<(), ManagementPolicyError> {
    let Json::Object(members) = value else {
        return Err(ManagementPolicyError("a value is set without an operator"));
    };
    let depth = depth
        .checked_sub(1)
        .ok_or(ManagementPolicyError("it is nested too deeply"))?;
    let sets = members
        .keys()
        .any(|key| [ASSIGN, APPEND, REMOVE].contains(&key.as_str()));
    for (key, inner) in members {
        match key.as_str() {
            ASSIGN => {}
            APPEND | REMOVE if matches!(inner, Json::List(_)) => {}
            APPEND | REMOVE => {
                return Err(ManagementPolicyError("@@append and @@remove take a list"));
            }
            ALLOWED => check_allowed(inner)?,
            other if other.starts_with("@@") => {
                return Err(ManagementPolicyError("it has an unknown operator"));
            }
            _ if sets => {
                return Err(ManagementPolicyError(
                    "a value that an operator sets has elements of its own",
                ));
            }
            _ => check(inner, depth)?,
        }
    }
    Ok(())
}

fn check_allowed(value: &Json) -> Result<(), ManagementPolicyError> {
    let known = ["@@all", "@@none", ASSIGN, APPEND, REMOVE];
    let named = |item: &Json| item.text().is_some_and(|name| known.contains(&name));
    if let Json::List(items) = value
        && items.iter().all(named)
    {
        return Ok(());
    }
    Err(ManagementPolicyError(
        "@@operators_allowed_for_child_policies lists operators, @@all or @@none",
    ))
}

/// What the policies come to, as JSON without operators. `levels` are the root's policies, those of each organisational
/// unit, and the account's; within a level they count in the order they were attached. `None` if nothing is set.
#[must_use]
pub fn effective(levels: &[Vec<&str>]) -> Option<String> {
    let mut whole = Element::default();
    for level in levels {
        // What one level allows holds for the levels below it, not for its other policies.
        let before = whole.clone();
        for text in level {
            // It was checked before it was kept.
            if let Ok(policy) = serde_json::from_str::<Json>(text) {
                whole.apply(&policy, Some(&before), Operators::ALL);
            }
        }
    }
    serde_json::to_string(&whole.into_json()?).ok()
}

/// Which operators a level may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Operators {
    assign: bool,
    append: bool,
    remove: bool,
}

impl Operators {
    const ALL: Self = Self {
        assign: true,
        append: true,
        remove: true,
    };

    fn of(list: &Json) -> Self {
        let names = |name: &str| {
            let items = list.one_or_many().iter().filter_map(Json::text);
            items.into_iter().any(|item| item == name || item == "@@all")
        };
        Self {
            assign: names(ASSIGN),
            append: names(APPEND),
            remove: names(REMOVE),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            assign: self.assign && other.assign,
            append: self.append && other.append,
            remove: self.remove && other.remove,
        }
    }
}

/// An element of the effective policy on its way down.
#[derive(Debug, Clone, Default)]
struct Element {
    value: Option<Json>,
    /// What levels below may do to it, if something was said.
    allowed: Option<Operators>,
    elements: BTreeMap<String, Self>,
}

impl Element {
    /// Applies one policy of a level. `before` is this element as the levels above left it, `may` what they allow.
    fn apply(&mut self, policy: &Json, before: Option<&Self>, may: Operators) {
        let Json::Object(members) = policy else { return };
        let may = before
            .and_then(|before| before.allowed)
            .map_or(may, |allowed| may.and(allowed));
        if let Some(allowed) = members.get(ALLOWED) {
            let said = Operators::of(allowed);
            self.allowed = Some(self.allowed.map_or(said, |other| said.and(other)));
        }
        if let Some(value) = members.get(ASSIGN).filter(|_| may.assign) {
            self.value = Some(value.clone());
        }
        if let Some(added) = members.get(APPEND).filter(|_| may.append) {
            let mut items = self.items();
            for item in added.one_or_many() {
                if !items.contains(item) {
                    items.push(item.clone());
                }
            }
            self.value = Some(Json::List(items));
        }
        if let Some(removed) = members.get(REMOVE).filter(|_| may.remove) {
            let mut items = self.items();
            items.retain(|item| !removed.one_or_many().contains(item));
            self.value = Some(Json::List(items));
        }
        for (key, inner) in members.iter().filter(|(key, _)| !key.starts_with("@@")) {
            let above = before.and_then(|before| before.elements.get(key));
            self.elements
                .entry(key.clone())
                .or_default()
                .apply(inner, above, may);
        }
    }

    /// What is inherited, as a list.
    fn items(&self) -> Vec<Json> {
        self.value
            .as_ref()
            .map_or_else(Vec::new, |value| value.one_or_many().to_vec())
    }

    fn into_json(self) -> Option<Json> {
        if self.value.is_some() {
            return self.value;
        }
        let members: BTreeMap<String, Json> = self
            .elements
            .into_iter()
            .filter_map(|(key, element)| Some((key, element.into_json()?)))
            .collect();
        (!members.is_empty()).then_some(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// AWS's own example of tag policies.
    const ROOT: &str = r#"{"tags":{"costcenter":{"tag_key":{"@@assign":"CostCenter"},"tag_value":{"@@assign":["Production","Test"]}}}}"#;

    #[test]
    fn values_are_appended_removed_and_replaced_on_the_way_down() {
        let unit = r#"{"tags":{"costcenter":{"tag_value":{"@@append":["Development"],"@@remove":["Test"]}},"project":{"tag_key":{"@@assign":"Project"}}}}"#;
        let told = effective(&[vec![ROOT], vec![unit]]).unwrap();
        assert_eq!(
            told,
            r#"{"tags":{"costcenter":{"tag_key":"CostCenter","tag_value":["Production","Development"]},"project":{"tag_key":"Project"}}}"#
        );
        let own = r#"{"tags":{"costcenter":{"tag_key":{"@@assign":"costCENTER"}}}}"#;
        assert!(
            effective(&[vec![ROOT], vec![own]])
                .unwrap()
                .contains(r#""costCENTER""#)
        );
        assert_eq!(effective(&[vec![], vec![]]), None);
    }

    #[test]
    fn what_the_root_keeps_to_itself_no_level_below_changes() {
        let opt_out = r#"{"services":{"@@operators_allowed_for_child_policies":["@@none"],"default":{"@@operators_allowed_for_child_policies":["@@none"],"opt_out_policy":{"@@operators_allowed_for_child_policies":["@@none"],"@@assign":"optOut"}}}}"#;
        let in_again = r#"{"services":{"default":{"@@operators_allowed_for_child_policies":["@@all"],"opt_out_policy":{"@@assign":"optIn"}}}}"#;
        for levels in [
            vec![vec![opt_out], vec![in_again]],
            vec![vec![opt_out], vec![in_again], vec![in_again]],
        ] {
            assert_eq!(
                effective(&levels).unwrap(),
                r#"{"services":{"default":{"opt_out_policy":"optOut"}}}"#
            );
        }
        // The other policies of the same level are bound by the levels above only.
        assert!(effective(&[vec![opt_out, in_again]]).unwrap().contains("optIn"));
        let outer = r#"{"services":{"@@operators_allowed_for_child_policies":["@@none"]}}"#;
        assert_eq!(
            effective(&[vec![outer], vec![in_again]]),
            None,
            "it holds for what is within"
        );
    }

    #[test]
    fn only_some_operators_may_be_allowed() {
        let root = r#"{"tags":{"a":{"tag_value":{"@@operators_allowed_for_child_policies":["@@append"],"@@assign":["1"]}}}}"#;
        let assigns = r#"{"tags":{"a":{"tag_value":{"@@assign":["2"]}}}}"#;
        let appends = r#"{"tags":{"a":{"tag_value":{"@@append":["2"]}}}}"#;
        let told = |text| effective(&[vec![root], vec![text]]).unwrap();
        assert_eq!(told(assigns), r#"{"tags":{"a":{"tag_value":["1"]}}}"#);
        assert_eq!(told(appends), r#"{"tags":{"a":{"tag_value":["1","2"]}}}"#);
    }

    #[test]
    fn what_is_no_management_policy_is_refused() {
        assert_eq!(check_management("tags", ROOT), Ok(()));
        let deep = format!("{}{}{}", r#"{"tags":"#, r#"{"a":"#.repeat(40), "}".repeat(41));
        for text in [
            "",
            "[]",
            "{}",
            r#"{"services":{}}"#,
            r#"{"tags":{},"services":{}}"#,
            r#"{"tags":"x"}"#,
            r#"{"tags":{"a":{"tag_key":"A"}}}"#,
            r#"{"tags":{"a":{"@@append":"A"}}}"#,
            r#"{"tags":{"a":{"@@assign":"A","b":{"@@assign":"B"}}}}"#,
            r#"{"tags":{"a":{"@@explode":"A"}}}"#,
            r#"{"tags":{"a":{"@@operators_allowed_for_child_policies":["@@some"]}}}"#,
            r#"{"tags":{"a":{"@@assign":"A"},"a":{"@@assign":"B"}}}"#,
            &deep,
        ] {
            assert!(check_management("tags", text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused_and_comes_to_json(text in r#"[{}\[\]":,@a-z0-9]{0,80}"#) {
            let _checked = check_management("tags", &text);
            if let Some(told) = effective(&[vec![&text], vec![ROOT, &text]]) {
                prop_assert!(serde_json::from_str::<Json>(&told).is_ok());
            }
        }

        #[test]
        fn a_value_that_may_not_be_changed_stays(values in proptest::collection::vec("[a-z]{1,3}", 1..4)) {
            let root = r#"{"tags":{"a":{"tag_value":{"@@operators_allowed_for_child_policies":["@@none"],"@@assign":["kept"]}}}}"#;
            let below = values.iter().map(|v| format!(
                r#"{{"tags":{{"a":{{"@@operators_allowed_for_child_policies":["@@all"],"tag_value":{{"@@assign":["{v}"],"@@append":["{v}"],"@@remove":["kept"]}}}}}}}}"#
            )).collect::<Vec<_>>();
            let mut levels = vec![vec![root]];
            levels.extend(below.iter().map(|text| vec![text.as_str()]));
            prop_assert_eq!(effective(&levels).unwrap(), r#"{"tags":{"a":{"tag_value":["kept"]}}}"#);
        }
    }
}
