//! Managed policies as they are attached: what holds of them, and whether they can be.

use moho_iam::managed as aws;
use moho_terms::AccountId;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::Found;
use super::managed::find_arn;
use super::{IamCode, IamError};

/// The document of a managed policy that holds; `None` if the account has none of this ARN.
pub(crate) fn document(
    connection: &Connection,
    account: AccountId,
    arn: &str,
) -> rusqlite::Result<Option<String>> {
    if let Some(policy) = aws::find(arn) {
        return Ok(Some(policy.document.to_owned()));
    }
    let Some(policy) = find_arn(connection, account, arn)? else {
        return Ok(None);
    };
    connection
        .prepare("SELECT document FROM iam_policy_version WHERE policy_id = ?1 AND version = ?2")?
        .query_row(params![policy.id, policy.default_version], |row| row.get(0))
        .optional()
}

/// Goes on only with a policy that can be attached in this account.
///
/// # Errors
/// `NoSuchEntity`, `PolicyNotAttachable`.
pub(crate) fn require_attachable(connection: &Connection, account: AccountId, arn: &str) -> Found<()> {
    match aws::find(arn) {
        Some(policy) if policy.attachable => return Ok(()),
        Some(_) => {
            let message = format!("Cannot attach a Service Role Policy to a Customer Role: {arn}");
            return Err(IamCode::PolicyNotAttachable.because(message).into());
        }
        None => {}
    }
    if find_arn(connection, account, arn)?.is_some() {
        return Ok(());
    }
    let message = format!("Policy {arn} does not exist or is not attachable.");
    Err(IamCode::NoSuchEntity.because(message).into())
}

/// Goes on only with a policy that can be a boundary in this account.
///
/// # Errors
/// `NoSuchEntity`, `PolicyNotAttachable`.
pub(crate) fn require_boundary(connection: &Connection, account: AccountId, arn: &str) -> Found<()> {
    require_attachable(connection, account, arn)
}

pub(crate) fn not_found(arn: &str) -> IamError {
    IamCode::NoSuchEntity.because(format!("Policy {arn} was not found."))
}

/// The path in a managed policy's ARN, with both its slashes.
pub(crate) fn path_of(arn: &str) -> &str {
    let rest = arn.split_once(":policy").map_or("", |(_, rest)| rest);
    let end = rest.rfind('/').map_or(0, |at| at.saturating_add(1));
    rest.get(..end).unwrap_or("")
}
