//! Kept, lost, altered: what the store gives back, and what it says when it cannot.

mod authentic;
mod beginning;
mod conversations;
mod damage;
mod endpoints;
mod expiring;
mod grants;
mod group;
mod identities;
mod invocations;
mod keys;
mod logs;
mod model_access;
mod mutations;
mod objects;
mod organizations;
mod processes;
mod prompts;
mod readers;
mod responses;
mod roles;
mod segments;
mod trails;
mod upgrades;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moho_iam::action::{Action, iam, kms, mantle};
use moho_iam::authn::{Authenticated, Authenticator, HttpHead, SessionGrant, SigningName};
use moho_iam::authz::{
    Authorizer, Context, Entry, Journal, JournalUnavailable, Permit, Position, Refusal, RequestFacts,
};
use moho_iam::bootstrap::{Attestation, Door, IdentityProvider};
use moho_kms::{Kms, RootKey};
use moho_terms::{
    Arn, Clock, ContentBytes, Entropy, EntropyUnavailable, ModelId, Region, RequestId, ResponseId, Secret,
    Timestamp,
};
use rusqlite::Connection;

use crate::fresh::Ticks;
use crate::identities::NewOidcProvider;
use crate::{BootstrapPlan, Bootstrapped, Store, StoreError};

/// Time, randomness and a journal that forgets.
#[derive(Default)]
pub(crate) struct World(AtomicU64);

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

    fn record_event(&self, _event: &moho_iam::authz::Event) -> Result<Position, JournalUnavailable> {
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
        Self::open_with(directory, "", Ticks::real())
    }

    fn open_with(directory: &Path, node: &str, ticks: Ticks) -> Self {
        // Every process has randomness of its own, and so has every house of one.
        static HOUSES: AtomicU64 = AtomicU64::new(0);
        let seed = u64::from(std::process::id()) << 32 | HOUSES.fetch_add(1, Ordering::Relaxed) << 16;
        let world = Arc::new(World(AtomicU64::new(seed)));
        let root = RootKey::development(&directory.join("root.key"), &*world).unwrap();
        let trust: (&RootKey, &dyn Entropy) = (&root, &*world);
        let store = Arc::new(Store::open_with(&directory.join("store"), (node, ticks), trust).unwrap());
        let kms = Kms::new(root, store.clone(), world.clone(), world.clone());
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
            .put_response(&permit, &self.kms, id, &body, (self.world.now(), 30))
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

    /// Changes rows in the way that the store itself does, but for what it remembers.
    fn write(&self, statements: &str) {
        let written = self.store.database.write(|tx| tx.execute_batch(statements));
        written.unwrap();
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

/// The store of an installation, and nothing else of it.
pub(crate) fn opened(directory: &Path) -> Result<Store, StoreError> {
    with_trust(directory, |store, trust| Store::open(store, trust))
}

/// Goes on with it, whatever its anchor says.
pub(crate) fn accepted(directory: &Path) -> Result<crate::Rollback, StoreError> {
    with_trust(directory, |store, trust| {
        Store::accept_rollback(store, trust, None)
    })
}

/// What is done with the store of an installation and its root of trust.
fn with_trust<T>(directory: &Path, done: impl FnOnce(&Path, (&RootKey, &dyn Entropy)) -> T) -> T {
    let world = World::default();
    let root = RootKey::development(&directory.join("root.key"), &world).unwrap();
    done(&directory.join("store"), (&root, &world))
}

/// The database, behind the store's back.
fn behind(directory: &Path) -> Connection {
    Connection::open(directory.join("store/moho.sqlite")).unwrap()
}
