//! Who has a managed policy: roles, users and groups of an account.

use moho_terms::AccountId;
use rusqlite::{Connection, params};

use super::users;

/// What can have a managed policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntityKind {
    /// A group.
    Group,
    /// A role.
    Role,
    /// A user.
    User,
}

impl EntityKind {
    /// `group`, `role` or `user`, as in ARNs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Role => "role",
            Self::User => "user",
        }
    }

    /// How many bytes all inline policies of one may have together, white space not counted, as at AWS.
    #[must_use]
    pub fn inline_bytes(self) -> usize {
        match self {
            Self::Group => 5120,
            Self::Role => 10_240,
            Self::User => 2048,
        }
    }
}

/// Somebody who has a managed policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyEntity {
    /// What it is.
    pub kind: EntityKind,
    /// Its name.
    pub name: String,
    /// Its unique id.
    pub id: String,
    pub(crate) path: String,
}

impl PolicyEntity {
    /// What it is listed under.
    pub(crate) fn key(&self) -> String {
        let kind = match self.kind {
            EntityKind::Group => 'g',
            EntityKind::Role => 'r',
            EntityKind::User => 'u',
        };
        format!("{kind}{}", self.name.to_ascii_lowercase())
    }
}

/// Whom a list is to have.
#[derive(Debug, Clone, Default)]
pub struct EntityFilter {
    /// Only these.
    pub kind: Option<EntityKind>,
    /// What their paths begin with.
    pub prefix: String,
    /// Only such as it bounds (`true`) or is attached to (`false`).
    pub usage_is_boundary: Option<bool>,
}

const ROLES_ATTACHED: &str = "SELECT iam_role.name, iam_role.role_id, iam_role.path FROM iam_role_attachment
    JOIN iam_role ON iam_role.role_id = iam_role_attachment.role_id
    WHERE iam_role_attachment.account_id = ?1 AND policy_arn = ?2";
const ROLES_BOUNDED: &str =
    "SELECT name, role_id, path FROM iam_role WHERE account_id = ?1 AND boundary = ?2";

/// Who has a policy, by kind and name; each once.
pub(crate) fn having(
    connection: &Connection,
    account: AccountId,
    policy: &str,
    filter: &EntityFilter,
) -> rusqlite::Result<Vec<PolicyEntity>> {
    let mut all = Vec::new();
    let wanted = |boundary: bool| filter.usage_is_boundary.is_none_or(|only| only == boundary);
    for (query, boundary) in [(ROLES_ATTACHED, false), (ROLES_BOUNDED, true)] {
        if wanted(boundary) {
            let mut select = connection.prepare(query)?;
            let rows = select.query_map(params![account.as_str(), policy], |row| {
                Ok(PolicyEntity {
                    kind: EntityKind::Role,
                    name: row.get(0)?,
                    id: row.get(1)?,
                    path: row.get(2)?,
                })
            })?;
            all.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
        }
    }
    if wanted(false) {
        all.extend(users::attached_to(connection, account, policy)?);
    }
    if wanted(true) {
        all.extend(users::bounded_by(connection, account, policy)?);
    }
    all.retain(|entity| {
        filter.kind.is_none_or(|kind| kind == entity.kind) && entity.path.starts_with(&filter.prefix)
    });
    all.sort_by_key(PolicyEntity::key);
    all.dedup();
    Ok(all)
}

const COUNT_ATTACHED: &str = "SELECT
    (SELECT count(*) FROM iam_role_attachment WHERE account_id = ?1 AND policy_arn = ?2)
    + (SELECT count(*) FROM iam_identity_attachment WHERE account_id = ?1 AND policy_arn = ?2)";
const COUNT_BOUNDED: &str = "SELECT
    (SELECT count(*) FROM iam_role WHERE account_id = ?1 AND boundary = ?2)
    + (SELECT count(*) FROM iam_identity WHERE account_id = ?1 AND boundary = ?2)";

/// To how many a policy is attached.
pub(crate) fn attached(connection: &Connection, account: AccountId, policy: &str) -> rusqlite::Result<u32> {
    count(connection, COUNT_ATTACHED, (account, policy))
}

/// How many a policy bounds.
pub(crate) fn bounded(connection: &Connection, account: AccountId, policy: &str) -> rusqlite::Result<u32> {
    count(connection, COUNT_BOUNDED, (account, policy))
}

fn count(
    connection: &Connection,
    query: &str,
    (account, policy): (AccountId, &str),
) -> rusqlite::Result<u32> {
    connection
        .prepare(query)?
        .query_row(params![account.as_str(), policy], |row| row.get(0))
}
