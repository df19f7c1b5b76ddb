//! Trust policies: whom they name is bound to its unique id when they are written.
//!
//! A role or user that is deleted and made again under its name is another one: it is not trusted. Principals of the role's
//! own account must exist, and the policy shows what became of them. Of other accounts nothing is told, neither when the
//! policy is written nor later: whom it names is taken and shown as it was written, but trusted only if it was there then.

use moho_iam::policy::{
    Effect, PolicyDocument, PolicyKind, exchange_placed_principals, exchange_principals, named_principals,
};
use moho_terms::{AccountId, Arn};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Found;
use super::names::folded;
use super::{IamCode, IamError, users};

/// The unique id of nobody: real ones have no such digits.
pub(crate) const NOBODY: &str = "AROA0000000000000NOBODY";

/// A principal's name with the id that it had when the policy was written.
pub(crate) struct Bound {
    name: String,
    id: String,
}

/// Finds whom the trust policy of a role of `own` names. Principals of other accounts are looked for in the same way
/// whether they are there or not.
///
/// # Errors
/// `MalformedPolicyDocument` if it names a principal of the account that does not exist, or something that cannot be one,
/// or actions of other services.
pub(crate) fn bind(connection: &Connection, own: AccountId, trust: &PolicyDocument) -> Found<Vec<Bound>> {
    if !trust.names_only_actions_of("sts") {
        let message = "AssumeRole policy may only specify STS AssumeRole actions.";
        return Err(IamCode::MalformedPolicyDocument.because(message).into());
    }
    let mut bound = Vec::new();
    for (kind, name) in named_principals(trust.as_str()) {
        let known = match kind.as_str() {
            "AWS" => known_principal(connection, own, &name)?,
            "Service" if is_service(&name) => Known::Unbound,
            "Federated" => known_provider(connection, own, &name)?,
            _ => Known::Nobody,
        };
        match known {
            Known::Nobody => return Err(invalid_principal(&kind, &name).into()),
            Known::Unbound => {}
            Known::As(id) => bound.push(Bound { name, id }),
        }
    }
    Ok(bound)
}

