//! What roles and policies have to know of users.

use moho_terms::{AccountId, Arn};
use rusqlite::Connection;

use super::entities::PolicyEntity;

/// The unique id of the user with this ARN.
pub(crate) fn with_arn(
    _connection: &Connection,
    _account: AccountId,
    _arn: &Arn,
) -> rusqlite::Result<Option<String>> {
    Ok(None)
}

/// The ARN that the user of a unique id has now.
pub(crate) fn arn_of(_connection: &Connection, _id: &str) -> rusqlite::Result<Option<String>> {
    Ok(None)
}

/// The users and groups of an account that have a managed policy attached.
pub(crate) fn attached_to(
    _connection: &Connection,
    _account: AccountId,
    _policy: &str,
) -> rusqlite::Result<Vec<PolicyEntity>> {
    Ok(Vec::new())
}

/// The users of an account that a managed policy bounds.
pub(crate) fn bounded_by(
    _connection: &Connection,
    _account: AccountId,
    _policy: &str,
) -> rusqlite::Result<Vec<PolicyEntity>> {
    Ok(Vec::new())
}
