//! AVX-512 with VNNI: a vector is one register.

use std::arch::x86_64::*;

use super::{Kernel, LANES, Simd};

/// Proof that the processor has AVX-512 (F, BW, DQ, VL, VNNI) with FMA and F16C. Only detection makes one.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

/// Calls an intrinsic.
macro_rules! proven {
    ($call:expr) => {
        // SAFETY: a value of `Avx512` exists, so the processor was seen to have these instructions; loads and stores
        // go through references to arrays of the full width.
        unsafe { $call }
    };
}

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        all.then_some(Self(()))
    }

    /// Runs a kernel compiled for these instructions.
    #[inline]
    pub(super) fn enter<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma,f16c")]
        fn compiled<K: Kernel>(simd: Avx512, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        proven!(compiled(self, kernel))
    }
}

impl Simd for Avx512 {
    type Floats = __m512;
    type Integers = __m512i;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        proven!(_mm512_set1_ps(value))
    }
    #[inline(always)]
    fn load(self, values: &[f32; LANES]) -> __m512 {
        proven!(_mm512_loadu_ps(values.as_ptr()))
    }
    #[inline(always)]
    fn load_half(self, values: &[u16; LANES]) -> __m512 {
        let halves = proven!(_mm256_loadu_si256(values.as_ptr().cast()));
        proven!(_mm512_cvtph_ps(halves))
    }
    #[inline(always)]
    fn load_bfloat(self, values: &[u16; LANES]) -> __m512 {
        let halves = proven!(_mm256_loadu_si256(values.as_ptr().cast()));
        let wide = proven!(_mm512_cvtepu16_epi32(halves));
        let shifted = proven!(_mm512_slli_epi32::<16>(wide));
        proven!(_mm512_castsi512_ps(shifted))
    }
    #[inline(always)]
    fn store(self, values: __m512) -> [f32; LANES] {
        let mut result = [0.0; LANES];
        proven!(_mm512_storeu_ps(result.as_mut_ptr(), values));
        result
    }
    #[inline(always)]
    fn store_half(self, values: __m512) -> [u16; LANES] {
        let mut result = [0; LANES];
        let halves = proven!(_mm512_cvtps_ph::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(values));
        proven!(_mm256_storeu_si256(result.as_mut_ptr().cast(), halves));
        result
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        proven!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn abs(self, a: __m512) -> __m512 {
        proven!(_mm512_abs_ps(a))
    }
    #[inline(always)]
    fn scale(self, a: __m512, n: __m512) -> __m512 {
        proven!(_mm512_scalef_ps(a, n))
    }
    #[inline(always)]
    fn highest(self, a: __m512) -> f32 {
        proven!(_mm512_reduce_max_ps(a))
    }
    #[inline(always)]
    fn total(self, a: __m512) -> f32 {
        proven!(_mm512_reduce_add_ps(a))
    }
    #[inline(always)]
    fn splat_integer(self, value: i32) -> __m512i {
        proven!(_mm512_set1_epi32(value))
    }
    #[inline(always)]
    fn load_bytes(self, bytes: &[u8; LANES * 4]) -> __m512i {
        proven!(_mm512_loadu_si512(bytes.as_ptr().cast()))
    }
    #[inline(always)]
    fn low_nibbles(self, bytes: __m512i) -> __m512i {
        let mask = proven!(_mm512_set1_epi8(0x0f));
        proven!(_mm512_and_si512(bytes, mask))
    }
    #[inline(always)]
    fn high_nibbles(self, bytes: __m512i) -> __m512i {
        let shifted = proven!(_mm512_srli_epi16::<4>(bytes));
        self.low_nibbles(shifted)
    }
    #[inline(always)]
    fn dot_nibbles(self, sum: __m512i, weights: __m512i, bytes: __m512i) -> __m512i {
        proven!(_mm512_dpbusd_epi32(sum, weights, bytes))
    }
    #[inline(always)]
    fn start_biased(self, start: i32) -> __m512i {
        self.splat_integer(start)
    }
    #[inline(always)]
    fn dot_biased(self, sum: __m512i, weights: __m512i, bytes: __m512i) -> __m512i {
        proven!(_mm512_dpbusd_epi32(sum, weights, bytes))
    }
    #[inline(always)]
    fn to_floats(self, integers: __m512i) -> __m512 {
        proven!(_mm512_cvtepi32_ps(integers))
    }
    #[inline(always)]
    fn join(self, high: __m512i, low: __m512i) -> __m512i {
        let shifted = proven!(_mm512_slli_epi32::<7>(high));
        proven!(_mm512_add_epi32(shifted, low))
    }
    #[inline(always)]
    fn round(self, floats: __m512) -> [i32; LANES] {
        let integers = proven!(_mm512_cvtps_epi32(floats));
        let mut result = [0; LANES];
        proven!(_mm512_storeu_si512(result.as_mut_ptr().cast(), integers));
        result
    }
}
