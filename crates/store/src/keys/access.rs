//! What bears on who can use a key: the key's side, and every role and user of its account.

use moho_iam::action::{iam, kms};
use moho_iam::authz::{Permit, Policies, PrincipalPolicies};
use moho_terms::{AccountId, Arn};
use rusqlite::params;

use std::sync::Arc;

use super::{KeyError, key_of, limited};
use crate::Store;
use crate::database::term;
use crate::error::StoreError;

/// Roles and users in the order of their ARNs; a unique id tells who is meant if a name was another's before.
const PRINCIPALS: &str = "SELECT 'arn:aws:iam::' || account_id || ':role' || path || name AS arn, role_id
        FROM iam_role WHERE account_id = ?1
    UNION ALL SELECT 'arn:aws:iam::' || account_id || ':user' || path || name, identity_id
        FROM iam_identity WHERE account_id = ?1 AND kind = 'user'
    ORDER BY arn LIMIT ?2";

/// A role or user of an account, with all that binds it.
#[derive(Debug, Clone)]
pub struct AccountPrincipal {
    /// Its ARN.
    pub arn: Arn,
    /// `AROA…` or `AIDA…`
    pub id: String,
    /// Its policies.
    pub policies: Arc<PrincipalPolicies>,
}

impl Store {
    /// What a key itself has that bears on a decision: its policy, its grants, what conditions ask about it, and the guard
    /// policies over it. Both permits are for that key, of the caller's account.
    ///
    /// # Errors
    /// [`KeyError::OtherPermit`] if they are not, or [`KeyError::Store`].
    pub fn bearing_on_key(
        &self,
        policy: &Permit<kms::GetKeyPolicy>,
        grants: &Permit<kms::ListGrants>,
    ) -> Result<Policies, KeyError> {
        let arn = policy.resource();
        let key = key_of(policy)?;
        if key != key_of(grants)? || arn != grants.resource() {
            return Err(KeyError::OtherPermit);
        }
        let mut policies = Policies::default();
        if self.bind_key(&mut policies, arn, policy.session().account())? {
            policies.grants = self.all_grants_on(&key)?;
        }
        self.guard_resource(&mut policies, arn)?;
        Ok(policies)
    }

    /// The roles and users of the caller's account, at most `most` of them, and whether there are more.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn account_principals(
        &self,
        permit: &Permit<iam::GetAccountAuthorizationDetails>,
        most: usize,
    ) -> Result<(Vec<AccountPrincipal>, bool), StoreError> {
        let account = permit.session().account();
        let mut found = self.named_principals(account, most.saturating_add(1))?;
        let more = found.len() > most;
        found.truncate(most);
        let mut principals = Vec::new();
        for (arn, id) in found {
            // Whoever was deleted meanwhile is nobody.
            if let Some((id, policies)) = self.principal_of(account, &id)? {
                principals.push(AccountPrincipal { arn, id, policies });
            }
        }
        Ok((principals, more))
    }

    fn named_principals(&self, account: AccountId, most: usize) -> Result<Vec<(Arn, String)>, StoreError> {
        self.database.read(|connection| {
            connection
                .prepare(PRINCIPALS)?
                .query_map(params![account.as_str(), limited(most)], |row| {
                    Ok((term(row, 0)?, row.get(1)?))
                })?
                .collect()
        })
    }
}
