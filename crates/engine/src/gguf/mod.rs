//! GGUF containers, versions 2 and 3, taken as hostile input.
//!
//! A model file may come from anybody. Every count, length and offset is checked before it is used, memory taken is at
//! most a small multiple of the header's own bytes, and reading is positioned (`pread`), never mapped: a file that is
//! cut while it is read gives an error, not a signal.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use aws_lc_rs::digest::Context;

mod error;
mod header;
mod print;
mod reader;
mod tensor;
mod value;
mod weights;

#[cfg(test)]
mod tests;

pub use error::GgufError;
pub(crate) use header::Header;
pub(crate) use tensor::{Tensor, TensorKind};
pub(crate) use value::Value;

use reader::Source;

/// A container whose header was read and checked; the weights are still in the file.
pub(crate) struct Gguf {
    file: File,
    length: u64,
    /// Where the header ends and everything after it begins.
    header_end: u64,
    /// Digest of the header's bytes, to be continued over the rest.
    digest: Context,
    header: Header,
}

impl Gguf {
    /// Opens a container and reads its header.
    pub(crate) fn open(path: &Path) -> Result<Self, GgufError> {
        Self::read(File::open(path)?)
    }

    /// Reads the header of an open file.
    pub(crate) fn read(file: File) -> Result<Self, GgufError> {
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(GgufError::NotAFile);
        }
        let length = about.len();
        let (header, header_end, digest) = Header::parse(Source::File(&file), length)?;
        Ok(Self {
            file,
            length,
            header_end,
            digest,
            header,
        })
    }

    /// Bytes of the whole file.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.length
    }
}

/// What the header says is asked of the container.
impl Deref for Gguf {
    type Target = Header;

    fn deref(&self) -> &Header {
        &self.header
    }
}
