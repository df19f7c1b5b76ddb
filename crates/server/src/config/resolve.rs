//! The second step: from text to meaning, with every default.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use moho_attest::log::{NoteKey, SignatureKind};
use moho_engine::EngineConfig;
use moho_terms::{ModelId, Region};

use super::typed::{Entry, Typed};
use super::{
    Config, ConfigError, EndpointConfig, FederationConfig, LogConfig, ModelFile, OtlpConfig, Place,
    RootConfig, Surroundings, TlsConfig, TrailConfig, WitnessConfig,
};
use crate::net::Limits;
use crate::net::tls::HostName;
use crate::outbound::{HttpsUrl, Origin};
use crate::system::LogFormat;

/// The root key's file in the data directory.
const ROOT_KEY: &str = "root.key";

impl Config {
    /// Understands the settings.
    ///
    /// # Errors
    /// [`ConfigError`]: a value that cannot be, or values that do not go together.
    pub fn resolve(typed: &Typed, surroundings: &Surroundings) -> Result<Self, ConfigError> {
        let listen = listen(typed)?;
        let endpoints = super::endpoints::resolve(typed)?;
        let plain_http = plain_http(typed)?;
        if listen.is_empty() && endpoints.is_empty() && plain_http.is_none() {
            return Err(ConfigError::Together(
                "nobody could reach moho: name an address with `listen`, or a private endpoint (`[endpoints.\"vpce-…\"]`)",
            ));
        }
        Ok(Self {
            data: data(typed, surroundings)?,
            root: root(typed, surroundings)?,
            store: store(typed, surroundings)?,
            region: region(typed)?,
            models: models(typed)?,
            threads: one(typed, "engine.threads", positive)?.unwrap_or_else(|| surroundings.cores.max(1)),
            engine: engine(typed)?,
            bootstrap_grants: list(typed, "bootstrap.grants", |text| text.parse::<ModelId>())?,
            limits: limits(typed)?,
            quotas: super::quotas::resolve(typed)?,
            tls: tls(typed, listen.iter().chain(private_addresses(&endpoints)))?,
            log: LogConfig {
                format: one(typed, "log.format", |text| match text {
                    "human" => Ok(LogFormat::Human),
                    "json" => Ok(LogFormat::Json),
                    _ => Err("expected human or json"),
                })?
                .unwrap_or(LogFormat::Human),
                filter: one(typed, "log.filter", |text| Ok::<_, &str>(text.to_owned()))?
                    .unwrap_or_else(|| "info".to_owned()),
            },
            metrics: one(typed, "metrics.listen", |text| match text {
                "none" => Ok(None),
                text => text
                    .parse()
                    .map(Some)
                    .map_err(|_e| "expected ADDRESS:PORT, such as 127.0.0.1:9464, or none"),
            })?
            .flatten(),
            otlp: otlp(typed)?,
            objects: super::objects::resolve(typed)?,
            federation: FederationConfig {
                issuers: list(typed, "federation.issuers", |text| text.parse::<HttpsUrl>())?,
                key_hosts: list(typed, "federation.key_hosts", |text| text.parse::<Origin>())?,
                ca: one(typed, "federation.ca", path)?,
            },
            audit: audit(typed)?,
            trails: trails(typed)?,
            static_credentials: super::fixed::resolve(
                typed,
                listen.iter().chain(private_addresses(&endpoints)),
                &endpoints,
            )?,
            tpm: tpm(typed)?,
            nitro_root: super::fixed::nitro_root(typed, listen.iter().chain(private_addresses(&endpoints)))?,
            listen,
            endpoints,
            plain_http,
        })
    }
}

/// Where the TPM is.
fn tpm(typed: &Typed) -> Result<Option<PathBuf>, ConfigError> {
    let path = one(typed, "tpm", |text| match text {
        "none" => Ok(None),
        "" => Err("expected a TPM's device, such as /dev/tpmrm0, or a simulator's socket"),
        path => Ok(Some(path.into())),
    })?;
    Ok(path.flatten())
}

