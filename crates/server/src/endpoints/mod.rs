//! Private endpoints: by which of them a request came, and what its policy says.
//!
//! The settings name listeners, each an endpoint from the start, for everything that moho serves. The account that owns
//! such a network can make an endpoint of its own for one service in it; what then comes in by the network's listeners for
//! that service passes that endpoint, and its policy. Whichever it is, only principals of the accounts that the settings
//! allow come in: that is a statement of the policy, so that a refusal is decided, worded and journaled like any other.

mod services;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

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
    known: RwLock<Known>,
}

/// What was found out, until something changes.
#[derive(Default)]
struct Known {
    /// Counts the changes: what was read before one must not be remembered after it.
    generation: u64,
    /// By listener and service, of which there are few.
    facts: HashMap<(EndpointId, &'static str), Arc<EndpointFacts>>,
}

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
        store.note_configured_endpoints(configured.keys(), now)?;
        Ok(Self {
            configured,
            region,
            store,
            known: RwLock::default(),
        })
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
        let before = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(facts) = known.facts.get(&key) {
                return Ok(Arc::clone(facts));
            }
            known.generation
        };
        let found = Arc::new(self.find(listener, service)?);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.generation == before {
            known.facts.insert(key, Arc::clone(&found));
        }
        Ok(found)
    }

    /// Forgets what was found out, after a change was committed.
    pub(crate) fn forget(&self) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        *known = Known {
            generation: known.generation.wrapping_add(1),
            ..Known::default()
        };
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

/// Denies everything to everybody whose account is none of these.
fn guard(accounts: &[AccountId]) -> Result<PolicyDocument, PolicyError> {
    let names: Vec<String> = accounts.iter().map(|account| format!("\"{account}\"")).collect();
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"AllowedAccountsOnly","Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{{"StringNotEquals":{{"aws:PrincipalAccount":[{}]}}}}}}]}}"#,
        names.join(",")
    );
    PolicyDocument::parse(PolicyKind::Endpoint, &text)
}

#[cfg(test)]
mod tests;
