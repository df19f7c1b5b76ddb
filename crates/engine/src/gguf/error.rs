//! What can be wrong with a GGUF file.

use super::tensor::SUPPORTED;

/// A file that is no GGUF container we read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The system cannot read it.
    #[error("the file cannot be read")]
    Io(#[from] std::io::Error),
    /// It is a directory, a pipe or a device.
    #[error("not a regular file")]
    NotAFile,
    /// It ends before what it announces.
    #[error("the file ends too early")]
    Truncated,
    /// It does not begin as GGUF files do.
    #[error("not a gguf file")]
    Magic,
    /// A version, or a byte order, we do not read.
    #[error("gguf version {0} is not supported; supported: 2 and 3, little-endian")]
    Version(u32),
    /// The header is larger than any sensible model needs.
    #[error("the header has more than {limit} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// A text is not UTF-8.
    #[error("a text in the header is not utf-8")]
    Text,
    /// A key or a tensor's name is empty, too long, or has other than visible ASCII characters.
    #[error("entry {index} of the {table} has an unusable name")]
    Name {
        /// Its index.
        index: u64,
        /// Metadata or tensors.
        table: &'static str,
    },
    /// Metadata of a type that the format does not have, or an array of arrays.
    #[error("metadata key `{key}` has the unknown or nested type {kind}")]
    ValueType {
        /// The key.
        key: String,
        /// The type's number in the file.
        kind: u32,
    },
    /// A truth value is neither 0 nor 1.
    #[error("a truth value in the header is neither 0 nor 1")]
    Bool,
    /// The same key twice.
    #[error("metadata key `{key}` is there twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// The same tensor twice.
    #[error("tensor `{name}` is there twice")]
    DuplicateTensor {
        /// The tensor.
        name: String,
    },
    /// `general.alignment` is not a power of two from 8 to 65536.
    #[error("the alignment is not a power of two from 8 to 65536")]
    Alignment,
    /// A tensor's type is not supported.
    #[error("tensor `{name}` has type {kind}, which is not supported; supported: {SUPPORTED}")]
    TensorType {
        /// The tensor.
        name: String,
        /// The type's name.
        kind: String,
    },
    /// A tensor's dimensions are zero, too many, too large, or not whole blocks.
    #[error("tensor `{name}` has an impossible shape")]
    Shape {
        /// The tensor.
        name: String,
    },
    /// A tensor is not aligned, or not inside the file.
    #[error("tensor `{name}` is at an impossible place")]
    Place {
        /// The tensor.
        name: String,
    },
    /// Two tensors share bytes.
    #[error("tensors `{name}` and `{other}` overlap")]
    Overlap {
        /// One tensor.
        name: String,
        /// The other.
        other: String,
    },
    /// A key that is needed is absent.
    #[error("metadata key `{key}` is missing")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A key holds a value of another type than needed.
    #[error("metadata key `{key}` is not {wanted}")]
    WrongType {
        /// The key.
        key: &'static str,
        /// What was wanted.
        wanted: &'static str,
    },
    /// There is not enough memory for a tensor.
    #[error("not enough memory for tensor `{name}`")]
    Memory {
        /// The tensor.
        name: String,
    },
}
