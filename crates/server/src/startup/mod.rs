//! From settings to a platform that can serve: root key, keys, store, journal, policies, models, engine.
//!
//! The order is the order of trust: nothing is opened before what protects it, and nothing listens before all of it is
//! there.

mod background;
mod bookkeeper;
mod bootstrap;
mod error;
mod fixed;
mod ground;
mod interrupted;
pub(crate) mod jobs;
mod key_keeper;
pub(crate) mod key_use;
pub(crate) mod last_use;
pub(crate) mod long_lived;
mod nitro_roots;
mod node;
mod platform;
mod probed;
mod restored;
pub(crate) mod watched;
pub(crate) mod ways_in;

use std::sync::Arc;

use moho_audit::{FileJournal, RecordSeal, Recovery};
use moho_engine::{Engine, LoadedModel};
use moho_iam::authn::Authenticator;
use moho_iam::authz::{Authorizer, PolicySource};
use moho_iam::bootstrap::{Attestation, Door};
use moho_kms::{Kms, RootKey};
use moho_os::{FileLock, Residence};
use moho_s3::{Backing, S3Gateway};
use moho_store::Store;
use moho_terms::{AccountId, Clock, Entropy, Secret, Timestamp};
use moho_wire::openai::models::Model;

pub(crate) use error::StartupError;
pub(crate) use platform::{DoorSwitch, Platform};

use self::background::{Acting, Kept, background};
use self::bookkeeper::{Bookkeeper, Books};
use self::ground::Ground;
pub(crate) use self::ground::log_keys;
use self::key_keeper::{Events, KeyKeeper};
use self::last_use::LastUse;
use self::probed::ProbedStore;
use self::restored::RestoredState;
use self::watched::WatchedJournal;
use crate::api_calls::Recording;
use crate::attested::Attested;
use crate::closing::Closing;
use crate::config::{Config, ModelFile};
use crate::door::DoorState;
use crate::endpoints::Endpoints;
use crate::engine_link::EngineLink;
use crate::event_history::EventsKept;
use crate::federation::Federation;
use crate::handlers::asked_before::{ASKED_KEY, AskedBefore};
use crate::handlers::kms::tokens::{GRANT_TOKEN_KEY, GrantTokens};
use crate::handlers::kms::turns::{RsaTurns, Turns};
use crate::handlers::paging::{PAGING_KEY, Paging};
use crate::quota::Quotas;
use crate::road::Strangers;
use crate::root_key;
use crate::system::{SystemClock, SystemEntropy, SystemStopwatch};
use crate::telemetry::{Exporter, Telemetry, Traces};
use crate::usage::UsageLog;
use crate::witnesses::{AskedWitnesses, Telling};

/// What the session key is derived for.
const SESSION_KEY: &str = "iam/session-token/1";

/// A platform, and the locks: one keeps every other moho out of its data directory, the other keeps segments where they rest.
pub(crate) struct Started {
    pub(crate) platform: Arc<Platform>,
    pub(crate) locks: (FileLock, FileLock),
    /// What the start-up lines have to say of it.
    pub(crate) posture: Vec<String>,
}

/// Hears how far loading a model has come: model, bytes done, bytes in all.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(&ModelFile, u64, u64);

