//! Segments as objects of a bucket, of any service that speaks S3: `<prefix>/<folder>/<segment's id>`.
//!
//! The folder has a name that nobody else has, made when the store came to rest there ([`place`]): two stores never meet in one
//! bucket, whatever their settings say. What is sent is ciphertext and what comes back is trusted with nothing: whoever reads a
//! segment proves each chunk.
//!
//! A segment is uploaded in parts as it comes, and is an object only once all of it is there; memory is one part for each writer,
//! whatever the length, and so many writers at most. It is read in ranges, which grow as long as one follows another.

mod courier;
mod credentials;
mod drafts;
mod incoming;
mod listed;
pub(crate) mod place;
mod resting;
#[cfg(test)]
mod tests;
mod told;

use std::io;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use moho_store::objects::{IncomingSegment, PresentSegment, RestingSegment, SegmentId, Segments};
use moho_store::{PlaceProblem, StoreError};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{BackoffConfig, GetOptions, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig};

use self::courier::{Courier, Failure};
use self::credentials::{CredentialsProblem, FileCredentials};
use self::drafts::Drafts;
use self::incoming::Incoming;
use self::listed::Listed;
use self::resting::Resting;
use crate::closing::Closing;
use crate::config::ObjectsConfig;
use crate::outbound::{S3Connector, S3ConnectorError};

/// Segments that are on their way at once.
const MOST_WRITERS: usize = 64;
/// What lies beside the segments, and says whose they are.
const MARK: &str = "moho-segments";
/// What it says.
const MARKED: &[u8] = b"Sealed segments of a moho. Whoever deletes any of them deletes objects.\n";