fn region(typed: &Typed) -> Result<Region, ConfigError> {
    match one(typed, "region", |text| text.parse::<Region>())? {
        Some(region) => Ok(region),
        None => "us-east-1"
            .parse()
            .map_err(|_e| ConfigError::Together("the default region is none")),
    }
}

/// The public addresses: none if that is said.
fn listen(typed: &Typed) -> Result<Vec<SocketAddr>, ConfigError> {
    let addresses = list(typed, "listen", |text| match text {
        "none" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_e| "expected ADDRESS:PORT, such as 127.0.0.1:8443, or none"),
    })?;
    match addresses.as_slice() {
        [] if typed.get("listen").is_none() => Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8443))]),
        [] | [None] => Ok(Vec::new()),
        several if several.contains(&None) => {
            Err(ConfigError::Together("`listen` is none or addresses, not both"))
        }
        several => Ok(several.iter().copied().flatten().collect()),
    }
}

/// Plain HTTP is for this machine alone: whoever else could listen in would see credentials and content.
fn plain_http(typed: &Typed) -> Result<Option<SocketAddr>, ConfigError> {
    let address = one(typed, "dev.plain_http", |text| match text {
        "none" => Ok(None),
        text => match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().to_canonical().is_loopback() => Ok(Some(address)),
            Ok(_) => Err("plain HTTP is served on loopback addresses only, such as 127.0.0.1:8080"),
            Err(_) => Err("expected ADDRESS:PORT on loopback, such as 127.0.0.1:8080, or none"),
        },
    })?;
    Ok(address.flatten())
}

fn private_addresses(endpoints: &[EndpointConfig]) -> impl Iterator<Item = &SocketAddr> {
    endpoints.iter().filter_map(|endpoint| match &endpoint.listen {
        Place::Address(address) => Some(address),
        Place::Socket(_) => None,
    })
}

fn audit(typed: &Typed) -> Result<WitnessConfig, ConfigError> {
    Ok(WitnessConfig {
        witnesses: list(typed, "audit.witnesses", witness)?,
        ca: one(typed, "audit.ca", path)?,
    })
}

fn trails(typed: &Typed) -> Result<TrailConfig, ConfigError> {
    let seconds = |key, most: u64| {
        one(typed, key, |text| {
            let seconds = text.parse().ok();
            seconds
                .filter(|seconds| (1..=most).contains(seconds))
                .ok_or("expected a number of seconds, not 0 and not too large")
        })
    };
    Ok(TrailConfig {
        delivery: seconds("audit.delivery_seconds", 900)?.unwrap_or(300),
        digests: seconds("audit.digest_seconds", 3600)?.unwrap_or(3600),
    })
}

/// A witness's key and where it is asked.
fn witness(text: &str) -> Result<(NoteKey, HttpsUrl), &'static str> {
    let problem = "expected a witness's key of kind 4 and its address, such as witness.example/w+1b2c3d4e+BA…@https://witness.example";
    let (key, url) = text.rsplit_once('@').ok_or(problem)?;
    let key: NoteKey = key.parse().map_err(|_no_key| problem)?;
    if key.kind() != SignatureKind::Cosignature {
        return Err(problem);
    }
    Ok((key, url.parse().map_err(|_no_url| problem)?))
}

fn otlp(typed: &Typed) -> Result<Option<OtlpConfig>, ConfigError> {
    let endpoint = one(typed, "otlp.endpoint", |text| match text {
        "none" => Ok(None),
        text => endpoint(text).map(Some),
    })?;
    let ca = one(typed, "otlp.ca", path)?;
    let share = one(typed, "otlp.share", |text| {
        let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        share.ok_or("expected a number from 0 to 1, such as 0.1")
    })?;
    Ok(endpoint.flatten().map(|endpoint| OtlpConfig {
        ca,
        share: share.unwrap_or(1.0),
        ..endpoint
    }))
}

