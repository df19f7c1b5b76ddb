//! Which action a key's state allows: AWS KMS's table of key states, in one place.

use moho_terms::Arn;

use crate::error::KmsError;
use crate::record::KeyState;

/// What state an action needs a key to be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Any.
    Any,
    /// All but pending deletion.
    Kept,
    /// Enabled or disabled: with all of its material.
    Whole,
    /// Enabled.
    Enabled,
    /// Pending deletion.
    Ending,
}

/// What `action` needs; `None` if it is not done on a key.
fn need(action: &str) -> Option<Need> {
    Some(match action {
        "kms:DescribeKey"
        | "kms:GetKeyPolicy"
        | "kms:PutKeyPolicy"
        | "kms:ListKeyPolicies"
        | "kms:ListResourceTags"
        | "kms:ListAliases"
        | "kms:DeleteAlias"
        | "kms:ListGrants"
        | "kms:RetireGrant"
        | "kms:RevokeGrant"
        | "kms:DeleteImportedKeyMaterial"
        | "kms:GetKeyRotationStatus"
        | "kms:ListKeyRotations"
        | "kms:GetKeyLastUsage" => Need::Any,
        "kms:CreateAlias"
        | "kms:UpdateAlias"
        | "kms:UpdateKeyDescription"
        | "kms:TagResource"
        | "kms:UntagResource"
        | "kms:ScheduleKeyDeletion"
        | "kms:GetParametersForImport"
        | "kms:ImportKeyMaterial" => Need::Kept,
        "kms:EnableKey" | "kms:DisableKey" => Need::Whole,
        "kms:CancelKeyDeletion" => Need::Ending,
        "kms:Encrypt"
        | "kms:Decrypt"
        | "kms:ReEncryptFrom"
        | "kms:ReEncryptTo"
        | "kms:GenerateDataKey"
        | "kms:GenerateDataKeyWithoutPlaintext"
        | "kms:GenerateDataKeyPair"
        | "kms:GenerateDataKeyPairWithoutPlaintext"
        | "kms:Sign"
        | "kms:Verify"
        | "kms:GetPublicKey"
        | "kms:GenerateMac"
        | "kms:VerifyMac"
        | "kms:DeriveSharedSecret"
        | "kms:Encapsulate"
        | "kms:Decapsulate"
        | "kms:CreateGrant"
        | "kms:EnableKeyRotation"
        | "kms:DisableKeyRotation"
        | "kms:RotateKeyOnDemand" => Need::Enabled,
        _ => return None,
    })
}

/// Whether a key in `state` allows `action`.
///
/// # Errors
/// [`KmsError::Disabled`] or [`KmsError::InvalidState`] if not.
pub(crate) fn allows(state: KeyState, action: &'static str, key: &Arn) -> Result<(), KmsError> {
    let refused = |is| Err(KmsError::InvalidState(key.clone(), is));
    let Some(need) = need(action) else {
        return refused("not valid for this operation");
    };
    match (need, state) {
        (Need::Any, _)
        | (Need::Kept, KeyState::Enabled | KeyState::Disabled | KeyState::PendingImport)
        | (Need::Whole, KeyState::Enabled | KeyState::Disabled)
        | (Need::Enabled, KeyState::Enabled)
        | (Need::Ending, KeyState::PendingDeletion { .. }) => Ok(()),
        (Need::Ending, _) => refused("not pending deletion"),
        (_, KeyState::PendingDeletion { .. }) => refused("pending deletion"),
        (_, KeyState::PendingImport) => refused("pending import"),
        (_, KeyState::Disabled) => Err(KmsError::Disabled(key.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moho_iam::action::ALL;
    use moho_terms::Timestamp;

    /// AWS's table, by what is said in each state: enabled, disabled, pending import, pending deletion. `.` is yes, the
    /// numbers are those of AWS's footnotes: 1 disabled, 3 pending deletion, 4 not pending deletion, 5 pending import.
    const TABLE: &str = "
        CancelKeyDeletion 4 4 4 .
        CreateAlias . . . 3
        CreateGrant . 1 5 3
        Decapsulate . 1 5 3
        Decrypt . 1 5 3
        DeleteAlias . . . .
        DeleteImportedKeyMaterial . . . .
        DeriveSharedSecret . 1 5 3
        DescribeKey . . . .
        DisableKey . . 5 3
        DisableKeyRotation . 1 5 3
        EnableKey . . 5 3
        EnableKeyRotation . 1 5 3
        Encapsulate . 1 5 3
        Encrypt . 1 5 3
        GenerateDataKey . 1 5 3
        GenerateDataKeyPair . 1 5 3
        GenerateDataKeyPairWithoutPlaintext . 1 5 3
        GenerateDataKeyWithoutPlaintext . 1 5 3
        GenerateMac . 1 5 3
        GetKeyLastUsage . . . .
        GetKeyPolicy . . . .
        GetKeyRotationStatus . . . .
        GetParametersForImport . . . 3
        GetPublicKey . 1 5 3
        ImportKeyMaterial . . . 3
        ListAliases . . . .
        ListGrants . . . .
        ListKeyPolicies . . . .
        ListKeyRotations . . . .
        ListResourceTags . . . .
        PutKeyPolicy . . . .
        ReEncryptFrom . 1 5 3
        ReEncryptTo . 1 5 3
        RetireGrant . . . .
        RevokeGrant . . . .
        RotateKeyOnDemand . 1 5 3
        ScheduleKeyDeletion . . . 3
        Sign . 1 5 3
        TagResource . . . 3
        UntagResource . . . 3
        UpdateAlias . . . 3
        UpdateKeyDescription . . . 3
        Verify . 1 5 3
        VerifyMac . 1 5 3";

    /// What is done on no key, or on keys not yet there.
    const ELSEWHERE: [&str; 4] = ["CreateKey", "GenerateRandom", "ListKeys", "ListRetirableGrants"];

    fn said(state: KeyState, action: &'static str) -> &'static str {
        let key: Arn = "arn:aws:kms:moho-local-1:123456789012:key/1".parse().unwrap();
        match allows(state, action, &key) {
            Ok(()) => ".",
            Err(KmsError::Disabled(_)) => "1",
            Err(KmsError::InvalidState(_, "pending deletion")) => "3",
            Err(KmsError::InvalidState(_, "not pending deletion")) => "4",
            Err(KmsError::InvalidState(_, "pending import")) => "5",
            Err(_) => "?",
        }
    }

    #[test]
    fn every_action_says_in_every_state_what_aws_says() {
        let states = [
            KeyState::Enabled,
            KeyState::Disabled,
            KeyState::PendingImport,
            KeyState::PendingDeletion {
                at: Timestamp::from_unix_seconds(1),
            },
        ];
        let mut rows = Vec::new();
        for action in ALL.iter().filter(|action| action.starts_with("kms:")) {
            let name = action.trim_start_matches("kms:");
            let row = states.map(|state| said(state, action)).join(" ");
            if ELSEWHERE.contains(&name) {
                assert_eq!(row, "? ? ? ?", "{name}");
            } else {
                rows.push(format!("{name} {row}"));
            }
        }
        rows.sort();
        let expected: Vec<_> = TABLE
            .lines()
            .map(str::trim)
            .filter(|row| !row.is_empty())
            .collect();
        assert_eq!(rows, expected);
    }
}
