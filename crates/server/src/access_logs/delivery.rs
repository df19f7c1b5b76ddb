//! Lines on their way into buckets: gathered for each target, and put there as an object when there are enough of them or they
//! have waited long enough.
//!
//! It is S3's own delivery that puts them, as `logging.s3.amazonaws.com`, through the same gateway as everybody: what the
//! target's policy and its key's policy do not allow that service is refused, journaled, and lost. As at AWS, delivery is best
//! effort: lines wait in memory, within what [`Room`](super::room::Room) there is, and no request waits for one.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use moho_iam::OwnService;
use moho_iam::authz::ActingFor;
use moho_store::objects::{AccessLogging, LogKeyFormat};
use moho_terms::{AccountId, Arn, BucketName, Region, Timestamp};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::room::Taken;
use crate::own_puts::{OwnBucket, OwnObject, OwnPuts};
use crate::telemetry::JobMeters;

/// What it is called in metrics.
const NAME: &str = "access-logs";
/// An object of so many bytes is put at once.
const FULL: usize = 1 << 20;
/// A line waits at most so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether lines have waited that long.
const LOOK: Duration = Duration::from_secs(1);
/// Targets that lines are gathered for at once; those of more are lost.
const TARGETS: usize = 1024;
/// Of those, targets of one account's buckets.
const TARGETS_EACH: usize = 64;
/// How often an object is tried to be put, when that failed for no reason of the target's.
const ATTEMPTS: u32 = 3;

/// A line, and where it is to go.
pub(super) struct Addressed {
    pub(super) source: (BucketName, AccountId),
    pub(super) logging: Arc<AccessLogging>,
    pub(super) time: Timestamp,
    pub(super) line: String,
    pub(super) taken: Taken,
}

/// What delivery acts with.
pub(super) struct Delivery {
    pub(super) puts: OwnPuts,
    pub(super) region: Region,
    pub(super) meters: Arc<JobMeters>,
    pub(super) runtime: Handle,
    /// Until when it goes on, once it is to end.
    pub(super) ending: Arc<OnceLock<Instant>>,
}

#[derive(PartialEq, Eq, Hash)]
struct Target {
    source: BucketName,
    account: AccountId,
    logging: Arc<AccessLogging>,
    /// The day of all its lines, if keys are made by that.
    day: Option<String>,
}

struct Batch {
    text: Vec<u8>,
    lines: u64,
    since: Timestamp,
    taken: Taken,
}

/// What waits for its targets.
#[derive(Default)]
struct Batches(HashMap<Target, Batch>);

impl Batches {
    /// Puts a line to those of its target, and says whether there was a place for it.
    fn gather(&mut self, addressed: Addressed, now: Timestamp) -> bool {
        let (source, account) = addressed.source;
        let target = Target {
            source,
            account,
            day: (addressed.logging.format == LogKeyFormat::ByEventTime)
                .then(|| format!("{}T000000Z", addressed.time.basic_date())),
            logging: addressed.logging,
        };
        if let Some(batch) = self.0.get_mut(&target) {
            batch.text.extend_from_slice(addressed.line.as_bytes());
            batch.lines = batch.lines.saturating_add(1);
            batch.taken.join(addressed.taken);
            return true;
        }
        let of_account = || self.0.keys().filter(|other| other.account == account).count();
        if self.0.len() >= TARGETS || of_account() >= TARGETS_EACH {
            return false;
        }
        let batch = Batch {
            text: addressed.line.into_bytes(),
            lines: 1,
            since: now,
            taken: addressed.taken,
        };
        self.0.insert(target, batch);
        true
    }

    /// Takes out what is to be delivered now: what has waited long enough, whichever way the clock went, or is enough for an
    /// object.
    fn due(&mut self, now: Timestamp) -> Vec<(Target, Batch)> {
        let waited = |batch: &Batch| now.abs_diff_seconds(batch.since) >= PATIENCE.as_secs();
        let due = |_: &Target, batch: &mut Batch| waited(batch) || batch.text.len() >= FULL;
        self.0.extract_if(due).collect()
    }
}

