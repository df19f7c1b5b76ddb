//! Which instructions the processor has, and how a kernel gets compiled for them.

use super::{Portable, Simd};
#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512};

/// An instruction set that this processor was seen to have. Values other than the portable one come from detection
/// only.
#[derive(Clone, Copy)]
pub(crate) enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    Portable(Portable),
}

/// A computation that can be compiled for each instruction set.
pub(in crate::device) trait Kernel {
    type Output;

    /// Must be `#[inline(always)]`, with all it calls, so that it is compiled with the caller's instructions.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

impl Isa {
    /// The fastest there is.
    pub(crate) fn best() -> Self {
        Self::all().into_iter().next().unwrap_or(Self::Portable(Portable))
    }

    /// All that this processor has, the fastest first.
    pub(crate) fn all() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        let mut sets: Vec<Self> = Avx512::detect()
            .map(Self::Avx512)
            .into_iter()
            .chain(Avx2::detect().map(Self::Avx2))
            .collect();
        #[cfg(not(target_arch = "x86_64"))]
        let mut sets = Vec::new();
        sets.push(Self::Portable(Portable));
        sets
    }

    /// The name, for start-up lines and benches.
    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512-vnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            Self::Portable(_) => "portable",
        }
    }

    /// Runs a kernel with these instructions.
    #[inline]
    pub(in crate::device) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => simd.enter(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.enter(kernel),
            Self::Portable(simd) => kernel.run(simd),
        }
    }
}
