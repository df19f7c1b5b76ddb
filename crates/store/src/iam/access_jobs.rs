//! Questions about when services were last used, each under an id that its asker comes back with.

use std::sync::Arc;

use moho_iam::action::iam;
use moho_iam::authz::{Attached, Permit};
use moho_iam::policy::PolicyKind;
use moho_terms::{AccountId, Arn, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::entities::{self, EntityFilter};
use super::error::Found;
use super::{IamCode, IamError, bound, managed, roles, users};
use crate::Store;
use crate::database::{micros, term, time};
use crate::error::StoreError;

/// How many questions of an account are remembered; older ones are forgotten.
const MOST: u32 = 1000;

/// A role or user whose use of services is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedAbout {
    /// `role/name` or `user/name`.
    pub whose: String,
    /// Its ARN.
    pub arn: String,
    /// When it was made: what was used before was used by another.
    pub since: Timestamp,
}

/// A question that was asked.
#[derive(Debug, Clone)]
pub struct AccessJob {
    /// About which role, user, group or policy.
    pub arn: Arn,
    /// When.
    pub asked_at: Timestamp,
    /// Whose use counts: the role or user itself, a group's members, whoever has a policy.
    pub principals: Vec<AskedAbout>,
    /// The policies that say which services can be used.
    pub policies: Vec<Attached>,
}

impl Store {
    /// Remembers a question about what the permit is for under `job`.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn ask_last_accesses(
        &self,
        permit: &Permit<iam::GenerateServiceLastAccessedDetails>,
        job: &str,
        now: Timestamp,
    ) -> Result<(), IamError> {
        let (account, arn) = (permit.session().account(), permit.resource());
        self.database.change(|transaction| {
            principals(transaction, account, arn)?;
            transaction
                .prepare("INSERT INTO iam_access_job VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![job, account.as_str(), arn.as_str(), micros(now)])?;
            transaction
                .prepare(
                    "DELETE FROM iam_access_job WHERE account_id = ?1 AND job_id NOT IN
                        (SELECT job_id FROM iam_access_job WHERE account_id = ?1 ORDER BY asked_at DESC LIMIT ?2)",
                )?
                .execute(params![account.as_str(), MOST])?;
            Ok(())
        })
    }

    /// The question of the caller's account that was asked under `job`.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn asked_last_accesses(
        &self,
        permit: &Permit<iam::GetServiceLastAccessedDetails>,
        job: &str,
    ) -> Result<AccessJob, IamError> {
        let account = permit.session().account();
        let (arn, asked_at, principals) = self.database.look(|connection| {
            let found: Option<(Arn, Timestamp)> = connection
                .prepare("SELECT arn, asked_at FROM iam_access_job WHERE job_id = ?1 AND account_id = ?2")?
                .query_row(params![job, account.as_str()], |row| {
                    Ok((term(row, 0)?, time(row, 1)?))
                })
                .optional()?;
            let (arn, asked_at) = found
                .ok_or_else(|| IamCode::NoSuchEntity.because(format!("Job with id {job} does not exist.")))?;
            let principals = principals(connection, account, &arn)?;
            Ok((arn, asked_at, principals))
        })?;
        let policies = self.policies_at(account, &arn)?;
        Ok(AccessJob {
            arn,
            asked_at,
            principals,
            policies,
        })
    }

    fn policies_at(&self, account: AccountId, arn: &Arn) -> Result<Vec<Attached>, StoreError> {
        if arn.resource().starts_with("policy/") {
            let text = self
                .database
                .read(|connection| managed::document(connection, account, arn.as_str()))?;
            let Some(text) = text else { return Ok(Vec::new()) };
            let document = self.parse(PolicyKind::Identity, &text)?;
            return Ok(vec![Attached::new(arn.as_str(), document)]);
        }
        let found = self.principal_at(account, arn)?;
        Ok(found
            .map(|policies| Arc::unwrap_or_clone(policies).identity)
            .unwrap_or_default())
    }
}

/// Whose use counts.
///
/// # Errors
/// `NoSuchEntity`.
fn principals(connection: &Connection, account: AccountId, arn: &Arn) -> Found<Vec<AskedAbout>> {
    let absent = || IamCode::NoSuchEntity.because(format!("ARN {arn} does not exist."));
    let kind = arn.resource().split('/').next().unwrap_or("");
    let (_path, name) = bound::path_and_name(arn, kind);
    let found = match kind {
        "role" => {
            let role = roles::find(connection, account, name)?;
            let role = role.filter(|role| role.arn().is_ok_and(|known| known == *arn));
            Some(vec![role.map(|role| about_role(&role)).ok_or_else(absent)?])
        }
        "user" => users::asked_about(connection, account, arn)?.map(|user| vec![user]),
        "group" => users::members_asked_about(connection, account, arn)?,
        "policy" => {
            if managed::document(connection, account, arn.as_str())?.is_none() {
                return Err(absent().into());
            }
            Some(having(connection, account, arn)?)
        }
        _ => None,
    };
    found.ok_or_else(|| absent().into())
}

fn about_role(role: &roles::Role) -> AskedAbout {
    AskedAbout {
        whose: format!("role/{}", role.name),
        arn: super::names::arn(role.account.as_str(), "role", &role.path, role.name.as_str()),
        since: role.created_at,
    }
}

/// The roles and users that have a policy, the members of its groups included.
fn having(connection: &Connection, account: AccountId, policy: &Arn) -> rusqlite::Result<Vec<AskedAbout>> {
    let filter = EntityFilter {
        usage_is_boundary: Some(false),
        ..EntityFilter::default()
    };
    let mut all = Vec::new();
    for entity in entities::having(connection, account, policy.as_str(), &filter)? {
        match entity.kind {
            entities::EntityKind::Role => {
                all.extend(
                    roles::find_id(connection, account, &entity.id)?
                        .as_ref()
                        .map(about_role),
                );
            }
            entities::EntityKind::User => all.extend(users::about(connection, &entity.id)?),
            entities::EntityKind::Group => all.extend(users::members(connection, &entity.id)?),
        }
    }
    all.sort_by(|one, two| one.arn.cmp(&two.arn));
    all.dedup();
    Ok(all)
}
