//! The organisation: a tree whatever is done to it, and what it says of accounts.

mod policies;
mod tree;

use moho_iam::action::organizations as action;
use moho_terms::AccountId;

use super::*;
use crate::organizations::*;

const DENY_BEDROCK: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"bedrock:*","Resource":"*"}]}"#;
/// The house with its administrator at work.
struct Office {
    house: House,
    admin: Authenticated,
    names: OrganisationNames,
    _directory: tempfile::TempDir,
}

impl Office {
    fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let house = House::open(directory.path());
        let admin = house.session("Admin");
        let names = house.store.whole_organisation().unwrap().unwrap().names().clone();
        Self {
            house,
            admin,
            names,
            _directory: directory,
        }
    }

    fn on<A: Action>(&self, node: &NodeId) -> Permit<A> {
        self.house
            .permit(&self.admin, &self.names.node_arn(node).unwrap())
    }

    fn on_policy<A: Action>(&self, policy: &PolicyId) -> Permit<A> {
        self.house
            .permit(&self.admin, &self.names.policy_arn(policy).unwrap())
    }

    fn anywhere<A: Action>(&self) -> Permit<A> {
        self.house
            .permit(&self.admin, &self.names.anything_arn().unwrap())
    }

    fn now(&self) -> Timestamp {
        self.house.world.now()
    }

    fn whole(&self) -> Arc<Organisation> {
        self.house.store.whole_organisation().unwrap().unwrap()
    }

    fn unit(&self, parent: &NodeId, name: &str) -> Result<NodeId, OrganisationError> {
        let permit = self.on::<action::CreateOrganizationalUnit>(parent);
        self.house
            .store
            .create_unit(&permit, (name, &Tags::new()), &*self.house.world, self.now())
    }

    fn account(&self, email: &str) -> CreationOutcome {
        let new = NewAccount {
            name: "one more".to_owned(),
            email: email.to_owned(),
            role: "OrganizationAccountAccessRole".parse().unwrap(),
            tags: Tags::new(),
            region: region(),
        };
        let permit = self.anywhere::<action::CreateAccount>();
        let (kms, entropy) = (&self.house.kms, &*self.house.world);
        let created = self
            .house
            .store
            .create_account(&permit, (kms, entropy), &new, self.now())
            .unwrap();
        let described = self
            .house
            .store
            .account_creation(&self.anywhere(), &created.id)
            .unwrap();
        assert_eq!(described, created);
        created.outcome
    }

    fn new_account(&self, email: &str) -> AccountId {
        match self.account(email) {
            CreationOutcome::Created(account) => account,
            CreationOutcome::Failed(why) => panic!("{why:?}"),
        }
    }

    fn shift(&self, account: AccountId, from: &NodeId, to: &NodeId) -> Result<(), OrganisationError> {
        self.house
            .store
            .move_account(&self.on(&account.into()), &self.on(from), &self.on(to))
    }

    fn policy(&self, kind: PolicyType, name: &str, content: &str) -> Result<PolicyId, OrganisationError> {
        let new = NewPolicy {
            kind,
            name: name.to_owned(),
            description: String::new(),
            content: content.to_owned(),
            tags: Tags::new(),
        };
        self.house
            .store
            .create_organisation_policy(&self.anywhere(), &new, &*self.house.world, self.now())
    }

    fn attach(&self, policy: &PolicyId, node: &NodeId) -> Result<(), OrganisationError> {
        self.house
            .store
            .attach_policy(&self.on_policy(policy), &self.on(node), self.now())
    }

    fn detach(&self, policy: &PolicyId, node: &NodeId) -> Result<(), OrganisationError> {
        self.house
            .store
            .detach_policy(&self.on_policy(policy), &self.on(node))
    }

    fn scps(&self, account: AccountId) -> Vec<Vec<String>> {
        let levels = self.house.store.service_control(account).unwrap();
        let names = |level: Vec<moho_iam::authz::Attached>| {
            let names = level.into_iter().map(|policy| policy.source.to_string());
            names
                .map(|name| name.rsplit('/').next().unwrap().to_owned())
                .collect()
        };
        levels.into_iter().map(names).collect()
    }
}

fn policy(id: &str) -> PolicyId {
    id.parse().unwrap()
}

