//! Spans on their way to a collector, as OTLP over HTTP: in batches, in bounded memory, and never in a request's way.
//!
//! A span that finds the queue full is dropped and counted. So is a batch that the collector does not take after a few
//! tries.

mod collector;
mod protobuf;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use self::collector::{Collector, Delivery};
use super::meter::Counter;
use super::page::{Kind, Page};
use super::trace::Span;
use crate::config::OtlpConfig;
use crate::outbound::AuthoritiesError;

/// Spans that wait; each takes about a kilobyte.
const QUEUE: usize = 2048;
/// Spans of one batch.
const BATCH: usize = 512;
/// How long the last batches may take when moho stops.
const LAST: Duration = Duration::from_secs(5);

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OtlpError {
    #[error("the collector's certificate cannot be checked: `otlp.ca` names the authorities to trust")]
    Authorities(#[from] AuthoritiesError),
    #[error("no certificate can be for the host in `otlp.endpoint`")]
    Name,
}

/// How long things wait.
struct Patience {
    /// The first span of a batch for others.
    gather: Duration,
    /// One try of a batch for the next.
    pauses: [Duration; 3],
}

impl Patience {
    const USUAL: Self = Self {
        gather: Duration::from_secs(2),
        pauses: [
            Duration::from_secs(1),
            Duration::from_secs(2),
            Duration::from_secs(4),
        ],
    };
}

/// Where spans go.
pub(crate) struct Exporter {
    queue: mpsc::Sender<Span>,
    counts: Arc<Counts>,
    stop: watch::Sender<bool>,
    sending: std::sync::Mutex<Option<JoinHandle<()>>>,
}

/// What became of spans.
#[derive(Default)]
struct Counts {
    sent: Counter,
    queue_full: Counter,
    refused: Counter,
    unreachable: Counter,
}

impl Exporter {
    /// Sends spans from now on.
    ///
    /// # Errors
    /// [`OtlpError`]: what the settings name is not there.
    pub(crate) fn start(config: &OtlpConfig) -> Result<Self, OtlpError> {
        Self::with(config, Patience::USUAL)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "`finish` waits for it, after all requests have ended"
    )]
    fn with(config: &OtlpConfig, patience: Patience) -> Result<Self, OtlpError> {
        let collector = Collector::new(config)?;
        let (queue, spans) = mpsc::channel(QUEUE);
        let (stop, stopping) = watch::channel(false);
        let counts = Arc::new(Counts::default());
        let sending = Sending {
            collector,
            spans,
            stopping,
            patience,
            counts: Arc::clone(&counts),
            well: true,
        };
        let sending = tokio::spawn(sending.run());
        Ok(Self {
            queue,
            counts,
            stop,
            sending: std::sync::Mutex::new(Some(sending)),
        })
    }

    /// Takes a span, or drops it if too many wait.
    pub(super) fn take(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.counts.queue_full.add(1);
        }
    }

    /// Sends what still waits, within a few seconds.
    pub(super) async fn finish(&self) {
        let sending = self.sending.lock().map_or(None, |mut sending| sending.take());
        let Some(mut sending) = sending else { return };
        self.stop.send_replace(true);
        if tokio::time::timeout(LAST, &mut sending).await.is_err() {
            tracing::warn!("the last spans could not be sent in time");
            sending.abort();
        }
    }

    pub(super) fn write(&self, page: &mut Page) {
        page.single(
            "moho_otlp_spans_sent_total",
            Kind::Counter,
            "Spans that the collector took.",
            self.counts.sent.get(),
        );
        let name = "moho_otlp_spans_dropped_total";
        page.family(
            name,
            Kind::Counter,
            "Spans that the collector did not get, by why.",
        );
        for (reason, count) in [
            ("queue_full", &self.counts.queue_full),
            ("refused", &self.counts.refused),
            ("unreachable", &self.counts.unreachable),
        ] {
            page.sample(name, &[("reason", reason)], count.get());
        }
    }
}

/// The task that sends.
struct Sending {
    collector: Collector,
    spans: mpsc::Receiver<Span>,
    stopping: watch::Receiver<bool>,
    patience: Patience,
    counts: Arc<Counts>,
    /// Whether the last batch was taken: only changes are logged.
    well: bool,
}

impl Sending {
    async fn run(mut self) {
        loop {
            let batch = self.gather().await;
            if batch.is_empty() {
                return;
            }
            let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            let message = Bytes::from(protobuf::request(&batch));
            drop(batch);
            self.deliver(message, count).await;
        }
    }

    /// The next batch; an empty one is the end.
    async fn gather(&mut self) -> Vec<Span> {
        let mut batch = Vec::new();
        let Self {
            spans,
            stopping,
            patience,
            ..
        } = self;
        tokio::select! {
            biased;
            _count = spans.recv_many(&mut batch, BATCH) => {}
            _stopping = stopping.wait_for(|stop| *stop) => return batch,
        }
        let more = async {
            while batch.len() < BATCH {
                let room = BATCH.saturating_sub(batch.len());
                if spans.recv_many(&mut batch, room).await == 0 {
                    return;
                }
            }
        };
        tokio::select! {
            () = more => {}
            () = tokio::time::sleep(patience.gather) => {}
            _stopping = stopping.wait_for(|stop| *stop) => {}
        }
        batch
    }

    /// Sends a batch, again if it is worth it. Once moho stops, it does not wait between tries, and tries less.
    async fn deliver(&mut self, message: Bytes, count: u64) {
        let mut pauses = self.patience.pauses.into_iter();
        loop {
            let why = match self.collector.send(message.clone()).await {
                Delivery::Taken { rejected } => {
                    let rejected = rejected.min(count);
                    self.counts.refused.add(rejected);
                    self.counts.sent.add(count.saturating_sub(rejected));
                    if !std::mem::replace(&mut self.well, true) {
                        tracing::info!("the collector takes spans again");
                    }
                    return;
                }
                Delivery::Refused(status) => {
                    self.counts.refused.add(count);
                    self.complain("the collector refuses spans", Some(status.as_u16()));
                    return;
                }
                Delivery::Later(why) => why,
            };
            self.complain(why, None);
            let pause = pauses.next().filter(|_| !*self.stopping.borrow());
            let Some(pause) = pause else {
                self.counts.unreachable.add(count);
                return;
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _stopping = self.stopping.wait_for(|stop| *stop) => {}
            }
        }
    }

    fn complain(&mut self, why: &'static str, status: Option<u16>) {
        if std::mem::replace(&mut self.well, false) {
            tracing::warn!(why, status, "spans are not delivered");
        }
    }
}

#[cfg(test)]
mod tests;
