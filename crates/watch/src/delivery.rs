//! How moho's own services put events: as whom they act, and with no other leave. A service that acts as itself has what an
//! account's resource policies and the policy of the group's key give it by name; one that acts in a role, as Bedrock does, what
//! the role's policies allow.

use moho_iam::action::{Action, kms, logs};
use moho_iam::authn::Authenticated;
use moho_iam::authz::{Authorizer, Context, Permit, Refusal, RequestFacts};
use moho_kms::Kms;
use moho_store::invocations::InvocationBatch;
use moho_store::logs::{GroupFacts, LogPut, NewLogEvent, Putting, StreamMade, log_context, stream_arn};
use moho_store::{NotWrittenDown, Store, StoreError};
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
    /// Writes down what was called for, whatever came of it.
    pub told: &'a dyn Fn(&LogCall<'_>) -> Result<(), NotWrittenDown>,
}

/// A call that a service made of itself for a delivery.
#[derive(Debug, Clone, Copy)]
pub struct LogCall<'a> {
    /// `CreateLogStream` or `PutLogEvents`.
    pub name: &'static str,
    /// The stream.
    pub stream: &'a Arn,
    /// Why nothing came of it, as callers are told.
    pub error_code: Option<&'static str>,
}

/// Leave to put events, and to seal them.
type Permits<'a> = (&'a Permit<logs::PutLogEvents>, &'a Permit<kms::GenerateDataKey>);

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
    /// The group takes some of them only, and all of them were to be put.
    #[error("the log group takes only some of the events")]
    Rejected,
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
    /// That it was called for could not be written down. What was put is there, and what was forgotten is not put again.
    #[error(transparent)]
    NotTold(#[from] NotWrittenDown),
}

impl DeliveryError {
    fn code(&self) -> &'static str {
        match self {
            Self::Refused(Refusal::AccessDenied { .. }) => "AccessDeniedException",
            Self::NoGroup => "ResourceNotFoundException",
            Self::Changing => "OperationAbortedException",
            Self::Rejected | Self::Batch(_) | Self::Name(_) => "InvalidParameterException",
            Self::Refused(_) | Self::Store(_) | Self::NotTold(_) => "ServiceUnavailableException",
        }
    }
}

