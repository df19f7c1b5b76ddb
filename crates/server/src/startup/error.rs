//! Why moho does not start, and what to do about it.

use std::io;
use std::path::PathBuf;

use moho_audit::AuditError;
use moho_engine::{EngineError, LoadError};
use moho_iam::authn::SessionKeyError;
use moho_kms::KmsError;
use moho_os::{LockError, PrivateFileError};
use moho_store::StoreError;
use moho_terms::EntropyUnavailable;

use crate::bucket_segments::place::PlaceError;
use crate::endpoints::EndpointError;
use crate::federation::FederationError;
use crate::handlers::paging::NoMarker;
use crate::root_key::NoRootKey;
use crate::telemetry::OtlpError;
use crate::witnesses::WitnessError;

/// Why the platform cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartupError {
    #[error("the data directory {} cannot be made: check its path and permissions, or choose another with --data", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("the data directory {} cannot be locked: another moho uses it; stop that one, or choose another with --data", path.display())]
    Lock { path: PathBuf, source: LockError },
    #[error("{} of an earlier moho cannot be removed: move it away", path.display())]
    Endpoint { path: PathBuf, source: io::Error },
    #[error("the root key cannot be used")]
    RootKey(#[from] NoRootKey),
    #[error("the keys cannot be used")]
    Kms(#[from] KmsError),
    #[error("the store cannot be opened")]
    Store(#[from] StoreError),
    #[error("where objects rest cannot be used")]
    Objects(#[from] PlaceError),
    #[error("the name of this moho in {} cannot be used", path.display())]
    Node { path: PathBuf, source: PrivateFileError },
    #[error("{} is no name of a moho: move it away, and a new one is made", .0.display())]
    NoNode(PathBuf),
    #[error("the journal cannot be opened")]
    Journal(#[from] AuditError),
    #[error(transparent)]
    NotWritten(#[from] moho_iam::authz::JournalUnavailable),
    #[error("the log's witnesses cannot be asked")]
    Witness(#[from] WitnessError),
    #[error("traces cannot be sent")]
    Otlp(#[from] OtlpError),
    #[error("identity providers cannot be asked for their keys")]
    Federation(#[from] FederationError),
    #[error("the model file {} cannot be loaded", path.display())]
    Model { path: PathBuf, source: Box<LoadError> },
    #[error("the engine cannot start")]
    Engine(#[from] EngineError),
    #[error("the engine cannot start: the system gives no thread")]
    Thread(#[source] io::Error),
    #[error("the session key cannot be used")]
    SessionKey(#[from] SessionKeyError),
    #[error("the paging key cannot be used")]
    Paging(#[from] NoMarker),
    #[error("the private endpoints cannot be served")]
    Endpoints(#[from] EndpointError),
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
    #[error("the data directory has no account, and none can be made")]
    NothingThere(#[source] moho_iam::bootstrap::DoorClosed),
    #[error(
        "the data directory belongs to region {kept}, not {asked}: set --region {kept}, or choose another with --data"
    )]
    OtherRegion {
        kept: moho_terms::Region,
        asked: moho_terms::Region,
    },
    #[error("`dev.static_credentials` cannot be used")]
    FixedCredentials(#[from] moho_iam::authn::FixedCredentialsError),
    #[error(
        "`dev.static_credentials` cannot be used: account {asked} has no role Admin here; the first account of this data \
         directory is {first}"
    )]
    FixedAccount {
        asked: moho_terms::AccountId,
        first: moho_terms::AccountId,
    },
    #[error(
        "`dev.nitro_root` cannot be used: it is for the development root of trust alone, and this moho has another"
    )]
    NitroRootHere,
    #[error("the root of attestation documents in {} cannot be used", path.display())]
    NitroRootFile { path: PathBuf, source: io::Error },
    #[error("the root of attestation documents cannot be used")]
    NitroRoot(#[from] moho_attest::AnchorError),
    #[error("this moho's own keys and what vouches for them cannot be had")]
    Attested(#[from] crate::attested::AttestedError),
    #[error("the built-in names do not fit: {0}")]
    Names(#[from] moho_terms::ArnError),
    #[error("the built-in names do not fit: {0}")]
    Ids(#[from] moho_terms::IdError),
}