/// Opens everything in the data directory, making what is not there yet.
#[expect(clippy::too_many_lines, reason = "step by step, in the order of trust")]
pub(crate) fn open(config: &Config, progress: Progress<'_>) -> Result<Started, StartupError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::default());
    let closing = Closing::new();
    let ground = Ground::open(config, &*entropy, &closing)?;
    let (locks, root, store) = ((ground.lock, ground.segments), ground.root, ground.store);
    let mut posture = posture(&root);
    let rooted = Rooted::open(root, &store, (&clock, &entropy))?;
    let bootstrapped = bootstrap::ensure(&store, &rooted.kms, config, (&*clock, &*entropy))?;
    let attested = Attested::open(config.tpm.as_deref(), (&clock, &entropy))?;
    posture.extend(attested.posture());
    let (models, engine) = load(config, &entropy, &*clock, progress)?;
    let last_use = last_use(config, &store, &ground.recovery)?;
    let (journal_file, journal, key_use) = WatchedJournal::over(ground.journal, &clock, &last_use);
    watched::watch_rows(&store, &journal, (&clock, &entropy));
    witnessed(config, (&journal_file, &journal), (&clock, &entropy))?;
    let authorizer = Arc::new(authorizer(&store, &journal, &clock));
    let whose = (rooted.kms.attestation(), bootstrapped.account, clock.now());
    let authenticator = authenticator(config, &rooted.session_key, &store, whose)?;
    let at_start = (&bootstrapped, &*clock, &*entropy);
    posture.extend(restored::adopted(store.adopted(), &*journal, at_start)?);
    let recovered = (&*journal_file, &ground.recovery);
    posture.extend(restored::log_begun(recovered, &*journal, at_start)?);
    posture.extend(who_gets_in(config, &store)?);
    let door = door(rooted.kms.attestation(), &store)?;
    let restored = Arc::new(RestoredState::of(&store)?);
    let keeper = keeper((&rooted.kms, &restored), &journal, (&clock, &entropy))?;
    let counting = counting(config, (&store, &clock), (&last_use, &journal))?;
    let backing = backing(config, (&store, &rooted.kms), &authorizer, (&clock, &entropy));
    let objects = Arc::new(S3Gateway::new(backing.clone()));
    let telemetry = telemetry(config, &closing, &clock, &entropy)?;
    posture.extend(restored.started(&journal, at_start)?);
    let recording = recording(config, &store, &journal, &entropy);
    let owner = |bucket: &_| store.bucket_facts(bucket).ok().flatten().map(|facts| facts.owner);
    interrupted::tell(
        &config.data.join("journal"),
        ground.recovery.records,
        (&*recording, &owner),
    )?;
    let told = (&journal_file, &recording);
    let events = Arc::new(EventsKept::open(&config.store.join("store"), told, &clock)?);
    let background = background(
        config,
        &Acting {
            session_key: &rooted.session_key,
            objects: &objects,
            backing: &backing,
        },
        &Kept {
            restored: &restored,
            recording: &recording,
            events: &events,
            journal_file: &journal_file,
        },
        (&closing, &telemetry),
    )?;
    let nitro_roots = nitro_roots::of(config, rooted.kms.attestation())?;
    posture.extend(nitro_roots::posture(config));
    let platform = Platform {
        region: config.region.clone(),
        account: bootstrapped.account,
        organisation: bootstrapped.names(),
        attestation: rooted.kms.attestation(),
        own_uid: moho_os::own_user(),
        objects,
        authenticator,
        authorizer,
        paging: rooted.paging,
        journal,
        recording,
        events,
        journal_file,
        last_use,
        strangers: counting.strangers,
        _key_keeper: keeper,
        kms: rooted.kms,
        nitro_roots,
        attested,
        grant_tokens: rooted.grant_tokens,
        asked_before: rooted.asked_before,
        key_use,
        log_searches: Turns::of_searches(moho_os::available_cores().get()),
        journal_searches: Turns::of_searches(moho_os::available_cores().get()),
        rsa_turns: RsaTurns::new(moho_os::available_cores().get()),
        endpoints: endpoints(config, bootstrapped.account, &store, &*clock)?,
        restored,
        probed_store: ProbedStore::new(Arc::clone(&store), Arc::clone(&clock)),
        store,
        engine,
        telemetry,
        _jobs: background.jobs,
        access_logs: background.access_logs,
        invocations: background.invocations,
        courier: background.courier,
        models,
        quotas: counting.quotas,
        usage: counting.usage,
        _bookkeeper: counting.bookkeeper,
        door: DoorSwitch::new(door),
        federation: Federation::new(&config.federation, &config.limits, &clock)?,
        closing,
        clock,
        entropy,
    };
    Ok(Started {
        platform: Arc::new(platform),
        locks,
        posture,
    })
}

/// What writes down what came of calls.
fn recording(
    config: &Config,
    store: &Store,
    journal: &Arc<WatchedJournal>,
    entropy: &Arc<dyn Entropy>,
) -> Arc<Recording> {
    Arc::new(Recording {
        journal: Arc::clone(journal),
        seal: RecordSeal::new(&store.records_secret()),
        entropy: Arc::clone(entropy),
        region: config.region.clone(),
    })
}

/// What S3's requests are answered with: the same store and keys, by leave of the same authorizer.
fn backing(
    config: &Config,
    (store, kms): (&Arc<Store>, &Arc<Kms>),
    authorizer: &Arc<Authorizer>,
    (clock, entropy): (&Arc<dyn Clock>, &Arc<dyn Entropy>),
) -> Backing {
    Backing {
        store: Arc::clone(store),
        kms: Arc::clone(kms),
        authorizer: Arc::clone(authorizer),
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        region: config.region.clone(),
    }
}

/// Has the log cosigned by the witnesses of the settings.
fn witnessed(
    config: &Config,
    (file, journal): (&Arc<FileJournal>, &Arc<WatchedJournal>),
    (clock, entropy): (&Arc<dyn Clock>, &Arc<dyn Entropy>),
) -> Result<(), StartupError> {
    let telling = Telling {
        journal: Arc::downgrade(journal),
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
    };
    if let Some(witnesses) = AskedWitnesses::of(&config.audit, telling)? {
        file.log().witnessed_by(Box::new(witnesses));
    }
    Ok(())
}

