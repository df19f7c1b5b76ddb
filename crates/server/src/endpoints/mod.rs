//! Private endpoints: by which of them a request came, and what its policy says.
//!
//! The settings name listeners, each an endpoint from the start, for everything that moho serves. The account that owns
//! such a network can make an endpoint of its own for one service in it; what then comes in by the network's listeners for
//! that service passes that endpoint, and its policy. Whichever it is, only principals of the accounts that the settings
//! allow come in: that is a statement of the policy, so that a refusal is decided, worded and journaled like any other.

mod services;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use moho_iam::authz::{Attached, EndpointFacts};
use moho_iam::policy::{PolicyDocument, PolicyError, PolicyKind};
use moho_store::{Store, StoreError};
use moho_terms::{AccountId, EndpointId, Region, Timestamp, VpcId};

use crate::config::EndpointConfig;

pub(crate) use services::{EVERYTHING, SERVICES, of_request, service_name};

/// Who may pass an endpoint without a policy of its own: everybody whom the settings allow, for everything.
pub(crate) const DEFAULT_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

/// Why the endpoints of the settings cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndpointError {
    /// A policy that cannot be: too many accounts, or one that was stored and altered.
    #[error("the policy of the private endpoint {id} cannot be used")]
    Policy {
        /// The endpoint.
        id: EndpointId,
        /// What is wrong with it.
        source: PolicyError,
    },
    /// The store is away.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// None of that id is served: the rim and the settings do not agree.
    #[error("there is no private endpoint {0}")]
    Unknown(EndpointId),
}

/// One that the settings name.
pub(crate) struct Configured {
    /// The network.
    pub(crate) vpc: VpcId,
    /// Whose network and endpoint it is.
    pub(crate) owner: AccountId,
    /// Turns everybody else away but those whom the settings allow.
    guard: PolicyDocument,
}

/// All of them.
pub(crate) struct Endpoints {
    configured: BTreeMap<EndpointId, Configured>,
    region: Region,
    store: Arc<Store>,
    /// What there is to know, so that a request need not wait for the store.
    known: RwLock<Known>,
    /// Held while that is read anew: of two changes, what was read last has to stay.
    renewing: Mutex<()>,
}

/// What was read, and what the store's changes were counted at before.
#[derive(Default)]
struct Known {
    at: u64,
    facts: Facts,
}

