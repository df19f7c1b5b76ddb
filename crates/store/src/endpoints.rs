//! Private endpoints: those that accounts made, and the policies of all.
//!
//! Which endpoints the settings name is the caller's to know: of those, only the policy is kept here, and whose it is.

use std::collections::BTreeMap;

use moho_iam::action::ec2;
use moho_iam::authz::Permit;
use moho_iam::policy::PolicyDocument;
use moho_terms::{AccountId, EndpointId, Timestamp, VpcId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::Store;
use crate::database::{micros, term, time};
use crate::error::StoreError;

/// An endpoint to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEndpoint {
    /// Its id.
    pub id: EndpointId,
    /// The network it is in.
    pub vpc: VpcId,
    /// The name of the service that it leads to.
    pub service: String,
    /// Its policy; without one, the default.
    pub policy: Option<PolicyDocument>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The word by which the caller knows a request again.
    pub client_token: Option<String>,
}

/// An endpoint that an account made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointRecord {
    /// Its id.
    pub id: EndpointId,
    /// Whose it is.
    pub account: AccountId,
    /// The network it is in.
    pub vpc: VpcId,
    /// The name of the service that it leads to.
    pub service: String,
    /// The text of its policy; `None` for the default.
    pub policy: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
}

/// What is kept of an endpoint that the settings name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredEndpoint {
    /// The text of its policy; `None` for the default.
    pub policy: Option<String>,
    /// When moho first served it.
    pub created: Timestamp,
}

/// What came of making an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointCreated {
    /// It is there; or it was, made by the same request before.
    Done(EndpointRecord),
    /// The network has one for this service.
    Conflict,
    /// The client's token came with another request before.
    TokenReused,
}

impl Store {
    /// Changes endpoints, and says that metadata changed.
    fn change_endpoints<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let done = self.database.write(change)?;
        self.policies.forget();
        Ok(done)
    }

    /// Makes an endpoint of the permit's account.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be kept.
    pub fn create_endpoint(
        &self,
        permit: &Permit<ec2::CreateVpcEndpoint>,
        new: &NewEndpoint,
        now: Timestamp,
    ) -> Result<EndpointCreated, StoreError> {
        let account = permit.session().account();
        let created = self.change_endpoints(|transaction| {
            if let Some(token) = &new.client_token
                && let Some(earlier) = by_token(transaction, account, token)?
            {
                return Ok(if is_same(&earlier, new) {
                    EndpointCreated::Done(earlier)
                } else {
                    EndpointCreated::TokenReused
                });
            }
            if !insert(transaction, account, (new, now))? {
                return Ok(EndpointCreated::Conflict);
            }
            let made = by_id(transaction, account, &new.id)?;
            made.map(EndpointCreated::Done)
                .ok_or(rusqlite::Error::QueryReturnedNoRows)
        })?;
        Ok(created)
    }

    /// Every endpoint that the permit's account made, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn endpoints(
        &self,
        permit: &Permit<ec2::DescribeVpcEndpoints>,
    ) -> Result<Vec<EndpointRecord>, StoreError> {
        let account = permit.session().account();
        self.database.read(|connection| {
            let sql = format!("{SELECT} WHERE account_id = ?1 ORDER BY endpoint_id");
            let mut select = connection.prepare(&sql)?;
            let found = select.query_map([account.as_str()], record)?;
            let found: Vec<EndpointRecord> = found.collect::<rusqlite::Result<_>>()?;
            found
                .into_iter()
                .map(|endpoint| with_tags(connection, endpoint))
                .collect()
        })
    }

    /// Changes the policy of an endpoint that the permit's account made; `None` for the default. Whether there is one.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be kept.
    pub fn set_endpoint_policy(
        &self,
        permit: &Permit<ec2::ModifyVpcEndpoint>,
        id: &EndpointId,
        policy: Option<&PolicyDocument>,
    ) -> Result<bool, StoreError> {
        let account = permit.session().account();
        let changed = self.change_endpoints(|transaction| {
            transaction.execute(
                "UPDATE vpc_endpoint SET policy = ?3 WHERE account_id = ?1 AND endpoint_id = ?2",
                params![account.as_str(), id.as_str(), policy.map(PolicyDocument::as_str)],
            )
        })?;
        Ok(changed > 0)
    }

    /// Changes the policy of an endpoint that the settings give the permit's account; `None` for the default. Whether there
    /// is one.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be kept.
    pub fn set_configured_endpoint_policy(
        &self,
        permit: &Permit<ec2::ModifyVpcEndpoint>,
        id: &EndpointId,
        policy: Option<&PolicyDocument>,
    ) -> Result<bool, StoreError> {
        let account = permit.session().account();
        let changed = self.change_endpoints(|transaction| {
            transaction.execute(
                "UPDATE configured_endpoint SET policy = ?3 WHERE account_id = ?1 AND endpoint_id = ?2",
                params![account.as_str(), id.as_str(), policy.map(PolicyDocument::as_str)],
            )
        })?;
        Ok(changed > 0)
    }

    /// Deletes endpoints that the permits' accounts made: all, or none if that fails. Of each, whether there was one.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be deleted.
    pub fn delete_endpoints(
        &self,
        endpoints: &[(EndpointId, Permit<ec2::DeleteVpcEndpoints>)],
    ) -> Result<Vec<bool>, StoreError> {
        self.change_endpoints(|transaction| {
            let mut delete =
                transaction.prepare("DELETE FROM vpc_endpoint WHERE account_id = ?1 AND endpoint_id = ?2")?;
            let each = endpoints.iter().map(|(id, permit)| {
                let deleted = delete.execute(params![permit.session().account().as_str(), id.as_str()])?;
                Ok(deleted > 0)
            });
            each.collect()
        })
    }

    /// Notes the endpoints that the settings name, and whose they are. One that is another account's than it was begins
    /// anew: what its former owner let through is nothing to the new one.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be kept.
    pub fn note_configured_endpoints<'a>(
        &self,
        endpoints: impl Iterator<Item = (&'a EndpointId, AccountId)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let endpoints: Vec<_> = endpoints.collect();
        self.change_endpoints(|transaction| {
            for (id, owner) in endpoints {
                transaction.execute(
                    "INSERT INTO configured_endpoint VALUES (?1, ?2, NULL, ?3) ON CONFLICT (endpoint_id) DO UPDATE
                     SET account_id = excluded.account_id, policy = NULL, created_at = excluded.created_at
                     WHERE account_id <> excluded.account_id",
                    params![id.as_str(), owner.as_str(), micros(now)],
                )?;
            }
            Ok(())
        })
    }

    /// What is kept of an endpoint that the settings name, for whose it is now.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn configured_endpoint(&self, id: &EndpointId) -> Result<Option<ConfiguredEndpoint>, StoreError> {
        self.database.find(|connection| {
            connection
                .prepare("SELECT policy, created_at FROM configured_endpoint WHERE endpoint_id = ?1")?
                .query_row([id.as_str()], |row| {
                    Ok(ConfiguredEndpoint {
                        policy: row.get(0)?,
                        created: time(row, 1)?,
                    })
                })
        })
    }

    /// The endpoint that `account` made in a network for a service.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said; treat it as one that lets nobody through.
    pub fn endpoint_for(
        &self,
        account: AccountId,
        vpc: &VpcId,
        service: &str,
    ) -> Result<Option<EndpointRecord>, StoreError> {
        self.database.find(|connection| {
            let sql = format!("{SELECT} WHERE account_id = ?1 AND vpc_id = ?2 AND service = ?3");
            connection
                .prepare(&sql)?
                .query_row(params![account.as_str(), vpc.as_str(), service], record)
        })
    }

    /// The tags of an endpoint that `account` made; none if there is no such endpoint.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read.
    pub fn endpoint_tags(
        &self,
        account: AccountId,
        id: &EndpointId,
    ) -> Result<BTreeMap<String, String>, StoreError> {
        let found = self.database.read(|connection| by_id(connection, account, id))?;
        Ok(found.map(|endpoint| endpoint.tags).unwrap_or_default())
    }
}

