//! How moho's own services put events: as whoever they act as, a service by its name or in a role that an account gave it, with the
//! leave that policies give that one, and no other.

use moho_iam::action::{Action, kms, logs};
use moho_iam::authn::Authenticated;
use moho_iam::authz::{Authorizer, Context, Permit, Refusal, RequestFacts};
use moho_kms::Kms;
use moho_store::logs::{GroupFacts, LogPut, NewLogEvent, Putting, StreamMade, log_context, stream_arn};
use moho_store::{Store, StoreError};
use moho_terms::{Arn, ArnError, Clock, Entropy, Region};
use thiserror::Error;

use crate::batch::{self, BatchError, Taken};

/// How often it is tried, if streams are made and keys exchanged meanwhile.
const TRIES: usize = 4;

/// What it takes to put events.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    /// Where they are kept.
    pub store: &'a Store,
    /// What seals them.
    pub kms: &'a Kms,
    /// Who decides.
    pub authorizer: &'a Authorizer,
    /// When it is.
    pub clock: &'a dyn Clock,
    /// Where ids come from.
    pub entropy: &'a dyn Entropy,
    /// Where groups and keys are.
    pub region: &'a Region,
}

/// Why events were not put.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// Policies do not let the service, or that could not be decided.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such group.
    #[error("the log group does not exist")]
    NoGroup,
    /// They are no batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// They could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A group or stream cannot be called so.
    #[error(transparent)]
    Name(#[from] ArnError),
    /// The group was changed again and again meanwhile.
    #[error("the log group is being changed: try again")]
    Changing,
}

impl Delivery<'_> {
    /// Puts a batch into a stream of the caller's account, which is made if it is not there, and says which events were taken.
    /// When this returns, they are on the disk. Each decision is in the journal.
    ///
    /// # Errors
    /// [`DeliveryError`]; then none is kept.
    pub fn put(
        &self,
        (caller, facts): (&Authenticated, &RequestFacts),
        (group, stream): (&str, &str),
        events: &[NewLogEvent<'_>],
    ) -> Result<Taken, DeliveryError> {
        let account = caller.session().account();
        let arn = stream_arn(self.region.as_str(), account.as_str(), (group, stream))?;
        let sizes: Vec<_> = events
            .iter()
            .map(|event| (event.timestamp, event.message.len()))
            .collect();
        for _try in 0..TRIES {
            let permit: Permit<logs::PutLogEvents> = self.permit((caller, facts), &arn, &Context::new())?;
            let Some(known) = self.store.log_group(&permit)? else {
                return Err(DeliveryError::NoGroup);
            };
            let now = self.clock.now();
            let at = i64::try_from(now.unix_micros() / 1000).unwrap_or(i64::MAX);
            let taken = batch::taken(&sizes, (at, known.retention_days))?;
            let new = events.get(taken.start..taken.end).unwrap_or_default();
            if new.is_empty() {
                return Ok(taken);
            }
            let key = self.key((caller, facts), &known)?;
            let by = Putting {
                kms: self.kms,
                entropy: self.entropy,
                now,
            };
            match self.store.put_log_events((&permit, &key), new, by)? {
                LogPut::Done => return Ok(taken),
                LogPut::NoGroup | LogPut::OtherKey => {}
                LogPut::NoStream => {
                    let permit = self.permit((caller, facts), &arn, &Context::new())?;
                    let made = self.store.create_log_stream(&permit, now)?;
                    if made == StreamMade::NoGroup {
                        return Err(DeliveryError::NoGroup);
                    }
                }
            }
        }
        Err(DeliveryError::Changing)
    }

    /// Whether events can be put into a stream of the caller's account, as far as policies and the key go: the stream is made if it
    /// is not there.
    ///
    /// # Errors
    /// [`DeliveryError`] if not.
    pub fn check(
        &self,
        (caller, facts): (&Authenticated, &RequestFacts),
        (group, stream): (&str, &str),
    ) -> Result<(), DeliveryError> {
        let account = caller.session().account();
        let arn = stream_arn(self.region.as_str(), account.as_str(), (group, stream))?;
        let permit: Permit<logs::PutLogEvents> = self.permit((caller, facts), &arn, &Context::new())?;
        let known = self.store.log_group(&permit)?.ok_or(DeliveryError::NoGroup)?;
        let permit = self.permit((caller, facts), &arn, &Context::new())?;
        if self.store.create_log_stream(&permit, self.clock.now())? == StreamMade::NoGroup {
            return Err(DeliveryError::NoGroup);
        }
        self.key((caller, facts), &known).map(|_leave| ())
    }

    /// Leave to seal under the key of a group.
    fn key(
        &self,
        caller: (&Authenticated, &RequestFacts),
        group: &GroupFacts,
    ) -> Result<Permit<kms::GenerateDataKey>, DeliveryError> {
        let (region, account) = (self.region.as_str(), caller.0.session().account());
        let key = match &group.key {
            Some((owner, id)) => Arn::of("kms", region, owner.as_str(), &format!("key/{id}"))?,
            None => self.store.account_key(account)?.ok_or(DeliveryError::NoGroup)?,
        };
        let via = format!("logs.{region}.amazonaws.com");
        let context = log_context(region, account, &group.name)?.condition_keys();
        self.permit(caller, &key, &context.with("kms:ViaService", via))
    }

    fn permit<A: Action>(
        &self,
        (caller, facts): (&Authenticated, &RequestFacts),
        resource: &Arn,
        context: &Context,
    ) -> Result<Permit<A>, DeliveryError> {
        Ok(self.authorizer.authorize(caller, facts, resource, context)?)
    }
}
