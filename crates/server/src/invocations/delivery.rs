//! Records on their way: in batches, each under a name that is written down before anything of it is put, so that whoever
//! tries again, after whatever happened, puts the same objects again.

use std::sync::Arc;
use std::time::Duration;

use moho_audit::cloudtrail::pack;
use moho_iam::authz::EventKind;
use moho_store::invocations::{
    BatchLimits, BatchTurn, InvocationBatch, InvocationDestination, LogBucket, LogGroup, Shredded,
};
use moho_store::{NotWrittenDown, StoreError};
use moho_terms::{Arn, ContentBytes};
use moho_wire::invocation_log::{Body, KeptInvocation};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::destination::Keys;
use super::sink::LogSinkError;
use super::{InvocationLog, LogError, SERVICE};
use crate::own_puts::PutAnswer;
use crate::startup::jobs::{Ground, Job, StepError, Stepped, Waiting};

/// A batch ends with the record that makes it so large; records wait so long for others.
const LIMITS: BatchLimits = BatchLimits {
    records: 1000,
    bytes: 4 << 20,
    patience: 5,
    lease: 30,
    longest: LONGEST_PAUSE,
};
/// A body of more bytes than that is put beside its record, as Bedrock does.
const LARGE: usize = 100 << 10;
/// How long putting one object may take: shorter than the lease.
const PUT: Duration = Duration::from_secs(20);
/// How often it is looked whether to stop meanwhile.
const LOOK: Duration = Duration::from_millis(200);
/// The longest pause, in seconds, between two tries: it doubles until then.
const LONGEST_PAUSE: u64 = 300;

/// Delivers them.
pub(crate) struct DeliverInvocations {
    log: Arc<InvocationLog>,
    ground: Ground,
    runtime: Handle,
    /// Which goes next: whoever has much that fails delays others by one try only.
    pub(super) turn: BatchTurn,
}

/// Why a batch could not be delivered. No content.
#[derive(Debug, thiserror::Error)]
enum Undelivered {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a record cannot be read")]
    Unreadable,
    #[error("an object cannot be packed")]
    Packed(#[source] std::io::Error),
    #[error("an object was refused ({}): {}", .0.status, .0.code.as_deref().unwrap_or("no reason is known"))]
    Refused(PutAnswer),
    #[error("an object could not be put in time")]
    Late,
    #[error("the log group took nothing")]
    Group(#[source] LogSinkError),
}

/// A record to be delivered, with what stands beside it.
struct Record<'a> {
    kept: KeptInvocation<'a>,
    input: Place,
    output: Place,
}

/// What came of a batch.
#[derive(Default)]
struct Next {
    /// So many records were delivered.
    delivered: u64,
    /// One, if it was put off by a clock that was wrong.
    far_off: u64,
}

/// Where a body goes.
enum Place {
    /// Into its record.
    Here,
    /// Beside it: `s3://BUCKET/KEY`.
    At(String),
    /// Nowhere: it is too large, and no bucket was named for such.
    Nowhere,
}

impl DeliverInvocations {
    /// Inside an asynchronous runtime.
    pub(crate) fn new(log: Arc<InvocationLog>, ground: Ground, runtime: Handle) -> Self {
        let turn = BatchTurn::New;
        Self {
            log,
            ground,
            runtime,
            turn,
        }
    }

    fn name(&self) -> Result<String, StepError> {
        let mut random = [0; 8];
        self.ground.entropy.fill(&mut random)?;
        Ok(format!("{:016X}", u64::from_be_bytes(random)))
    }

    /// How many records were delivered.
    fn deliver(&self, batch: &InvocationBatch, waiting: &Waiting<'_>) -> Result<u64, Undelivered> {
        let log = &self.log;
        let key = log.to_open(batch.account, &batch.key)?;
        let (store, kms) = (&log.backing.store, &log.backing.kms);
        let Some(kept) = store.open_invocations(batch, &key, kms)? else {
            return Ok(0);
        };
        let read = kept.iter().map(KeptInvocation::read);
        let read: Option<Vec<_>> = read.collect();
        let read = read.ok_or(Undelivered::Unreadable)?;
        match &batch.destination {
            InvocationDestination::Bucket(to) => self.to_bucket(batch, (to, read), waiting)?,
            InvocationDestination::Group(to) => self.to_group(batch, (to, read), waiting)?,
        }
        store.invocations_delivered(batch)?;
        Ok(kept.len() as u64)
    }

