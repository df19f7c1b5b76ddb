//! A way in for those who test the reader of sealed objects with hostile input: what stands before a key is needed.
//!
//! Nothing here is another path: it calls what opening calls, and opens nothing. Hidden from the documentation, as it is
//! no interface to build on.

use crate::blob::Blob;
use crate::seal::front_again;
use crate::{KmsError, RecordError, SealedError};

/// The front of a sealed object, read and written down again.
///
/// # Errors
/// [`SealedError`], as opening would give.
pub fn sealed_front(sealed: &[u8]) -> Result<Vec<u8>, SealedError> {
    front_again(sealed)
}

/// The record of a key, read and written down again, without what authenticates it.
///
/// # Errors
/// [`RecordError`], as [`KeyRecord::peek`](crate::KeyRecord::peek) would give.
pub fn key_record(record: &[u8]) -> Result<Vec<u8>, RecordError> {
    crate::record::reprint(record)
}

/// A ciphertext blob, read and written down again.
///
/// # Errors
/// [`KmsError::InvalidCiphertext`], as decrypting would give.
pub fn ciphertext_blob(blob: &[u8]) -> Result<Vec<u8>, KmsError> {
    Blob::parse(blob).map(|blob| blob.print())
}
