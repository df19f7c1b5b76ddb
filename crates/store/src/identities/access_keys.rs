//! Access keys of users: kept sealed, at most two each.

use moho_iam::action::{Action, iam};
use moho_iam::authz::Permit;
use moho_terms::{AccessKeyId, AccountId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{count, entities, over_quota, refused};
use crate::Store;
use crate::database::{Stopped, micros, term, time};
use crate::error::StoreError;
use crate::iam::error::Found;
use crate::iam::{EntityKind, IamCode, IamError, Listed, Page};

/// As at AWS.
const MOST: u32 = 2;

/// A use is written down again after so many seconds, or when service or region change.
const USED_AGAIN: u64 = 900;

/// An access key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// `AKIA…`
    pub id: AccessKeyId,
    /// Whether it may be used.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// When and for what an access key was last used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// When, to some minutes.
    pub at: Timestamp,
    /// The service, such as `iam`.
    pub service: String,
    /// The region.
    pub region: String,
}

impl AccessKey {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: term(row, 0)?,
            active: row.get(1)?,
            created_at: time(row, 2)?,
        })
    }
}

impl Store {
    /// Keeps a new access key of the user that the permit is for, its secret sealed. When this returns, it is on the disk.
    ///
    /// # Errors
    /// [`IamError`]: the organisation allows none, there is no such user, or it has two already.
    pub fn create_access_key(
        &self,
        permit: &Permit<iam::CreateAccessKey>,
        (key, sealed): (&AccessKeyId, &[u8]),
        now: Timestamp,
    ) -> Result<AccessKey, IamError> {
        self.require_long_lived(permit.session().account())?;
        self.changed(|transaction| {
            let user = entities::required(transaction, permit, EntityKind::User)?;
            let there = "SELECT count(*) FROM access_key WHERE user_id = ?1";
            if count(transaction, there, &user.id)? >= MOST {
                return over_quota("AccessKeysPerUser", MOST);
            }
            transaction.execute(
                "INSERT INTO access_key (access_key_id, user_id, active, created_at, sealed) VALUES (?1, ?2, 1, ?3, ?4)",
                params![key.as_str(), user.id, micros(now), sealed],
            )?;
            Ok(AccessKey {
                id: key.clone(),
                active: true,
                created_at: now,
            })
        })
    }

    /// The access keys of the user that the permit is for, oldest first.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn list_access_keys(
        &self,
        permit: &Permit<iam::ListAccessKeys>,
        page: Page<'_>,
    ) -> Result<Listed<AccessKey>, IamError> {
        self.database.look(|connection| {
            let user = entities::required(connection, permit, EntityKind::User)?;
            let mut select = connection.prepare(
                "SELECT access_key_id, active, created_at, printf('%020d %s', created_at, access_key_id) AS place
                 FROM access_key WHERE user_id = ?1 AND place > ?2 ORDER BY place LIMIT ?3",
            )?;
            let keys = select.query_map(params![user.id, page.start(), page.rows()], |row| {
                Ok((row.get(3)?, AccessKey::read(row)?))
            })?;
            Ok(Listed::cut(keys.collect::<rusqlite::Result<_>>()?, page.limit))
        })
    }

    /// Lets an access key of the user that the permit is for be used, or not.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn update_access_key(
        &self,
        permit: &Permit<iam::UpdateAccessKey>,
        key: &str,
        active: bool,
    ) -> Result<(), IamError> {
        self.on_key(permit, key, |transaction, user| {
            transaction.execute(
                "UPDATE access_key SET active = ?3 WHERE user_id = ?1 AND access_key_id = ?2",
                params![user, key, active],
            )
        })
    }

    /// Removes an access key of the user that the permit is for.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn delete_access_key(
        &self,
        permit: &Permit<iam::DeleteAccessKey>,
        key: &str,
    ) -> Result<(), IamError> {
        self.on_key(permit, key, |transaction, user| {
            transaction.execute(
                "DELETE FROM access_key WHERE user_id = ?1 AND access_key_id = ?2",
                params![user, key],
            )
        })
    }

    fn on_key<A: Action>(
        &self,
        permit: &Permit<A>,
        key: &str,
        change: impl FnOnce(&Connection, &str) -> rusqlite::Result<usize>,
    ) -> Result<(), IamError> {
        self.changed(|transaction| {
            let user = entities::required(transaction, permit, EntityKind::User)?;
            match change(transaction, &user.id)? {
                0 => no_key(key),
                _ => Ok(()),
            }
        })
    }

    /// Whose access key this is: the user's name; `None` if no user of the account has it. What has to be decided on.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn access_key_owner(&self, account: AccountId, key: &str) -> Result<Option<String>, StoreError> {
        self.database.find(|connection| {
            connection
                .prepare(
                    "SELECT name FROM access_key JOIN iam_identity ON identity_id = user_id
                     WHERE access_key_id = ?1 AND account_id = ?2",
                )?
                .query_row([key, account.as_str()], |row| row.get(0))
        })
    }

    /// When and for what an access key of the user that the permit is for was last used; `None` if it never was.
    ///
    /// # Errors
    /// [`IamCode::NoSuchEntity`]
    pub fn access_key_last_used(
        &self,
        permit: &Permit<iam::GetAccessKeyLastUsed>,
        key: &str,
    ) -> Result<Option<LastUse>, IamError> {
        self.database.look(|connection| {
            let user = match entities::required(connection, permit, EntityKind::User) {
                // The permit is for all users where nobody has the key.
                Err(Stopped::Refused(_)) => return no_key(key),
                user => user?,
            };
            let found = connection
                .prepare(
                    "SELECT used_at, used_service, used_region FROM access_key WHERE user_id = ?1 AND access_key_id = ?2",
                )?
                .query_row([user.id.as_str(), key], last_use)
                .optional()?;
            match found {
                Some(used) => Ok(used),
                None => no_key(key),
            }
        })
    }

    /// Writes down that an access key was used, unless much the same was written a short while ago.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be written.
    pub fn note_access_key_use(&self, key: &AccessKeyId, now: &LastUse) -> Result<(), StoreError> {
        let before = self.database.find(|connection| {
            connection
                .prepare(
                    "SELECT used_at, used_service, used_region FROM access_key WHERE access_key_id = ?1",
                )?
                .query_row([key.as_str()], last_use)
        })?;
        let fresh = |before: &LastUse| {
            before.service == now.service
                && before.region == now.region
                && before.at.plus_seconds(USED_AGAIN) > now.at
        };
        if before.is_none_or(|before| before.as_ref().is_some_and(fresh)) {
            return Ok(());
        }
        self.database.write(|transaction| {
            transaction.execute(
                "UPDATE access_key SET used_at = ?2, used_service = ?3, used_region = ?4 WHERE access_key_id = ?1",
                params![key.as_str(), micros(now.at), now.service, now.region],
            )?;
            Ok(())
        })
    }
}

fn last_use(row: &Row<'_>) -> rusqlite::Result<Option<LastUse>> {
    let at: Option<i64> = row.get(0)?;
    if at.is_none() {
        return Ok(None);
    }
    Ok(Some(LastUse {
        at: time(row, 0)?,
        service: row.get(1)?,
        region: row.get(2)?,
    }))
}

fn no_key<T>(key: &str) -> Found<T> {
    refused(
        IamCode::NoSuchEntity,
        format!("The Access Key with id {key} cannot be found."),
    )
}
