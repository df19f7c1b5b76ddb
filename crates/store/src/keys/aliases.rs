//! Aliases: names that an account gives its keys.

use moho_iam::action::{Action, kms};
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Arn, ArnError, KeyId, Region, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params, params_from_iter};

use super::error::Found;
use super::{KeyError, is_there, key_of, limited};
use crate::Store;
use crate::database::{micros, term, time};
use crate::error::StoreError;

/// Aliases of one key, as at AWS.
const MOST: i64 = 50;

/// A name of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Whose it is.
    pub account: AccountId,
    /// Where its key is.
    pub region: Region,
    /// `alias/…`.
    pub name: String,
    /// The key.
    pub key_id: KeyId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last was given a key.
    pub updated_at: Timestamp,
}

impl Alias {
    /// `arn:aws:kms:REGION:ACCOUNT:alias/NAME`.
    ///
    /// # Errors
    /// [`ArnError`] if the store holds what no ARN can.
    pub fn arn(&self) -> Result<Arn, ArnError> {
        Arn::of("kms", self.region.as_str(), self.account.as_str(), &self.name)
    }
}

/// The alias that a permit is for: whose it is and its name.
fn alias_of<A: Action>(permit: &Permit<A>) -> Result<(AccountId, &str), KeyError> {
    let resource = permit.resource();
    let (account, name) = (resource.account().parse(), resource.resource());
    match account {
        Ok(account) if resource.service() == "kms" && name.starts_with("alias/") => Ok((account, name)),
        Ok(_) | Err(_) => Err(KeyError::OtherPermit),
    }
}

/// Of one account and region, so that one can be the name of the other.
fn are_together<A: Action, B: Action>(one: &Permit<A>, other: &Permit<B>) -> Result<(), KeyError> {
    let place = |arn: &Arn| (arn.account().to_owned(), arn.region().to_owned());
    if place(one.resource()) == place(other.resource()) {
        Ok(())
    } else {
        Err(KeyError::OtherPermit)
    }
}

