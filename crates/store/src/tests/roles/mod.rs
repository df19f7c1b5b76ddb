//! Roles and policies: kept, bound to whom they mean, and effective at once.

pub(in crate::tests) mod key_policies;
mod remembered;
mod reserved;
mod trusting;

use moho_iam::NarrowingRequest;
use moho_iam::action::sts;
use moho_iam::authz::PolicySource;
use moho_iam::policy::{PolicyDocument, PolicyKind};

use super::*;
use crate::iam::{IamCode, IamError, IdKind, NewPolicy, NewRole, Page, PolicyFilter, RoleChange, unique_id};
use crate::policies::PolicyCache;

fn document(kind: PolicyKind, text: &str) -> PolicyDocument {
    PolicyDocument::parse(kind, text).unwrap()
}

fn allow(action: &str) -> PolicyDocument {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"{action}","Resource":"*"}}}}"#
    );
    document(PolicyKind::Identity, &text)
}

impl House {
    fn arn(&self, resource: &str) -> Arn {
        Arn::of("iam", "", self.first.account.as_str(), resource).unwrap()
    }

    fn trusting(&self, principal: &str) -> PolicyDocument {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"sts:AssumeRole"}}}}"#
        );
        document(PolicyKind::Trust, &text)
    }

    fn new_role(&self, admin: &Authenticated, resource: &str, trusted: &str) -> Result<String, IamError> {
        let new = NewRole {
            id: unique_id(IdKind::Role, &*self.world).unwrap(),
            trust: self.trusting(trusted),
            description: None,
            max_session_seconds: 3600,
            boundary: None,
            tags: Vec::new(),
        };
        let made =
            self.store
                .create_role(&self.permit(admin, &self.arn(resource)), &new, self.world.now())?;
        Ok(made.role.id)
    }

    fn new_policy(&self, admin: &Authenticated, resource: &str, document: PolicyDocument) -> Arn {
        let new = NewPolicy {
            id: unique_id(IdKind::Policy, &*self.world).unwrap(),
            document,
            description: None,
            tags: Vec::new(),
        };
        let permit = self.permit(admin, &self.arn(resource));
        let made = self.store.create_policy(&permit, &new, self.world.now()).unwrap();
        made.policy.arn.parse().unwrap()
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, IamError>) -> IamCode {
    match result {
        Err(IamError::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_attached_policy_holds_at_once_and_until_it_is_detached() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let (admin, developer) = (house.session("Admin"), house.session("Developer"));
    let role = house.arn("role/Developer");
    let asked = || house.ask::<iam::GetRole>(&developer, role.as_str()).is_ok();
    assert!(!asked());
    let policy = house.new_policy(&admin, "policy/a/readers", allow("iam:GetRole"));
    house
        .store
        .attach_role_policy(&house.permit(&admin, &role), policy.as_str())
        .unwrap();
    assert!(asked());
    let version = house.store.create_policy_version(
        &house.permit(&admin, &policy),
        &allow("iam:ListRoles"),
        true,
        house.world.now(),
    );
    assert_eq!(version.unwrap().version, 2);
    assert!(!asked());
    house
        .store
        .set_default_policy_version(&house.permit(&admin, &policy), 1, house.world.now())
        .unwrap();
    assert!(asked());
    house
        .store
        .put_role_boundary(
            &house.permit(&admin, &role),
            "arn:aws:iam::aws:policy/AmazonBedrockReadOnly",
        )
        .unwrap();
    assert!(!asked());
    house
        .store
        .delete_role_boundary(&house.permit(&admin, &role))
        .unwrap();
    house
        .store
        .detach_role_policy(&house.permit(&admin, &role), policy.as_str())
        .unwrap();
    assert!(!asked());
}

impl House {
    /// What a session of `Admin` is narrowed by that asks for this managed policy.
    fn narrowing(&self, policy: &Arn) -> Result<moho_iam::Narrowing, IamError> {
        self.narrowing_by(vec![policy.clone()])
    }

    fn narrowing_by(&self, policies: Vec<Arn>) -> Result<moho_iam::Narrowing, IamError> {
        let guest = door().admit(7, 7, self.first.account, self.world.now()).unwrap();
        let permit: Permit<sts::AssumeRole> = self.permit(&guest, &self.arn("role/Admin"));
        let asked = NarrowingRequest::new(None, policies).unwrap();
        self.store.narrowing(&permit, asked)
    }
}

#[test]
fn a_managed_session_policy_that_is_deleted_narrows_to_nothing_also_if_it_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    // The session comes with a bearer key, which takes leave of its own.
    let narrow = |action: &str| {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Resource":"*",
            "Action":["{action}","bedrock-mantle:CallWithBearerToken"]}}}}"#
        );
        document(PolicyKind::Identity, &text)
    };
    let policy = house.new_policy(&admin, "policy/narrow", narrow("iam:GetRole"));
    let narrowed = house.narrowed_session("Admin", house.narrowing(&policy).unwrap());
    let role = house.arn("role/Developer");
    assert!(house.ask::<iam::GetRole>(&narrowed, role.as_str()).is_ok());
    assert!(house.ask::<iam::DeleteRole>(&narrowed, role.as_str()).is_err());
    house.store.delete_policy(&house.permit(&admin, &policy)).unwrap();
    assert!(house.ask::<iam::GetRole>(&narrowed, role.as_str()).is_err());
    assert!(house.ask::<iam::GetRole>(&admin, role.as_str()).is_ok());

    assert_eq!(house.new_policy(&admin, "policy/narrow", narrow("iam:*")), policy);
    for _ in 0..2 {
        assert!(house.ask::<iam::GetRole>(&narrowed, role.as_str()).is_err());
    }
    let anew = house.narrowed_session("Admin", house.narrowing(&policy).unwrap());
    assert!(house.ask::<iam::GetRole>(&anew, role.as_str()).is_ok());
}

