//! What roles and policies have to know of users.

use moho_terms::{AccountId, Arn};
use rusqlite::{Connection, OptionalExtension, params};

use super::entities::{EntityKind, PolicyEntity};
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