/// A collector's base URL, as other programs take it, too.
fn endpoint(text: &str) -> Result<OtlpConfig, &'static str> {
    let problem = "expected a URL such as https://collector:4318, without user, query or fragment";
    let uri: Uri = text.parse().map_err(|_e| problem)?;
    let tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(problem),
    };
    let authority = uri.authority().ok_or(problem)?;
    if authority.as_str().contains('@') || uri.query().is_some() || text.contains('#') {
        return Err(problem);
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let base = uri.path().trim_end_matches('/');
    let path = if base.ends_with("/v1/traces") {
        base.to_owned()
    } else {
        format!("{base}/v1/traces")
    };
    Ok(OtlpConfig {
        tls,
        host: host.to_owned(),
        port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
        path,
        ca: None,
        share: 1.0,
    })
}

/// Where everything is kept; with [`store`] what other commands than `serve` need, too.
pub(crate) fn data(typed: &Typed, surroundings: &Surroundings) -> Result<PathBuf, ConfigError> {
    let given = one(typed, "data", path)?;
    let usual = || surroundings.data_home.as_ref().map(|home| home.join("moho"));
    given.or_else(usual).ok_or(ConfigError::Together(
        "there is no home directory to keep data in: name a directory with --data",
    ))
}

/// Where the root key is, and what leads to it.
pub(crate) fn root(typed: &Typed, surroundings: &Surroundings) -> Result<RootConfig, ConfigError> {
    Ok(RootConfig {
        file: match one(typed, "root.file", path)? {
            Some(file) => file,
            None => store(typed, surroundings)?.join(ROOT_KEY),
        },
        passphrase: one(typed, "root.passphrase_file", path)?,
        shares: list(typed, "root.shares_files", path)?,
    })
}

/// Where the root key and the store are.
pub(crate) fn store(typed: &Typed, surroundings: &Surroundings) -> Result<PathBuf, ConfigError> {
    match one(typed, "store", path)? {
        Some(given) => Ok(given),
        None => data(typed, surroundings),
    }
}

fn models(typed: &Typed) -> Result<Vec<ModelFile>, ConfigError> {
    let models = list(typed, "models", |text| {
        let (id, file) = text
            .split_once('=')
            .ok_or("expected ID=FILE, such as smollm2-135m-instruct=model.gguf")?;
        let id = id
            .parse()
            .map_err(|_e| "a model's name has 1 to 140 letters, digits and .:_-")?;
        path(file).map(|path| ModelFile { id, path })
    })?;
    let mut names: Vec<&ModelId> = models.iter().map(|model| &model.id).collect();
    names.sort();
    names.dedup();
    if names.len() < models.len() {
        return Err(ConfigError::Together("two models have the same name"));
    }
    Ok(models)
}

fn engine(typed: &Typed) -> Result<EngineConfig, ConfigError> {
    let usual = EngineConfig::default();
    Ok(EngineConfig {
        kv_bytes: one(typed, "engine.kv_memory", bytes)?.unwrap_or(256 << 20),
        max_sequences: one(typed, "engine.sequences", positive)?.unwrap_or(32),
        queue: one(typed, "engine.queue", positive)?.unwrap_or(512),
        ..usual
    })
}

