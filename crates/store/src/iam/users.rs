//! What roles and policies have to know of users.

use moho_terms::{AccountId, Arn};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::access_jobs::AskedAbout;
use super::bound::path_and_name;
use super::entities::{EntityKind, PolicyEntity};
use super::managed;
use super::names::folded;
use crate::database::time;
use crate::identities;

const ATTACHED: &str = "SELECT kind, name, identity_id, path FROM iam_identity_attachment
    JOIN iam_identity USING (identity_id)
    WHERE iam_identity_attachment.account_id = ?1 AND policy_arn = ?2";
const BOUNDED: &str = "SELECT kind, name, identity_id, path FROM iam_identity
    WHERE account_id = ?1 AND boundary = ?2";

/// The unique id of the user with this ARN.
pub(crate) fn with_arn(
    connection: &Connection,
    account: AccountId,
    arn: &Arn,
) -> rusqlite::Result<Option<String>> {
    identities::user_with_arn(connection, account, arn)
}

/// The ARN that the user of a unique id has now.
pub(crate) fn arn_of(connection: &Connection, id: &str) -> rusqlite::Result<Option<String>> {
    identities::arn_of_user(connection, id)
}

/// The name that the user of a unique id has now.
pub(crate) fn name_of(
    connection: &Connection,
    account: AccountId,
    id: &str,
) -> rusqlite::Result<Option<String>> {
    connection
        .prepare(
            "SELECT name FROM iam_identity WHERE account_id = ?1 AND identity_id = ?2 AND kind = 'user'",
        )?
        .query_row(params![account.as_str(), id], |row| row.get(0))
        .optional()
}

/// The users and groups of an account that have a managed policy attached.
pub(crate) fn attached_to(
    connection: &Connection,
    account: AccountId,
    policy: &str,
) -> rusqlite::Result<Vec<PolicyEntity>> {
    listed(connection, ATTACHED, account, policy)
}

/// The users of an account that a managed policy bounds.
pub(crate) fn bounded_by(
    connection: &Connection,
    account: AccountId,
    policy: &str,
) -> rusqlite::Result<Vec<PolicyEntity>> {
    listed(connection, BOUNDED, account, policy)
}

fn listed(
    connection: &Connection,
    query: &str,
    account: AccountId,
    policy: &str,
) -> rusqlite::Result<Vec<PolicyEntity>> {
    connection
        .prepare(query)?
        .query_map(params![account.as_str(), policy], |row| {
            let kind: String = row.get(0)?;
            Ok(PolicyEntity {
                kind: if kind == "group" {
                    EntityKind::Group
                } else {
                    EntityKind::User
                },
                name: row.get(1)?,
                id: row.get(2)?,
                path: row.get(3)?,
            })
        })?
        .collect()
}

/// The inline and managed policies of the group with this very ARN: where each is from, and what it says.
pub(crate) fn policies_of_group(
    connection: &Connection,
    account: AccountId,
    group: &Arn,
) -> rusqlite::Result<Option<Vec<(String, String)>>> {
    let (_path, name) = path_and_name(group, "group");
    let id = group_with_arn(connection, account, group)?;
    let Some(id) = id else { return Ok(None) };
    let mut policies = connection
        .prepare("SELECT name, document FROM iam_identity_policy WHERE identity_id = ?1 ORDER BY name")?
        .query_map([&id], |row| {
            let inline: String = row.get(0)?;
            Ok((format!("group/{name}/inline:{inline}"), row.get(1)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let managed = connection
        .prepare("SELECT policy_arn FROM iam_identity_attachment WHERE identity_id = ?1 ORDER BY policy_arn")?
        .query_map([&id], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    for arn in managed {
        let document = managed::document(connection, account, &arn)?;
        policies.extend(document.map(|document| (arn, document)));
    }
    Ok(Some(policies))
}

const ABOUT: &str =
    "SELECT 'user/' || name, 'arn:aws:iam::' || account_id || ':user' || path || name, created_at
    FROM iam_identity WHERE kind = 'user' AND identity_id";

/// The user of this very ARN, as one whose use of services is asked about.
pub(crate) fn asked_about(
    connection: &Connection,
    account: AccountId,
    user: &Arn,
) -> rusqlite::Result<Option<AskedAbout>> {
    let id = with_arn(connection, account, user)?;
    id.map_or(Ok(None), |id| about(connection, &id))
}

/// The user of this unique id, likewise.
pub(crate) fn about(connection: &Connection, id: &str) -> rusqlite::Result<Option<AskedAbout>> {
    connection
        .prepare(&format!("{ABOUT} = ?1"))?
        .query_row([id], asked)
        .optional()
}

/// The members of the group of this unique id, likewise.
pub(crate) fn members(connection: &Connection, group: &str) -> rusqlite::Result<Vec<AskedAbout>> {
    connection
        .prepare(&format!(
            "{ABOUT} IN (SELECT user_id FROM iam_member WHERE group_id = ?1)"
        ))?
        .query_map([group], asked)?
        .collect()
}

/// The members of the group of this very ARN; `None` if there is no such group.
pub(crate) fn members_asked_about(
    connection: &Connection,
    account: AccountId,
    group: &Arn,
) -> rusqlite::Result<Option<Vec<AskedAbout>>> {
    let id = group_with_arn(connection, account, group)?;
    id.map(|id| members(connection, &id)).transpose()
}

fn asked(row: &Row<'_>) -> rusqlite::Result<AskedAbout> {
    Ok(AskedAbout {
        whose: row.get(0)?,
        arn: row.get(1)?,
        since: time(row, 2)?,
    })
}

fn group_with_arn(
    connection: &Connection,
    account: AccountId,
    group: &Arn,
) -> rusqlite::Result<Option<String>> {
    let (path, name) = path_and_name(group, "group");
    if format!("arn:aws:iam::{account}:group{path}{name}") != group.as_str() {
        return Ok(None);
    }
    connection
        .prepare(
            "SELECT identity_id FROM iam_identity
             WHERE account_id = ?1 AND kind = 'group' AND folded = ?2 AND name = ?3 AND path = ?4",
        )?
        .query_row(params![account.as_str(), folded(name), name, path], |row| {
            row.get(0)
        })
        .optional()
}
