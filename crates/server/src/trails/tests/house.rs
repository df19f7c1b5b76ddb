//! A store with trails of one account, whose journal tells what the test says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use moho_audit::RecordSeal;
use moho_iam::OwnServices;
use moho_iam::action::Action;
use moho_iam::action::cloudtrail::{CreateTrail, StartLogging};
use moho_iam::authn::{Authenticated, Authenticator, HttpHead, SessionGrant, SigningName};
use moho_iam::authz::{
    Authorizer, Context, Entry, Event, EventKind, Journal, JournalUnavailable, Permit, Position, RequestFacts,
};
use moho_iam::bootstrap::{Attestation, Door, IdentityProvider};
use moho_kms::{KeyPolicy, Kms, RootKey};
use moho_s3::{Backing, Notes, Proof, S3Call, S3Gateway, Trailers};
use moho_store::trails::{Trail, TrailSettings, TrailStatus};
use moho_store::{BootstrapPlan, Bootstrapped, Store};
use moho_terms::{Arn, Clock, Entropy, EntropyUnavailable, Region, RequestId, Secret, Timestamp};
use tokio::runtime::Runtime;

use super::{OWN, event, trail};
use crate::api_calls::Recording;
use crate::config::TrailConfig;
use crate::own_puts::OwnPuts;
use crate::startup::watched::WatchedJournal;
use crate::trails::{CallEvents, CallPage, Courier, Delivered, OpenedPages, TrailDelivery, Unreadable};

/// When the tests' time begins.
pub(super) const BEGINNING: u64 = 1_795_312_800;

/// Time that is put, randomness, and a journal that counts what it is told by its name.
pub(super) struct World {
    pub(super) seconds: AtomicU64,
    random: AtomicU64,
    decisions: AtomicU64,
    pub(super) findings: Mutex<Vec<&'static str>>,
    /// Whether the journal takes events.
    pub(super) takes: AtomicBool,
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
    fn record(&self, _entry: &Entry) -> Result<Position, JournalUnavailable> {
        Ok(Position(self.decisions.fetch_add(1, Ordering::Relaxed)))
    }

    fn record_event(&self, event: &Event) -> Result<Position, JournalUnavailable> {
        if !self.takes.load(Ordering::Relaxed) {
            return Err(JournalUnavailable::new(std::io::Error::other("it is full")));
        }
        if event.kind == EventKind::Finding {
            self.findings.lock().unwrap().push(event.event);
        }
        Ok(Position(1))
    }
}

/// The journal, handed over.
struct Handed(Arc<World>);

impl Journal for Handed {
    fn record(&self, entry: &Entry) -> Result<Position, JournalUnavailable> {
        self.0.record(entry)
    }

    fn record_event(&self, event: &Event) -> Result<Position, JournalUnavailable> {
        self.0.record_event(event)
    }
}

/// What a journal tells: events of some source at some positions, two positions a page.
#[derive(Default)]
pub(super) struct Telling {
    pub(super) name: String,
    pub(super) events: Vec<(u64, String)>,
    pub(super) end: u64,
    /// How many pages were opened.
    pub(super) opened: u64,
}

impl CallEvents for Mutex<Telling> {
    fn after(&self, position: u64) -> Result<CallPage, Unreadable> {
        let mut telling = self.lock().unwrap();
        telling.opened += 1;
        let end = telling.end.min(position + 2);
        let there = telling
            .events
            .iter()
            .filter(|(at, _)| (position + 1..=end).contains(at));
        Ok(CallPage {
            events: there.map(|(at, source)| event(*at, OWN, source)).collect(),
            end,
        })
    }

    fn journal(&self) -> String {
        self.lock().unwrap().name.clone()
    }

    fn since(&self, _time: Timestamp) -> Result<u64, Unreadable> {
        Ok(0)
    }

    fn written_after(&self, position: u64) -> Result<Option<Timestamp>, Unreadable> {
        let telling = self.lock().unwrap();
        Ok((telling.end > position).then(|| Timestamp::from_unix_seconds(BEGINNING + position)))
    }

    fn durable_end(&self) -> u64 {
        self.lock().unwrap().end
    }
}

/// Trails, and what delivers for them.
pub(super) struct House {
    pub(super) world: Arc<World>,
    pub(super) telling: Arc<Mutex<Telling>>,
    pub(super) delivery: TrailDelivery,
    gateway: Arc<S3Gateway>,
    authorizer: Arc<Authorizer>,
    admin: Arc<Authenticated>,
    runtime: Runtime,
    _directory: tempfile::TempDir,
}

