//! AVX2 with FMA: a vector is two registers.

use std::arch::x86_64::*;

use super::{Kernel, LANES, Simd};

/// Proof that the processor has AVX2, FMA and F16C. Only detection makes one.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

/// Calls an intrinsic.
macro_rules! proven {
    ($call:expr) => {
        // SAFETY: a value of `Avx2` exists, so the processor was seen to have these instructions; loads and stores go
        // through pointers to the first or second half of a vector of full width.
        unsafe { $call }
    };
}

/// Applies an intrinsic to both halves.
macro_rules! both {
    ($intrinsic:ident, $a:expr) => {{
        let [low, high] = $a;
        [proven!($intrinsic(low)), proven!($intrinsic(high))]
    }};
    ($intrinsic:ident, $a:expr, $b:expr) => {{
        let ([a_low, a_high], [b_low, b_high]) = ($a, $b);
        [
            proven!($intrinsic(a_low, b_low)),
            proven!($intrinsic(a_high, b_high)),
        ]
    }};
}

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        all.then_some(Self(()))
    }

    /// Runs a kernel compiled for these instructions.
    #[inline]
    pub(super) fn enter<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn compiled<K: Kernel>(simd: Avx2, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        proven!(compiled(self, kernel))
    }

    #[inline(always)]
    fn load_both(self, pointer: *const u8) -> [__m256i; 2] {
        let second = pointer.wrapping_add(32);
        [
            proven!(_mm256_loadu_si256(pointer.cast())),
            proven!(_mm256_loadu_si256(second.cast())),
        ]
    }

    #[inline(always)]
    fn load_words(self, pointer: *const u16) -> [__m128i; 2] {
        let second = pointer.wrapping_add(8);
        [
            proven!(_mm_loadu_si128(pointer.cast())),
            proven!(_mm_loadu_si128(second.cast())),
        ]
    }

    /// Adds pairs of sixteen-bit products of unsigned and signed bytes to 32-bit sums.
    #[inline(always)]
    fn dot(self, sum: [__m256i; 2], unsigned: [__m256i; 2], signed: [__m256i; 2]) -> [__m256i; 2] {
        let ones = proven!(_mm256_set1_epi16(1));
        let pairs = both!(_mm256_maddubs_epi16, unsigned, signed);
        let quads = both!(_mm256_madd_epi16, pairs, [ones, ones]);
        both!(_mm256_add_epi32, sum, quads)
    }

    /// The four lanes' result of folding both halves with an operation.
    #[inline(always)]
    fn fold(self, a: [__m256; 2], op: impl Fn(f32, f32) -> f32) -> f32 {
        let lanes = self.store(a);
        let (first, rest) = (
            lanes.first().copied().unwrap_or_default(),
            lanes.get(1..).unwrap_or_default(),
        );
        rest.iter().fold(first, |folded, lane| op(folded, *lane))
    }
}

impl Simd for Avx2 {
    type Floats = [__m256; 2];
    type Integers = [__m256i; 2];

