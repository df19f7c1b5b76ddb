//! What of a key bears on a decision: its policy, its grants, and what conditions ask about it.

use std::sync::Arc;

use moho_iam::authz::{Attached, Context, Policies};
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_kms::{KeptKey, KeyRecord, default_key_policy};
use moho_terms::{AccountId, Arn};

use super::policies::decided_by;
use crate::Store;
use crate::error::StoreError;

/// A key as decisions see it. That its record was not altered is for `kms` to say, before the key is used.
pub(super) struct Bearing {
    arn: Arn,
    policy: Attached,
    conditions: Arc<Context>,
}

impl Store {
    /// Adds what a key has but its grants to what bears on a request of `own`'s, and says whether there is that key. A key of one's own account that is not there is judged
    /// by the policy that keys begin with, so that who may use the account's keys is told that there is none, and nobody
    /// else. What other accounts have not is not there.
    pub(crate) fn bind_key(
        &self,
        policies: &mut Policies,
        resource: &Arn,
        own: AccountId,
    ) -> Result<bool, StoreError> {
        let Some(id) = resource.resource().strip_prefix("key/") else {
            return Ok(false);
        };
        match self.bearing(id)? {
            Some(key) if key.arn == *resource => {
                policies.resource = Some(key.policy.clone());
                policies.resource_conditions = Some(Arc::clone(&key.conditions));
                return Ok(true);
            }
            Some(_) | None if resource.account() == own.as_str() => {
                let document = self.default_policy(own)?;
                policies.resource = Some(Attached::new(resource.as_str(), document));
            }
            Some(_) | None => {}
        }
        Ok(false)
    }

    fn bearing(&self, id: &str) -> Result<Option<Arc<Bearing>>, StoreError> {
        self.ensure_fresh()?;
        let epoch = {
            let remembered = self.keys.read();
            if let Some(known) = remembered.bearing.get(id) {
                return Ok(Some(Arc::clone(known)));
            }
            remembered.epoch
        };
        let Some(kept) = self.kept_key(id)? else {
            return Ok(None);
        };
        let bearing = Arc::new(self.read_bearing(&kept)?);
        if let Some(mut remembered) = self.keys.since(epoch) {
            remembered.remember_bearing(id, Arc::clone(&bearing));
        }
        Ok(Some(bearing))
    }

    fn read_bearing(&self, kept: &KeptKey) -> Result<Bearing, StoreError> {
        let record = KeyRecord::peek(&kept.record).map_err(|error| self.database.damaged(error))?;
        let resource = format!("key/{}", kept.key_id);
        let arn = Arn::of("kms", kept.region.as_str(), kept.account.as_str(), &resource)?;
        let mut conditions = Context::new()
            .with("kms:KeySpec", record.spec.to_string())
            .with("kms:KeyUsage", record.usage.to_string())
            .with("kms:KeyOrigin", record.origin.to_string())
            .with("kms:MultiRegion", "false");
        for (key, value) in record.tags {
            conditions = conditions.with(&format!("aws:ResourceTag/{key}"), value);
        }
        let aliases = self.alias_names(&kept.key_id)?;
        if !aliases.is_empty() {
            conditions.set("kms:ResourceAliases", aliases);
        }
        let document = decided_by(PolicyKind::Key, (&record.policy, &record.principals))
            .map(Arc::new)
            .map_err(|error| self.database.damaged(error))?;
        Ok(Bearing {
            policy: Attached::new(arn.as_str(), document),
            arn,
            conditions: Arc::new(conditions),
        })
    }

    fn default_policy(&self, account: AccountId) -> Result<Arc<PolicyDocument>, StoreError> {
        let epoch = {
            let remembered = self.keys.read();
            if let Some(known) = remembered.defaults.get(&account) {
                return Ok(Arc::clone(known));
            }
            remembered.epoch
        };
        let document = self.parse(PolicyKind::Key, &default_key_policy(account))?;
        if let Some(mut remembered) = self.keys.since(epoch) {
            remembered.defaults.insert(account, Arc::clone(&document));
        }
        Ok(document)
    }
}
