//! The llama architecture: one step from tokens to logits.

use zeroize::Zeroize;

use super::load::{Layer, Weights};
use super::{LlamaConfig, LoadOptions, ModelError, Step, StepError, StepRow};
use crate::device::{
    Activations, Heads, Isa, Matrix, Norm, Pool, Product, Span, WorkerFailed, add_and_norm, attend, gate,
    multiply, quantise, rotate,
};
use crate::gguf::Gguf;

/// A loaded llama model with its compute threads.
pub(crate) struct Llama {
    config: LlamaConfig,
    digest: [u8; 32],
    weights: Weights,
    pool: Pool,
    isa: Isa,
    scratch: Scratch,
}

/// What a step needs on its way; kept, so that steps do not allocate.
#[derive(Default)]
struct Scratch {
    /// The residual stream: one vector per row.
    stream: Vec<f32>,
    /// What a half-layer adds to it.
    change: Vec<f32>,
    /// Input of matrices: normalised, attended or gated vectors.
    input: Activations,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    gates: Vec<f32>,
    ups: Vec<f32>,
    /// Cosine and sine of each row's rotations.
    angles: Vec<[f32; 2]>,
}

/// Neighbouring rows of one sequence.
struct Run {
    slot: usize,
    row: usize,
    rows: usize,
    position: usize,
}

impl From<WorkerFailed> for StepError {
    fn from(_: WorkerFailed) -> Self {
        Self::Worker
    }
}

impl Llama {
    /// Reads every weight; `progress` hears bytes done and bytes in all.
    pub(crate) fn load(
        gguf: &Gguf,
        options: LoadOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, ModelError> {
        let config = LlamaConfig::read(gguf)?;
        let (weights, digest) = Weights::read(gguf, &config, options.path, progress)?;
        let pool = Pool::new(options.threads);
        Ok(Self {
            config,
            digest,
            weights,
            pool,
            isa: Isa::best(),
            scratch: Scratch::default(),
        })
    }

    /// The checked hyperparameters.
    pub(crate) fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// SHA-256 of the file, of the very bytes that were loaded.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The instruction set it computes with.
    pub(crate) fn instructions(&self) -> &'static str {
        self.isa.name()
    }

    /// Computes all rows of a step.
    pub(crate) fn forward(&mut self, step: &mut Step<'_>) -> Result<(), StepError> {
        let runs = step.check(&self.config)?;
        step.logits.clear();
        if step.rows.is_empty() {
            return Ok(());
        }
        self.begin(step.rows);
        let layers = std::mem::take(&mut self.weights.layers);
        let done = layers
            .iter()
            .enumerate()
            .try_for_each(|(index, layer)| self.layer(step, &runs, index, layer));
        self.weights.layers = layers;
        done?;
        self.finish(step)
    }

    /// Wipes what the last step left: vectors that tell of its tokens.
    pub(crate) fn wipe(&mut self) {
        let Scratch {
            stream,
            change,
            input,
            queries,
            keys,
            values,
            gates,
            ups,
            angles,
        } = &mut self.scratch;
        for buffer in [stream, change, queries, keys, values, gates, ups] {
            buffer.zeroize();
        }
        angles.zeroize();
        input.wipe();
    }

