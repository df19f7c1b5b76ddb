//! Rules of service and resource control policies that are no part of the policy language.

use super::json::Json;

/// The action that a control policy has to name for long-lived credentials to exist.
const LONG_LIVED: &str = "iam:CreateAccessKey";

/// Why a policy document is no resource control policy of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ControlPolicyError(&'static str);

/// Checks what AWS demands of a customer's resource control policies beyond the grammar: they only deny, they speak of
/// every principal, and of named services' actions.
///
/// # Errors
/// [`ControlPolicyError`] says which rule is broken.
pub fn check_resource_control(text: &str) -> Result<(), ControlPolicyError> {
    let refuse = |why| Err(ControlPolicyError(why));
    let Ok(document) = serde_json::from_str::<Json>(text) else {
        return refuse("it is not JSON");
    };
    for statement in statements(&document) {
        let names_everything = |action: &Json| action.text() == Some("*");
        if statement.get("Effect").and_then(Json::text) != Some("Deny") {
            return refuse("the Effect of a resource control policy is Deny");
        }
        if statement.get("Principal").and_then(Json::text) != Some("*") {
            return refuse("the Principal of a resource control policy is \"*\"");
        }
        match statement.get("Action") {
            None => return refuse("a resource control policy has Action, not NotAction"),
            Some(actions) if actions.one_or_many().iter().any(names_everything) => {
                return refuse("the actions of a resource control policy name their service");
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Whether a service control policy lets long-lived credentials in: an Allow statement without a condition names
/// `iam:CreateAccessKey` exactly. No wildcard names it, so that no policy which is there for other reasons lets them in.
#[must_use]
pub fn lets_in_long_lived_credentials(text: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Json>(text) else {
        return false;
    };
    statements(&document).iter().any(|statement| {
        let names_it = |action: &Json| {
            action
                .text()
                .is_some_and(|name| name.eq_ignore_ascii_case(LONG_LIVED))
        };
        statement.get("Effect").and_then(Json::text) == Some("Allow")
            && statement.get("Condition").is_none()
            && statement
                .get("Action")
                .is_some_and(|actions| actions.one_or_many().iter().any(names_it))
    })
}

fn statements(document: &Json) -> &[Json] {
    document.get("Statement").map_or(&[], Json::one_or_many)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(members: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{{{members}}}]}}"#)
    }

    #[test]
    fn only_a_policy_that_says_so_lets_in_long_lived_credentials() {
        let lets = |members: &str| lets_in_long_lived_credentials(&statement(members));
        assert!(lets(
            r#""Effect":"Allow","Action":"iam:CreateAccessKey","Resource":"*""#
        ));
        assert!(lets(
            r#""Effect":"Allow","Action":["s3:*","IAM:createaccesskey"],"Resource":"*""#
        ));
        assert!(lets_in_long_lived_credentials(
            r#"{"Statement":{"Effect":"Allow","Action":"iam:CreateAccessKey"}}"#
        ));
        for members in [
            r#""Effect":"Allow","Action":"*","Resource":"*""#,
            r#""Effect":"Allow","Action":"iam:*","Resource":"*""#,
            r#""Effect":"Allow","Action":"iam:CreateAccessKe?","Resource":"*""#,
            r#""Effect":"Allow","NotAction":"iam:CreateAccessKey","Resource":"*""#,
            r#""Effect":"Deny","Action":"iam:CreateAccessKey","Resource":"*""#,
            r#""Effect":"Allow","Action":"iam:CreateAccessKey","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}"#,
        ] {
            assert!(!lets(members), "{members}");
        }
        assert!(!lets_in_long_lived_credentials("no JSON"));
    }

    #[test]
    fn a_customers_resource_control_policy_only_denies() {
        let deny = r#""Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Resource":"*""#;
        assert_eq!(check_resource_control(&statement(deny)), Ok(()));
        for members in [
            r#""Effect":"Allow","Principal":"*","Action":"sts:*","Resource":"*""#,
            r#""Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:*","Resource":"*""#,
            r#""Effect":"Deny","NotPrincipal":{"AWS":"*"},"Action":"sts:*","Resource":"*""#,
            r#""Effect":"Deny","Principal":"*","Action":"*","Resource":"*""#,
            r#""Effect":"Deny","Principal":"*","Action":["sts:*","*"],"Resource":"*""#,
            r#""Effect":"Deny","Principal":"*","NotAction":"sts:*","Resource":"*""#,
        ] {
            assert!(check_resource_control(&statement(members)).is_err(), "{members}");
        }
    }
}
