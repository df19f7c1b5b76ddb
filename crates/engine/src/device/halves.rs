//! Rounding floats to half precision, for the key/value cache.

use super::simd::{Isa, Kernel, LANES, Simd};

/// Rounds a multiple of sixteen floats.
pub(crate) fn narrow(isa: Isa, floats: &[f32], halves: &mut [u16]) {
    isa.run(Narrow { floats, halves });
}

struct Narrow<'a> {
    floats: &'a [f32],
    halves: &'a mut [u16],
}

impl Kernel for Narrow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (floats, _) = self.floats.as_chunks::<LANES>();
        let (halves, _) = self.halves.as_chunks_mut::<LANES>();
        for (halves, floats) in halves.iter_mut().zip(floats) {
            *halves = simd.store_half(simd.load(floats));
        }
    }
}