const SELECT: &str = "SELECT endpoint_id, account_id, vpc_id, service, policy, created_at FROM vpc_endpoint";

/// An endpoint without its tags.
fn record(row: &Row<'_>) -> rusqlite::Result<EndpointRecord> {
    Ok(EndpointRecord {
        id: term(row, 0)?,
        account: term(row, 1)?,
        vpc: term(row, 2)?,
        service: row.get(3)?,
        policy: row.get(4)?,
        tags: BTreeMap::new(),
        created: time(row, 5)?,
    })
}

fn with_tags(connection: &Connection, endpoint: EndpointRecord) -> rusqlite::Result<EndpointRecord> {
    let mut select = connection.prepare("SELECT key, value FROM vpc_endpoint_tag WHERE endpoint_id = ?1")?;
    let pairs = select.query_map([endpoint.id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let tags = pairs.collect::<rusqlite::Result<_>>()?;
    Ok(EndpointRecord { tags, ..endpoint })
}

fn by_id(
    connection: &Connection,
    account: AccountId,
    id: &EndpointId,
) -> rusqlite::Result<Option<EndpointRecord>> {
    let sql = format!("{SELECT} WHERE account_id = ?1 AND endpoint_id = ?2");
    let found = connection
        .prepare(&sql)?
        .query_row(params![account.as_str(), id.as_str()], record)
        .optional()?;
    found.map(|endpoint| with_tags(connection, endpoint)).transpose()
}

fn by_token(
    connection: &Connection,
    account: AccountId,
    token: &str,
) -> rusqlite::Result<Option<EndpointRecord>> {
    let sql = format!("{SELECT} WHERE account_id = ?1 AND client_token = ?2");
    let found = connection
        .prepare(&sql)?
        .query_row(params![account.as_str(), token], record)
        .optional()?;
    found.map(|endpoint| with_tags(connection, endpoint)).transpose()
}

/// Whether a request asks for what is there.
fn is_same(there: &EndpointRecord, new: &NewEndpoint) -> bool {
    there.vpc == new.vpc
        && there.service == new.service
        && there.policy.as_deref() == new.policy.as_ref().map(PolicyDocument::as_str)
        && there.tags == new.tags
}

/// Whether there was room for it.
fn insert(
    transaction: &Transaction<'_>,
    account: AccountId,
    (new, now): (&NewEndpoint, Timestamp),
) -> rusqlite::Result<bool> {
    let made = transaction.execute(
        "INSERT INTO vpc_endpoint VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        params![
            new.id.as_str(),
            account.as_str(),
            new.vpc.as_str(),
            new.service,
            new.policy.as_ref().map(PolicyDocument::as_str),
            new.client_token,
            micros(now)
        ],
    )?;
    if made == 0 {
        return Ok(false);
    }
    for (key, value) in &new.tags {
        let values = params![new.id.as_str(), key, value];
        transaction.execute("INSERT INTO vpc_endpoint_tag VALUES (?1, ?2, ?3)", values)?;
    }
    Ok(true)
}
