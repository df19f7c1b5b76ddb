//! Users, groups, credentials and providers: AWS's rules, and that nothing long-lived exists without leave.

mod credentials;
mod named;
mod providers;

use moho_iam::action::organizations as organisation;
use moho_iam::authn::CredentialSource as _;
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_terms::AccessKeyId;

use super::*;
use crate::iam::{EntityKind, IamCode, IamError, Listed, Page};
use crate::identities::*;
use crate::organizations::{NewPolicy, NodeId, OrganisationNames, PolicyId, PolicyType, Tags};

const LET_KEYS_IN: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:CreateAccessKey","Resource":"*"}]}"#;
const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
const READ_ONLY: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";

/// The house with its administrator at work.
struct Office {
    house: House,
    admin: Authenticated,
    directory: tempfile::TempDir,
}

/// What a refusal says.
fn code<T>(refused: Result<T, IamError>) -> IamCode {
    match refused {
        Err(IamError::Refused { code, .. }) => code,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("not refused"),
    }
}

fn says<T>(refused: Result<T, IamError>) -> String {
    refused.err().unwrap().to_string()
}

impl Office {
    /// Where users may not be.
    fn closed() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let house = House::open(directory.path());
        let admin = house.session("Admin");
        Self {
            house,
            admin,
            directory,
        }
    }

    fn open() -> Self {
        let office = Self::closed();
        office.let_keys_in();
        office
    }

    fn names(&self) -> OrganisationNames {
        let whole = self.house.store.whole_organisation().unwrap().unwrap();
        whole.names().clone()
    }

    fn let_keys_in(&self) -> PolicyId {
        let names = self.names();
        let new = NewPolicy {
            kind: PolicyType::ServiceControl,
            name: "keys".to_owned(),
            description: String::new(),
            content: LET_KEYS_IN.to_owned(),
            tags: Tags::new(),
        };
        let anywhere = self.house.permit(&self.admin, &names.anything_arn().unwrap());
        let store = &self.house.store;
        let id = store
            .create_organisation_policy(&anywhere, &new, &*self.house.world, self.now())
            .unwrap();
        store
            .attach_policy(&self.on_policy(&id), &self.on_node(&names.root), self.now())
            .unwrap();
        id
    }

    fn let_none_in(&self, policy: &PolicyId) {
        let permit: Permit<organisation::DetachPolicy> = self.on_policy(policy);
        let node = self.on_node(&self.names().root);
        self.house.store.detach_policy(&permit, &node).unwrap();
    }

    fn on_policy<A: Action>(&self, policy: &PolicyId) -> Permit<A> {
        self.house
            .permit(&self.admin, &self.names().policy_arn(policy).unwrap())
    }

    fn on_node<A: Action>(&self, node: &NodeId) -> Permit<A> {
        self.house
            .permit(&self.admin, &self.names().node_arn(node).unwrap())
    }

    fn now(&self) -> Timestamp {
        self.house.world.now()
    }

    /// Leave for something of the account, such as `user/path/name`.
    fn on<A: Action>(&self, resource: &str) -> Permit<A> {
        let arn = format!("arn:aws:iam::{}:{resource}", self.house.first.account);
        self.house.ask(&self.admin, &arn).unwrap()
    }

    fn user(&self, place: &str) -> Result<User, IamError> {
        let permit = self.on(&format!("user{place}"));
        let new = NewUser::default();
        self.house
            .store
            .create_user(&permit, &new, &*self.house.world, self.now())
    }

    fn group(&self, place: &str) -> Result<Group, IamError> {
        let permit = self.on(&format!("group{place}"));
        self.house
            .store
            .create_group(&permit, &*self.house.world, self.now())
    }

    fn key(&self, user: &str) -> Result<AccessKeyId, IamError> {
        let account = self.house.first.account;
        let id = AccessKeyId::long_lived(account, &*self.house.world).unwrap();
        let permit = self.on(&format!("user{user}"));
        let kept = self
            .house
            .store
            .create_access_key(&permit, (&id, b"sealed"), self.now())?;
        assert_eq!(kept.id, id);
        Ok(id)
    }

    /// The user at work, by a key for Bedrock.
    fn keyed(&self, user: &str) -> Authenticated {
        let store = Arc::clone(&self.house.store);
        let authenticator = Authenticator::new(&Secret::new(vec![1; 32]), region()).unwrap();
        let authenticator = authenticator.with_credentials(store as _);
        let permit: Permit<iam::CreateServiceSpecificCredential> = self.on(&format!("user{user}"));
        let key = authenticator
            .make_bedrock_key(&permit, &*self.house.world)
            .unwrap();
        let (world, new) = (&*self.house.world, (key.id.as_str(), &key.sha256, None));
        let kept = self
            .house
            .store
            .create_service_credential(&permit, new, world, self.now());
        kept.unwrap();
        let bearer = format!("Bearer {}", String::from_utf8_lossy(key.secret.expose()));
        let head = HttpHead {
            method: "POST",
            raw_path: "/",
            raw_query: "",
            authority: "localhost",
            headers: &[("authorization", &bearer)],
            body_sha256: &[0; 32],
        };
        authenticator
            .authenticate(&head, &[SigningName::BedrockMantle], self.now())
            .unwrap()
    }

    fn credential(&self, user: &str, alias: &str) -> Result<ServiceCredential, IamError> {
        let permit = self.on(&format!("user{user}"));
        self.house.store.create_service_credential(
            &permit,
            (alias, &[7; 32], None),
            &*self.house.world,
            self.now(),
        )
    }
}

