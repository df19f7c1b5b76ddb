//! The policies that bear on a request, for `iam`.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use moho_iam::authz::{
    Attached, ModelAgreement, Policies, PolicySource, PolicyUnavailable, PrincipalPolicies,
};
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_iam::{PolicyRef, Session};
use moho_terms::{AccountId, Arn, BucketName, ModelId, RoleName};
use rusqlite::params;

use crate::Store;
use crate::error::StoreError;
use crate::objects::BucketFacts;

/// How many things of a kind are remembered before all of that kind is forgotten.
const MOST: usize = 1 << 16;

/// The same of what callers choose the names of, so that one of them fills little memory.
const FEW: usize = 1000;

/// Things by their names, at most so many of them.
pub(crate) struct Shelf<K, V, const MOST: usize>(HashMap<K, V>);

impl<K, V, const MOST: usize> Default for Shelf<K, V, MOST> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

/// Parsed policies. Every change of metadata forgets it all.
#[derive(Default)]
pub(crate) struct PolicyCache(RwLock<Cached>);

#[derive(Default)]
pub(crate) struct Cached {
    /// Counts the changes: what was read before one must not be remembered after it.
    generation: u64,
    /// Roles as resources, by their names.
    pub(crate) roles: Shelf<(AccountId, RoleName), Arc<TrustedRole>, MOST>,
    /// Names that no role has: asking for them again costs no more than asking for one that is there.
    pub(crate) absent_roles: Shelf<(AccountId, RoleName), (), FEW>,
    /// Roles and users as principals, by their unique ids.
    pub(crate) principals: Shelf<String, Arc<PrincipalPolicies>, MOST>,
    /// The same with the managed policies that narrow a session.
    pub(crate) narrowed: Shelf<(String, Vec<PolicyRef>), Arc<PrincipalPolicies>, FEW>,
    agreements: Shelf<(AccountId, ModelId), (), MOST>,
    /// Buckets as resources.
    pub(crate) buckets: Shelf<BucketName, Arc<BucketFacts>, MOST>,
}

/// A role as a resource: what can be assumed.
pub(crate) struct TrustedRole {
    pub(crate) arn: Arn,
    pub(crate) trust: Arc<PolicyDocument>,
    pub(crate) tags: BTreeMap<String, String>,
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

    /// How often it forgot everything.
    pub(crate) fn generation(&self) -> u64 {
        let cached = self.0.read().unwrap_or_else(PoisonError::into_inner);
        cached.generation
    }

    #[cfg(test)]
    pub(crate) fn absent_count(&self) -> usize {
        let cached = self.0.read().unwrap_or_else(PoisonError::into_inner);
        cached.absent_roles.0.len()
    }

    /// What is remembered under `key`, or what `load` finds, which is then remembered. All that it is made of has to be read
    /// by `load`: what was read before may be older than the change that the memory counts up to.
    pub(crate) fn get<K: Hash + Eq, V: Clone, const MOST: usize>(
        &self,
        key: K,
        shelf: impl Fn(&mut Cached) -> &mut Shelf<K, V, MOST>,
        peek: impl Fn(&Cached) -> &Shelf<K, V, MOST>,
        load: impl FnOnce(&K) -> Result<Option<V>, StoreError>,
    ) -> Result<Option<V>, StoreError> {
        let before = {
            let cached = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = peek(&cached).0.get(&key) {
                return Ok(Some(known.clone()));
            }
            cached.generation
        };
        let found = load(&key)?;
        if let Some(found) = &found {
            let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if cached.generation == before {
                let shelf = &mut shelf(&mut cached).0;
                if shelf.len() >= MOST {
                    shelf.clear();
                }
                shelf.insert(key, found.clone());
            }
        }
        Ok(found)
    }
}

impl PolicySource for Store {
    fn policies(
        &self,
        session: &Session,
        action: &str,
        resource: &Arn,
    ) -> Result<Policies, PolicyUnavailable> {
        self.bearing_on(session, (action, None), resource)
            .map_err(PolicyUnavailable::new)
    }

