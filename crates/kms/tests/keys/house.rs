//! A small house for keys: time that stands where it is put, keys in memory that somebody else can alter, and an
//! administrator with permits won on the whole road.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest;
use moho_iam::action::{Action, kms};
use moho_iam::authn::{Authenticated, Authenticator, HttpHead, SessionGrant, SigningName};
use moho_iam::authz::{
    Attached, Authorizer, Context, Entry, Journal, JournalUnavailable, Permit, Policies, PolicySource,
    PolicyUnavailable, Position, PrincipalFacts, PrincipalPolicies, RequestFacts,
};
use moho_iam::bootstrap::{Attestation, Door, IdentityProvider};
use moho_iam::policy::{PolicyDocument, PolicyKind, builtin};
use moho_iam::{RoleFacts, Session};
use moho_kms::{
    EncryptionContext, KeptKey, KeyRecord, KeyRecords, Kms, KmsError, NewKey, RecordsUnavailable, RootKey,
    Under, default_key_policy,
    spec::{EncryptionAlgorithm, KeySpec, KeyUsage, Origin},
};
use moho_terms::{
    AccountId, Arn, Clock, Entropy, EntropyUnavailable, KeyId, Region, RequestId, Secret, Timestamp,
};

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const DAY: u64 = 86_400;
const START: u64 = 1_795_312_800;

/// Time, randomness, policies, journal and keys of one test.
#[derive(Default)]
pub(crate) struct World {
    random: AtomicU64,
    /// Seconds since the start.
    pub(crate) passed: AtomicU64,
    pub(crate) kept: Mutex<BTreeMap<KeyId, Arc<KeptKey>>>,
    /// How often it was asked to shred what it kept before.
    pub(crate) shredded: AtomicU64,
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(START + self.passed.load(Ordering::Relaxed))
    }
}

impl Entropy for World {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        for chunk in bytes.chunks_mut(32) {
            let call = self.random.fetch_add(1, Ordering::Relaxed);
            let sum = digest::digest(&digest::SHA256, &call.to_be_bytes());
            for (byte, random) in chunk.iter_mut().zip(sum.as_ref()) {
                *byte = *random;
            }
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

impl PolicySource for World {
    fn policies(&self, _: &Session, _: &str, resource: &Arn) -> Result<Policies, PolicyUnavailable> {
        let parse = |kind, text: &str| {
            PolicyDocument::parse(kind, text)
                .map(Arc::new)
                .map_err(PolicyUnavailable::new)
        };
        let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",
            "Principal":{"AWS":"arn:aws:iam::123456789012:root"}}}"#;
        let of_resource = match resource.service() {
            "iam" => parse(PolicyKind::Trust, trust)?,
            _ => parse(PolicyKind::Key, &default_key_policy(ACCOUNT.parse().unwrap()))?,
        };
        let identity = parse(PolicyKind::Identity, builtin::ADMINISTRATOR)?;
        let principal = PrincipalPolicies {
            identity: vec![Attached::new("administrator", identity)],
            facts: PrincipalFacts {
                exists: true,
                ..PrincipalFacts::default()
            },
            ..PrincipalPolicies::default()
        };
        Ok(Policies {
            principal: Arc::new(principal),
            resource: Some(Attached::new("resource", of_resource)),
            ..Policies::default()
        })
    }
}

impl World {
    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: u64) {
        self.passed.fetch_add(seconds, Ordering::Relaxed);
    }

    fn some(
        &self,
        fits: impl Fn(&KeptKey) -> bool,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Vec<Arc<KeptKey>> {
        let kept = self.kept.lock().unwrap();
        let later = kept
            .values()
            .filter(|key| after.is_none_or(|after| key.key_id > *after));
        later.filter(|key| fits(key)).take(limit).cloned().collect()
    }
}

impl KeyRecords for World {
    fn get(&self, id: &KeyId) -> Result<Option<Arc<KeptKey>>, RecordsUnavailable> {
        Ok(self.kept.lock().unwrap().get(id).cloned())
    }

