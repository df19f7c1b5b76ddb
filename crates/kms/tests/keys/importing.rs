//! Keys whose material their owners bring: wrapped as customers wrap it, taken away, ended, rotated to.

use std::sync::atomic::Ordering;

use crate::house::{DAY, House};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use moho_kms::spec::{KeySpec, KeyUsage, MacAlgorithm, WrappingAlgorithm, WrappingKeySpec};
use moho_kms::{
    DueKind, EncryptionContext, Import, ImportType, KeyState, KmsError, MaterialId, MaterialState,
    ParametersForImport,
};
use moho_terms::{Arn, Clock};

pub(crate) const ONE: [u8; 32] = [1; 32];
pub(crate) const TWO: [u8; 32] = [2; 32];

fn parameters(house: &House, key: &Arn) -> ParametersForImport {
    house
        .kms
        .parameters_for_import(
            &house.permit(key),
            WrappingAlgorithm::RsaesOaepSha256,
            WrappingKeySpec::Rsa2048,
        )
        .unwrap()
}

fn wrap(parameters: &ParametersForImport, material: &[u8]) -> Vec<u8> {
    let key = PublicEncryptingKey::from_der(&parameters.public_key).unwrap();
    let key = OaepPublicEncryptingKey::new(key).unwrap();
    let mut wrapped = vec![0; key.ciphertext_size()];
    key.encrypt(&OAEP_SHA256_MGF1SHA256, material, &mut wrapped, None)
        .unwrap();
    wrapped
}