    #[inline(always)]
    fn splat(self, value: f32) -> [__m256; 2] {
        [proven!(_mm256_set1_ps(value)); 2]
    }
    #[inline(always)]
    fn load(self, values: &[f32; LANES]) -> [__m256; 2] {
        both!(_mm256_castsi256_ps, self.load_both(values.as_ptr().cast()))
    }
    #[inline(always)]
    fn load_half(self, values: &[u16; LANES]) -> [__m256; 2] {
        both!(_mm256_cvtph_ps, self.load_words(values.as_ptr()))
    }
    #[inline(always)]
    fn load_bfloat(self, values: &[u16; LANES]) -> [__m256; 2] {
        let [low, high] = both!(_mm256_cvtepu16_epi32, self.load_words(values.as_ptr()));
        let shifted = [
            proven!(_mm256_slli_epi32::<16>(low)),
            proven!(_mm256_slli_epi32::<16>(high)),
        ];
        both!(_mm256_castsi256_ps, shifted)
    }
    #[inline(always)]
    fn store(self, values: [__m256; 2]) -> [f32; LANES] {
        let [low, high] = values;
        let mut result = [0.0; LANES];
        let first: *mut f32 = result.as_mut_ptr();
        proven!(_mm256_storeu_ps(first, low));
        proven!(_mm256_storeu_ps(first.wrapping_add(8), high));
        result
    }
    #[inline(always)]
    fn store_half(self, values: [__m256; 2]) -> [u16; LANES] {
        let [low, high] = values;
        let mut result = [0_u16; LANES];
        let first = result.as_mut_ptr();
        let low = proven!(_mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(low));
        let high = proven!(_mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(high));
        proven!(_mm_storeu_si128(first.cast(), low));
        proven!(_mm_storeu_si128(first.wrapping_add(8).cast(), high));
        result
    }
    #[inline(always)]
    fn add(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        both!(_mm256_add_ps, a, b)
    }
    #[inline(always)]
    fn sub(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        both!(_mm256_sub_ps, a, b)
    }
    #[inline(always)]
    fn mul(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        both!(_mm256_mul_ps, a, b)
    }
    #[inline(always)]
    fn div(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        both!(_mm256_div_ps, a, b)
    }
    #[inline(always)]
    fn fma(self, a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] {
        let ([a_low, a_high], [b_low, b_high], [c_low, c_high]) = (a, b, c);
        [
            proven!(_mm256_fmadd_ps(a_low, b_low, c_low)),
            proven!(_mm256_fmadd_ps(a_high, b_high, c_high)),
        ]
    }
    #[inline(always)]
    fn min(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        both!(_mm256_min_ps, a, b)
    }
    #[inline(always)]
    fn max(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        both!(_mm256_max_ps, a, b)
    }
    #[inline(always)]
    fn abs(self, a: [__m256; 2]) -> [__m256; 2] {
        let sign = proven!(_mm256_set1_ps(-0.0));
        both!(_mm256_andnot_ps, [sign, sign], a)
    }
    #[inline(always)]
    fn scale(self, a: [__m256; 2], n: [__m256; 2]) -> [__m256; 2] {
        let bias = proven!(_mm256_set1_epi32(127));
        let [low, high] = both!(_mm256_add_epi32, both!(_mm256_cvtps_epi32, n), [bias, bias]);
        let powers = [
            proven!(_mm256_slli_epi32::<23>(low)),
            proven!(_mm256_slli_epi32::<23>(high)),
        ];
        self.mul(a, both!(_mm256_castsi256_ps, powers))
    }
    #[inline(always)]
    fn highest(self, a: [__m256; 2]) -> f32 {
        self.fold(a, f32::max)
    }
    #[inline(always)]
    fn total(self, a: [__m256; 2]) -> f32 {
        self.fold(a, |a, b| a + b)
    }
    #[inline(always)]
    fn splat_integer(self, value: i32) -> [__m256i; 2] {
        [proven!(_mm256_set1_epi32(value)); 2]
    }
    #[inline(always)]
    fn load_bytes(self, bytes: &[u8; LANES * 4]) -> [__m256i; 2] {
        self.load_both(bytes.as_ptr())
    }
    #[inline(always)]
    fn low_nibbles(self, bytes: [__m256i; 2]) -> [__m256i; 2] {
        let mask = proven!(_mm256_set1_epi8(0x0f));
        both!(_mm256_and_si256, bytes, [mask, mask])
    }
    #[inline(always)]
    fn high_nibbles(self, bytes: [__m256i; 2]) -> [__m256i; 2] {
        let [low, high] = bytes;
        self.low_nibbles([
            proven!(_mm256_srli_epi16::<4>(low)),
            proven!(_mm256_srli_epi16::<4>(high)),
        ])
    }
    #[inline(always)]
    fn dot_nibbles(self, sum: [__m256i; 2], weights: [__m256i; 2], bytes: [__m256i; 2]) -> [__m256i; 2] {
        self.dot(sum, weights, bytes)
    }
    #[inline(always)]
    fn start_biased(self, _: i32) -> [__m256i; 2] {
        self.splat_integer(0)
    }
    #[inline(always)]
    fn dot_biased(self, sum: [__m256i; 2], weights: [__m256i; 2], bytes: [__m256i; 2]) -> [__m256i; 2] {
        // Sixteen-bit sums of two products would overflow with weights up to 255: give the weight's sign to the byte.
        let bias = proven!(_mm256_set1_epi8(i8::MIN));
        let signed = both!(_mm256_xor_si256, weights, [bias, bias]);
        let bytes = both!(_mm256_sign_epi8, bytes, signed);
        self.dot(sum, both!(_mm256_abs_epi8, signed), bytes)
    }
    #[inline(always)]
    fn to_floats(self, integers: [__m256i; 2]) -> [__m256; 2] {
        both!(_mm256_cvtepi32_ps, integers)
    }
    #[inline(always)]
    fn join(self, high: [__m256i; 2], low: [__m256i; 2]) -> [__m256i; 2] {
        let [first, second] = high;
        let shifted = [
            proven!(_mm256_slli_epi32::<7>(first)),
            proven!(_mm256_slli_epi32::<7>(second)),
        ];
        both!(_mm256_add_epi32, shifted, low)
    }
    #[inline(always)]
    fn round(self, floats: [__m256; 2]) -> [i32; LANES] {
        let [low, high] = both!(_mm256_cvtps_epi32, floats);
        let mut result = [0_i32; LANES];
        let first: *mut i32 = result.as_mut_ptr();
        proven!(_mm256_storeu_si256(first.cast(), low));
        proven!(_mm256_storeu_si256(first.wrapping_add(8).cast(), high));
        result
    }
}