/// Who decides: by the store's policies, into the journal.
fn authorizer(store: &Arc<Store>, journal: &Arc<WatchedJournal>, clock: &Arc<dyn Clock>) -> Authorizer {
    let policies: Arc<dyn PolicySource> = Arc::clone(store) as _;
    Authorizer::new(policies, Arc::clone(journal) as _, Arc::clone(clock))
}

/// What follows from the root key.
struct Rooted {
    session_key: Secret,
    paging: Paging,
    grant_tokens: GrantTokens,
    asked_before: AskedBefore,
    kms: Arc<Kms>,
}

impl Rooted {
    /// All of it, with the keys of older versions brought into today's form.
    fn open(
        root: RootKey,
        store: &Arc<Store>,
        (clock, entropy): (&Arc<dyn Clock>, &Arc<dyn Entropy>),
    ) -> Result<Self, StartupError> {
        let session_key = root.derive(SESSION_KEY)?;
        let paging = Paging::new(&root.derive(PAGING_KEY)?)?;
        let grant_tokens = GrantTokens::new(&root.derive(GRANT_TOKEN_KEY)?);
        let asked_before = AskedBefore::new(&root.derive(ASKED_KEY)?);
        let (clock, entropy) = (Arc::clone(clock), Arc::clone(entropy));
        let kms = Kms::new(root, Arc::clone(store) as _, entropy, clock)
            .with_data_key_caching(Arc::new(SystemStopwatch::start()));
        let upgraded = kms.upgrade()?;
        if upgraded > 0 {
            tracing::info!(
                keys = upgraded,
                "keys of an older version were brought into the form of this one"
            );
        }
        let kms = Arc::new(kms);
        Ok(Self {
            session_key,
            paging,
            grant_tokens,
            asked_before,
            kms,
        })
    }
}

/// Who does to keys what is due, and writes it down.
fn keeper(
    (kms, restored): (&Arc<Kms>, &Arc<RestoredState>),
    journal: &Arc<WatchedJournal>,
    (clock, entropy): (&Arc<dyn Clock>, &Arc<dyn Entropy>),
) -> Result<KeyKeeper, StartupError> {
    let events = Events {
        journal: Arc::clone(journal) as _,
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        restored: Arc::clone(restored),
    };
    KeyKeeper::start(Arc::clone(kms), events).map_err(StartupError::Thread)
}

/// When what was used last, as far as the journal goes.
fn last_use(config: &Config, store: &Arc<Store>, recovery: &Recovery) -> Result<Arc<LastUse>, StartupError> {
    let (region, journal) = (config.region.clone(), config.data.join("journal"));
    let known = LastUse::open(Arc::clone(store), region, &journal, recovery.records)?;
    Ok(Arc::new(known))
}

/// Whether the bootstrap door may open.
fn door(attestation: Attestation, store: &Store) -> Result<DoorState, StartupError> {
    Ok(match Door::open(attestation, store.identity_provider()?) {
        Ok(_open) => DoorState::Open,
        Err(_closed) => DoorState::Closed,
    })
}

/// Whose proofs are taken: sessions, what is kept in the store, and fixed credentials on a developer's machine.
fn authenticator(
    config: &Config,
    session_key: &Secret,
    store: &Arc<Store>,
    (attestation, account, now): (Attestation, AccountId, Timestamp),
) -> Result<Authenticator, StartupError> {
    let authenticator =
        Authenticator::new(session_key, config.region.clone())?.with_credentials(Arc::clone(store) as _);
    match &config.static_credentials {
        Some(fixed) => fixed::taken(authenticator, fixed, (store, attestation), (account, now)),
        None => Ok(authenticator),
    }
}

fn endpoints(
    config: &Config,
    account: AccountId,
    store: &Arc<Store>,
    clock: &dyn Clock,
) -> Result<Endpoints, StartupError> {
    let place = (account, config.region.clone());
    Ok(Endpoints::open(
        &config.endpoints,
        place,
        Arc::clone(store),
        clock.now(),
    )?)
}

/// What counts, and who writes it down.
struct Counting {
    quotas: Arc<Quotas>,
    usage: Arc<UsageLog>,
    strangers: Arc<Strangers>,
    bookkeeper: Bookkeeper,
}

fn counting(
    config: &Config,
    (store, clock): (&Arc<Store>, &Arc<dyn Clock>),
    (last_use, journal): (&Arc<LastUse>, &Arc<WatchedJournal>),
) -> Result<Counting, StartupError> {
    let days = Box::new(Arc::clone(store));
    let quotas = Arc::new(Quotas::new(config.quotas.clone(), days, Arc::clone(clock)));
    let usage = Arc::new(UsageLog::new(Arc::clone(store), Arc::clone(clock)));
    let strangers: Arc<Strangers> = Arc::default();
    let books = Books {
        quotas: Arc::clone(&quotas),
        usage: Arc::clone(&usage),
        last_use: Arc::clone(last_use),
        strangers: Arc::clone(&strangers),
        journal: Arc::clone(journal) as _,
        clock: Arc::clone(clock),
    };
    Ok(Counting {
        quotas,
        usage,
        strangers,
        bookkeeper: Bookkeeper::start(books).map_err(StartupError::Thread)?,
    })
}