    /// Looks up the rows' vectors and angles.
    fn begin(&mut self, rows: &[StepRow]) {
        let Self {
            config,
            weights,
            scratch,
            ..
        } = self;
        let sizes = [
            (&mut scratch.stream, config.width),
            (&mut scratch.queries, config.heads * config.head_size),
            (&mut scratch.keys, config.kv_heads * config.head_size),
            (&mut scratch.values, config.kv_heads * config.head_size),
            (&mut scratch.gates, config.feed_forward),
            (&mut scratch.ups, config.feed_forward),
        ];
        for (buffer, width) in sizes {
            buffer.resize(width * rows.len(), 0.0);
        }
        scratch.change.clear();
        scratch.angles.clear();
        for (row, vector) in rows.iter().zip(scratch.stream.chunks_exact_mut(config.width)) {
            weights
                .embedding
                .row(usize::try_from(row.token).unwrap_or(usize::MAX), vector);
            #[expect(clippy::cast_precision_loss, reason = "positions are far below 2²⁴")]
            let position = row.position as f32;
            let angles = weights
                .frequencies
                .iter()
                .map(|frequency| f64::from(position * frequency));
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the nearest f32 is what is wanted"
            )]
            scratch
                .angles
                .extend(angles.map(|angle| [angle.cos() as f32, angle.sin() as f32]));
        }
    }

    /// One layer: attention, then the feed-forward network.
    fn layer(
        &mut self,
        step: &mut Step<'_>,
        runs: &[Run],
        index: usize,
        layer: &Layer,
    ) -> Result<(), StepError> {
        self.project_heads(step.rows.len(), layer)?;
        self.remember(step, index);
        self.attend(step, runs, index, &layer.output)?;
        self.project(&layer.output)?;
        self.feed_forward(step.rows.len(), layer)?;
        self.project(&layer.down)
    }

    /// Queries, keys and values of all rows, rotated to their positions.
    fn project_heads(&mut self, rows: usize, layer: &Layer) -> Result<(), StepError> {
        let norm = Norm {
            weights: &layer.attention_norm,
            epsilon: self.config.norm_epsilon,
        };
        self.norm(norm, &[&layer.query, &layer.key, &layer.value])?;
        let Self {
            config,
            pool,
            isa,
            scratch,
            ..
        } = self;
        let mut products = [
            Product {
                matrix: &layer.query,
                output: &mut scratch.queries,
            },
            Product {
                matrix: &layer.key,
                output: &mut scratch.keys,
            },
            Product {
                matrix: &layer.value,
                output: &mut scratch.values,
            },
        ];
        multiply(pool, *isa, &scratch.input, &mut products)?;
        let (queries, keys, angles) = (&mut scratch.queries, &mut scratch.keys, &mut scratch.angles);
        rotate((pool, *isa), queries, keys, angles, (rows, config.head_size))?;
        Ok(())
    }

    /// The feed-forward network up to its hidden vectors, which become the input.
    fn feed_forward(&mut self, rows: usize, layer: &Layer) -> Result<(), StepError> {
        let norm = Norm {
            weights: &layer.feed_norm,
            epsilon: self.config.norm_epsilon,
        };
        self.norm(norm, &[&layer.gate, &layer.up])?;
        let Self {
            config,
            pool,
            isa,
            scratch,
            ..
        } = self;
        let mut products = [
            Product {
                matrix: &layer.gate,
                output: &mut scratch.gates,
            },
            Product {
                matrix: &layer.up,
                output: &mut scratch.ups,
            },
        ];
        multiply(pool, *isa, &scratch.input, &mut products)?;
        scratch
            .input
            .resize(config.feed_forward, rows, layer.down.is_quantised());
        gate(
            (pool, *isa),
            &mut scratch.gates,
            &mut scratch.ups,
            &mut scratch.input,
        )?;
        Ok(())
    }

    /// Adds the last change to the stream and normalises it, as the input of some matrices.
    fn norm(&mut self, norm: Norm<'_>, matrices: &[&Matrix]) -> Result<(), StepError> {
        let Self {
            config,
            pool,
            isa,
            scratch,
            ..
        } = self;
        let rows = scratch.stream.len() / config.width;
        scratch.input.resize(
            config.width,
            rows,
            matrices.iter().any(|matrix| matrix.is_quantised()),
        );
        add_and_norm(
            (pool, *isa),
            &mut scratch.stream,
            &mut scratch.change,
            norm,
            &mut scratch.input,
        )?;
        Ok(())
    }

    /// Multiplies the input with a matrix, to be added to the stream.
    fn project(&mut self, matrix: &Matrix) -> Result<(), StepError> {
        let Self {
            pool, isa, scratch, ..
        } = self;
        scratch.change.resize(scratch.stream.len(), 0.0);
        let product = Product {
            matrix,
            output: &mut scratch.change,
        };
        multiply(pool, *isa, &scratch.input, &mut [product])?;
        Ok(())
    }

    /// Puts the rows' keys and values into their sequences' blocks.
    fn remember(&self, step: &mut Step<'_>, layer: usize) {
        let width = self.config.kv_heads * self.config.head_size;
        let keys = self.scratch.keys.chunks_exact(width);
        let values = self.scratch.values.chunks_exact(width);
        for ((row, keys), values) in step.rows.iter().zip(keys).zip(values) {
            if let Some(table) = step.tables.get(row.slot) {
                step.pool
                    .write(self.isa, (table, row.position), layer, (keys, values));
            }
        }
    }

    /// Attention of all rows, as the input of the output matrix.
    fn attend(
        &mut self,
        step: &Step<'_>,
        runs: &[Run],
        layer: usize,
        next: &Matrix,
    ) -> Result<(), StepError> {
        let Self {
            config,
            pool,
            isa,
            scratch,
            ..
        } = self;
        let heads = Heads {
            queries: config.heads,
            pairs: config.kv_heads,
            size: config.head_size,
        };
        scratch.input.resize(
            config.heads * config.head_size,
            step.rows.len(),
            next.is_quantised(),
        );
        let kept: Vec<_> = runs
            .iter()
            .map(|run| {
                let tokens = run.position + run.rows;
                let blocks = |pair| {
                    step.tables
                        .get(run.slot)
                        .map(|table| step.pool.head(table, tokens, layer, pair))
                };
                (0..config.kv_heads).filter_map(blocks).collect::<Vec<_>>()
            })
            .collect();
        let spans: Vec<_> = runs
            .iter()
            .zip(&kept)
            .map(|(run, heads)| Span {
                row: run.row,
                rows: run.rows,
                sees: run.position + 1,
                heads,
            })
            .collect();
        attend(
            (pool, *isa),
            heads,
            &spans,
            &scratch.queries,
            scratch.input.floats_mut(),
        )?;
        quantise((pool, *isa), &mut scratch.input)?;
        Ok(())
    }

    /// Computes the logits of the rows that asked.
    fn finish(&mut self, step: &mut Step<'_>) -> Result<(), StepError> {
        let wanted = step.rows.iter().filter(|row| row.wants_logits).count();
        if wanted == 0 {
            return Ok(());
        }
        let width = self.config.width;
        for buffer in [&mut self.scratch.stream, &mut self.scratch.change] {
            keep_wanted(step.rows, buffer, width);
        }
        let weights = std::mem::take(&mut self.weights.norm);
        let head = Norm {
            weights: &weights,
            epsilon: self.config.norm_epsilon,
        };
        let Self {
            pool, isa, scratch, ..
        } = self;
        scratch
            .input
            .resize(width, wanted, self.weights.head().is_quantised());
        let normed = add_and_norm(
            (pool, *isa),
            &mut scratch.stream,
            &mut scratch.change,
            head,
            &mut scratch.input,
        );
        self.weights.norm = weights;
        normed?;
        step.logits.resize(wanted * self.config.vocabulary, 0.0);
        let product = Product {
            matrix: self.weights.head(),
            output: step.logits,
        };
        multiply(&mut self.pool, self.isa, &self.scratch.input, &mut [product])?;
        Ok(())
    }
}

