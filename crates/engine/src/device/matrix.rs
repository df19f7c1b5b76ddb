//! Weight matrices, repacked for the kernels.

use super::floats::{Bfloats, FloatLanes, Halves, Singles};
use super::panels::{Bytes0, GROUP, Nibbles0, Nibbles1, Panel, ROWS};
use crate::gguf::TensorKind;

/// A matrix of weights, in panels of sixteen rows; the last one is filled up with zeros.
pub(crate) struct Matrix {
    rows: usize,
    width: usize,
    panels: Panels,
}

/// Panel after panel, each along its rows.
pub(super) enum Panels {
    Singles(Vec<Singles>),
    Halves(Vec<Halves>),
    Bfloats(Vec<Bfloats>),
    Nibbles0(Vec<Nibbles0>),
    Nibbles1(Vec<Nibbles1>),
    Bytes0(Vec<Bytes0>),
}

/// Bytes that are not `rows` rows of `width` weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Misshapen;

impl Matrix {
    /// Repacks `rows` rows of `width` weights from a file; with `widen`, to f32.
    pub(crate) fn pack(
        kind: TensorKind,
        bytes: &[u8],
        (rows, width): (usize, usize),
        widen: bool,
    ) -> Result<Self, Misshapen> {
        let (values, block) = kind.block();
        let row_bytes = width
            .checked_div(values)
            .and_then(|blocks| blocks.checked_mul(block))
            .ok_or(Misshapen)?;
        let fits = rows > 0 && width > 0 && width.is_multiple_of(values);
        if !fits || row_bytes.checked_mul(rows) != Some(bytes.len()) {
            return Err(Misshapen);
        }
        let panels = match kind {
            TensorKind::F32 => Panels::Singles(pack_floats(bytes, row_bytes)),
            TensorKind::F16 => Panels::Halves(pack_floats(bytes, row_bytes)),
            TensorKind::Bf16 => Panels::Bfloats(pack_floats(bytes, row_bytes)),
            TensorKind::Q4_0 => Panels::Nibbles0(pack_groups(bytes, row_bytes)),
            TensorKind::Q4_1 => Panels::Nibbles1(pack_groups(bytes, row_bytes)),
            TensorKind::Q8_0 => Panels::Bytes0(pack_groups(bytes, row_bytes)),
        };
        let matrix = Self { rows, width, panels };
        Ok(if widen { matrix.widened() } else { matrix })
    }

    /// The same weights as f32.
    fn widened(self) -> Self {
        let mut panels = vec![Singles::zero(); self.rows.div_ceil(ROWS).saturating_mul(self.width)];
        let mut values = vec![0.0; self.width];
        for row in 0..self.rows {
            self.row(row, &mut values);
            let panel = panels
                .chunks_exact_mut(self.width)
                .nth(row / ROWS)
                .unwrap_or_default();
            for (Singles(lanes), value) in panel.iter_mut().zip(&values) {
                if let Some(lane) = lanes.get_mut(row % ROWS) {
                    *lane = *value;
                }
            }
        }
        Self {
            panels: Panels::Singles(panels),
            ..self
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Whether products need activations rounded to whole numbers.
    pub(crate) fn is_quantised(&self) -> bool {
        matches!(
            self.panels,
            Panels::Nibbles0(_) | Panels::Nibbles1(_) | Panels::Bytes0(_)
        )
    }

    /// Writes one row's weights; zeros for a row that is not there.
    pub(crate) fn row(&self, row: usize, values: &mut [f32]) {
        match &self.panels {
            Panels::Singles(panels) => row_of_floats(panels, self.width, row, values),
            Panels::Halves(panels) => row_of_floats(panels, self.width, row, values),
            Panels::Bfloats(panels) => row_of_floats(panels, self.width, row, values),
            Panels::Nibbles0(panels) => row_of_groups(panels, self.width, row, values),
            Panels::Nibbles1(panels) => row_of_groups(panels, self.width, row, values),
            Panels::Bytes0(panels) => row_of_groups(panels, self.width, row, values),
        }
    }

    pub(super) fn panels(&self) -> &Panels {
        &self.panels
    }
}

fn pack_floats<T: FloatLanes>(bytes: &[u8], row_bytes: usize) -> Vec<T> {
    let width = row_bytes / T::BYTES;
    let rows = bytes.len() / row_bytes;
    let mut weights = vec![T::zero(); rows.div_ceil(ROWS) * width];
    for (panel, rows) in weights
        .chunks_exact_mut(width)
        .zip(bytes.chunks(row_bytes * ROWS))
    {
        for (row, bytes) in rows.chunks_exact(row_bytes).enumerate() {
            for (lanes, bytes) in panel.iter_mut().zip(bytes.chunks_exact(T::BYTES)) {
                lanes.set(row, bytes);
            }
        }
    }
    weights
}

fn pack_groups<P: Panel>(bytes: &[u8], row_bytes: usize) -> Vec<P> {
    let width = row_bytes / P::BLOCK;
    let rows = bytes.len() / row_bytes;
    let mut weights: Vec<P> = std::iter::repeat_with(P::zero)
        .take(rows.div_ceil(ROWS) * width)
        .collect();
    for (panel, rows) in weights
        .chunks_exact_mut(width)
        .zip(bytes.chunks(row_bytes * ROWS))
    {
        for (row, bytes) in rows.chunks_exact(row_bytes).enumerate() {
            for (group, block) in panel.iter_mut().zip(bytes.chunks_exact(P::BLOCK)) {
                group.set_row(row, block);
            }
        }
    }
    weights
}

fn row_of_floats<T: FloatLanes>(weights: &[T], width: usize, row: usize, values: &mut [f32]) {
    let panel = weights.chunks_exact(width).nth(row / ROWS).unwrap_or_default();
    for (value, lanes) in values.iter_mut().zip(panel) {
        *value = lanes.get(row % ROWS);
    }
}

fn row_of_groups<P: Panel>(weights: &[P], width: usize, row: usize, values: &mut [f32]) {
    let panel = weights
        .chunks_exact(width / GROUP)
        .nth(row / ROWS)
        .unwrap_or_default();
    for (values, group) in values.chunks_exact_mut(GROUP).zip(panel) {
        values.copy_from_slice(&group.row(row % ROWS));
    }
}
