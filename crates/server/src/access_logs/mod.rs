//! S3's server access logs: a line for every request about a bucket that wants them, delivered to the bucket that it names.

mod delivery;
mod line;
mod room;

use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use moho_store::objects::AccessLogging;
use moho_terms::{AccountId, BucketName, Region};
use tokio::runtime::Handle;
use tokio::time::Instant;

use self::delivery::{Addressed, Delivery};
use self::room::Room;
use crate::own_puts::OwnPuts;
use crate::telemetry::JobMeters;

pub(crate) use self::line::{Asked, Line};

/// Lines that wait to be gathered, if there is room for so many; more are lost.
const WAITING: usize = 65_536;
/// How long what is left may take to be delivered in the end; the rest is lost.
const LAST: Duration = Duration::from_secs(5);

/// Takes lines, and delivers them in the background. Dropping it delivers what is left, as far as that is done soon.
pub(crate) struct AccessLogs {
    meters: Arc<JobMeters>,
    room: Room,
    /// Until when delivery goes on, once it is to end.
    ending: Arc<OnceLock<Instant>>,
    /// Dropped first, which ends the thread.
    lines: Option<SyncSender<Addressed>>,
    thread: Option<JoinHandle<()>>,
}

/// What it takes to deliver.
pub(crate) struct Means {
    pub(crate) puts: OwnPuts,
    pub(crate) region: Region,
    pub(crate) meters: Arc<JobMeters>,
}

impl AccessLogs {
    /// Starts the delivery, inside an asynchronous runtime.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(means: Means) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        let meters = Arc::clone(&means.meters);
        let ending = Arc::default();
        let delivery = Delivery {
            ending: Arc::clone(&ending),
            puts: means.puts,
            region: means.region,
            meters: means.meters,
            runtime: Handle::try_current().map_err(io::Error::other)?,
        };
        let thread = std::thread::Builder::new()
            .name("access-logs".to_owned())
            .spawn(move || delivery.run(&receiver))?;
        Ok(Self {
            meters,
            room: Room::new(),
            ending,
            lines: Some(sender),
            thread: Some(thread),
        })
    }

    /// Takes a line about a bucket of an account's. Nobody waits: where there is no room for it, it is lost.
    pub(crate) fn take(&self, source: (BucketName, AccountId), logging: Arc<AccessLogging>, line: &Line) {
        let text = line.written();
        let taken = self.room.take(source.1, &text).and_then(|taken| {
            let addressed = Addressed {
                source,
                logging,
                time: line.time,
                line: text,
                taken,
            };
            self.lines.as_ref()?.try_send(addressed).ok()
        });
        if taken.is_none() {
            self.meters.failed("access-logs");
        }
    }
}

impl Drop for AccessLogs {
    fn drop(&mut self) {
        let _set = self.ending.set(Instant::now() + LAST);
        drop(self.lines.take());
        if let Some(thread) = self.thread.take() {
            // It cannot panic; if it did, there is nothing left to do about it.
            drop(thread.join());
        }
    }
}
