//! Everything a request may need, opened.

use std::sync::Arc;

use moho_attest::TrustAnchors;
use moho_audit::FileJournal;
use moho_iam::authn::Authenticator;
use moho_iam::authz::Authorizer;
use moho_iam::bootstrap::Attestation;
use moho_kms::Kms;
use moho_s3::S3Gateway;
use moho_store::Store;
use moho_store::organizations::OrganisationNames;
use moho_terms::{AccountId, Clock, Entropy, ModelId, Region};
use moho_wire::openai::models::Model;
use tokio::sync::watch;

use crate::access_logs::AccessLogs;
use crate::api_calls::Recording;
use crate::attested::Attested;
use crate::closing::Closing;
use crate::door::DoorState;
use crate::endpoints::Endpoints;
use crate::engine_link::EngineLink;
use crate::event_history::EventsKept;
use crate::federation::Federation;
use crate::handlers::asked_before::AskedBefore;
use crate::handlers::kms::tokens::GrantTokens;
use crate::handlers::kms::turns::{RsaTurns, Turns};
use crate::handlers::paging::Paging;
use crate::invocations::InvocationLog;
use crate::quota::Quotas;
use crate::road::Strangers;
use crate::startup::bookkeeper::Bookkeeper;
use crate::startup::jobs::Jobs;
use crate::startup::key_keeper::KeyKeeper;
use crate::startup::key_use::KeyUse;
use crate::startup::last_use::LastUse;
use crate::startup::probed::ProbedStore;
use crate::startup::restored::RestoredState;
use crate::startup::watched::WatchedJournal;
use crate::telemetry::Telemetry;
use crate::trails::Courier;
use crate::usage::UsageLog;

/// Everything a request may need.
pub(crate) struct Platform {
    pub(crate) region: Region,
    /// The account that manages the organisation. The bootstrap made it, and its door leads into it.
    pub(crate) account: AccountId,
    /// The organisation's own names.
    pub(crate) organisation: OrganisationNames,
    pub(crate) attestation: Attestation,
    /// The user this process runs as, whom the bootstrap door admits.
    pub(crate) own_uid: u32,
    pub(crate) authenticator: Authenticator,
    pub(crate) authorizer: Arc<Authorizer>,
    /// Makes and reads the markers of lists.
    pub(crate) paging: Paging,
    /// Where the authorizer writes, to know whether it can.
    pub(crate) journal: Arc<WatchedJournal>,
    /// Writes down what came of calls.
    pub(crate) recording: Arc<Recording>,
    /// What can be looked up of them.
    pub(crate) events: Arc<EventsKept>,
    /// The same journal, to know how far it is on the disk.
    pub(crate) journal_file: Arc<FileJournal>,
    /// When who last used what, as the journal says.
    pub(crate) last_use: Arc<LastUse>,
    /// Those who failed to authenticate lately.
    pub(crate) strangers: Arc<Strangers>,
    pub(crate) kms: Arc<Kms>,
    /// Under whose root attestation documents are issued that a plaintext is released to.
    pub(crate) nitro_roots: TrustAnchors,
    /// What this moho says of its keys, and what vouches for it.
    pub(crate) attested: Attested,
    /// Makes and reads grant tokens.
    pub(crate) grant_tokens: GrantTokens,
    /// Tells requests that come again from others.
    pub(crate) asked_before: AskedBefore,
    /// What each key was last used for.
    pub(crate) key_use: Arc<KeyUse>,
    /// Who may make and use RSA keys now.
    pub(crate) rsa_turns: RsaTurns,
    /// Who may search log events now.
    pub(crate) log_searches: Turns,
    /// Who may search the journal, or events of it, now.
    pub(crate) journal_searches: Turns,
    pub(crate) store: Arc<Store>,
    /// Answers what is asked of S3.
    pub(crate) objects: Arc<S3Gateway>,
    /// By which private endpoints requests come in.
    pub(crate) endpoints: Endpoints,
    /// Whether what was restored waits for being accepted.
    pub(crate) restored: Arc<RestoredState>,
    /// The same store, for probes.
    pub(crate) probed_store: ProbedStore,
    pub(crate) engine: EngineLink,
    pub(crate) models: Vec<Model>,
    /// How much everybody may use.
    pub(crate) quotas: Arc<Quotas>,
    /// How much everybody did.
    pub(crate) usage: Arc<UsageLog>,
    /// Writes down what these count. Dropped with the platform, when nothing runs any more.
    pub(crate) _bookkeeper: Bookkeeper,
    /// Rotates and deletes keys when their time comes. Dropped with the platform.
    pub(crate) _key_keeper: KeyKeeper,
    /// Who is told of requests for objects.
    pub(crate) access_logs: Arc<AccessLogs>,
    /// Who is told of calls of models.
    pub(crate) invocations: Arc<InvocationLog>,
    /// Asks buckets as CloudTrail does.
    pub(crate) courier: Arc<Courier>,
    /// What is done in the background. Dropped with the platform.
    pub(crate) _jobs: Jobs,
    /// What is measured of all this.
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) door: DoorSwitch,
    /// Whose identity tokens are taken.
    pub(crate) federation: Federation,
    /// How far stopping has come.
    pub(crate) closing: Closing,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl Platform {
    /// Whether requests can be served, as far as is known: the engine runs and the journal takes entries.
    pub(crate) fn works(&self) -> bool {
        self.journal.works() && !self.engine.has_ended()
    }

    /// What it takes to serve a request, by name, and a word for what is wrong with it, as far as is known.
    pub(crate) fn readiness(&self) -> [(&'static str, Option<&'static str>); 6] {
        [
            ("engine", self.engine.has_ended().then_some("ended")),
            ("journal", (!self.journal.works()).then_some("refused")),
            ("store", (!self.probed_store.works()).then_some("unwritable")),
            ("models", self.models.is_empty().then_some("none")),
            ("restored", self.restored.waits().then_some("unaccepted")),
            ("serving", self.closing.has_begun().then_some("draining")),
        ]
    }

    /// Whether a model of this name is loaded.
    pub(crate) fn serves(&self, id: &ModelId) -> bool {
        self.models.iter().any(|model| model.id == *id)
    }
}

/// Tells the bootstrap door's listener to go away. That it stays away is the store's to remember.
pub(crate) struct DoorSwitch(watch::Sender<DoorState>);

impl DoorSwitch {
    pub(crate) fn new(state: DoorState) -> Self {
        Self(watch::Sender::new(state))
    }

    /// Whether the door stands open.
    pub(crate) fn is_open(&self) -> bool {
        *self.0.borrow() == DoorState::Open
    }

    /// Closes the door's socket.
    pub(crate) fn close(&self) {
        self.0.send_replace(DoorState::Closed);
    }

    /// Sees the closing.
    pub(crate) fn watch(&self) -> watch::Receiver<DoorState> {
        self.0.subscribe()
    }
}
