//! What happens once it may: one file per API family. Every handler asks for the permits of what it does.

pub(crate) mod asked_before;
pub(crate) mod audit;
pub(crate) mod bedrock;
pub(crate) mod chat;
pub(crate) mod cloudtrail;
pub(crate) mod conversations;
pub(crate) mod ec2;
mod halving;
pub(crate) mod iam;
mod inference;
pub(crate) mod kms;
pub(crate) mod logs;
pub(crate) mod models;
pub(crate) mod organizations;
pub(crate) mod paging;
pub(crate) mod responses;
pub(crate) mod restore;
pub(crate) mod sts;
pub(crate) mod usage;

use std::sync::Arc;

use moho_terms::{AccountId, RequestId};
use moho_wire::Failure;

pub(crate) use inference::{InferencePermit, Named, Proof};

use crate::quota::Entrance;
use crate::startup::Platform;
use crate::telemetry::RequestSpan;

/// What every handler knows of its request.
pub(crate) struct Asked {
    pub(crate) platform: Arc<Platform>,
    pub(crate) request: RequestId,
    /// The caller's.
    pub(crate) account: AccountId,
    /// What is measured of it.
    pub(crate) span: RequestSpan,
    /// What the quotas know of it.
    pub(crate) entrance: Arc<Entrance>,
}

/// Runs what waits for the disk where it may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Failure::Internal))
}
