//! Kept, lost, altered: what the store gives back, and what it says when it cannot.

mod damage;
mod endpoints;
mod identities;
mod model_access;
mod organizations;
mod roles;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moho_iam::action::{Action, iam, kms, mantle};
use moho_iam::authn::{Authenticated, Authenticator, HttpHead, SessionGrant, SigningName};
use moho_iam::authz::{
    Authorizer, Context, Entry, Journal, JournalUnavailable, Permit, Position, Refusal, RequestFacts,
};
use moho_iam::bootstrap::{Attestation, Door, IdentityProvider};
use moho_kms::{KeyRecords, Kms, KmsError, RootKey};
use moho_terms::{
    Arn, Clock, ContentBytes, Entropy, EntropyUnavailable, KeyId, ModelId, Region, RequestId, ResponseId,
    Secret, Timestamp,
};
use rusqlite::Connection;

use crate::identities::NewOidcProvider;
use crate::{BootstrapPlan, Bootstrapped, Store, StoreError};

/// Time, randomness and a journal that forgets.
#[derive(Default)]
struct World(AtomicU64);

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(1_795_312_800)
    }
}

impl Entropy for World {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        // SplitMix64.
        for byte in bytes {
            let mut next = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            next = (next ^ (next >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            next = (next ^ (next >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *byte = next.to_be_bytes()[0];
        }
        Ok(())
    }
}

impl Journal for World {
    fn record(&self, _entry: &Entry) -> Result<Position, JournalUnavailable> {
        Ok(Position(1))
    }
}

/// An installation in a directory: its store is also where its policies come from.
struct House {
    world: Arc<World>,
    store: Arc<Store>,
    kms: Kms,
    authorizer: Authorizer,
    first: Bootstrapped,
}

impl House {
    fn open(directory: &Path) -> Self {
        // Every process has randomness of its own.
        let seed = u64::from(std::process::id()) << 32;
        let world = Arc::new(World(AtomicU64::new(seed)));
        let store = Arc::new(Store::open(&directory.join("store")).unwrap());
        let root = RootKey::development(&directory.join("root.key"), &*world).unwrap();
        let kms = Kms::new(root, store.clone(), world.clone());
        let plan = BootstrapPlan::new(region(), vec![model("granted")], &*world).unwrap();
        let first = match store.bootstrapped().unwrap() {
            Some(first) => first,
            None => store.ensure_bootstrap(&door(), &kms, &plan, world.now()).unwrap(),
        };
        let authorizer = Authorizer::new(store.clone(), world.clone(), world.clone());
        Self {
            world,
            store,
            kms,
            authorizer,
            first,
        }
    }

    /// A session of a role of the first account.
    fn session(&self, role: &str) -> Authenticated {
        self.narrowed_session(role, moho_iam::Narrowing::default())
    }

    fn narrowed_session(&self, role: &str, narrowing: moho_iam::Narrowing) -> Authenticated {
        let now = self.world.now();
        let guest = door().admit(7, 7, self.first.account, now).unwrap();
        let role = self.first.role(&role.parse().unwrap()).unwrap();
        let permit = self
            .authorizer
            .authorize(&guest, &self.facts(), &role, &Context::new())
            .unwrap();
        self.assumed(&permit, narrowing)
    }

    fn assumed(
        &self,
        permit: &Permit<moho_iam::action::sts::AssumeRole>,
        narrowing: moho_iam::Narrowing,
    ) -> Authenticated {
        let now = self.world.now();
        let authenticator = Authenticator::new(&Secret::new(vec![1; 32]), region()).unwrap();
        let grant = SessionGrant {
            narrowing,
            ..SessionGrant::named("me".parse().unwrap())
        };
        let facts = self.store.role_facts(permit.resource()).unwrap().unwrap();
        let credentials = authenticator
            .issue(permit, &facts, grant, (now, &*self.world))
            .unwrap();
        let key = credentials.bearer_key(&region(), now, 3600).unwrap();
        let authorization = format!("Bearer {}", String::from_utf8_lossy(key.expose()));
        let head = HttpHead {
            method: "POST",
            raw_path: "/",
            raw_query: "",
            authority: "localhost",
            headers: &[("authorization", &authorization)],
            body_sha256: &[0; 32],
        };
        authenticator
            .authenticate(&head, &[SigningName::BedrockMantle], now)
            .unwrap()
    }

    fn facts(&self) -> RequestFacts {
        RequestFacts::new(RequestId::random(&*self.world).unwrap())
    }

    fn ask<A: Action>(&self, caller: &Authenticated, resource: &str) -> Result<Permit<A>, Refusal> {
        self.authorizer
            .authorize(caller, &self.facts(), &resource.parse().unwrap(), &Context::new())
    }

    fn permit<A: Action>(&self, caller: &Authenticated, resource: &Arn) -> Permit<A> {
        self.ask(caller, resource.as_str()).unwrap()
    }

    /// Leave to use the first account's key for one response.
    fn key<A: Action>(&self, caller: &Authenticated, id: &ResponseId) -> Permit<A> {
        let context = crate::response_context(self.first.account, id)
            .unwrap()
            .condition_keys();
        self.authorizer
            .authorize(caller, &self.facts(), &self.first.account_key, &context)
            .unwrap()
    }

    fn response(&self, caller: &Authenticated, id: &ResponseId) -> Arn {
        let account = caller.session().account();
        Arn::of(
            "bedrock-mantle",
            "moho-local-1",
            account.as_str(),
            &format!("response/{id}"),
        )
        .unwrap()
    }

    fn put(&self, caller: &Authenticated, id: &ResponseId, words: &[u8]) -> Result<(), StoreError> {
        let permit: Permit<kms::GenerateDataKey> = self.key(caller, id);
        let body = ContentBytes::new(words.to_vec());
        self.store
            .put_response(&permit, &self.kms, id, &body, self.world.now())
    }

    fn get(&self, caller: &Authenticated, id: &ResponseId) -> Result<Option<Vec<u8>>, StoreError> {
        let read: Permit<mantle::GetInference> = self.permit(caller, &self.response(caller, id));
        let key: Permit<kms::Decrypt> = self.key(caller, id);
        let found = self.store.get_response(&read, &key, &self.kms)?;
        Ok(found.map(|body| body.expose().to_vec()))
    }

    fn delete(&self, caller: &Authenticated, id: &ResponseId) -> Result<bool, StoreError> {
        let permit: Permit<mantle::DeleteInference> = self.permit(caller, &self.response(caller, id));
        self.store.delete_response(&permit)
    }

    fn new_id(&self) -> ResponseId {
        ResponseId::random(&*self.world).unwrap()
    }
}

fn region() -> Region {
    "moho-local-1".parse().unwrap()
}

fn model(name: &str) -> ModelId {
    name.parse().unwrap()
}

fn door() -> Door {
    Door::open(Attestation::Development, IdentityProvider::None).unwrap()
}

/// The database, behind the store's back.
fn behind(directory: &Path) -> Connection {
    Connection::open(directory.join("store/moho.sqlite")).unwrap()
}

#[test]
fn a_response_is_kept_across_restarts_and_deleted_for_good() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let caller = house.session("Developer");
    let (id, other) = (house.new_id(), house.new_id());
    house.put(&caller, &id, b"what was said").unwrap();
    assert_eq!(house.get(&caller, &id).unwrap().unwrap(), b"what was said");
    assert_eq!(house.get(&caller, &other).unwrap(), None);
    drop(house);

    let house = House::open(directory.path());
    let caller = house.session("Developer");
    assert_eq!(house.get(&caller, &id).unwrap().unwrap(), b"what was said");
    assert!(!house.delete(&caller, &other).unwrap());
    assert!(house.delete(&caller, &id).unwrap());
    assert!(!house.delete(&caller, &id).unwrap());
    assert_eq!(house.get(&caller, &id).unwrap(), None);
}

#[test]
fn neither_the_words_nor_after_deletion_the_sealed_bytes_are_in_any_file() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let caller = house.session("Developer");
    let id = house.new_id();
    house.put(&caller, &id, b"marker-7c1f-marker").unwrap();
    let everything = |directory: &Path| {
        let files = [
            "root.key",
            "store/moho.sqlite",
            "store/moho.sqlite-wal",
            "store/moho.sqlite-shm",
        ];
        files
            .iter()
            .flat_map(|file| std::fs::read(directory.join(file)).unwrap_or_default())
            .collect::<Vec<u8>>()
    };
    let holds = |part: &[u8]| {
        everything(directory.path())
            .windows(part.len())
            .any(|window| window == part)
    };
    let sealed: Vec<u8> = behind(directory.path())
        .query_row("SELECT sealed FROM sealed_response", [], |row| row.get(0))
        .unwrap();
    assert!(!holds(b"marker-7c1f-marker"));
    assert!(holds(&sealed[30..90]));
    assert!(house.delete(&caller, &id).unwrap());
    drop(house);
    assert!(!holds(&sealed[30..90]));
    assert!(!holds(id.as_str().as_bytes()));
}

#[test]
fn the_same_id_twice_is_a_conflict_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let caller = house.session("Developer");
    let id = house.new_id();
    house.put(&caller, &id, b"first").unwrap();
    assert!(matches!(
        house.put(&caller, &id, b"second"),
        Err(StoreError::Conflict(_))
    ));
    assert_eq!(house.get(&caller, &id).unwrap().unwrap(), b"first");
}

