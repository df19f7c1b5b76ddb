//! Trust policies: whom they name is bound to its unique id when they are written.
//!
//! A role or user that is deleted and made again under its name is not trusted. What becomes of names is the same for every
//! document that binds them ([`bound`]).

use moho_iam::policy::{PolicyDocument, PolicyKind, named_principals};
use moho_terms::AccountId;
use rusqlite::{Connection, Transaction, params};

use super::bound::{self, Bound, Known, is_service, known_principal, known_provider, name_now};
use super::error::Found;
use super::{IamCode, IamError};

/// Finds whom the trust policy of a role of `own` names. Principals of other accounts are looked for in the same way
/// whether they are there or not.
///
/// # Errors
/// `MalformedPolicyDocument` if it names a principal of the account that does not exist, or something that cannot be one,
/// or actions of other services.
pub(crate) fn bind(connection: &Connection, own: AccountId, trust: &PolicyDocument) -> Found<Bound> {
    if !trust.names_only_actions_of("sts") {
        let message = "AssumeRole policy may only specify STS AssumeRole actions.";
        return Err(IamCode::MalformedPolicyDocument.because(message).into());
    }
    let mut bound = Bound::new();
    for (kind, name) in named_principals(trust.as_str()) {
        let known = match kind.as_str() {
            "AWS" => known_principal(connection, own, &name)?,
            "Service" if is_service(&name) => Known::Unbound,
            // A token is only ever taken by a provider of the account.
            "Federated" => known_provider(connection, own, &name)?,
            _ => Known::Nobody,
        };
        match known {
            Known::Nobody => return Err(invalid_principal(&kind, &name).into()),
            Known::Unbound => {}
            Known::As(id) => {
                bound.insert(name, id);
            }
        }
    }
    Ok(bound)
}

/// Replaces the bindings of a role.
pub(crate) fn rebind(transaction: &Transaction<'_>, role_id: &str, bound: &Bound) -> rusqlite::Result<()> {
    transaction
        .prepare("DELETE FROM iam_trusted WHERE role_id = ?1")?
        .execute([role_id])?;
    for (name, id) in bound {
        transaction
            .prepare("INSERT INTO iam_trusted VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
            .execute(params![role_id, name, id])?;
    }
    Ok(())
}

/// The trust policy as decisions read it.
pub(crate) fn decided_by(connection: &Connection, role_id: &str, text: &str) -> rusqlite::Result<String> {
    let mut bound = bound_by(connection, role_id)?;
    // The id is of the whole role: a session is named by name, as long as its role is there.
    for (name, id) in &mut bound {
        if name.starts_with("arn:aws:sts:") {
            *id = name_now(connection, name, id)?;
        }
    }
    Ok(bound::decided(PolicyKind::Trust, (text, &bound)))
}

/// The trust policy as its account, `own`, sees it.
pub(crate) fn shown(
    connection: &Connection,
    (own, role_id): (AccountId, &str),
    text: &str,
) -> rusqlite::Result<String> {
    bound::shown(connection, own, (text, &bound_by(connection, role_id)?))
}

fn bound_by(connection: &Connection, role_id: &str) -> rusqlite::Result<Bound> {
    connection
        .prepare("SELECT arn, bound_id FROM iam_trusted WHERE role_id = ?1")?
        .query_map([role_id], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn invalid_principal(kind: &str, name: &str) -> IamError {
    let kind = kind.to_ascii_uppercase();
    IamCode::MalformedPolicyDocument.because(format!("Invalid principal in policy: \"{kind}\":\"{name}\""))
}
