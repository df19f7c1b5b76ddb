//! What is sealed under which key: what disabling one makes unreadable, and deleting it destroys.

use std::collections::BTreeMap;

use moho_terms::{AccountId, KeyId};
use rusqlite::{Connection, Row};

use crate::Store;
use crate::database::{counted, term};
use crate::error::StoreError;

/// Something that is sealed under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// What it is, for people, such as `stored responses`.
    pub what: &'static str,
    /// How many there are.
    pub count: u64,
    /// How many bytes they have together, before sealing if that is known.
    pub bytes: u64,
}

/// A key with what is sealed under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUses {
    /// Which key.
    pub key_id: KeyId,
    /// Whether it is still there: what was sealed under a key that was deleted stays, and can never be opened.
    pub exists: bool,
    /// Whether it is the account's own, under which is sealed what names no other.
    pub is_accounts_own: bool,
    /// What is sealed under it; nothing of what there is none of.
    pub uses: Vec<KeyUse>,
}

/// Everything that is sealed under keys: what it is, and a query for key, number and bytes of an account. What is new goes
/// here.
const SEALED: [(&str, &str); 8] = [
    (
        "stored responses",
        "SELECT key_id, count(*), coalesce(sum(size), 0) FROM sealed_response WHERE account_id = ?1 GROUP BY key_id",
    ),
    (
        "use-case forms",
        "SELECT key_id, count(*), coalesce(sum(length(sealed)), 0) FROM model_use_case WHERE account_id = ?1 GROUP BY key_id",
    ),
    (
        "conversations",
        "SELECT key_id, count(*), coalesce(sum(size), 0) + coalesce(sum((SELECT sum(size) FROM conversation_item AS i
                WHERE i.account_id = c.account_id AND i.conversation_id = c.conversation_id)), 0)
            FROM conversation AS c WHERE account_id = ?1 GROUP BY key_id",
    ),
    (
        "prompts",
        "SELECT key_id, count(*), coalesce(sum(size), 0) FROM prompt_version WHERE account_id = ?1 GROUP BY key_id",
    ),
    (
        "objects",
        "SELECT key_id, count, bytes FROM object_sealed WHERE account_id = ?1 AND kind = 'object' AND count > 0",
    ),
    (
        "uploaded parts",
        "SELECT key_id, count, bytes FROM object_sealed WHERE account_id = ?1 AND kind = 'part' AND count > 0",
    ),
    (
        "blocks of log events",
        "SELECT b.key_id, count(*), coalesce(sum(b.size), 0) FROM log_block AS b JOIN log_group AS g USING (group_id)
            WHERE g.account_id = ?1 GROUP BY b.key_id",
    ),
    (
        "undelivered invocation records",
        "SELECT key_id, count(*), coalesce(sum(size), 0) FROM invocation_outbox WHERE account_id = ?1 GROUP BY key_id",
    ),
];

impl Store {
    /// The keys of an account, and those of others under which something of it is sealed, by their ids.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn key_uses(&self, account: AccountId) -> Result<Vec<KeyUses>, StoreError> {
        self.database.read(|connection| {
            let mut keys = keys(connection, account)?;
            for (what, select) in SEALED {
                let mut statement = connection.prepare(select)?;
                let read = |row: &Row<'_>| -> rusqlite::Result<(KeyId, KeyUse)> {
                    let (count, bytes) = (counted(row, 1)?, counted(row, 2)?);
                    Ok((term(row, 0)?, KeyUse { what, count, bytes }))
                };
                for row in statement.query_map([account.as_str()], read)? {
                    let (key_id, sealed) = row?;
                    if let Some(key) = keys.get_mut(key_id.as_str()) {
                        key.uses.push(sealed);
                    }
                }
            }
            Ok(keys.into_values().collect())
        })
    }
}

fn keys(connection: &Connection, account: AccountId) -> rusqlite::Result<BTreeMap<String, KeyUses>> {
    let select = "SELECT key_id, record IS NOT NULL,
            EXISTS (SELECT 1 FROM account_key WHERE account_key.key_id = kms_key.key_id AND account_key.account_id = ?1)
        FROM kms_key WHERE account_id = ?1
            OR key_id IN (SELECT key_id FROM sealed_response WHERE account_id = ?1)
            OR key_id IN (SELECT key_id FROM model_use_case WHERE account_id = ?1)
            OR key_id IN (SELECT key_id FROM prompt_version WHERE account_id = ?1)
            OR key_id IN (SELECT key_id FROM object_sealed WHERE account_id = ?1 AND count > 0)
            OR key_id IN (SELECT b.key_id FROM log_block AS b JOIN log_group AS g USING (group_id) WHERE g.account_id = ?1)
            OR key_id IN (SELECT key_id FROM invocation_outbox WHERE account_id = ?1)
            OR key_id IN (SELECT key_id FROM conversation WHERE account_id = ?1)";
    let mut statement = connection.prepare(select)?;
    let rows = statement.query_map([account.as_str()], |row| {
        let key_id: KeyId = term(row, 0)?;
        let key = KeyUses {
            key_id: key_id.clone(),
            exists: row.get(1)?,
            is_accounts_own: row.get(2)?,
            uses: Vec::new(),
        };
        Ok((key_id.to_string(), key))
    })?;
    rows.collect()
}
