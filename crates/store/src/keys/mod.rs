//! KmsKeys: their records, as `kms` makes them, their aliases and grants, and what decisions ask about them.
//!
//! Who uses a key looks it up for every use, so what is kept is remembered here, key by key, and forgotten when it changes.

mod access;
mod aliases;
mod bearing;
mod cache;
mod error;
mod grants;
mod policies;
mod records;
mod uses;

pub use access::AccountPrincipal;
pub use aliases::Alias;
pub use error::KeyError;
pub use grants::{GrantFilter, NewGrant};
pub(crate) use policies::decided_by;
pub use policies::{BoundKeyPolicy, WritesKeyPolicy};
pub use uses::{KeyUse, KeyUses};

pub(crate) use cache::KeyCache;
pub(crate) use records::insert;

use moho_iam::action::Action;
use moho_iam::authz::Permit;
use moho_terms::KeyId;
use rusqlite::Connection;

/// The key that a permit is for.
fn key_of<A: Action>(permit: &Permit<A>) -> Result<KeyId, KeyError> {
    let resource = permit.resource();
    let id = (resource.service() == "kms")
        .then(|| resource.resource().strip_prefix("key/"))
        .flatten()
        .and_then(|id| id.parse().ok());
    id.ok_or(KeyError::OtherPermit)
}

/// Whether there is a key of this id in this account and region.
fn is_there<A: Action>(connection: &Connection, permit: &Permit<A>, key: &KeyId) -> rusqlite::Result<bool> {
    let (account, region) = (permit.resource().account(), permit.resource().region());
    connection
        .prepare(
            "SELECT 1 FROM kms_key WHERE key_id = ?1 AND account_id = ?2 AND region = ?3 AND record IS NOT NULL",
        )?
        .exists([key.as_str(), account, region])
}

/// A number of rows as SQLite takes it.
fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
