//! Resource policies: who else may do something with an account's groups, such as services that deliver logs.

use std::sync::Arc;

use moho_iam::action::logs::{DeleteResourcePolicy, DescribeResourcePolicies, PutResourcePolicy};
use moho_iam::authz::{Attached, Permit};
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_terms::{Arn, Timestamp};
use rusqlite::{Row, params};

use super::account_of;
use crate::Store;
use crate::database::{counted, micros, time};
use crate::error::StoreError;

/// Resource policies of one account, as at AWS.
const MOST: u64 = 10;

/// A resource policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPolicy {
    /// Its name.
    pub name: String,
    /// What it says.
    pub document: String,
    /// When it was put.
    pub updated: Timestamp,
}

/// What came of putting one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogPolicyPut {
    /// It is there.
    Done,
    /// The account has as many as it may.
    Full,
}

impl Store {
    /// Puts a policy, in the place of one that has its name. It has been parsed.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing has changed.
    pub fn put_log_policy(
        &self,
        permit: &Permit<PutResourcePolicy>,
        (name, document): (&str, &PolicyDocument),
        now: Timestamp,
    ) -> Result<LogPolicyPut, StoreError> {
        let account = account_of(permit)?;
        self.database.write(|transaction| {
            let others = "SELECT count(*) FROM log_policy WHERE account_id = ?1 AND name <> ?2";
            let others =
                transaction.query_row(others, params![account.as_str(), name], |row| counted(row, 0))?;
            if others >= MOST {
                return Ok(LogPolicyPut::Full);
            }
            transaction.execute(
                "INSERT INTO log_policy (account_id, name, document, updated_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (account_id, name) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at",
                params![account.as_str(), name, document.as_str(), micros(now)],
            )?;
            Ok(LogPolicyPut::Done)
        })
    }

    /// The policies of the permit's account, in the order of their names.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn log_policies(
        &self,
        permit: &Permit<DescribeResourcePolicies>,
    ) -> Result<Vec<LogPolicy>, StoreError> {
        self.log_policies_of(account_of(permit)?.as_str())
    }

    /// Deletes a policy; `false` if there is none of this name.
    ///
    /// # Errors
    /// [`StoreError`]; then it is still there.
    pub fn delete_log_policy(
        &self,
        permit: &Permit<DeleteResourcePolicy>,
        name: &str,
    ) -> Result<bool, StoreError> {
        let account = account_of(permit)?;
        self.database.write(|transaction| {
            let delete = "DELETE FROM log_policy WHERE account_id = ?1 AND name = ?2";
            Ok(transaction.execute(delete, params![account.as_str(), name])? > 0)
        })
    }

    /// The policies of the account that has something, all of them as one.
    pub(super) fn log_policy_of(&self, resource: &Arn) -> Result<Option<Attached>, StoreError> {
        let mut all: Option<Arc<PolicyDocument>> = None;
        for policy in self.log_policies_of(resource.account())? {
            let document = self.parse(PolicyKind::Resource, &policy.document)?;
            all = Some(match all {
                None => document,
                Some(before) => Arc::new(before.followed_by(&document)),
            });
        }
        Ok(all.map(|all| Attached::new(resource.as_str(), all)))
    }

    fn log_policies_of(&self, account: &str) -> Result<Vec<LogPolicy>, StoreError> {
        self.database.read(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT name, document, updated_at FROM log_policy WHERE account_id = ?1 ORDER BY name",
            )?;
            let rows = select.query_map([account], |row: &Row<'_>| {
                Ok(LogPolicy {
                    name: row.get(0)?,
                    document: row.get(1)?,
                    updated: time(row, 2)?,
                })
            })?;
            rows.collect()
        })
    }
}
