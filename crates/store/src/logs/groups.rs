//! Log groups: made, described, changed and deleted.

use std::collections::BTreeMap;

use moho_iam::action::Action;
use moho_iam::action::logs::{CreateLogGroup, DeleteLogGroup, DescribeLogGroups};
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Arn, KeyId, Region, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{GroupId, account_of, decided_group, group_named, named};
use crate::Store;
use crate::database::{counted, micros, term, time};
use crate::error::StoreError;

/// Groups of one account.
const MOST: u64 = 10_000;
/// Tags of one group, as at AWS.
const MOST_TAGS: usize = 50;

const FACTS: &str =
    "g.group_id, g.name, g.class, g.created_at, g.retention_days, kms_key.account_id, g.key_id, g.protected";
/// What takes the longer to be said the more streams there are.
const SUMS: &str = "(SELECT count(*) FROM log_metric_filter AS f WHERE f.group_id = g.group_id),
        (SELECT coalesce(sum(stored_bytes), 0) FROM log_stream AS s WHERE s.group_id = g.group_id AND s.gone = 0)";
const FROM: &str = "FROM log_group AS g LEFT JOIN kms_key ON kms_key.key_id = g.key_id WHERE g.account_id = ?1 AND g.gone = 0";

/// A group to make.
pub struct NewGroup<'a> {
    /// `STANDARD` or another class of AWS's.
    pub class: &'a str,
    /// The key that was chosen for it.
    pub key: Option<&'a KeyId>,
    /// Whether it may not be deleted.
    pub protected: bool,
    /// Its tags.
    pub tags: &'a BTreeMap<String, String>,
}

/// What came of making one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupMade {
    /// It is there.
    Done,
    /// There is one of this name.
    Exists,
    /// The account has as many as it may.
    Full,
}

/// What is known of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFacts {
    /// Which it is, whatever had its name before.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its class.
    pub class: String,
    /// Since when it is there.
    pub created: Timestamp,
    /// For how many days its events stay; for ever without.
    pub retention_days: Option<u32>,
    /// The account and the id of the key that was chosen for its events.
    pub key: Option<(AccountId, KeyId)>,
    /// Whether it may not be deleted.
    pub protected: bool,
}

/// What a group has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupSums {
    /// Metric filters.
    pub metric_filters: u64,
    /// Bytes of its events, as AWS counts them.
    pub stored_bytes: u64,
}

/// Which groups are wanted.
#[derive(Debug, Clone, Copy)]
pub struct GroupsWanted<'a> {
    /// Whose name begins so.
    pub prefix: &'a str,
    /// Whose name has this in it.
    pub pattern: &'a str,
    /// Of this class.
    pub class: Option<&'a str>,
    /// After this name.
    pub after: &'a str,
    /// At most so many.
    pub most: usize,
}

/// What is to change of a group.
#[derive(Debug, Clone, Copy)]
pub enum GroupChange<'a> {
    /// For how many days events stay; for ever without.
    Retention(Option<u32>),
    /// The key of what comes; the account's own without.
    Key(Option<&'a KeyId>),
    /// Whether it may not be deleted.
    Protection(bool),
}

/// What came of changing tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagsChanged {
    /// They are as asked for.
    Done,
    /// There is no such group.
    Absent,
    /// There would be too many.
    TooMany,
}

impl Store {
    /// Makes the group that the permit names.
    ///
    /// # Errors
    /// [`StoreError`]; then there is none.
    pub fn create_log_group(
        &self,
        permit: &Permit<CreateLogGroup>,
        new: &NewGroup<'_>,
        now: Timestamp,
    ) -> Result<GroupMade, StoreError> {
        let (account, name) = named(permit)?;
        let made = self.database.write(|transaction| {
            if group_named(transaction, account, &name.group)?.is_some() {
                return Ok(GroupMade::Exists);
            }
            let count = "SELECT count(*) FROM log_group WHERE account_id = ?1 AND gone = 0";
            if transaction.query_row(count, [account.as_str()], |row| counted(row, 0))? >= MOST {
                return Ok(GroupMade::Full);
            }
            let group: GroupId = transaction.query_row(
                "UPDATE log_number SET next = next + 1 RETURNING next - 1",
                [],
                |row| row.get(0),
            )?;
            transaction.execute(
                "INSERT INTO log_group (group_id, account_id, name, class, created_at, key_id, protected, next_stream, gone)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, 0)",
                params![
                    group,
                    account.as_str(),
                    name.group,
                    new.class,
                    micros(now),
                    new.key.map(KeyId::as_str),
                    new.protected
                ],
            )?;
            put_tags(transaction, group, new.tags)?;
            Ok(GroupMade::Done)
        })?;
        Ok(made)
    }

