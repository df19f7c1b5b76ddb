//! Grants on keys.
//!
//! Whom a grant names is bound to its unique id when it is made, as trust policies do it: who gets the name later does not
//! have the grant. Principals of the maker's own account must exist; of other accounts nothing is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use moho_iam::Session;
use moho_iam::action::kms;
use moho_iam::authz::{Grant, GrantConstraint, GrantOperation, Grants, Permit};
use moho_terms::{AccountId, Arn, KeyId, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Row, Transaction, named_params, params, params_from_iter};

use super::error::Found;
use super::{KeyError, is_there, key_of, limited};
use crate::Store;
use crate::database::{Stopped, micros, term, time};
use crate::error::StoreError;
use crate::iam::grantee_id;

/// Grants on one key, as at AWS.
const MOST: i64 = 50_000;

const COLUMNS: &str =
    "grant_id, kms_grant.key_id, region, account_id, grantee, grantee_id, retiring, retiring_id, operations,
    constraint_kind, pairs, name, issuing_account, kms_grant.created_at
    FROM kms_grant JOIN kms_key ON kms_key.key_id = kms_grant.key_id";
/// Left to itself, SQLite would go through all grants on the key.
const TO: &str = "grant_id IN (SELECT own.grant_id FROM kms_grant AS own INDEXED BY kms_grant_to
    WHERE own.key_id = ?1 AND own.grantee = ?2)";
const INSERT: &str =
    "INSERT INTO kms_grant (key_id, grant_id, grantee, grantee_id, retiring, retiring_id, operations,
        constraint_kind, pairs, name, issuing_account, created_at)
    VALUES (:key, :id, :grantee, :grantee_id, :retiring, :retiring_id, :operations,
        :kind, :pairs, :name, :issuer, :created_at)";

/// A grant to be made on the key that its permit is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// 64 hexadecimal digits that no grant has.
    pub id: String,
    /// To whom.
    pub grantee: Arn,
    /// Who may end it.
    pub retiring: Option<Arn>,
    /// For what.
    pub operations: BTreeSet<GrantOperation>,
    /// Under which encryption contexts.
    pub constraint: Option<GrantConstraint>,
    /// What its maker calls it: asked for again, it is not made again.
    pub name: Option<String>,
}

/// Which of a key's grants are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrantFilter {
    /// The one of this id.
    pub id: Option<String>,
    /// Those to this principal.
    pub grantee: Option<Arn>,
}

impl Store {
    /// Makes a grant on the key that the permit is for, and gives its id. A grant with the same name that says the same is
    /// not made again.
    ///
    /// # Errors
    /// [`KeyError::NotCovered`], [`KeyError::KeyNotFound`], [`KeyError::InvalidPrincipal`], [`KeyError::LimitExceeded`];
    /// then none was made.
    pub fn create_grant(
        &self,
        permit: &Permit<kms::CreateGrant>,
        new: &NewGrant,
        now: Timestamp,
    ) -> Result<String, KeyError> {
        let key = key_of(permit)?;
        let id = self.database.change(|transaction| {
            if !is_there(transaction, permit, &key)? {
                return Err(KeyError::KeyNotFound(permit.resource().clone()).into());
            }
            require_covered(transaction, (permit, &key), new)?;
            let grant = bound(transaction, permit, new, now)?;
            match same(transaction, &key, &grant)? {
                Some(id) => Ok(id),
                None => {
                    require_room(transaction, &key)?;
                    insert(transaction, &key, &grant)?;
                    Ok(grant.id)
                }
            }
        });
        self.keys.forget_grants(&key);
        id
    }

