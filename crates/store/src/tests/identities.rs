//! Users, groups, credentials and providers: AWS's rules, and that nothing long-lived exists without leave.

use moho_iam::action::organizations as organisation;
use moho_iam::authn::CredentialSource as _;
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_iam::saml::SamlMetadata;
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
fn without_leave_of_the_organisation_nothing_long_lived_is_made() {
    let office = Office::closed();
    let denied = office.user("/alice");
    assert!(says(denied).contains("iam:CreateAccessKey"));
    assert_eq!(code(office.user("/alice")), IamCode::AccessDenied);
    office.group("/readers").unwrap();
    let policy = office.let_keys_in();
    office.user("/alice").unwrap();
    let kept = office.credential("/alice", "BedrockAPIKey-1-at-1").unwrap();
    office.let_none_in(&policy);
    assert_eq!(code(office.key("/alice")), IamCode::AccessDenied);
    assert_eq!(code(office.credential("/alice", "two")), IamCode::AccessDenied);
    let reset =
        office
            .house
            .store
            .reset_service_credential(&office.on("user/alice"), &kept.id, ("three", &[8; 32]));
    assert_eq!(code(reset), IamCode::AccessDenied);
}

#[test]
fn keys_stop_working_the_moment_the_policy_goes() {
    let office = Office::closed();
    let policy = office.let_keys_in();
    let user = office.user("/eng/alice").unwrap();
    let store = &office.house.store;
    let key = office.key("/eng/alice").unwrap();
    office.credential("/eng/alice", "BedrockAPIKey-1-at-1").unwrap();
    let found = store.access_key(&key).unwrap().unwrap();
    assert_eq!(
        (found.user.id, found.sealed),
        (user.id.clone(), b"sealed".to_vec())
    );
    assert_eq!(found.user.path, "/eng/");
    let bearer = store.bedrock_key("BedrockAPIKey-1-at-1").unwrap().unwrap();
    assert_eq!((bearer.user.id, bearer.sha256), (user.id, [7; 32]));
    office.let_none_in(&policy);
    assert!(store.access_key(&key).unwrap().is_none());
    assert!(store.bedrock_key("BedrockAPIKey-1-at-1").unwrap().is_none());
    let counted = store.long_lived_credentials().unwrap();
    let there = LongLivedCredentials {
        allowed_in: Vec::new(),
        users: 1,
        access_keys: 1,
        service_credentials: 1,
    };
    assert_eq!(counted, there);
    let (directory, data) = (office.directory.path().join("store"), office.directory);
    let seen = || LongLivedCredentials::of_directory(&directory).unwrap();
    assert_eq!(seen(), Some(there.clone()), "beside the store that is open");
    drop((office.house, office.admin));
    let files = || std::fs::read_dir(&directory).unwrap().count();
    let before = files();
    assert_eq!(seen(), Some(there));
    assert_eq!(files(), before, "looking leaves no trace");
    drop(data);
    assert_eq!(seen(), None);
}

#[test]
fn only_active_credentials_are_found() {
    let office = Office::open();
    office.user("/alice").unwrap();
    let store = &office.house.store;
    let key = office.key("/alice").unwrap();
    let set = |active| store.update_access_key(&office.on("user/alice"), key.as_str(), active);
    set(false).unwrap();
    assert!(store.access_key(&key).unwrap().is_none());
    set(true).unwrap();
    assert!(store.access_key(&key).unwrap().is_some());
    store
        .delete_access_key(&office.on("user/alice"), key.as_str())
        .unwrap();
    assert!(store.access_key(&key).unwrap().is_none());
    assert_eq!(code(set(true)), IamCode::NoSuchEntity);

    let made = office.credential("/alice", "one").unwrap();
    let set = |active| store.update_service_credential(&office.on("user/alice"), &made.id, active);
    set(false).unwrap();
    assert!(store.bedrock_key("one").unwrap().is_none());
    set(true).unwrap();
    let reset = store
        .reset_service_credential(&office.on("user/alice"), &made.id, ("two", &[9; 32]))
        .unwrap();
    assert_eq!(
        (reset.id.as_str(), reset.alias.as_str()),
        (made.id.as_str(), "two")
    );
    assert!(
        store.bedrock_key("one").unwrap().is_none(),
        "the key before it is worth nothing"
    );
    assert_eq!(store.bedrock_key("two").unwrap().unwrap().sha256, [9; 32]);
}