    /// What is known of the group that a permit is for; `None` if its account has none of this name.
    ///
    /// # Errors
    /// [`StoreError::OtherPermit`] if the permit is for no group of its account.
    pub fn log_group<A: Action>(&self, permit: &Permit<A>) -> Result<Option<GroupFacts>, StoreError> {
        let (account, name) = named(permit)?;
        let found = self.database.find(|connection| {
            connection
                .prepare_cached(&format!("SELECT {FACTS} {FROM} AND g.name = ?2"))?
                .query_row(params![account.as_str(), name.group], facts)
        })?;
        Ok(found.filter(|group| permit.unique_id() == Some(group.id)))
    }

    /// The key that events of an account's group are sealed under now: the one that was chosen for them, or else the account's;
    /// `None` if there is no such group.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn log_group_key(
        &self,
        account: AccountId,
        group: &str,
        region: &Region,
    ) -> Result<Option<Arn>, StoreError> {
        let found: Option<Option<(String, String)>> = self.database.find(|connection| {
            connection
                .prepare_cached(
                    "SELECT kms_key.account_id, g.key_id FROM log_group AS g LEFT JOIN kms_key ON kms_key.key_id = g.key_id
                        WHERE g.account_id = ?1 AND g.name = ?2 AND g.gone = 0",
                )?
                .query_row(params![account.as_str(), group], |row| {
                    let (owner, key): (Option<String>, Option<String>) = (row.get(0)?, row.get(1)?);
                    Ok(owner.zip(key))
                })
        })?;
        match found {
            None => Ok(None),
            Some(None) => self.account_key(account),
            Some(Some((owner, key))) => {
                let arn = Arn::of("kms", region.as_str(), &owner, &format!("key/{key}"))?;
                Ok(Some(arn))
            }
        }
    }

    /// Groups of the permit's account in the order of their names.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn log_groups(
        &self,
        permit: &Permit<DescribeLogGroups>,
        wanted: &GroupsWanted<'_>,
    ) -> Result<Vec<(GroupFacts, GroupSums)>, StoreError> {
        let account = account_of(permit)?;
        let most = i64::try_from(wanted.most).unwrap_or(i64::MAX);
        self.database.read(|connection| {
            let select = format!(
                "SELECT {FACTS}, {SUMS} {FROM} AND g.name > ?2 AND g.name >= ?3 AND substr(g.name, 1, length(?3)) = ?3 AND instr(g.name, ?4) > 0
                    AND (?5 IS NULL OR g.class = ?5) ORDER BY g.name LIMIT ?6"
            );
            let mut select = connection.prepare(&select)?;
            let values = params![
                account.as_str(),
                wanted.after,
                wanted.prefix,
                wanted.pattern,
                wanted.class,
                most
            ];
            let found = select.query_map(values, |row| Ok((facts(row)?, sums(row)?)))?;
            found.collect()
        })
    }

    /// Changes the group that a permit is for; `false` if there is none such.
    ///
    /// # Errors
    /// [`StoreError`]; then it is as it was.
    pub fn change_log_group<A: Action>(
        &self,
        permit: &Permit<A>,
        change: GroupChange<'_>,
    ) -> Result<bool, StoreError> {
        let (account, name) = named(permit)?;
        self.database.write(|transaction| {
            let Some(group) = decided_group(transaction, permit, (account, &name.group))? else {
                return Ok(false);
            };
            match change {
                GroupChange::Retention(days) => transaction.execute(
                    "UPDATE log_group SET retention_days = ?2 WHERE group_id = ?1",
                    params![group, days],
                )?,
                GroupChange::Key(key) => transaction.execute(
                    "UPDATE log_group SET key_id = ?2 WHERE group_id = ?1",
                    params![group, key.map(KeyId::as_str)],
                )?,
                GroupChange::Protection(protected) => transaction.execute(
                    "UPDATE log_group SET protected = ?2 WHERE group_id = ?1",
                    params![group, protected],
                )?,
            };
            Ok(true)
        })
    }

    /// Deletes the group that the permit is for, and nobody finds it or its events any more; their rows go a little later.
    /// `None` if there is none such, `false` if it is protected.
    ///
    /// # Errors
    /// [`StoreError`]; then it is as it was.
    pub fn delete_log_group(&self, permit: &Permit<DeleteLogGroup>) -> Result<Option<bool>, StoreError> {
        let (account, name) = named(permit)?;
        self.database.write(|transaction| {
            let Some(group) = decided_group(transaction, permit, (account, &name.group))? else {
                return Ok(None);
            };
            let gone = transaction.execute(
                "UPDATE log_group SET gone = 1 WHERE group_id = ?1 AND protected = 0",
                [group],
            )?;
            Ok(Some(gone > 0))
        })
    }

    /// The tags of the group that a permit is for; `None` if there is none such.
    ///
    /// # Errors
    /// [`StoreError::OtherPermit`] if the permit is for no group of its account.
    pub fn log_tags<A: Action>(
        &self,
        permit: &Permit<A>,
    ) -> Result<Option<BTreeMap<String, String>>, StoreError> {
        let (account, name) = named(permit)?;
        self.database.read(|connection| {
            let group = decided_group(connection, permit, (account, &name.group))?;
            group.map(|group| tags(connection, group)).transpose()
        })
    }

    /// Sets tags of the group that a permit is for, and takes others away.
    ///
    /// # Errors
    /// [`StoreError`]; then they are as they were.
    pub fn change_log_tags<A: Action>(
        &self,
        permit: &Permit<A>,
        (set, removed): (&BTreeMap<String, String>, &[String]),
    ) -> Result<TagsChanged, StoreError> {
        let (account, name) = named(permit)?;
        self.database.write(|transaction| {
            let Some(group) = decided_group(transaction, permit, (account, &name.group))? else {
                return Ok(TagsChanged::Absent);
            };
            let mut all = tags(transaction, group)?;
            all.extend(set.clone());
            if all.len() > MOST_TAGS {
                return Ok(TagsChanged::TooMany);
            }
            put_tags(transaction, group, set)?;
            let mut remove = transaction.prepare("DELETE FROM log_tag WHERE group_id = ?1 AND key = ?2")?;
            for key in removed {
                remove.execute(params![group, key])?;
            }
            Ok(TagsChanged::Done)
        })
    }
}

