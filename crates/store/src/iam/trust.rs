//! Trust policies: whom they name must exist, and is bound to its unique id.
//!
//! A role or user that is deleted and made again under its name is another one: it is not trusted. What a trust policy
//! says of it, to whoever reads it and to whoever decides by it, is then the id that nobody has any more.

use moho_iam::policy::{PolicyDocument, exchange_principals, named_principals};
use moho_terms::{AccountId, Arn};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Found;
use super::names::folded;
use super::{IamCode, IamError, users};

/// A principal's name with the id that it had when the policy was written.
pub(crate) struct Bound {
    arn: String,
    id: String,
}

/// Finds whom a trust policy names.
///
/// # Errors
/// `MalformedPolicyDocument` if it names a principal that does not exist.
pub(crate) fn bind(connection: &Connection, trust: &PolicyDocument) -> Found<Vec<Bound>> {
    let mut bound = Vec::new();
    for (kind, name) in named_principals(trust.as_str()) {
        let known = match kind.as_str() {
            "AWS" => known_principal(connection, &name)?,
            "Service" if is_service(&name) => Known::Unbound,
            "Federated" => Known::Unbound,
            _ => Known::Nobody,
        };
        match known {
            Known::Nobody => return Err(invalid_principal(&kind, &name).into()),
            Known::Unbound => {}
            Known::As(id) => bound.push(Bound { arn: name, id }),
        }
    }
    Ok(bound)
}

/// Replaces the bindings of a role.
pub(crate) fn rebind(transaction: &Transaction<'_>, role_id: &str, bound: &[Bound]) -> rusqlite::Result<()> {
    transaction
        .prepare("DELETE FROM iam_trusted WHERE role_id = ?1")?
        .execute([role_id])?;
    for Bound { arn, id } in bound {
        transaction
            .prepare("INSERT INTO iam_trusted VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
            .execute(params![role_id, arn, id])?;
    }
    Ok(())
}

/// The trust policy as it holds now: who was renamed is there under the new name, who is gone under the id.
pub(crate) fn current(connection: &Connection, role_id: &str, text: String) -> rusqlite::Result<String> {
    let mut select = connection.prepare("SELECT arn, bound_id FROM iam_trusted WHERE role_id = ?1")?;
    let rows = select.query_map([role_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let bound = rows.collect::<rusqlite::Result<Vec<(String, String)>>>()?;
    let mut renamed = Vec::new();
    for (arn, id) in bound {
        let now = name_now(connection, &arn, &id)?;
        if now != arn {
            renamed.push((arn, now));
        }
    }
    if renamed.is_empty() {
        return Ok(text);
    }
    Ok(exchange_principals(&text, |kind, name| {
        let new = renamed.iter().find(|(old, _)| kind == "AWS" && old == name);
        new.map(|(_, new)| new.clone())
    }))
}

enum Known {
    Nobody,
    /// It is there, and cannot be made again as another.
    Unbound,
    As(String),
}

fn known_principal(connection: &Connection, name: &str) -> rusqlite::Result<Known> {
    if name == "*" {
        return Ok(Known::Unbound);
    }
    if let Ok(account) = name.parse::<AccountId>() {
        return account_exists(connection, account);
    }
    let Ok(arn) = name.parse::<Arn>() else {
        return Ok(Known::Nobody);
    };
    let Ok(account) = arn.account().parse::<AccountId>() else {
        return Ok(Known::Nobody);
    };
    let found = match (arn.service(), arn.resource().split_once('/')) {
        ("iam", None) if arn.resource() == "root" => return account_exists(connection, account),
        ("iam", Some(("role", _))) => role_with_arn(connection, account, &arn)?,
        ("iam", Some(("user", _))) => users::with_arn(connection, account, &arn)?,
        ("sts", Some(("assumed-role", session))) => match session.split_once('/') {
            Some((role, _session)) => role_named(connection, account, role)?,
            None => None,
        },
        ("sts", Some(("federated-user", _))) => return account_exists(connection, account),
        _ => None,
    };
    Ok(found.map_or(Known::Nobody, Known::As))
}

fn account_exists(connection: &Connection, account: AccountId) -> rusqlite::Result<Known> {
    let there = connection
        .prepare("SELECT 1 FROM account WHERE account_id = ?1")?
        .exists([account.as_str()])?;
    Ok(if there { Known::Unbound } else { Known::Nobody })
}

fn role_named(connection: &Connection, account: AccountId, name: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare("SELECT role_id FROM iam_role WHERE account_id = ?1 AND folded = ?2 AND name = ?3")?
        .query_row(params![account.as_str(), folded(name), name], |row| row.get(0))
        .optional()
}

fn role_with_arn(connection: &Connection, account: AccountId, arn: &Arn) -> rusqlite::Result<Option<String>> {
    let (path, name) = path_and_name(arn, "role");
    connection
        .prepare(
            "SELECT role_id FROM iam_role WHERE account_id = ?1 AND folded = ?2 AND name = ?3 AND path = ?4",
        )?
        .query_row(params![account.as_str(), folded(name), name, path], |row| {
            row.get(0)
        })
        .optional()
}

/// The path, with both its slashes, and the name of what an ARN of this kind names.
pub(crate) fn path_and_name<'a>(arn: &'a Arn, kind: &str) -> (&'a str, &'a str) {
    let rest = arn.resource().strip_prefix(kind).unwrap_or("");
    rest.split_at_checked(rest.rfind('/').map_or(0, |at| at.saturating_add(1)))
        .unwrap_or(("", ""))
}

/// What a principal that had this name is called now.
fn name_now(connection: &Connection, arn: &str, id: &str) -> rusqlite::Result<String> {
    if !id.starts_with("AROA") {
        let user = users::arn_of(connection, id)?;
        return Ok(user.unwrap_or_else(|| id.to_owned()));
    }
    // Neither name nor path of a role can change.
    let there = connection
        .prepare("SELECT 1 FROM iam_role WHERE role_id = ?1")?
        .exists([id])?;
    Ok(if there { arn.to_owned() } else { id.to_owned() })
}

/// `name.amazonaws.com`, perhaps with more before it.
fn is_service(name: &str) -> bool {
    name.strip_suffix(".amazonaws.com").is_some_and(|service| {
        service.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
    })
}

fn invalid_principal(kind: &str, name: &str) -> IamError {
    let kind = kind.to_ascii_uppercase();
    IamCode::MalformedPolicyDocument.because(format!("Invalid principal in policy: \"{kind}\":\"{name}\""))
}
