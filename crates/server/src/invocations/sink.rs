//! Log groups, as far as records are put into them.

use std::error::Error;
use std::sync::Arc;

use moho_iam::action::sts;
use moho_iam::authn::Authenticated;
use moho_iam::authz::{Context, Permit, RequestFacts};
use moho_iam::{OwnService, OwnServices};
use moho_s3::Backing;
use moho_store::NotWrittenDown;
use moho_store::invocations::{InvocationBatch, LogGroup};
use moho_store::logs::NewLogEvent;
use moho_terms::{AccountId, Arn, ContentBytes, RequestId, SessionName};
use moho_watch::batch::{MOST_BYTES, MOST_EVENTS, OVERHEAD};
use moho_watch::delivery::{Delivery, LogCall};

use crate::api_calls::{OwnCall, Recording};
use crate::own_puts::OwnPuts;

/// The stream that records are put to, as Bedrock names it.
pub(super) const STREAM: &str = "aws/bedrock/modelinvocations";
/// What sessions of the role are called.
const SESSION: &str = "BedrockModelInvocationLogging";

/// Why events were not taken; they are put again. No content.
pub(crate) type LogSinkError = Box<dyn Error + Send + Sync>;

/// Keeps events of log groups. Calls block.
pub(crate) trait LogSink: Send + Sync {
    /// The key that a group's events are sealed under; `None` if the account has no such group.
    fn key(&self, account: AccountId, to: &LogGroup) -> Result<Option<Arn>, LogSinkError>;

    /// Whether the role may put events there, as far as policies and the key go.
    fn check(&self, account: AccountId, to: &LogGroup) -> Result<(), LogSinkError>;

    /// Puts the records of a batch to a stream, which is made if it is not there. When this returns, they are on the disk; those
    /// that are there wait no more, even if it fails for others.
    fn put(
        &self,
        batch: &InvocationBatch,
        to: &LogGroup,
        events: &[ContentBytes],
    ) -> Result<(), LogSinkError>;
}

/// The account's log groups, into which Bedrock writes in the role that the account gave it.
pub(crate) struct LogGroups {
    pub(crate) backing: Backing,
    pub(crate) services: OwnServices,
    pub(crate) recording: Arc<Recording>,
}

impl LogGroups {
    /// A session of the role, if its trust policy lets Bedrock have one.
    fn in_role(&self, account: AccountId, role: &Arn) -> Result<(Authenticated, RequestFacts), LogSinkError> {
        let (backing, now) = (&self.backing, self.backing.clock.now());
        let service = self.services.acting(OwnService::Bedrock, account, now)?;
        let acting_for = super::acting_for(&backing.region, account)?;
        let facts = OwnPuts::facts(acting_for, RequestId::random(&*backing.entropy)?);
        let permit: Result<Permit<sts::AssumeRole>, _> =
            backing
                .authorizer
                .authorize(&service, &facts, role, &Context::new());
        let call = OwnCall {
            source: "sts.amazonaws.com",
            name: "AssumeRole",
            read_only: true,
            resource: role,
            time: now,
            error_code: permit.is_err().then_some("AccessDenied"),
        };
        self.recording.write_own_call((&service, &facts), &call)?;
        let permit = permit?;
        let role = backing.store.role_facts(role)?.ok_or("the role does not exist")?;
        let name: SessionName = SESSION.parse()?;
        let session = self.services.in_role(&permit, &role, (name, now))?;
        Ok((session, facts))
    }

    /// Writes down what the service does in the role.
    fn tell(
        &self,
        session: (&Authenticated, &RequestFacts),
        call: &LogCall<'_>,
    ) -> Result<(), NotWrittenDown> {
        let call = OwnCall {
            source: "logs.amazonaws.com",
            name: call.name,
            read_only: false,
            resource: call.stream,
            time: self.backing.clock.now(),
            error_code: call.error_code,
        };
        let told = self.recording.write_own_call(session, &call);
        told.map_err(NotWrittenDown::new)
    }

