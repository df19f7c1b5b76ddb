//! The header: counts, metadata entries, tensor descriptions.

use std::collections::HashMap;

use super::reader::HeaderReader;
use super::tensor::Tensor;
use super::value::{Scalar, Value};
use super::{GgufError, TensorKind};

const MAGIC: [u8; 4] = *b"GGUF";
const ENTRY_LIMIT: u64 = 16_384;
const TENSOR_LIMIT: u64 = 65_536;
const NAME_LIMIT: u64 = 256;
const TEXT: u32 = 8;
const ARRAY: u32 = 9;

/// Everything before the weights.
pub(super) struct Header {
    pub(super) entries: HashMap<String, Value>,
    pub(super) tensors: Vec<Tensor>,
}

impl Header {
    pub(super) fn read(reader: &mut HeaderReader<'_>) -> Result<Self, GgufError> {
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