impl House {
    /// With an empty bucket `logs` that lets CloudTrail in.
    pub(super) fn open() -> Self {
        let world = Arc::new(World {
            seconds: AtomicU64::new(BEGINNING),
            random: AtomicU64::new(u64::from(std::process::id()) << 32),
            decisions: AtomicU64::new(0),
            findings: Mutex::default(),
            takes: AtomicBool::new(true),
        });
        let directory = tempfile::tempdir().unwrap();
        let root = RootKey::development(&directory.path().join("root.key"), &*world).unwrap();
        let trust: (&RootKey, &dyn Entropy) = (&root, &*world);
        let store = Arc::new(Store::open(&directory.path().join("store"), trust).unwrap());
        let kms = Arc::new(Kms::new(root, store.clone(), world.clone(), world.clone()));
        let plan = BootstrapPlan::new(region(), vec![], &*world).unwrap();
        let plan = plan.in_account(OWN.parse().unwrap());
        let first = store.ensure_bootstrap(&door(), &kms, &plan, world.now()).unwrap();
        let authorizer = Arc::new(Authorizer::new(store.clone(), world.clone(), world.clone()));
        let admin = Arc::new(admin(&world, &store, (&authorizer, &first)));
        let facts = RequestFacts::new(RequestId::random(&*world).unwrap());
        let put = authorizer.authorize(&admin, &facts, &first.account_key, &Context::new());
        kms.put_policy(&put.unwrap(), &key_policy()).unwrap();
        let gateway = Arc::new(S3Gateway::new(Backing {
            store: store.clone(),
            kms,
            authorizer: authorizer.clone(),
            clock: world.clone(),
            entropy: world.clone(),
            region: region(),
        }));
        let telling = Arc::new(Mutex::new(Telling::default()));
        let runtime = Runtime::new().unwrap();
        let courier = courier(&world, &store, (&gateway, &authorizer));
        let house = Self {
            delivery: TrailDelivery {
                store,
                events: telling.clone(),
                courier: Arc::new(courier),
                clock: world.clone(),
                entropy: world.clone(),
                region: region(),
                config: TrailConfig {
                    delivery: 300,
                    digests: 3600,
                },
                runtime: runtime.handle().clone(),
                signing: Mutex::new(None),
                pages: OpenedPages::default(),
                meters: Arc::default(),
            },
            admin,
            gateway,
            authorizer,
            telling,
            runtime,
            _directory: directory,
            world,
        };
        house.make_bucket("logs");
        house
    }

    pub(super) fn make_bucket(&self, name: &str) {
        assert_eq!(self.ask("PUT", &format!("/{name}"), "").0, 200);
        self.let_in(name);
    }

    /// Gives a bucket a policy by which CloudTrail may do everything.
    pub(super) fn let_in(&self, name: &str) {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"cloudtrail.amazonaws.com"}},
            "Action":"s3:*","Resource":["arn:aws:s3:::{name}","arn:aws:s3:::{name}/*"]}}]}}"#
        );
        assert_eq!(self.ask("PUT", &format!("/{name}?policy"), &policy).0, 204);
    }

    /// Deletes all that is in a bucket.
    pub(super) fn empty(&self, name: &str) {
        let (_, listed) = self.ask("GET", &format!("/{name}"), "");
        for key in listed.split("<Key>").skip(1) {
            let key = key.split("</Key>").next().unwrap();
            assert_eq!(self.ask("DELETE", &format!("/{name}/{key}"), "").0, 204);
        }
    }

    /// As the administrator.
    pub(super) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost:8443")
            .header("content-length", body.len());
        let call = S3Call {
            notes: Notes::new(),
            caller: Arc::clone(&self.admin),
            facts: self.facts(),
            proof: Proof::default(),
            request: request.body(s3s::Body::from(body.to_owned())).unwrap(),
            trailers: Trailers::new(),
        };
        self.runtime.block_on(async {
            let (head, mut body) = self.gateway.answer(call).await.into_parts();
            let body = body.store_all_limited(1 << 20).await.unwrap();
            (head.status.as_u16(), String::from_utf8_lossy(&body).into_owned())
        })
    }

    /// How many log files there are in a bucket.
    pub(super) fn log_files(&self, bucket: &str) -> usize {
        let (_, listed) = self.ask("GET", &format!("/{bucket}"), "");
        listed.matches("json.gz</Key>").count() - self.digests(bucket)
    }

    /// And digests.
    pub(super) fn digests(&self, bucket: &str) -> usize {
        let (_, listed) = self.ask(
            "GET",
            &format!("/{bucket}?prefix=AWSLogs/{OWN}/CloudTrail-Digest/"),
            "",
        );
        listed.matches("json.gz</Key>").count()
    }

    /// A trail, which logs from now on.
    pub(super) fn logging(&self, name: &str, settings: &TrailSettings) -> Trail {
        let store = &self.delivery.store;
        let (made, now) = (self.permit::<CreateTrail>(name), self.world.now());
        let made = store.create_trail(&made, (name, settings), &BTreeMap::new(), now);
        // Before all there is in the journal.
        self.world.decisions.store(0, Ordering::Relaxed);
        let start = self.permit::<StartLogging>(name);
        store.start_logging(&start, now).unwrap();
        made.unwrap()
    }

    pub(super) fn permit<A: Action>(&self, name: &str) -> Permit<A> {
        let arn = Arn::of("cloudtrail", "moho-local-1", OWN, &format!("trail/{name}")).unwrap();
        self.authorizer
            .authorize(&self.admin, &self.facts(), &arn, &Context::new())
            .unwrap()
    }

    fn facts(&self) -> RequestFacts {
        RequestFacts::new(RequestId::random(&*self.world).unwrap())
    }

    /// The journal goes on with these events.
    pub(super) fn tell(&self, events: &[u64]) {
        let mut telling = self.telling.lock().unwrap();
        telling
            .events
            .extend(events.iter().map(|at| (*at, "kms.amazonaws.com".to_owned())));
        telling.end = events.iter().copied().max().unwrap_or(telling.end);
    }

    /// Looks at all trails once.
    pub(super) fn step(&self) -> Delivered {
        self.delivery.step(&|| false).unwrap()
    }

    pub(super) fn later(&self, seconds: u64) {
        self.world.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(super) fn status(&self, trail: &Trail) -> TrailStatus {
        self.delivery.store.delivery_status(&trail.id).unwrap()
    }

    pub(super) fn findings(&self) -> Vec<&'static str> {
        self.world.findings.lock().unwrap().clone()
    }
}

