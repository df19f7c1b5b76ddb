//! What a container says about each tensor.

use super::GgufError;

/// The types we compute with, for error messages.
pub(super) const SUPPORTED: &str = "F32, F16, BF16, Q8_0, Q4_0, Q4_1";

/// How a tensor's numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TensorKind {
    F32,
    F16,
    Bf16,
    /// Blocks of 32: an f16 scale, 32 signed bytes.
    Q8_0,
    /// Blocks of 32: an f16 scale, 32 nibbles less 8.
    Q4_0,
    /// Blocks of 32: an f16 scale, an f16 minimum, 32 nibbles.
    Q4_1,
}

impl TensorKind {
    /// The type that has this number in the format, or the name of a type that we do not support.
    pub(super) fn from_number(number: u32) -> Result<Self, String> {
        let name = match number {
            0 => return Ok(Self::F32),
            1 => return Ok(Self::F16),
            2 => return Ok(Self::Q4_0),
            3 => return Ok(Self::Q4_1),
            8 => return Ok(Self::Q8_0),
            30 => return Ok(Self::Bf16),
            6 => "Q5_0",
            7 => "Q5_1",
            9 => "Q8_1",
            10 => "Q2_K",
            11 => "Q3_K",
            12 => "Q4_K",
            13 => "Q5_K",
            14 => "Q6_K",
            15 => "Q8_K",
            16 => "IQ2_XXS",
            17 => "IQ2_XS",
            18 => "IQ3_XXS",
            19 => "IQ1_S",
            20 => "IQ4_NL",
            21 => "IQ3_S",
            22 => "IQ2_S",
            23 => "IQ4_XS",
            24 => "I8",
            25 => "I16",
            26 => "I32",
            27 => "I64",
            28 => "F64",
            29 => "IQ1_M",
            34 => "TQ1_0",
            35 => "TQ2_0",
            39 => "MXFP4",
            unknown => return Err(format!("number {unknown}")),
        };
        Err(name.to_owned())
    }

    /// The type's number in the format.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q8_0 => 8,
            Self::Bf16 => 30,
        }
    }

    /// The type's name in the format.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
        }
    }

    /// Values per block, and bytes per block.
    pub(crate) fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q8_0 => (32, 34),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
        }
    }
}

/// A tensor's description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) kind: TensorKind,
    /// Numbers along each dimension; the first one is contiguous.
    pub(crate) shape: Vec<usize>,
    /// Bytes in the file.
    pub(super) bytes: usize,
    /// Place of its first byte: from the start of all weights until placed, then in the file.
    pub(super) offset: u64,
}

impl Tensor {
    /// Checks the shape and works out the size.
    pub(super) fn new(name: String, shape: &[u64], kind: TensorKind, offset: u64) -> Result<Self, GgufError> {
        match size(shape, kind) {
            Some((shape, bytes)) => Ok(Self {
                name,
                kind,
                shape,
                bytes,
                offset,
            }),
            None => Err(GgufError::Shape { name }),
        }
    }

    /// Turns the offset into a place in the file.
    pub(super) fn place(&mut self, start: u64, alignment: u64, length: u64) -> Result<(), GgufError> {
        let aligned = self.offset.is_multiple_of(alignment);
        let begin = start.checked_add(self.offset).filter(|_| aligned);
        let end = begin.and_then(|begin| begin.checked_add(self.bytes as u64));
        match (begin, end) {
            (Some(begin), Some(end)) if end <= length => {
                self.offset = begin;
                Ok(())
            }
            _ => Err(GgufError::Place {
                name: self.name.clone(),
            }),
        }
    }

    /// The place after its last byte.
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes as u64)
    }

    /// How many numbers it holds.
    pub(crate) fn numbers(&self) -> usize {
        self.shape
            .iter()
            .fold(1, |product, size| product.saturating_mul(*size))
    }
}

fn size(shape: &[u64], kind: TensorKind) -> Option<(Vec<usize>, usize)> {
    let shape: Vec<usize> = shape
        .iter()
        .map(|size| usize::try_from(*size).ok())
        .collect::<Option<_>>()?;
    let (values, bytes) = kind.block();
    let numbers = shape
        .iter()
        .try_fold(1_usize, |product, size| product.checked_mul(*size))?;
    let whole = shape.first()?.is_multiple_of(values);
    let bytes = (numbers / values).checked_mul(bytes)?;
    (numbers > 0 && whole).then_some((shape, bytes))
}
