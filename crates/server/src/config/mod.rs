//! Settings: one table, three places to set them, two steps to read them.
//!
//! First [`Typed`]: what stands on the command line, in the environment and in the file, as text with its place. Then
//! [`Config`]: what it means, every value parsed, every default in. Neither step touches anything but its arguments;
//! reading the file is the caller's.

mod endpoints;
mod fixed;
mod objects;
mod quotas;
mod resolve;
mod settings;
mod tables;
mod typed;

use std::net::SocketAddr;
use std::path::PathBuf;

use moho_attest::log::NoteKey;
use moho_engine::EngineConfig;
use moho_iam::authn::FixedCredentials;
use moho_terms::{ModelId, Region};

use crate::net::Limits;
use crate::net::tls::HostName;
use crate::outbound::{HttpsUrl, Origin};
use crate::quota::Quota;
use crate::system::LogFormat;

pub use endpoints::{EndpointConfig, Place};
pub use objects::ObjectsConfig;
pub(crate) use objects::resolve as objects;
pub(crate) use resolve::{data, root, store};
pub use settings::{SETTINGS, Setting};
pub use tables::{TABLES, TableForm, TableKey, TableKind};
pub use typed::Typed;

/// Everything that can be set, ready for use.
pub struct Config {
    /// Where everything is kept.
    pub data: PathBuf,
    /// Where the root key is.
    pub root: RootConfig,
    /// Where the root key and the store are: the same directory, unless several running moho share them.
    pub store: PathBuf,
    /// Addresses to listen on, for everybody; none if only private endpoints are to be served.
    pub listen: Vec<SocketAddr>,
    /// Private endpoints, in the order of their ids.
    pub endpoints: Vec<EndpointConfig>,
    /// Where plain HTTP is served to tools on this machine: loopback only.
    pub plain_http: Option<SocketAddr>,
    /// The region of every resource name and signature.
    pub region: Region,
    /// Models to load.
    pub models: Vec<ModelFile>,
    /// Threads that compute.
    pub threads: usize,
    /// How much the engine may use.
    pub engine: EngineConfig,
    /// Models that the bootstrap grants to the first account.
    pub bootstrap_grants: Vec<ModelId>,
    /// What a peer may take.
    pub limits: Limits,
    /// What principals may use of models.
    pub(crate) quotas: Vec<Quota>,
    /// The certificate to show.
    pub tls: TlsConfig,
    /// How to log.
    pub log: LogConfig,
    /// Where metrics and probes are served without credentials; nowhere unless told.
    pub metrics: Option<SocketAddr>,
    /// Where traces go; nowhere unless told.
    pub otlp: Option<OtlpConfig>,
    /// Whose identity tokens are taken.
    pub federation: FederationConfig,
    /// Who cosigns the log.
    pub audit: WitnessConfig,
    /// How often trails deliver.
    pub trails: TrailConfig,
    /// The bucket where objects rest; without one, they are files of the store.
    pub objects: Option<ObjectsConfig>,
    /// Credentials that somebody chose, for tools that can send no others; none unless told.
    pub static_credentials: Option<FixedCredentials>,
    /// The root of attestation documents that tests make; AWS's unless told.
    pub nitro_root: NitroRoot,
    /// The TPM that vouches for this host: a device, or a simulator's socket; none unless told.
    pub tpm: Option<PathBuf>,
}

/// Under whose root attestation documents are issued that KMS takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NitroRoot {
    /// AWS's.
    #[default]
    Aws,
    /// A test's, in this file.
    Test(PathBuf),
}

/// Where the root key is, and what leads to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RootConfig {
    /// Its file.
    pub file: PathBuf,
    /// The file of its passphrase; without one, whoever sits at the terminal is asked.
    pub passphrase: Option<PathBuf>,
    /// The files of its shares; without any, whoever sits at the terminal is asked.
    pub shares: Vec<PathBuf>,
}

/// Whose identity tokens are taken, and who is asked for the keys to check them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FederationConfig {
    /// OpenID Connect issuers, to the letter.
    pub issuers: Vec<HttpsUrl>,
    /// Further hosts that they may keep their keys on.
    pub key_hosts: Vec<Origin>,
    /// Authorities to trust for all these, in PEM; without it, the system's.
    pub ca: Option<PathBuf>,
}

/// How often trails deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrailConfig {
    /// Seconds between two log files.
    pub delivery: u64,
    /// Seconds between two digests.
    pub digests: u64,
}

/// Who is asked to cosign the log's checkpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WitnessConfig {
    /// Each by its key, and where it is asked.
    pub witnesses: Vec<(NoteKey, HttpsUrl)>,
    /// Authorities to trust for their certificates, in PEM; without it, the system's.
    pub ca: Option<PathBuf>,
}

/// Where traces go, by OTLP over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct OtlpConfig {
    /// Whether TLS protects them on the way.
    pub tls: bool,
    /// The collector's host: a name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The path that takes traces.
    pub path: String,
    /// Authorities to trust for its certificate, in PEM; without it, the system's.
    pub ca: Option<PathBuf>,
    /// Of the traces that begin here, so large a share is recorded, from 0 to 1.
    pub share: f64,
}

impl OtlpConfig {
    /// Host and port as a URL has them.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// A model to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// Its one name on every API.
    pub id: ModelId,
    /// The GGUF file.
    pub path: PathBuf,
}

/// The certificate to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsConfig {
    /// Generate an authority and a certificate for these names.
    Generated(Vec<HostName>),
    /// Use these files.
    Given {
        /// The certificate chain, in PEM.
        certificate: PathBuf,
        /// Its private key, in PEM.
        key: PathBuf,
    },
}

/// How to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// For people or for machines.
    pub format: LogFormat,
    /// What to log, as `tracing` filters say it.
    pub filter: String,
}

/// What the settings' defaults depend on.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Processor cores.
    pub cores: usize,
    /// Where the user's programs keep what they store: `XDG_DATA_HOME`, or `~/.local/share`.
    pub data_home: Option<PathBuf>,
}

/// What is wrong with the settings. Names the place, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file is no TOML.
    #[error("the settings file is not valid TOML: {0}")]
    Syntax(String),
    /// A key that no setting has.
    #[error("the settings file has `{key}`, which is no setting{}", hint(nearest.as_deref()))]
    Unknown {
        /// The key.
        key: String,
        /// The setting that is spelled most like it.
        nearest: Option<String>,
    },
    /// A value that the setting cannot have.
    #[error("{place}: {problem}")]
    Value {
        /// Where it stands.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// Settings that do not go together.
    #[error("{0}")]
    Together(&'static str),
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "; docs/configuration.md has them all".to_owned(),
        |name| format!("; did you mean `{name}`?"),
    )
}

#[cfg(test)]
mod tests;
