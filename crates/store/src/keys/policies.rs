//! Key policies: whom they name is bound to its unique id when they are written, as in trust policies.
//!
//! The ids are in the key's record, beside the policy as it was written, so that they are as true as the policy is. A policy
//! that was kept before there were any means whom it names by name.

use moho_iam::action::{Action, kms};
use moho_iam::authz::Permit;
use moho_iam::policy::{PolicyDocument, PolicyError, PolicyKind, named_principals};
use moho_kms::{KeyPolicy, KeyRecord};
use moho_terms::{AccountId, Arn};
use rusqlite::Connection;

use super::KeyError;
use super::error::Found;
use crate::Store;
use crate::iam::bound::{
    Bound, Known, NOBODY, decided, has_id, is_service, known_principal, known_provider, shown,
};

/// Actions that give a key a policy.
pub trait WritesKeyPolicy: Action {}
impl WritesKeyPolicy for kms::CreateKey {}
impl WritesKeyPolicy for kms::PutKeyPolicy {}

/// A key policy whose principals are bound.
#[derive(Debug)]
pub struct BoundKeyPolicy {
    /// What is to be kept.
    pub policy: KeyPolicy,
    /// What decisions will read.
    pub decided: PolicyDocument,
}

impl Store {
    /// Binds whom a key policy names to their unique ids. Principals of the permit's account must exist; those of other
    /// accounts are looked for in the same way whether they are there or not.
    ///
    /// # Errors
    /// [`KeyError::InvalidPrincipals`] if it names somebody of the account who does not exist, or what is nobody.
    pub fn bind_key_policy<A: WritesKeyPolicy>(
        &self,
        permit: &Permit<A>,
        document: &PolicyDocument,
    ) -> Result<BoundKeyPolicy, KeyError> {
        let own = account_of(permit)?;
        let text = document.as_str();
        let principals = self.database.look(|connection| bind(connection, own, text))?;
        let decided =
            decided_by(PolicyKind::Key, (text, &principals)).map_err(|error| self.database.damaged(error))?;
        let policy = KeyPolicy {
            text: text.to_owned(),
            principals,
        };
        Ok(BoundKeyPolicy { policy, decided })
    }

    /// The policy of a key as its account sees it: who is gone is there under the unique id.
    ///
    /// # Errors
    /// [`KeyError`] if that cannot be said.
    pub fn shown_key_policy(
        &self,
        permit: &Permit<kms::GetKeyPolicy>,
        record: &KeyRecord,
    ) -> Result<String, KeyError> {
        let own = account_of(permit)?;
        let policy = (record.policy.as_str(), &record.principals);
        Ok(self.database.read(|connection| shown(connection, own, policy))?)
    }
}

fn account_of<A: Action>(permit: &Permit<A>) -> Result<AccountId, KeyError> {
    let account = permit.resource().account().parse();
    account.map_err(|_no_account| KeyError::OtherPermit)
}

fn bind(connection: &Connection, own: AccountId, text: &str) -> Found<Bound> {
    let mut bound = Bound::new();
    for (kind, name) in named_principals(text) {
        let known = match kind.as_str() {
            "AWS" if bound.contains_key(&name) => continue,
            "AWS" if has_id(connection, own, &name)? => Known::As(name.clone()),
            "AWS" => known_principal(connection, own, &name)?,
            "Service" if is_service(&name) => Known::Unbound,
            "Federated" => known_federation(connection, own, &name)?,
            _ => Known::Nobody,
        };
        match known {
            Known::Nobody => return Err(KeyError::InvalidPrincipals.into()),
            Known::Unbound => {}
            Known::As(id) => {
                bound.insert(name, id);
            }
        }
    }
    Ok(bound)
}

/// A provider of another account is taken whether it is there or not: who comes by it may be let in, too.
fn known_federation(connection: &Connection, own: AccountId, name: &str) -> rusqlite::Result<Known> {
    let foreign = name
        .parse::<Arn>()
        .ok()
        .filter(|arn| arn.account() != own.as_str());
    let Some(arn) = foreign else {
        return known_provider(connection, own, name);
    };
    let kind = arn.resource().split_once('/').map(|(kind, _)| kind);
    let may_be = arn.service() == "iam"
        && arn.account().parse::<AccountId>().is_ok()
        && matches!(kind, Some("oidc-provider" | "saml-provider"));
    Ok(if may_be { Known::Unbound } else { Known::Nobody })
}

/// A kept policy as decisions read it.
pub(crate) fn decided_by(
    kind: PolicyKind,
    (text, principals): (&str, &Bound),
) -> Result<PolicyDocument, PolicyError> {
    // A session keeps its name: its role's id alone would be all sessions of that role.
    let is_session = |name: &str, id: &str| name.starts_with("arn:aws:sts:") && id != NOBODY;
    let mut whole = principals.clone();
    whole.retain(|name, id| !is_session(name, id));
    let document = PolicyDocument::parse_exchanged(kind, &decided(kind, (text, &whole)))?;
    Ok(document.with_sessions_bound(|session| {
        let (name, id) = principals.get_key_value(session.as_str())?;
        is_session(name, id).then(|| id.clone())
    }))
}
