//! A way in for those who test the reader of sealed objects with hostile input: what stands before a key is needed.
//!
//! Nothing here is another path: it calls what opening calls, and opens nothing. Hidden from the documentation, as it is
//! no interface to build on.

use crate::blob::Blob;
use crate::seal::front_again;
use crate::{KmsError, RecordError, RootFile, RootKeyError, SealedError, Share, ShareError};

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

/// A root key file, read and written down again.
///
/// # Errors
/// [`RootKeyError`], as opening would give.
pub fn root_key_file(file: &[u8]) -> Result<Vec<u8>, RootKeyError> {
    RootFile::parse(file).map(|file| file.print())
}

/// A share of a root key, read and written down again.
///
/// # Errors
/// [`ShareError`], which says what is wrong with it.
pub fn share(line: &str) -> Result<Vec<u8>, ShareError> {
    Share::parse(line).map(|share| share.line().expose().to_vec())
}
