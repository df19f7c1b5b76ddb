//! An installation in a folder of its own, as `moho serve` has one, with a session of one of its roles.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use moho_audit::{FileJournal, LogKeys};
use moho_iam::authn::{
    Authenticated, Authenticator, HttpHead, SessionGrant, SigningName, TemporaryCredentials,
};
use moho_iam::authz::{Authorizer, Context, Entry, RequestFacts};
use moho_iam::bootstrap::{Attestation, Door, IdentityProvider};
use moho_kms::{Kms, RootKey};
use moho_s3::{Backing, S3Gateway};
use moho_store::{BootstrapPlan, Bootstrapped, Store};
use moho_terms::{Arn, Clock, Entropy, EntropyUnavailable, Region, RequestId, Secret, Timestamp};

/// The region of every name here.
pub const REGION: &str = "moho-local-1";
/// The model that the account agreed to use.
pub const MODEL: &str = "llama-3";
/// The role that asks models.
const ROLE: &str = "Developer";
/// The role that may do everything.
const ADMINISTRATOR: &str = "Admin";
const NOW: u64 = 1_795_312_800;

/// A clock that stands still, and randomness of the system's.
struct World;

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(NOW)
    }
}

impl Entropy for World {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        aws_lc_rs::rand::fill(bytes).map_err(|_unspecified| EntropyUnavailable)
    }
}

/// Everything between a request's head and its permit.
pub struct House {
    /// Reads signatures and bearer keys.
    pub authenticator: Authenticator,
    /// Decides, and writes the journal.
    pub authorizer: Arc<Authorizer>,
    /// Where it is written.
    pub journal: Arc<FileJournal>,
    /// The keys, and the first account's own among them.
    pub kms: Arc<Kms>,
    world: Arc<World>,
    store: Arc<Store>,
    first: Bootstrapped,
    folder: tempfile::TempDir,
}

impl House {
    /// Builds one.
    ///
    /// # Errors
    /// When the disk or the randomness fails.
    pub fn build() -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        let world = Arc::new(World);
        let root = RootKey::development(&folder.path().join("root.key"), &*world)?;
        let store = Arc::new(Store::open(&folder.path().join("store"), (&root, &*world))?);
        let keys = LogKeys::new(root.derive("transparency log")?, [1; 16]);
        let kms = Arc::new(Kms::new(root, store.clone(), world.clone(), world.clone()));
        let region: Region = REGION.parse()?;
        let plan = BootstrapPlan::new(region.clone(), vec![MODEL.parse()?], &*world)?;
        let first = store.ensure_bootstrap(&Self::door()?, &kms, &plan, world.now())?;
        let (journal, _recovery) = FileJournal::open(&folder.path().join("journal"), &keys)?;
        let journal = Arc::new(journal);
        Ok(Self {
            authenticator: Authenticator::new(&Secret::new(vec![1; 32]), region)?,
            authorizer: Arc::new(Authorizer::new(store.clone(), journal.clone(), world.clone())),
            journal,
            kms,
            world,
            store,
            first,
            folder,
        })
    }

    /// Where it is kept.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// What is kept.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What answers S3 over it.
    ///
    /// # Errors
    /// When the region has no name.
    pub fn s3(&self) -> Result<S3Gateway> {
        Ok(S3Gateway::new(Backing {
            store: self.store.clone(),
            kms: self.kms.clone(),
            authorizer: self.authorizer.clone(),
            clock: self.world.clone(),
            entropy: self.world.clone(),
            region: REGION.parse()?,
        }))
    }

    /// The key of the first account.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn key(&self) -> Result<Arn> {
        let key = self.store.account_key(self.first.account)?;
        key.context("the account has no key")
    }

    fn door() -> Result<Door> {
        Ok(Door::open(Attestation::Development, IdentityProvider::None)?)
    }

    /// When it is, always.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// A request by boto3, from an address of a network.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn request(&self) -> Result<RequestFacts> {
        Ok(RequestFacts {
            source_ip: Some("10.1.2.3".parse()?),
            user_agent_sha256: Some([7; 32]),
            user_agent: Some("Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux".to_owned()),
            secure_transport: true,
            ..RequestFacts::new(RequestId::random(&*self.world)?)
        })
    }

    /// A decision of the usual length.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn entry(&self) -> Result<Entry> {
        let id = RequestId::random(&*self.world)?;
        let session = format!("arn:aws:sts::{}:assumed-role/{ROLE}/bench", self.first.account);
        Ok(Entry {
            principal: Some(session.parse()?),
            account: Some(self.first.account),
            scheme: Some("sigv4"),
            policy: Some("managed-policy/Developer".to_owned()),
            statement: Some("UseTheKey".to_owned()),
            source_ip: Some("10.1.2.3".parse()?),
            user_agent_sha256: Some("7".repeat(64)),
            ..Entry::of_due(id, "kms:GenerateDataKey", self.key()?, self.now())
        })
    }

    /// Credentials of a session of the role.
    ///
    /// # Errors
    /// When the session may not be had.
    pub fn credentials(&self) -> Result<TemporaryCredentials> {
        self.credentials_of(ROLE)
    }

    fn credentials_of(&self, role: &str) -> Result<TemporaryCredentials> {
        let guest = Self::door()?.admit(7, 7, self.first.account, self.now())?;
        let arn = self.first.role(&role.parse()?)?;
        let permit = self
            .authorizer
            .authorize(&guest, &self.request()?, &arn, &Context::new())?;
        let Some(facts) = self.store.role_facts(&arn)? else {
            bail!("there is no role {role}")
        };
        let grant = SessionGrant::named("bench".parse()?);
        let issuing = (self.now(), &*self.world as &dyn Entropy);
        Ok(self.authenticator.issue(&permit, &facts, grant, issuing)?)
    }

    /// Whoever has such credentials.
    ///
    /// # Errors
    /// When they are not taken.
    pub fn caller(&self) -> Result<Authenticated> {
        self.caller_of(ROLE)
    }

    /// The same of the role that may do everything.
    ///
    /// # Errors
    /// When they are not taken.
    pub fn administrator(&self) -> Result<Authenticated> {
        self.caller_of(ADMINISTRATOR)
    }

    fn caller_of(&self, role: &str) -> Result<Authenticated> {
        let key = self
            .credentials_of(role)?
            .bearer_key(&REGION.parse()?, self.now(), 3600)?;
        let authorization = format!("Bearer {}", String::from_utf8_lossy(key.expose()));
        let head = HttpHead {
            method: "POST",
            raw_path: "/",
            raw_query: "",
            authority: "localhost",
            headers: &[("authorization", &authorization)],
            body_sha256: &[0; 32],
        };
        let services = [SigningName::BedrockMantle];
        Ok(self.authenticator.authenticate(&head, &services, self.now())?)
    }
}
