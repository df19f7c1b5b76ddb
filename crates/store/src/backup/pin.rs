//! While a backup is made, no segment's bytes are deleted: the metadata that it has copied may still name them.
//!
//! A lock on one file of the store, among processes: a backup has it alone, whoever deletes has it with others. Who deletes
//! does not wait: what nothing names any more is removed by a later round of the garbage collection.

use std::path::Path;

use moho_os::{FileLock, LockError, lock_file_in_turn, try_lock_file_shared};

use crate::StoreError;

const FILE: &str = "moho.pin";

/// Leave to delete segments until it is dropped.
pub(crate) struct Deleting {
    _lock: FileLock,
}

/// Leave to delete segments, unless a backup is being made.
pub(crate) fn deleting(store: &Path) -> Result<Option<Deleting>, StoreError> {
    match try_lock_file_shared(&store.join(FILE)) {
        Ok(lock) => Ok(Some(Deleting { _lock: lock })),
        Err(LockError::Io { path, source }) => Err(StoreError::io(&path)(source)),
        Err(_held) => Ok(None),
    }
}

/// Keeps every segment where it is, once nobody is deleting any, until it is dropped.
pub(super) fn pin(store: &Path) -> Result<FileLock, StoreError> {
    lock_file_in_turn(&store.join(FILE)).map_err(|error| match error {
        LockError::Io { path, source } => StoreError::io(&path)(source),
        LockError::Held(path) => StoreError::InUse(path),
        _ => StoreError::InUse(store.to_owned()),
    })
}
