//! The log of calls of models, as Bedrock's: off until an account wants it, and then of every call.
//!
//! What is logged of a call is gathered while it is answered ([`Invocation`]) and kept, sealed under the key of where it goes,
//! before the last byte of the reply leaves: a call that cannot be logged is not answered. The job [`DeliverInvocations`] takes
//! it from there.

mod call;
mod delivery;
mod destination;
mod sink;
mod taken;

use std::sync::Arc;

use moho_iam::action::{Action, kms};
use moho_iam::authn::Authenticated;
use moho_iam::authz::{ActingFor, JournalUnavailable, Permit, Refusal, RequestFacts};
use moho_iam::{OwnService, OwnServices};
use moho_kms::KmsError;
use moho_s3::Backing;
use moho_store::StoreError;
use moho_store::invocations::{InvocationDestination, InvocationLogging, invocation_context};
use moho_terms::{AccountId, Arn, ArnError, ContentBytes, Region, RequestId};
use moho_wire::invocation_log::{logged_operation, request_metadata};
use moho_wire::{ErrorShape, Failure, Route};

use crate::api_calls::{OwnCall, Recording};
use crate::net::Inbound;
use crate::net::pool::Pool;
use crate::own_puts::{OwnBucket, OwnObject, OwnPuts, PutAnswer};
use crate::road::{chain, from_store};
use crate::telemetry::InvocationMeters;

pub(crate) use call::{Invocation, Streaming};
pub(crate) use delivery::DeliverInvocations;
pub(crate) use destination::NoDestination;
pub(crate) use sink::{LogGroups, LogSink};

use self::call::Called;

/// Bytes of all bodies that are being gathered, and of those of one account.
const BYTES: usize = 256 << 20;
const BYTES_EACH: usize = BYTES / 2;
/// The most bytes that are gathered of one streamed reply.
const REPLY: usize = 32 << 20;
/// Bytes of an account's records that may wait to be delivered: with as many, no more of its calls begin. What calls that have
/// begun before add to that is bounded by what is gathered of them.
const WAITING: u64 = 1 << 30;
/// On so many ways, which are destinations and keys, records of an account may wait: each is tried again by itself. No more calls
/// begin whose records would wait on another. Those that have begun before may have some more wait.
const WAYS: u32 = 16;
/// The service that delivers.
const SERVICE: OwnService = OwnService::Bedrock;

/// What the log is kept and delivered with.
pub(crate) struct InvocationLog {
    backing: Backing,
    puts: OwnPuts,
    meters: Arc<InvocationMeters>,
    room: Pool<AccountId>,
    groups: Arc<dyn LogSink>,
    /// See [`WAITING`].
    most_waiting: u64,
}

