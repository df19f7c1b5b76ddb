//! Whom a trust policy may name, whom it means, and what it tells.

use moho_iam::policy::named_principals;
use moho_terms::AccountId;

use super::*;
use crate::iam::bound::NOBODY;
use crate::identities::NewOidcProvider;
use crate::organizations::{CreationOutcome, NewAccount, Tags};

impl House {
    /// An account beside the first one, with the role `Access`.
    pub(super) fn another_account(&self, admin: &Authenticated) -> AccountId {
        let names = self.store.whole_organisation().unwrap().unwrap().names().clone();
        let new = NewAccount {
            name: "another".to_owned(),
            email: "another@example.com".to_owned(),
            role: "Access".parse().unwrap(),
            tags: Tags::new(),
            region: region(),
        };
        let creating = self.permit(admin, &names.anything_arn().unwrap());
        let created = self
            .store
            .create_account(&creating, (&self.kms, &*self.world), &new, self.world.now());
        match created.unwrap().outcome {
            CreationOutcome::Created(account) => account,
            CreationOutcome::Failed(failure) => panic!("{failure:?}"),
        }
    }

    pub(super) fn becoming(&self, caller: &Authenticated, role: &Arn) -> Authenticated {
        self.assumed(&self.permit(caller, role), moho_iam::Narrowing::default())
    }

    fn new_trust(&self, principal: &str, action: &str) -> NewRole {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{principal},{action}}}}}"#
        );
        NewRole {
            id: unique_id(IdKind::Role, &*self.world).unwrap(),
            trust: document(PolicyKind::Trust, &text),
            description: None,
            max_session_seconds: 3600,
            boundary: None,
            tags: Vec::new(),
        }
    }

    /// A role that anybody in its account may become, and that may do everything.
    pub(super) fn powerful_role(&self, admin: &Authenticated, role: &Arn) -> String {
        let root = format!(r#"{{"AWS":"{}"}}"#, role.account());
        let new = self.new_trust(&root, ASSUME);
        let permit = self.permit(admin, role);
        self.store.create_role(&permit, &new, self.world.now()).unwrap();
        let administrators = "arn:aws:iam::aws:policy/AdministratorAccess";
        self.store
            .attach_role_policy(&self.permit(admin, role), administrators)
            .unwrap();
        new.id
    }

    pub(super) fn remove_powerful_role(&self, admin: &Authenticated, role: &Arn) {
        let administrators = "arn:aws:iam::aws:policy/AdministratorAccess";
        self.store
            .detach_role_policy(&self.permit(admin, role), administrators)
            .unwrap();
        self.store.delete_role(&self.permit(admin, role)).unwrap();
    }

    /// What the trust policy of a role of the first account shows, and whom it means.
    fn trusted(&self, name: &str) -> (Vec<String>, Vec<String>) {
        let names = |text: &str| named_principals(text).into_iter().map(|(_, name)| name).collect();
        let account = self.first.account;
        let shown = self.store.role_by_name(account, name).unwrap().unwrap();
        let decided = self.store.trusting_role(account, name).unwrap().unwrap();
        (names(&shown.role.trust_policy), names(&decided.role.trust_policy))
    }
}

const ASSUME: &str = r#""Action":"sts:AssumeRole""#;

