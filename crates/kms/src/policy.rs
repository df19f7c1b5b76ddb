//! Key policies: the one that a KmsKey starts with, and what is kept of one that somebody writes.

use std::collections::BTreeMap;

use moho_terms::AccountId;

/// A key policy to be kept. Whoever knows the principals binds those that the policy names to their unique ids: who gets a
/// name later is not whom the policy meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPolicy {
    /// The policy, as its author wrote it.
    pub text: String,
    /// The principals that it names, as it names them, with their unique ids. Who is not among them is meant by name.
    pub principals: BTreeMap<String, String>,
}

/// AWS's own default key policy: the account as a whole may use the key, which leaves it to the account's IAM policies
/// who in it may. Without a statement like this, IAM policies count for nothing on a key.
#[must_use]
pub fn default_key_policy(account: AccountId) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Id":"key-default-1","Statement":[{{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Action":"kms:*","Resource":"*"}}]}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use moho_iam::policy::{PolicyDocument, PolicyKind};

    #[test]
    fn the_default_policy_is_a_key_policy_and_names_the_account() {
        let text = default_key_policy("123456789012".parse().unwrap());
        let policy = PolicyDocument::parse(PolicyKind::Key, &text).unwrap();
        assert!(policy.as_str().contains("arn:aws:iam::123456789012:root"));
    }
}