fn telemetry(
    config: &Config,
    closing: &Closing,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<Telemetry>, StartupError> {
    let models = config.models.iter().map(|model| model.id.clone());
    let traces = match &config.otlp {
        Some(otlp) => Some(Traces {
            exporter: Exporter::start(otlp)?,
            share: otlp.share,
        }),
        None => None,
    };
    let (clock, entropy) = (Arc::clone(clock), Arc::clone(entropy));
    let telemetry = Telemetry::new(models, traces, closing.clone(), clock, entropy);
    Ok(Arc::new(telemetry))
}

fn load(
    config: &Config,
    entropy: &Arc<dyn Entropy>,
    clock: &dyn Clock,
    progress: Progress<'_>,
) -> Result<(Vec<Model>, EngineLink), StartupError> {
    let mut loaded = Vec::new();
    for file in &config.models {
        let model = LoadedModel::open(file.id.clone(), &file.path, config.threads, &mut |done, total| {
            progress(file, done, total);
        })
        .map_err(|source| StartupError::Model {
            path: file.path.clone(),
            source: Box::new(source),
        })?;
        loaded.push(model);
    }
    let (handle, events) = Engine::start(config.engine, loaded, Arc::clone(entropy))?;
    let link = EngineLink::start(handle, events).map_err(StartupError::Thread)?;
    let created = clock.now();
    let models = link
        .models()
        .iter()
        .map(|card| Model {
            id: card.id.clone(),
            created,
            owned_by: "moho".to_owned(),
        })
        .collect();
    Ok((models, link))
}

fn posture(root: &RootKey) -> Vec<String> {
    let resting = root_key::posture(root.kind(), root.ring().previous().len());
    resting.into_iter().chain(in_memory(root.residence())).collect()
}

fn in_memory(root_key: Residence) -> Option<String> {
    match root_key {
        Residence::Locked => None,
        Residence::Swappable => Some(
            "the root key is not in locked memory and may be written to swap: raise `ulimit -l`".to_owned(),
        ),
    }
}

/// What there is to say of who may come in, and of who cannot.
fn who_gets_in(config: &Config, store: &Store) -> Result<Vec<String>, StartupError> {
    let fixed = config.static_credentials.as_ref().map(fixed::posture);
    let long_lived = long_lived::posture(&store.long_lived_credentials()?);
    let nobody = ways_in::loudly(&store.ways_in()?, &config.federation);
    Ok([fixed, long_lived, nobody].into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Surroundings, Typed};

    /// A platform with a data directory of its own over the store in `shared`.
    fn opened(data: &Path, shared: &Path) -> Started {
        let surroundings = Surroundings {
            cores: 1,
            data_home: Some(data.to_owned()),
        };
        let settings = format!("store = '{}'", shared.display());
        let config = Config::resolve(&Typed::from_file(&settings).unwrap(), &surroundings).unwrap();
        open(&config, &mut |_, _, _| {}).unwrap()
    }

    #[tokio::test]
    async fn several_share_a_store_and_each_has_a_name() {
        let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let [one, two, shared] = folders.each_ref().map(tempfile::TempDir::path);
        let (first, second) = (opened(one, shared), opened(two, shared));
        assert_eq!(first.platform.account, second.platform.account);
        let name = |data: &Path| std::fs::read_to_string(data.join("moho/node")).unwrap();
        let names = (name(one), name(two));
        assert!(names.0 != names.1 && names.0.len() == 32);
        assert!(shared.join("root.key").exists() && !one.join("moho/root.key").exists());
        drop((first, second));
        drop(opened(one, shared));
        assert_eq!(name(one), names.0, "it stays");
        std::fs::write(one.join("moho/node"), "no name").unwrap();
        let surroundings = Surroundings {
            cores: 1,
            data_home: Some(one.to_owned()),
        };
        let settings = format!("store = '{}'", shared.display());
        let config = Config::resolve(&Typed::from_file(&settings).unwrap(), &surroundings).unwrap();
        assert!(matches!(
            open(&config, &mut |_, _, _| {}),
            Err(StartupError::NoNode(_))
        ));
    }

    #[test]
    fn a_root_key_that_may_be_swapped_is_told() {
        assert_eq!(in_memory(Residence::Locked), None);
        assert!(in_memory(Residence::Swappable).is_some_and(|said| said.contains("swap")));
    }
}