#[test]
fn another_accounts_response_looks_like_an_absent_one() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let caller = house.session("Developer");
    let id = house.new_id();
    house.put(&caller, &id, b"theirs").unwrap();
    // The row now belongs to somebody else.
    let sqlite = behind(directory.path());
    sqlite
        .execute(
            "INSERT INTO account VALUES ('999999999999', 'moho-local-1', 999999999999999999)",
            [],
        )
        .unwrap();
    sqlite
        .execute("UPDATE sealed_response SET account_id = '999999999999'", [])
        .unwrap();
    assert_eq!(house.get(&caller, &id).unwrap(), None);
    assert!(!house.delete(&caller, &id).unwrap());
    let left: u32 = sqlite
        .query_row("SELECT count(*) FROM sealed_response", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 1);
}

#[test]
fn a_permit_for_one_response_is_none_for_another() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let caller = house.session("Admin");
    let (one, two) = (house.new_id(), house.new_id());
    house.put(&caller, &one, b"one").unwrap();
    let read: Permit<mantle::GetInference> = house.permit(&caller, &house.response(&caller, &one));
    let key: Permit<kms::Decrypt> = house.key(&caller, &two);
    let mixed = house.store.get_response(&read, &key, &house.kms);
    assert!(matches!(mixed, Err(StoreError::Kms(KmsError::OtherContext))));
    let key: Permit<kms::GenerateDataKey> = house.key(&caller, &one);
    let body = ContentBytes::new(b"two".to_vec());
    let put = house
        .store
        .put_response(&key, &house.kms, &two, &body, house.world.now());
    assert!(matches!(put, Err(StoreError::Kms(KmsError::OtherContext))));
    let own = house.response(&caller, &one);
    let strange = [
        own.as_str().replace(":response/", ":project/"),
        own.as_str().replace(caller.session().account().as_str(), ""),
        own.as_str().replace("bedrock-mantle", "bedrock"),
    ];
    for resource in strange {
        let resource: Arn = resource.parse().unwrap();
        let read: Permit<mantle::GetInference> = house.permit(&caller, &resource);
        let key: Permit<kms::Decrypt> = house.key(&caller, &one);
        let got = house.store.get_response(&read, &key, &house.kms);
        assert!(matches!(got, Err(StoreError::NotAResponse)), "{resource}");
        let delete: Permit<mantle::DeleteInference> = house.permit(&caller, &resource);
        assert!(
            matches!(
                house.store.delete_response(&delete),
                Err(StoreError::NotAResponse)
            ),
            "{resource}"
        );
    }
    assert_eq!(house.get(&caller, &one).unwrap().unwrap(), b"one");
}