#[test]
fn an_installation_begins_with_a_root_and_its_management_account() {
    let office = Office::open();
    let (first, whole) = (office.house.first.account, office.whole());
    assert_eq!(whole.names().management, first);
    assert_eq!(whole.names().id, office.house.first.organisation);
    let account = whole.account(first).unwrap();
    assert_eq!(
        (account.state, account.joined_method),
        (AccountState::Active, JoinedMethod::Invited)
    );
    assert_eq!(account.parent, whole.names().root);
    let store = &office.house.store;
    assert_eq!(
        store.account_key(first).unwrap().as_ref(),
        Some(&office.house.first.account_key)
    );
    let facts = store.organisation_facts(first).unwrap().unwrap();
    assert_eq!(
        facts.path,
        format!("{}/{}/", whole.names().id, whole.names().root)
    );
    assert_eq!(facts.management_account, first);
    assert_eq!(office.scps(first), Vec::<Vec<String>>::new(), "nothing binds it");
    assert_eq!(store.resource_control(first).unwrap(), Vec::<Vec<_>>::new());
    assert!(!store.long_lived_credentials_allowed(first).unwrap());
}

#[test]
fn an_account_has_its_own_key_and_a_role_for_its_administrators() {
    let office = Office::open();
    let (one, other) = (
        office.new_account("a@example.org"),
        office.new_account("b@example.org"),
    );
    let store = &office.house.store;
    let keys =
        [one, other, office.house.first.account].map(|account| store.account_key(account).unwrap().unwrap());
    assert!(keys[0] != keys[1] && keys[0] != keys[2]);
    assert_eq!(keys[0].account(), one.as_str());
    assert!(store.account_is_active(one).unwrap());
    assert_eq!(office.scps(one), [["p-FullAWSAccess"], ["p-FullAWSAccess"]]);
    let role = format!("arn:aws:iam::{one}:role/OrganizationAccountAccessRole");
    assert!(
        office
            .house
            .ask::<moho_iam::action::sts::AssumeRole>(&office.admin, &role)
            .is_ok()
    );
    let developer = office.house.session("Developer");
    assert!(
        office
            .house
            .ask::<moho_iam::action::sts::AssumeRole>(&developer, &role)
            .is_err()
    );
    assert_eq!(
        office.account("A@Example.Org"),
        CreationOutcome::Failed(CreationFailure::EmailAlreadyExists)
    );
    let stranger = "000000000000".parse().unwrap();
    assert_eq!(store.account_key(stranger).unwrap(), None);
    assert_eq!(store.organisation_facts(stranger).unwrap(), None);
    assert_eq!(
        store.service_control(stranger).unwrap(),
        [[]],
        "nothing allows it anything"
    );
}

#[test]
fn a_member_account_s_provider_leaves_the_door_open() {
    let office = Office::open();
    let (house, member) = (&office.house, office.new_account("a@example.org"));
    let role = format!("arn:aws:iam::{member}:role/OrganizationAccountAccessRole");
    let permit = house.ask(&office.admin, &role).unwrap();
    let at_work = house.assumed(&permit, moho_iam::Narrowing::default());
    let set = |who, account: AccountId| {
        let arn = format!("arn:aws:iam::{account}:oidc-provider/example.org");
        let permit = house.ask(who, &arn).unwrap();
        let new = NewOidcProvider {
            url: "https://example.org".to_owned(),
            ..Default::default()
        };
        let made = house.store.create_oidc_provider(&permit, &new, office.now());
        assert_eq!(made.unwrap().arn.as_str(), arn);
    };
    set(&at_work, member);
    assert_eq!(house.store.identity_provider().unwrap(), IdentityProvider::None);
    assert!(
        house.store.ways_in().unwrap().issuers.is_empty(),
        "a member's leads nobody in"
    );
    set(&office.admin, house.first.account);
    assert_eq!(house.store.identity_provider().unwrap(), IdentityProvider::Set);
}

#[test]
fn a_closed_account_can_do_nothing_and_nothing_can_be_done_with_it() {
    let office = Office::open();
    let account = office.new_account("a@example.org");
    let store = &office.house.store;
    let close = |account: AccountId| store.close_account(&office.on(&account.into()), office.now());
    assert!(matches!(
        close(office.house.first.account),
        Err(OrganisationError::Constraint(Constraint::ManagementAccount))
    ));
    close(account).unwrap();
    assert!(matches!(
        close(account),
        Err(OrganisationError::AccountAlreadyClosed)
    ));
    assert!(!store.account_is_active(account).unwrap());
    assert_eq!(store.service_control(account).unwrap(), [[]]);
    assert_eq!(store.resource_control(account).unwrap(), [[]]);
    let role = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
    let refused = office
        .house
        .ask::<moho_iam::action::sts::AssumeRole>(&office.admin, &role);
    assert!(refused.is_err(), "its roles are no way in");
    assert_eq!(
        office.whole().account(account).unwrap().state,
        AccountState::Suspended
    );
}

