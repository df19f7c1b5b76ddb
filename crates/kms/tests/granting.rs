//! Grants before they are kept: what one may be, and its token.
#![expect(clippy::unwrap_used, reason = "a test ends when something unexpected happens")]

mod house;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use house::House;
use moho_iam::authz::{GrantConstraint, GrantOperation, Grants};
use moho_kms::spec::{KeySpec, KeyUsage};
use moho_kms::{GrantMade, KmsError, NewGrant};
use moho_terms::Arn;

fn grant(operations: &[GrantOperation]) -> NewGrant {
    NewGrant {
        grantee: "arn:aws:iam::123456789012:role/App".parse().unwrap(),
        retiring: None,
        operations: operations.iter().copied().collect(),
        constraint: None,
        name: None,
    }
}

fn pairs(n: usize, value: &str) -> BTreeMap<String, String> {
    (0..n).map(|i| (format!("k{i}"), value.to_owned())).collect()
}

fn make(house: &House, key: &Arn, new: NewGrant) -> Result<GrantMade, KmsError> {
    house.kms.new_grant(&house.permit(key), new, None)
}

#[test]
fn a_grant_is_what_was_asked_for_with_a_token_of_its_own() {
    let house = House::new();
    let key = house.key();
    let one = make(&house, &key, grant(&[GrantOperation::Decrypt])).unwrap();
    let two = make(&house, &key, grant(&[GrantOperation::Decrypt])).unwrap();
    assert!(one.is_new && two.is_new);
    assert_ne!(one.grant.id, two.grant.id);
    assert_ne!(one.token, two.token);
    assert_eq!(one.grant.id.len(), 64);
    assert_eq!(one.grant.key, key);
    assert_eq!(one.grant.operations, BTreeSet::from([GrantOperation::Decrypt]));

    let grants = Grants::new([Arc::new(one.grant.clone())]);
    let check = |tokens: &[&str]| {
        let tokens: Vec<_> = tokens.iter().map(|token| (*token).to_owned()).collect();
        house.kms.check_grant_tokens(Some(&grants), &tokens)
    };
    check(&[]).unwrap();
    check(&[&one.token]).unwrap();
    let mut altered = one.token.clone();
    altered.replace_range(70..71, if altered.as_bytes()[70] == b'A' { "B" } else { "A" });
    for wrong in [two.token.as_str(), &altered, &one.grant.id, "", "."] {
        assert!(
            matches!(check(&[&one.token, wrong]), Err(KmsError::InvalidGrantToken)),
            "{wrong}"
        );
    }
    let none = house
        .kms
        .check_grant_tokens(None, std::slice::from_ref(&one.token));
    assert!(matches!(none, Err(KmsError::InvalidGrantToken)));
    assert_eq!(house.kms.grant_of_token(&two.token).unwrap(), two.grant.id);
    assert!(house.kms.grant_of_token(&altered).is_err());
}

#[test]
fn the_same_under_the_same_name_is_the_same_grant() {
    let house = House::new();
    let key = house.key();
    let mut new = grant(&[GrantOperation::Encrypt]);
    new.name = Some("app/encrypts".to_owned());
    let made = make(&house, &key, new.clone()).unwrap();
    let existing = Grants::new([Arc::new(made.grant.clone())]);
    let again = |new: NewGrant| {
        house
            .kms
            .new_grant(&house.permit(&key), new, Some(&existing))
            .unwrap()
    };
    let same = again(new.clone());
    assert!(!same.is_new);
    assert_eq!((&same.grant, &same.token), (&made.grant, &made.token));
    let mut other = new.clone();
    other.operations.insert(GrantOperation::Decrypt);
    assert!(again(other).is_new);
    new.name = None;
    assert!(again(new).is_new);
}

#[test]
fn what_cannot_be_a_grant_is_refused() {
    let house = House::new();
    let key = house.key();
    let wrong = |change: fn(&mut NewGrant)| {
        let mut new = grant(&[GrantOperation::Decrypt]);
        change(&mut new);
        matches!(make(&house, &key, new), Err(KmsError::Validation(_)))
    };
    assert!(wrong(|new| new.operations.clear()));
    assert!(wrong(|new| new.name = Some(String::new())));
    assert!(wrong(|new| new.name = Some("n".repeat(257))));
    assert!(wrong(|new| new.name = Some("with space".to_owned())));
    assert!(wrong(
        |new| new.grantee = "arn:aws:iam::123456789012:group/all".parse().unwrap()
    ));
    assert!(wrong(
        |new| new.grantee = "arn:aws:iam::123456789012:role/*".parse().unwrap()
    ));
    assert!(wrong(
        |new| new.retiring = Some("arn:aws:s3:::bucket".parse().unwrap())
    ));
    assert!(wrong(
        |new| new.constraint = Some(GrantConstraint::Equals(pairs(0, "")))
    ));
    assert!(wrong(
        |new| new.constraint = Some(GrantConstraint::Subset(pairs(9, "")))
    ));
    assert!(wrong(
        |new| new.constraint = Some(GrantConstraint::Subset(pairs(1, &"v".repeat(383))))
    ));
    assert!(!wrong(
        |new| new.constraint = Some(GrantConstraint::Subset(pairs(1, &"v".repeat(382))))
    ));
    house.kms.disable(&house.permit(&key)).unwrap();
    let refused = make(&house, &key, grant(&[GrantOperation::Decrypt]));
    assert!(matches!(refused, Err(KmsError::Disabled(_))));
}

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

#[test]
fn keys_of_each_kind_can_be_granted_for_what_they_do_and_nothing_else() {
    let house = House::new();
    for (spec, usage, expected) in OPERATIONS {
        let key = house.key_of(spec, usage);
        let common = [
            GrantOperation::CreateGrant,
            GrantOperation::DescribeKey,
            GrantOperation::RetireGrant,
        ];
        let can = |operation: &GrantOperation| make(&house, &key, grant(&[*operation])).is_ok();
        assert!(common.iter().all(can));
        let others = GrantOperation::ALL
            .iter()
            .filter(|operation| !common.contains(operation));
        let names: Vec<_> = others
            .filter(|operation| can(operation))
            .map(|o| o.as_str())
            .collect();
        assert_eq!(names.join(" "), expected, "{spec} {usage}");
        let mut constrained = grant(&[GrantOperation::DescribeKey]);
        constrained.constraint = Some(GrantConstraint::Subset(pairs(1, "")));
        let made = make(&house, &key, constrained);
        assert_eq!(made.is_ok(), spec == KeySpec::SymmetricDefault, "{spec}");
    }
}
