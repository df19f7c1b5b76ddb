//! What trails deliver: log files of events, and the digests that vouch for them, put into their buckets by CloudTrail itself.
//!
//! A job reads the journal for each trail. What it puts, and where, is written down before (`store::trails`) and follows from the
//! journal alone, so that nothing is lost and nothing is there twice, wherever it was interrupted. What cannot be put is tried again,
//! later each time, for as long as the journal has it.

mod digests;
mod events;
mod journal_calls;
mod logs;
mod pages;
mod putting;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use moho_audit::cloudtrail::KeyScope;
use moho_audit::cloudtrail::names::KeyPrefix;
use moho_iam::OwnService;
use moho_iam::authz::{Event, EventIdentity, EventKind};
use moho_store::Store;
use moho_store::trails::{Chain, LogToDeliver, Trail, TrailBucket};
use moho_terms::{AccountId, Clock, Entropy, Region, RequestId, Timestamp};
use tokio::runtime::Handle;

use self::digests::Signing;
use crate::api_calls::Told;
use crate::config::TrailConfig;
use crate::road::chain;
use crate::telemetry::{TrailLag, TrailMeters};

pub(crate) use self::events::{CallEvent, CallEvents, CallPage, Unreadable};
pub(crate) use self::journal_calls::JournalCalls;
pub(crate) use self::pages::OpenedPages;
pub(crate) use self::putting::{Courier, Parcel, Undone, Whose};

/// Most seconds between two tries to deliver.
const LONGEST_BACK_OFF: u64 = 300;
/// How long it is tried to deliver for a trail that was deleted: 30 days.
const GIVEN_UP: u64 = 30 * 24 * 3600;
/// How long one object may take to be put.
const PUT_TIME: Duration = Duration::from_secs(120);

/// Delivers.
pub(crate) struct TrailDelivery {
    pub(crate) store: Arc<Store>,
    pub(crate) events: Arc<dyn CallEvents>,
    pub(crate) courier: Arc<Courier>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) region: Region,
    pub(crate) config: TrailConfig,
    pub(crate) runtime: Handle,
    pub(crate) signing: Mutex<Option<Signing>>,
    pub(crate) pages: OpenedPages,
    pub(crate) meters: Arc<TrailMeters>,
}

/// What a look at all trails has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Delivered {
    /// Objects that were put.
    pub(crate) done: u64,
    /// Tries that failed, and are made again.
    pub(crate) failed: u64,
    /// Whether there is more to do at once.
    pub(crate) more: bool,
}

impl TrailDelivery {
    /// Looks at every trail once, and does what is due, a bounded part of it.
    ///
    /// # Errors
    /// [`Unreadable`]: the store or the journal. All of it is tried again.
    pub(crate) fn step(&self, is_over: &dyn Fn() -> bool) -> Result<Delivered, Unreadable> {
        let all = self.look_at_all(is_over);
        // Nothing of it is kept until the next look, which may be long after.
        self.pages.close();
        all
    }

    fn look_at_all(&self, is_over: &dyn Fn() -> bool) -> Result<Delivered, Unreadable> {
        let (mut all, mut lag) = (Delivered::default(), TrailLag::default());
        let mut position = None;
        for trail in self.store.trails_with_spans()? {
            if is_over() {
                return Ok(all);
            }
            let done = all.done;
            if let Err(error) = self.look_at(&trail, &mut all) {
                tracing::error!(
                    trail = trail.name,
                    account = %trail.account,
                    error = %chain(&*error),
                    "a trail could not be looked at"
                );
                // The other trails do not wait for it.
                self.note(&trail, (&Undone::ours(), false), &mut all)?;
            }
            if all.done == done {
                self.give_up_if_deleted(&trail)?;
            }
            let progress = self.store.trail_progress(&trail.id)?;
            if progress.fails {
                lag.failing = lag.failing.saturating_add(1);
            } else {
                position = position.into_iter().chain(progress.position).min();
            }
        }
        if let Some(position) = position {
            lag.records = self.events.durable_end().saturating_sub(position);
            lag.oldest = self.events.written_after(position)?;
        }
        self.meters.lags(&lag);
        Ok(all)
    }

