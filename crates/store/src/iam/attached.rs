//! What hangs on a role: inline policies, attached managed policies, the boundary.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_iam::policy::PolicyDocument;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::Found;
use super::names::subject;
use super::roles::{modifiable, required};
use super::{EntityKind, IamCode, IamError, Listed, Page, managed};
use crate::Store;

/// How many managed policies a role may have.
pub(crate) const ATTACHED: u32 = 10;

/// A managed policy that is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedPolicy {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
}

impl AttachedPolicy {
    pub(crate) fn of(arn: String) -> Self {
        let name = arn.rsplit('/').next().unwrap_or("").to_owned();
        Self { arn, name }
    }

    /// What it is listed under: first AWS's, then the account's, each by their names.
    pub(crate) fn key(&self) -> String {
        let owner = if self.arn.starts_with("arn:aws:iam::aws:") {
            '0'
        } else {
            '1'
        };
        format!("{owner}{}", self.name.to_ascii_lowercase())
    }
}

impl Store {
    /// Gives the role that the permit is for an inline policy, or another text to one it has.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `UnmodifiableEntity`, `LimitExceeded`.
    pub fn put_role_policy(
        &self,
        permit: &Permit<iam::PutRolePolicy>,
        name: &str,
        document: &PolicyDocument,
    ) -> Result<(), IamError> {
        let subject = subject(permit, "role")?;
        self.changed(|transaction| {
            let role = modifiable(transaction, &subject)?;
            transaction
                .prepare(
                    "INSERT INTO iam_role_policy VALUES (?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET document = excluded.document",
                )?
                .execute(params![role.id, name, document.as_str()])?;
            let all = inline(transaction, &role.id)?;
            let bytes: usize = all.iter().map(|(_, text)| weight(text)).sum();
            let most = EntityKind::Role.inline_bytes();
            if bytes > most {
                let message = format!(
                    "Maximum policy size of {most} bytes exceeded for role {}",
                    role.name
                );
                return Err(IamCode::LimitExceeded.because(message).into());
            }
            Ok(())
        })
    }

