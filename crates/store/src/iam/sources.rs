//! A role's policies, as they bear on decisions.

use moho_terms::AccountId;
use rusqlite::Connection;

use super::roles::{self, Role};
use super::{attached, managed, trust};

/// The role of this name.
pub(crate) fn role(
    connection: &Connection,
    account: AccountId,
    name: &str,
) -> rusqlite::Result<Option<Role>> {
    roles::find(connection, account, name)
}

/// Its trust policy, as it holds now.
pub(crate) fn trust_policy(connection: &Connection, role: &Role) -> rusqlite::Result<String> {
    trust::current(connection, &role.id, role.trust_policy.clone())
}

/// Its inline and managed policies: where each is from, and what it says.
pub(crate) fn permissions(connection: &Connection, role: &Role) -> rusqlite::Result<Vec<(String, String)>> {
    let inline = attached::inline(connection, &role.id)?.into_iter();
    let named = inline.map(|(name, document)| (format!("role/{}/inline:{name}", role.name), document));
    let mut documents: Vec<(String, String)> = named.collect();
    for arn in attached::attachments(connection, &role.id)? {
        let document = managed::document(connection, role.account, &arn)?;
        documents.extend(document.map(|document| (arn, document)));
    }
    Ok(documents)
}