#[test]
fn principals_of_other_accounts_are_taken_and_shown_alike_whether_they_are_there_or_not() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let other = house.another_account(&admin);
    let foreign = |resource: &str| Arn::of("iam", "", other.as_str(), resource).unwrap();
    let at_work = house.becoming(&admin, &foreign("role/Access"));
    let (there, absent) = (foreign("role/path/there"), foreign("role/path/absent"));
    let first = house.powerful_role(&at_work, &there);

    for (name, principal) in [("knows", &there), ("hopes", &absent)] {
        house
            .new_role(&admin, &format!("role/{name}"), principal.as_str())
            .unwrap();
        assert_eq!(house.trusted(name).0, [principal.as_str()]);
    }
    assert_eq!(house.trusted("knows").1, [first.as_str()]);
    let nobody = house.trusted("hopes").1;
    let assumes = |caller: &Authenticated, name: &str| {
        let role = house.arn(&format!("role/{name}"));
        house.ask::<sts::AssumeRole>(caller, role.as_str()).is_ok()
    };
    let known = house.becoming(&at_work, &there);
    assert!(assumes(&known, "knows") && !assumes(&known, "hopes"));

    house.powerful_role(&at_work, &absent);
    let late = house.becoming(&at_work, &absent);
    assert!(!assumes(&late, "hopes") && !assumes(&late, "knows"));
    house.remove_powerful_role(&at_work, &there);
    house.powerful_role(&at_work, &there);
    let again = house.becoming(&at_work, &there);
    assert!(!assumes(&again, "knows") && !assumes(&known, "knows"));
    assert_eq!(
        house.trusted("knows"),
        (vec![there.as_str().to_owned()], vec![first])
    );
    assert_eq!(house.trusted("hopes"), (vec![absent.as_str().to_owned()], nobody));

    // Written again, the policy means who is there now.
    house
        .store
        .update_assume_role_policy(
            &house.permit(&admin, &house.arn("role/hopes")),
            &house.trusting(absent.as_str()),
        )
        .unwrap();
    assert!(assumes(&late, "hopes"));
}

#[test]
fn of_other_accounts_users_sessions_and_the_accounts_themselves_are_not_told_either() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let other = house.another_account(&admin);
    let mut number = 0;
    let mut shown = |principal: &str| {
        number += 1;
        let name = format!("trusting{number}");
        let made = house.new_role(&admin, &format!("role/{name}"), principal);
        made.map(|_| house.trusted(&name))
    };
    for account in [other.as_str(), "999999999999"] {
        let root = format!("arn:aws:iam::{account}:root");
        assert_eq!(shown(account).unwrap().0, [root.as_str()]);
        for principal in [
            root,
            format!("arn:aws:iam::{account}:user/path/u"),
            format!("arn:aws:sts::{account}:assumed-role/Access/me"),
            format!("arn:aws:sts::{account}:assumed-role/None/me"),
            format!("arn:aws:sts::{account}:federated-user/u"),
        ] {
            assert_eq!(shown(&principal).unwrap().0, [principal.as_str()]);
        }
        for never in [
            "iam::{}:group/g",
            "iam:r:{}:root",
            "sts::{}:assumed-role/Access",
            "iam::{}:thing",
        ] {
            let never = format!("arn:aws:{}", never.replace("{}", account));
            assert_eq!(code(shown(&never)), IamCode::MalformedPolicyDocument, "{never}");
        }
    }
    // An account that is made later is not the one that was meant.
    assert_eq!(shown(other.as_str()).unwrap().1, [other.as_str()]);
    assert_eq!(shown("999999999999").unwrap().1, [NOBODY]);
    // A session is trusted by its name, not as whoever else its role lets in.
    let session = format!("arn:aws:sts::{other}:assumed-role/Access/me");
    assert_eq!(shown(&session).unwrap().1, [session]);
    for own in ["999999999999:role/none", "999999999999:user/none"] {
        let own = own.replace("999999999999", house.first.account.as_str());
        let refused = shown(&format!("arn:aws:iam::{own}"));
        assert_eq!(code(refused), IamCode::MalformedPolicyDocument, "{own}");
    }
}

