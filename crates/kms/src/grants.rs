//! What a grant on a key can be: which operations keys of its kind have, and under which constraints.

use std::collections::{BTreeMap, BTreeSet};

use moho_iam::authz::{GrantConstraint, GrantOperation};

use crate::error::KmsError;
use crate::record::KeyRecord;
use crate::spec::{KeySpec, KeyUsage};

/// The most pairs of a constraint, and the most characters of all of them together.
const MOST_PAIRS: usize = 8;
const LONGEST_CONSTRAINT: usize = 384;

/// Whether there can be a grant on a key with these operations and this constraint.
///
/// # Errors
/// [`KmsError::Validation`] if not.
pub fn check_grant(
    record: &KeyRecord,
    operations: &BTreeSet<GrantOperation>,
    constraint: Option<&GrantConstraint>,
) -> Result<(), KmsError> {
    if operations.is_empty() {
        return Err(refused("Operations must name at least one operation."));
    }
    if let Some(operation) = operations.iter().find(|operation| !has(record, **operation)) {
        let (usage, spec) = (record.usage, record.spec);
        return Err(KmsError::Validation(format!(
            "Grant operation {operation} is not supported for a key with usage {usage} and spec {spec}."
        )));
    }
    constraint.map_or(Ok(()), |constraint| check_constraint(record, constraint))
}

fn check_constraint(record: &KeyRecord, constraint: &GrantConstraint) -> Result<(), KmsError> {
    if record.spec != KeySpec::SymmetricDefault {
        return Err(refused(
            "Encryption context constraints are only supported on grants for symmetric encryption keys.",
        ));
    }
    let (GrantConstraint::Equals(pairs) | GrantConstraint::Subset(pairs)) = constraint;
    let length = |pairs: &BTreeMap<String, String>| -> usize {
        let lengths = pairs
            .iter()
            .map(|(key, value)| key.chars().count().saturating_add(value.chars().count()));
        lengths.sum()
    };
    if pairs.is_empty() || pairs.len() > MOST_PAIRS || pairs.contains_key("") {
        return Err(refused("A constraint has 1 to 8 encryption context pairs."));
    }
    if length(pairs) > LONGEST_CONSTRAINT {
        return Err(refused("A constraint has at most 384 characters."));
    }
    Ok(())
}

/// Whether keys of this kind have the operation: AWS KMS's table of grant operations.
fn has(record: &KeyRecord, operation: GrantOperation) -> bool {
    let is_symmetric = record.spec == KeySpec::SymmetricDefault;
    match operation {
        GrantOperation::CreateGrant | GrantOperation::RetireGrant | GrantOperation::DescribeKey => true,
        GrantOperation::Encrypt
        | GrantOperation::Decrypt
        | GrantOperation::ReEncryptFrom
        | GrantOperation::ReEncryptTo => record.usage == KeyUsage::EncryptDecrypt,
        GrantOperation::GenerateDataKey
        | GrantOperation::GenerateDataKeyWithoutPlaintext
        | GrantOperation::GenerateDataKeyPair
        | GrantOperation::GenerateDataKeyPairWithoutPlaintext => is_symmetric,
        GrantOperation::GetPublicKey => record.spec.is_asymmetric(),
        GrantOperation::Sign | GrantOperation::Verify => record.usage == KeyUsage::SignVerify,
        GrantOperation::GenerateMac | GrantOperation::VerifyMac => {
            record.usage == KeyUsage::GenerateVerifyMac
        }
        GrantOperation::DeriveSharedSecret => record.usage == KeyUsage::KeyAgreement,
        GrantOperation::Encapsulate | GrantOperation::Decapsulate => {
            record.usage == KeyUsage::EncapsulateDecapsulate
        }
    }
}

