//! Whom a key policy may name, whom it means, and what it tells.

use moho_iam::policy::named_principals;
use moho_kms::{KeyPolicy, NewKey};
use moho_terms::AccountId;

use super::*;
use crate::identities::NewOidcProvider;
use crate::keys::KeyError;

/// A statement that lets somebody do one thing.
pub(in crate::tests) fn letting(principal: &str, action: &str) -> String {
    format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"kms:{action}","Resource":"*"}}"#
    )
}

impl House {
    /// A key policy with these statements, besides one for its account.
    pub(in crate::tests) fn key_policy(&self, statements: &[String]) -> String {
        let own = letting(self.arn("root").as_str(), "*");
        let all = [&[own], statements].concat();
        format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, all.join(","))
    }

    fn naming(&self, kind: &str, name: &str) -> String {
        let statement = letting(name, "Encrypt").replace(r#""AWS""#, &format!("{kind:?}"));
        self.key_policy(&[statement])
    }

    fn id_of_role(&self, account: AccountId, name: &str) -> String {
        let role = self.store.role_by_name(account, name).unwrap();
        role.unwrap().role.id
    }

    /// Whom the policy of a key names, as its account sees it.
    pub(in crate::tests) fn named(&self, admin: &Authenticated, key: &Arn) -> Vec<String> {
        let permit: Permit<kms::GetKeyPolicy> = self.permit(admin, key);
        let record = self.kms.key(&permit).unwrap();
        let shown = self.store.shown_key_policy(&permit, &record).unwrap();
        named_principals(&shown)
            .into_iter()
            .map(|(_, name)| name)
            .collect()
    }

    /// A new role that may nothing but bring a bearer key: its id, and a session of it.
    fn new_worker(&self, admin: &Authenticated, role: &Arn) -> (String, Authenticated) {
        let root = self.arn("root");
        let id = self.new_role(admin, role.resource(), root.as_str()).unwrap();
        let bearing = allow("bedrock-mantle:CallWithBearerToken");
        let permit = self.permit(admin, role);
        self.store.put_role_policy(&permit, "bearer", &bearing).unwrap();
        (id, self.becoming(admin, role))
    }

    fn remove_worker(&self, admin: &Authenticated, role: &Arn) {
        let permit = self.permit(admin, role);
        self.store.delete_role_policy(&permit, "bearer").unwrap();
        self.store.delete_role(&self.permit(admin, role)).unwrap();
    }

    fn may<A: Action>(&self, caller: &Authenticated, key: &Arn) -> bool {
        self.ask::<A>(caller, key.as_str()).is_ok()
    }
}

#[test]
fn who_comes_back_under_a_name_is_not_whom_a_key_policy_named() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let key = house.new_key(&admin);
    let (root, role) = (house.arn("root"), house.arn("role/team/worker"));
    let session = format!("arn:aws:sts::{}:assumed-role/worker/me", house.first.account);
    let (first, worker) = house.new_worker(&admin, &role);
    let policy = house.key_policy(&[
        letting(role.as_str(), "DescribeKey"),
        letting(&session, "Encrypt"),
        letting(&session.replace("/me", "/you"), "Decrypt"),
    ]);
    house.put_key_policy(&admin, &key, &policy).unwrap();
    let may = |caller: &Authenticated| {
        (
            house.may::<kms::DescribeKey>(caller, &key),
            house.may::<kms::Encrypt>(caller, &key),
            house.may::<kms::Decrypt>(caller, &key),
        )
    };
    assert_eq!(may(&worker), (true, true, false));
    let written = named_principals(&policy).into_iter().map(|(_, name)| name);
    assert_eq!(house.named(&admin, &key), written.collect::<Vec<_>>());

    house.remove_worker(&admin, &role);
    let gone = [root.as_str(), &first, &first, &first];
    assert_eq!(house.named(&admin, &key), gone);
    let (_, again) = house.new_worker(&admin, &role);
    assert_eq!(may(&again), (false, false, false));
    assert_eq!(house.named(&admin, &key), gone);
    let shown = policy.replace(role.as_str(), &first);
    assert!(matches!(
        house.put_key_policy(&admin, &key, &shown),
        Err(KeyError::InvalidPrincipals)
    ));
    assert_eq!(may(&again), (false, false, false));
    // Written again, the policy means who is there now. So it does where nothing is remembered.
    house.put_key_policy(&admin, &key, &policy).unwrap();
    assert_eq!(may(&again), (true, true, false));
    let reopened = House::open(directory.path());
    assert!(reopened.may::<kms::DescribeKey>(&again, &key) && reopened.may::<kms::Encrypt>(&again, &key));
}