#[test]
fn who_is_not_there_yet_is_denied_by_name_and_never_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let later = "arn:aws:iam::999999999999:role/later";
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Principal":{{"AWS":["{later}","{root}"]}},{ASSUME}}},
            {{"Effect":"Deny","Principal":{{"AWS":"{later}"}},{ASSUME}}},
            {{"Effect":"Deny","NotPrincipal":{{"AWS":"{later}"}},{ASSUME}}}]}}"#,
        root = house.arn("root"),
    );
    let new = NewRole {
        trust: document(PolicyKind::Trust, &text),
        ..house.new_trust(r#""*""#, ASSUME)
    };
    let permit = house.permit(&admin, &house.arn("role/three"));
    house.store.create_role(&permit, &new, house.world.now()).unwrap();
    let own = house.arn("root");
    assert_eq!(house.trusted("three").1, [NOBODY, own.as_str(), later, NOBODY]);
    assert_eq!(house.trusted("three").0, [later, own.as_str(), later, later]);
}

#[test]
fn a_trust_policy_that_ids_make_longer_than_may_be_written_still_decides() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let absent = vec![r#""999999999999""#; 200].join(",");
    let many = house.new_trust(&format!(r#"{{"AWS":[{absent}]}}"#), ASSUME);
    let role = house.arn("role/many");
    let permit = house.permit(&admin, &role);
    house
        .store
        .create_role(&permit, &many, house.world.now())
        .unwrap();
    assert!(
        house.ask::<sts::AssumeRole>(&admin, role.as_str()).is_err(),
        "it trusts nobody"
    );
    assert!(house.ask::<iam::GetRole>(&admin, role.as_str()).is_ok());
    house.store.delete_role(&house.permit(&admin, &role)).unwrap();
}

#[test]
fn trust_policies_speak_of_sts_only() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let role = house.arn("role/strict");
    let permit = house.permit(&admin, &role);
    let create = |new: &NewRole| house.store.create_role(&permit, new, house.world.now());
    for action in [
        r#""Action":"*""#,
        r#""Action":["sts:AssumeRole","iam:GetRole"]"#,
        r#""NotAction":"iam:*""#,
    ] {
        let refused = create(&house.new_trust(r#""*""#, action)).unwrap_err();
        let sentence = "AssumeRole policy may only specify STS AssumeRole actions.";
        assert_eq!(refused.to_string(), sentence, "{action}");
        assert_eq!(code(Err::<(), _>(refused)), IamCode::MalformedPolicyDocument);
    }
    create(&house.new_trust(r#""*""#, r#""Action":["sts:AssumeRole*","STS:TagSession"]"#)).unwrap();
    let update = house.permit(&admin, &role);
    let other = house.new_trust(r#""*""#, r#""Action":"s3:GetObject""#).trust;
    let updated = house.store.update_assume_role_policy(&update, &other);
    assert_eq!(code(updated), IamCode::MalformedPolicyDocument);
}

#[test]
fn providers_that_a_trust_policy_names_are_there_and_of_the_account() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let provider = house.arn("oidc-provider/login.example.com");
    let foreign = provider
        .as_str()
        .replace(house.first.account.as_str(), "999999999999");
    let create = |name: &str, provider: &str| {
        let principal = format!(r#"{{"Federated":"{provider}"}}"#);
        let new = house.new_trust(&principal, r#""Action":"sts:AssumeRoleWithWebIdentity""#);
        let permit = house.permit(&admin, &house.arn(&format!("role/{name}")));
        house.store.create_role(&permit, &new, house.world.now())
    };
    for nobody in [
        provider.as_str(),
        &foreign,
        house.arn("saml-provider/corporate").as_str(),
        house.arn("role/Admin").as_str(),
    ] {
        let refused = create("early", nobody).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(r#"Invalid principal in policy: "FEDERATED":"{nobody}""#)
        );
    }
    let new = NewOidcProvider {
        url: "https://login.example.com".to_owned(),
        ..NewOidcProvider::default()
    };
    let permit = house.permit(&admin, &provider);
    house
        .store
        .create_oidc_provider(&permit, &new, house.world.now())
        .unwrap();
    create("late", provider.as_str()).unwrap();
    create("domain", "cognito-identity.amazonaws.com").unwrap();
}