fn refused(why: &str) -> KmsError {
    KmsError::Validation(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Origin;

    /// Which operations keys of each kind have besides `CreateGrant`, `DescribeKey` and `RetireGrant`, which all have.
    const OPERATIONS: [(KeySpec, KeyUsage, &str); 6] = [
        (
            KeySpec::SymmetricDefault,
            KeyUsage::EncryptDecrypt,
            "Decrypt Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo \
             GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext",
        ),
        (
            KeySpec::Rsa2048,
            KeyUsage::EncryptDecrypt,
            "Decrypt Encrypt ReEncryptFrom ReEncryptTo GetPublicKey",
        ),
        (
            KeySpec::EccNistP256,
            KeyUsage::SignVerify,
            "Sign Verify GetPublicKey",
        ),
        (
            KeySpec::EccNistP256,
            KeyUsage::KeyAgreement,
            "GetPublicKey DeriveSharedSecret",
        ),
        (
            KeySpec::Hmac256,
            KeyUsage::GenerateVerifyMac,
            "GenerateMac VerifyMac",
        ),
        (
            KeySpec::MlKem768,
            KeyUsage::EncapsulateDecapsulate,
            "GetPublicKey Encapsulate Decapsulate",
        ),
    ];

    fn key(spec: KeySpec, usage: KeyUsage) -> KeyRecord {
        KeyRecord {
            key_id: "00112233-4455-4677-8899-aabbccddeeff".parse().unwrap(),
            account: "123456789012".parse().unwrap(),
            region: "moho-local-1".parse().unwrap(),
            spec,
            usage,
            origin: Origin::AwsKms,
            description: String::new(),
            policy: String::new(),
            principals: BTreeMap::new(),
            tags: BTreeMap::new(),
            created_at: moho_terms::Timestamp::from_unix_seconds(1),
            state: crate::record::KeyState::Enabled,
            revision: 1,
            materials: Vec::new(),
            rotation: None,
            on_demand_rotations: 0,
        }
    }

    fn pairs(n: usize, value: &str) -> BTreeMap<String, String> {
        (0..n).map(|i| (format!("k{i}"), value.to_owned())).collect()
    }

    #[test]
    fn keys_of_each_kind_can_be_granted_for_what_they_do_and_nothing_else() {
        let common = [
            GrantOperation::CreateGrant,
            GrantOperation::DescribeKey,
            GrantOperation::RetireGrant,
        ];
        for (spec, usage, expected) in OPERATIONS {
            let key = key(spec, usage);
            let can = |operation: &GrantOperation| check_grant(&key, &[*operation].into(), None).is_ok();
            assert!(common.iter().all(can));
            let others = GrantOperation::ALL
                .iter()
                .filter(|operation| !common.contains(operation));
            let names: Vec<_> = others
                .filter(|operation| can(operation))
                .map(|operation| operation.as_str())
                .collect();
            assert_eq!(names.join(" "), expected, "{spec} {usage}");
            let some = GrantConstraint::Subset(pairs(1, ""));
            let made = check_grant(&key, &common.into(), Some(&some));
            assert_eq!(made.is_ok(), spec == KeySpec::SymmetricDefault, "{spec}");
        }
        let key = key(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt);
        assert!(check_grant(&key, &BTreeSet::new(), None).is_err());
    }

    #[test]
    fn a_constraint_has_a_few_short_pairs() {
        let key = key(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt);
        let fits = |pairs| {
            let equals = GrantConstraint::Equals(pairs);
            check_grant(&key, &[GrantOperation::Decrypt].into(), Some(&equals)).is_ok()
        };
        assert!(fits(pairs(1, "")) && fits(pairs(8, "v")) && fits(pairs(1, &"v".repeat(382))));
        assert!(!fits(pairs(0, "")) && !fits(pairs(9, "v")) && !fits(pairs(1, &"v".repeat(383))));
        assert!(fits(pairs(1, &"é".repeat(382))) && !fits(pairs(1, &"é".repeat(383))));
        assert!(fits(pairs(8, &"v".repeat(46))) && !fits(pairs(8, &"v".repeat(47))));
        assert!(!fits(BTreeMap::from([(String::new(), "v".to_owned())])));
    }
}
