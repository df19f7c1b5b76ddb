//! What a service of moho's own may put, and what it takes that it may.
#![expect(clippy::unwrap_used, reason = "a test, whose helpers may fail as it may")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moho_iam::action::{Action, kms, logs};
use moho_iam::authn::{Authenticated, Authenticator, HttpHead, SessionGrant, SigningName};
use moho_iam::authz::{
    Authorizer, Context, Entry, Event, Journal, JournalUnavailable, Permit, Position, RequestFacts,
};
use moho_iam::bootstrap::{Attestation, Door, IdentityProvider};
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_iam::{OwnService, OwnServices};
use moho_kms::{KeyPolicy, Kms, RootKey};
use moho_store::logs::{NewGroup, NewLogEvent, stream_arn};
use moho_store::{BootstrapPlan, Bootstrapped, Store};
use moho_terms::{Arn, Clock, Entropy, EntropyUnavailable, Region, RequestId, Secret, Timestamp};
use moho_watch::delivery::{Delivery, DeliveryError};

const REGION: &str = "moho-local-1";
const GROUP: &str = "/invocations";
const STREAM: &str = "aws/bedrock/modelinvocations";

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
        for byte in bytes {
            let next = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            *byte = (next ^ (next >> 31))
                .wrapping_mul(0x94D0_49BB_1331_11EB)
                .to_be_bytes()[0];
        }
        Ok(())
    }
}

impl Journal for World {
    fn record(&self, _entry: &Entry) -> Result<Position, JournalUnavailable> {
        Ok(Position(1))
    }

    fn record_event(&self, _event: &Event) -> Result<Position, JournalUnavailable> {
        Ok(Position(1))
    }
}

struct House {
    world: Arc<World>,
    store: Arc<Store>,
    kms: Kms,
    authorizer: Authorizer,
    first: Bootstrapped,
    admin: Authenticated,
    region: Region,
}

impl House {
    fn open(directory: &Path) -> Self {
        let world = Arc::new(World::default());
        let region: Region = REGION.parse().unwrap();
        let root = RootKey::development(&directory.join("root.key"), &*world).unwrap();
        let store = Arc::new(Store::open(&directory.join("store"), (&root, &*world)).unwrap());
        let kms = Kms::new(root, store.clone(), world.clone(), world.clone());
        let door = Door::open(Attestation::Development, IdentityProvider::None).unwrap();
        let plan = BootstrapPlan::new(region.clone(), vec!["m".parse().unwrap()], &*world).unwrap();
        let first = store.ensure_bootstrap(&door, &kms, &plan, world.now()).unwrap();
        let authorizer = Authorizer::new(store.clone(), world.clone(), world.clone());
        let guest = door.admit(7, 7, first.account, world.now()).unwrap();
        let role = first.role(&"Admin".parse().unwrap()).unwrap();
        let facts = RequestFacts::new(RequestId::random(&*world).unwrap());
        let permit = authorizer
            .authorize(&guest, &facts, &role, &Context::new())
            .unwrap();
        let authenticator = Authenticator::new(&Secret::new(vec![1; 32]), region.clone()).unwrap();
        let of_role = store.role_facts(&role).unwrap().unwrap();
        let grant = SessionGrant::named("me".parse().unwrap());
        let issued = authenticator
            .issue(&permit, &of_role, grant, (world.now(), &*world))
            .unwrap();
        let key = issued.bearer_key(&region, world.now(), 3600).unwrap();
        let authorization = format!("Bearer {}", String::from_utf8_lossy(key.expose()));
        let head = HttpHead {
            method: "POST",
            raw_path: "/",
            raw_query: "",
            authority: "localhost",
            headers: &[("authorization", &authorization)],
            body_sha256: &[0; 32],
        };
        let admin = authenticator.authenticate(&head, &[SigningName::BedrockMantle], world.now());
        Self {
            admin: admin.unwrap(),
            world,
            store,
            kms,
            authorizer,
            first,
            region,
        }
    }

    fn facts(&self) -> RequestFacts {
        RequestFacts::new(RequestId::random(&*self.world).unwrap())
    }