    fn look_at(&self, trail: &Trail, all: &mut Delivered) -> Result<(), Unreadable> {
        self.join(trail, all)?;
        let now = self.clock.now();
        let again_at = self.store.delivery_status(&trail.id)?.again_at;
        if let Some(again_at) = again_at.filter(|again_at| *again_at > now) {
            if again_at <= now.plus_seconds(LONGEST_BACK_OFF) {
                return Ok(());
            }
            self.clock_was_ahead(trail, all);
            self.store.try_again(&trail.id)?;
        }
        let accounts = self.store.accounts_of_trail(trail)?;
        let chains = self.chains(trail, &accounts, all)?;
        if !self.deliver_logs(trail, logs::Ready::new(), all)? {
            return Ok(());
        }
        let ready = self.gather(trail, (&accounts, &chains), all)?;
        if !self.deliver_logs(trail, ready, all)? {
            return Ok(());
        }
        self.store.end_readings(&trail.id)?;
        self.deliver_digests(trail, all)?;
        self.store.end_spans(trail)?;
        Ok(())
    }

    /// The chains of digests of a trail's accounts. One that would begin long after now begins anew: until then, nothing would vouch
    /// for what is delivered.
    fn chains(
        &self,
        trail: &Trail,
        accounts: &[AccountId],
        all: &mut Delivered,
    ) -> Result<Vec<Chain>, Unreadable> {
        let now = self.clock.now();
        let fresh = self.config.digests.saturating_mul(2);
        let mut chains = self.store.chains(trail, accounts, (now, fresh))?;
        let latest = now.plus_seconds(self.config.digests);
        for chain in chains.iter_mut().filter(|chain| chain.begins_at > latest) {
            self.clock_was_ahead(trail, all);
            let anew = Timestamp::from_unix_seconds(now.unix_seconds());
            if self.store.begin_chain_anew((&trail.id, chain), anew)? {
                (chain.begins_at, chain.previous) = (anew, None);
            }
        }
        Ok(chains)
    }

    /// What was written down for later than it ever is counts for nothing.
    fn clock_was_ahead(&self, trail: &Trail, all: &mut Delivered) {
        all.failed = all.failed.saturating_add(1);
        tracing::warn!(
            trail = trail.name,
            account = %trail.account,
            "a trail was to go on much later: the clock was ahead"
        );
    }

    /// Joins in what other processes have begun or ended, before anything is made of the journal: it may be another one by now.
    fn join(&self, trail: &Trail, all: &mut Delivered) -> Result<(), Unreadable> {
        let journal = self.events.journal();
        let Some(unjoined) = self.store.unjoined(&trail.id, &journal)? else {
            return Ok(());
        };
        if unjoined.is_other_journal {
            for log in self.store.undelivered_logs(&trail.id, u32::MAX)? {
                self.give_up(trail, &log, all)?;
            }
        }
        let since = |(span, began): &(i64, Timestamp)| Ok((*span, self.events.since(*began)?));
        let spans: Vec<(i64, u64)> = unjoined
            .spans
            .iter()
            .map(since)
            .collect::<Result<_, Unreadable>>()?;
        let end = self.events.durable_end();
        self.store.join_spans(&trail.id, (&journal, end), &spans)?;
        Ok(())
    }

    /// Forgets a trail that was deleted long ago and for which nothing can be done, also if nothing fails here: it may wait for a
    /// process that does not run any more.
    fn give_up_if_deleted(&self, trail: &Trail) -> Result<(), Unreadable> {
        let long_ago = self.clock.now().unix_seconds().saturating_sub(GIVEN_UP);
        let long_ago = Timestamp::from_unix_seconds(long_ago);
        if !self.store.was_deleted_before(&trail.id, long_ago)? {
            return Ok(());
        }
        self.tell_of_loss(trail, None)?;
        if self.store.give_up_deleted_trail(&trail.id, long_ago)? {
            tracing::warn!(
                trail = trail.name,
                account = %trail.account,
                "a deleted trail is forgotten, with what it still had to deliver"
            );
        }
        Ok(())
    }

