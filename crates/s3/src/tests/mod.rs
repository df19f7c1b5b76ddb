//! Requests as real clients send them, answered over a real store.

mod access;
mod bodies;
mod buckets;
mod copies;
mod hidden;
mod lifecycle;
mod locks;
mod objects;
mod parts;
mod resealing;
mod table;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use moho_iam::action::Action;
use moho_iam::authn::{Authenticated, Authenticator, HttpHead, SessionGrant, SigningName};
use moho_iam::authz::{
    Authorizer, Context, Entry, Journal, JournalUnavailable, Permit, Position, RequestFacts,
};
use moho_iam::bootstrap::{Attestation, Door, IdentityProvider};
use moho_kms::{Kms, RootKey};
use moho_store::organizations::{CreationOutcome, NewAccount, Tags};
use moho_store::{BootstrapPlan, Bootstrapped, Store};
use moho_terms::{AccountId, Arn, Clock, Entropy, EntropyUnavailable, Region, RequestId, Secret, Timestamp};
use s3s::Body;
use tokio::sync::oneshot;

use crate::{Backing, Proof, S3Call, S3Gateway, Trailers};

/// When the tests' time begins.
const BEGINNING: u64 = 1_795_312_800;

/// Time that is put, randomness, and a journal that counts.
struct World {
    seconds: AtomicU64,
    random: AtomicU64,
    decisions: AtomicU64,
    pause: Mutex<Option<Pause>>,
}

/// Where the next decision about an action is to wait, once it is written down.
struct Pause {
    action: &'static str,
    reached: oneshot::Sender<()>,
    go_on: mpsc::Receiver<()>,
}

impl World {
    /// Lets the next decision about an action wait: says when it is reached, and it goes on when told, or when nobody can
    /// tell it any more.
    fn pause_at(&self, action: &'static str) -> (oneshot::Receiver<()>, mpsc::Sender<()>) {
        let ((reached, when_reached), (tell, go_on)) = (oneshot::channel(), mpsc::channel());
        let pause = Pause {
            action,
            reached,
            go_on,
        };
        *self.pause.lock().unwrap() = Some(pause);
        (when_reached, tell)
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.seconds.load(Ordering::Relaxed))
    }
}