    fn delivery<'a>(&'a self, told: &'a dyn Fn(&LogCall<'_>) -> Result<(), NotWrittenDown>) -> Delivery<'a> {
        let Backing {
            store,
            kms,
            authorizer,
            clock,
            entropy,
            region,
        } = &self.backing;
        Delivery {
            store,
            kms,
            authorizer,
            clock: &**clock,
            entropy: &**entropy,
            region,
            told,
        }
    }
}

impl LogSink for LogGroups {
    fn key(&self, account: AccountId, to: &LogGroup) -> Result<Option<Arn>, LogSinkError> {
        let Backing { store, region, .. } = &self.backing;
        Ok(store.log_group_key(account, &to.group, region)?)
    }

    fn check(&self, account: AccountId, to: &LogGroup) -> Result<(), LogSinkError> {
        let (session, facts) = self.in_role(account, &to.role)?;
        let told = |call: &LogCall<'_>| self.tell((&session, &facts), call);
        self.delivery(&told)
            .check((&session, &facts), (&to.group, STREAM))?;
        Ok(())
    }

    fn put(
        &self,
        batch: &InvocationBatch,
        to: &LogGroup,
        events: &[ContentBytes],
    ) -> Result<(), LogSinkError> {
        let (session, facts) = self.in_role(batch.account, &to.role)?;
        // The time of delivery, as at AWS: a record says itself when its call was, and a group takes nothing that is old.
        let now = self.backing.clock.now().unix_micros() / 1000;
        let timestamp = i64::try_from(now)?;
        let told = |call: &LogCall<'_>| self.tell((&session, &facts), call);
        let mut left = batch.clone();
        for some in batches(events) {
            let texts = some.iter().map(|event| std::str::from_utf8(event.expose()));
            let new: Result<Vec<_>, _> = texts
                .map(|text| text.map(|message| NewLogEvent { timestamp, message }))
                .collect();
            let place = (to.group.as_str(), STREAM);
            let put = self
                .delivery(&told)
                .put_invocations((&session, &facts), place, (&left, &new?));
            match put? {
                Some(rest) => left = rest,
                // Whoever has put some puts the others.
                None => return Ok(()),
            }
        }
        Ok(())
    }
}

/// Batches as large as may be.
fn batches(events: &[ContentBytes]) -> Vec<&[ContentBytes]> {
    let mut batches = Vec::new();
    let (mut from, mut size) = (0_usize, 0_u64);
    for (at, event) in events.iter().enumerate() {
        let length = u64::try_from(event.expose().len())
            .unwrap_or(u64::MAX)
            .saturating_add(OVERHEAD);
        let full = size.saturating_add(length) > MOST_BYTES || at.saturating_sub(from) >= MOST_EVENTS;
        if at > from && full {
            batches.push(events.get(from..at).unwrap_or_default());
            (from, size) = (at, 0);
        }
        size = size.saturating_add(length);
    }
    batches.push(events.get(from..).unwrap_or_default());
    batches.retain(|batch| !batch.is_empty());
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_as_large_as_may_be_and_no_larger() {
        let event = |size: usize| ContentBytes::new(vec![b'a'; size]);
        let sizes = |events: &[ContentBytes]| {
            batches(events)
                .iter()
                .map(|batch| batch.len())
                .collect::<Vec<_>>()
        };
        assert!(sizes(&[]).is_empty());
        let half = usize::try_from((MOST_BYTES / 2) - OVERHEAD).unwrap();
        assert_eq!(sizes(&[event(half), event(half), event(1)]), [2, 1]);
        assert_eq!(sizes(&[event(half + 1), event(half), event(1)]), [1, 2]);
        let many: Vec<_> = (0..=MOST_EVENTS).map(|_| event(1)).collect();
        assert_eq!(sizes(&many), [MOST_EVENTS, 1]);
    }
}
