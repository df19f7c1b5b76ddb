//! A loaded model asked directly, without scheduler or sampler: for parity tests and benches.

use std::path::Path;

use crate::gguf::Gguf;
use crate::kv::{BLOCK_TOKENS, BlockTable, KvPool};
use crate::model::{ActivationPath, Llama, LoadOptions, ModelError, Step, StepError, StepRow};

/// A model with one sequence at a time.
pub struct Evaluator {
    model: Llama,
}

/// Why a model could not be evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The file is no usable model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The tokens cannot be run.
    #[error(transparent)]
    Step(#[from] StepError),
    /// There is not enough memory for so many tokens.
    #[error("not enough memory for {tokens} tokens")]
    Memory {
        /// Tokens asked for.
        tokens: usize,
    },
}

impl Evaluator {
    /// Loads a model.
    ///
    /// # Errors
    /// [`EvalError::Model`] when the file is no usable model.
    pub fn open(path: &Path, activations: ActivationPath, threads: usize) -> Result<Self, EvalError> {
        let gguf = Gguf::open(path).map_err(ModelError::from)?;
        let options = LoadOptions {
            path: activations,
            threads,
        };
        let model = Llama::load(&gguf, options, &mut |_, _| ())?;
        Ok(Self { model })
    }

    /// The instruction set it computes with.
    #[must_use]
    pub fn instructions(&self) -> &'static str {
        self.model.instructions()
    }

    /// Log-probabilities of every token of the vocabulary after each of `tokens`.
    ///
    /// # Errors
    /// [`EvalError::Step`] when a token is not in the vocabulary or there are more than the context holds.
    pub fn log_probabilities(&mut self, tokens: &[u32]) -> Result<Vec<Vec<f32>>, EvalError> {
        let mut logits = Vec::new();
        self.run(tokens, |_| true, &mut logits)?;
        let vocabulary = self.model.config().vocabulary;
        Ok(logits.chunks_exact(vocabulary).map(log_softmax).collect())
    }

    /// Continues `tokens` with the likeliest token, `count` times.
    ///
    /// # Errors
    /// As [`Evaluator::log_probabilities`].
    pub fn continue_greedily(&mut self, tokens: &[u32], count: usize) -> Result<Vec<u32>, EvalError> {
        let total = tokens.len().saturating_add(count);
        self.with_table(total, |model, pool, table| {
            let mut logits = Vec::new();
            let mut chosen = Vec::with_capacity(count);
            let mut next = tokens.to_vec();
            while chosen.len() < count && !next.is_empty() {
                let last = next.len().saturating_sub(1);
                forward(model, pool, table, &next, (&|index| index == last, &mut logits))?;
                let best = logits.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
                next = best
                    .and_then(|(token, _)| u32::try_from(token).ok())
                    .into_iter()
                    .collect();
                chosen.extend_from_slice(&next);
            }
            Ok(chosen)
        })
    }

    fn run(
        &mut self,
        tokens: &[u32],
        wants: impl Fn(usize) -> bool,
        logits: &mut Vec<f32>,
    ) -> Result<(), EvalError> {
        self.with_table(tokens.len(), |model, pool, table| {
            forward(model, pool, table, tokens, (&wants, logits))
        })
    }

    fn with_table<T>(
        &mut self,
        tokens: usize,
        work: impl FnOnce(&mut Llama, &mut KvPool, &mut BlockTable) -> Result<T, EvalError>,
    ) -> Result<T, EvalError> {
        let blocks = tokens.div_ceil(BLOCK_TOKENS);
        let mut pool = KvPool::new(self.model.config(), blocks).ok_or(EvalError::Memory { tokens })?;
        let mut table = BlockTable::new();
        if !table.reserve(&mut pool, tokens) {
            return Err(EvalError::Memory { tokens });
        }
        let result = work(&mut self.model, &mut pool, &mut table);
        table.release(&mut pool);
        result
    }
}

/// Computes the next tokens of the only sequence.
fn forward(
    model: &mut Llama,
    pool: &mut KvPool,
    table: &mut BlockTable,
    tokens: &[u32],
    (wants, logits): (&dyn Fn(usize) -> bool, &mut Vec<f32>),
) -> Result<(), EvalError> {
    let first = table.tokens();
    let row = |(index, token): (usize, &u32)| StepRow {
        token: *token,
        slot: 0,
        position: first.saturating_add(index),
        wants_logits: wants(index),
    };
    let rows: Vec<_> = tokens.iter().enumerate().map(row).collect();
    model.forward(&mut Step {
        rows: &rows,
        tables: &[table],
        pool,
        logits,
    })?;
    table.advance(tokens.len());
    Ok(())
}

fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let peak = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.iter().map(|logit| f64::from(logit - peak).exp()).sum();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the nearest f32 is what is wanted"
    )]
    let shift = (f64::from(peak) + total.ln()) as f32;
    logits.iter().map(|logit| logit - shift).collect()
}
