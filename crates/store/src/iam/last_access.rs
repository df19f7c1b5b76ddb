//! When roles and users last used which service: what the journal says, gathered.
//!
//! It can always be gathered from the journal again, so it is written seldom; the mark says how far the
//! process's own journal was gathered.

use moho_iam::action::{Action, iam};
use moho_iam::authz::Permit;
use moho_terms::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::IamError;
use crate::Store;
use crate::database::{micros, time};
use crate::error::StoreError;

/// That somebody used a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Who: `ACCOUNT/role/name` or `ACCOUNT/user/name`, in lower case.
    pub principal: String,
    /// What, such as `kms`.
    pub last: LastAccess,
}

/// When a service was last used, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastAccess {
    /// The service, such as `kms`.
    pub service: String,
    /// In which region.
    pub region: String,
    /// When.
    pub at: Timestamp,
}

/// Actions that may be told when something was last used.
pub trait TellsLastUse: Action {}
impl TellsLastUse for iam::GetRole {}
impl TellsLastUse for iam::GetAccountAuthorizationDetails {}
impl TellsLastUse for iam::GetServiceLastAccessedDetails {}

impl Store {
    /// Keeps what was gathered up to record `position` of this process's journal; later times win.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was kept.
    pub fn keep_accesses(&self, accesses: &[Access], position: u64) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            let mut put = transaction.prepare(
                "INSERT INTO iam_last_access VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET region = excluded.region, used_at = excluded.used_at
                 WHERE excluded.used_at >= used_at",
            )?;
            for Access { principal, last } in accesses {
                put.execute(params![principal, last.service, last.region, micros(last.at)])?;
            }
            transaction.execute(
                "INSERT INTO iam_last_access_mark VALUES (?1, ?2) ON CONFLICT DO UPDATE SET position = excluded.position",
                params![self.node, i64::try_from(position).unwrap_or(i64::MAX)],
            )?;
            Ok(())
        })
    }

    /// Up to which record of the journal was gathered what is kept.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn accesses_kept(&self) -> Result<u64, StoreError> {
        let mark: Option<i64> = self.database.read(|connection| {
            connection
                .query_row(
                    "SELECT position FROM iam_last_access_mark WHERE node = ?1",
                    [&self.node],
                    |row| row.get(0),
                )
                .optional()
        })?;
        Ok(mark.and_then(|mark| u64::try_from(mark).ok()).unwrap_or(0))
    }

    /// What `principal` used when, as far as it is kept; nothing from before `since`, when another may have had the name.
    ///
    /// # Errors
    /// [`IamError::Store`]
    pub fn last_accesses<A: TellsLastUse>(
        &self,
        permit: &Permit<A>,
        principal: &str,
        since: Timestamp,
    ) -> Result<Vec<LastAccess>, IamError> {
        if !principal.starts_with(permit.session().account().as_str()) {
            return Err(StoreError::OtherPermit.into());
        }
        let found = self.database.read(|connection| {
            connection
                .prepare(
                    "SELECT service, region, used_at FROM iam_last_access WHERE principal = ?1 AND used_at >= ?2
                     ORDER BY service",
                )?
                .query_map(params![principal, micros(since)], |row| {
                    Ok(LastAccess {
                        service: row.get(0)?,
                        region: row.get(1)?,
                        at: time(row, 2)?,
                    })
                })?
                .collect()
        });
        Ok(found?)
    }
}
