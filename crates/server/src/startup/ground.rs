//! What everything else stands on: the data directory, and what is kept in it and, perhaps, elsewhere.

use std::path::Path;
use std::sync::Arc;

use moho_audit::{FileJournal, LogKeys, Recovery};
use moho_kms::RootKey;
use moho_os::FileLock;
use moho_store::Store;
use moho_terms::Entropy;

use super::{StartupError, node};
use crate::bucket_segments::place::Settling;
use crate::closing::Closing;
use crate::config::Config;
use crate::{endpoint_file, root_key};

/// What everything else stands on: the data directory, ours alone, and what is kept in it.
pub(super) struct Ground {
    pub(super) lock: FileLock,
    /// Keeps the segments where they rest.
    pub(super) segments: FileLock,
    pub(super) root: RootKey,
    pub(super) store: Arc<Store>,
    pub(super) journal: FileJournal,
    pub(super) recovery: Recovery,
}

impl Ground {
    pub(super) fn open(
        config: &Config,
        entropy: &dyn Entropy,
        closing: &Closing,
    ) -> Result<Self, StartupError> {
        make_private(&config.data)?;
        let lock = moho_os::lock_file_exclusive(&config.data.join("lock"));
        let lock = lock.map_err(|source| StartupError::Lock {
            path: config.data.clone(),
            source,
        })?;
        endpoint_file::remove_stale(&config.data).map_err(|source| StartupError::Endpoint {
            path: endpoint_file::endpoint_path(&config.data),
            source,
        })?;
        make_private(&config.store)?;
        let directory = config.store.join("store");
        let root = root_key::open_or_make(&config.root, &directory, entropy)?;
        let node = node::name(config, entropy)?;
        let store = Store::open_as(&directory, &node, (&root, entropy))?;
        let settling = Settling {
            directory: &directory,
            wanted: config.objects.as_ref(),
            closing,
        };
        let settled = settling.settle(&store, entropy)?;
        let store = Arc::new(match settled.segments {
            Some(elsewhere) => store.with_segments(elsewhere),
            None => store,
        });
        let keys = log_keys(&store, entropy)?;
        let (journal, recovery) = FileJournal::open(&config.data.join("journal"), &keys)?;
        if recovery.cut_bytes > 0 {
            tracing::warn!(
                bytes = recovery.cut_bytes,
                "the journal ended in the middle of an entry, which was cut off"
            );
        }
        Ok(Self {
            lock,
            segments: settled.lock,
            root,
            store,
            journal,
            recovery,
        })
    }
}

/// The keys of the logs of those who use this store, and the id of one that begins now.
pub(crate) fn log_keys(store: &Store, entropy: &dyn Entropy) -> Result<LogKeys, StartupError> {
    let mut fresh = [0; 16];
    entropy.fill(&mut fresh)?;
    Ok(LogKeys::new(store.log_secret(), fresh))
}

fn make_private(directory: &Path) -> Result<(), StartupError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| StartupError::Directory {
            path: directory.to_owned(),
            source,
        })
}