/// By listener and service, of which there are few.
type Facts = HashMap<(EndpointId, &'static str), Arc<EndpointFacts>>;

impl Endpoints {
    /// Those that the settings name; `first` owns those without an owner.
    pub(crate) fn open(
        config: &[EndpointConfig],
        (first, region): (AccountId, Region),
        store: Arc<Store>,
        now: Timestamp,
    ) -> Result<Self, EndpointError> {
        let mut configured = BTreeMap::new();
        for endpoint in config {
            let accounts = match endpoint.accounts.as_slice() {
                [] => &[first],
                some => some,
            };
            let guard = guard(accounts).map_err(|source| EndpointError::Policy {
                id: endpoint.id.clone(),
                source,
            })?;
            let one = Configured {
                vpc: endpoint.vpc.clone(),
                owner: accounts.first().copied().unwrap_or(first),
                guard,
            };
            configured.insert(endpoint.id.clone(), one);
        }
        let owners = configured.iter().map(|(id, one)| (id, one.owner));
        store.note_configured_endpoints(owners, now)?;
        let opened = Self {
            configured,
            region,
            store,
            known: RwLock::default(),
            renewing: Mutex::default(),
        };
        let known = opened.find_all()?;
        *opened.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(opened)
    }

    /// Those that the settings name, by their ids.
    pub(crate) fn configured(&self) -> &BTreeMap<EndpointId, Configured> {
        &self.configured
    }

    /// Whether the settings have a network of this id that `account` owns.
    pub(crate) fn owns(&self, account: AccountId, vpc: &VpcId) -> bool {
        let mut all = self.configured.values();
        all.any(|endpoint| endpoint.owner == account && endpoint.vpc == *vpc)
    }

    /// What policies can know of a request for `service` that came in by a listener.
    ///
    /// # Errors
    /// [`EndpointError`]: it cannot be said, so nothing may pass.
    pub(crate) fn facts(
        &self,
        listener: &EndpointId,
        service: &'static str,
    ) -> Result<Arc<EndpointFacts>, EndpointError> {
        let key = (listener.clone(), service);
        let at = self.store.metadata_changes()?;
        let known = |known: &Known| known.facts.get(&key).filter(|_| known.at == at).cloned();
        if let Some(facts) = known(&self.known.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(facts);
        }
        // Another process may have changed it, or this one something else.
        self.renew_unless(|known| known.at == at);
        match known(&self.known.read().unwrap_or_else(PoisonError::into_inner)) {
            Some(facts) => Ok(facts),
            None => self.find(listener, service).map(Arc::new),
        }
    }

    /// Reads everything anew, after a change was committed; where that fails, every request asks the store itself. To be
    /// called where waiting for the store is no harm.
    pub(crate) fn renew(&self) {
        self.renew_unless(|_| false);
    }

    fn renew_unless(&self, is_new: impl FnOnce(&Known) -> bool) {
        let _one_by_one = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
        if is_new(&self.known.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let fresh = self.find_all().unwrap_or_else(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the private endpoints could not be read anew"
            );
            Known::default()
        });
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }

    fn find_all(&self) -> Result<Known, EndpointError> {
        let at = self.store.metadata_changes()?;
        let mut all = Facts::new();
        for id in self.configured.keys() {
            for service in SERVICES {
                let facts = Arc::new(self.find(id, service)?);
                all.insert((id.clone(), service), facts);
            }
        }
        Ok(Known { at, facts: all })
    }

    fn find(&self, listener: &EndpointId, service: &str) -> Result<EndpointFacts, EndpointError> {
        let unknown = || EndpointError::Unknown(listener.clone());
        let configured = self.configured.get(listener).ok_or_else(unknown)?;
        let service = service_name(&self.region, service);
        let made = self
            .store
            .endpoint_for(configured.owner, &configured.vpc, &service)?;
        let (id, policy) = match made {
            Some(made) => (made.id, made.policy),
            None => {
                let kept = self.store.configured_endpoint(listener)?.ok_or_else(unknown)?;
                (listener.clone(), kept.policy)
            }
        };
        let text = policy.as_deref().unwrap_or(DEFAULT_POLICY);
        let policy =
            PolicyDocument::parse(PolicyKind::Endpoint, text).map_err(|source| EndpointError::Policy {
                id: id.clone(),
                source,
            })?;
        let name = format!(
            "arn:aws:ec2:{}:{}:vpc-endpoint/{id}",
            self.region, configured.owner
        );
        Ok(EndpointFacts {
            id: id.to_string(),
            vpc: configured.vpc.to_string(),
            account: configured.owner,
            policy: Attached::new(name, Arc::new(policy.followed_by(&configured.guard))),
        })
    }
}

/// Denies everything to everybody whose account is none of these. A web identity has none yet: what counts is the account
/// of the role that it asks for. Whoever has neither is denied.
fn guard(accounts: &[AccountId]) -> Result<PolicyDocument, PolicyError> {
    let names: Vec<String> = accounts.iter().map(|account| format!("\"{account}\"")).collect();
    let deny = |sid: &str, nobody_yet: bool, key: &str| {
        format!(
            r#"{{"Sid":"{sid}","Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{{"Null":{{"aws:PrincipalAccount":"{nobody_yet}"}},"StringNotEquals":{{"{key}":[{}]}}}}}}"#,
            names.join(",")
        )
    };
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{},{}]}}"#,
        deny("AllowedAccountsOnly", false, "aws:PrincipalAccount"),
        deny("RolesOfAllowedAccountsOnly", true, "aws:ResourceAccount"),
    );
    PolicyDocument::parse(PolicyKind::Endpoint, &text)
}

#[cfg(test)]
mod tests;
