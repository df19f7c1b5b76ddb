//! S3's server access logs: a line for every request about a bucket that wants them, delivered to the bucket that it names.

mod delivery;
mod line;
mod operation;
mod room;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HOST, REFERER, USER_AGENT};
use http::{HeaderMap, Method, Version};
use moho_iam::OwnServices;
use moho_s3::{Batch, S3Gateway};
use moho_store::Store;
use moho_store::objects::AccessLogging;
use moho_terms::{AccountId, BucketName, Clock, Entropy, Region};
use tokio::runtime::Handle;
use tokio::time::Instant;

use self::delivery::{Addressed, Delivery};
use self::line::{Asked, Line};
use self::room::Room;
use crate::net::{Body, Head, Outbound, Peer};
use crate::telemetry::JobMeters;

/// Lines that wait to be gathered, if there is room for so many; more are lost.
const WAITING: usize = 65_536;
/// How long what is left may take to be delivered in the end; the rest is lost.
const LAST: Duration = Duration::from_secs(5);

/// Takes lines, and delivers them in the background. Dropping it delivers what is left, as far as that is done soon.
pub(crate) struct AccessLogs {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
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
    pub(crate) services: OwnServices,
    pub(crate) gateway: Arc<S3Gateway>,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
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
        let (store, clock, meters) = (means.store, Arc::clone(&means.clock), Arc::clone(&means.meters));
        let ending = Arc::default();
        let delivery = Delivery {
            ending: Arc::clone(&ending),
            services: means.services,
            gateway: means.gateway,
            clock: means.clock,
            entropy: means.entropy,
            region: means.region,
            meters: means.meters,
            runtime: Handle::try_current().map_err(io::Error::other)?,
        };
        let thread = std::thread::Builder::new()
            .name("access-logs".to_owned())
            .spawn(move || delivery.run(&receiver))?;
        Ok(Self {
            store,
            clock,
            meters,
            room: Room::new(),
            ending,
            lines: Some(sender),
            thread: Some(thread),
        })
    }

    /// Begins the line of a request, if its bucket wants one, and that of the bucket which it copies from.
    pub(crate) fn begin(self: &Arc<Self>, head: &Arc<Head>) -> Option<Pending> {
        let addressed = operation::Addressed::of(&crate::road::object_path(head))?;
        let on_object = addressed.raw_key.is_some();
        let own = self.begun(head, addressed, None);
        let source = copy_source(head).filter(|_| {
            // The header alone copies nothing.
            operation::named(&head.method, on_object, &head.raw_query, true).starts_with("REST.COPY.")
        });
        let source = source.and_then(|source| operation::Addressed::of_source(&source));
        let source = source.and_then(|(of, version)| self.begun(head, of, Some(Copied { version })));
        let lines: Vec<Begun> = own.into_iter().chain(source).collect();
        (!lines.is_empty()).then(|| Pending(lines.into()))
    }

    fn begun(
        self: &Arc<Self>,
        head: &Arc<Head>,
        addressed: operation::Addressed,
        copied: Option<Copied>,
    ) -> Option<Begun> {
        let bucket: BucketName = addressed.bucket.parse().ok()?;
        // What cannot be said of the bucket now, the request will hear itself.
        let facts = self.store.bucket_facts(&bucket).ok().flatten()?;
        let logging = facts.logging.clone()?;
        Some(Begun {
            logs: Arc::clone(self),
            head: Arc::clone(head),
            source: (bucket, facts.owner),
            raw_key: addressed.raw_key,
            copied,
            logging,
            requester: Mutex::default(),
            sent: AtomicU64::new(0),
            replied: Mutex::default(),
            batch: OnceLock::new(),
        })
    }

    /// Takes a line. Nobody waits: where there is no room for it, it is lost.
    fn take(&self, begun: &Begun, line: &Line) {
        let text = line.written();
        let taken = self.room.take(begun.source.1, &text).and_then(|taken| {
            let addressed = Addressed {
                source: begun.source.clone(),
                logging: Arc::clone(&begun.logging),
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

/// The lines of a request that is being answered: they are complete when the last copy of this is gone.
#[derive(Clone)]
pub(crate) struct Pending(Arc<[Begun]>);

/// What a copy reads, in the line of the bucket that it is read from.
struct Copied {
    version: Option<String>,
}

struct Begun {
    logs: Arc<AccessLogs>,
    head: Arc<Head>,
    source: (BucketName, AccountId),
    raw_key: Option<String>,
    /// Given if this is the line of what is copied, and not of the copy.
    copied: Option<Copied>,
    logging: Arc<AccessLogging>,
    requester: Mutex<Option<String>>,
    sent: AtomicU64,
    replied: Mutex<Option<Replied>>,
    batch: OnceLock<Batch>,
}

/// What is known of the reply when it begins.
struct Replied {
    status: u16,
    error: Option<String>,
    object_size: Option<u64>,
    version_id: Option<String>,
    turn_around_micros: u64,
}

impl Pending {
    /// Who asks.
    pub(crate) fn by(&self, requester: &str) {
        for begun in &*self.0 {
            *locked(&begun.requester) = Some(requester.to_owned());
        }
    }

    /// What became of the keys that it is to delete: each has a line of its own.
    pub(crate) fn deleted(&self, batch: &Batch) {
        for begun in &*self.0 {
            let _first = begun.batch.get_or_init(|| batch.clone());
        }
    }

    /// More bytes of the reply were sent.
    pub(crate) fn sent(&self, bytes: usize) {
        for begun in &*self.0 {
            begun.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// The reply as it begins.
    pub(crate) fn replied(&self, reply: &Outbound) {
        let mut error = None;
        if let Body::Full(bytes) = &reply.body {
            self.sent(bytes.len());
            if reply.status.as_u16() >= 300 {
                error = code(bytes);
            }
        }
        for begun in &*self.0 {
            begun.replied(reply, error.clone());
        }
    }
}

impl Begun {
    fn replied(&self, reply: &Outbound, error: Option<String>) {
        let header = |name: &str| {
            let found = reply.headers.iter().find(|(known, _)| known.as_str() == name);
            found
                .and_then(|(_, value)| value.to_str().ok())
                .map(str::to_owned)
        };
        let now = self.logs.clock.now().unix_micros();
        let version_id = match &self.copied {
            Some(copied) => copied.version.clone(),
            None => header("x-amz-version-id").or_else(|| parameter(&self.head.raw_query, "versionId")),
        };
        *locked(&self.replied) = Some(Replied {
            status: reply.status.as_u16(),
            error,
            object_size: self.object_size(&header, reply.status.is_success()),
            version_id,
            turn_around_micros: now.saturating_sub(self.head.received.unix_micros()),
        });
    }

    /// Bytes of the object that was put or read.
    fn object_size(&self, replied: &dyn Fn(&str) -> Option<String>, succeeded: bool) -> Option<u64> {
        self.raw_key
            .as_ref()
            .filter(|_| succeeded && self.copied.is_none())?;
        let number = |text: Option<String>| text?.parse().ok();
        let sent = |name: &str| text(&self.head.headers, name);
        match self.head.method {
            Method::GET | Method::HEAD => match replied(CONTENT_RANGE.as_str()) {
                Some(range) => range.rsplit('/').next()?.parse().ok(),
                None => number(replied(CONTENT_LENGTH.as_str())),
            },
            Method::PUT => {
                number(sent("x-amz-decoded-content-length")).or_else(|| number(sent(CONTENT_LENGTH.as_str())))
            }
            _ => None,
        }
    }

    fn line(&self) -> Option<Line> {
        let replied = locked(&self.replied).take()?;
        let head = &self.head;
        let now = self.logs.clock.now().unix_micros();
        let requester = locked(&self.requester).take();
        let presigned = moho_iam::authn::is_presigned(&head.raw_query);
        let copies = copy_source(head).is_some();
        let operation = match self.copied {
            Some(_) => operation::of_source(&head.raw_query).to_owned(),
            None => operation::named(&head.method, self.raw_key.is_some(), &head.raw_query, copies),
        };
        Some(Line {
            owner: self.source.1,
            bucket: self.source.0.to_string(),
            time: head.received,
            remote: match head.peer {
                Peer::Network(address) => Some(address.ip()),
                Peer::Local { .. } | Peer::Door { .. } => None,
            },
            auth_type: requester
                .as_ref()
                .map(|_| if presigned { "QueryString" } else { "AuthHeader" }),
            requester,
            request_id: head.request_id.to_string(),
            operation,
            raw_key: self.raw_key.clone(),
            asked: Some(Asked {
                method: head.method.to_string(),
                raw_path: head.raw_path.clone(),
                raw_query: head.raw_query.clone(),
                version: match head.version {
                    Version::HTTP_2 => "HTTP/2.0",
                    Version::HTTP_10 => "HTTP/1.0",
                    _ => "HTTP/1.1",
                },
            }),
            status: replied.status,
            error: replied.error,
            sent: Some(self.sent.load(Ordering::Relaxed)).filter(|_| self.copied.is_none()),
            object_size: replied.object_size,
            total_micros: Some(now.saturating_sub(head.received.unix_micros())),
            turn_around_micros: Some(replied.turn_around_micros),
            referrer: text(&head.headers, REFERER.as_str()),
            user_agent: text(&head.headers, USER_AGENT.as_str()),
            version_id: replied.version_id,
            host: text(&head.headers, HOST.as_str()),
            tls: head.tls,
        })
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let Some(line) = self.line() else { return };
        self.logs.take(self, &line);
        let keys = self.batch.get().map_or(&[][..], |batch| &batch.0);
        keys.iter().for_each(|key| self.logs.take(self, &line.of_batch(key)));
    }
}

/// What a request copies from, if it copies: presigned URLs may have that in their query.
fn copy_source(head: &Head) -> Option<String> {
    const NAME: &str = "x-amz-copy-source";
    if head.method != Method::PUT {
        return None;
    }
    let in_query = || {
        let pairs = head.raw_query.split('&').filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter(|(name, _)| name.eq_ignore_ascii_case(NAME));
        let (_, value) = values
            .next()
            .filter(|_| moho_iam::authn::is_presigned(&head.raw_query))?;
        let value = percent_encoding::percent_decode_str(value).decode_utf8().ok()?;
        Some(value.into_owned())
    };
    text(&head.headers, NAME).or_else(in_query)
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The code in an error's document.
fn code(document: &[u8]) -> Option<String> {
    let document = str::from_utf8(document).ok()?;
    let (_, rest) = document.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    Some(code.to_owned())
}

fn parameter(raw_query: &str, name: &str) -> Option<String> {
    let value = raw_query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    value.map(str::to_owned)
}