#[test]
fn a_session_policy_that_denied_something_widens_nothing_when_it_is_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let denies =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iam:DeleteRole","Resource":"*"}}"#;
    let policy = house.new_policy(&admin, "policy/denies", document(PolicyKind::Identity, denies));
    let both = vec![
        "arn:aws:iam::aws:policy/AdministratorAccess".parse().unwrap(),
        policy.clone(),
    ];
    let narrowed = house.narrowed_session("Admin", house.narrowing_by(both).unwrap());
    let role = house.arn("role/Developer");
    assert!(house.ask::<iam::GetRole>(&narrowed, role.as_str()).is_ok());
    assert!(house.ask::<iam::DeleteRole>(&narrowed, role.as_str()).is_err());
    house.store.delete_policy(&house.permit(&admin, &policy)).unwrap();
    assert!(house.ask::<iam::DeleteRole>(&narrowed, role.as_str()).is_err());
    assert!(house.ask::<iam::GetRole>(&narrowed, role.as_str()).is_err());
}

#[test]
fn a_managed_session_policy_is_there_when_the_session_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let refused = |policy: &str| house.narrowing(&policy.parse().unwrap());
    let own = house.arn("policy/path/own");
    let absent = refused(own.as_str()).unwrap_err();
    assert_eq!(
        absent.to_string(),
        format!("Policy {own} does not exist or is not attachable.")
    );
    house.new_policy(&admin, "policy/path/own", allow("iam:GetRole"));
    assert!(house.narrowing(&own).is_ok());
    for other in [
        house.arn("policy/own").as_str(),
        "arn:aws:iam::999999999999:policy/path/own",
        "arn:aws:iam::aws:policy/None",
    ] {
        assert_eq!(code(refused(other)), IamCode::NoSuchEntity, "{other}");
    }
    let of_aws = refused("arn:aws:iam::aws:policy/ReadOnlyAccess").unwrap();
    assert!(of_aws.managed()[0].id.starts_with("ANPA"));
}

#[test]
fn a_trust_policy_means_whom_it_meant_when_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let friend = house.arn("role/path/friend");
    let own = house.arn("root");
    let first = house.new_role(&admin, "role/path/friend", own.as_str()).unwrap();
    house.new_role(&admin, "role/house", friend.as_str()).unwrap();
    let absent = house.arn("role/friend");
    let refused = house.new_role(&admin, "role/lonely", absent.as_str());
    assert_eq!(code(refused), IamCode::MalformedPolicyDocument);
    assert!(
        house
            .store
            .role_by_name(house.first.account, "lonely")
            .unwrap()
            .is_none()
    );

    let trusted = |house: &House| {
        let found = house
            .store
            .role_by_name(house.first.account, "HOUSE")
            .unwrap()
            .unwrap();
        moho_iam::policy::named_principals(&found.role.trust_policy)
    };
    let aws = |name: &str| vec![("AWS".to_owned(), name.to_owned())];
    assert_eq!(trusted(&house), aws(friend.as_str()));
    house.store.delete_role(&house.permit(&admin, &friend)).unwrap();
    assert_eq!(trusted(&house), aws(&first));
    let second = house.new_role(&admin, "role/path/friend", own.as_str()).unwrap();
    assert_ne!(first, second);
    assert_eq!(trusted(&house), aws(&first));
    drop(house);

    let house = House::open(directory.path());
    assert_eq!(trusted(&house), aws(&first));
    let admin = house.session("Admin");
    let anew = house.trusting(friend.as_str());
    house
        .store
        .update_assume_role_policy(&house.permit(&admin, &house.arn("role/house")), &anew)
        .unwrap();
    assert_eq!(trusted(&house), aws(friend.as_str()));
}