fn limits(typed: &Typed) -> Result<Limits, ConfigError> {
    let usual = Limits::default();
    let seconds = |key, usual| {
        one(typed, key, positive).map(|s| {
            s.map_or(usual, |s| {
                Duration::from_secs(u64::try_from(s).unwrap_or(u64::MAX))
            })
        })
    };
    let connections = one(typed, "limits.connections", positive)?.unwrap_or(usual.connections);
    let limits = Limits {
        body: one(typed, "limits.body", bytes)?.unwrap_or(usual.body),
        body_memory: one(typed, "limits.body_memory", bytes)?.unwrap_or(usual.body_memory),
        connections,
        connections_per_peer: one(typed, "limits.connections_per_peer", positive)?
            .unwrap_or_else(|| (connections / 2).max(1)),
        requests: one(typed, "limits.requests", positive)?.unwrap_or(usual.requests),
        streams: one(typed, "limits.streams", |text| {
            text.parse().map_err(|_e| "expected a whole number")
        })?
        .unwrap_or(usual.streams),
        idle: seconds("limits.idle_seconds", usual.idle)?,
        body_wait: seconds("limits.body_seconds", usual.body_wait)?,
        drain: seconds("limits.drain_seconds", usual.drain)?,
        stall: seconds("limits.stall_seconds", usual.stall)?,
        ..usual
    };
    if limits.body_memory < limits.body {
        return Err(ConfigError::Together(
            "`limits.body_memory` has to hold at least one body of the size `limits.body`",
        ));
    }
    Ok(limits)
}

fn tls<'a>(typed: &Typed, listen: impl Iterator<Item = &'a SocketAddr>) -> Result<TlsConfig, ConfigError> {
    let names = list(typed, "tls.names", HostName::of_certificate)?;
    match (one(typed, "tls.certificate", path)?, one(typed, "tls.key", path)?) {
        (Some(_), Some(_)) if !names.is_empty() => Err(ConfigError::Together(
            "`tls.names` is for a generated certificate, but one is given",
        )),
        (Some(certificate), Some(key)) => Ok(TlsConfig::Given { certificate, key }),
        (None, None) => {
            let here = [
                "localhost".to_owned(),
                Ipv4Addr::LOCALHOST.to_string(),
                Ipv6Addr::LOCALHOST.to_string(),
            ];
            let here = here.iter().filter_map(|name| name.parse().ok());
            let listening = listen
                .map(SocketAddr::ip)
                .filter(|ip| !ip.is_unspecified())
                .map(HostName::Ip);
            let mut all: Vec<HostName> = here.chain(listening).chain(names).collect();
            all.sort();
            all.dedup();
            Ok(TlsConfig::Generated(all))
        }
        (Some(_), None) | (None, Some(_)) => Err(ConfigError::Together(
            "`tls.certificate` and `tls.key` belong together",
        )),
    }
}

pub(super) fn one<T, E: ToString>(
    typed: &Typed,
    key: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, ConfigError> {
    Ok(list(typed, key, parse)?.into_iter().next_back())
}

fn list<T, E: ToString>(
    typed: &Typed,
    key: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, ConfigError> {
    each(typed.get(key), parse)
}

/// Each value of an entry, understood; none if it is not there.
pub(super) fn each<T, E: ToString>(
    entry: Option<&Entry>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, ConfigError> {
    let Some(entry) = entry else {
        return Ok(Vec::new());
    };
    let parsed = entry.values.iter().map(|text| parse(text.trim()));
    let parsed: Result<Vec<T>, E> = parsed.collect();
    parsed.map_err(|problem| wrong(&entry.place, &problem))
}

/// A value that cannot be, at its place.
pub(super) fn wrong(place: &str, problem: &impl ToString) -> ConfigError {
    ConfigError::Value {
        place: place.to_owned(),
        problem: problem.to_string(),
    }
}

pub(super) fn path(text: &str) -> Result<PathBuf, &'static str> {
    if text.is_empty() {
        Err("expected a path")
    } else {
        Ok(PathBuf::from(text))
    }
}

fn positive(text: &str) -> Result<usize, &'static str> {
    text.parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or("expected a whole number from 1")
}

/// `1048576`, `64KiB`, `10 MiB`, `2GiB`.
fn bytes(text: &str) -> Result<usize, &'static str> {
    let problem = "expected a number of bytes, such as 1048576, 64KiB, 10MiB or 2GiB";
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits).ok_or(problem)?;
    let unit: usize = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(problem),
    };
    let number = number
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    number.filter(|bytes| *bytes > 0).ok_or(problem)
}
