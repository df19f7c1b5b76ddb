//! One pass of the model over tokens of several sequences.

use crate::kv::{BlockTable, KvPool};

/// One token to compute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepRow {
    /// The token's id.
    pub(crate) token: u32,
    /// Which of [`Step::tables`] it belongs to.
    pub(crate) slot: usize,
    /// Its place in its sequence. Rows of a sequence come in order: a position may only be used once all before it are
    /// computed, in an earlier step (counted by `BlockTable::tokens`) or by an earlier row of this one.
    pub(crate) position: usize,
    /// Whether the logits that follow this token are wanted.
    pub(crate) wants_logits: bool,
}

/// A batch: chunks of prompts (prefill) and single next tokens (decode), mixed as the scheduler likes.
///
/// Keys and values are written for every row. The tables are not advanced: the caller does it once it takes the step
/// as done.
pub(crate) struct Step<'a> {
    pub(crate) rows: &'a [StepRow],
    pub(crate) tables: &'a [&'a BlockTable],
    pub(crate) pool: &'a mut KvPool,
    /// Replaced by `vocabulary` logits for each row that asked, in row order.
    pub(crate) logits: &'a mut Vec<f32>,
}

/// A step that cannot be run as asked. Nothing useful has been computed; the tables are unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// A token id is not in the vocabulary.
    #[error("row {row} has a token that is not in the vocabulary")]
    Token {
        /// Index of the row.
        row: usize,
    },
    /// A position is past the context, past the reserved blocks, or ahead of tokens not yet computed.
    #[error("row {row} has a position that is not ready")]
    Position {
        /// Index of the row.
        row: usize,
    },
    /// A row names a sequence that is not in the step.
    #[error("row {row} names no sequence of this step")]
    Slot {
        /// Index of the row.
        row: usize,
    },
    /// The pool was made for a model of another shape.
    #[error("the key/value pool belongs to another model")]
    Pool,
    /// A compute thread failed.
    #[error("a compute thread failed")]
    Worker,
}