    fn list(
        &self,
        account: AccountId,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Arc<KeptKey>>, RecordsUnavailable> {
        Ok(self.some(|key| key.account == account, after, limit))
    }

    fn all(&self, after: Option<&KeyId>, limit: usize) -> Result<Vec<Arc<KeptKey>>, RecordsUnavailable> {
        Ok(self.some(|_| true, after, limit))
    }

    fn add(&self, key: &KeptKey, most: usize) -> Result<bool, RecordsUnavailable> {
        let mut kept = self.kept.lock().unwrap();
        if kept.contains_key(&key.key_id) {
            return Err(RecordsUnavailable::new("there is such a key"));
        }
        if kept.values().filter(|other| other.account == key.account).count() >= most {
            return Ok(false);
        }
        kept.insert(key.key_id.clone(), Arc::new(key.clone()));
        Ok(true)
    }

    fn replace(&self, key: &KeptKey, was: u64) -> Result<bool, RecordsUnavailable> {
        let mut kept = self.kept.lock().unwrap();
        match kept.get_mut(&key.key_id) {
            Some(place) if place.revision == was => {
                *place = Arc::new(key.clone());
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn remove(&self, id: &KeyId, was: u64) -> Result<bool, RecordsUnavailable> {
        let mut kept = self.kept.lock().unwrap();
        if kept.get(id).is_some_and(|key| key.revision == was) {
            kept.remove(id);
            return Ok(true);
        }
        Ok(false)
    }

    fn shred(&self) {
        self.shredded.fetch_add(1, Ordering::Relaxed);
    }

    fn due(
        &self,
        by: Timestamp,
        after: Option<&(Timestamp, KeyId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, KeyId)>, RecordsUnavailable> {
        let kept = self.kept.lock().unwrap();
        let all = kept
            .values()
            .filter_map(|key| Some((key.due_at?, key.key_id.clone())));
        let mut due: Vec<_> = all
            .filter(|due| due.0 <= by && after.is_none_or(|after| due > after))
            .collect();
        due.sort();
        due.truncate(limit);
        Ok(due)
    }
}

/// Keys over a root key file, and an administrator.
pub(crate) struct House {
    pub(crate) world: Arc<World>,
    pub(crate) kms: Kms,
    pub(crate) authorizer: Authorizer,
    pub(crate) caller: Authenticated,
    pub(crate) directory: tempfile::TempDir,
}

impl House {
    pub(crate) fn new() -> Self {
        let world = Arc::new(World::default());
        let directory = tempfile::tempdir().unwrap();
        let authorizer = Authorizer::new(world.clone(), world.clone(), world.clone());
        let caller = administrator(&world, &authorizer);
        let kms = kms_at(&world, &directory.path().join("root.key"));
        Self {
            world,
            kms,
            authorizer,
            caller,
            directory,
        }
    }

    pub(crate) fn permit<A: Action>(&self, resource: &Arn) -> Permit<A> {
        self.permit_under(resource, &EncryptionContext::new())
    }

    pub(crate) fn permit_under<A: Action>(&self, resource: &Arn, context: &EncryptionContext) -> Permit<A> {
        let context = context.condition_keys();
        self.authorizer
            .authorize(&self.caller, &facts(&self.world), resource, &context)
            .unwrap()
    }

    /// Makes a key.
    pub(crate) fn make(&self, new: NewKey) -> Result<Arn, KmsError> {
        let any = "arn:aws:kms:moho-local-1:123456789012:*".parse().unwrap();
        let permit: Permit<kms::CreateKey> = self.permit(&any);
        let record = self.kms.create_key(&permit, &region(), new)?;
        Ok(record.arn().unwrap())
    }

    /// A new symmetric key.
    pub(crate) fn key(&self) -> Arn {
        self.make(NewKey::default()).unwrap()
    }

    /// A new key of another kind.
    pub(crate) fn key_of(&self, spec: KeySpec, usage: KeyUsage) -> Arn {
        let new = NewKey {
            spec,
            usage,
            ..NewKey::default()
        };
        self.make(new).unwrap()
    }

    /// A new symmetric key without material.
    pub(crate) fn empty_key(&self) -> Arn {
        self.empty_key_of(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt)
    }

    /// A new key of another kind without material.
    pub(crate) fn empty_key_of(&self, spec: KeySpec, usage: KeyUsage) -> Arn {
        let new = NewKey {
            spec,
            usage,
            origin: Origin::External,
            ..NewKey::default()
        };
        self.make(new).unwrap()
    }

    pub(crate) fn describe(&self, key: &Arn) -> Result<Arc<KeyRecord>, KmsError> {
        self.kms.describe(&self.permit(key))
    }

    pub(crate) fn encrypt(&self, key: &Arn, context: &EncryptionContext) -> Result<Vec<u8>, KmsError> {
        let permit = self.permit_under(key, context);
        let under = Under {
            permit: &permit,
            context,
            algorithm: EncryptionAlgorithm::SymmetricDefault,
        };
        Ok(self.kms.encrypt(&under, b"words")?.blob)
    }

    pub(crate) fn decrypt(
        &self,
        key: &Arn,
        context: &EncryptionContext,
        blob: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        let permit = self.permit_under(key, context);
        let under = Under {
            permit: &permit,
            context,
            algorithm: EncryptionAlgorithm::SymmetricDefault,
        };
        Ok(self.kms.decrypt(&under, blob)?.plain.expose().to_vec())
    }

    /// Encrypts and decrypts under no encryption context.
    pub(crate) fn works(&self, key: &Arn) -> Result<(), KmsError> {
        let nothing = EncryptionContext::new();
        let blob = self.encrypt(key, &nothing)?;
        assert_eq!(self.decrypt(key, &nothing, &blob)?, b"words");
        Ok(())
    }

    /// Alters what is kept of a key.
    pub(crate) fn alter(&self, key: &Arn, change: impl FnOnce(&mut KeptKey)) {
        let mut kept = self.world.kept.lock().unwrap();
        let place = kept.get_mut(&id_of(key)).unwrap();
        let mut altered = KeptKey::clone(place);
        change(&mut altered);
        *place = Arc::new(altered);
    }

    pub(crate) fn kept(&self, key: &Arn) -> Option<Arc<KeptKey>> {
        self.world.get(&id_of(key)).unwrap()
    }
}

pub(crate) fn id_of(key: &Arn) -> KeyId {
    key.resource().strip_prefix("key/").unwrap().parse().unwrap()
}

pub(crate) fn region() -> Region {
    "moho-local-1".parse().unwrap()
}

pub(crate) fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
    EncryptionContext::from_pairs(pairs.iter().copied()).unwrap()
}

pub(crate) fn kms_at(world: &Arc<World>, root: &Path) -> Kms {
    let root = RootKey::development(root, &**world).unwrap();
    Kms::new(root, world.clone(), world.clone(), world.clone())
}

pub(crate) fn facts(world: &World) -> RequestFacts {
    RequestFacts::new(RequestId::random(world).unwrap())
}

fn role_facts(role: &Arn) -> RoleFacts {
    RoleFacts {
        arn: role.clone(),
        path: "/".to_owned(),
        name: "Admin".parse().unwrap(),
        id: "AROAEXAMPLEEXAMPLE222".to_owned(),
        max_session_seconds: 3600,
        tags: BTreeMap::new(),
    }
}

fn administrator(world: &World, authorizer: &Authorizer) -> Authenticated {
    let authenticator = Authenticator::new(&Secret::new(vec![1; 32]), region()).unwrap();
    let door = Door::open(Attestation::Development, IdentityProvider::None).unwrap();
    let guest = door.admit(7, 7, ACCOUNT.parse().unwrap(), world.now()).unwrap();
    let role: Arn = "arn:aws:iam::123456789012:role/Admin".parse().unwrap();
    let permit = authorizer
        .authorize(&guest, &facts(world), &role, &Context::new())
        .unwrap();
    let grant = SessionGrant::named("me".parse().unwrap());
    let credentials = authenticator
        .issue(&permit, &role_facts(&role), grant, (world.now(), world))
        .unwrap();
    let key = credentials.bearer_key(&region(), world.now(), 3600).unwrap();
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
        .authenticate(&head, &[SigningName::BedrockMantle], world.now())
        .unwrap()
}