/// An import of `material`, altered by `change`.
pub(crate) fn import(
    house: &House,
    (key, material): (&Arn, &[u8]),
    change: impl FnOnce(&mut Import<'_>),
) -> Result<MaterialId, KmsError> {
    let parameters = parameters(house, key);
    let wrapped = wrap(&parameters, material);
    let mut import = Import {
        token: &parameters.token,
        wrapped: &wrapped,
        valid_to: None,
        kind: None,
        material: None,
        description: None,
    };
    change(&mut import);
    house.kms.import(&house.permit(key), &import)
}

pub(crate) fn state(house: &House, key: &Arn) -> KeyState {
    let record = house.describe(key).unwrap();
    record.state_at(house.world.now())
}

fn nothing() -> EncryptionContext {
    EncryptionContext::new()
}

#[test]
fn a_key_works_once_its_material_is_there_and_again_when_it_is_back() {
    let house = House::new();
    let key = house.empty_key();
    assert_eq!(state(&house, &key), KeyState::PendingImport);
    let refused = house.works(&key).unwrap_err();
    assert!(refused.to_string().ends_with("is pending import."), "{refused}");
    let id = import(&house, (&key, &ONE), |_| {}).unwrap();
    assert_eq!(state(&house, &key), KeyState::Enabled);
    let blob = house.encrypt(&key, &nothing()).unwrap();

    let deleted = house.kms.delete_imported(&house.permit(&key), None).unwrap();
    assert_eq!(deleted, Some(id));
    assert_eq!(house.world.shredded.load(Ordering::Relaxed), 1);
    assert_eq!(state(&house, &key), KeyState::PendingImport);
    assert!(house.decrypt(&key, &nothing(), &blob).is_err());
    // Once more has no effect.
    house.kms.delete_imported(&house.permit(&key), Some(&id)).unwrap();

    let other = import(&house, (&key, &TWO), |_| {});
    assert!(matches!(other, Err(KmsError::IncorrectKeyMaterial(_))));
    let other = import(&house, (&key, &TWO), |import| import.material = Some(id));
    assert!(matches!(other, Err(KmsError::IncorrectKeyMaterial(_))));
    let again = import(&house, (&key, &ONE), |import| import.kind = Some(ImportType::New));
    assert!(matches!(again, Err(KmsError::IncorrectKeyMaterial(_))));
    assert_eq!(state(&house, &key), KeyState::PendingImport);
    assert_eq!(
        import(&house, (&key, &ONE), |import| import.material = Some(id)).unwrap(),
        id
    );
    assert_eq!(house.decrypt(&key, &nothing(), &blob).unwrap(), b"words");
}

#[test]
fn material_ends_on_time_whether_or_not_somebody_comes_to_sweep() {
    let house = House::new();
    let key = house.empty_key();
    let end = house.world.now().plus_seconds(10 * DAY);
    for wrong in [0, 366 * DAY] {
        let wrong = house.world.now().plus_seconds(wrong);
        let refused = import(&house, (&key, &ONE), |import| import.valid_to = Some(wrong));
        assert!(matches!(refused, Err(KmsError::Validation(_))));
    }
    import(&house, (&key, &ONE), |import| import.valid_to = Some(end)).unwrap();
    let blob = house.encrypt(&key, &nothing()).unwrap();
    house.world.pass(10 * DAY - 1);
    house.works(&key).unwrap();
    house.world.pass(1);
    assert!(matches!(house.works(&key), Err(KmsError::InvalidState(..))));
    assert_eq!(state(&house, &key), KeyState::PendingImport);
    let due = house.kms.run_due().unwrap();
    assert!(matches!(due[0].done.as_deref(), Ok([DueKind::MaterialExpired])));
    assert_eq!(house.world.shredded.load(Ordering::Relaxed), 1);
    assert!(house.kms.run_due().unwrap().is_empty());
    import(&house, (&key, &ONE), |_| {}).unwrap();
    assert_eq!(house.decrypt(&key, &nothing(), &blob).unwrap(), b"words");
    house.world.pass(1000 * DAY);
    house.works(&key).unwrap();
}

#[test]
fn an_imported_key_rotates_to_what_was_imported_for_it() {
    let house = House::new();
    let key = house.empty_key();
    let first = import(&house, (&key, &ONE), |_| {}).unwrap();
    let old = house.encrypt(&key, &nothing()).unwrap();
    let unsupported = house.kms.enable_rotation(&house.permit(&key), None);
    assert!(matches!(unsupported, Err(KmsError::UnsupportedOperation(..))));
    let early = house.kms.rotate_on_demand(&house.permit(&key));
    assert!(matches!(early, Err(KmsError::InvalidState(..))));
    assert_eq!(house.describe(&key).unwrap().on_demand_rotations, 0);

    let new = |import: &mut Import<'_>| import.kind = Some(ImportType::New);
    let second = import(&house, (&key, &TWO), new).unwrap();
    assert_eq!(house.describe(&key).unwrap().pending().unwrap().id, second);
    assert_eq!(state(&house, &key), KeyState::Enabled);
    let third = import(&house, (&key, &[3; 32]), new);
    assert!(matches!(third, Err(KmsError::InvalidState(..))));
    // Without it, the key goes on as before.
    house
        .kms
        .delete_imported(&house.permit(&key), Some(&second))
        .unwrap();
    assert_eq!(state(&house, &key), KeyState::Enabled);
    let missing = house.kms.rotate_on_demand(&house.permit(&key));
    assert!(matches!(missing, Err(KmsError::InvalidState(..))));
    let second = import(&house, (&key, &TWO), new).unwrap();
    house.kms.rotate_on_demand(&house.permit(&key)).unwrap();
    let record = house.describe(&key).unwrap();
    assert_eq!(record.current().unwrap().id, second);
    assert_eq!(record.material(&first).unwrap().state, MaterialState::NonCurrent);
    let new = house.encrypt(&key, &nothing()).unwrap();
    for blob in [&old, &new] {
        assert_eq!(house.decrypt(&key, &nothing(), blob).unwrap(), b"words");
    }
    // All of what it encrypted with has to be there.
    house
        .kms
        .delete_imported(&house.permit(&key), Some(&first))
        .unwrap();
    assert_eq!(state(&house, &key), KeyState::PendingImport);
    assert!(house.works(&key).is_err());
    import(&house, (&key, &ONE), |_| {}).unwrap();
    assert_eq!(house.decrypt(&key, &nothing(), &old).unwrap(), b"words");
}

#[test]
fn material_to_rotate_to_leaves_nothing_behind_when_it_is_taken_away_or_ends() {
    let house = House::new();
    let key = house.empty_key();
    let first = import(&house, (&key, &ONE), |_| {}).unwrap();
    let new = |import: &mut Import<'_>| import.kind = Some(ImportType::New);
    let second = import(&house, (&key, &TWO), new).unwrap();
    let delete = || house.kms.delete_imported(&house.permit(&key), Some(&second));
    assert_eq!(delete().unwrap(), Some(second));
    let ids = |house: &House| -> Vec<MaterialId> {
        let record = house.describe(&key).unwrap();
        record.materials.iter().map(|material| material.id).collect()
    };
    assert_eq!(ids(&house), [first]);
    assert!(matches!(delete(), Err(KmsError::NoSuchMaterial)));
    let existing = import(&house, (&key, &TWO), |_| {});
    assert!(matches!(existing, Err(KmsError::IncorrectKeyMaterial(_))));

    let end = house.world.now().plus_seconds(DAY);
    let ending =
        |import: &mut Import<'_>| (import.kind, import.valid_to) = (Some(ImportType::New), Some(end));
    let third = import(&house, (&key, &[3; 32]), ending).unwrap();
    assert_eq!(ids(&house), [first, third]);
    house.world.pass(DAY);
    // Whether or not somebody comes to sweep.
    let fourth = import(&house, (&key, &[4; 32]), |import| {
        import.kind = Some(ImportType::New);
        import.valid_to = Some(end.plus_seconds(DAY));
    });
    assert_eq!(ids(&house), [first, fourth.unwrap()]);
    house.world.pass(DAY);
    let due = house.kms.run_due().unwrap();
    assert!(matches!(due[0].done.as_deref(), Ok([DueKind::MaterialExpired])));
    assert_eq!(ids(&house), [first]);
    assert_eq!(state(&house, &key), KeyState::Enabled);

    let fifth = import(&house, (&key, &[5; 32]), new).unwrap();
    house.kms.rotate_on_demand(&house.permit(&key)).unwrap();
    assert_eq!(house.describe(&key).unwrap().current().unwrap().id, fifth);
    house.works(&key).unwrap();
}

#[test]
fn a_key_that_is_to_end_still_ends_without_its_material() {
    let house = House::new();
    let key = house.empty_key();
    let id = import(&house, (&key, &ONE), |_| {}).unwrap();
    house.kms.schedule_deletion(&house.permit(&key), Some(7)).unwrap();
    let ending = state(&house, &key);
    let deleted = house.kms.delete_imported(&house.permit(&key), None).unwrap();
    assert_eq!(deleted, Some(id));
    assert_eq!(state(&house, &key), ending);
    assert!(matches!(ending, KeyState::PendingDeletion { .. }));
    let refused = house.kms.parameters_for_import(
        &house.permit(&key),
        WrappingAlgorithm::RsaesOaepSha256,
        WrappingKeySpec::Rsa2048,
    );
    assert!(matches!(refused, Err(KmsError::InvalidState(..))));
    house.kms.cancel_deletion(&house.permit(&key)).unwrap();
    assert_eq!(state(&house, &key), KeyState::PendingImport);
    import(&house, (&key, &ONE), |_| {}).unwrap();
    // As any key that was to end.
    assert!(matches!(house.works(&key), Err(KmsError::Disabled(_))));
    house.kms.enable(&house.permit(&key)).unwrap();
    house.works(&key).unwrap();
}

#[test]
fn a_key_that_never_had_material_works_with_its_first_after_it_was_to_end() {
    let house = House::new();
    let key = house.empty_key();
    house.kms.schedule_deletion(&house.permit(&key), Some(7)).unwrap();
    house.kms.cancel_deletion(&house.permit(&key)).unwrap();
    assert_eq!(state(&house, &key), KeyState::PendingImport);
    import(&house, (&key, &ONE), |_| {}).unwrap();
    house.works(&key).unwrap();
}

#[test]
fn a_disabled_key_is_not_enabled_by_deleting_and_importing_its_material() {
    let house = House::new();
    let key = house.empty_key();
    import(&house, (&key, &ONE), |_| {}).unwrap();
    house.kms.disable(&house.permit(&key)).unwrap();
    house.kms.delete_imported(&house.permit(&key), None).unwrap();
    assert_eq!(state(&house, &key), KeyState::PendingImport);
    let refused = house.kms.enable(&house.permit(&key));
    assert!(matches!(
        refused,
        Err(KmsError::InvalidState(_, "pending import"))
    ));
    import(&house, (&key, &ONE), |_| {}).unwrap();
    assert_eq!(state(&house, &key), KeyState::Disabled);
    assert!(matches!(house.works(&key), Err(KmsError::Disabled(_))));
    // Nor if it ended by itself.
    let end = house.world.now().plus_seconds(DAY);
    import(&house, (&key, &ONE), |import| import.valid_to = Some(end)).unwrap();
    house.world.pass(DAY);
    house.kms.run_due().unwrap();
    assert_eq!(state(&house, &key), KeyState::PendingImport);
    import(&house, (&key, &ONE), |_| {}).unwrap();
    assert!(matches!(house.works(&key), Err(KmsError::Disabled(_))));
    house.kms.enable(&house.permit(&key)).unwrap();
    house.works(&key).unwrap();
}

#[test]
fn a_disabled_key_stays_so_when_its_material_is_imported_again() {
    let house = House::new();
    let key = house.empty_key();
    import(&house, (&key, &ONE), |_| {}).unwrap();
    house.kms.disable(&house.permit(&key)).unwrap();
    let end = house.world.now().plus_seconds(DAY);
    import(&house, (&key, &ONE), |import| import.valid_to = Some(end)).unwrap();
    assert_eq!(state(&house, &key), KeyState::Disabled);
    house.world.pass(2 * DAY);
    assert_eq!(state(&house, &key), KeyState::PendingImport);
    let refused = house.kms.enable(&house.permit(&key));
    assert!(matches!(refused, Err(KmsError::InvalidState(..))));
}

#[test]
fn material_for_one_key_is_none_for_another() {
    let house = House::new();
    let (one, two) = (house.empty_key(), house.empty_key());
    let of_one = parameters(&house, &one);
    let wrapped = wrap(&of_one, &ONE);
    let mut import = Import {
        token: &of_one.token,
        wrapped: &wrapped,
        valid_to: None,
        kind: None,
        material: None,
        description: Some("brought by hand"),
    };
    let refused = house.kms.import(&house.permit(&two), &import);
    assert!(matches!(refused, Err(KmsError::InvalidImportToken)));
    let cut = &wrapped[..255];
    import.wrapped = cut;
    let refused = house.kms.import(&house.permit(&one), &import);
    assert!(matches!(refused, Err(KmsError::InvalidCiphertext)));
    import.wrapped = &wrapped;
    let long = "d".repeat(257);
    import.description = Some(&long);
    let refused = house.kms.import(&house.permit(&one), &import);
    assert!(matches!(refused, Err(KmsError::Validation(_))));
    import.description = Some("brought by hand");
    house.world.pass(DAY);
    let refused = house.kms.import(&house.permit(&one), &import);
    assert!(matches!(refused, Err(KmsError::ExpiredImportToken)));
    assert_eq!(state(&house, &one), KeyState::PendingImport);
}

#[test]
fn what_was_made_here_is_neither_replaced_nor_taken_away() {
    let house = House::new();
    let key = house.key();
    let refused = house.kms.parameters_for_import(
        &house.permit(&key),
        WrappingAlgorithm::RsaesOaepSha256,
        WrappingKeySpec::Rsa2048,
    );
    assert!(matches!(refused, Err(KmsError::UnsupportedOperation(..))));
    let refused = house.kms.delete_imported(&house.permit(&key), None);
    assert!(matches!(refused, Err(KmsError::UnsupportedOperation(..))));
    house.works(&key).unwrap();
}

#[test]
fn an_imported_hmac_key_has_one_material_for_ever() {
    let house = House::new();
    let key = house.empty_key_of(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac);
    import(&house, (&key, &ONE), |_| {}).unwrap();
    let second = import(&house, (&key, &TWO), |import| import.kind = Some(ImportType::New));
    assert!(matches!(second, Err(KmsError::UnsupportedOperation(..))));
    let mac = house
        .kms
        .generate_mac(&house.permit(&key), MacAlgorithm::HmacSha256, b"message")
        .unwrap();
    let expected = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &ONE);
    assert_eq!(mac, aws_lc_rs::hmac::sign(&expected, b"message").as_ref());
    let verify = |mac: &[u8]| {
        let permit = house.permit(&key);
        house
            .kms
            .verify_mac(&permit, MacAlgorithm::HmacSha256, b"message", mac)
    };
    verify(&mac).unwrap();
    assert!(matches!(verify(&mac[1..]), Err(KmsError::InvalidMac)));
}
