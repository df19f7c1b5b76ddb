//! Metadata values.
//!
//! Arrays stay as the bytes they came in, so that a hostile header cannot make us hold more than it sent.

use super::GgufError;

/// A type of fixed size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    U64,
    I64,
    F64,
}

impl Scalar {
    /// The type that has this number in the format.
    pub(super) fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::U8,
            1 => Self::I8,
            2 => Self::U16,
            3 => Self::I16,
            4 => Self::U32,
            5 => Self::I32,
            6 => Self::F32,
            7 => Self::Bool,
            10 => Self::U64,
            11 => Self::I64,
            12 => Self::F64,
            _ => return None,
        })
    }

    /// The type's number in the format.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::U8 => 0,
            Self::I8 => 1,
            Self::U16 => 2,
            Self::I16 => 3,
            Self::U32 => 4,
            Self::I32 => 5,
            Self::F32 => 6,
            Self::Bool => 7,
            Self::U64 => 10,
            Self::I64 => 11,
            Self::F64 => 12,
        }
    }

    /// Bytes that a value takes.
    pub(super) fn size(self) -> u64 {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Takes over bytes that are values of this type.
    pub(super) fn check(self, bytes: &[u8]) -> Result<Vec<u8>, GgufError> {
        if self == Self::Bool && bytes.iter().any(|byte| *byte > 1) {
            return Err(GgufError::Bool);
        }
        Ok(bytes.to_vec())
    }

    fn integer(self, bytes: &[u8]) -> Option<i64> {
        Some(match self {
            Self::U8 => i64::from(u8::from_le_bytes(bytes.try_into().ok()?)),
            Self::I8 => i64::from(i8::from_le_bytes(bytes.try_into().ok()?)),
            Self::U16 => i64::from(u16::from_le_bytes(bytes.try_into().ok()?)),
            Self::I16 => i64::from(i16::from_le_bytes(bytes.try_into().ok()?)),
            Self::U32 => i64::from(u32::from_le_bytes(bytes.try_into().ok()?)),
            Self::I32 => i64::from(i32::from_le_bytes(bytes.try_into().ok()?)),
            Self::U64 => i64::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok()?,
            Self::I64 => i64::from_le_bytes(bytes.try_into().ok()?),
            Self::F32 | Self::F64 | Self::Bool => return None,
        })
    }
}

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Texts(Vec<String>),
    /// One value, as in the file.
    Scalar(Scalar, Vec<u8>),
    /// A list of values, as in the file.
    Scalars(Scalar, Vec<u8>),
}

impl Value {
    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Scalar(Scalar::Bool, bytes) => bytes.first().map(|byte| *byte == 1),
            Self::Scalar(..) | Self::Scalars(..) | Self::Text(_) | Self::Texts(_) => None,
        }
    }

    pub(crate) fn as_u32(&self) -> Option<u32> {
        match self {
            Self::Scalar(scalar, bytes) => u32::try_from(scalar.integer(bytes)?).ok(),
            Self::Scalars(..) | Self::Text(_) | Self::Texts(_) => None,
        }
    }

    pub(crate) fn as_f32(&self) -> Option<f32> {
        match self {
            Self::Scalar(Scalar::F32, bytes) => Some(f32::from_le_bytes(bytes.as_slice().try_into().ok()?)),
            Self::Scalar(Scalar::F64, bytes) => {
                let value = f64::from_le_bytes(bytes.as_slice().try_into().ok()?);
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the nearest f32 is what is wanted"
                )]
                Some(value as f32)
            }
            Self::Scalar(..) | Self::Scalars(..) | Self::Text(_) | Self::Texts(_) => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(value) = self {
            Some(value)
        } else {
            None
        }
    }

    pub(crate) fn as_texts(&self) -> Option<&[String]> {
        if let Self::Texts(value) = self {
            Some(value)
        } else {
            None
        }
    }

    /// Whole numbers, from a list of any integer type.
    pub(crate) fn as_integers(&self) -> Option<Vec<i64>> {
        match self {
            Self::Scalars(scalar, bytes) => {
                let size = usize::try_from(scalar.size()).ok()?;
                bytes
                    .chunks_exact(size)
                    .map(|bytes| scalar.integer(bytes))
                    .collect()
            }
            Self::Scalar(..) | Self::Text(_) | Self::Texts(_) => None,
        }
    }
}