    fn permit<A: Action>(&self, resource: &Arn) -> Permit<A> {
        let none = Context::new();
        self.authorizer
            .authorize(&self.admin, &self.facts(), resource, &none)
            .unwrap()
    }

    fn group(&self) {
        let account = self.first.account;
        let arn = stream_arn(REGION, account.as_str(), (GROUP, "")).unwrap();
        let new = NewGroup {
            class: "STANDARD",
            key: None,
            protected: false,
            tags: &BTreeMap::new(),
        };
        let permit: Permit<logs::CreateLogGroup> = self.permit(&arn);
        self.store
            .create_log_group(&permit, &new, self.world.now())
            .unwrap();
    }

    /// Puts what the account's logs say of who may what with them.
    fn allow(&self, actions: &str) {
        let arn = Arn::of(
            "logs",
            REGION,
            self.first.account.as_str(),
            "log-group::log-stream:",
        )
        .unwrap();
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"bedrock.amazonaws.com"}},
                "Action":{actions},"Resource":"arn:aws:logs:*:*:log-group:{GROUP}:log-stream:{STREAM}"}}]}}"#
        );
        let document = PolicyDocument::parse(PolicyKind::Resource, &text).unwrap();
        let permit: Permit<logs::PutResourcePolicy> = self.permit(&arn);
        self.store
            .put_log_policy(&permit, ("delivery", &document), self.world.now())
            .unwrap();
    }

    /// Lets the service use the account's key, beside whoever may already.
    fn allow_key(&self) {
        let account = self.first.account;
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[
                {{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Action":"kms:*","Resource":"*"}},
                {{"Effect":"Allow","Principal":{{"Service":"bedrock.amazonaws.com"}},"Action":"kms:GenerateDataKey","Resource":"*"}}]}}"#
        );
        let permit: Permit<kms::PutKeyPolicy> = self.permit(&self.first.account_key);
        let principals = BTreeMap::new();
        self.kms
            .put_policy(&permit, &KeyPolicy { text, principals })
            .unwrap();
    }

    fn deliver(&self, time: i64) -> Result<usize, DeliveryError> {
        let services = OwnServices::of_installation(&Secret::new(vec![1; 32])).unwrap();
        let caller = services
            .acting(OwnService::Bedrock, self.first.account, self.world.now())
            .unwrap();
        let delivery = Delivery {
            store: &self.store,
            kms: &self.kms,
            authorizer: &self.authorizer,
            clock: &*self.world,
            entropy: &*self.world,
            region: &self.region,
            told: &|_call| Ok(()),
        };
        let events = [NewLogEvent {
            timestamp: time,
            message: "an invocation",
        }];
        let taken = delivery.put((&caller, &self.facts()), (GROUP, STREAM), &events)?;
        Ok(taken.end - taken.start)
    }
}

#[test]
fn a_service_puts_what_logs_and_key_both_allow_it() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let now = i64::try_from(house.world.now().unix_micros() / 1000).unwrap();
    let refused = |house: &House| matches!(house.deliver(now), Err(DeliveryError::Refused(_)));
    assert!(refused(&house), "nothing allows it anything");
    house.allow(r#""logs:PutLogEvents""#);
    assert!(matches!(house.deliver(now), Err(DeliveryError::NoGroup)));
    house.group();
    assert!(refused(&house), "the key does not let it");
    house.allow_key();
    assert!(refused(&house), "nobody lets it make the stream");
    house.allow(r#"["logs:CreateLogStream","logs:PutLogEvents"]"#);
    assert_eq!(house.deliver(now).unwrap(), 1);
    assert_eq!(house.deliver(now).unwrap(), 1);
    assert_eq!(house.deliver(0).unwrap(), 0, "it is too old");
    let arn = stream_arn(REGION, house.first.account.as_str(), (GROUP, STREAM)).unwrap();
    let permit: Permit<logs::GetLogEvents> = house.permit(&arn);
    assert_eq!(
        house.store.log_stream(&permit).unwrap().unwrap().last_event,
        Some(now)
    );
    house.allow(r#""logs:DescribeLogStreams""#);
    assert!(refused(&house), "it may no longer");
}