/// Why something cannot be logged. No content.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error(transparent)]
    Destination(#[from] NoDestination),
    #[error("{0} is not allowed on the key that records are sealed under")]
    KeyRefused(&'static str, #[source] Box<Refusal>),
    #[error("the key that records are sealed under cannot be used")]
    Key(#[source] Box<KmsError>),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Name(#[from] ArnError),
    #[error("{0} bytes of the account's records wait to be delivered already")]
    Backlog(u64),
    #[error("records of the account wait on {WAYS} ways already")]
    Ways,
    #[error(transparent)]
    Journal(#[from] JournalUnavailable),
    #[error("moho's own service cannot act")]
    NobodyActs,
}

impl InvocationLog {
    /// Over what is kept, by leave of `services`.
    pub(crate) fn new(
        backing: Backing,
        (services, recording): (OwnServices, &Arc<Recording>),
        gateway: &Arc<moho_s3::S3Gateway>,
        meters: &Arc<InvocationMeters>,
        groups: Arc<dyn LogSink>,
    ) -> Self {
        let puts = OwnPuts {
            services,
            gateway: Arc::clone(gateway),
            recording: Arc::clone(recording),
            clock: Arc::clone(&backing.clock),
            entropy: Arc::clone(&backing.entropy),
        };
        Self {
            backing,
            puts,
            meters: Arc::clone(meters),
            room: Pool::new(BYTES, BYTES_EACH),
            groups,
            most_waiting: WAITING,
        }
    }

    /// Where log groups are.
    pub(crate) fn groups(&self) -> &dyn LogSink {
        &*self.groups
    }

    /// Begins to gather what is logged of a request; `None` if it calls no model, or its account wants no log. What the account
    /// says now counts for all of the call.
    ///
    /// # Errors
    /// A [`Failure`]: then the call may not be answered.
    pub(crate) fn begin(
        self: &Arc<Self>,
        inbound: &Inbound,
        route: &Route,
        caller: &Authenticated,
    ) -> Result<Option<Invocation>, Failure> {
        let Some(operation) = logged_operation(route.target()) else {
            return Ok(None);
        };
        let account = caller.session().account();
        let logging = self.backing.store.invocation_logging(account);
        let Some(logging) = logging.map_err(|error| from_store(&error))? else {
            return Ok(None);
        };
        let head = &inbound.head;
        let headers = |name: &str| {
            let values = head.headers.get_all(name).iter();
            values.map(http::HeaderValue::as_bytes).collect()
        };
        let body = inbound.body.expose();
        let called = Called {
            time: head.received,
            account,
            identity: caller.session().principal_arn().clone(),
            request: head.request_id.clone(),
            operation,
            shape: route.error_shape(),
            destinations: destinations(&logging),
            metadata: request_metadata(route.target(), &headers, body),
        };
        // All that is served here is text.
        let input = logging.text.unwrap_or(true).then_some(body);
        Invocation::begin(self, called, input).map(Some)
    }

    /// Whether records can be sealed for this destination and opened again, as far as keys go.
    ///
    /// # Errors
    /// [`LogError`] if not.
    pub(crate) fn check_keys(
        &self,
        account: AccountId,
        destination: &InvocationDestination,
        request: &RequestId,
    ) -> Result<(), LogError> {
        let key = self.key_of(account, destination)?;
        self.on_key::<kms::GenerateDataKey>(account, &key, request)?;
        self.on_key::<kms::Decrypt>(account, &key, request)?;
        Ok(())
    }

    /// Whether no more waits of an account than may: its destination has to take some before more calls are made.
    fn room_left(&self, account: AccountId) -> Result<(), LogError> {
        let waiting = self.backing.store.invocation_bytes_waiting(account)?;
        if waiting < self.most_waiting {
            Ok(())
        } else {
            Err(LogError::Backlog(waiting))
        }
    }

    /// Whether records of an account may wait on these ways, beside those that wait already.
    fn ways_left(&self, account: AccountId, ways: &[(&InvocationDestination, &Arn)]) -> Result<(), LogError> {
        let has = self.backing.store.has_invocation_ways(account, ways, WAYS)?;
        has.then_some(()).ok_or(LogError::Ways)
    }

    /// Leave to open records that are to be delivered, which is written down whatever came of it.
    fn to_open(&self, account: AccountId, key: &Arn) -> Result<Permit<kms::Decrypt>, LogError> {
        let request = self.request_id().ok_or(LogError::NobodyActs)?;
        let leave = self.on_key::<kms::Decrypt>(account, key, &request);
        let caller = self.puts.caller(SERVICE, account).ok_or(LogError::NobodyActs)?;
        let facts = OwnPuts::facts(acting_for(&self.backing.region, account)?, request);
        let call = OwnCall {
            source: "kms.amazonaws.com",
            name: "Decrypt",
            read_only: true,
            resource: key,
            time: self.backing.clock.now(),
            error_code: match &leave {
                Ok(_permit) => None,
                Err(LogError::KeyRefused(..)) => Some("AccessDenied"),
                Err(_unusable) => Some("KMSInvalidStateException"),
            },
        };
        self.puts.recording.write_own_call((&caller, &facts), &call)?;
        leave
    }

    /// Leave for the service to use a key for records of an account, if the key can be used at all.
    fn on_key<A: Action>(
        &self,
        account: AccountId,
        key: &Arn,
        request: &RequestId,
    ) -> Result<Permit<A>, LogError> {
        let caller = self.puts.caller(SERVICE, account).ok_or(LogError::NobodyActs)?;
        let facts: RequestFacts = OwnPuts::facts(acting_for(&self.backing.region, account)?, request.clone());
        let context = invocation_context(account)?.condition_keys();
        let permit = self
            .backing
            .authorizer
            .authorize::<A>(&caller, &facts, key, &context)
            .map_err(|refusal| LogError::KeyRefused(A::NAME, Box::new(refusal)))?;
        let usable = self.backing.kms.key(&permit);
        usable.map_err(|error| LogError::Key(Box::new(error)))?;
        Ok(permit)
    }

    /// Puts an object as the service; `None` if it cannot even be asked for.
    pub(crate) fn put(
        &self,
        account: AccountId,
        (bucket, key): (&moho_terms::BucketName, String),
        (content_type, content): (&'static str, ContentBytes),
    ) -> Option<impl Future<Output = PutAnswer> + Send + use<>> {
        let acting_for = acting_for(&self.backing.region, account).ok()?;
        self.puts.put(OwnObject {
            on: OwnBucket::of_account(SERVICE, acting_for, bucket.clone()),
            key,
            content_type,
            headers: Vec::new(),
            bytes: crate::net::reply_bytes(content),
        })
    }
}

/// For whose sake the service acts, as AWS says it.
fn acting_for(region: &Region, account: AccountId) -> Result<ActingFor, ArnError> {
    Ok(ActingFor {
        resource: Arn::of("bedrock", region.as_str(), account.as_str(), "*")?,
        account,
    })
}

fn destinations(logging: &InvocationLogging) -> Vec<InvocationDestination> {
    let bucket = logging.bucket.clone().map(InvocationDestination::Bucket);
    let group = logging.group.clone().map(InvocationDestination::Group);
    bucket.into_iter().chain(group).collect()
}

/// What a caller is told whose call cannot be logged.
fn cannot_be_logged(error: &(dyn std::error::Error + 'static), request: &RequestId) -> Failure {
    tracing::error!(%request, error = %chain(error), "a call of a model is refused, as it cannot be logged");
    Failure::Service {
        code: "ServiceUnavailableException",
        message: "The account has calls of models logged, and this one could not be: the place of the log, or its key, cannot be \
                  used. Correct it, or delete the model invocation logging configuration, and try again."
            .to_owned(),
        status: 503,
    }
}

/// Why a call failed, as its record says: the code and the status of HTTP.
fn told(failure: &Failure, shape: ErrorShape) -> (String, u16) {
    (failure.code(shape).to_owned(), failure.status(shape))
}

#[cfg(test)]
mod tests;