fn all() -> Page<'static> {
    Page {
        after: None,
        limit: 100,
    }
}

#[test]
fn a_name_is_taken_and_found_whatever_its_case() {
    let office = Office::open();
    let store = &office.house.store;
    let made = office.user("/eng/Alice").unwrap();
    assert!(made.id.starts_with("AIDA") && made.id.len() == 21);
    assert_eq!(
        says(office.user("/ALICE")),
        "User with name ALICE already exists."
    );
    office.group("/alice").unwrap();
    let account = office.house.first.account;
    let facts = |name| store.identity_facts(account, EntityKind::User, name).unwrap();
    assert_eq!(facts("bob"), None);
    assert_eq!(facts("alice").unwrap().arn.resource(), "user/eng/Alice");
    // What is done is done on its own name.
    assert!(store.get_user(&office.on("user/eng/alice")).is_err());
    // A permit for the name in another place is none for this user.
    let elsewhere = store.get_user(&office.on("user/Alice"));
    assert_eq!(says(elsewhere), "The user with name Alice cannot be found.");
    assert_eq!(store.get_user(&office.on("user/eng/Alice")).unwrap(), made);
}

#[test]
fn a_user_that_is_renamed_keeps_what_it_has() {
    let office = Office::open();
    let store = &office.house.store;
    let made = office.user("/alice").unwrap();
    office.user("/bob").unwrap();
    let key = office.key("/alice").unwrap();
    let onto = |place: &str| store.update_user(&office.on("user/alice"), &office.on(&format!("user{place}")));
    assert_eq!(code(onto("/BOB")), IamCode::EntityAlreadyExists);
    onto("/new/carol").unwrap();
    let moved = store.get_user(&office.on("user/new/carol")).unwrap();
    assert_eq!(moved.id, made.id);
    assert_eq!(
        store.access_key(&key).unwrap().unwrap().user.name.as_str(),
        "carol"
    );
    assert_eq!(code(onto("/x")), IamCode::NoSuchEntity);
    let case = store.update_user(&office.on("user/new/carol"), &office.on("user/new/Carol"));
    case.unwrap();
}

#[test]
fn a_session_of_a_user_that_is_renamed_may_nothing_any_more() {
    let office = Office::open();
    let store = &office.house.store;
    office.user("/alice").unwrap();
    store
        .attach_identity_policy(&office.on::<iam::AttachUserPolicy>("user/alice"), READ_ONLY)
        .unwrap();
    let session = office.keyed("/alice");
    let policies = || store.principal(session.session()).unwrap().identity.len();
    assert_eq!(policies(), 1);
    let rename = |from: &str, to: &str| store.update_user(&office.on(from), &office.on(to)).unwrap();
    rename("user/alice", "user/carol");
    assert_eq!(policies(), 0);
    office.user("/alice").unwrap();
    assert_eq!(policies(), 0);
    rename("user/alice", "user/dave");
    rename("user/carol", "user/team/alice");
    assert_eq!(policies(), 0);
    rename("user/team/alice", "user/alice");
    assert_eq!(policies(), 1);
}