#[test]
fn a_session_of_a_role_that_was_made_again_may_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let arn = house.arn("role/twice");
    let make = || {
        house
            .new_role(&admin, "role/twice", house.arn("root").as_str())
            .unwrap();
        let permit = house.permit(&admin, &arn);
        house
            .store
            .attach_role_policy(&permit, "arn:aws:iam::aws:policy/AdministratorAccess")
            .unwrap();
    };
    make();
    let session = house.session("twice");
    assert!(house.ask::<iam::GetRole>(&session, arn.as_str()).is_ok());
    house
        .store
        .detach_role_policy(
            &house.permit(&admin, &arn),
            "arn:aws:iam::aws:policy/AdministratorAccess",
        )
        .unwrap();
    house.store.delete_role(&house.permit(&admin, &arn)).unwrap();
    make();
    assert!(house.ask::<iam::GetRole>(&session, arn.as_str()).is_err());
    assert!(
        house
            .ask::<iam::GetRole>(&house.session("twice"), arn.as_str())
            .is_ok()
    );
}

#[test]
fn ten_thousand_roles_are_found_by_index_and_listed_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
        INSERT INTO iam_role SELECT printf('AROA%017d', i), (SELECT account_id FROM account), printf('Many-%05d', i),
            printf('many-%05d', i), '/', (SELECT trust_policy FROM iam_role LIMIT 1), NULL, 3600, NULL, NULL, 1 FROM n";
    house.write(many);
    let admin = house.session("Admin");
    let permit: Permit<iam::ListRoles> = house.permit(&admin, &house.arn("role/"));
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = Page {
            after: after.as_deref(),
            limit: 1000,
        };
        let listed = house.store.list_roles(&permit, "/", page).unwrap();
        names.extend(
            listed
                .items
                .into_iter()
                .map(|role| role.name.as_str().to_ascii_lowercase()),
        );
        after = listed.last;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(names.len(), 10_002);
    assert!(names.is_sorted());
    let last = house
        .store
        .role_facts(&house.arn("role/Many-10000"))
        .unwrap()
        .unwrap();
    assert_eq!(last.id, "AROA00000000000010000");
    for query in [
        "SELECT name FROM iam_role WHERE account_id = '1' AND folded = 'x'",
        "SELECT name FROM iam_role WHERE account_id = '1' AND folded > 'x' ORDER BY folded LIMIT 10",
        "SELECT name FROM iam_role WHERE role_id = 'x'",
        "SELECT 1 FROM iam_role WHERE account_id = '1' AND boundary = 'x'",
        "SELECT 1 FROM iam_role_attachment WHERE account_id = '1' AND policy_arn = 'x'",
    ] {
        let plan: String = behind(directory.path())
            .query_row(&format!("EXPLAIN QUERY PLAN {query}"), [], |row| row.get(3))
            .unwrap();
        assert!(
            plan.starts_with("SEARCH") && plan.contains("USING"),
            "{query}: {plan}"
        );
    }
}

#[test]
fn a_refused_change_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let role = house.arn("role/Developer");
    let tags: Vec<(String, String)> = (0..51).map(|n| (format!("k{n}"), String::new())).collect();
    let tagged = house.store.tag_role(&house.permit(&admin, &role), &tags);
    assert_eq!(code(tagged), IamCode::LimitExceeded);
    let page = Page {
        after: None,
        limit: 100,
    };
    let listed = house
        .store
        .list_role_tags(&house.permit(&admin, &role), page)
        .unwrap();
    assert_eq!(listed.items, []);
    let none = house
        .store
        .attach_role_policy(&house.permit(&admin, &role), "arn:aws:iam::aws:policy/None");
    assert_eq!(code(none), IamCode::NoSuchEntity);
}

#[test]
fn a_permit_for_something_else_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    for other in [
        "arn:aws:iam::999999999999:role/Developer".parse().unwrap(),
        house.arn("user/Developer"),
        house.arn("role"),
    ] {
        // The authorizer may refuse it first; the store never takes it.
        if let Ok(permit) = house.ask::<iam::GetRole>(&admin, other.as_str()) {
            let got = house.store.get_role(&permit);
            assert!(
                matches!(got, Err(IamError::Store(StoreError::OtherPermit))),
                "{other}: {got:?}"
            );
        }
    }
}

#[test]
fn lists_of_policies_go_on_where_they_were_cut_whatever_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    for number in 0..7 {
        house.new_policy(&admin, &format!("policy/p{number}"), allow("s3:*"));
    }
    let permit: Permit<iam::ListPolicies> = house.permit(&admin, &house.arn("policy/"));
    for (aws, local) in [(true, true), (true, false), (false, true)] {
        let filter = PolicyFilter {
            aws,
            local,
            prefix: "/".to_owned(),
            ..PolicyFilter::default()
        };
        let all = house
            .store
            .list_policies(
                &permit,
                &filter,
                Page {
                    after: None,
                    limit: 1000,
                },
            )
            .unwrap();
        for limit in 1..=all.items.len() + 1 {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = Page {
                    after: after.as_deref(),
                    limit,
                };
                let listed = house.store.list_policies(&permit, &filter, page).unwrap();
                assert!(listed.items.len() <= limit);
                found.extend(listed.items);
                after = listed.last;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(found, all.items, "{limit} {aws} {local}");
        }
    }
}