/// Replaces the bindings of a role.
pub(crate) fn rebind(transaction: &Transaction<'_>, role_id: &str, bound: &[Bound]) -> rusqlite::Result<()> {
    transaction
        .prepare("DELETE FROM iam_trusted WHERE role_id = ?1")?
        .execute([role_id])?;
    for Bound { name, id } in bound {
        transaction
            .prepare("INSERT INTO iam_trusted VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
            .execute(params![role_id, name, id])?;
    }
    Ok(())
}

/// The trust policy as decisions read it: whoever is bound is there under its id, which is nobody else's. Who was not there
/// is denied by name still, whoever gets it.
pub(crate) fn decided_by(connection: &Connection, role_id: &str, text: &str) -> rusqlite::Result<String> {
    let mut exchanged = bound(connection, role_id)?;
    for Bound { name, id } in &mut exchanged {
        // The id is of the whole role: a session is named by name, as long as its role is there.
        if name.starts_with("arn:aws:sts:") {
            *id = name_now(connection, name, id)?;
        }
    }
    let document = PolicyDocument::parse(PolicyKind::Trust, text).ok();
    let denies =
        |statement| document.as_ref().and_then(|trust| trust.effect_of(statement)) == Some(Effect::Deny);
    Ok(exchange_placed_principals(text, |principal| {
        let mut of_aws = exchanged.iter().filter(|_| principal.kind == "AWS");
        let bound = of_aws.find(|bound| bound.name == principal.name)?;
        let denied = !principal.excepted && denies(principal.statement);
        (bound.id != NOBODY || !denied).then(|| bound.id.clone())
    }))
}

/// The trust policy as its account, `own`, sees it: of its own principals, who was renamed is there under the new name, who
/// is gone under the id. Those of other accounts are there as they were written. An account is its root.
pub(crate) fn shown(
    connection: &Connection,
    (own, role_id): (AccountId, &str),
    text: &str,
) -> rusqlite::Result<String> {
    let mut exchanged = Vec::new();
    for Bound { name, id } in bound(connection, role_id)? {
        if name.parse::<Arn>().is_ok_and(|arn| arn.account() == own.as_str()) {
            let now = name_now(connection, &name, &id)?;
            exchanged.push((name, now));
        }
    }
    Ok(exchange_principals(text, |kind, name| {
        if kind != "AWS" {
            return None;
        }
        if let Ok(account) = name.parse::<AccountId>() {
            return Some(format!("arn:aws:iam::{account}:root"));
        }
        let new = exchanged.iter().find(|(old, now)| old == name && now != name);
        new.map(|(_, now)| now.clone())
    }))
}

fn bound(connection: &Connection, role_id: &str) -> rusqlite::Result<Vec<Bound>> {
    connection
        .prepare("SELECT arn, bound_id FROM iam_trusted WHERE role_id = ?1")?
        .query_map([role_id], |row| {
            Ok(Bound {
                name: row.get(0)?,
                id: row.get(1)?,
            })
        })?
        .collect()
}

enum Known {
    Nobody,
    /// It is there, and cannot be made again as another.
    Unbound,
    As(String),
}

/// The unique id that a role, user or session of one in a grant is bound to, or `None` if it needs none; nothing at all if
/// it is nobody whom a grant can name. Of other accounts nothing is told: who is not there is bound to nobody.
pub(crate) fn grantee_id(
    connection: &Connection,
    own: AccountId,
    principal: &Arn,
) -> rusqlite::Result<Option<Option<String>>> {
    Ok(match known_principal(connection, own, principal.as_str())? {
        Known::Nobody => None,
        Known::Unbound => Some(None),
        Known::As(id) => Some(Some(id)),
    })
}

fn known_principal(connection: &Connection, own: AccountId, name: &str) -> rusqlite::Result<Known> {
    if name == "*" {
        return Ok(Known::Unbound);
    }
    if let Ok(account) = name.parse::<AccountId>() {
        return known_account(connection, own, account);
    }
    let Ok(arn) = name.parse::<Arn>() else {
        return Ok(Known::Nobody);
    };
    let Ok(account) = arn.account().parse::<AccountId>() else {
        return Ok(Known::Nobody);
    };
    // Whatever else an ARN may say, such as another partition, no principal's says.
    if !Arn::of(arn.service(), "", account.as_str(), arn.resource()).is_ok_and(|plain| plain == arn) {
        return Ok(Known::Nobody);
    }
    let found = match (arn.service(), arn.resource().split_once('/')) {
        ("iam", None) if arn.resource() == "root" => return known_account(connection, own, account),
        ("iam", Some(("role", _))) => role_with_arn(connection, account, &arn)?,
        ("iam", Some(("user", _))) => users::with_arn(connection, account, &arn)?,
        ("sts", Some(("assumed-role", session))) => match session.split_once('/') {
            Some((role, _session)) => role_named(connection, account, role)?,
            None => return Ok(Known::Nobody),
        },
        ("sts", Some(("federated-user", _))) => return known_account(connection, own, account),
        _ => return Ok(Known::Nobody),
    };
    Ok(found.map_or_else(|| absent(own, account), Known::As))
}

/// What is known of a principal of `account` that is not there.
fn absent(own: AccountId, account: AccountId) -> Known {
    if account == own {
        Known::Nobody
    } else {
        Known::As(NOBODY.to_owned())
    }
}

fn known_account(connection: &Connection, own: AccountId, account: AccountId) -> rusqlite::Result<Known> {
    let there = connection
        .prepare("SELECT 1 FROM account WHERE account_id = ?1")?
        .exists([account.as_str()])?;
    Ok(if there {
        Known::Unbound
    } else {
        absent(own, account)
    })
}

/// A domain, or a provider of the role's own account: a token is only ever taken by one of those.
fn known_provider(connection: &Connection, own: AccountId, name: &str) -> rusqlite::Result<Known> {
    if !name.starts_with("arn:") {
        return Ok(Known::Unbound);
    }
    let there = connection
        .prepare(
            "SELECT 1 FROM identity_provider WHERE arn = ?1 AND account_id = ?2
             UNION ALL SELECT 1 FROM saml_provider WHERE arn = ?1 AND account_id = ?2",
        )?
        .exists([name, own.as_str()])?;
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