    /// The grants on the key that the permit is for, in the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`KeyError`] if they cannot be read.
    pub fn grants(
        &self,
        permit: &Permit<kms::ListGrants>,
        filter: &GrantFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Grant>, KeyError> {
        let key = key_of(permit)?;
        let select = format!(
            "SELECT {COLUMNS} WHERE kms_grant.key_id = ?1 AND grant_id > ?2
                AND (?3 IS NULL OR grant_id = ?3) AND (?4 IS NULL OR grantee = ?4) ORDER BY grant_id LIMIT ?5"
        );
        let grantee = filter.grantee.as_ref().map(Arn::as_str);
        let values = params![
            key.as_str(),
            after.unwrap_or(""),
            filter.id,
            grantee,
            limited(limit)
        ];
        let found = self.database.read(|connection| {
            let mut statement = connection.prepare(&select)?;
            statement.query_map(values, read)?.collect()
        })?;
        Ok(found)
    }

    /// The grants on all keys that `retiring`, of the permit's account, may end, in the order of their ids, after one of
    /// them.
    ///
    /// # Errors
    /// [`KeyError::InvalidPrincipal`] for another account's principal; or they cannot be read.
    pub fn retirable_grants(
        &self,
        permit: &Permit<kms::ListRetirableGrants>,
        retiring: &Arn,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Grant>, KeyError> {
        if retiring.account() != permit.session().account().as_str() {
            return Err(KeyError::InvalidPrincipal(retiring.clone()));
        }
        let select =
            format!("SELECT {COLUMNS} WHERE retiring = ?1 AND grant_id > ?2 ORDER BY grant_id LIMIT ?3");
        let values = params![retiring.as_str(), after.unwrap_or(""), limited(limit)];
        let found = self.database.read(|connection| {
            let mut statement = connection.prepare(&select)?;
            statement.query_map(values, read)?.collect()
        })?;
        Ok(found)
    }

    /// The grant of this id on a key; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn grant(&self, key: &KeyId, id: &str) -> Result<Option<Arc<Grant>>, StoreError> {
        let found = self.read_grants("grant_id = ?2", &[key.as_str(), id])?;
        Ok(found.into_iter().next())
    }

    /// Ends the grant that the permit was asked for about, on the key that it is for.
    ///
    /// # Errors
    /// [`KeyError::GrantNotFound`] if there is none.
    pub fn retire_grant(&self, permit: &Permit<kms::RetireGrant>) -> Result<(), KeyError> {
        let id = permit.context().grant().ok_or(KeyError::OtherPermit)?;
        self.end_grant(&key_of(permit)?, id)
    }

    /// Ends a grant on the key that the permit is for.
    ///
    /// # Errors
    /// [`KeyError::GrantNotFound`] if there is none.
    pub fn revoke_grant(&self, permit: &Permit<kms::RevokeGrant>, id: &str) -> Result<(), KeyError> {
        self.end_grant(&key_of(permit)?, id)
    }

    fn end_grant(&self, key: &KeyId, id: &str) -> Result<(), KeyError> {
        let ended = self.database.write(|transaction| {
            transaction
                .prepare("DELETE FROM kms_grant WHERE key_id = ?1 AND grant_id = ?2")?
                .execute([key.as_str(), id])
        })?;
        self.keys.forget_grants(key);
        if ended == 0 {
            return Err(KeyError::GrantNotFound(id.to_owned()));
        }
        Ok(())
    }

    /// What grants on a key can say of a request of `session`'s, which may be about one of them: those to it, from memory;
    /// `None` if there are none. A key may have many more, and most decisions have none to ask.
    pub(crate) fn grants_to(
        &self,
        key: &str,
        session: &Session,
        about: Option<&str>,
    ) -> Result<Option<Arc<Grants>>, StoreError> {
        if let Some(id) = about {
            let found = self.read_grants("grant_id = ?2", &[key, id])?;
            let names = Grants::names_of(session);
            let is_named = |grant: &Arc<Grant>| {
                let mut named = [Some(&grant.grantee), grant.retiring.as_ref()]
                    .into_iter()
                    .flatten();
                named.any(|arn| names.iter().any(|name| name == arn.as_str()))
            };
            // Nothing else says who may end it; of one that is somebody else's, nothing is to be said.
            if found.iter().any(is_named) {
                return Ok(Some(Arc::new(Grants::new(found))));
            }
        }
        self.ensure_fresh()?;
        let (names, epoch) = {
            let remembered = self.keys.read();
            if remembered.has_no_grants(key) {
                return Ok(None);
            }
            let names = Grants::names_of(session);
            if let Some(known) = remembered.grants(key, &names) {
                return Ok(known.cloned());
            }
            (names, remembered.epoch)
        };
        if !self.has_grants(key)? {
            if let Some(mut remembered) = self.keys.since(epoch) {
                remembered.remember_no_grants(key);
            }
            return Ok(None);
        }
        let mut found = Vec::new();
        for name in &names {
            found.extend(self.read_grants(TO, &[key, name])?);
        }
        let grants = some(found);
        if let Some(mut remembered) = self.keys.since(epoch) {
            remembered.remember_grants(key, names, grants.as_ref());
        }
        Ok(grants)
    }

    fn has_grants(&self, key: &str) -> Result<bool, StoreError> {
        self.database.read(|connection| {
            connection
                .prepare("SELECT 1 FROM kms_grant WHERE key_id = ?1 LIMIT 1")?
                .exists([key])
        })
    }

    /// All grants on a key, for whoever tells who can use it; `None` if there are none.
    pub(super) fn all_grants_on(&self, key: &KeyId) -> Result<Option<Arc<Grants>>, StoreError> {
        self.read_grants("TRUE", &[key.as_str()]).map(some)
    }

    /// The grants on the key that is the first of `values`, of which `those` is so.
    fn read_grants(&self, those: &str, values: &[&str]) -> Result<Vec<Arc<Grant>>, StoreError> {
        let select = format!("SELECT {COLUMNS} WHERE kms_grant.key_id = ?1 AND {those}");
        self.database.read(|connection| {
            let mut statement = connection.prepare(&select)?;
            let rows = statement.query_map(params_from_iter(values), read)?;
            let checked = |grant: Grant| {
                let key = grant.key.resource().trim_start_matches("key/");
                self.database.check(connection, "kms_grant", &[&key, &grant.id])?;
                Ok(Arc::new(grant))
            };
            rows.map(|row| checked(row?)).collect()
        })
    }
}

fn some(grants: Vec<Arc<Grant>>) -> Option<Arc<Grants>> {
    (!grants.is_empty()).then(|| Arc::new(Grants::new(grants)))
}

/// Who may make grants by grants alone gives no more than one of them does that has not been ended meanwhile.
fn require_covered(
    transaction: &Transaction<'_>,
    (permit, key): (&Permit<kms::CreateGrant>, &KeyId),
    new: &NewGrant,
) -> Found<()> {
    let parents = permit.grants();
    if parents.is_empty() {
        return Ok(());
    }
    let mut there = transaction.prepare("SELECT 1 FROM kms_grant WHERE key_id = ?1 AND grant_id = ?2")?;
    for parent in parents {
        let covers = parent.covers(&new.operations, new.constraint.as_ref());
        if covers && there.exists([key.as_str(), &parent.id])? {
            return Ok(());
        }
    }
    Err(KeyError::NotCovered.into())
}

/// The grant with the unique ids of those whom it names.
fn bound(
    transaction: &Transaction<'_>,
    permit: &Permit<kms::CreateGrant>,
    new: &NewGrant,
    now: Timestamp,
) -> Found<Grant> {
    let own = permit.session().account();
    let retiring_id = match &new.retiring {
        Some(retiring) => id_of(transaction, own, retiring)?,
        None => None,
    };
    Ok(Grant {
        id: new.id.clone(),
        key: permit.resource().clone(),
        grantee: new.grantee.clone(),
        grantee_id: id_of(transaction, own, &new.grantee)?,
        retiring: new.retiring.clone(),
        retiring_id,
        operations: new.operations.clone(),
        constraint: new.constraint.clone(),
        name: new.name.clone(),
        issuing_account: own,
        created_at: now,
    })
}

fn id_of(transaction: &Transaction<'_>, own: AccountId, principal: &Arn) -> Found<Option<String>> {
    let known = grantee_id(transaction, own, principal)?;
    known.ok_or_else(|| KeyError::InvalidPrincipal(principal.clone()).into())
}

/// The grant that has the same name and says the same.
fn same(transaction: &Transaction<'_>, key: &KeyId, grant: &Grant) -> Found<Option<String>> {
    let Some(name) = &grant.name else {
        return Ok(None);
    };
    let select = format!("SELECT {COLUMNS} WHERE kms_grant.key_id = ?1 AND name = ?2");
    let mut statement = transaction.prepare(&select)?;
    for other in statement.query_map(params![key.as_str(), name], read)? {
        let other = other?;
        let says_the_same = Grant {
            id: other.id.clone(),
            created_at: other.created_at,
            ..grant.clone()
        };
        if other == says_the_same {
            return Ok(Some(other.id));
        }
    }
    Ok(None)
}

fn require_room(transaction: &Transaction<'_>, key: &KeyId) -> Found<()> {
    let there: i64 = transaction
        .prepare("SELECT count(*) FROM kms_grant WHERE key_id = ?1")?
        .query_row([key.as_str()], |row| row.get(0))?;
    if there >= MOST {
        return Err(KeyError::LimitExceeded("A key has at most 50,000 grants.").into());
    }
    Ok(())
}

fn insert(transaction: &Transaction<'_>, key: &KeyId, grant: &Grant) -> Result<(), Stopped<KeyError>> {
    let (kind, pairs) = match &grant.constraint {
        Some(GrantConstraint::Equals(pairs)) => (Some("EQUALS"), Some(json(pairs)?)),
        Some(GrantConstraint::Subset(pairs)) => (Some("SUBSET"), Some(json(pairs)?)),
        None => (None, None),
    };
    let operations: Vec<&str> = grant
        .operations
        .iter()
        .map(|operation| operation.as_str())
        .collect();
    let values = named_params! {
        ":key": key.as_str(),
        ":id": grant.id,
        ":grantee": grant.grantee.as_str(),
        ":grantee_id": grant.grantee_id,
        ":retiring": grant.retiring.as_ref().map(Arn::as_str),
        ":retiring_id": grant.retiring_id,
        ":operations": json(&operations)?,
        ":kind": kind,
        ":pairs": pairs,
        ":name": grant.name,
        ":issuer": grant.issuing_account.as_str(),
        ":created_at": micros(grant.created_at),
    };
    transaction.prepare(INSERT)?.execute(values)?;
    Ok(())
}

fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Grant> {
    let (key, region): (String, String) = (row.get(1)?, row.get(2)?);
    let account: String = row.get(3)?;
    let key = Arn::of("kms", &region, &account, &format!("key/{key}"));
    Ok(Grant {
        id: row.get(0)?,
        key: key.map_err(|error| unreadable(1, error))?,
        grantee: term(row, 4)?,
        grantee_id: row.get(5)?,
        retiring: if_any(row, 6)?,
        retiring_id: row.get(7)?,
        operations: operations(row)?,
        constraint: constraint(row)?,
        name: row.get(11)?,
        issuing_account: term(row, 12)?,
        created_at: time(row, 13)?,
    })
}

fn if_any(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Arn>> {
    let there: Option<String> = row.get(column)?;
    there.map(|_| term(row, column)).transpose()
}

fn operations(row: &Row<'_>) -> rusqlite::Result<BTreeSet<GrantOperation>> {
    let names: Vec<String> =
        serde_json::from_str(row.get_ref(8)?.as_str()?).map_err(|error| unreadable(8, error))?;
    let parsed = names
        .iter()
        .map(|name| name.parse().map_err(|error| unreadable(8, error)));
    parsed.collect()
}

fn constraint(row: &Row<'_>) -> rusqlite::Result<Option<GrantConstraint>> {
    let kind: Option<String> = row.get(9)?;
    let Some(kind) = kind else { return Ok(None) };
    let pairs: BTreeMap<String, String> =
        serde_json::from_str(row.get_ref(10)?.as_str()?).map_err(|error| unreadable(10, error))?;
    Ok(Some(if kind == "EQUALS" {
        GrantConstraint::Equals(pairs)
    } else {
        GrantConstraint::Subset(pairs)
    }))
}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::migrations::{known, migrate_to};

    #[test]
    fn grants_to_somebody_are_found_without_going_through_all() {
        let directory = tempfile::tempdir().unwrap();
        let mut database = Connection::open_in_memory().unwrap();
        migrate_to(&mut database, directory.path(), known()).unwrap();
        let explained = format!("EXPLAIN QUERY PLAN SELECT {COLUMNS} WHERE kms_grant.key_id = ?1 AND {TO}");
        let mut statement = database.prepare(&explained).unwrap();
        let plan = statement.query_map(["key", "grantee"], |row| row.get::<_, String>(3));
        let plan: Vec<String> = plan.unwrap().collect::<Result<_, _>>().unwrap();
        for by in [
            "kms_grant_to (key_id=? AND grantee=?)",
            "(key_id=? AND grant_id=?)",
        ] {
            assert!(plan.iter().any(|step| step.ends_with(by)), "{plan:?}");
        }
    }
}
