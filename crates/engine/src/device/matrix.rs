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

/// Why weights were not packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unpacked {
    /// The bytes are not `rows` rows of `width` weights.
    Misshapen,
    /// There is not enough memory.
    Memory,
}

impl Matrix {
    /// Repacks `rows` rows of `width` weights from a file; with `widen`, to f32.
    pub(crate) fn pack(
        kind: TensorKind,
        bytes: &[u8],
        (rows, width): (usize, usize),
        widen: bool,
    ) -> Result<Self, Unpacked> {
        let row_bytes = row_bytes(kind, bytes, (rows, width)).ok_or(Unpacked::Misshapen)?;
        let panels = match kind {
            TensorKind::F32 => Panels::Singles(pack_floats(bytes, row_bytes)?),
            TensorKind::F16 => Panels::Halves(pack_floats(bytes, row_bytes)?),
            TensorKind::Bf16 => Panels::Bfloats(pack_floats(bytes, row_bytes)?),
            TensorKind::Q4_0 => Panels::Nibbles0(pack_groups(bytes, row_bytes)?),
            TensorKind::Q4_1 => Panels::Nibbles1(pack_groups(bytes, row_bytes)?),
            TensorKind::Q8_0 => Panels::Bytes0(pack_groups(bytes, row_bytes)?),
        };
        let matrix = Self { rows, width, panels };
        if widen { matrix.widened() } else { Ok(matrix) }
    }

    /// The same weights as f32.
    fn widened(self) -> Result<Self, Unpacked> {
        let mut panels = zeros(self.rows.div_ceil(ROWS).saturating_mul(self.width), Singles::zero)?;
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
        Ok(Self {
            panels: Panels::Singles(panels),
            ..self
        })
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

/// Reads a vector of `width` weights from a file, as f32.
pub(crate) fn read_vector(kind: TensorKind, bytes: &[u8], width: usize) -> Result<Vec<f32>, Unpacked> {
    row_bytes(kind, bytes, (1, width)).ok_or(Unpacked::Misshapen)?;
    let mut values = zeros(width, || 0.0)?;
    match kind {
        TensorKind::F32 => read_floats::<Singles>(bytes, &mut values),
        TensorKind::F16 => read_floats::<Halves>(bytes, &mut values),
        TensorKind::Bf16 => read_floats::<Bfloats>(bytes, &mut values),
        TensorKind::Q4_0 => read_groups::<Nibbles0>(bytes, &mut values),
        TensorKind::Q4_1 => read_groups::<Nibbles1>(bytes, &mut values),
        TensorKind::Q8_0 => read_groups::<Bytes0>(bytes, &mut values),
    }
    Ok(values)
}

fn read_floats<T: FloatLanes>(bytes: &[u8], values: &mut [f32]) {
    let mut lanes = T::zero();
    for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(T::BYTES)) {
        lanes.set(0, bytes);
        *value = lanes.get(0);
    }
}

fn read_groups<P: Panel>(bytes: &[u8], values: &mut [f32]) {
    let mut panel = P::zero();
    for (values, block) in values.chunks_exact_mut(GROUP).zip(bytes.chunks_exact(P::BLOCK)) {
        panel.set_row(0, block);
        values.copy_from_slice(&panel.row(0));
    }
}

/// Bytes of one row, if there are as many as `rows` rows of `width` weights take.
fn row_bytes(kind: TensorKind, bytes: &[u8], (rows, width): (usize, usize)) -> Option<usize> {
    let (values, block) = kind.block();
    let row_bytes = width.checked_div(values)?.checked_mul(block)?;
    let fits = rows > 0 && width > 0 && width.is_multiple_of(values);
    (fits && row_bytes.checked_mul(rows) == Some(bytes.len())).then_some(row_bytes)
}

/// Memory that is asked for, so that a lack of it is an error.
fn zeros<T>(count: usize, zero: impl FnMut() -> T) -> Result<Vec<T>, Unpacked> {
    let mut all = Vec::new();
    all.try_reserve_exact(count)
        .map_err(|_no_memory| Unpacked::Memory)?;
    all.resize_with(count, zero);
    Ok(all)
}

fn pack_floats<T: FloatLanes>(bytes: &[u8], row_bytes: usize) -> Result<Vec<T>, Unpacked> {
    let width = row_bytes / T::BYTES;
    let rows = bytes.len() / row_bytes;
    let mut weights = zeros(rows.div_ceil(ROWS) * width, T::zero)?;
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
    Ok(weights)
}

fn pack_groups<P: Panel>(bytes: &[u8], row_bytes: usize) -> Result<Vec<P>, Unpacked> {
    let width = row_bytes / P::BLOCK;
    let rows = bytes.len() / row_bytes;
    let mut weights = zeros(rows.div_ceil(ROWS) * width, P::zero)?;
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
    Ok(weights)
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
