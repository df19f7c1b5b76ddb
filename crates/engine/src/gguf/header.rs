//! The header: counts, metadata entries, tensor descriptions.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::digest::Context;

use super::reader::{HeaderReader, Source};
use super::tensor::Tensor;
use super::value::{Scalar, Value};
use super::{GgufError, TensorKind};

pub(super) const MAGIC: [u8; 4] = *b"GGUF";
const ENTRY_LIMIT: u64 = 16_384;
const TENSOR_LIMIT: u64 = 65_536;
const NAME_LIMIT: u64 = 256;
pub(super) const TEXT: u32 = 8;
pub(super) const ARRAY: u32 = 9;

/// Everything before the weights, checked.
#[derive(Debug, PartialEq)]
pub(crate) struct Header {
    pub(super) entries: HashMap<String, Value>,
    pub(super) tensors: Vec<Tensor>,
}

impl Header {
    /// Reads the header of a container of so many bytes; where it ends, and the digest of it.
    pub(super) fn parse(source: Source<'_>, length: u64) -> Result<(Self, u64, Context), GgufError> {
        let mut reader = HeaderReader::new(source, length);
        let mut header = Self::read(&mut reader)?;
        let (header_end, digest) = reader.finish();
        header.place_tensors(header_end, length)?;
        Ok((header, header_end, digest))
    }

    /// Reads the header of a container that is in memory, as [`super::Gguf::open`] does that of a file.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, GgufError> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self::parse(Source::Bytes(bytes), length).map(|(header, ..)| header)
    }

    fn read(reader: &mut HeaderReader<'_>) -> Result<Self, GgufError> {
        if reader.array::<4>()? != MAGIC {
            return Err(GgufError::Magic);
        }
        let version = reader.u32()?;
        if !matches!(version, 2 | 3) {
            return Err(GgufError::Version(version));
        }
        let tensor_count = count(reader, "tensors", TENSOR_LIMIT)?;
        let entry_count = count(reader, "metadata entries", ENTRY_LIMIT)?;
        let mut entries = HashMap::new();
        for index in 0..entry_count {
            let key = name(reader, "metadata", index)?;
            let value = value(reader, &key)?;
            if entries.contains_key(&key) {
                return Err(GgufError::DuplicateKey { key });
            }
            entries.insert(key, value);
        }
        let tensors = (0..tensor_count)
            .map(|index| tensor(reader, index))
            .collect::<Result<_, _>>()?;
        Ok(Self { entries, tensors })
    }

    /// Turns the tensors' offsets into places in the file and checks that none overlap.
    fn place_tensors(&mut self, header_end: u64, length: u64) -> Result<(), GgufError> {
        let alignment = self.alignment().ok_or(GgufError::Alignment)?;
        let start = header_end
            .checked_next_multiple_of(u64::from(alignment))
            .ok_or(GgufError::Truncated)?;
        let tensors = &mut self.tensors;
        let mut names = HashSet::with_capacity(tensors.len());
        for tensor in tensors.iter_mut() {
            if !names.insert(tensor.name.clone()) {
                return Err(GgufError::DuplicateTensor {
                    name: tensor.name.clone(),
                });
            }
            tensor.place(start, u64::from(alignment), length)?;
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

    /// Tensors begin at multiples of this; `None` if what the header says of it makes no sense.
    pub(super) fn alignment(&self) -> Option<u32> {
        let sensible = |a: &u32| a.is_power_of_two() && (8..=65536).contains(a);
        match self.get("general.alignment") {
            None => Some(32),
            Some(value) => value.as_u32().filter(sensible),
        }
    }

    /// Number of metadata entries, and of tensors.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.entries.len(), self.tensors.len())
    }

    /// A value, if the key is there.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key)
    }

    /// The tensors in the order of their places in the file.
    pub(crate) fn tensors(&self) -> &[Tensor] {
        &self.tensors
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

fn count(reader: &mut HeaderReader<'_>, what: &'static str, limit: u64) -> Result<u64, GgufError> {
    let count = reader.u64()?;
    if count > limit {
        Err(GgufError::TooLarge { what, limit })
    } else {
        Ok(count)
    }
}

/// A key or a tensor's name: these appear in error messages, so they must be plain.
fn name(reader: &mut HeaderReader<'_>, table: &'static str, index: u64) -> Result<String, GgufError> {
    let length = reader.u64()?;
    if length == 0 || length > NAME_LIMIT {
        return Err(GgufError::Name { index, table });
    }
    let bytes = reader.bytes(length)?;
    if !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(GgufError::Name { index, table });
    }
    Ok(bytes.iter().copied().map(char::from).collect())
}

fn value(reader: &mut HeaderReader<'_>, key: &str) -> Result<Value, GgufError> {
    match reader.u32()? {
        TEXT => reader.text().map(Value::Text),
        ARRAY => array(reader, key),
        kind => {
            let scalar = scalar(key, kind)?;
            scalar
                .check(reader.bytes(scalar.size())?)
                .map(|bytes| Value::Scalar(scalar, bytes))
        }
    }
}

fn scalar(key: &str, kind: u32) -> Result<Scalar, GgufError> {
    Scalar::from_number(kind).ok_or_else(|| GgufError::ValueType {
        key: key.to_owned(),
        kind,
    })
}

fn array(reader: &mut HeaderReader<'_>, key: &str) -> Result<Value, GgufError> {
    let kind = reader.u32()?;
    let length = reader.u64()?;
    if kind == TEXT {
        // Each text announces its own length in eight bytes.
        reader.expect(length.checked_mul(8).ok_or(GgufError::Truncated)?)?;
        return (0..length)
            .map(|_| reader.text())
            .collect::<Result<_, _>>()
            .map(Value::Texts);
    }
    let scalar = scalar(key, kind)?;
    let size = length.checked_mul(scalar.size()).ok_or(GgufError::Truncated)?;
    scalar
        .check(reader.bytes(size)?)
        .map(|bytes| Value::Scalars(scalar, bytes))
}

fn tensor(reader: &mut HeaderReader<'_>, index: u64) -> Result<Tensor, GgufError> {
    let name = name(reader, "tensors", index)?;
    let dimensions = reader.u32()?;
    if !(1..=4).contains(&dimensions) {
        return Err(GgufError::Shape { name });
    }
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        shape.push(reader.u64()?);
    }
    let kind = reader.u32()?;
    let offset = reader.u64()?;
    match TensorKind::from_number(kind) {
        Ok(kind) => Tensor::new(name, &shape, kind, offset),
        Err(kind) => Err(GgufError::TensorType { name, kind }),
    }
}