#[test]
fn whom_a_key_policy_names_must_be_there() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let key = house.new_key(&admin);
    let other = house.another_account(&admin);
    let own = house.first.account;
    let foreign = house.id_of_role(other, "Access");
    let before = house.named(&admin, &key);
    let making: Permit<kms::CreateKey> = house.permit(&admin, &house.kms_arn("*"));
    for (kind, name) in [
        ("AWS", format!("arn:aws:iam::{own}:role/no-such-role")),
        ("AWS", format!("arn:aws:iam::{own}:role/path/Developer")),
        ("AWS", format!("arn:aws:iam::{own}:user/nobody")),
        ("AWS", format!("arn:aws:iam::{own}:group/developers")),
        ("AWS", format!("arn:aws:sts::{own}:assumed-role/None/me")),
        ("AWS", format!("arn:aws:sts::{own}:assumed-role/Developer")),
        ("AWS", format!("arn:aws:iam::{other}:group/developers")),
        ("AWS", "AROAAAAAAAAAAAAAAAAAA".to_owned()),
        ("AWS", "AIDAAAAAAAAAAAAAAAAAA".to_owned()),
        ("AWS", foreign),
        ("Service", "everybody".to_owned()),
        (
            "Federated",
            format!("arn:aws:iam::{own}:oidc-provider/login.example.com"),
        ),
        ("Federated", format!("arn:aws:iam::{other}:role/Access")),
    ] {
        let policy = house.naming(kind, &name);
        let refused = house.put_key_policy(&admin, &key, &policy).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Policy contains a statement with one or more invalid principals.",
            "{name}"
        );
        let created = house
            .store
            .bind_key_policy(&making, &document(PolicyKind::Key, &policy));
        assert!(matches!(created, Err(KeyError::InvalidPrincipals)), "{name}");
        assert_eq!(house.named(&admin, &key), before);
    }
}