#[test]
fn an_arn_of_another_partition_or_region_is_nobody_s() {
    let office = Office::open();
    let account = office.house.first.account;
    office.user("/alice").unwrap();
    office.group("/readers").unwrap();
    for resource in ["user/alice", "group/readers"] {
        let found = |start: &str| {
            let arn = format!("arn:{start}:{account}:{resource}").parse().unwrap();
            let found = office.house.store.principal_at(account, &arn);
            found.unwrap().is_some()
        };
        assert!(found("aws:iam:"), "{resource}");
        assert!(!found("aws-cn:iam:") && !found("aws:iam:us-east-1"), "{resource}");
    }
}

#[test]
fn nothing_that_is_in_use_is_removed() {
    let office = Office::open();
    let store = &office.house.store;
    office.user("/alice").unwrap();
    office.group("/readers").unwrap();
    let document = PolicyDocument::parse(PolicyKind::Inline, ALLOW).unwrap();
    let gone = || store.delete_user(&office.on("user/alice"));
    store
        .attach_identity_policy(&office.on::<iam::AttachUserPolicy>("user/alice"), READ_ONLY)
        .unwrap();
    assert_eq!(
        says(gone()),
        "Cannot delete entity, must detach all policies first."
    );
    store
        .detach_identity_policy(&office.on::<iam::DetachUserPolicy>("user/alice"), READ_ONLY)
        .unwrap();
    store
        .put_identity_policy(&office.on::<iam::PutUserPolicy>("user/alice"), "p", &document)
        .unwrap();
    assert_eq!(says(gone()), "Cannot delete entity, must delete policies first.");
    store
        .delete_identity_policy(&office.on::<iam::DeleteUserPolicy>("user/alice"), "p")
        .unwrap();
    store.add_to_group(&office.on("group/readers"), "alice").unwrap();
    assert_eq!(code(gone()), IamCode::DeleteConflict);
    let group = store.delete_group(&office.on("group/readers"));
    assert_eq!(
        says(group),
        "Cannot delete entity, must remove users from group first."
    );
    store
        .remove_from_group(&office.on("group/readers"), "alice")
        .unwrap();
    let key = office.key("/alice").unwrap();
    assert_eq!(
        says(gone()),
        "Cannot delete entity, must delete access keys first."
    );
    store
        .delete_access_key(&office.on("user/alice"), key.as_str())
        .unwrap();
    let kept = office.credential("/alice", "one").unwrap();
    assert_eq!(code(gone()), IamCode::DeleteConflict);
    store
        .delete_service_credential(&office.on("user/alice"), &kept.id)
        .unwrap();
    gone().unwrap();
    assert_eq!(code(gone()), IamCode::NoSuchEntity);
    store.delete_group(&office.on("group/readers")).unwrap();
    // Whoever is made again under the name is somebody else.
    let tags: u32 = behind(office.directory.path())
        .query_row("SELECT count(*) FROM iam_tag", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tags, 0);
}

#[test]
fn a_user_may_what_it_and_its_groups_may() {
    let office = Office::open();
    let store = &office.house.store;
    office.user("/alice").unwrap();
    office.group("/readers").unwrap();
    office.group("/others").unwrap();
    let document = PolicyDocument::parse(PolicyKind::Inline, ALLOW).unwrap();
    let put = |group: &str| {
        let permit = office.on::<iam::PutGroupPolicy>(&format!("group/{group}"));
        store.put_identity_policy(&permit, "s3", &document).unwrap();
    };
    put("readers");
    put("others");
    store
        .put_identity_policy(&office.on::<iam::PutUserPolicy>("user/alice"), "own", &document)
        .unwrap();
    for resource in ["group/readers", "group/others"] {
        store
            .attach_identity_policy(&office.on::<iam::AttachGroupPolicy>(resource), READ_ONLY)
            .unwrap();
    }
    store.add_to_group(&office.on("group/readers"), "alice").unwrap();
    store.add_to_group(&office.on("group/readers"), "alice").unwrap();
    store
        .put_user_boundary(&office.on("user/alice"), &READ_ONLY.parse().unwrap())
        .unwrap();
    let account = office.house.first.account;
    let bears = store
        .database
        .read(|connection| user_policies(connection, account, "alice"))
        .unwrap()
        .unwrap();
    let sources: Vec<&str> = bears.inline.iter().map(|(source, _)| source.as_str()).collect();
    assert_eq!(sources, ["user/alice/inline:own", "group/readers/inline:s3"]);
    assert_eq!(bears.managed, [READ_ONLY]);
    assert_eq!(bears.boundary.unwrap().as_str(), READ_ONLY);
    store.delete_user_boundary(&office.on("user/alice")).unwrap();
    let again = store.delete_user_boundary(&office.on("user/alice"));
    assert_eq!(code(again), IamCode::NoSuchEntity);
}