    /// An inline policy of the role that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn get_role_policy(
        &self,
        permit: &Permit<iam::GetRolePolicy>,
        name: &str,
    ) -> Result<String, IamError> {
        let subject = subject(permit, "role")?;
        self.database.look(|connection| {
            let role = required(connection, &subject)?;
            let document = connection
                .prepare("SELECT document FROM iam_role_policy WHERE role_id = ?1 AND name = ?2")?
                .query_row(params![role.id, name], |row| row.get(0))
                .optional()?;
            document.ok_or_else(|| no_inline(name).into())
        })
    }

    /// The names of the inline policies of the role that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn list_role_policies(
        &self,
        permit: &Permit<iam::ListRolePolicies>,
        page: Page<'_>,
    ) -> Result<Listed<String>, IamError> {
        let subject = subject(permit, "role")?;
        self.database.look(|connection| {
            let role = required(connection, &subject)?;
            let select =
                "SELECT name FROM iam_role_policy WHERE role_id = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
            let names = connection
                .prepare(select)?
                .query_map(params![role.id, page.start(), page.rows()], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<String>>>()?;
            let rows = names.into_iter().map(|name| (name.clone(), name)).collect();
            Ok(Listed::cut(rows, page.limit))
        })
    }

    /// Removes an inline policy of the role that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `UnmodifiableEntity`.
    pub fn delete_role_policy(
        &self,
        permit: &Permit<iam::DeleteRolePolicy>,
        name: &str,
    ) -> Result<(), IamError> {
        let subject = subject(permit, "role")?;
        self.changed(|transaction| {
            let role = modifiable(transaction, &subject)?;
            let deleted = transaction
                .prepare("DELETE FROM iam_role_policy WHERE role_id = ?1 AND name = ?2")?
                .execute(params![role.id, name])?;
            if deleted == 0 {
                return Err(no_inline(name).into());
            }
            Ok(())
        })
    }

    /// Attaches a managed policy to the role that the permit is for; one that is attached stays so.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `UnmodifiableEntity`, `PolicyNotAttachable`, `LimitExceeded`.
    pub fn attach_role_policy(
        &self,
        permit: &Permit<iam::AttachRolePolicy>,
        policy: &str,
    ) -> Result<(), IamError> {
        let subject = subject(permit, "role")?;
        self.changed(|transaction| {
            let role = modifiable(transaction, &subject)?;
            managed::require_attachable(transaction, subject.account, policy)?;
            transaction
                .prepare("INSERT INTO iam_role_attachment VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
                .execute(params![role.id, policy, subject.account.as_str()])?;
            let there = attachments(transaction, &role.id)?.len();
            within(
                "PoliciesPerRole",
                u32::try_from(there).unwrap_or(u32::MAX),
                ATTACHED,
            )
        })
    }

    /// Detaches a managed policy from the role that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `UnmodifiableEntity`.
    pub fn detach_role_policy(
        &self,
        permit: &Permit<iam::DetachRolePolicy>,
        policy: &str,
    ) -> Result<(), IamError> {
        let subject = subject(permit, "role")?;
        self.changed(|transaction| {
            let role = modifiable(transaction, &subject)?;
            let detached = transaction
                .prepare("DELETE FROM iam_role_attachment WHERE role_id = ?1 AND policy_arn = ?2")?
                .execute(params![role.id, policy])?;
            if detached == 0 {
                return Err(managed::not_found(policy).into());
            }
            Ok(())
        })
    }

    /// The managed policies of the role that the permit is for, those whose paths begin with `prefix`.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`.
    pub fn list_attached_role_policies(
        &self,
        permit: &Permit<iam::ListAttachedRolePolicies>,
        prefix: &str,
        page: Page<'_>,
    ) -> Result<Listed<AttachedPolicy>, IamError> {
        let subject = subject(permit, "role")?;
        self.database.look(|connection| {
            let role = required(connection, &subject)?;
            let all = attachments(connection, &role.id)?.into_iter();
            let wanted = all.filter(|arn| managed::path_of(arn).starts_with(prefix));
            let mut rows: Vec<(String, AttachedPolicy)> = wanted
                .map(AttachedPolicy::of)
                .map(|policy| (policy.key(), policy))
                .filter(|(key, _)| key.as_str() > page.start())
                .collect();
            rows.sort_by(|(one, _), (two, _)| one.cmp(two));
            Ok(Listed::cut(rows, page.limit))
        })
    }

    /// Bounds the role that the permit is for by a managed policy.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `UnmodifiableEntity`.
    pub fn put_role_boundary(
        &self,
        permit: &Permit<iam::PutRolePermissionsBoundary>,
        policy: &str,
    ) -> Result<(), IamError> {
        let subject = subject(permit, "role")?;
        self.changed(|transaction| {
            let role = modifiable(transaction, &subject)?;
            managed::require_boundary(transaction, subject.account, policy)?;
            transaction
                .prepare("UPDATE iam_role SET boundary = ?2 WHERE role_id = ?1")?
                .execute(params![role.id, policy])?;
            Ok(())
        })
    }

    /// Removes the boundary of the role that the permit is for.
    ///
    /// # Errors
    /// [`IamError`]: `NoSuchEntity`, `UnmodifiableEntity`.
    pub fn delete_role_boundary(
        &self,
        permit: &Permit<iam::DeleteRolePermissionsBoundary>,
    ) -> Result<(), IamError> {
        let subject = subject(permit, "role")?;
        self.changed(|transaction| {
            let role = modifiable(transaction, &subject)?;
            transaction
                .prepare("UPDATE iam_role SET boundary = NULL WHERE role_id = ?1")?
                .execute([&role.id])?;
            Ok(())
        })
    }
}

/// The inline policies of a role: names and documents.
pub(crate) fn inline(connection: &Connection, role_id: &str) -> rusqlite::Result<Vec<(String, String)>> {
    connection
        .prepare("SELECT name, document FROM iam_role_policy WHERE role_id = ?1 ORDER BY name")?
        .query_map([role_id], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// The ARNs of the managed policies of a role.
pub(crate) fn attachments(connection: &Connection, role_id: &str) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT policy_arn FROM iam_role_attachment WHERE role_id = ?1 ORDER BY policy_arn")?
        .query_map([role_id], |row| row.get(0))?
        .collect()
}

/// The bytes that count against a quota.
pub(crate) fn weight(document: &str) -> usize {
    document
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .count()
}

/// Holds a count against a quota.
///
/// # Errors
/// `LimitExceeded`.
pub(crate) fn within(quota: &str, count: u32, most: u32) -> Found<()> {
    if count <= most {
        Ok(())
    } else {
        let message = format!("Cannot exceed quota for {quota}: {most}");
        Err(IamCode::LimitExceeded.because(message).into())
    }
}

fn no_inline(name: &str) -> IamError {
    IamCode::NoSuchEntity.because(format!("The role policy with name {name} cannot be found."))
}
