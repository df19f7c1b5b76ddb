//! The installation as it begins: made once, with roles that may what their policies say, until others look after it.

use std::sync::Arc;

use moho_iam::action::{iam, kms, mantle};
use moho_iam::authz::{Permit, Refusal};
use moho_iam::bootstrap::{Attestation, Door, IdentityProvider};
use moho_kms::{Kms, KmsError, RootKey, default_key_policy};
use moho_terms::Clock;

use super::{House, World, behind, door, model, opened, region};
use crate::identities::{NewOidcProvider, WaysIn};
use crate::{BootstrapPlan, Bootstrapped};

#[test]
fn bootstrapping_again_returns_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let again =
        BootstrapPlan::new("elsewhere-1".parse().unwrap(), vec![model("new")], &*house.world).unwrap();
    let account = house.first.account;
    assert!(!house.store.model_agreed(account, &model("new")).unwrap());
    let second = house
        .store
        .ensure_bootstrap(&door(), &house.kms, &again, house.world.now())
        .unwrap();
    assert_eq!(second, house.first);
    assert_eq!(house.store.bootstrapped().unwrap().unwrap(), house.first);
    assert!(house.store.model_agreed(account, &model("new")).unwrap());
    assert!(house.store.model_agreed(account, &model("granted")).unwrap());
    let counts = "SELECT (SELECT count(*) FROM organisation) || (SELECT count(*) FROM account) ||
        (SELECT count(*) FROM kms_key) || (SELECT count(*) FROM iam_role)";
    let counts: String = behind(directory.path())
        .query_row(counts, [], |row| row.get(0))
        .unwrap();
    assert_eq!(counts, "1112");
}

#[test]
fn two_bootstraps_at_once_make_one_installation() {
    let directory = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let store = Arc::new(opened(directory.path()).unwrap());
    let root = RootKey::development(&directory.path().join("root.key"), &*world).unwrap();
    let kms = Kms::new(root, store.clone(), world.clone(), world.clone());
    let made: Vec<Bootstrapped> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let plan = BootstrapPlan::new(region(), Vec::new(), &*world).unwrap();
                    store.ensure_bootstrap(&door(), &kms, &plan, world.now()).unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(made.iter().all(|one| *one == made[0]));
}

#[test]
fn roles_may_what_their_policies_say_and_models_need_an_agreement() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let developer = house.session("Developer");
    let granted = "arn:aws:bedrock:moho-local-1::foundation-model/granted";
    let missing = "arn:aws:bedrock:moho-local-1::foundation-model/missing";
    assert!(house.ask::<mantle::CreateInference>(&developer, granted).is_ok());
    let admin = house.session("Admin");
    for caller in [&developer, &admin] {
        assert!(matches!(
            house.ask::<mantle::CreateInference>(caller, missing),
            Err(Refusal::AccessDenied { .. })
        ));
    }
    let key = house.first.account_key.as_str();
    assert!(house.ask::<kms::Decrypt>(&developer, key).is_ok());
    assert!(house.ask::<kms::DescribeKey>(&developer, key).is_err());
    assert!(house.ask::<kms::DescribeKey>(&admin, key).is_ok());
    // The right key id in the wrong place is no key. Who may use the account's keys is told so, and nobody else.
    let other = &key.replace("moho-local-1", "elsewhere-1");
    let permit = house.ask::<kms::DescribeKey>(&admin, other).unwrap();
    assert!(matches!(house.kms.describe(&permit), Err(KmsError::NotFound(_))));
    assert!(house.ask::<kms::DescribeKey>(&developer, other).is_err());
    let foreign = &key.replace(house.first.account.as_str(), "111122223333");
    assert!(house.ask::<kms::DescribeKey>(&admin, foreign).is_err());
    let absent = house.first.role(&"Absent".parse().unwrap()).unwrap();
    assert!(
        house
            .ask::<moho_iam::action::sts::AssumeRole>(&admin, absent.as_str())
            .is_err()
    );
}

#[test]
fn a_key_whose_policy_is_changed_is_decided_by_the_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let key = house.first.account_key.clone();
    assert!(house.ask::<kms::DescribeKey>(&admin, key.as_str()).is_ok());
    let denying = default_key_policy(house.first.account).replace("\"Allow\"", "\"Deny\"");
    house.put_key_policy(&admin, &key, &denying).unwrap();
    assert!(house.ask::<kms::DescribeKey>(&admin, key.as_str()).is_err());
}

#[test]
fn a_role_that_is_removed_may_nothing_and_a_policy_that_is_garbled_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let developer = house.session("Developer");
    let key = house.first.account_key.as_str();
    house.write("UPDATE iam_role_policy SET document = '{}'");
    house.store.policies.forget();
    assert!(matches!(
        house.ask::<kms::Decrypt>(&developer, key),
        Err(Refusal::PolicyUnavailable(_))
    ));
    house.write("DELETE FROM iam_role_policy; DELETE FROM iam_role");
    house.store.policies.forget();
    assert!(matches!(
        house.ask::<kms::Decrypt>(&developer, key),
        Err(Refusal::AccessDenied { .. })
    ));
}

#[test]
fn an_identity_provider_closes_the_door_for_good() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    assert_eq!(house.store.identity_provider().unwrap(), IdentityProvider::None);
    let admin = house.session("Admin");
    let arn = format!("arn:aws:iam::{}:oidc-provider/example.org", house.first.account);
    let permit: Permit<iam::CreateOpenIDConnectProvider> = house.ask(&admin, &arn).unwrap();
    let provider = NewOidcProvider {
        url: "https://example.org".to_owned(),
        client_ids: vec!["one".to_owned(), "two".to_owned()],
        ..NewOidcProvider::default()
    };
    let now = house.world.now();
    let created = house.store.create_oidc_provider(&permit, &provider, now);
    assert_eq!(created.unwrap().client_ids, provider.client_ids);
    let again = house.store.create_oidc_provider(&permit, &provider, now);
    assert!(again.is_err());
    assert_eq!(house.store.identity_provider().unwrap(), IdentityProvider::Set);
    let ways_in = WaysIn {
        provider: IdentityProvider::Set,
        issuers: vec![provider.url],
    };
    assert_eq!(house.store.ways_in().unwrap(), ways_in);
    let seen = WaysIn::of_directory(&directory.path().join("store"));
    assert_eq!(seen.unwrap(), Some(ways_in));

    // Not even removing the provider opens it again, and the flag cannot be removed.
    house.write("DELETE FROM identity_provider");
    drop(house);
    let sqlite = behind(directory.path());
    assert!(sqlite.execute("DELETE FROM flag", []).is_err());
    assert!(sqlite.execute("UPDATE flag SET name = 'other'", []).is_err());
    let store = opened(directory.path()).unwrap();
    let state = store.identity_provider().unwrap();
    assert_eq!(state, IdentityProvider::Set);
    assert!(Door::open(Attestation::Development, state).is_err());
}