#[test]
fn policies_have_their_quotas() {
    let office = Office::open();
    let store = &office.house.store;
    office.user("/alice").unwrap();
    let bucket = format!("arn:aws:s3:::{}", "x".repeat(1900));
    let long = ALLOW.replace(r#""Resource":"*""#, &format!(r#""Resource":"{bucket}""#));
    let document = PolicyDocument::parse(PolicyKind::Inline, &long).unwrap();
    let put =
        |name| store.put_identity_policy(&office.on::<iam::PutUserPolicy>("user/alice"), name, &document);
    put("one").unwrap();
    put("one").unwrap();
    assert_eq!(
        says(put("two")),
        "Maximum policy size of 2048 bytes exceeded for user alice"
    );
    let names = store
        .identity_policies(&office.on::<iam::ListUserPolicies>("user/alice"), all())
        .unwrap();
    assert_eq!(names.items, ["one"], "what is refused changes nothing");
    let absent = store.attach_identity_policy(
        &office.on::<iam::AttachUserPolicy>("user/alice"),
        "arn:aws:iam::aws:policy/NoSuchPolicy",
    );
    assert_eq!(code(absent), IamCode::NoSuchEntity);
}

#[test]
fn users_and_groups_are_listed_by_name_and_path_in_pages() {
    let office = Office::open();
    let store = &office.house.store;
    for place in ["/b", "/eng/A", "/eng/c", "/d"] {
        office.user(place).unwrap();
        office.group(place).unwrap();
    }
    let page = |prefix: &str, after: Option<&str>, limit| {
        let page = Page { after, limit };
        let listed = store.list_users(&office.on("user/"), prefix, page).unwrap();
        let names: Vec<String> = listed.items.into_iter().map(|user| user.name).collect();
        (names.join(" "), listed.last)
    };
    assert_eq!(page("/", None, 9), ("A b c d".to_owned(), None));
    assert_eq!(page("/eng/", None, 9), ("A c".to_owned(), None));
    let (first, last) = page("/", None, 3);
    assert_eq!(first, "A b c");
    assert_eq!(page("/", last.as_deref(), 3), ("d".to_owned(), None));
    let groups = store.list_groups(&office.on("group/"), "/eng/", all()).unwrap();
    assert_eq!(groups.items.len(), 2);
    for user in ["b", "A"] {
        store.add_to_group(&office.on("group/b"), user).unwrap();
    }
    let (group, members): (Group, Listed<User>) = store.get_group(&office.on("group/b"), all()).unwrap();
    let names: Vec<&str> = members.items.iter().map(|user| user.name.as_str()).collect();
    assert_eq!((group.name.as_str(), names), ("b", vec!["A", "b"]));
    let of = store.groups_of_user(&office.on("user/b"), all()).unwrap();
    assert_eq!(of.items, [group]);
}

#[test]
fn a_permit_is_for_the_callers_own_account_only() {
    let office = Office::open();
    office.user("/alice").unwrap();
    let store = &office.house.store;
    let strange = "arn:aws:iam::123456789012:user/alice";
    if let Ok(permit) = office.house.ask::<iam::GetUser>(&office.admin, strange) {
        assert!(store.get_user(&permit).is_err());
    }
    let role: Permit<iam::GetUser> = office.on("role/Admin");
    assert!(matches!(
        store.get_user(&role),
        Err(IamError::Store(StoreError::OtherPermit))
    ));
}