    fn policies_about(
        &self,
        session: &Session,
        action: &str,
        resource: &Arn,
        grant: &str,
    ) -> Result<Policies, PolicyUnavailable> {
        self.bearing_on(session, (action, Some(grant)), resource)
            .map_err(PolicyUnavailable::new)
    }
}

impl Store {
    /// What is remembered of policies, as [`PolicyCache::get`] has it, if it may still count.
    pub(crate) fn remembered<K: Hash + Eq, V: Clone, const MOST: usize>(
        &self,
        key: K,
        shelf: impl Fn(&mut Cached) -> &mut Shelf<K, V, MOST>,
        peek: impl Fn(&Cached) -> &Shelf<K, V, MOST>,
        load: impl FnOnce(&K) -> Result<Option<V>, StoreError>,
    ) -> Result<Option<V>, StoreError> {
        self.ensure_fresh()?;
        self.policies.get(key, shelf, peek, load)
    }

    /// What bears on an action on a resource, which may be about one of its grants.
    fn bearing_on(
        &self,
        session: &Session,
        (action, grant): (&str, Option<&str>),
        resource: &Arn,
    ) -> Result<Policies, StoreError> {
        let mut policies = Policies {
            principal: self.principal(session)?,
            ..Policies::default()
        };
        let mut tags = BTreeMap::new();
        // What is another account's is not even looked up, so that it is as if it were not there. Of roles the trust policy
        // says for whom their tags count.
        let own = resource.account() == session.account().as_str();
        match (resource.service(), resource.resource().split_once('/')) {
            ("iam", Some(("role", _))) => {
                if let Some(role) = self.trusted_role(resource)? {
                    let assumed = action.starts_with("sts:");
                    if own || assumed {
                        tags.clone_from(&role.tags);
                    }
                    if assumed {
                        policies.resource = Some(Attached::new(resource.as_str(), Arc::clone(&role.trust)));
                    }
                }
            }
            ("iam", Some((kind, _))) if own => tags = self.iam_tags(kind, resource)?,
            ("bedrock", Some(("application-inference-profile", id))) => {
                if own {
                    tags = self.profile_tags(resource, id)?;
                }
                policies.model_agreement = ModelAgreement::Accepted;
            }
            ("bedrock", Some(("prompt", _))) if own => tags = self.tags_of_prompt(resource)?,
            ("cloudtrail", Some(("trail", _))) if own => tags = self.tags_of_trail(resource)?,
            // What has to be agreed to is the model, on which it is decided apart.
            ("bedrock", Some(("inference-profile", _))) => {
                policies.model_agreement = ModelAgreement::Accepted
            }
            ("s3", _) => self.bind_bucket(&mut policies, (action, resource), session)?,
            ("kms", Some(("key", id))) => {
                let there = self.bind_key(&mut policies, resource, session.account())?;
                policies.grants = if there {
                    self.grants_to(id, session, grant)?
                } else {
                    None
                };
            }
            _ => {}
        }
        self.guard_resource(&mut policies, resource)?;
        tags.extend(self.bind_logs(&mut policies, resource, own)?);
        // What a closed account has looks as if it were not there.
        if !tags.is_empty() && policies.resource_facts.account.is_some() {
            Arc::make_mut(&mut policies.resource_facts).tags = tags;
        }
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

    /// Whether the account agreed to use the model. No prompt reaches a model without.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said; treat it as no.
    pub fn model_agreed(&self, account: AccountId, model: &ModelId) -> Result<bool, StoreError> {
        let found = self.remembered(
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
    pub(crate) fn parse(&self, kind: PolicyKind, text: &str) -> Result<Arc<PolicyDocument>, StoreError> {
        PolicyDocument::parse(kind, text)
            .map(Arc::new)
            .map_err(|error| self.database.damaged(error))
    }

    /// Parses a trust policy as decisions read it: ids may be longer than the names they stand for.
    pub(crate) fn parse_trust(&self, text: &str) -> Result<Arc<PolicyDocument>, StoreError> {
        PolicyDocument::parse_exchanged(PolicyKind::Trust, text)
            .map(Arc::new)
            .map_err(|error| self.database.damaged(error))
    }
}