impl Delivery {
    /// Delivers until nobody sends lines any more, and then what is left.
    pub(super) fn run(&self, lines: &Receiver<Addressed>) {
        let mut batches = Batches::default();
        loop {
            match lines.recv_timeout(LOOK) {
                Ok(addressed) => {
                    if !batches.gather(addressed, self.puts.clock.now()) {
                        self.meters.failed(NAME);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            for (target, batch) in batches.due(self.puts.clock.now()) {
                self.deliver(&target, batch);
            }
        }
        for (target, batch) in batches.0 {
            self.deliver(&target, batch);
        }
    }

    fn deliver(&self, target: &Target, batch: Batch) {
        let Batch {
            text, lines, taken, ..
        } = batch;
        let text = bytes::Bytes::from(text);
        // The same place each time: it may be there already.
        let key = self.key(target, self.puts.clock.now());
        for attempt in 1..=ATTEMPTS {
            match self.put_in_time(target, key.clone(), text.clone()) {
                Some(200) => return self.meters.stepped(NAME, (lines, 0), false),
                Some(500..) | None if attempt < ATTEMPTS && !self.is_over() => {
                    std::thread::sleep(Duration::from_millis(200));
                }
                status => {
                    self.meters.failed(NAME);
                    tracing::warn!(
                        bucket = %target.source,
                        target = %target.logging.bucket,
                        lines,
                        status,
                        "access logs could not be delivered: the target's policy and its key's have to allow {}",
                        OwnService::S3Logging.as_str()
                    );
                    break;
                }
            }
        }
        drop(taken);
    }

    /// Whether it was to end, and the time for that is over.
    fn is_over(&self) -> bool {
        self.ending.get().is_some_and(|until| *until <= Instant::now())
    }

    /// Puts one object, if there is time for it.
    fn put_in_time(&self, target: &Target, key: Option<String>, text: bytes::Bytes) -> Option<u16> {
        if self.is_over() {
            return None;
        }
        in_time(&self.runtime, &self.ending, self.put(target, key?, text)?)
    }

    /// Puts one object; what that gives is the status of the answer.
    fn put(&self, target: &Target, key: String, text: bytes::Bytes) -> Option<impl Future<Output = u16>> {
        let acting_for = ActingFor {
            resource: Arn::of_bucket(&target.source).ok()?,
            account: target.account,
        };
        let bucket = target.logging.bucket.clone();
        let put = self.puts.put(OwnObject {
            on: OwnBucket::of_account(OwnService::S3Logging, acting_for, bucket),
            key,
            content_type: "text/plain",
            headers: Vec::new(),
            bytes: text,
        })?;
        Some(async move { put.await.status })
    }

    /// `PREFIX2026-11-23-10-15-00-0123456789ABCDEF`, in folders by source and day if the target wants that.
    fn key(&self, target: &Target, now: Timestamp) -> Option<String> {
        let mut random = [0; 8];
        self.puts.entropy.fill(&mut random).ok()?;
        let unique = format!("{:016X}", u64::from_be_bytes(random));
        let basic = target.day.clone().unwrap_or_else(|| now.iso8601_basic());
        let at = |from: usize, to: usize| basic.get(from..to).unwrap_or_default();
        let (year, month, day) = (at(0, 4), at(4, 6), at(6, 8));
        let stamp = format!(
            "{year}-{month}-{day}-{}-{}-{}-{unique}",
            at(9, 11),
            at(11, 13),
            at(13, 15)
        );
        let prefix = &target.logging.prefix;
        Some(match target.logging.format {
            LogKeyFormat::Simple => format!("{prefix}{stamp}"),
            LogKeyFormat::ByEventTime | LogKeyFormat::ByDeliveryTime => format!(
                "{prefix}{}/{}/{}/{year}/{month}/{day}/{stamp}",
                target.account, self.region, target.source
            ),
        })
    }
}

/// What a future gives, unless it is to end before.
fn in_time<T>(runtime: &Handle, ending: &OnceLock<Instant>, future: impl Future<Output = T>) -> Option<T> {
    runtime.block_on(async {
        let mut future = std::pin::pin!(future);
        loop {
            // It may be told meanwhile.
            let until = ending.get().copied();
            let look = until.unwrap_or_else(|| Instant::now() + LOOK);
            match tokio::time::timeout_at(look, &mut future).await {
                Ok(given) => return Some(given),
                Err(_late) if until.is_some() => return None,
                Err(_late) => {}
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_logs::room::Room;

    fn addressed(room: &Room, account: &str, prefix: usize) -> Addressed {
        let account = account.parse().unwrap();
        Addressed {
            source: ("source".parse().unwrap(), account),
            logging: Arc::new(AccessLogging {
                bucket: "target".parse().unwrap(),
                prefix: prefix.to_string(),
                format: LogKeyFormat::Simple,
            }),
            time: Timestamp::from_unix_seconds(0),
            line: "line\n".to_owned(),
            taken: room.take(account, "line\n").unwrap(),
        }
    }

    #[test]
    fn targets_of_one_account_leave_places_for_others() {
        let (room, mut batches) = (Room::new(), Batches::default());
        let now = Timestamp::from_unix_seconds(0);
        let mut gather = |account, prefix| batches.gather(addressed(&room, account, prefix), now);
        let taken = (0..TARGETS).filter(|at| gather("111111111111", *at)).count();
        assert_eq!(taken, TARGETS_EACH);
        assert!(gather("111111111111", 0), "to what is there more can come");
        assert!(gather("222222222222", 0));
        assert_eq!(batches.0.len(), TARGETS_EACH + 1);
    }

    #[test]
    fn lines_are_delivered_when_they_have_waited_or_are_many() {
        let (room, mut batches) = (Room::new(), Batches::default());
        let at = Timestamp::from_unix_seconds;
        assert!(batches.gather(addressed(&room, "111111111111", 0), at(1000)));
        assert!(batches.gather(addressed(&room, "111111111111", 0), at(1059)));
        assert!(batches.due(at(1059)).is_empty());
        let due = batches.due(at(1060));
        assert_eq!(due.len(), 1);
        assert_eq!((due[0].1.lines, &*due[0].1.text), (2, &b"line\nline\n"[..]));
        assert!(batches.due(at(2000)).is_empty(), "they are on their way");

        assert!(batches.gather(addressed(&room, "111111111111", 1), at(1000)));
        let long = Addressed {
            line: "x".repeat(FULL),
            ..addressed(&room, "111111111111", 2)
        };
        assert!(batches.gather(long, at(1000)));
        let due = batches.due(at(1000));
        assert_eq!(due.len(), 1, "what is enough for an object waits for nothing");
        assert_eq!(due[0].1.text.len(), FULL);
        assert_eq!(batches.due(at(900)).len(), 1, "the clock went back");
    }

    #[test]
    fn nothing_is_waited_for_longer_than_there_is_time() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .unwrap();
        let ending = OnceLock::new();
        assert_eq!(in_time(runtime.handle(), &ending, async { 200 }), Some(200));
        ending.set(Instant::now()).unwrap();
        assert_eq!(
            in_time(runtime.handle(), &ending, std::future::pending::<u16>()),
            None
        );
    }
}
