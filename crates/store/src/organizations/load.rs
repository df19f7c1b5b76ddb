//! The organisation read as a whole, and refused if it is no tree.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use moho_iam::policy::PolicyDocument;
use moho_terms::{AccountId, Arn, KeyId, Region, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};

use super::organisation::{
    AccountState, JoinedMethod, MemberAccount, Organisation, OrganisationPolicy, Unit,
};
use super::{NodeId, OrganisationNames, PolicyId, PolicyType, Tags};
use crate::database::{term, time};

/// The organisation in the database is not what moho keeps there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the organisation is no tree, or one of its policies does not parse")]
pub(super) struct Damage;

/// Reads all of it; `None` if there is none yet.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Option<Result<Organisation, Damage>>> {
    let Some(names) = names(connection)? else {
        return Ok(None);
    };
    let policies = policies(connection, &names)?;
    let organisation = Organisation {
        units: units(connection)?,
        accounts: accounts(connection)?,
        attached: attached(connection)?,
        enabled: enabled(connection)?,
        tags: tags(connection)?,
        policies,
        names,
    };
    Ok(Some(if is_whole(&organisation) {
        Ok(organisation)
    } else {
        Err(Damage)
    }))
}

/// The names that never change; `None` if there is no organisation yet.
pub(super) fn names(connection: &Connection) -> rusqlite::Result<Option<OrganisationNames>> {
    let select = "SELECT organisation_id, account_id, node_id
        FROM organisation, organisation_management, organisation_node WHERE kind = 'ROOT'";
    let row = connection.prepare(select)?.query_row([], |row| {
        Ok(OrganisationNames {
            id: row.get(0)?,
            management: term(row, 1)?,
            root: term(row, 2)?,
        })
    });
    row.optional()
}

fn rows<T>(
    connection: &Connection,
    select: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare(select)?.query_map([], read)?.collect()
}

fn units(connection: &Connection) -> rusqlite::Result<BTreeMap<NodeId, Unit>> {
    let select = "SELECT node_id, name, parent_id FROM organisation_node WHERE kind = 'ORGANIZATIONAL_UNIT'";
    let units = rows(connection, select, |row| {
        let unit = Unit {
            name: row.get(1)?,
            parent: term(row, 2)?,
        };
        Ok((term(row, 0)?, unit))
    });
    Ok(units?.into_iter().collect())
}

fn accounts(connection: &Connection) -> rusqlite::Result<BTreeMap<AccountId, MemberAccount>> {
    let select = "SELECT node_id, name, email, joined_method, joined_at, member_account.state, parent_id, kms_key.region, kms_key.key_id
        FROM organisation_node
        JOIN member_account ON member_account.account_id = node_id
        JOIN account_key ON account_key.account_id = node_id
        JOIN kms_key ON kms_key.key_id = account_key.key_id
        WHERE kind = 'ACCOUNT'";
    let accounts = rows(connection, select, account)?;
    Ok(accounts
        .into_iter()
        .map(|account| (account.id, account))
        .collect())
}

fn account(row: &Row<'_>) -> rusqlite::Result<MemberAccount> {
    let id: AccountId = term(row, 0)?;
    let (method, state): (String, String) = (row.get(3)?, row.get(5)?);
    let (region, key): (Region, KeyId) = (term(row, 7)?, term(row, 8)?);
    let key = Arn::of("kms", region.as_str(), id.as_str(), &format!("key/{key}"));
    Ok(MemberAccount {
        id,
        name: row.get(1)?,
        email: row.get(2)?,
        joined_method: if method == JoinedMethod::Created.as_str() {
            JoinedMethod::Created
        } else {
            JoinedMethod::Invited
        },
        joined_at: time(row, 4)?,
        state: if state == AccountState::Active.as_str() {
            AccountState::Active
        } else {
            AccountState::Suspended
        },
        parent: term(row, 6)?,
        key: key.map_err(|error| unreadable(7, error))?,
    })
}

fn policies(
    connection: &Connection,
    names: &OrganisationNames,
) -> rusqlite::Result<BTreeMap<PolicyId, OrganisationPolicy>> {
    let select = "SELECT policy_id, name, description, content, updated_at FROM organisation_policy";
    let policies = rows(connection, select, |row| {
        let id: PolicyId = term(row, 0)?;
        let content: String = row.get(3)?;
        // It was parsed before it was kept, so one that does not parse was altered.
        let document = id
            .policy_type()
            .policy_kind()
            .map(|kind| PolicyDocument::parse(kind, &content).map(Arc::new))
            .transpose()
            .map_err(|error| unreadable(3, error))?;
        let policy = OrganisationPolicy {
            arn: names.policy_arn(&id).map_err(|error| unreadable(0, error))?,
            id: id.clone(),
            name: row.get(1)?,
            description: row.get(2)?,
            content,
            updated_at: time(row, 4)?,
            document,
        };
        Ok((id, policy))
    });
    Ok(policies?.into_iter().collect())
}

fn attached(connection: &Connection) -> rusqlite::Result<HashMap<NodeId, Vec<(PolicyId, Timestamp)>>> {
    let select =
        "SELECT node_id, policy_id, attached_at FROM organisation_attachment ORDER BY attached_at, policy_id";
    let mut attached: HashMap<NodeId, Vec<(PolicyId, Timestamp)>> = HashMap::new();
    for (node, policy) in rows(connection, select, |row| {
        Ok((term(row, 0)?, (term(row, 1)?, time(row, 2)?)))
    })? {
        attached.entry(node).or_default().push(policy);
    }
    Ok(attached)
}

fn enabled(connection: &Connection) -> rusqlite::Result<BTreeSet<PolicyType>> {
    let names = rows(connection, "SELECT type FROM organisation_policy_type", |row| {
        row.get::<_, String>(0)
    })?;
    Ok(names.iter().filter_map(|name| PolicyType::named(name)).collect())
}

fn tags(connection: &Connection) -> rusqlite::Result<HashMap<String, Tags>> {
    let mut tags: HashMap<String, Tags> = HashMap::new();
    for (resource, key, value) in rows(
        connection,
        "SELECT resource_id, key, value FROM organisation_tag",
        |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)),
    )? {
        tags.entry(resource).or_default().insert(key, value);
    }
    Ok(tags)
}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

/// Whether everything hangs on the root, and the management account is there. What goes in circles hangs on nothing.
fn is_whole(organisation: &Organisation) -> bool {
    let root = &organisation.names.root;
    let mut held = BTreeSet::from([root]);
    let mut waiting = vec![root];
    let mut below: HashMap<&NodeId, Vec<&NodeId>> = HashMap::new();
    for (id, unit) in &organisation.units {
        below.entry(&unit.parent).or_default().push(id);
    }
    while let Some(node) = waiting.pop() {
        for child in below.get(node).into_iter().flatten() {
            if held.insert(child) {
                waiting.push(child);
            }
        }
    }
    held.len() == organisation.units.len() + 1
        && organisation
            .accounts
            .values()
            .all(|account| held.contains(&account.parent))
        && organisation.accounts.contains_key(&organisation.names.management)
}