/// Moves the vectors of the rows that want logits to the front, and drops the others.
fn keep_wanted(rows: &[StepRow], buffer: &mut Vec<f32>, width: usize) {
    let mut kept = 0;
    for (index, row) in rows.iter().enumerate() {
        if row.wants_logits {
            buffer.copy_within(index * width..(index + 1) * width, kept * width);
            kept += 1;
        }
    }
    buffer.truncate(kept * width);
}

impl Step<'_> {
    /// Checks every row and finds the runs of neighbours.
    fn check(&self, config: &LlamaConfig) -> Result<Vec<Run>, StepError> {
        if !self.pool.fits(config) {
            return Err(StepError::Pool);
        }
        let mut ready: Vec<usize> = self.tables.iter().map(|table| table.tokens()).collect();
        let mut runs: Vec<Run> = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            let (Some(table), Some(ready)) = (self.tables.get(row.slot), ready.get_mut(row.slot)) else {
                return Err(StepError::Slot { row: index });
            };
            if usize::try_from(row.token).map_or(true, |token| token >= config.vocabulary) {
                return Err(StepError::Token { row: index });
            }
            if row.position > *ready || row.position >= config.context.min(table.capacity()) {
                return Err(StepError::Position { row: index });
            }
            *ready = (*ready).max(row.position + 1);
            match runs.last_mut() {
                Some(run) if run.slot == row.slot && run.position + run.rows == row.position => run.rows += 1,
                _ => runs.push(Run {
                    slot: row.slot,
                    row: index,
                    rows: 1,
                    position: row.position,
                }),
            }
        }
        Ok(runs)
    }
}