/// Why a bucket cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BucketError {
    #[error("the server's certificate could not be checked: `objects.ca` names the authorities to trust")]
    Connector(#[from] S3ConnectorError),
    #[error("the settings make no bucket")]
    Settings(#[source] object_store::Error),
    #[error("the system gives no thread")]
    Thread(#[from] io::Error),
    #[error(transparent)]
    Credentials(#[from] CredentialsProblem),
}

/// Whether the settings make a bucket, and there are credentials for it. Nobody is asked for anything.
pub(crate) fn look_at(config: &ObjectsConfig) -> Result<(), BucketError> {
    s3(config, &Patience::USUAL)?;
    FileCredentials::new(config.credentials.clone()).now()?;
    Ok(())
}

/// How long is waited for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For a connection, and for each next piece of an answer.
    stall: Duration,
    /// For whatever is asked, with all that is tried again.
    whole: Duration,
    /// After so long, nothing is tried again.
    trying: Duration,
    /// Before the first time that something is tried again.
    pause: Duration,
}

impl Patience {
    const USUAL: Self = Self {
        stall: Duration::from_secs(10),
        whole: Duration::from_secs(45),
        trying: Duration::from_secs(20),
        pause: Duration::from_millis(200),
    };
}

/// A folder of a bucket.
pub(crate) struct BucketSegments {
    bucket: Arc<Bucket>,
    drafts: Drafts,
}

/// What writers and readers share.
struct Bucket {
    s3: AmazonS3,
    courier: Courier,
    folder: Path,
    /// The place, for people.
    name: String,
    patience: Patience,
    writers: AtomicUsize,
}

impl BucketSegments {
    /// The folder of this name in the bucket of the settings, for the store in `directory`. Nobody is asked for anything yet.
    pub(crate) fn new(
        config: &ObjectsConfig,
        (directory, folder): (&FilePath, &str),
        closing: Closing,
    ) -> Result<Self, BucketError> {
        Self::with(config, (directory, folder), closing, Patience::USUAL)
    }

    fn with(
        config: &ObjectsConfig,
        (directory, folder): (&FilePath, &str),
        closing: Closing,
        patience: Patience,
    ) -> Result<Self, BucketError> {
        let bucket = Bucket {
            s3: s3(config, &patience)?,
            courier: Courier::new(closing)?,
            folder: Path::from_iter(
                config
                    .prefix
                    .split('/')
                    .chain([folder])
                    .filter(|part| !part.is_empty()),
            ),
            name: config.place(),
            patience,
            writers: AtomicUsize::new(0),
        };
        Ok(Self {
            bucket: Arc::new(bucket),
            drafts: Drafts::of(directory),
        })
    }

    /// Whether the folder is there, as whoever made it said. Whoever is not let in hears so.
    pub(crate) fn is_there(&self) -> Result<bool, StoreError> {
        let (bucket, path) = (Arc::clone(&self.bucket), self.bucket.path(MARK));
        let options = GetOptions::new().with_range(Some(0..MARKED.len() as u64));
        let asked = async move { bucket.s3.get_opts(&path, options).await?.bytes().await };
        match self.bucket.carry(asked) {
            Ok(said) => Ok(said == MARKED),
            Err(failure) if failure.absent => Ok(false),
            Err(failure) => Err(self.bucket.failed(failure)),
        }
    }

    /// Makes the folder, or makes it once more: tries whether this moho may write there, and list what is there.
    pub(crate) fn mark(&self) -> Result<(), StoreError> {
        let (bucket, path) = (Arc::clone(&self.bucket), self.bucket.path(MARK));
        let put = async move { bucket.s3.put(&path, PutPayload::from_static(MARKED)).await };
        self.bucket.ask(put)?;
        self.present().next().transpose().map(drop)
    }

    /// Gives up what processes that ended have left half uploaded.
    pub(crate) fn sweep(&self) {
        let left = match self.drafts.left_behind() {
            Ok(left) => left,
            Err(error) => {
                tracing::warn!(%error, "what was left half uploaded cannot be looked for");
                return;
            }
        };
        for one in left {
            let (bucket, path) = (Arc::clone(&self.bucket), self.bucket.path_of(one.id));
            let upload = one.upload;
            let given_up = self
                .bucket
                .carry(async move { bucket.s3.abort_multipart(&path, &upload).await });
            match given_up {
                Err(failure) if !failure.absent => {
                    tracing::warn!(
                        problem = %failure.problem,
                        "what was left half uploaded could not be given up: it is tried again at the next start"
                    );
                    return;
                }
                Ok(()) | Err(_) => one.draft.forget(),
            }
        }
    }
}

impl Bucket {
    fn path(&self, name: &str) -> Path {
        self.folder.clone().join(name)
    }

    fn path_of(&self, id: SegmentId) -> Path {
        self.path(&id.to_string())
    }

    fn carry<T: Send + 'static>(
        &self,
        work: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> Result<T, Failure> {
        self.courier.carry(self.patience.whole, work)
    }

    fn ask<T: Send + 'static>(
        &self,
        work: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.carry(work).map_err(|failure| self.failed(failure))
    }

    fn failed(&self, failure: Failure) -> StoreError {
        self.problem(failure.problem)
    }

    fn problem(&self, problem: PlaceProblem) -> StoreError {
        StoreError::Elsewhere {
            place: self.name.clone(),
            problem,
        }
    }
}

impl Segments for BucketSegments {
    fn begin(&self, id: SegmentId) -> Result<Box<dyn IncomingSegment>, StoreError> {
        let seat = Seat::take(&self.bucket)?;
        let drafts = Drafts::clone(&self.drafts);
        Ok(Box::new(Incoming::new(id, seat, drafts)))
    }

    fn open(&self, id: SegmentId) -> Result<Box<dyn RestingSegment>, StoreError> {
        Ok(Box::new(Resting::open(Arc::clone(&self.bucket), id)?))
    }

    fn delete(&self, id: SegmentId) -> Result<(), StoreError> {
        let (bucket, path) = (Arc::clone(&self.bucket), self.bucket.path_of(id));
        match self.bucket.carry(async move { bucket.s3.delete(&path).await }) {
            Err(failure) if !failure.absent => Err(self.bucket.failed(failure)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn present(&self) -> Box<dyn Iterator<Item = Result<PresentSegment, StoreError>> + Send + '_> {
        Box::new(Listed::of(Arc::clone(&self.bucket)))
    }
}

/// A writer's place among those that there may be.
struct Seat(Arc<Bucket>);

impl Seat {
    fn take(bucket: &Arc<Bucket>) -> Result<Self, StoreError> {
        let before = bucket.writers.fetch_add(1, Ordering::Relaxed);
        // Dropped, it makes room again.
        let seat = Self(Arc::clone(bucket));
        if before < MOST_WRITERS {
            Ok(seat)
        } else {
            Err(bucket.problem(PlaceProblem::Crowded))
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.writers.fetch_sub(1, Ordering::Relaxed);
    }
}

fn s3(config: &ObjectsConfig, patience: &Patience) -> Result<AmazonS3, BucketError> {
    let connector = if config.tls {
        S3Connector::over_tls(&config.origin, config.ca.as_deref(), patience.stall)?
    } else {
        S3Connector::plain(&config.origin, patience.stall)
    };
    let scheme = if config.tls { "https" } else { "http" };
    let authority = crate::outbound::authority(&config.origin.host, config.origin.port);
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: patience.pause,
            max_backoff: patience.pause.saturating_mul(20),
            base: 2.0,
        },
        max_retries: 4,
        retry_timeout: patience.trying,
    };
    AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_endpoint(format!("{scheme}://{authority}"))
        .with_virtual_hosted_style_request(!config.in_path)
        .with_allow_http(!config.tls)
        .with_credentials(Arc::new(FileCredentials::new(config.credentials.clone())))
        .with_http_connector(connector)
        .with_retry(retry)
        // Deleting one at a time is part of what every service has.
        .with_disable_bulk_delete(true)
        .build()
        .map_err(BucketError::Settings)
}