impl Delivery<'_> {
    /// Puts a batch into a stream of the caller's account, which is made if it is not there, and says which events were taken.
    /// When this returns, they are on the disk. Each decision is in the journal.
    ///
    /// # Errors
    /// [`DeliveryError`]; then none is kept, but for [`DeliveryError::NotTold`].
    pub fn put(
        &self,
        caller: (&Authenticated, &RequestFacts),
        place: (&str, &str),
        events: &[NewLogEvent<'_>],
    ) -> Result<Taken, DeliveryError> {
        let arn = self.stream(caller.0, place)?;
        let taken = self.try_to_put(caller, &arn, events, |permits, taken, by| {
            let new = events.get(taken.start..taken.end).unwrap_or_default();
            self.store.put_log_events(permits, new, by)
        });
        let error_code = taken.as_ref().err().map(DeliveryError::code);
        self.tell("PutLogEvents", &arn, error_code)?;
        taken
    }

    /// Puts the first records of a batch as [`put`](Self::put) does, all of them or none, and forgets them in the same moment.
    /// What is left of the batch; `None` if somebody else has put any of it meanwhile.
    ///
    /// # Errors
    /// [`DeliveryError`]; then none is kept, and none is forgotten. With [`DeliveryError::NotTold`] both may have been done.
    pub fn put_invocations(
        &self,
        caller: (&Authenticated, &RequestFacts),
        place: (&str, &str),
        (batch, events): (&InvocationBatch, &[NewLogEvent<'_>]),
    ) -> Result<Option<InvocationBatch>, DeliveryError> {
        let arn = self.stream(caller.0, place)?;
        let mut left = None;
        let taken = self.try_to_put(caller, &arn, events, |permits, taken, by| {
            if taken.rejected.is_some() {
                return Ok(LogPut::Done);
            }
            let (put, rest) = self.store.put_invocations(permits, (batch, events), by)?;
            left = rest;
            Ok(put)
        });
        let put = match taken {
            Ok(taken) if taken.rejected.is_some() => Err(DeliveryError::Rejected),
            Ok(_taken) => Ok(left),
            Err(error) => Err(error),
        };
        let error_code = match &put {
            Ok(Some(_left)) => None,
            // Nothing of it was put here.
            Ok(None) => Some(DeliveryError::Changing.code()),
            Err(error) => Some(error.code()),
        };
        self.tell("PutLogEvents", &arn, error_code)?;
        put
    }

    fn stream(&self, caller: &Authenticated, place: (&str, &str)) -> Result<Arn, ArnError> {
        let account = caller.session().account();
        stream_arn(self.region.as_str(), account.as_str(), place)
    }

    fn try_to_put(
        &self,
        (caller, facts): (&Authenticated, &RequestFacts),
        arn: &Arn,
        events: &[NewLogEvent<'_>],
        mut put: impl FnMut(Permits<'_>, &Taken, Putting<'_>) -> Result<LogPut, StoreError>,
    ) -> Result<Taken, DeliveryError> {
        let sizes: Vec<_> = events
            .iter()
            .map(|event| (event.timestamp, event.message.len()))
            .collect();
        for _try in 0..TRIES {
            let permit: Permit<logs::PutLogEvents> = self.permit((caller, facts), arn, &Context::new())?;
            let Some(known) = self.store.log_group(&permit)? else {
                return Err(DeliveryError::NoGroup);
            };
            let now = self.clock.now();
            let at = i64::try_from(now.unix_micros() / 1000).unwrap_or(i64::MAX);
            let taken = batch::taken(&sizes, (at, known.retention_days))?;
            if taken.start >= taken.end {
                return Ok(taken);
            }
            let key = self.key((caller, facts), &known)?;
            let by = Putting {
                kms: self.kms,
                entropy: self.entropy,
                now,
            };
            match put((&permit, &key), &taken, by)? {
                LogPut::Done => return Ok(taken),
                LogPut::NoGroup | LogPut::OtherKey => {}
                LogPut::NoStream => self.create_stream((caller, facts), arn)?,
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
        place: (&str, &str),
    ) -> Result<(), DeliveryError> {
        let arn = self.stream(caller, place)?;
        let known = self.group((caller, facts), &arn);
        if let Err(error) = &known {
            // Of a check that comes well out, what is told is the stream that is made.
            self.tell("PutLogEvents", &arn, Some(error.code()))?;
        }
        let known = known?;
        self.create_stream((caller, facts), &arn)?;
        self.key((caller, facts), &known).map(|_leave| ())
    }

    fn group(
        &self,
        caller: (&Authenticated, &RequestFacts),
        stream: &Arn,
    ) -> Result<GroupFacts, DeliveryError> {
        let permit: Permit<logs::PutLogEvents> = self.permit(caller, stream, &Context::new())?;
        self.store.log_group(&permit)?.ok_or(DeliveryError::NoGroup)
    }

    fn create_stream(
        &self,
        caller: (&Authenticated, &RequestFacts),
        stream: &Arn,
    ) -> Result<(), DeliveryError> {
        let made = self
            .permit(caller, stream, &Context::new())
            .and_then(|permit| Ok(self.store.create_log_stream(&permit, self.clock.now())?));
        let made = match made {
            Ok(StreamMade::NoGroup) => Err(DeliveryError::NoGroup),
            other => other,
        };
        let error_code = match &made {
            Ok(StreamMade::Exists) => Some("ResourceAlreadyExistsException"),
            Ok(_made) => None,
            Err(error) => Some(error.code()),
        };
        self.tell("CreateLogStream", stream, error_code)?;
        made.map(|_made| ())
    }

    fn tell(
        &self,
        name: &'static str,
        stream: &Arn,
        error_code: Option<&'static str>,
    ) -> Result<(), NotWrittenDown> {
        (self.told)(&LogCall {
            name,
            stream,
            error_code,
        })
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