    /// Gives a log file up: the journal has no more what it was made of. That is written down before.
    fn give_up(&self, trail: &Trail, log: &LogToDeliver, all: &mut Delivered) -> Result<(), Unreadable> {
        self.tell_of_loss(trail, Some(log))?;
        tracing::error!(
            trail = trail.name,
            account = %trail.account,
            key = log.planned.key,
            "a log file is lost: the journal has no more what it was to be made of"
        );
        self.store.give_up_log(&trail.id, log)?;
        all.failed = all.failed.saturating_add(1);
        Ok(())
    }

    /// Writes down that a log file of a trail is lost; or that whatever a deleted one still had to deliver is.
    fn tell_of_loss(&self, trail: &Trail, log: Option<&LogToDeliver>) -> Result<(), Unreadable> {
        let id = RequestId::random(&*self.entropy)?;
        let identity = EventIdentity::of_service(OwnService::CloudTrail.as_str(), Some(trail.account));
        let name = if log.is_some() {
            "TrailLogFileLost"
        } else {
            "DeletedTrailForgotten"
        };
        let mut found = Event::new((EventKind::Finding, name), id, identity, self.clock.now());
        found.subject.resource = Some(trail.arn()?);
        found.subject.bucket = log.map(|log| log.planned.bucket.name.clone());
        found.subject.key = log.and_then(|log| log.planned.key.parse().ok());
        self.courier.puts.recording.write(found, Told::default())?;
        Ok(())
    }

    /// When it is tried again, after so many failures in a row.
    fn again_at(&self, failures: u64) -> Timestamp {
        let exponent = u32::try_from(failures).unwrap_or(u32::MAX).min(16);
        let wait = 2_u64.saturating_pow(exponent).min(LONGEST_BACK_OFF);
        self.clock.now().plus_seconds(wait)
    }

    /// Notes that something could not be put.
    fn note(
        &self,
        trail: &Trail,
        (undone, of_digest): (&Undone, bool),
        all: &mut Delivered,
    ) -> Result<(), Unreadable> {
        all.failed = all.failed.saturating_add(1);
        let failures = self.store.delivery_status(&trail.id)?.failures;
        tracing::warn!(
            trail = trail.name,
            account = %trail.account,
            bucket = %trail.settings.bucket.name,
            code = undone.code,
            "a trail could not deliver: it is tried again"
        );
        let times = (self.clock.now(), self.again_at(failures));
        self.store
            .note_undelivered(&trail.id, (&undone.code, of_digest), times)?;
        Ok(())
    }

    fn put(&self, trail: &Trail, parcel: Parcel) -> Result<(), Undone> {
        let whose = Whose {
            trail: trail.arn().map_err(|_never| Undone::ours())?,
            account: trail.account,
        };
        self.runtime.block_on(async {
            let put = self.courier.put(&whose, parcel);
            tokio::time::timeout(PUT_TIME, put)
                .await
                .unwrap_or_else(|_late| Err(Undone::ours()))
        })
    }

    /// Whether a bucket is still there, and whose it was.
    fn is_there(&self, bucket: &TrailBucket) -> Result<bool, Unreadable> {
        let facts = self.store.bucket_facts(&bucket.name)?;
        Ok(facts.is_some_and(|facts| facts.owner == bucket.owner))
    }

    /// Whether anything stands there: if nothing does, nothing of this trail's does either.
    fn stands(&self, bucket: &TrailBucket, key: &str) -> Result<bool, Unreadable> {
        let facts = self.store.bucket_facts(&bucket.name)?;
        match facts.filter(|facts| facts.owner == bucket.owner) {
            Some(facts) => Ok(self.store.stands(&facts, &key.parse()?)?),
            None => Ok(false),
        }
    }

    /// What keys of a trail's objects for an account begin with.
    fn scope(&self, trail: &Trail, account: AccountId) -> KeyScope {
        let prefix = trail.settings.prefix.as_deref();
        KeyScope {
            prefix: prefix.and_then(|prefix| KeyPrefix::parse(prefix).ok().flatten()),
            organization: trail
                .settings
                .organization
                .as_deref()
                .and_then(|id| id.parse().ok()),
            account,
            region: self.region.clone(),
        }
    }
}

/// Now, or where a chain begins: the clock may have gone back.
fn not_before(chains: &[Chain], account: AccountId, now: Timestamp) -> Timestamp {
    let chain = chains.iter().find(|chain| chain.account == account);
    chain.map_or(now, |chain| chain.begins_at.max(now))
}
