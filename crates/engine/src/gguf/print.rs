//! A header as a container again: what was read can be written, and is then read as the same.

use super::header::{ARRAY, Header, MAGIC, TEXT};
use super::tensor::Tensor;
use super::value::Value;

impl Header {
    /// A container of this header, with weights that are all zero; the metadata sorted by key.
    pub(crate) fn print(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(length(self.tensors.len()));
        bytes.extend(length(self.entries.len()));
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        for (key, value) in entries {
            put_text(&mut bytes, key);
            put_value(&mut bytes, value);
        }
        // The header's length is known only at its end, but it does not depend on the offsets that it holds.
        let mut described = bytes.clone();
        self.tensors.iter().for_each(|t| put_tensor(&mut described, t, 0));
        // INVARIANT: a header without a sensible alignment is not parsed.
        let alignment = u64::from(self.alignment().unwrap_or(32));
        let end = u64::try_from(described.len()).unwrap_or(u64::MAX);
        let start = end.checked_next_multiple_of(alignment).unwrap_or(u64::MAX);
        self.tensors.iter().for_each(|t| put_tensor(&mut bytes, t, start));
        let end = self.tensors.iter().map(Tensor::end).max().unwrap_or(0);
        bytes.resize(bytes.len().max(usize::try_from(end).unwrap_or(0)), 0);
        bytes
    }
}

fn length(count: usize) -> [u8; 8] {
    u64::try_from(count).unwrap_or(u64::MAX).to_le_bytes()
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(length(text.len()));
    bytes.extend(text.as_bytes());
}

fn put_value(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Text(text) => {
            bytes.extend(TEXT.to_le_bytes());
            put_text(bytes, text);
        }
        Value::Texts(texts) => {
            bytes.extend(ARRAY.to_le_bytes());
            bytes.extend(TEXT.to_le_bytes());
            bytes.extend(length(texts.len()));
            texts.iter().for_each(|text| put_text(bytes, text));
        }
        Value::Scalar(scalar, raw) => {
            bytes.extend(scalar.number().to_le_bytes());
            bytes.extend(raw);
        }
        Value::Scalars(scalar, raw) => {
            bytes.extend(ARRAY.to_le_bytes());
            bytes.extend(scalar.number().to_le_bytes());
            let size = usize::try_from(scalar.size()).unwrap_or(usize::MAX);
            bytes.extend(length(raw.len() / size));
            bytes.extend(raw);
        }
    }
}

fn put_tensor(bytes: &mut Vec<u8>, tensor: &Tensor, start: u64) {
    put_text(bytes, &tensor.name);
    let dimensions = u32::try_from(tensor.shape.len()).unwrap_or(u32::MAX);
    bytes.extend(dimensions.to_le_bytes());
    tensor.shape.iter().for_each(|size| bytes.extend(length(*size)));
    bytes.extend(tensor.kind.number().to_le_bytes());
    bytes.extend(tensor.offset.saturating_sub(start).to_le_bytes());
}