#[test]
fn units_are_made_renamed_and_deleted_within_their_limits() {
    let office = Office::open();
    let root = office.names.root.clone();
    let one = office.unit(&root, "one").unwrap();
    assert!(matches!(
        office.unit(&root, "one"),
        Err(OrganisationError::DuplicateUnit)
    ));
    let within = office.unit(&one, "one").unwrap();
    let store = &office.house.store;
    let rename = |id: &NodeId, name| store.rename_unit(&office.on(id), Some(name));
    rename(&within, "two").unwrap();
    assert_eq!(office.whole().unit(&within).unwrap().name, "two");
    let beside = office.unit(&root, "three").unwrap();
    assert!(matches!(
        rename(&beside, "one"),
        Err(OrganisationError::DuplicateUnit)
    ));
    rename(&beside, "three").unwrap();
    let delete = |id: &NodeId| store.delete_unit(&office.on(id));
    assert!(matches!(delete(&one), Err(OrganisationError::UnitNotEmpty)));
    delete(&within).unwrap();
    assert!(matches!(delete(&within), Err(OrganisationError::UnitNotFound)));
    delete(&one).unwrap();
    assert!(matches!(
        office.unit(&one, "x"),
        Err(OrganisationError::ParentNotFound)
    ));
    let account = NodeId::from(office.house.first.account);
    assert!(matches!(
        office.unit(&account, "x"),
        Err(OrganisationError::ParentNotFound)
    ));
    let mut deep = root;
    for depth in 0..5 {
        deep = office.unit(&deep, &format!("deep {depth}")).unwrap();
    }
    assert!(matches!(
        office.unit(&deep, "deeper"),
        Err(OrganisationError::Constraint(Constraint::Depth))
    ));
}

#[test]
fn what_an_account_is_bound_by_follows_it_from_unit_to_unit() {
    let office = Office::open();
    let (root, account) = (office.names.root.clone(), office.new_account("a@example.org"));
    let (one, other) = (
        office.unit(&root, "one").unwrap(),
        office.unit(&root, "other").unwrap(),
    );
    let deny = office
        .policy(PolicyType::ServiceControl, "no models", DENY_BEDROCK)
        .unwrap();
    office.attach(&deny, &one).unwrap();
    office.shift(account, &root, &one).unwrap();
    let everything = "p-FullAWSAccess".to_owned();
    assert_eq!(
        office.scps(account),
        [
            vec![everything.clone()],
            vec![everything.clone(), deny.to_string()],
            vec![everything.clone()]
        ]
    );
    let facts = office.house.store.organisation_facts(account).unwrap().unwrap();
    assert_eq!(facts.path, format!("{}/{root}/{one}/", office.names.id));
    assert!(matches!(
        office.shift(account, &root, &other),
        Err(OrganisationError::SourceParentNotFound)
    ));
    assert!(matches!(
        office.shift(account, &one, &one),
        Err(OrganisationError::DuplicateAccount)
    ));
    let nowhere: NodeId = "ou-0000-00000000".parse().unwrap();
    assert!(matches!(
        office.shift(account, &one, &nowhere),
        Err(OrganisationError::DestinationParentNotFound)
    ));
    let nobody = "000000000000".parse().unwrap();
    assert!(matches!(
        office.shift(nobody, &one, &other),
        Err(OrganisationError::AccountNotFound)
    ));
    office.shift(account, &one, &other).unwrap();
    assert_eq!(office.scps(account), vec![vec![everything]; 3]);
}

#[test]
fn a_tree_that_was_altered_is_refused() {
    let alterations = [
        "UPDATE organisation_policy SET content = '{}' WHERE policy_id = 'p-FullAWSAccess'",
        "INSERT INTO organisation_node SELECT 'ou-0000-00000001', 'ORGANIZATIONAL_UNIT', node_id, 'a' FROM organisation_node
             WHERE kind = 'ROOT';
         INSERT INTO organisation_node VALUES ('ou-0000-00000002', 'ORGANIZATIONAL_UNIT', 'ou-0000-00000001', 'b');
         UPDATE organisation_node SET parent_id = 'ou-0000-00000002' WHERE node_id = 'ou-0000-00000001'",
        "DELETE FROM member_account",
    ];
    for alteration in alterations {
        let directory = tempfile::tempdir().unwrap();
        let house = House::open(directory.path());
        house.write(alteration);
        let told = house.store.service_control(house.first.account);
        assert!(
            matches!(told, Err(StoreError::Corrupt { .. })),
            "{alteration}: {told:?}"
        );
    }
}
