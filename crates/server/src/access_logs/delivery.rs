//! Lines on their way into buckets: gathered for each target, and put there as an object when there are enough of them or they
//! have waited long enough.
//!
//! It is S3's own delivery that puts them, as `logging.s3.amazonaws.com`, through the same gateway as everybody: what the
//! target's policy and its key's policy do not allow that service is refused, journaled, and lost. As at AWS, delivery is best
//! effort: lines wait in memory, so many at most, and no request waits for one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use http::Request;
use moho_iam::authz::{ActingFor, RequestFacts};
use moho_iam::{OwnService, OwnServices};
use moho_s3::{Proof, S3Call, S3Gateway, Trailers};
use moho_store::objects::{AccessLogging, LogKeyFormat};
use moho_terms::{AccountId, Arn, BucketName, Clock, Entropy, Region, RequestId, Timestamp};
use tokio::runtime::Handle;

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
/// How often an object is tried to be put, when that failed for no reason of the target's.
const ATTEMPTS: u32 = 3;

/// A line, and where it is to go.
pub(super) struct Addressed {
    pub(super) source: (BucketName, AccountId),
    pub(super) logging: Arc<AccessLogging>,
    pub(super) time: Timestamp,
    pub(super) line: String,
}

/// What delivery acts with.
pub(super) struct Delivery {
    pub(super) services: OwnServices,
    pub(super) gateway: Arc<S3Gateway>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) region: Region,
    pub(super) meters: Arc<JobMeters>,
    pub(super) runtime: Handle,
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
}

impl Delivery {
    /// Delivers until nobody sends lines any more, and then what is left.
    pub(super) fn run(&self, lines: &Receiver<Addressed>) {
        let mut batches: HashMap<Target, Batch> = HashMap::new();
        loop {
            match lines.recv_timeout(LOOK) {
                Ok(addressed) => self.gather(&mut batches, addressed),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = self.clock.now();
            let waited = |batch: &Batch| now.abs_diff_seconds(batch.since) >= PATIENCE.as_secs();
            for (target, batch) in batches.extract_if(|_, batch| waited(batch) || batch.text.len() >= FULL) {
                self.deliver(&target, batch);
            }
        }
        for (target, batch) in batches {
            self.deliver(&target, batch);
        }
    }

    fn gather(&self, batches: &mut HashMap<Target, Batch>, addressed: Addressed) {
        let (source, account) = addressed.source;
        let target = Target {
            source,
            account,
            day: (addressed.logging.format == LogKeyFormat::ByEventTime)
                .then(|| format!("{}T000000Z", addressed.time.basic_date())),
            logging: addressed.logging,
        };
        if batches.len() >= TARGETS && !batches.contains_key(&target) {
            return self.meters.failed(NAME);
        }
        let batch = batches.entry(target).or_insert_with(|| Batch {
            text: Vec::new(),
            lines: 0,
            since: self.clock.now(),
        });
        batch.text.extend_from_slice(addressed.line.as_bytes());
        batch.lines = batch.lines.saturating_add(1);
    }

    fn deliver(&self, target: &Target, batch: Batch) {
        let text = bytes::Bytes::from(batch.text);
        for attempt in 1..=ATTEMPTS {
            match self.put(target, text.clone()) {
                Some(200) => return self.meters.stepped(NAME, (batch.lines, 0), false),
                Some(500..) | None if attempt < ATTEMPTS => std::thread::sleep(Duration::from_millis(200)),
                status => {
                    self.meters.failed(NAME);
                    tracing::warn!(
                        bucket = %target.source,
                        target = %target.logging.bucket,
                        lines = batch.lines,
                        status,
                        "access logs could not be delivered: the target's policy and its key's have to allow {}",
                        OwnService::S3Logging.as_str()
                    );
                    return;
                }
            }
        }
    }

    /// Puts one object, and gives the status of the answer.
    fn put(&self, target: &Target, text: bytes::Bytes) -> Option<u16> {
        let now = self.clock.now();
        let key = self.key(target, now)?;
        let caller = self
            .services
            .acting(OwnService::S3Logging, target.account, now)
            .ok()?;
        let path = format!("/{}/{}", target.logging.bucket, encoded(&key));
        let request = Request::put(path)
            .header("host", "s3")
            .header("content-type", "text/plain")
            .header("content-length", text.len())
            .body(s3s::Body::from(text))
            .ok()?;
        let facts = RequestFacts {
            // It never leaves this process.
            secure_transport: true,
            acting_for: Some(ActingFor {
                resource: Arn::of_bucket(&target.source).ok()?,
                account: target.account,
            }),
            ..RequestFacts::new(RequestId::random(&*self.entropy).ok()?)
        };
        let call = S3Call {
            caller: Arc::new(caller),
            facts,
            proof: Proof::default(),
            request,
            trailers: Trailers::new(),
        };
        let answer = self.runtime.block_on(self.gateway.answer(call));
        Some(answer.status().as_u16())
    }

    /// `PREFIX2026-11-23-10-15-00-0123456789ABCDEF`, in folders by source and day if the target wants that.
    fn key(&self, target: &Target, now: Timestamp) -> Option<String> {
        let mut random = [0; 8];
        self.entropy.fill(&mut random).ok()?;
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

/// A key as a path has it.
fn encoded(key: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~')
        .remove(b'/');
    utf8_percent_encode(key, KEPT).to_string()
}
