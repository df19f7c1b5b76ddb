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

/// The documents of its inline and managed policies.
pub(crate) fn permissions(connection: &Connection, role: &Role) -> rusqlite::Result<Vec<String>> {
    let inline = attached::inline(connection, &role.id)?.into_iter();
    let mut documents: Vec<String> = inline.map(|(_, document)| document).collect();
    for arn in attached::attachments(connection, &role.id)? {
        documents.extend(managed::document(connection, role.account, &arn)?);
    }
    Ok(documents)
}
