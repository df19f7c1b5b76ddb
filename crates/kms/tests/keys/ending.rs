//! Imported material that has ended, and was swept away: what it was for waits until it is imported again, and nothing
//! else steps in.

use crate::house::{DAY, House};
use crate::importing::{ONE, TWO, import, state};
use moho_kms::spec::{KeySpec, KeyUsage, MacAlgorithm};
use moho_kms::{DueKind, EncryptionContext, Import, ImportType, KeyState, KmsError};
use moho_terms::{Arn, Clock, ContentBytes};

fn nothing() -> EncryptionContext {
    EncryptionContext::new()
}

/// Sweeps, and says that the key's material was what ended.
fn sweep(house: &House) {
    let due = house.kms.run_due().unwrap();
    let kinds: Vec<_> = due.iter().map(|due| due.done.as_deref().unwrap()).collect();
    assert_eq!(kinds, [[DueKind::MaterialExpired]]);
}

/// Whether all that a symmetric key does is refused because it waits for its material.
fn waits(house: &House, key: &Arn, (blob, sealed): (&[u8], &[u8])) {
    let waits = |what: &str, refused: KmsError| {
        assert!(
            matches!(refused, KmsError::InvalidState(_, "pending import")),
            "{what}: {refused}"
        );
    };
    assert_eq!(state(house, key), KeyState::PendingImport);
    waits("encrypt", house.encrypt(key, &nothing()).unwrap_err());
    waits("decrypt", house.decrypt(key, &nothing(), blob).unwrap_err());
    let plain = ContentBytes::new(vec![1]);
    let again = house.kms.seal(&house.permit(key), &nothing(), &plain);
    waits("seal", again.map(drop).unwrap_err());
    let opened = house.kms.open(&house.permit(key), &nothing(), sealed);
    waits("open", opened.map(drop).unwrap_err());
    waits("disable", house.kms.disable(&house.permit(key)).unwrap_err());
    waits(
        "rotate",
        house.kms.rotate_on_demand(&house.permit(key)).unwrap_err(),
    );
}

fn use_it(house: &House, key: &Arn) -> (Vec<u8>, Vec<u8>) {
    let plain = ContentBytes::new(b"words".to_vec());
    let sealed = house.kms.seal(&house.permit(key), &nothing(), &plain).unwrap();
    (house.encrypt(key, &nothing()).unwrap(), sealed.into_bytes())
}

#[test]
fn a_key_whose_only_material_ended_waits_for_it() {
    let house = House::new();
    let key = house.empty_key();
    let end = house.world.now().plus_seconds(DAY);
    import(&house, (&key, &ONE), |import| import.valid_to = Some(end)).unwrap();
    let (blob, sealed) = use_it(&house, &key);
    house.world.pass(DAY);
    waits(&house, &key, (&blob, &sealed));
    sweep(&house);
    waits(&house, &key, (&blob, &sealed));
    import(&house, (&key, &ONE), |_| {}).unwrap();
    assert_eq!(state(&house, &key), KeyState::Enabled);
    assert_eq!(house.decrypt(&key, &nothing(), &blob).unwrap(), b"words");
}

#[test]
fn a_key_of_two_materials_waits_for_whichever_ended() {
    for ends in [ONE, TWO] {
        let house = House::new();
        let key = house.empty_key();
        let end = house.world.now().plus_seconds(DAY);
        let valid_to = |material| (material == ends).then_some(end);
        import(&house, (&key, &ONE), |import| import.valid_to = valid_to(ONE)).unwrap();
        let (old, sealed) = use_it(&house, &key);
        let next = |import: &mut Import<'_>| {
            (import.kind, import.valid_to) = (Some(ImportType::New), valid_to(TWO));
        };
        import(&house, (&key, &TWO), next).unwrap();
        house.kms.rotate_on_demand(&house.permit(&key)).unwrap();
        let (new, _) = use_it(&house, &key);
        house.world.pass(DAY);
        sweep(&house);
        waits(&house, &key, (&old, &sealed));
        waits(&house, &key, (&new, &sealed));
        import(&house, (&key, &ends), |_| {}).unwrap();
        assert_eq!(state(&house, &key), KeyState::Enabled);
        for blob in [&old, &new] {
            assert_eq!(house.decrypt(&key, &nothing(), blob).unwrap(), b"words");
        }
        let newest = house.encrypt(&key, &nothing()).unwrap();
        assert_eq!(newest[..33], new[..33], "the same material encrypts");
    }
}

#[test]
fn an_hmac_key_whose_material_ended_waits_for_it() {
    let house = House::new();
    let key = house.empty_key_of(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac);
    let end = house.world.now().plus_seconds(DAY);
    import(&house, (&key, &ONE), |import| import.valid_to = Some(end)).unwrap();
    let mac = || {
        let permit = house.permit(&key);
        house
            .kms
            .generate_mac(&permit, MacAlgorithm::HmacSha256, b"message")
    };
    let before = mac().unwrap();
    house.world.pass(DAY);
    sweep(&house);
    assert!(matches!(mac(), Err(KmsError::InvalidState(_, "pending import"))));
    import(&house, (&key, &ONE), |_| {}).unwrap();
    assert_eq!(mac().unwrap(), before);
}
