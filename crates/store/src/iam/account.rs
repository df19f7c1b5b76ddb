//! An account seen as a whole: how much of what there is, and everything in detail.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_terms::AccountId;
use rusqlite::{Connection, params};

use super::managed::{self, ManagedPolicy, PolicyFilter, PolicyVersion};
use super::roles::{self, TaggedRole};
use super::tags::{self, Tag};
use super::{AttachedPolicy, EntityKind, IamError, InstanceProfile, Listed, Page, attached, profiles};
use crate::Store;

/// How much of what an account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountCounts {
    /// Roles.
    pub roles: u32,
    /// Users.
    pub users: u32,
    /// Groups.
    pub groups: u32,
    /// Managed policies of its own.
    pub policies: u32,
    /// Their versions.
    pub versions: u32,
    /// Instance profiles.
    pub instance_profiles: u32,
    /// Identity providers.
    pub providers: u32,
}

/// A role with all that hangs on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDetails {
    /// The role.
    pub role: TaggedRole,
    /// Its inline policies: names and documents.
    pub inline: Vec<(String, String)>,
    /// Its managed policies.
    pub attached: Vec<AttachedPolicy>,
    /// Its instance profiles.
    pub instance_profiles: Vec<InstanceProfile>,
}

/// A user or group with all that hangs on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityDetails {
    /// `AIDA…` or `AGPA…`
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Begins and ends with a slash.
    pub path: String,
    /// When it was made.
    pub created_at: moho_terms::Timestamp,
    /// Its inline policies: names and documents.
    pub inline: Vec<(String, String)>,
    /// Its managed policies.
    pub attached: Vec<AttachedPolicy>,
    /// The names of a user's groups.
    pub groups: Vec<String>,
    /// A user's boundary.
    pub boundary: Option<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// A managed policy with its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDetails {
    /// The policy.
    pub policy: ManagedPolicy,
    /// The newest first.
    pub versions: Vec<PolicyVersion>,
}

/// The quotas of an account, as they hold here.
#[must_use]
pub fn quotas() -> Vec<(&'static str, u32)> {
    vec![
        ("RolesQuota", roles::ROLES),
        ("PoliciesQuota", managed::POLICIES),
        ("InstanceProfilesQuota", profiles::PROFILES),
        ("AttachedPoliciesPerRoleQuota", attached::ATTACHED),
    ]
}

impl Store {
    /// How much of what the caller's account has.
    ///
    /// # Errors
    /// [`IamError::Store`]
    pub fn account_counts(&self, permit: &Permit<iam::GetAccountSummary>) -> Result<AccountCounts, IamError> {
        const COUNTS: &str = "SELECT
            (SELECT count(*) FROM iam_role WHERE account_id = ?1),
            (SELECT count(*) FROM iam_identity WHERE account_id = ?1 AND kind = 'user'),
            (SELECT count(*) FROM iam_identity WHERE account_id = ?1 AND kind = 'group'),
            (SELECT count(*) FROM iam_policy WHERE account_id = ?1),
            (SELECT count(*) FROM iam_policy_version JOIN iam_policy USING (policy_id) WHERE account_id = ?1),
            (SELECT count(*) FROM iam_instance_profile WHERE account_id = ?1),
            (SELECT count(*) FROM identity_provider WHERE account_id = ?1)
                + (SELECT count(*) FROM saml_provider WHERE account_id = ?1)";
        let account = permit.session().account();
        let counts = self.database.read(|connection| {
            connection.query_row(COUNTS, [account.as_str()], |row| {
                Ok(AccountCounts {
                    roles: row.get(0)?,
                    users: row.get(1)?,
                    groups: row.get(2)?,
                    policies: row.get(3)?,
                    versions: row.get(4)?,
                    instance_profiles: row.get(5)?,
                    providers: row.get(6)?,
                })
            })
        });
        Ok(counts?)
    }