#[test]
fn a_user_has_two_keys_at_most_and_only_its_own() {
    let office = Office::open();
    let store = &office.house.store;
    office.user("/alice").unwrap();
    office.user("/bob").unwrap();
    let one = office.key("/alice").unwrap();
    office.key("/alice").unwrap();
    assert_eq!(
        says(office.key("/alice")),
        "Cannot exceed quota for AccessKeysPerUser: 2"
    );
    let listed = store.list_access_keys(&office.on("user/alice")).unwrap();
    assert_eq!(listed.len(), 2);
    let of_bob = store.delete_access_key(&office.on("user/bob"), one.as_str());
    assert_eq!(code(of_bob), IamCode::NoSuchEntity);
    office.credential("/alice", "one").unwrap();
    office.credential("/alice", "two").unwrap();
    assert_eq!(code(office.credential("/alice", "three")), IamCode::LimitExceeded);
    let listed = |resource: &str| {
        let found = store.list_service_credentials(&office.on(resource), None, all());
        found.unwrap().items.len()
    };
    assert_eq!(
        (listed("user/alice"), listed("user/bob"), listed("user/*")),
        (2, 0, 2)
    );
}

#[test]
fn when_a_key_was_used_is_written_down_now_and_then() {
    let office = Office::open();
    let store = &office.house.store;
    office.user("/alice").unwrap();
    let key = office.key("/alice").unwrap();
    let account = office.house.first.account;
    assert_eq!(
        store.access_key_owner(account, key.as_str()).unwrap().unwrap(),
        "alice"
    );
    let other = "123456789012".parse().unwrap();
    assert_eq!(store.access_key_owner(other, key.as_str()).unwrap(), None);
    let last = || {
        store
            .access_key_last_used(&office.on("user/alice"), key.as_str())
            .unwrap()
    };
    assert_eq!(last(), None);
    let at = |seconds| LastUse {
        at: office.now().plus_seconds(seconds),
        service: "iam".to_owned(),
        region: "moho-local-1".to_owned(),
    };
    for (used, known) in [(0, 0), (899, 0), (900, 900)] {
        store.note_access_key_use(&key, &at(used)).unwrap();
        assert_eq!(last(), Some(at(known)), "{used}");
    }
    let elsewhere = LastUse {
        service: "sts".to_owned(),
        ..at(901)
    };
    store.note_access_key_use(&key, &elsewhere).unwrap();
    assert_eq!(last(), Some(elsewhere));
}

