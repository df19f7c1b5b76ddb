//! Private endpoints as the settings file names them: each a listener of its own, for clients with a certificate.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use moho_terms::{AccountId, EndpointId, VpcId};

use super::ConfigError;
use super::resolve::{each, path, wrong};
use super::typed::{Typed, TypedTable};

/// A private endpoint's listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointConfig {
    /// Its id: `aws:SourceVpce` of what comes in by it.
    pub id: EndpointId,
    /// Where it listens.
    pub listen: Place,
    /// The private network it stands for.
    pub vpc: VpcId,
    /// The account that owns network and endpoint, and those whose principals may come in besides. Empty: the first
    /// account, and no other.
    pub accounts: Vec<AccountId>,
    /// Authorities of the certificates that clients have to show, in PEM.
    pub client_ca: PathBuf,
}

/// Where something listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An address of this machine.
    Address(SocketAddr),
    /// A Unix socket.
    Socket(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Understands all of them.
pub(super) fn resolve(typed: &Typed) -> Result<Vec<EndpointConfig>, ConfigError> {
    let tables = typed.tables("endpoints").iter();
    let endpoints: Vec<EndpointConfig> = tables.map(endpoint).collect::<Result<_, _>>()?;
    let mut owners = BTreeMap::new();
    for endpoint in &endpoints {
        let owner = endpoint.accounts.first();
        if *owners.entry(&endpoint.vpc).or_insert(owner) != owner {
            return Err(ConfigError::Together(
                "endpoints of one `vpc` have one owner: the first of their `accounts`",
            ));
        }
    }
    let alike = |a: &EndpointConfig, b: &EndpointConfig| match (&a.listen, &b.listen) {
        (Place::Address(one), Place::Address(other)) => one == other && one.port() != 0,
        (Place::Socket(one), Place::Socket(other)) => one == other,
        (Place::Address(_), Place::Socket(_)) | (Place::Socket(_), Place::Address(_)) => false,
    };
    let mut rest = endpoints.as_slice();
    while let [first, others @ ..] = rest {
        if others.iter().any(|other| alike(first, other)) {
            return Err(ConfigError::Together("two endpoints have the same `listen`"));
        }
        rest = others;
    }
    Ok(endpoints)
}

fn endpoint(table: &TypedTable) -> Result<EndpointConfig, ConfigError> {
    let id = table
        .name
        .parse()
        .map_err(|problem| wrong(&table.place, &problem))?;
    Ok(EndpointConfig {
        id,
        listen: required(table, "listen", place)?,
        vpc: required(table, "vpc", str::parse::<VpcId>)?,
        accounts: each(table.get("accounts"), str::parse::<AccountId>)?,
        client_ca: required(table, "client_ca", path)?,
    })
}

fn required<T, E: ToString>(
    table: &TypedTable,
    key: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, ConfigError> {
    let found = each(table.get(key), parse)?.into_iter().next_back();
    found.ok_or_else(|| wrong(&table.place, &format!("`{key}` is required")))
}

fn place(text: &str) -> Result<Place, &'static str> {
    let problem = "expected ADDRESS:PORT, such as 10.0.0.5:8443, or unix: and an absolute path";
    match text.strip_prefix("unix:") {
        Some(path) if path.starts_with('/') => Ok(Place::Socket(PathBuf::from(path))),
        Some(_) => Err(problem),
        None => text.parse().map(Place::Address).map_err(|_e| problem),
    }
}