impl Store {
    /// The key that an alias (`alias/…`) of an account is of; `None` if there is no such alias. From memory.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn find_alias(&self, account: AccountId, name: &str) -> Result<Option<KeyId>, StoreError> {
        self.ensure_fresh()?;
        let epoch = {
            let remembered = self.keys.read();
            if let Some(known) = remembered.alias(account, name) {
                return Ok(known.cloned());
            }
            remembered.epoch
        };
        let found = self.database.read(|connection| {
            let key: [&dyn ToSql; 2] = [&account.as_str(), &name];
            self.database.check(connection, "kms_alias", &key)?;
            target(connection, account, name)
        })?;
        if let Some(mut remembered) = self.keys.since(epoch) {
            remembered.remember_alias(account, name, found.as_ref());
        }
        Ok(found)
    }

    /// Makes the alias that the first permit is for a name of the key that the second is for.
    ///
    /// # Errors
    /// [`KeyError::AliasExists`], [`KeyError::KeyNotFound`], [`KeyError::LimitExceeded`]; then it was not made.
    pub fn create_alias(
        &self,
        (alias, key): (&Permit<kms::CreateAlias>, &Permit<kms::CreateAlias>),
        now: Timestamp,
    ) -> Result<(), KeyError> {
        let ((account, name), key_id) = (alias_of(alias)?, key_of(key)?);
        are_together(alias, key)?;
        self.database.change(|transaction| {
            require_room(transaction, key, &key_id)?;
            let insert = "INSERT INTO kms_alias VALUES (?1, ?2, ?3, ?4, ?4) ON CONFLICT DO NOTHING";
            let values = params![account.as_str(), name, key_id.as_str(), micros(now)];
            if transaction.prepare(insert)?.execute(values)? == 0 {
                return Err(KeyError::AliasExists(alias.resource().clone()).into());
            }
            Ok(())
        })?;
        self.keys.forget_aliases(&[&key_id]);
        Ok(())
    }

    /// Takes the alias that the first permit is for from the key that the second is for, and gives it to the third's.
    ///
    /// # Errors
    /// [`KeyError::AliasNotFound`], [`KeyError::KeyNotFound`], [`KeyError::LimitExceeded`], or [`KeyError::Changed`] if it
    /// is not the second's any more; then nothing changed.
    pub fn update_alias(
        &self,
        alias: &Permit<kms::UpdateAlias>,
        (from, to): (&Permit<kms::UpdateAlias>, &Permit<kms::UpdateAlias>),
        now: Timestamp,
    ) -> Result<(), KeyError> {
        let (account, name) = alias_of(alias)?;
        let (from_id, to_id) = (key_of(from)?, key_of(to)?);
        are_together(alias, to)?;
        self.database.change(|transaction| {
            require_of(transaction, alias, &from_id)?;
            if from_id != to_id {
                require_room(transaction, to, &to_id)?;
            }
            let update =
                "UPDATE kms_alias SET key_id = ?3, updated_at = ?4 WHERE account_id = ?1 AND name = ?2";
            let values = params![account.as_str(), name, to_id.as_str(), micros(now)];
            transaction.prepare(update)?.execute(values)?;
            Ok::<_, crate::database::Stopped<KeyError>>(())
        })?;
        self.keys.forget_aliases(&[&from_id, &to_id]);
        Ok(())
    }

    /// Removes the alias that the first permit is for, of the key that the second is for.
    ///
    /// # Errors
    /// [`KeyError::AliasNotFound`], or [`KeyError::Changed`] if it is not that key's any more; then it is still there.
    pub fn delete_alias(
        &self,
        alias: &Permit<kms::DeleteAlias>,
        key: &Permit<kms::DeleteAlias>,
    ) -> Result<(), KeyError> {
        let ((account, name), key_id) = (alias_of(alias)?, key_of(key)?);
        self.database.change(|transaction| {
            require_of(transaction, alias, &key_id)?;
            transaction
                .prepare("DELETE FROM kms_alias WHERE account_id = ?1 AND name = ?2")?
                .execute(params![account.as_str(), name])?;
            Ok::<_, crate::database::Stopped<KeyError>>(())
        })?;
        self.keys.forget_aliases(&[&key_id]);
        Ok(())
    }

    /// The aliases of the permit's account in the order of their names, after one of them; of one key, or of all.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn aliases(
        &self,
        permit: &Permit<kms::ListAliases>,
        key: Option<&KeyId>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Alias>, StoreError> {
        let account = permit.session().account();
        let select =
            format!(
            "SELECT kms_alias.account_id, region, name, kms_alias.key_id, kms_alias.created_at, updated_at
             FROM kms_alias JOIN kms_key ON kms_key.key_id = kms_alias.key_id
             WHERE kms_alias.account_id = ?1 AND name > ?2 {} ORDER BY name LIMIT {}",
            if key.is_some() { "AND kms_alias.key_id = ?3" } else { "" },
            limited(limit)
        );
        let values = [
            Some(account.as_str()),
            Some(after.unwrap_or("")),
            key.map(KeyId::as_str),
        ];
        self.database.read(|connection| {
            let mut statement = connection.prepare(&select)?;
            statement
                .query_map(params_from_iter(values.into_iter().flatten()), read)?
                .collect()
        })
    }

    /// The names of a key.
    pub(super) fn alias_names(&self, key: &KeyId) -> Result<Vec<String>, StoreError> {
        self.database.read(|connection| {
            connection
                .prepare("SELECT name FROM kms_alias WHERE key_id = ?1 ORDER BY name")?
                .query_map([key.as_str()], |row| row.get(0))?
                .collect()
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Alias> {
    Ok(Alias {
        account: term(row, 0)?,
        region: term(row, 1)?,
        name: row.get(2)?,
        key_id: term(row, 3)?,
        created_at: time(row, 4)?,
        updated_at: time(row, 5)?,
    })
}

fn target(connection: &Connection, account: AccountId, name: &str) -> rusqlite::Result<Option<KeyId>> {
    connection
        .prepare("SELECT key_id FROM kms_alias WHERE account_id = ?1 AND name = ?2")?
        .query_row(params![account.as_str(), name], |row| term(row, 0))
        .optional()
}

/// The alias has to be the key's: whoever asked was allowed to take it from that key.
fn require_of<A: Action>(connection: &Connection, alias: &Permit<A>, key: &KeyId) -> Found<()> {
    let (account, name) = alias_of(alias)?;
    match target(connection, account, name)? {
        Some(now) if now == *key => Ok(()),
        Some(_) => Err(KeyError::Changed.into()),
        None => Err(KeyError::AliasNotFound(alias.resource().clone()).into()),
    }
}

/// The key has to be there, and to have room for one alias more.
fn require_room<A: Action>(connection: &Connection, permit: &Permit<A>, key: &KeyId) -> Found<()> {
    if !is_there(connection, permit, key)? {
        return Err(KeyError::KeyNotFound(permit.resource().clone()).into());
    }
    let there: i64 = connection
        .prepare("SELECT count(*) FROM kms_alias WHERE key_id = ?1")?
        .query_row([key.as_str()], |row| row.get(0))?;
    if there >= MOST {
        return Err(KeyError::LimitExceeded("A key has at most 50 aliases.").into());
    }
    Ok(())
}
