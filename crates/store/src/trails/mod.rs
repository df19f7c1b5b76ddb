//! Trails: what an account, or the whole organisation, has delivered of what happened, and how far that has come.
//!
//! What is delivered is a function of the journal: a trail keeps how far it was read, and before anything is put into a bucket,
//! which records are in it, its name and its hash ([`LogToDeliver`], [`DigestToDeliver`]). So whoever goes on after a crash puts
//! the same bytes in the same place. From a start of logging to its stop is a span; each account that a trail is of has one chain
//! of digests in it.
//!
//! Journals belong to processes, trails to all of them: each process reads its own journal, under its own name. What records and
//! selectors are is not known here.

mod changing;
mod delivering;
mod digesting;
mod signing;
mod spans;
mod status;
mod tags;

use moho_iam::action::Action;
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Arn, BucketName, Region, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::Store;
use crate::database::{term, time};
use crate::error::StoreError;

pub use delivering::{LogToDeliver, PlannedLog, Reading, Unjoined};
pub use digesting::{Chain, DigestToDeliver, LogOfDigest, MOST_IN_DIGEST, NewDigest, PreviousOfChain};
pub use signing::{DigestKey, NewDigestKey};
pub use status::{TrailProgress, TrailStatus};

/// Trails of one account in a region, as at AWS. As many may be deleted and still have something to deliver.
pub const MOST: usize = 5;
/// Tags of a trail, as at AWS.
pub const MOST_TAGS: usize = 50;

/// A trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    /// Its own id, which no other trail ever has.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// Where it was made.
    pub home_region: Region,
    /// What it is set to.
    pub settings: TrailSettings,
    /// Which events it selects, as JSON; none are all management events.
    pub selectors: Option<String>,
    /// Whether it delivers what happens now.
    pub logging: bool,
    /// When that was begun last.
    pub started_at: Option<Timestamp>,
    /// When it was ended last.
    pub stopped_at: Option<Timestamp>,
}

/// A bucket that is delivered to. Whoever else has one of its name later gets nothing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailBucket {
    /// Its name.
    pub name: BucketName,
    /// Whose it was when the trail was set to it.
    pub owner: AccountId,
}

/// What a trail is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailSettings {
    /// The bucket that it delivers to.
    pub bucket: TrailBucket,
    /// What its keys begin with.
    pub prefix: Option<String>,
    /// The KmsKey, by its ARN, that log files are sealed under; without one, it is for the bucket to say.
    pub kms_key: Option<Arn>,
    /// Whether it is of all regions.
    pub multi_region: bool,
    /// Whether it is of services that belong to no region, too.
    pub global_services: bool,
    /// The organisation whose accounts it is of.
    pub organization: Option<String>,
    /// Whether there are digests.
    pub validation: bool,
}

impl Trail {
    /// Its ARN.
    ///
    /// # Errors
    /// [`StoreError::Name`] if its name is none that an ARN can have.
    pub fn arn(&self) -> Result<Arn, StoreError> {
        let resource = format!("trail/{}", self.name);
        Ok(Arn::of(
            "cloudtrail",
            self.home_region.as_str(),
            self.account.as_str(),
            &resource,
        )?)
    }
}

/// Why a trail cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    /// There is no such trail, or it is not this account's to change.
    #[error("there is no such trail")]
    NotFound,
    /// The account has another trail of this name.
    #[error("there is a trail of this name")]
    AlreadyExists,
    /// The account has as many as it may.
    #[error("the account has as many trails as it may")]
    TooMany,
    /// It would have more tags than it may.
    #[error("a trail has at most {MOST_TAGS} tags")]
    TooManyTags,
    /// It could not be looked up, or kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const SELECT: &str =
    "SELECT trail_id, account_id, name, home_region, bucket, prefix, kms_key, multi_region, global_services,
    organization, validation, selectors, logging, started_at, stopped_at, bucket_owner FROM trail";