impl Entropy for World {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        // SplitMix64.
        for byte in bytes {
            let mut next = self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            next = (next ^ (next >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            next = (next ^ (next >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *byte = next.to_be_bytes()[0];
        }
        Ok(())
    }
}

impl Journal for World {
    fn record(&self, entry: &Entry) -> Result<Position, JournalUnavailable> {
        let is_meant = |pause: &mut Pause| entry.action == Some(pause.action);
        let pause = self.pause.lock().unwrap().take_if(is_meant);
        if let Some(pause) = pause {
            pause.reached.send(()).unwrap_or_default();
            pause.go_on.recv().unwrap_or_default();
        }
        Ok(Position(self.decisions.fetch_add(1, Ordering::Relaxed)))
    }

    fn record_event(&self, _event: &moho_iam::authz::Event) -> Result<Position, JournalUnavailable> {
        Ok(Position(1))
    }
}

fn region() -> Region {
    "moho-local-1".parse().unwrap()
}

fn door() -> Door {
    Door::open(Attestation::Development, IdentityProvider::None).unwrap()
}

/// An installation with an administrator at work.
struct House {
    world: Arc<World>,
    store: Arc<Store>,
    kms: Arc<Kms>,
    authorizer: Arc<Authorizer>,
    first: Bootstrapped,
    gateway: S3Gateway,
    admin: Arc<Authenticated>,
    directory: tempfile::TempDir,
}

impl House {
    fn open() -> Self {
        static HOUSES: AtomicU64 = AtomicU64::new(0);
        let seed = u64::from(std::process::id()) << 32 | HOUSES.fetch_add(1, Ordering::Relaxed) << 16;
        let world = Arc::new(World {
            seconds: AtomicU64::new(BEGINNING),
            random: AtomicU64::new(seed),
            decisions: AtomicU64::new(0),
            pause: Mutex::default(),
        });
        let directory = tempfile::tempdir().unwrap();
        let root = RootKey::development(&directory.path().join("root.key"), &*world).unwrap();
        let trust: (&RootKey, &dyn Entropy) = (&root, &*world);
        let store = Arc::new(Store::open(&directory.path().join("store"), trust).unwrap());
        let kms = Arc::new(Kms::new(root, store.clone(), world.clone(), world.clone()));
        let plan = BootstrapPlan::new(region(), vec![], &*world).unwrap();
        let first = store.ensure_bootstrap(&door(), &kms, &plan, world.now()).unwrap();
        let authorizer = Arc::new(Authorizer::new(store.clone(), world.clone(), world.clone()));
        let gateway = S3Gateway::new(Backing {
            store: store.clone(),
            kms: kms.clone(),
            authorizer: authorizer.clone(),
            clock: world.clone(),
            entropy: world.clone(),
            region: region(),
        });
        let admin = Arc::new(session(&world, &store, &authorizer, (&first, "Admin")));
        Self {
            world,
            store,
            kms,
            authorizer,
            first,
            gateway,
            admin,
            directory,
        }
    }

    fn session(&self, role: &str) -> Arc<Authenticated> {
        Arc::new(session(
            &self.world,
            &self.store,
            &self.authorizer,
            (&self.first, role),
        ))
    }

    fn facts(&self) -> RequestFacts {
        RequestFacts::new(RequestId::random(&*self.world).unwrap())
    }

    fn permit<A: Action>(&self, caller: &Authenticated, resource: &Arn) -> Permit<A> {
        self.authorizer
            .authorize(caller, &self.facts(), resource, &Context::new())
            .unwrap()
    }

    /// An account beside the first one, and its administrator.
    fn neighbour(&self) -> (AccountId, Arc<Authenticated>) {
        let names = self.first.names();
        let new = NewAccount {
            name: "another".to_owned(),
            email: "another@example.com".to_owned(),
            role: "Access".parse().unwrap(),
            tags: Tags::new(),
            region: region(),
        };
        let creating = self.permit(&self.admin, &names.anything_arn().unwrap());
        let created = self
            .store
            .create_account(&creating, (&self.kms, &*self.world), &new, self.world.now());
        let account = match created.unwrap().outcome {
            CreationOutcome::Created(account) => account,
            CreationOutcome::Failed(failure) => panic!("{failure:?}"),
        };
        let role = format!("arn:aws:iam::{account}:role/Access").parse().unwrap();
        let permit = self.permit(&self.admin, &role);
        (account, Arc::new(assumed(&self.world, &self.store, &permit)))
    }

    async fn ask_as(&self, caller: &Arc<Authenticated>, request: Request<Body>) -> Reply {
        self.ask_with(caller, request, Trailers::new()).await
    }

    async fn ask_with(
        &self,
        caller: &Arc<Authenticated>,
        request: Request<Body>,
        trailers: Trailers,
    ) -> Reply {
        let notes = crate::Notes::new();
        let call = S3Call {
            notes: notes.clone(),
            caller: Arc::clone(caller),
            facts: self.facts(),
            proof: Proof::default(),
            request,
            trailers,
        };
        let response = self.gateway.answer(call).await;
        let (head, mut body) = response.into_parts();
        let read = body.store_all_limited(64 << 20).await;
        Reply {
            status: head.status,
            headers: head.headers,
            body: read.map_err(|error| error.to_string()),
            noted: notes.so_far(),
        }
    }

    async fn ask(&self, request: Request<Body>) -> Reply {
        self.ask_as(&self.admin, request).await
    }

    /// Asks without a body.
    async fn plain(&self, method: &str, path: &str) -> Reply {
        self.ask(request(method, path, &[], b"")).await
    }

    /// The same, of what has to succeed.
    async fn done(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let reply = self.ask(request(method, path, headers, body)).await;
        assert!(
            reply.status.is_success(),
            "{method} {path} {:?} {}",
            reply.status,
            reply.text()
        );
        reply
    }
}

fn session(
    world: &World,
    store: &Store,
    authorizer: &Authorizer,
    (first, role): (&Bootstrapped, &str),
) -> Authenticated {
    let guest = door().admit(7, 7, first.account, world.now()).unwrap();
    let role = first.role(&role.parse().unwrap()).unwrap();
    let facts = RequestFacts::new(RequestId::random(world).unwrap());
    let permit = authorizer
        .authorize(&guest, &facts, &role, &Context::new())
        .unwrap();
    assumed(world, store, &permit)
}

fn assumed(
    world: &World,
    store: &Store,
    permit: &Permit<moho_iam::action::sts::AssumeRole>,
) -> Authenticated {
    let now = world.now();
    let authenticator = Authenticator::new(&Secret::new(vec![1; 32]), region()).unwrap();
    let grant = SessionGrant::named("me".parse().unwrap());
    let facts = store.role_facts(permit.resource()).unwrap().unwrap();
    let credentials = authenticator.issue(permit, &facts, grant, (now, world)).unwrap();
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

/// A request with its body's length.
fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Request<Body> {
    let mut builder = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost:8443");
    if !body.is_empty() || matches!(method, "PUT" | "POST") {
        builder = builder.header("content-length", body.len());
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Body::from(Bytes::copy_from_slice(body))).unwrap()
}

/// What was answered.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Result<Bytes, String>,
    noted: crate::Noted,
}

impl Reply {
    fn bytes(&self) -> &[u8] {
        self.body.as_ref().unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.body.as_deref().unwrap_or(b"broken off")).into_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What an element holds, the first of its name.
    fn element(&self, name: &str) -> String {
        let text = self.text();
        let (start, end) = (format!("<{name}>"), format!("</{name}>"));
        let found = text
            .split_once(&start)
            .and_then(|(_, rest)| rest.split_once(&end));
        found.map_or(String::new(), |(found, _)| found.to_owned())
    }

    /// What all elements of a name hold.
    fn elements(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let (start, end) = (format!("<{name}>"), format!("</{name}>"));
        let found = text
            .split(&start)
            .skip(1)
            .filter_map(|rest| rest.split_once(&end));
        found.map(|(found, _)| found.to_owned()).collect()
    }

    fn code(&self) -> String {
        self.element("Code")
    }
}
