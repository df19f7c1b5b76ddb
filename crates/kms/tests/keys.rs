//! Keys as their users meet them: with permits won on the whole road, over records somebody else can alter.
#![expect(clippy::unwrap_used, reason = "a test ends when something unexpected happens")]

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

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
    EncryptionContext, KeyRecord, KeyRecords, KeyState, Kms, KmsError, RecordsUnavailable, RootKey,
    RootKeyError, SealedError, default_key_policy,
};
use moho_os::{PrivateFileError, Residence};
use moho_terms::{
    AccountId, Arn, Clock, ContentBytes, Entropy, EntropyUnavailable, KeyId, Region, RequestId, Secret,
    Timestamp,
};

const ACCOUNT: &str = "123456789012";

/// Time, randomness, policies, journal and records of one test.
#[derive(Default)]
struct World {
    random: AtomicU64,
    records: Mutex<HashMap<KeyId, KeyRecord>>,
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(1_795_312_800)
    }
}

impl Entropy for World {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        for byte in bytes {
            let next = self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
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

impl KeyRecords for World {
    fn put(&self, record: &KeyRecord) -> Result<(), RecordsUnavailable> {
        self.records
            .lock()
            .unwrap()
            .insert(record.key_id.clone(), record.clone());
        Ok(())
    }

    fn get(&self, key_id: &KeyId) -> Result<Option<KeyRecord>, RecordsUnavailable> {
        Ok(self.records.lock().unwrap().get(key_id).cloned())
    }
}

/// Keys over a root key file, and an administrator.
struct House {
    world: Arc<World>,
    kms: Kms,
    authorizer: Authorizer,
    caller: Authenticated,
    directory: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let world = Arc::new(World::default());
        let directory = tempfile::tempdir().unwrap();
        let authorizer = Authorizer::new(world.clone(), world.clone(), world.clone());
        let caller = administrator(&world, &authorizer);
        let kms = kms(&world, &directory.path().join("root.key"));
        Self {
            world,
            kms,
            authorizer,
            caller,
            directory,
        }
    }

    fn permit<A: Action>(&self, resource: &Arn) -> Permit<A> {
        self.authorizer
            .authorize(&self.caller, &facts(&self.world), resource, &Context::new())
            .unwrap()
    }

    /// A new key of the account, kept.
    fn key(&self) -> Arn {
        let any = "arn:aws:kms:moho-local-1:123456789012:*".parse().unwrap();
        let permit: Permit<kms::CreateKey> = self.permit(&any);
        self.kms
            .create_key(&permit, &region(), self.world.now())
            .unwrap()
            .arn()
            .unwrap()
    }

    fn seal(&self, key: &Arn) -> Result<Vec<u8>, KmsError> {
        let plain = ContentBytes::new(b"words".to_vec());
        Ok(self
            .kms
            .seal(&self.permit(key), &EncryptionContext::new(), &plain)?
            .into_bytes())
    }

    fn open(&self, key: &Arn, sealed: &[u8]) -> Result<Vec<u8>, KmsError> {
        self.kms
            .open(&self.permit(key), &EncryptionContext::new(), sealed)
            .map(|plain| plain.expose().to_vec())
    }