impl Store {
    /// The trails that the permit's account sees: its own, and those of its organisation, by their names.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn trails<A: Action>(&self, permit: &Permit<A>) -> Result<Vec<Trail>, StoreError> {
        let account = permit.session().account();
        let managing = self.managing(account)?;
        let select = format!(
            "{SELECT} WHERE deleted_at IS NULL AND (account_id = ?1 OR (account_id = ?2 AND organization IS NOT NULL))
            ORDER BY account_id <> ?1, name, home_region"
        );
        self.database.read(|connection| {
            let mut select = connection.prepare(&select)?;
            let managing = managing.unwrap_or(account);
            let found = select.query_map(params![account.as_str(), managing.as_str()], trail)?;
            found.collect()
        })
    }

    /// The account that manages the organisation of another one.
    fn managing(&self, account: AccountId) -> Result<Option<AccountId>, StoreError> {
        let whole = self.whole_organisation()?;
        Ok(whole.and_then(|whole| whole.account(account).map(|_member| whole.names().management)))
    }

    /// The trail that the permit names, if it is of its own account; `None` if there is none such.
    ///
    /// # Errors
    /// [`StoreError::OtherPermit`] if the permit is for no trail of its account.
    pub fn own_trail<A: Action>(&self, permit: &Permit<A>) -> Result<Option<Trail>, StoreError> {
        let named = Named::by(permit)?;
        self.database.read(|connection| named.find(connection))
    }

    /// All trails that may have something to deliver, deleted ones among them.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn trails_with_spans(&self) -> Result<Vec<Trail>, StoreError> {
        let select =
            format!("{SELECT} WHERE trail_id IN (SELECT trail_id FROM trail_span) ORDER BY trail_id");
        self.database.read(|connection| {
            let mut select = connection.prepare(&select)?;
            let found = select.query_map([], trail)?;
            found.collect()
        })
    }

    /// The accounts that a trail is of, as they are now: its own, or all of the organisation.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be said.
    pub fn accounts_of_trail(&self, trail: &Trail) -> Result<Vec<AccountId>, StoreError> {
        if trail.settings.organization.is_none() {
            return Ok(vec![trail.account]);
        }
        let whole = self.whole_organisation()?;
        Ok(whole.map_or_else(
            || vec![trail.account],
            |whole| whole.accounts().map(|account| account.id).collect(),
        ))
    }
}

/// A trail of the permit's own account by its name.
pub(crate) struct Named<'a> {
    account: AccountId,
    region: &'a str,
    name: &'a str,
}

impl<'a> Named<'a> {
    fn by<A: Action>(permit: &'a Permit<A>) -> Result<Self, StoreError> {
        let (account, resource) = (permit.session().account(), permit.resource());
        match resource.resource().strip_prefix("trail/") {
            Some(name) if resource.account() == account.as_str() && resource.service() == "cloudtrail" => {
                Ok(Self {
                    account,
                    region: resource.region(),
                    name,
                })
            }
            _ => Err(StoreError::OtherPermit),
        }
    }

    fn find(&self, connection: &Connection) -> rusqlite::Result<Option<Trail>> {
        let select = format!(
            "{SELECT} WHERE account_id = ?1 AND home_region = ?2 AND name = ?3 AND deleted_at IS NULL"
        );
        connection
            .prepare(&select)?
            .query_row(params![self.account.as_str(), self.region, self.name], trail)
            .optional()
    }
}

fn trail(row: &Row<'_>) -> rusqlite::Result<Trail> {
    let key: Option<String> = row.get(6)?;
    Ok(Trail {
        id: row.get(0)?,
        account: term(row, 1)?,
        name: row.get(2)?,
        home_region: term(row, 3)?,
        settings: TrailSettings {
            bucket: TrailBucket {
                name: term(row, 4)?,
                owner: term(row, 15)?,
            },
            prefix: row.get(5)?,
            kms_key: key.map(|_| term(row, 6)).transpose()?,
            multi_region: row.get(7)?,
            global_services: row.get(8)?,
            organization: row.get(9)?,
            validation: row.get(10)?,
        },
        selectors: row.get(11)?,
        logging: row.get(12)?,
        started_at: perhaps_time(row, 13)?,
        stopped_at: perhaps_time(row, 14)?,
    })
}

fn perhaps_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let found: Option<i64> = row.get(column)?;
    found.map(|_| time(row, column)).transpose()
}
