//! Who is who: roles and users by their names, and the unique ids that documents bind them to.
//!
//! A role or user that is deleted and made again under its name is another one: it is not whom the document meant. Whoever
//! keeps a document keeps with it which ids the names in it had when it was written. Principals of the document's own account
//! must exist, and the document shows what became of them. Of other accounts nothing is told, neither when it is written nor
//! later: whom it names is taken and shown as it was written, but meant only if it was there then.

use std::collections::BTreeMap;

use moho_iam::policy::{
    Effect, PlacedPrincipal, PolicyDocument, PolicyKind, exchange_placed_principals, exchange_principals,
};
use moho_terms::{AccountId, Arn};
use rusqlite::{Connection, OptionalExtension, params};

use super::names::folded;
use super::users;

/// Principals under `AWS` as a document names them, with the ids that they had when it was written.
pub(crate) type Bound = BTreeMap<String, String>;

/// The unique id of nobody: real ones have no such digits.
pub(crate) const NOBODY: &str = "AROA0000000000000NOBODY";

/// The document as decisions read it: whoever is bound is there under its id, which is nobody else's. Who was not there is
/// denied by name still, whoever gets it.
pub(crate) fn decided(kind: PolicyKind, (text, bound): (&str, &Bound)) -> String {
    let document = PolicyDocument::parse_exchanged(kind, text).ok();
    let denies = |principal: &PlacedPrincipal<'_>| {
        let effect = document
            .as_ref()
            .and_then(|document| document.effect_of(principal.statement));
        effect == Some(Effect::Deny) && !principal.excepted
    };
    exchange_placed_principals(text, |principal| {
        let id = bound.get(principal.name).filter(|_| principal.kind == "AWS")?;
        (id != NOBODY || !denies(principal)).then(|| id.clone())
    })
}

/// The document as its account, `own`, sees it: of its own principals, who was renamed is there under the new name, who is
/// gone under the id. Those of other accounts are there as they were written. An account is its root.
pub(crate) fn shown(
    connection: &Connection,
    own: AccountId,
    (text, bound): (&str, &Bound),
) -> rusqlite::Result<String> {
    let mut exchanged = BTreeMap::new();
    for (name, id) in bound {
        let is_own = name == id || name.parse::<Arn>().is_ok_and(|arn| arn.account() == own.as_str());
        if is_own {
            exchanged.insert(name.as_str(), name_now(connection, name, id)?);
        }
    }
    Ok(exchange_principals(text, |kind, name| {
        if kind != "AWS" {
            return None;
        }
        if let Ok(account) = name.parse::<AccountId>() {
            return Some(format!("arn:aws:iam::{account}:root"));
        }
        exchanged.get(name).filter(|now| *now != name).cloned()
    }))
}

/// What is known of a principal that somebody names.
pub(crate) enum Known {
    /// It is not there, or cannot be.
    Nobody,
    /// It is there, and cannot be made again as another.
    Unbound,
    /// It has this unique id now.
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

/// What is known of a principal under `AWS` to the account `own`.
pub(crate) fn known_principal(
    connection: &Connection,
    own: AccountId,
    name: &str,
) -> rusqlite::Result<Known> {
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

/// Whether a role or user of the account has this unique id.
pub(crate) fn has_id(connection: &Connection, own: AccountId, id: &str) -> rusqlite::Result<bool> {
    connection
        .prepare(
            "SELECT 1 FROM iam_role WHERE role_id = ?1 AND account_id = ?2
             UNION ALL SELECT 1 FROM iam_identity WHERE identity_id = ?1 AND account_id = ?2 AND kind = 'user'",
        )?
        .exists([id, own.as_str()])
}

/// What is known of a principal under `Federated`: a domain, or a provider of the account.
pub(crate) fn known_provider(connection: &Connection, own: AccountId, name: &str) -> rusqlite::Result<Known> {
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
pub(crate) fn name_now(connection: &Connection, arn: &str, id: &str) -> rusqlite::Result<String> {
    if !id.starts_with("AROA") {
        let user = users::arn_of(connection, id)?;
        return Ok(user.unwrap_or_else(|| id.to_owned()));
    }
    let role = connection
        .prepare("SELECT 'arn:aws:iam::' || account_id || ':role' || path || name FROM iam_role WHERE role_id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    // Neither name nor path of a role can change, so its session is called what it was.
    Ok(match role {
        Some(role) if arn == id => role,
        Some(_) => arn.to_owned(),
        None => id.to_owned(),
    })
}

/// Whether it is a service's name: `name.amazonaws.com`, perhaps with more before it.
pub(crate) fn is_service(name: &str) -> bool {
    name.strip_suffix(".amazonaws.com").is_some_and(|service| {
        service.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
    })
}
