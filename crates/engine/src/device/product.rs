//! Products of weight matrices with columns of activations, shared out to the threads by rows.

use std::ops::Range;

use super::activations::{Activations, COLUMNS};
use super::floats::{FloatLanes, float_tile};
use super::integers::integer_tile;
use super::matrix::{Matrix, Panels};
use super::panels::{GROUP, Panel, ROWS};
use super::pool::{Pool, WorkerFailed};
use super::shared::Shared;
use super::simd::{Isa, Kernel, Simd};

/// A matrix, and where its product with each column goes: column after column.
pub(crate) struct Product<'a> {
    pub(crate) matrix: &'a Matrix,
    pub(crate) output: &'a mut [f32],
}

/// Multiplies several matrices with the same columns.
pub(crate) fn multiply(
    pool: &mut Pool,
    isa: Isa,
    input: &Activations,
    products: &mut [Product<'_>],
) -> Result<(), WorkerFailed> {
    let mut shares = Vec::with_capacity(products.len());
    let mut panels = 0_usize;
    for product in products {
        let first = panels;
        panels += product.matrix.rows().div_ceil(ROWS);
        shares.push((product.matrix, first..panels, Shared::new(product.output)));
    }
    // Less than this is done sooner than a thread is woken.
    let least = 65_536_usize
        .div_ceil((input.width() * ROWS * input.columns()).max(1))
        .max(2);
    pool.run(panels, least, &|range| {
        for (matrix, own, output) in &shares {
            let (start, end) = (range.start.max(own.start), range.end.min(own.end));
            if start < end {
                let panels = start - own.start..end - own.start;
                isa.run(Panelwise {
                    matrix,
                    input,
                    panels,
                    output,
                });
            }
        }
    })
}

/// Some panels of one product.
struct Panelwise<'a, 'b> {
    matrix: &'a Matrix,
    input: &'a Activations,
    /// Given to one thread only.
    panels: Range<usize>,
    output: &'a Shared<'b, f32>,
}

impl Kernel for Panelwise<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.matrix.panels() {
            Panels::Singles(weights) => self.floats(simd, weights),
            Panels::Halves(weights) => self.floats(simd, weights),
            Panels::Bfloats(weights) => self.floats(simd, weights),
            Panels::Nibbles0(weights) => self.integers(simd, weights),
            Panels::Nibbles1(weights) => self.integers(simd, weights),
            Panels::Bytes0(weights) => self.integers(simd, weights),
        }
    }
}

/// Calls a tile function compiled for the number of columns.
macro_rules! by_count {
    ($tile:ident, $simd:expr, $panel:expr, $columns:expr, $sums:expr) => {
        match $sums.len() {
            8 => $tile::<S, _, 8>($simd, $panel, $columns, $sums),
            7 => $tile::<S, _, 7>($simd, $panel, $columns, $sums),
            6 => $tile::<S, _, 6>($simd, $panel, $columns, $sums),
            5 => $tile::<S, _, 5>($simd, $panel, $columns, $sums),
            4 => $tile::<S, _, 4>($simd, $panel, $columns, $sums),
            3 => $tile::<S, _, 3>($simd, $panel, $columns, $sums),
            2 => $tile::<S, _, 2>($simd, $panel, $columns, $sums),
            _ => $tile::<S, _, 1>($simd, $panel, $columns, $sums),
        }
    };
}

impl Panelwise<'_, '_> {
    #[inline(always)]
    fn integers<S: Simd, P: Panel>(self, simd: S, weights: &[P]) {
        let width = (self.input.width() / GROUP).max(1);
        let panels = weights
            .chunks_exact(width)
            .enumerate()
            .skip(self.panels.start)
            .take(self.panels.len());
        for (index, panel) in panels {
            let mut sums = [[0.0; ROWS]; COLUMNS];
            for (tile, columns) in self.input.groups().chunks(width * COLUMNS).enumerate() {
                let Some(sums) = sums.get_mut(..columns.len() / width) else {
                    continue;
                };
                by_count!(integer_tile, simd, panel, columns, sums);
                self.write(index, tile * COLUMNS, sums);
            }
        }
    }

    #[inline(always)]
    fn floats<S: Simd, T: FloatLanes>(self, simd: S, weights: &[T]) {
        let width = self.input.width().max(1);
        let panels = weights
            .chunks_exact(width)
            .enumerate()
            .skip(self.panels.start)
            .take(self.panels.len());
        for (index, panel) in panels {
            let mut sums = [[0.0; ROWS]; COLUMNS];
            for (tile, columns) in self.input.floats().chunks(width * COLUMNS).enumerate() {
                let Some(sums) = sums.get_mut(..columns.len() / width) else {
                    continue;
                };
                by_count!(float_tile, simd, panel, columns, sums);
                self.write(index, tile * COLUMNS, sums);
            }
        }
    }

    #[inline(always)]
    fn write(&self, panel: usize, column: usize, sums: &[[f32; ROWS]]) {
        let rows = self.matrix.rows();
        let first = panel * ROWS;
        let length = rows.saturating_sub(first).min(ROWS);
        for (offset, sums) in sums.iter().enumerate() {
            // SAFETY: this thread alone was given the panel, and so these rows of every column.
            let place = unsafe { self.output.part((column + offset) * rows + first, length) };
            if let Ok(whole) = <&mut [f32; ROWS]>::try_from(&mut *place) {
                *whole = *sums;
            } else {
                place.iter_mut().zip(sums).for_each(|(place, sum)| *place = *sum);
            }
        }
    }
}