#[test]
fn whom_a_key_policy_may_name() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let key = house.new_key(&admin);
    let other = house.another_account(&admin);
    let own = house.first.account;
    let developer = house.id_of_role(own, "Developer");
    let provider = house.arn("oidc-provider/login.example.com");
    let new = NewOidcProvider {
        url: "https://login.example.com".to_owned(),
        ..NewOidcProvider::default()
    };
    let permit = house.permit(&admin, &provider);
    house
        .store
        .create_oidc_provider(&permit, &new, house.world.now())
        .unwrap();
    for (kind, name) in [
        ("AWS", "*".to_owned()),
        ("AWS", own.to_string()),
        ("AWS", developer),
        ("AWS", format!("arn:aws:iam::{own}:role/Developer")),
        ("AWS", format!("arn:aws:iam::{other}:role/none")),
        ("AWS", "999999999999".to_owned()),
        ("Service", "logs.moho-local-1.amazonaws.com".to_owned()),
        ("Federated", provider.as_str().to_owned()),
        ("Federated", format!("arn:aws:iam::{other}:saml-provider/none")),
    ] {
        house
            .put_key_policy(&admin, &key, &house.naming(kind, &name))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn a_key_policy_tells_nothing_of_other_accounts_and_trusts_nobody_who_was_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let key = house.new_key(&admin);
    let other = house.another_account(&admin);
    let foreign = |resource: &str| Arn::of("iam", "", other.as_str(), resource).unwrap();
    let at_work = house.becoming(&admin, &foreign("role/Access"));
    let (there, absent) = (foreign("role/path/there"), foreign("role/path/absent"));
    house.powerful_role(&at_work, &there);
    let session = format!("arn:aws:sts::{other}:assumed-role/absent/me");
    let policy = house.key_policy(&[
        letting(there.as_str(), "DescribeKey"),
        letting(absent.as_str(), "DescribeKey"),
        letting(&session, "Decrypt"),
        letting(&format!("arn:aws:iam::{other}:root"), "Encrypt"),
        letting(absent.as_str(), "Encrypt").replace("Allow", "Deny"),
        letting("999999999999", "*"),
    ]);
    house.put_key_policy(&admin, &key, &policy).unwrap();
    let nobodys = "arn:aws:iam::999999999999:root";
    let named: Vec<String> = named_principals(&policy)
        .into_iter()
        .map(|(_, name)| name)
        .collect();
    let shown = || {
        let shown = house.named(&admin, &key);
        assert_eq!(shown.last().unwrap(), nobodys);
        assert_eq!(shown[..6], named[..6]);
    };
    shown();
    let known = house.becoming(&at_work, &there);
    assert!(house.may::<kms::DescribeKey>(&known, &key) && house.may::<kms::Encrypt>(&known, &key));
    house.powerful_role(&at_work, &absent);
    let late = house.becoming(&at_work, &absent);
    assert!(!house.may::<kms::DescribeKey>(&late, &key) && !house.may::<kms::Decrypt>(&late, &key));
    assert!(!house.may::<kms::Encrypt>(&late, &key), "it is denied by name");
    house.remove_powerful_role(&at_work, &there);
    shown();
    house.powerful_role(&at_work, &there);
    let again = house.becoming(&at_work, &there);
    assert!(!house.may::<kms::DescribeKey>(&again, &key) && house.may::<kms::Encrypt>(&again, &key));
    shown();
    house.put_key_policy(&admin, &key, &policy).unwrap();
    assert!(house.may::<kms::DescribeKey>(&again, &key) && house.may::<kms::Decrypt>(&late, &key));
}

#[test]
fn a_policy_that_was_kept_without_ids_means_whom_it_names_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let root = house.arn("root");
    let role = house.arn("role/worker");
    let kept = KeyPolicy {
        text: house.key_policy(&[letting(role.as_str(), "DescribeKey")]),
        principals: std::collections::BTreeMap::new(),
    };
    let new = NewKey {
        policy: Some(kept),
        ..NewKey::default()
    };
    let permit = house.permit(&admin, &house.kms_arn("*"));
    let key = house
        .kms
        .create_key(&permit, &region(), new)
        .unwrap()
        .arn()
        .unwrap();
    let (_, worker) = house.new_worker(&admin, &role);
    assert!(house.may::<kms::DescribeKey>(&worker, &key));
    assert_eq!(house.named(&admin, &key), [root.as_str(), role.as_str()]);
}

#[test]
fn the_longest_key_policy_is_kept_with_all_its_ids_and_decides() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let key = house.new_key(&admin);
    let absent: Vec<String> = (0..2150)
        .map(|n| format!("{}", 900_000_000_000_u64 + n))
        .collect();
    let policy = house.key_policy(&[letting(&absent.join("\",\""), "*")
        .replace(r#":"9"#, r#":["9"#)
        .replace(r#""},"Action"#, r#""]},"Action"#)]);
    assert!((32_000..=32_768).contains(&policy.len()), "{}", policy.len());
    house.put_key_policy(&admin, &key, &policy).unwrap();
    assert!(house.may::<kms::DescribeKey>(&admin, &key));
    assert_eq!(house.named(&admin, &key).len(), 2151);
}