    /// Roles of the caller's account in detail, by their names.
    ///
    /// # Errors
    /// [`IamError::Store`]
    pub fn role_details(
        &self,
        permit: &Permit<iam::GetAccountAuthorizationDetails>,
        page: Page<'_>,
    ) -> Result<Listed<RoleDetails>, IamError> {
        let account = permit.session().account();
        self.database.look(|connection| {
            let listed = roles::list(connection, account, "/", page)?;
            let details = listed.items.into_iter().map(|role| {
                Ok(RoleDetails {
                    inline: attached::inline(connection, &role.id)?,
                    attached: named(attached::attachments(connection, &role.id)?),
                    instance_profiles: profiles::of_role(connection, &role)?,
                    role: TaggedRole {
                        tags: tags::of(connection, &role.id)?,
                        role,
                    },
                })
            });
            Ok(Listed {
                items: details.collect::<rusqlite::Result<_>>()?,
                last: listed.last,
            })
        })
    }

    /// Users or groups of the caller's account in detail, by their names.
    ///
    /// # Errors
    /// [`IamError::Store`]
    pub fn identity_details(
        &self,
        permit: &Permit<iam::GetAccountAuthorizationDetails>,
        kind: EntityKind,
        page: Page<'_>,
    ) -> Result<Listed<IdentityDetails>, IamError> {
        let account = permit.session().account();
        let kind = if kind == EntityKind::Group {
            "group"
        } else {
            "user"
        };
        self.database
            .look(|connection| Ok(identities(connection, account, kind, page)?))
    }

    /// Managed policies in detail, by their names: the account's own, and those of AWS's that somebody in it has.
    ///
    /// # Errors
    /// [`IamError::Store`]
    pub fn policy_details(
        &self,
        permit: &Permit<iam::GetAccountAuthorizationDetails>,
        aws: bool,
        page: Page<'_>,
    ) -> Result<Listed<PolicyDetails>, IamError> {
        let account = permit.session().account();
        let filter = PolicyFilter {
            aws,
            local: !aws,
            only_attached: aws,
            ..PolicyFilter::default()
        };
        self.database.look(|connection| {
            let listed = managed::list(connection, account, &filter, page)?;
            let details = listed.items.into_iter().map(|policy| {
                let versions = match moho_iam::managed::find(&policy.arn) {
                    Some(known) => vec![managed::aws_version(known)],
                    None => managed::versions(connection, &policy)?,
                };
                Ok(PolicyDetails { policy, versions })
            });
            Ok(Listed {
                items: details.collect::<rusqlite::Result<_>>()?,
                last: listed.last,
            })
        })
    }
}

fn named(arns: Vec<String>) -> Vec<AttachedPolicy> {
    arns.into_iter().map(AttachedPolicy::of).collect()
}

fn identities(
    connection: &Connection,
    account: AccountId,
    kind: &str,
    page: Page<'_>,
) -> rusqlite::Result<Listed<IdentityDetails>> {
    let mut select = connection.prepare(
        "SELECT folded, identity_id, name, path, boundary, created_at FROM iam_identity
         WHERE account_id = ?1 AND kind = ?2 AND folded > ?3 ORDER BY folded LIMIT ?4",
    )?;
    let mut found = select.query(params![account.as_str(), kind, page.start(), page.rows()])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let (id, name, path): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let details = IdentityDetails {
            arn: super::names::arn(account.as_str(), kind, &path, &name),
            inline: texts(
                connection,
                "SELECT name, document FROM iam_identity_policy WHERE identity_id = ?1 ORDER BY name",
                &id,
            )?,
            attached: named(strings(
                connection,
                "SELECT policy_arn FROM iam_identity_attachment WHERE identity_id = ?1 ORDER BY policy_arn",
                &id,
            )?),
            groups: strings(
                connection,
                "SELECT name FROM iam_member JOIN iam_identity ON identity_id = group_id WHERE user_id = ?1 ORDER BY folded",
                &id,
            )?,
            boundary: row.get(4)?,
            tags: tags::of(connection, &id)?,
            created_at: crate::database::time(row, 5)?,
            id,
            name,
            path,
        };
        rows.push((row.get(0)?, details));
    }
    Ok(Listed::cut(rows, page.limit))
}

fn texts(connection: &Connection, query: &str, id: &str) -> rusqlite::Result<Vec<(String, String)>> {
    connection
        .prepare(query)?
        .query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn strings(connection: &Connection, query: &str, id: &str) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare(query)?
        .query_map([id], |row| row.get(0))?
        .collect()
}