    /// Alters the stored record of a key.
    fn alter(&self, key: &Arn, change: impl FnOnce(&mut KeyRecord)) {
        let key_id: KeyId = key.resource().strip_prefix("key/").unwrap().parse().unwrap();
        change(self.world.records.lock().unwrap().get_mut(&key_id).unwrap());
    }
}

fn region() -> Region {
    "moho-local-1".parse().unwrap()
}

fn kms(world: &Arc<World>, root: &Path) -> Kms {
    Kms::new(
        RootKey::development(root, &**world).unwrap(),
        world.clone(),
        world.clone(),
    )
}

fn facts(world: &World) -> RequestFacts {
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

#[test]
fn what_is_sealed_under_a_key_opens_under_it_only() {
    let house = House::new();
    let (one, two) = (house.key(), house.key());
    let sealed = house.seal(&one).unwrap();
    assert_eq!(house.open(&one, &sealed).unwrap(), b"words");
    let error = house.open(&two, &sealed).unwrap_err();
    assert!(
        matches!(error, KmsError::Sealed(SealedError::OtherKey(_))),
        "{error}"
    );
}

#[test]
fn a_restart_changes_nothing() {
    let mut house = House::new();
    let key = house.key();
    let sealed = house.seal(&key).unwrap();
    house.kms = kms(&house.world, &house.directory.path().join("root.key"));
    assert_eq!(house.open(&key, &sealed).unwrap(), b"words");
}

#[test]
fn a_permit_for_what_is_no_key_here_is_refused() {
    let house = House::new();
    let key = house.key();
    let named = |text: String| text.parse::<Arn>().unwrap();
    let id = key.resource();
    for resource in [
        named("arn:aws:kms:moho-local-1:123456789012:key/00000000-0000-4000-8000-000000000000".to_owned()),
        named(format!("arn:aws:kms:elsewhere-1:123456789012:{id}")),
        named(format!("arn:aws:kms:moho-local-1:123456789012:{id}x")),
        named("arn:aws:kms:moho-local-1:123456789012:alias/mine".to_owned()),
        named(format!("arn:aws:s3:moho-local-1:123456789012:{id}")),
    ] {
        let permit =
            house
                .authorizer
                .authorize(&house.caller, &facts(&house.world), &resource, &Context::new());
        let Ok(permit) = permit else {
            panic!("an administrator may")
        };
        let result = house
            .kms
            .seal(&permit, &EncryptionContext::new(), &ContentBytes::new(vec![1]));
        assert!(matches!(result, Err(KmsError::NotFound)), "{resource}");
    }
}

#[test]
fn a_key_that_is_removed_shreds_what_it_sealed_at_once() {
    let house = House::new();
    let key = house.key();
    let sealed = house.seal(&key).unwrap();
    house.world.records.lock().unwrap().clear();
    assert!(matches!(house.open(&key, &sealed), Err(KmsError::NotFound)));
}

#[test]
fn a_disabled_key_is_refused_and_enabling_it_behind_its_back_does_not_help() {
    let house = House::new();
    let key = house.key();
    let sealed = house.seal(&key).unwrap();
    house.alter(&key, |record| record.state = KeyState::Disabled);
    assert!(matches!(house.open(&key, &sealed), Err(KmsError::Disabled(_))));
    assert!(matches!(house.seal(&key), Err(KmsError::Disabled(_))));
    house.alter(&key, |record| record.state = KeyState::Enabled);
    assert_eq!(house.open(&key, &sealed).unwrap(), b"words");
}

type Change = fn(&mut KeyRecord);

#[test]
fn a_record_that_was_altered_does_not_open() {
    let changes: [(&str, Change); 4] = [
        ("policy", |record| record.policy.push(' ')),
        ("time", |record| {
            record.created_at = record.created_at.plus_seconds(1)
        }),
        ("short", |record| record.wrapped.truncate(76)),
        ("long", |record| record.wrapped.push(0)),
    ];
    for (what, change) in changes {
        let house = House::new();
        let key = house.key();
        let sealed = house.seal(&key).unwrap();
        house.alter(&key, change);
        // The unwrapped material is remembered, but only for the record as it was.
        assert!(
            matches!(house.open(&key, &sealed), Err(KmsError::DamagedRecord(_))),
            "{what}"
        );
    }
}

#[test]
fn every_flipped_byte_of_wrapped_material_is_refused() {
    let house = House::new();
    let key = house.key();
    for at in 0..77 {
        house.alter(&key, |record| record.wrapped[at] ^= 1);
        let error = house.seal(&key).unwrap_err();
        match at {
            1..17 => assert!(matches!(error, KmsError::OtherRoot(_)), "{at}: {error}"),
            _ => assert!(matches!(error, KmsError::DamagedRecord(_)), "{at}: {error}"),
        }
        house.alter(&key, |record| record.wrapped[at] ^= 1);
    }
    assert!(house.seal(&key).is_ok());
}

#[test]
fn material_cannot_be_moved_to_another_accounts_key() {
    let house = House::new();
    let (one, two) = (house.key(), house.key());
    let mut stolen = Vec::new();
    house.alter(&one, |record| stolen.clone_from(&record.wrapped));
    house.alter(&two, |record| record.wrapped = stolen);
    assert!(matches!(house.seal(&two), Err(KmsError::DamagedRecord(_))));
}

#[test]
fn another_root_key_says_that_it_is_another() {
    let mut house = House::new();
    let key = house.key();
    house.kms = kms(&house.world, &house.directory.path().join("other.key"));
    let error = house.seal(&key).unwrap_err();
    assert!(matches!(error, KmsError::OtherRoot(_)));
    assert!(error.to_string().contains("restore the root key file"), "{error}");
}

#[test]
fn more_keys_than_are_remembered_all_work() {
    let house = House::new();
    let keys: Vec<Arn> = (0..1030).map(|_| house.key()).collect();
    let sealed: Vec<_> = keys.iter().map(|key| house.seal(key).unwrap()).collect();
    for (key, sealed) in keys.iter().zip(&sealed).step_by(50) {
        assert_eq!(house.open(key, sealed).unwrap(), b"words");
    }
}

#[test]
fn the_bootstrap_key_is_the_accounts_and_is_not_yet_kept() {
    let house = House::new();
    let account: AccountId = "210987654321".parse().unwrap();
    let door = Door::open(Attestation::Development, IdentityProvider::None).unwrap();
    let record = house
        .kms
        .bootstrap_key(&door, account, &region(), house.world.now())
        .unwrap();
    assert_eq!(record.account, account);
    assert!(record.policy.contains("arn:aws:iam::210987654321:root"));
    assert!(house.world.records.lock().unwrap().is_empty());
}

#[test]
fn a_development_root_is_private_says_what_it_is_and_stays_the_same() {
    let (world, directory) = (World::default(), tempfile::tempdir().unwrap());
    let path = directory.path().join("root.key");
    let root = RootKey::development(&path, &world).unwrap();
    assert_eq!(root.attestation().to_string(), "attestation: development");
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o600
    );
    assert!(matches!(
        root.residence(),
        Residence::Locked | Residence::Swappable
    ));
    let again = RootKey::development(&path, &world).unwrap();
    let secrets = |root: &RootKey| root.derive("sessions").unwrap().expose().to_vec();
    assert_eq!(secrets(&root), secrets(&again));
    assert_ne!(secrets(&root), root.derive("other").unwrap().expose());
    assert_eq!(secrets(&root).len(), 32);
    let other = RootKey::development(&directory.path().join("other.key"), &world).unwrap();
    assert_ne!(secrets(&root), secrets(&other));
}

#[test]
fn a_root_key_file_that_others_can_reach_or_that_is_a_link_is_refused() {
    let (world, directory) = (World::default(), tempfile::tempdir().unwrap());
    let path = directory.path().join("root.key");
    drop(RootKey::development(&path, &world).unwrap());
    let link = directory.path().join("link.key");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let refused = |path: &Path| match RootKey::development(path, &world) {
        Err(RootKeyError::File(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    };
    assert!(matches!(refused(&link), PrivateFileError::NotRegular(_)));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(
        refused(&path),
        PrivateFileError::Open { mode: 0o644, .. }
    ));
}

#[test]
fn a_damaged_root_key_file_is_refused_and_not_replaced() {
    let (world, directory) = (World::default(), tempfile::tempdir().unwrap());
    let path = directory.path().join("root.key");
    drop(RootKey::development(&path, &world).unwrap());
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut altered = whole.clone();
        altered[at] ^= 4;
        std::fs::write(&path, &altered).unwrap();
        match RootKey::development(&path, &world) {
            Err(RootKeyError::NotRootKey) => assert!(at < 16, "{at}"),
            Err(RootKeyError::Damaged) => assert!(at >= 16, "{at}"),
            Err(other) => panic!("{at}: {other}"),
            Ok(_) => panic!("{at}: accepted"),
        }
        assert_eq!(std::fs::read(&path).unwrap(), altered, "left as it was");
    }
    for length in [0, 16, 55, 57] {
        let mut altered = whole.clone();
        altered.resize(length, 0);
        std::fs::write(&path, &altered).unwrap();
        let refused = RootKey::development(&path, &world);
        assert!(
            matches!(
                refused,
                Err(RootKeyError::File(PrivateFileError::WrongSize { .. }))
            ),
            "{length}"
        );
    }
}