#[test]
fn a_sealed_response_that_is_altered_or_moved_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let caller = house.session("Developer");
    let (one, two) = (house.new_id(), house.new_id());
    house.put(&caller, &one, b"one").unwrap();
    house.put(&caller, &two, b"two").unwrap();
    let sqlite = behind(directory.path());
    let set =
        "UPDATE sealed_response SET sealed = (SELECT sealed FROM sealed_response WHERE response_id = ?1)
        WHERE response_id = ?2";
    sqlite.execute(set, [two.as_str(), one.as_str()]).unwrap();
    assert!(matches!(
        house.get(&caller, &one),
        Err(StoreError::Kms(KmsError::Sealed(_)))
    ));
    assert_eq!(house.get(&caller, &two).unwrap().unwrap(), b"two");
    sqlite
        .execute("UPDATE sealed_response SET sealed = substr(sealed, 1, 140)", [])
        .unwrap();
    assert!(matches!(
        house.get(&caller, &two),
        Err(StoreError::Kms(KmsError::Sealed(_)))
    ));
}

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
    let store = Arc::new(Store::open(directory.path()).unwrap());
    let root = RootKey::development(&directory.path().join("root.key"), &*world).unwrap();
    let kms = Kms::new(root, store.clone(), world.clone());
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
    // The right key id in the wrong place is no key.
    let other = &key.replace("moho-local-1", "elsewhere-1");
    assert!(house.ask::<kms::Decrypt>(&admin, other).is_err());
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
    let id: KeyId = key.resource().strip_prefix("key/").unwrap().parse().unwrap();
    let mut record = house.store.get(&id).unwrap().unwrap();
    assert_eq!(record.arn().unwrap(), key);
    record.policy = record.policy.replace("\"Allow\"", "\"Deny\"");
    house.store.put(&record).unwrap();
    assert!(house.ask::<kms::DescribeKey>(&admin, key.as_str()).is_err());
}

#[test]
fn a_role_that_is_removed_may_nothing_and_a_policy_that_is_garbled_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let developer = house.session("Developer");
    let sqlite = behind(directory.path());
    let key = house.first.account_key.as_str();
    sqlite
        .execute("UPDATE iam_role_policy SET document = '{}'", [])
        .unwrap();
    house.store.policies.forget();
    assert!(matches!(
        house.ask::<kms::Decrypt>(&developer, key),
        Err(Refusal::PolicyUnavailable(_))
    ));
    sqlite.execute("DELETE FROM iam_role_policy", []).unwrap();
    sqlite.execute("DELETE FROM iam_role", []).unwrap();
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
    drop(house);

    // Not even removing the provider opens it again, and the flag cannot be removed.
    let sqlite = behind(directory.path());
    sqlite.execute("DELETE FROM identity_provider", []).unwrap();
    assert!(sqlite.execute("DELETE FROM flag", []).is_err());
    assert!(sqlite.execute("UPDATE flag SET name = 'other'", []).is_err());
    let store = Store::open(&directory.path().join("store")).unwrap();
    let state = store.identity_provider().unwrap();
    assert_eq!(state, IdentityProvider::Set);
    assert!(Door::open(Attestation::Development, state).is_err());
}
