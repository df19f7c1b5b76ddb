//! Products of quantised weights and activations rounded to whole numbers.

use super::panels::{Group, Panel, QUADS, ROWS};
use super::simd::Simd;

/// Multiplies one panel with `N` columns of `width` groups, which follow each other.
#[inline(always)]
pub(super) fn integer_tile<S: Simd, P: Panel, const N: usize>(
    simd: S,
    panel: &[P],
    columns: &[Group],
    width: usize,
    results: &mut [[f32; ROWS]],
) {
    let mut places = columns.chunks_exact(width);
    let columns: [&[Group]; N] = std::array::from_fn(|_| places.next().unwrap_or_default());
    let mut sums = [simd.splat(0.0); N];
    for (index, panel) in panel.iter().enumerate() {
        let weights = panel.unpack(simd);
        let scales = simd.load_half(panel.scales());
        let minimums = panel.minimums().map(|minimums| simd.load_half(minimums));
        for (sum, column) in sums.iter_mut().zip(&columns) {
            let Some(group) = column.get(index) else { continue };
            let products = simd.to_floats(dot::<S, P>(simd, &weights, group));
            let scale = simd.mul(scales, simd.splat(group.scale));
            *sum = simd.fma(products, scale, *sum);
            if let Some(minimums) = minimums {
                *sum = simd.fma(minimums, simd.splat(group.scaled_sum), *sum);
            }
        }
    }
    for (result, sum) in results.iter_mut().zip(sums) {
        *result = simd.store(sum);
    }
}

#[inline(always)]
fn dot<S: Simd, P: Panel>(simd: S, weights: &[S::Integers; QUADS], group: &Group) -> S::Integers {
    let mut high = simd.splat_integer(0);
    let mut low = P::start(simd, group);
    for ((weights, high_quad), low_quad) in weights.iter().zip(group.high).zip(group.low) {
        high = P::dot(simd, high, *weights, simd.splat_integer(high_quad));
        low = P::dot(simd, low, *weights, simd.splat_integer(low_quad));
    }
    simd.join(high, low)
}
