//! The policy a KmsKey starts with.

use moho_terms::AccountId;

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