    fn to_bucket(
        &self,
        batch: &InvocationBatch,
        (to, kept): (&LogBucket, Vec<KeptInvocation<'_>>),
        waiting: &Waiting<'_>,
    ) -> Result<(), Undelivered> {
        let mut records = Vec::with_capacity(kept.len());
        for kept in kept {
            records.push(self.beside(batch, (Some(to), kept), waiting)?.delivered());
        }
        let lines = lines_of(&records);
        let keys = self.keys(to, batch);
        let key = keys.records(batch.made_at, &batch.name);
        self.put(batch, (to, key), &lines, waiting)
    }

    fn to_group(
        &self,
        batch: &InvocationBatch,
        (to, kept): (&LogGroup, Vec<KeptInvocation<'_>>),
        waiting: &Waiting<'_>,
    ) -> Result<(), Undelivered> {
        let (mut events, mut left_out) = (Vec::with_capacity(kept.len()), 0_u64);
        for kept in kept {
            let record = self.beside(batch, (to.large.as_ref(), kept), waiting)?;
            left_out = left_out.saturating_add(record.left_out());
            events.push(record.delivered());
        }
        let put = self.log.groups.put(batch, to, &events);
        put.map_err(Undelivered::Group)?;
        self.log.meters.left_out(left_out);
        Ok(())
    }

    /// Puts the bodies that are too large for their record beside it.
    fn beside<'a>(
        &self,
        batch: &InvocationBatch,
        (to, kept): (Option<&LogBucket>, KeptInvocation<'a>),
        waiting: &Waiting<'_>,
    ) -> Result<Record<'a>, Undelivered> {
        let put = |body: &[u8], which: &str| {
            if body.len() <= LARGE {
                return Ok(Place::Here);
            }
            let Some(to) = to else {
                return Ok(Place::Nowhere);
            };
            let key = self.keys(to, batch).body(kept.request, which);
            let place = format!("s3://{}/{key}", to.bucket);
            self.put(batch, (to, key), body, waiting)?;
            Ok::<_, Undelivered>(Place::At(place))
        };
        let (input, output) = (put(kept.input, "input")?, put(kept.output, "output")?);
        Ok(Record { kept, input, output })
    }

    fn keys(&self, to: &LogBucket, batch: &InvocationBatch) -> Keys {
        let place = (batch.account, &self.log.backing.region);
        Keys::of(to, place, batch.made_at)
    }

    fn put(
        &self,
        batch: &InvocationBatch,
        (to, key): (&LogBucket, String),
        content: &[u8],
        waiting: &Waiting<'_>,
    ) -> Result<(), Undelivered> {
        let packed = ContentBytes::new(pack(content).map_err(Undelivered::Packed)?);
        let put = self
            .log
            .put(batch.account, (&to.bucket, key), ("application/x-gzip", packed));
        let put = put.ok_or(LogError::NobodyActs)?;
        let answer = in_time(&self.runtime, waiting, put).ok_or(Undelivered::Late)?;
        if answer.status == 200 {
            Ok(())
        } else {
            Err(Undelivered::Refused(answer))
        }
    }

    /// Drops what nobody can open any more.
    fn shred(&self) -> Result<u64, StoreError> {
        let dropped = self.ground.store.shred_invocations(&mut |shredded| {
            shredded.iter().try_for_each(|shredded| self.write_down(shredded))
        })?;
        if dropped > 0 {
            tracing::warn!(
                records = dropped,
                "records of calls were dropped, as their key was deleted"
            );
        }
        Ok(dropped)
    }

    fn write_down(&self, shredded: &Shredded) -> Result<(), NotWrittenDown> {
        let what = (EventKind::ServiceEvent, "InvocationLog:Shred");
        let whose = (SERVICE.as_str(), Some(shredded.account));
        let key: Arn = shredded.key.clone();
        self.ground.write_down(what, whose, |event| {
            event.subject.resource = Some(key);
            event.subject.keys = Some(shredded.records);
        })
    }

    /// The next batch, if there is one, delivered or to be tried again; `None` if there is nothing to do.
    fn next(&mut self, waiting: &Waiting<'_>) -> Result<Option<Next>, StepError> {
        let next = match self.turn {
            BatchTurn::Again => BatchTurn::New,
            BatchTurn::New => BatchTurn::Again,
        };
        let turn = std::mem::replace(&mut self.turn, next);
        let (store, now) = (&self.ground.store, self.ground.clock.now());
        let Some(batch) = store.next_invocations(now, LIMITS, (&self.name()?, turn))? else {
            return Ok(None);
        };
        let far_off = u64::from(batch.was_far_off);
        if batch.was_far_off {
            tracing::warn!(account = %batch.account, "the clock was ahead when records of calls were put off: they go now");
        }
        match self.deliver(&batch, waiting) {
            Ok(delivered) => Ok(Some(Next { delivered, far_off })),
            // It is no failure of the place that this process ends; another one goes on.
            Err(Undelivered::Late) if waiting.is_over() => Ok(None),
            Err(error) => {
                self.log.meters.failed();
                let pause = pause(batch.failures, store.other_ways_failing(&batch)?);
                let again = self.ground.clock.now().plus_seconds(pause);
                tracing::warn!(
                    account = %batch.account,
                    error = %crate::road::chain(&error),
                    failures = batch.failures.saturating_add(1),
                    pause,
                    "records of calls could not be delivered: they are kept, and it is tried again"
                );
                store.invocations_failed(&batch, again)?;
                Ok(Some(Next {
                    delivered: 0,
                    far_off,
                }))
            }
        }
    }
}

/// Records, one a line. Their length is known before, as what grows leaves copies of them behind, and takes ever longer.
fn lines_of(records: &[ContentBytes]) -> zeroize::Zeroizing<Vec<u8>> {
    let long = |all: usize, record: &ContentBytes| all.saturating_add(record.len()).saturating_add(1);
    let mut lines = zeroize::Zeroizing::new(Vec::with_capacity(records.iter().fold(0, long)));
    for record in records {
        lines.extend_from_slice(record.expose());
        lines.push(b'\n');
    }
    lines
}

impl Record<'_> {
    /// How many of its bodies are nowhere.
    fn left_out(&self) -> u64 {
        let nowhere = |place: &&Place| matches!(place, Place::Nowhere);
        [&self.input, &self.output]
            .iter()
            .filter(|place| nowhere(place))
            .count() as u64
    }

