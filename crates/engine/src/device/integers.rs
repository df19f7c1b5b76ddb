//! Products of quantised weights and activations rounded to whole numbers.

use super::panels::{Group, Panel, ROWS};
use super::simd::Simd;

/// Multiplies one panel with `N` columns, whose groups take turns in `columns`.
#[inline(always)]
pub(super) fn integer_tile<S: Simd, P: Panel, const N: usize>(
    simd: S,
    panel: &[P],
    columns: &[Group],
    results: &mut [[f32; ROWS]],
) {
    let (columns, _) = columns.as_chunks::<N>();
    let mut sums = [simd.splat(0.0); N];
    for (panel, groups) in panel.iter().zip(columns) {
        let products = dots::<S, P, N>(simd, panel, groups);
        let scales = simd.load_half(panel.scales());
        let minimums = panel.minimums().map(|minimums| simd.load_half(minimums));
        for ((sum, products), group) in sums.iter_mut().zip(products).zip(groups) {
            let scale = simd.mul(scales, simd.splat(group.scale));
            *sum = simd.fma(simd.to_floats(products), scale, *sum);
            if let Some(minimums) = minimums {
                *sum = simd.fma(minimums, simd.splat(group.scaled_sum), *sum);
            }
        }
    }
    for (result, sum) in results.iter_mut().zip(sums) {
        *result = simd.store(sum);
    }
}

/// Products of a panel's sixteen rows with one group of each column. Columns take turns, so that no addition waits for
/// the one before it.
#[inline(always)]
fn dots<S: Simd, P: Panel, const N: usize>(simd: S, panel: &P, groups: &[Group; N]) -> [S::Integers; N] {
    let mut high = [simd.splat_integer(0); N];
    let mut low = high;
    for (low, group) in low.iter_mut().zip(groups) {
        *low = P::start(simd, group);
    }
    for (quad, weights) in panel.unpack(simd).into_iter().enumerate() {
        for ((high, low), group) in high.iter_mut().zip(&mut low).zip(groups) {
            let (Some(high_quad), Some(low_quad)) = (group.high.get(quad), group.low.get(quad)) else {
                continue;
            };
            *high = P::dot(simd, *high, weights, simd.splat_integer(*high_quad));
            *low = P::dot(simd, *low, weights, simd.splat_integer(*low_quad));
        }
    }
    for (low, high) in low.iter_mut().zip(high) {
        *low = simd.join(high, *low);
    }
    low
}