fn put_tags(
    transaction: &Transaction<'_>,
    group: GroupId,
    tags: &BTreeMap<String, String>,
) -> rusqlite::Result<()> {
    let mut put = transaction.prepare(
        "INSERT INTO log_tag (group_id, key, value) VALUES (?1, ?2, ?3)
         ON CONFLICT (group_id, key) DO UPDATE SET value = excluded.value",
    )?;
    for (key, value) in tags {
        put.execute(params![group, key, value])?;
    }
    Ok(())
}

pub(super) fn tags(connection: &Connection, group: GroupId) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut select = connection.prepare_cached("SELECT key, value FROM log_tag WHERE group_id = ?1")?;
    let rows = select.query_map([group], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// The key that what comes to a group is sealed under: what was chosen, or else the account's own.
pub(super) fn current_key(
    connection: &Connection,
    account: AccountId,
    group: GroupId,
) -> rusqlite::Result<Option<String>> {
    let select = "SELECT coalesce(g.key_id, (SELECT key_id FROM account_key WHERE account_id = ?1))
        FROM log_group AS g WHERE g.group_id = ?2";
    let found: Option<Option<String>> = connection
        .prepare_cached(select)?
        .query_row(params![account.as_str(), group], |row| row.get(0))
        .optional()?;
    Ok(found.flatten())
}

fn facts(row: &Row<'_>) -> rusqlite::Result<GroupFacts> {
    let owner: Option<String> = row.get(5)?;
    let key = match owner {
        Some(_) => Some((term(row, 5)?, term(row, 6)?)),
        None => None,
    };
    Ok(GroupFacts {
        id: counted(row, 0)?,
        name: row.get(1)?,
        class: row.get(2)?,
        created: time(row, 3)?,
        retention_days: row.get(4)?,
        key,
        protected: row.get(7)?,
    })
}

fn sums(row: &Row<'_>) -> rusqlite::Result<GroupSums> {
    Ok(GroupSums {
        metric_filters: counted(row, 8)?,
        stored_bytes: counted(row, 9)?,
    })
}
