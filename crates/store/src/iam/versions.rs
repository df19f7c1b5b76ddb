//! Versions of managed policies: at most five, one of which holds.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_iam::policy::PolicyDocument;
use moho_terms::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Found;
use super::managed::{
    ManagedPolicy, Named, PolicyVersion, add_version, aws_version, named, own_of, versions,
};
use super::{IamCode, IamError, Listed, Page};
use crate::Store;
use crate::database::micros;

/// How many versions a policy may have.
pub(crate) const VERSIONS: usize = 5;

impl Store {
    /// Adds a version to the managed policy that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `LimitExceeded`.
    pub fn create_policy_version(
        &self,
        permit: &Permit<iam::CreatePolicyVersion>,
        document: &PolicyDocument,
        default: bool,
        now: Timestamp,
    ) -> Result<PolicyVersion, IamError> {
        self.changed(|transaction| {
            let policy = own_of(transaction, permit)?;
            if versions(transaction, &policy)?.len() >= VERSIONS {
                let message = "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.";
                return Err(IamCode::LimitExceeded.because(message).into());
            }
            let version: u32 = transaction
                .prepare(
                    "UPDATE iam_policy SET last_version = last_version + 1 WHERE policy_id = ?1 RETURNING last_version",
                )?
                .query_row([&policy.id], |row| row.get(0))?;
            add_version(transaction, &policy.id, version, document, now)?;
            if default {
                make_default(transaction, &policy, version, now)?;
            }
            Ok(PolicyVersion {
                version,
                document: document.as_str().to_owned(),
                default,
                created_at: now,
            })
        })
    }

    /// A version of the managed policy that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn get_policy_version(
        &self,
        permit: &Permit<iam::GetPolicyVersion>,
        version: u32,
    ) -> Result<PolicyVersion, IamError> {
        self.database.look(|connection| {
            let all = match named(connection, permit)? {
                Named::Own(policy) => versions(connection, &policy)?,
                Named::Aws(policy) => vec![aws_version(policy)],
            };
            let found = all.into_iter().find(|found| found.version == version);
            found.ok_or_else(|| no_version(permit.resource().as_str(), version).into())
        })
    }

    /// The versions of the managed policy that the permit is for, the newest first.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn list_policy_versions(
        &self,
        permit: &Permit<iam::ListPolicyVersions>,
        page: Page<'_>,
    ) -> Result<Listed<PolicyVersion>, IamError> {
        self.database.look(|connection| {
            let all = match named(connection, permit)? {
                Named::Own(policy) => versions(connection, &policy)?,
                Named::Aws(policy) => vec![aws_version(policy)],
            };
            let after: Option<u32> = page.after.and_then(|after| after.parse().ok());
            let rows = all
                .into_iter()
                .map(|version| (version.version.to_string(), version));
            let rows = rows.filter(|(_, found)| after.is_none_or(|after| found.version < after));
            Ok(Listed::cut(rows.collect(), page.limit))
        })
    }

    /// Removes a version of the managed policy that the permit is for, which must not be the default.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `DeleteConflict`.
    pub fn delete_policy_version(
        &self,
        permit: &Permit<iam::DeletePolicyVersion>,
        version: u32,
    ) -> Result<(), IamError> {
        self.changed(|transaction| {
            let policy = own_of(transaction, permit)?;
            require_version(transaction, &policy, version)?;
            if policy.default_version == version {
                let message = "Cannot delete the default version of a policy.";
                return Err(IamCode::DeleteConflict.because(message).into());
            }
            transaction
                .prepare("DELETE FROM iam_policy_version WHERE policy_id = ?1 AND version = ?2")?
                .execute(params![policy.id, version])?;
            Ok(())
        })
    }

    /// Makes a version of the managed policy that the permit is for the one that holds.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn set_default_policy_version(
        &self,
        permit: &Permit<iam::SetDefaultPolicyVersion>,
        version: u32,
        now: Timestamp,
    ) -> Result<(), IamError> {
        self.changed(|transaction| {
            let policy = own_of(transaction, permit)?;
            require_version(transaction, &policy, version)?;
            Ok(make_default(transaction, &policy, version, now)?)
        })
    }
}

fn make_default(
    transaction: &Transaction<'_>,
    policy: &ManagedPolicy,
    version: u32,
    now: Timestamp,
) -> rusqlite::Result<()> {
    transaction
        .prepare("UPDATE iam_policy SET default_version = ?2, updated_at = ?3 WHERE policy_id = ?1")?
        .execute(params![policy.id, version, micros(now)])
        .map(|_| ())
}

fn require_version(connection: &Connection, policy: &ManagedPolicy, version: u32) -> Found<()> {
    connection
        .prepare("SELECT 1 FROM iam_policy_version WHERE policy_id = ?1 AND version = ?2")?
        .query_row(params![policy.id, version], |_| Ok(()))
        .optional()?
        .ok_or_else(|| no_version(&policy.arn, version).into())
}

fn no_version(arn: &str, version: u32) -> IamError {
    let message = format!("Policy {arn} version v{version} does not exist or is not attachable.");
    IamCode::NoSuchEntity.because(message)
}
