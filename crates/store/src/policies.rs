//! The policies that bear on a request, for `iam`.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use moho_iam::RoleSession;
use moho_iam::authz::{
    Attached, ModelAgreement, Policies, PolicySource, PolicyUnavailable, PrincipalFacts, PrincipalPolicies,
};
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_terms::{AccountId, Arn, KeyId, ModelId, RoleName};
use rusqlite::params;

use crate::Store;
use crate::error::StoreError;
use crate::iam::sources as iam;
use crate::keys;

/// Parsed policies. Only what exists is remembered, so that questions about absent things cost no memory; every change
/// of metadata forgets it all.
#[derive(Default)]
pub(crate) struct PolicyCache(RwLock<Cached>);

#[derive(Default)]
struct Cached {
    /// Counts the changes: what was read before one must not be remembered after it.
    generation: u64,
    roles: HashMap<(AccountId, RoleName), Arc<Role>>,
    keys: HashMap<Arn, Arc<PolicyDocument>>,
    agreements: HashMap<(AccountId, ModelId), ()>,
}

/// A role's policies.
struct Role {
    trust: Arc<PolicyDocument>,
    principal: Arc<PrincipalPolicies>,
}

impl PolicyCache {
    /// Forgets everything, after a change was committed.
    pub(crate) fn forget(&self) {
        let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *cached = Cached {
            generation: cached.generation.wrapping_add(1),
            ..Cached::default()
        };
    }

    /// What is remembered under `key`, or what `load` finds, which is then remembered.
    fn get<K: Hash + Eq, V: Clone>(
        &self,
        key: K,
        shelf: impl Fn(&mut Cached) -> &mut HashMap<K, V>,
        peek: impl Fn(&Cached) -> &HashMap<K, V>,
        load: impl FnOnce(&K) -> Result<Option<V>, StoreError>,
    ) -> Result<Option<V>, StoreError> {
        let before = {
            let cached = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = peek(&cached).get(&key) {
                return Ok(Some(known.clone()));
            }
            cached.generation
        };
        let found = load(&key)?;
        if let Some(found) = &found {
            let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if cached.generation == before {
                shelf(&mut cached).insert(key, found.clone());
            }
        }
        Ok(found)
    }
}

impl PolicySource for Store {
    fn policies(
        &self,
        session: &RoleSession,
        action: &str,
        resource: &Arn,
    ) -> Result<Policies, PolicyUnavailable> {
        self.bearing_on(session, action, resource)
            .map_err(PolicyUnavailable::new)
    }
}

impl Store {
    fn bearing_on(
        &self,
        session: &RoleSession,
        action: &str,
        resource: &Arn,
    ) -> Result<Policies, StoreError> {
        let mut policies = Policies::default();
        if let Some(name) = session.role()
            && let Some(role) = self.role(session.account(), name)?
        {
            policies.principal = Arc::clone(&role.principal);
        }
        let of_resource = match (resource.service(), resource.resource().split_once('/')) {
            ("iam", Some(("role", name))) if action.starts_with("sts:") => {
                self.trust_policy(resource, name)?
            }
            ("kms", Some(("key", key))) => self.key_policy(resource, key)?,
            _ => None,
        };
        policies.resource = of_resource.map(|document| Attached::new(resource.as_str(), document));
        self.guard_resource(&mut policies, resource)?;
        if let ("bedrock", Some(("foundation-model", model))) =
            (resource.service(), resource.resource().split_once('/'))
        {
            let agreed = match model.parse() {
                Ok(model) => self.model_agreed(session.account(), &model)?,
                Err(_) => false,
            };
            policies.model_agreement = if agreed {
                ModelAgreement::Accepted
            } else {
                ModelAgreement::Missing
            };
        }
        Ok(policies)
    }

    fn trust_policy(&self, role: &Arn, name: &str) -> Result<Option<Arc<PolicyDocument>>, StoreError> {
        let (Ok(account), Ok(name)) = (role.account().parse(), name.parse()) else {
            return Ok(None);
        };
        Ok(self.role(account, &name)?.map(|role| Arc::clone(&role.trust)))
    }

    fn role(&self, account: AccountId, name: &RoleName) -> Result<Option<Arc<Role>>, StoreError> {
        self.policies.get(
            (account, name.clone()),
            |cached| &mut cached.roles,
            |cached| &cached.roles,
            |(account, name)| self.load_role(*account, name),
        )
    }

    fn load_role(&self, account: AccountId, name: &RoleName) -> Result<Option<Arc<Role>>, StoreError> {
        let found = self.database.read(|connection| {
            let Some(role) = iam::role(connection, account, name.as_str())? else {
                return Ok(None);
            };
            let trust = iam::trust_policy(connection, &role)?;
            Ok(Some((trust, iam::permissions(connection, &role)?)))
        })?;
        let Some((trust, permissions)) = found else {
            return Ok(None);
        };
        let trust = self.parse(PolicyKind::Trust, &trust)?;
        let identity = permissions.into_iter().map(|(source, text)| {
            let document = self.parse(PolicyKind::Inline, &text)?;
            Ok(Attached::new(source, document))
        });
        let mut principal = PrincipalPolicies {
            identity: identity.collect::<Result<_, StoreError>>()?,
            facts: PrincipalFacts {
                exists: true,
                ..PrincipalFacts::default()
            },
            ..PrincipalPolicies::default()
        };
        self.guard_principal(&mut principal, account)?;
        Ok(Some(Arc::new(Role {
            trust,
            principal: Arc::new(principal),
        })))
    }

    fn key_policy(&self, arn: &Arn, key: &str) -> Result<Option<Arc<PolicyDocument>>, StoreError> {
        let Ok(key_id) = key.parse::<KeyId>() else {
            return Ok(None);
        };
        self.policies.get(
            arn.clone(),
            |cached| &mut cached.keys,
            |cached| &cached.keys,
            |arn| {
                let record = self.database.read(|connection| keys::find(connection, &key_id))?;
                match record {
                    Some(record) if record.arn()? == *arn => {
                        Ok(Some(self.parse(PolicyKind::Key, &record.policy)?))
                    }
                    _ => Ok(None),
                }
            },
        )
    }

    /// Whether the account agreed to use the model. No prompt reaches a model without.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said; treat it as no.
    pub fn model_agreed(&self, account: AccountId, model: &ModelId) -> Result<bool, StoreError> {
        let found = self.policies.get(
            (account, model.clone()),
            |cached| &mut cached.agreements,
            |cached| &cached.agreements,
            |(account, model)| {
                self.database.find(|connection| {
                    connection
                        .prepare("SELECT 1 FROM model_agreement WHERE account_id = ?1 AND model_id = ?2")?
                        .query_row(params![account.as_str(), model.as_str()], |_| Ok(()))
                })
            },
        )?;
        Ok(found.is_some())
    }

    /// Parses a stored document. It was parsed before it was stored, so one that does not parse was altered.
    fn parse(&self, kind: PolicyKind, text: &str) -> Result<Arc<PolicyDocument>, StoreError> {
        PolicyDocument::parse(kind, text)
            .map(Arc::new)
            .map_err(|error| self.database.damaged(error))
    }
}