    fn delivered(&self) -> ContentBytes {
        self.kept.delivered(self.input.body(), self.output.body())
    }
}

impl Place {
    fn body(&self) -> Body<'_> {
        match self {
            Self::Here => Body::Here,
            Self::At(place) => Body::At(place),
            Self::Nowhere => Body::LeftOut,
        }
    }
}

impl Job for DeliverInvocations {
    const NAME: &'static str = "invocation-log";
    const PAUSE: Duration = Duration::from_secs(1);

    fn step(&mut self, waiting: &Waiting<'_>) -> Result<Stepped, StepError> {
        let dropped = self.shred()?;
        let delivered = self.next(waiting);
        let backlog = self.ground.store.invocation_backlog()?;
        self.log.meters.waits(&backlog);
        let delivered = delivered?;
        let more = delivered.is_some() || dropped > 0;
        let next = delivered.unwrap_or_default();
        Ok(Stepped {
            done: next.delivered,
            findings: dropped.saturating_add(next.far_off),
            more,
        })
    }
}

/// How many seconds it is waited after so many failures before, with so many others of the account that fail: together they are
/// not tried more often than one alone would be, but for the longest pause.
fn pause(failures: u32, others: u64) -> u64 {
    let alone = 1_u64.checked_shl(failures).unwrap_or(u64::MAX);
    alone.saturating_mul(others.saturating_add(1)).min(LONGEST_PAUSE)
}

/// What a future gives, unless it takes too long or the job is to stop before.
fn in_time<T>(runtime: &Handle, waiting: &Waiting<'_>, future: impl Future<Output = T>) -> Option<T> {
    runtime.block_on(async {
        let mut future = std::pin::pin!(future);
        let until = Instant::now() + PUT;
        while Instant::now() < until && !waiting.is_over() {
            if let Ok(given) = tokio::time::timeout(LOOK, &mut future).await {
                return Some(given);
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_gathered_in_one_place() {
        let record = |text: &str| ContentBytes::new(text.as_bytes().to_vec());
        let lines = lines_of(&[record("{1}"), record("{22}"), record("")]);
        assert_eq!(lines.as_slice(), b"{1}\n{22}\n\n");
        let (room, long) = (lines.capacity(), lines.len());
        assert!(room < long * 2, "it grew: {room}");
        assert!(lines_of(&[]).is_empty());
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let pauses: Vec<u64> = [0, 1, 2, 8, 9, 63, 64, u32::MAX]
            .map(|failures| pause(failures, 0))
            .to_vec();
        assert_eq!(pauses, [1, 2, 4, 256, 300, 300, 300, 300]);
        assert_eq!([pause(0, 15), pause(3, 3), pause(9, u64::MAX)], [16, 32, 300]);
    }
}