/// What trails are set to, without digests.
pub(super) fn settings() -> TrailSettings {
    TrailSettings {
        validation: false,
        ..trail().settings
    }
}

fn region() -> Region {
    "moho-local-1".parse().unwrap()
}

fn door() -> Door {
    Door::open(Attestation::Development, IdentityProvider::None).unwrap()
}

/// Whoever is of the account, and CloudTrail, may use the key.
fn key_policy() -> KeyPolicy {
    let statement = |principal: &str| {
        format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"kms:*","Resource":"*"}}"#)
    };
    KeyPolicy {
        text: format!(
            r#"{{"Version":"2012-10-17","Statement":[{},{}]}}"#,
            statement(&format!(r#"{{"AWS":"arn:aws:iam::{OWN}:root"}}"#)),
            statement(r#"{"Service":"cloudtrail.amazonaws.com"}"#)
        ),
        principals: BTreeMap::new(),
    }
}

fn courier(
    world: &Arc<World>,
    store: &Arc<Store>,
    (gateway, authorizer): (&Arc<S3Gateway>, &Arc<Authorizer>),
) -> Courier {
    let puts = OwnPuts {
        services: OwnServices::of_installation(&Secret::new(vec![1; 32])).unwrap(),
        gateway: Arc::clone(gateway),
        recording: Arc::new(Recording {
            journal: Arc::new(WatchedJournal::new(
                Box::new(Handed(Arc::clone(world))),
                Arc::clone(world) as _,
            )),
            seal: RecordSeal::new(&store.records_secret()),
            entropy: Arc::clone(world) as _,
            region: region(),
        }),
        clock: Arc::clone(world) as _,
        entropy: Arc::clone(world) as _,
    };
    Courier {
        puts,
        store: Arc::clone(store),
        authorizer: Arc::clone(authorizer),
        region: region(),
    }
}

fn admin(world: &World, store: &Store, (authorizer, first): (&Authorizer, &Bootstrapped)) -> Authenticated {
    let now = world.now();
    let guest = door().admit(7, 7, first.account, now).unwrap();
    let role = first.role(&"Admin".parse().unwrap()).unwrap();
    let facts = RequestFacts::new(RequestId::random(world).unwrap());
    let permit = authorizer
        .authorize(&guest, &facts, &role, &Context::new())
        .unwrap();
    let authenticator = Authenticator::new(&Secret::new(vec![1; 32]), region()).unwrap();
    let grant = SessionGrant::named("me".parse().unwrap());
    let facts = store.role_facts(permit.resource()).unwrap().unwrap();
    let credentials = authenticator.issue(&permit, &facts, grant, (now, world)).unwrap();
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
