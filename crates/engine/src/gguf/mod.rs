//! GGUF containers, versions 2 and 3, taken as hostile input.
//!
//! A model file may come from anybody. Every count, length and offset is checked before it is used, memory taken is at
//! most a small multiple of the header's own bytes, and reading is positioned (`pread`), never mapped: a file that is
//! cut while it is read gives an error, not a signal.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use aws_lc_rs::digest::Context;

mod error;
mod header;
mod reader;
mod tensor;
mod value;
mod weights;

#[cfg(test)]
mod tests;

pub use error::GgufError;
pub(crate) use tensor::{Tensor, TensorKind};
pub(crate) use value::Value;

use header::Header;
use reader::HeaderReader;

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
        let mut reader = HeaderReader::new(&file, length);
        let header = Header::read(&mut reader)?;
        let (header_end, digest) = reader.finish();
        let mut gguf = Self {
            file,
            length,
            header_end,
            digest,
            header,
        };
        gguf.place_tensors()?;
        Ok(gguf)
    }

    /// Turns the tensors' offsets into places in the file and checks that none overlap.
    fn place_tensors(&mut self) -> Result<(), GgufError> {
        let alignment = match self.get("general.alignment") {
            None => 32,
            Some(value) => value
                .as_u32()
                .filter(|a| a.is_power_of_two() && (8..=65536).contains(a))
                .ok_or(GgufError::Alignment)?,
        };
        let start = self
            .header_end
            .checked_next_multiple_of(u64::from(alignment))
            .ok_or(GgufError::Truncated)?;
        let tensors = &mut self.header.tensors;
        let mut names = HashSet::with_capacity(tensors.len());
        for tensor in tensors.iter_mut() {
            if !names.insert(tensor.name.clone()) {
                return Err(GgufError::DuplicateTensor {
                    name: tensor.name.clone(),
                });
            }
            tensor.place(start, u64::from(alignment), self.length)?;
        }
        tensors.sort_by_key(|tensor| tensor.offset);
        for (first, second) in tensors.iter().zip(tensors.iter().skip(1)) {
            if first.end() > second.offset {
                let (name, other) = (first.name.clone(), second.name.clone());
                return Err(GgufError::Overlap { name, other });
            }
        }
        Ok(())
    }

    /// A value, if the key is there.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.header.entries.get(key)
    }

    /// Bytes of the whole file.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The tensors in the order of their places in the file.
    pub(crate) fn tensors(&self) -> &[Tensor] {
        &self.header.tensors
    }

    /// A text that must be there.
    pub(crate) fn text(&self, key: &'static str) -> Result<&str, GgufError> {
        self.typed(key, "a text", Value::as_text)
    }

    /// A number that must be there: any integer type, if the value fits.
    pub(crate) fn u32(&self, key: &'static str) -> Result<u32, GgufError> {
        self.typed(key, "an integer of 32 bits", Value::as_u32)
    }

    /// A number that must be there.
    pub(crate) fn f32(&self, key: &'static str) -> Result<f32, GgufError> {
        self.typed(key, "a number", Value::as_f32)
    }

    fn typed<'a, T>(
        &'a self,
        key: &'static str,
        wanted: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T, GgufError> {
        let value = self.get(key).ok_or(GgufError::Missing { key })?;
        read(value).ok_or(GgufError::WrongType { key, wanted })
    }
}