#[test]
fn a_name_is_taken_whatever_its_case_but_found_only_in_its_own() {
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
    assert_eq!(facts("alice"), None);
    assert_eq!(facts("Alice").unwrap().arn.resource(), "user/eng/Alice");
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
    let alice = office.user("/alice").unwrap();
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
    assert_eq!((bears.id, bears.path), (alice.id, "/".to_owned()));
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

#[test]
fn an_oidc_provider_has_audiences_and_thumbprints_within_bounds() {
    let office = Office::closed();
    let store = &office.house.store;
    let resource = "oidc-provider/idp.example.org";
    let new = NewOidcProvider {
        url: "https://idp.example.org".to_owned(),
        client_ids: vec!["a".to_owned(), "a".to_owned()],
        ..NewOidcProvider::default()
    };
    let made = store
        .create_oidc_provider(&office.on(resource), &new, office.now())
        .unwrap();
    assert_eq!(made.client_ids, ["a"]);
    let again = store.create_oidc_provider(&office.on(resource), &new, office.now());
    assert_eq!(
        says(again),
        "Provider with url https://idp.example.org already exists."
    );
    let add = |client: &str| store.add_oidc_client(&office.on(resource), client);
    for number in 1..100 {
        add(&format!("client-{number}")).unwrap();
    }
    add("client-7").unwrap();
    assert_eq!(
        says(add("one-more")),
        "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100"
    );
    assert_eq!(code(add("two\nlines")), IamCode::LimitExceeded);
    store
        .remove_oidc_client(&office.on(resource), "client-7")
        .unwrap();
    store
        .remove_oidc_client(&office.on(resource), "client-7")
        .unwrap();
    assert_eq!(code(add("two\nlines")), IamCode::InvalidInput);
    let thumbs = |count| vec!["0123456789012345678901234567890123456789".to_owned(); count];
    let set = |count| store.set_oidc_thumbprints(&office.on(resource), &thumbs(count));
    set(5).unwrap();
    assert_eq!(code(set(6)), IamCode::InvalidInput);
    let kept = store.oidc_provider(&made.arn).unwrap().unwrap();
    assert_eq!((kept.client_ids.len(), kept.thumbprints.len()), (99, 1));
    assert_eq!(
        store.list_oidc_providers(&office.on("*")).unwrap(),
        [made.arn.clone()]
    );
    store.delete_oidc_provider(&office.on(resource)).unwrap();
    let gone = store.get_oidc_provider(&office.on(resource));
    assert_eq!(
        says(gone),
        format!("OpenIDConnect Provider not found for arn {}", made.arn)
    );
    assert_eq!(store.identity_provider().unwrap(), IdentityProvider::Set);
}

#[test]
fn a_saml_provider_is_kept_with_its_document() {
    const METADATA: &str = r#"<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.org" validUntil="2030-01-02T03:04:05Z"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>MAAw</X509Certificate></X509Data></KeyInfo></KeyDescriptor><SingleSignOnService Binding="x" Location="https://idp.example.org/sso"/></IDPSSODescriptor></EntityDescriptor>"#;
    let office = Office::closed();
    let store = &office.house.store;
    let metadata = SamlMetadata::parse(METADATA).unwrap();
    let tags = [("team".to_owned(), "one".to_owned())];
    let make = || {
        let permit = office.on("saml-provider/idp");
        store.create_saml_provider(&permit, (&metadata, &tags), &*office.house.world, office.now())
    };
    let made = make().unwrap();
    assert_eq!(
        (made.metadata.as_str(), made.valid_until),
        (METADATA, metadata.valid_until())
    );
    assert_eq!(code(make()), IamCode::EntityAlreadyExists);
    let other = METADATA.replace(" validUntil=\"2030-01-02T03:04:05Z\"", "");
    let other = SamlMetadata::parse(&other).unwrap();
    store
        .update_saml_provider(&office.on("saml-provider/idp"), &other)
        .unwrap();
    let found = store.get_saml_provider(&office.on("saml-provider/idp")).unwrap();
    assert_eq!((found.valid_until, &found.tags[..]), (None, &tags[..]));
    assert_eq!(store.list_saml_providers(&office.on("*")).unwrap().len(), 1);
    store
        .delete_saml_provider(&office.on("saml-provider/idp"))
        .unwrap();
    let gone = store.get_saml_provider(&office.on("saml-provider/idp"));
    assert_eq!(code(gone), IamCode::NoSuchEntity);
    // What is made again has nothing of what was before.
    assert_eq!(make().unwrap().tags, tags);
}

#[test]
fn an_account_has_one_alias_and_no_two_the_same() {
    let office = Office::closed();
    let store = &office.house.store;
    let create = |alias: &str| store.create_account_alias(&office.on("*"), alias);
    create("one").unwrap();
    assert_eq!(code(create("one")), IamCode::EntityAlreadyExists);
    create("two").unwrap();
    assert_eq!(
        store.account_alias(&office.on("*")).unwrap().as_deref(),
        Some("two")
    );
    let delete = |alias: &str| store.delete_account_alias(&office.on("*"), alias);
    assert_eq!(code(delete("one")), IamCode::NoSuchEntity);
    delete("two").unwrap();
    assert_eq!(store.account_alias(&office.on("*")).unwrap(), None);
}
