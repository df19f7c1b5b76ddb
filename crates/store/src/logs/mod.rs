//! Log groups, their streams and the events in them, as CloudWatch Logs has them.
//!
//! Events that come together rest together ([`block`]): compressed, and sealed under the key of their group, each block by
//! itself, with a sealed summary of which texts are in it ([`trigrams`]). Blocks of a stream that are small are put together
//! when more come ([`putting`]), so that many small batches are read as fast as few large ones. Names, times and sizes are in
//! the clear. A permit is for the group that was decided about, not for the next of its name
//! ([`Permit::unique_id`]).

pub(crate) mod block;
mod filters;
mod groups;
mod names;
mod policies;
mod putting;
mod reading;
mod streams;
mod sweeping;
pub(crate) mod trigrams;

pub use block::{EVENT_OVERHEAD, LogBlock, LogEvent, NewLogEvent};
pub use filters::{MetricFilter, MetricFilterPut, MetricFiltersOf, Transformation};
pub use groups::{GroupChange, GroupFacts, GroupMade, GroupSums, GroupsWanted, NewGroup, TagsChanged};
pub use names::{LogName, group_arn, log_context, log_name, stream_arn};
pub use policies::{LogPolicy, LogPolicyPut};
pub use putting::{LogPut, Putting};
pub use reading::{BlockFacts, LogScope, OpenedBlock, StreamsOf};
pub use streams::{StreamFacts, StreamMade, StreamOrder};
pub use sweeping::{LogExpiry, Swept, WriteLogExpiries};
pub use trigrams::LogSummary;

use std::collections::BTreeMap;
use std::sync::Arc;

use moho_iam::action::Action;
use moho_iam::authz::{Permit, Policies};
use moho_terms::{AccountId, Arn};
use rusqlite::{Connection, OptionalExtension, params};

use crate::Store;
use crate::error::StoreError;

/// The number of a group, which no other ever has.
pub(crate) type GroupId = i64;

/// What a permit of `logs` is for: the caller's account and a group of it, and a stream if it names one.
fn named<A: Action>(permit: &Permit<A>) -> Result<(AccountId, LogName), StoreError> {
    let account = permit.session().account();
    match log_name(permit.resource()) {
        Some(name) if permit.resource().account() == account.as_str() => Ok((account, name)),
        _ => Err(StoreError::OtherPermit),
    }
}

/// The account whose groups, all of them, a permit is for.
fn account_of<A: Action>(permit: &Permit<A>) -> Result<AccountId, StoreError> {
    let (account, resource) = (permit.session().account(), permit.resource());
    let own = resource.service() == "logs" && resource.account() == account.as_str();
    own.then_some(account).ok_or(StoreError::OtherPermit)
}

/// The number of the group of this name that an account has.
fn group_named(connection: &Connection, account: AccountId, name: &str) -> rusqlite::Result<Option<GroupId>> {
    connection
        .prepare_cached("SELECT group_id FROM log_group WHERE account_id = ?1 AND name = ?2 AND gone = 0")?
        .query_row(params![account.as_str(), name], |row| row.get(0))
        .optional()
}

/// The number of the group that a permit is for, if it is still the one that was decided about.
fn decided_group<A: Action>(
    connection: &Connection,
    permit: &Permit<A>,
    (account, name): (AccountId, &str),
) -> rusqlite::Result<Option<GroupId>> {
    let found = group_named(connection, account, name)?;
    Ok(found.filter(|group| permit.unique_id() == u64::try_from(*group).ok()))
}

impl Store {
    /// Binds what is done with an account's logs by its policies, and, if the account is the caller's own, by which group it is;
    /// gives that one's tags. What a closed account has looks as if it were not there.
    pub(crate) fn bind_logs(
        &self,
        policies: &mut Policies,
        resource: &Arn,
        own: bool,
    ) -> Result<BTreeMap<String, String>, StoreError> {
        let account: Option<AccountId> = resource.account().parse().ok();
        let (Some(account), "logs", true) = (
            account,
            resource.service(),
            policies.resource_facts.account.is_some(),
        ) else {
            return Ok(BTreeMap::new());
        };
        policies.resource = self.log_policy_of(resource)?;
        let Some(name) = log_name(resource).filter(|_| own) else {
            return Ok(BTreeMap::new());
        };
        let found = self.database.read(|connection| {
            let group = group_named(connection, account, &name.group)?;
            let with_tags = |group| Ok((group, groups::tags(connection, group)?));
            group.map(with_tags).transpose()
        })?;
        let Some((group, tags)) = found else {
            return Ok(BTreeMap::new());
        };
        Arc::make_mut(&mut policies.resource_facts).unique_id = u64::try_from(group).ok();
        Ok(tags)
    }
}
